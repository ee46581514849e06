"""Investment advice and managed fund portfolios: what is agreed, and what is taken for it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import zero
from spark_jobs.gold.tables import conform
from spark_jobs.gold.trades import with_owner

# The line of the account an agreement is about: advice goes with securities, portfolios with fund accounts.
ADVISED_ACCOUNTS = {"advice": "normal", "fund_advice": "fund"}


def build_advice_agreements(frames: dict[str, DataFrame], accounts: DataFrame) -> DataFrame:
    """Agreements of both lines. `frames`: business line → slices of its agreements.

    Grain:  one row per (business_line, agreement_id, business_date).
    Units:  fee_rate is a fraction; portfolio_amount is CNY and lies inside the holdings of the fund account, so it is never added to them.
    Nulls:  fee_model is null for fund advice; end_date while no end is agreed; the adviser where nobody is named.
    """
    advice = frames["advice"].withColumn("portfolio_amount", zero())
    fund_advice = frames["fund_advice"].withColumn("fee_model", F.lit(None).cast("string"))
    return _of_both_lines({"advice": advice, "fund_advice": fund_advice}, accounts, "advice_agreements")


def build_advice_fees(frames: dict[str, DataFrame], accounts: DataFrame) -> DataFrame:
    """Fees of both lines. Grain: one row per (business_line, fee_id, business_date). fee_kind: front, back, copy or portfolio."""
    fund_advice = frames["fund_advice"].withColumn("fee_kind", F.lit("portfolio"))
    return _of_both_lines({"advice": frames["advice"], "fund_advice": fund_advice}, accounts, "advice_fees")


def _of_both_lines(frames: dict[str, DataFrame], accounts: DataFrame, table: str) -> DataFrame:
    parts = [
        conform(
            with_owner(frame.withColumn("business_line", F.lit(ADVISED_ACCOUNTS[line])), accounts).withColumn(
                "business_line", F.lit(line)
            ),
            table,
        )
        for line, frame in frames.items()
    ]
    return parts[0].unionByName(parts[1])
