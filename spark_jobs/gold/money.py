"""Exact money in Spark: every rounding HALF_UP to the cent, where `docs/measures.md` says it happens."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.tables import MONEY, RATE


def zero() -> Column:
    return F.lit("0").cast(MONEY)


def cents(amount: Column) -> Column:
    return F.round(amount, 2).cast(MONEY)


def position_value(quantity: Column, price: Column) -> Column:
    """Value in the security's own currency; a security without a price counts 0."""
    return F.coalesce(cents(quantity * price), zero())


def build_rates(exchange_rates: DataFrame, days: DataFrame) -> DataFrame:
    """Central parity per day and currency, CNY included. Grain: (business_date, currency_code)."""
    parity = exchange_rates.where("rate_kind = 'central_parity'").select(
        "business_date", "currency_code", "exchange_rate", F.col("rate_date").alias("exchange_rate_date")
    )
    domestic = days.select(
        "business_date",
        F.lit("CNY").alias("currency_code"),
        F.lit("1").cast(RATE).alias("exchange_rate"),
        F.col("business_date").alias("exchange_rate_date"),
    )
    return parity.unionByName(domestic)


def with_rate(frame: DataFrame, rates: DataFrame) -> DataFrame:
    """Adds exchange_rate and exchange_rate_date; null when the day has no rate for the currency, which the gate stops."""
    return frame.join(F.broadcast(rates), on=["business_date", "currency_code"], how="left")


def in_cny(amount: Column) -> Column:
    """`amount` of a frame that went through `with_rate`."""
    return cents(amount * F.col("exchange_rate"))
