"""What cash accounts need money for in public offers, beside the money they have: shares won, and shares that are paid when subscribed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import zero
from spark_jobs.gold.tables import MONEY, conform

# Elsewhere nothing is paid before the shares are won.
PREPAID_EXCHANGE = "BSE"
_KEY = ["business_date", "account_id"]


def build_offers_due(allotments: DataFrame, quotas: DataFrame, balances: DataFrame, accounts: DataFrame) -> DataFrame:
    """Accounts with wins to be paid after the day, all wins of an account together, or with a quota of the Beijing exchange.

    Of quotas those of the account's next day of subscription count. Cash is what is available in CNY; neither need is taken off it before
    the other is held against it.
    """
    unpaid = (
        allotments.where("payment_due_date > business_date and payable_amount > paid_amount")
        .groupBy(*_KEY)
        .agg(
            F.sum(F.col("payable_amount") - F.col("paid_amount")).cast(MONEY).alias("unpaid_amount"),
            F.min("payment_due_date").alias("payment_due_date"),
        )
    )
    cash = balances.where("currency_code = 'CNY'").select(*_KEY, "available_amount")
    owners = accounts.where("business_line = 'normal'").select(*_KEY, "customer_id")
    available = F.coalesce("available_amount", zero())
    needs = unpaid.join(_next_subscriptions(quotas), on=_KEY, how="full")
    beside = needs.join(cash, on=_KEY, how="left").join(owners, on=_KEY, how="left").select(
        *_KEY, "customer_id", "payment_due_date", "subscription_date",
        available.alias("available_cash_amount"),
        *_needed("unpaid_amount", "short_amount", available),
        *_needed("subscription_amount", "subscription_short_amount", available),
    )  # fmt: skip
    return conform(beside, "offers_due")


def _next_subscriptions(quotas: DataFrame) -> DataFrame:
    by_day = (
        quotas.where(f"exchange_code = '{PREPAID_EXCHANGE}' and subscription_date > business_date")
        .groupBy(*_KEY, "subscription_date")
        .agg(F.sum(F.expr("round(quota_quantity * issue_price, 2)")).cast(MONEY).alias("subscription_amount"))
    )
    return by_day.groupBy(*_KEY).agg(F.min(F.struct("subscription_date", "subscription_amount")).alias("_next")).select(
        *_KEY, "_next.*"
    )  # fmt: skip


def _needed(amount: str, short: str, available: Column) -> tuple[Column, Column]:
    """The amount, 0 where nothing is needed, and what of it is not available: an overdraft alone is no lack."""
    lacking = F.when(F.col(amount) > 0, F.greatest(F.col(amount) - available, zero()))
    return F.coalesce(amount, zero()).alias(amount), F.coalesce(lacking, zero()).alias(short)
