"""Money lent against shares of normal accounts: agreed repurchases and stock pledges; formulas as in `docs/measures.md`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.assets import with_security
from spark_jobs.gold.money import in_cny, position_value, with_rate, zero
from spark_jobs.gold.tables import MONEY, RATIO, conform


def build_repurchase_contracts(
    contracts: DataFrame, accounts: DataFrame, securities: DataFrame, prices: DataFrame, rates: DataFrame
) -> DataFrame:
    """What each contract is secured by and owes, and the tier its lines put it in.

    Grain:  one row per (contract_id, business_date). Source: silver.repurchase_counter__contracts.
    Units:  CNY; guarantee_ratio is a fraction, 1.50 = 150 percent. A security without a price counts 0.
    Nulls:  ratio and tier are null when nothing is owed; a line the contract does not give is never crossed.
    """
    known = with_security(contracts, securities, prices).withColumn(
        "currency_code", F.coalesce("currency_code", F.lit("CNY"))
    )
    owners = accounts.where("business_line = 'normal'").select("business_date", "account_id", "customer_id")
    amounts = with_rate(known, rates).withColumns(
        {
            "collateral_amount": in_cny(position_value(F.col("collateral_quantity"), F.col("close_price"))).cast(MONEY),
            "owed_amount": (F.col("principal_amount") + F.col("unpaid_interest_amount")).cast(MONEY),
        }
    )
    ratio = F.when(F.col("owed_amount") > 0, F.round(F.col("collateral_amount") / F.col("owed_amount"), 6).cast(RATIO))
    tier = (
        F.when(F.col("guarantee_ratio").isNull(), None)
        .when(F.col("guarantee_ratio") < F.col("disposal_line"), "disposal")
        .when(F.col("guarantee_ratio") < F.col("warning_line"), "warning")
        .when(F.col("guarantee_ratio") < F.col("watch_line"), "watch")
        .otherwise("normal")
    )
    judged = amounts.withColumn("guarantee_ratio", ratio).withColumn("guarantee_tier", tier)
    instrument = F.concat_ws(".", "security_code", "exchange_code")
    owned = judged.withColumn("instrument_id", instrument).join(owners, on=["business_date", "account_id"], how="left")
    return conform(owned, "repurchase_contracts")


def part_of_assets(contracts: DataFrame) -> DataFrame:
    """Rows of account and day for `assets.build_account_assets`.

    Shares of an agreed repurchase have left the account, so their value is added; pledged shares are in the position already. A
    contract of a kind nobody knows counts like a pledge: what is owed is owed.
    """
    is_sold = F.col("contract_kind") == "agreed_repurchase"
    return contracts.select(
        "business_date",
        F.lit("normal").alias("business_line"),
        "account_id",
        F.when(is_sold, F.col("collateral_amount")).otherwise(zero()).alias("repurchase_asset_amount"),
        F.when(is_sold, F.col("owed_amount")).otherwise(zero()).alias("repurchase_debt_amount"),
        F.when(is_sold, zero()).otherwise(F.col("owed_amount")).alias("pledge_debt_amount"),
    )
