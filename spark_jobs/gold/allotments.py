"""What cash accounts still have to pay for shares they have won, beside the cash they have for it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import zero
from spark_jobs.gold.tables import MONEY, conform


def build_allotments_due(allotments: DataFrame, balances: DataFrame, accounts: DataFrame) -> DataFrame:
    """Accounts with wins to be paid after the day, all wins of an account together. Cash is what is available in CNY."""
    key = ["business_date", "account_id"]
    unpaid = (
        allotments.where("payment_due_date > business_date and payable_amount > paid_amount")
        .groupBy(*key)
        .agg(
            F.sum(F.col("payable_amount") - F.col("paid_amount")).cast(MONEY).alias("unpaid_amount"),
            F.min("payment_due_date").alias("payment_due_date"),
        )
    )
    cash = balances.where("currency_code = 'CNY'").select(*key, "available_amount")
    owners = accounts.where("business_line = 'normal'").select(*key, "customer_id")
    available = F.coalesce("available_amount", zero())
    beside = unpaid.join(cash, on=key, how="left").join(owners, on=key, how="left").select(
        *key, "customer_id", "payment_due_date", "unpaid_amount", available.alias("available_cash_amount"),
        F.greatest(F.col("unpaid_amount") - available, zero()).alias("short_amount"),
    )  # fmt: skip
    return conform(beside, "allotments_due")
