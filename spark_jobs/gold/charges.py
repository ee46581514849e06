"""The rates agreed with accounts, and what every order should have been charged by them and by the statutory rates of the trade date.

All amounts are in the currency of the trade. Commission is floored once an order and day, over its fills; statutory fees are
rounded fill by fill, as counters do.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import cents, zero
from spark_jobs.gold.tables import conform
from spark_jobs.gold.trades import CHARGED_FEES, with_owner

PRODUCT_CLASSES = {
    "stock": "stock", "b_share": "b_share", "fund": "fund", "bond": "bond", "convertible_bond": "bond", "hk_stock": "hk_stock"
}  # fmt: skip
"""Kind of a security → class its rates are agreed and fixed for."""

_SELLS = ("sell", "sell_to_repay", "short_sell")
_NOT_CHARGED_BY_RATE = ("reverse_repo_lend", "reverse_repo_return")
_STATUTORY = ("stamp_duty", "transfer", "handling", "regulatory")
_REGULATORY = ("handling", "regulatory")
_LINES_WITH_RATES = ("normal", "credit", "option")
_ORDER = ("business_date", "business_line", "account_id", "order_id")
_PLACE = ("product_class", "exchange_code")


def build_order_charges(
    frames: dict[str, DataFrame], accounts: DataFrame, securities: DataFrame, agreed: DataFrame, statutory: DataFrame
) -> DataFrame:
    """Grain: order and business date. `frames`: business line → fills of the normal and the credit counter.

    expected_commission_amount and its rate are null for an account with no rate agreed for the class and exchange;
    previous_commission_amount is what the rate before would give, null when there was none.
    """
    fills = _with_statutory_fees(_fills(frames, securities), statutory)
    orders = fills.groupBy(*_ORDER, *_PLACE, "currency_code").agg(
        F.count(F.lit(1)).cast("int").alias("fill_count"),
        *(
            F.sum(name).alias(name)
            for name in (
                "turnover_amount", "charged_commission_amount", "charged_fee_amount", "own_fee_amount", "regulatory_amount"
            )
        ),
    )  # fmt: skip
    rated = orders.join(_agreed_in_force(agreed), ["business_date", "account_id", *_PLACE], "left")
    is_inside = F.coalesce(F.col("now.includes_regulatory_fee"), F.lit(True))
    charged = rated.withColumns(
        {
            "commission_rate": F.col("now.commission_rate"),
            "minimum_commission_amount": F.col("now.minimum_commission_amount"),
            "includes_regulatory_fee": F.col("now.includes_regulatory_fee"),
            "rate_effective_date": F.col("now.effective_date"),
            "expected_commission_amount": _commission("now"),
            "previous_commission_amount": _commission("before"),
            "expected_fee_amount": F.col("own_fee_amount")
            + F.when(is_inside, zero()).otherwise(F.col("regulatory_amount")),
        }
    )
    return conform(with_owner(charged, accounts), "order_charges")


def build_agreed_rates(agreed: DataFrame, counter: DataFrame, statutory: DataFrame, accounts: DataFrame) -> DataFrame:
    """Grain: account, class, exchange, effective date and business date: what is agreed, whether it is in force, for whom, and what the
    counter's own table says.

    counter_rate_status: `same`, `different` or `missing` in the table of that day, by rate, minimum and whether regulatory fees are inside; null
    on a day without any table.

    regulatory_rate: handling and regulatory fee both sides pay that day; a rate with these fees inside that is lower loses money.
    customer_id and branch_id are null for an account that is not delivered. An account number that two counters use is the normal one's.
    """
    fixed = _statutory_in_force(statutory.where("side = 'both'"))
    lines = F.array(*(F.lit(line) for line in _LINES_WITH_RATES))
    owners = (
        accounts.where(F.col("business_line").isin(*_LINES_WITH_RATES))
        .groupBy("business_date", "account_id")
        .agg(
            F.min_by(F.struct("customer_id", "branch_id"), F.array_position(lines, F.col("business_line"))).alias(
                "owner"
            )
        )
    )
    in_force = _agreed_in_force(agreed).select(
        "business_date", "account_id", *_PLACE, F.col("now.effective_date").alias("effective_date"), F.lit(True).alias("_is_in_force")
    )  # fmt: skip
    terms = ("commission_rate", "minimum_commission_amount", "includes_regulatory_fee")
    charged = counter.select("business_date", "account_id", *_PLACE, F.struct(*terms).alias("charged"))
    days = counter.select("business_date").distinct().withColumn("has_table", F.lit(True))
    status = F.when(F.col("charged").isNull(), F.lit("missing")).otherwise(
        F.when(F.col("charged") == F.struct(*terms), F.lit("same")).otherwise(F.lit("different"))
    )
    rated = (
        agreed.join(charged, ["business_date", "account_id", *_PLACE], "left")
        .join(F.broadcast(days), ["business_date"], "left")
        .join(in_force, ["business_date", "account_id", *_PLACE, "effective_date"], "left")
        .join(F.broadcast(fixed), ["business_date", *_PLACE], "left")
        .join(owners, ["business_date", "account_id"], "left")
        .withColumns(
            {
                "customer_id": F.col("owner.customer_id"),
                "branch_id": F.col("owner.branch_id"),
                "regulatory_rate": sum((F.coalesce(F.col(f"{kind}_rate"), zero()) for kind in _REGULATORY), zero()),
                "is_in_force": F.coalesce(F.col("_is_in_force"), F.lit(False)),
                "counter_commission_rate": F.col("charged.commission_rate"),
                "counter_rate_status": F.when(F.col("has_table"), status),
            }
        )
    )
    return conform(rated, "agreed_rates")


def _fills(frames: dict[str, DataFrame], securities: DataFrame) -> DataFrame:
    parts = [
        frame.where(~F.col("business_code").isin(*_NOT_CHARGED_BY_RATE)).select(
            F.lit(line).alias("business_line"),
            "business_date",
            "account_id",
            "order_id",
            "exchange_code",
            "security_code",
            "currency_code",
            F.col("business_code").isin(*_SELLS).alias("is_sell"),
            "turnover_amount",
            F.col("commission_amount").alias("charged_commission_amount"),
            sum((F.col(name) for name in CHARGED_FEES), zero()).alias("charged_fee_amount"),
        )
        for line, frame in frames.items()
    ]
    classes = F.create_map(*(F.lit(item) for pair in PRODUCT_CLASSES.items() for item in pair))
    kinds = securities.select(
        "business_date",
        "exchange_code",
        "security_code",
        F.try_element_at(classes, F.col("security_kind")).alias("product_class"),
    )
    return reduce(DataFrame.unionByName, parts).join(kinds, ["business_date", "exchange_code", "security_code"], "left")


def _with_statutory_fees(fills: DataFrame, statutory: DataFrame) -> DataFrame:
    """Adds own_fee_amount (stamp duty and transfer fee) and regulatory_amount (handling and regulatory fee) of every fill.

    A rate that is not fixed for the class and exchange is 0. Hong Kong rounds stamp duty up to a whole dollar.
    """
    by_side = statutory.withColumn(
        "is_sell", F.explode(F.when(F.col("side") == "sell", F.array(F.lit(True))).otherwise(F.array(F.lit(True), F.lit(False))))
    )  # fmt: skip
    in_force = _statutory_in_force(by_side, "is_sell")
    rated = fills.join(F.broadcast(in_force), ["business_date", *_PLACE, "is_sell"], "left")

    def fee(kind: str) -> Column:
        return F.coalesce(cents(F.col("turnover_amount") * F.col(f"{kind}_rate")), zero())

    exact = F.col("turnover_amount") * F.col("stamp_duty_rate")
    stamp_duty = F.when(F.col("product_class") == "hk_stock", F.coalesce(cents(F.ceil(exact)), zero())).otherwise(
        fee("stamp_duty")
    )
    return rated.withColumns(
        {"own_fee_amount": stamp_duty + fee("transfer"), "regulatory_amount": fee("handling") + fee("regulatory")}
    )


def _statutory_in_force(statutory: DataFrame, *by: str) -> DataFrame:
    """The rate of every kind of fee on every day, `<kind>_rate`, by class, exchange and `by`; null where none is fixed."""
    newest = (
        F.max_by("rate", F.when(F.col("fee_kind") == kind, F.col("effective_date"))).alias(f"{kind}_rate")
        for kind in _STATUTORY
    )
    return statutory.where("effective_date <= business_date").groupBy("business_date", *_PLACE, *by).agg(*newest)


def _agreed_in_force(agreed: DataFrame) -> DataFrame:
    """The rate `now` and the one `before` of every account, class and exchange on every day with one in force.

    now: the newest that has begun and not ended. before: the newest other one that has begun; a preferential rate that is over is what
    a counter goes on charging.
    """
    terms = F.struct(
        "effective_date", "expiry_date", "commission_rate", "minimum_commission_amount", "includes_regulatory_fee"
    )
    newest_first = F.sort_array(F.collect_list(terms), asc=False)
    now = F.get(
        F.filter("terms", lambda one: F.coalesce(one["expiry_date"] >= F.col("business_date"), F.lit(True))), F.lit(0)
    )
    before = F.get(F.filter("terms", lambda one: one["effective_date"] != F.col("now.effective_date")), F.lit(0))
    return (
        agreed.where("effective_date <= business_date")
        .groupBy("business_date", "account_id", *_PLACE)
        .agg(newest_first.alias("terms"))
        .withColumn("now", now)
        .where("now is not null")
        .select("business_date", "account_id", *_PLACE, "now", before.alias("before"))
    )  # fmt: skip


def _commission(terms: str) -> Column:
    rate = F.col(f"{terms}.commission_rate")
    by_rate = cents(F.col("turnover_amount") * rate)
    return F.when(rate.isNotNull(), F.greatest(by_rate, F.col(f"{terms}.minimum_commission_amount")))
