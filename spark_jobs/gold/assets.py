"""Holdings, assets per account and customer, and the two risks; formulas as in `docs/measures.md`."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import cents, in_cny, position_value, with_rate, zero
from spark_jobs.gold.tables import MONEY, QUANTITY, RATE, RATIO, conform

_DAY_ACCOUNT = ("business_date", "business_line", "account_id")
_PARTS = (
    "cash_amount", "securities_amount", "restricted_amount", "in_transit_amount", "fund_amount", "credit_asset_amount",
    "credit_debt_amount", "option_equity_amount", "repurchase_asset_amount", "repurchase_debt_amount", "pledge_debt_amount",
)  # fmt: skip
_OWNED = (
    "securities_amount", "in_transit_amount", "fund_amount", "credit_asset_amount", "option_equity_amount", "repurchase_asset_amount",
)  # fmt: skip
_OWED = ("credit_debt_amount", "repurchase_debt_amount", "pledge_debt_amount")


def _sum(name: str) -> Column:
    return F.coalesce(F.sum(name).cast(MONEY), zero()).alias(name)


def with_security(frame: DataFrame, securities: DataFrame, prices: DataFrame) -> DataFrame:
    """Adds security_name, security_kind, currency_code and close_price of the day, all null when unknown."""
    key = ["business_date", "exchange_code", "security_code"]
    master = securities.select(*key, "security_name", "security_kind", "currency_code")
    return frame.join(F.broadcast(master), on=key, how="left").join(
        F.broadcast(prices.select(*key, "close_price")), on=key, how="left"
    )


def value_positions(
    positions: DataFrame, line: str, securities: DataFrame, prices: DataFrame, rates: DataFrame
) -> DataFrame:
    """Securities positions with their CNY value, rounded in the security's currency first. Grain as delivered."""
    known = with_security(positions, securities, prices).withColumn(
        "currency_code", F.coalesce("currency_code", F.lit("CNY"))
    )
    restricted = (
        F.col("restricted_quantity") if "restricted_quantity" in positions.columns else F.lit("0").cast(QUANTITY)
    )
    valued = with_rate(known.withColumn("restricted_quantity", restricted), rates)
    return valued.select(
        *("business_date", "account_id", "quantity", "restricted_quantity", "currency_code"),
        F.lit(line).alias("business_line"),
        F.concat_ws(".", "security_code", "exchange_code").alias("instrument_id"),
        F.lit("long").alias("position_side"),
        F.col("security_name").alias("instrument_name"),
        F.col("security_kind").alias("instrument_kind"),
        F.col("close_price").alias("price"),
        in_cny(position_value(F.col("quantity"), F.col("close_price"))).alias("market_value_amount"),
        in_cny(position_value(F.col("restricted_quantity"), F.col("close_price"))).alias("restricted_amount"),
        F.lit(None).cast("string").alias("product_risk_level"),
        F.lit(None).cast("date").alias("maturity_date"),
        F.lit(None).cast(RATE).alias("management_fee_rate"),
    )


def value_options(positions: DataFrame, contracts: DataFrame) -> DataFrame:
    """Option positions: long adds its value, short takes it away, covered counts 0 because its shares count in normal."""
    known = positions.join(F.broadcast(contracts), on=["business_date", "contract_code"], how="left")
    value = F.coalesce(cents(F.col("quantity") * F.col("settlement_price") * F.col("contract_unit")), zero())
    signed = (
        F.when(F.col("position_side") == "long", value)
        .when(F.col("position_side") == "short", -value)
        .otherwise(zero())
    )
    return known.select(
        *("business_date", "account_id", "quantity", "position_side"),
        F.lit("option").alias("business_line"),
        F.col("contract_code").alias("instrument_id"),
        F.lit("0").cast(QUANTITY).alias("restricted_quantity"),
        F.lit("CNY").alias("currency_code"),
        F.col("contract_name").alias("instrument_name"),
        F.concat(F.lit("option_"), "option_kind").alias("instrument_kind"),
        F.col("settlement_price").alias("price"),
        signed.cast(MONEY).alias("market_value_amount"),
        zero().alias("restricted_amount"),
        F.lit(None).cast("string").alias("product_risk_level"),
        F.col("expiry_date").alias("maturity_date"),
        F.lit(None).cast(RATE).alias("management_fee_rate"),
    )


def value_funds(holdings: DataFrame, products: DataFrame, navs: DataFrame, rates: DataFrame) -> DataFrame:
    """Fund shares × NAV plus undistributed income. An income certificate has no NAV: it counts at 1.0000."""
    key = ["business_date", "product_code"]
    terms = products.select(
        *key, "product_name", "product_kind", "currency_code", "risk_level", "maturity_date", "management_fee_rate"
    )
    known = holdings.join(F.broadcast(terms), on=key, how="left").join(
        F.broadcast(navs.select(*key, "nav")), on=key, how="left"
    )
    price = F.when(F.col("product_kind") == "income_certificate", F.lit("1").cast("decimal(18,4)")).otherwise(
        F.col("nav")
    )
    priced = with_rate(
        known.withColumns({"price": price, "currency_code": F.coalesce("currency_code", F.lit("CNY"))}), rates
    )
    own_value = position_value(F.col("quantity"), F.col("price")) + F.col("undistributed_income_amount")
    return priced.select(
        *("business_date", "account_id", "quantity", "currency_code", "price"),
        F.lit("fund").alias("business_line"),
        F.concat_ws(".", "product_code", "share_class").alias("instrument_id"),
        F.lit("long").alias("position_side"),
        F.lit("0").cast(QUANTITY).alias("restricted_quantity"),
        F.col("product_name").alias("instrument_name"),
        F.col("product_kind").alias("instrument_kind"),
        in_cny(own_value).alias("market_value_amount"),
        zero().alias("restricted_amount"),
        F.col("risk_level").alias("product_risk_level"),
        "maturity_date",
        "management_fee_rate",
    )


def build_holdings(positions: DataFrame, accounts: DataFrame) -> DataFrame:
    """Positions of one account summed over its securities accounts."""
    key = (*_DAY_ACCOUNT, "instrument_id", "position_side")
    summed = positions.groupBy(*key).agg(
        F.sum("quantity").alias("quantity"),
        F.sum("restricted_quantity").alias("restricted_quantity"),
        F.sum("market_value_amount").alias("market_value_amount"),
        *(
            F.min(name).alias(name)
            for name in (
                "instrument_name",
                "instrument_kind",
                "price",
                "currency_code",
                "product_risk_level",
                "maturity_date",
                "management_fee_rate",
            )
        ),
    )
    owners = accounts.select(*_DAY_ACCOUNT, "customer_id")
    return conform(summed.join(owners, on=list(_DAY_ACCOUNT), how="left"), "holdings")


def value_cash(balances: DataFrame, line: str, column: str, rates: DataFrame) -> DataFrame:
    """CNY cash per balance row under `column`; normal balances carry their money in transit too."""
    unsettled = [name for name in balances.columns if name.startswith("unsettled_")]
    in_transit = sum((F.col(name) for name in unsettled[1:]), F.col(unsettled[0])) if unsettled else zero()
    return with_rate(balances, rates).select(
        "business_date",
        F.lit(line).alias("business_line"),
        "account_id",
        in_cny(F.col("balance_amount")).alias(column),
        in_cny(in_transit).alias("in_transit_amount"),
    )


def value_debts(contracts: DataFrame, prices: DataFrame) -> DataFrame:
    """What is owed on each margin contract: principal or borrowed shares at today's price, fees, interest, penalty."""
    key = ["business_date", "exchange_code", "security_code"]
    known = contracts.join(F.broadcast(prices.select(*key, "close_price")), on=key, how="left")
    own = F.when(F.col("contract_kind") == "financing", F.col("outstanding_principal_amount")).otherwise(
        position_value(F.col("outstanding_quantity"), F.col("close_price"))
    )
    owed = own + F.col("outstanding_fee_amount") + F.col("unpaid_interest_amount") + F.col("penalty_amount")
    return known.select(
        "business_date",
        F.lit("credit").alias("business_line"),
        "account_id",
        owed.cast(MONEY).alias("credit_debt_amount"),
    )


def build_account_assets(accounts: DataFrame, parts: list[DataFrame]) -> DataFrame:
    """Every account of the day, zero where a block does not apply. `parts`: frames of account-day rows with some of the amounts."""
    every = None
    for part in parts:
        full = part.select(
            *_DAY_ACCOUNT, *((F.col(name) if name in part.columns else zero()).alias(name) for name in _PARTS)
        )
        every = full if every is None else every.unionByName(full)
    summed = every.groupBy(*_DAY_ACCOUNT).agg(*(_sum(name) for name in _PARTS))
    owners = accounts.select(*_DAY_ACCOUNT, "customer_id")
    # Money of an account that was not delivered stays in the totals, without a customer.
    joined = owners.join(summed, on=list(_DAY_ACCOUNT), how="full").select(
        *_DAY_ACCOUNT, "customer_id", *(F.coalesce(name, zero()).alias(name) for name in _PARTS)
    )
    total = sum((F.col(name) for name in _OWNED), F.col("cash_amount"))
    totals = {
        "credit_net_amount": F.col("credit_asset_amount") - F.col("credit_debt_amount"),
        "total_asset_amount": total,
        "net_asset_amount": total - sum((F.col(name) for name in _OWED[1:]), F.col(_OWED[0])),
    }
    return conform(joined.withColumns(totals), "account_assets")


def build_customer_assets(account_assets: DataFrame) -> DataFrame:
    """Sums over a customer's accounts; accounts without a customer are summed under `unlinked`."""
    amounts = [*_PARTS, "credit_net_amount", "total_asset_amount", "net_asset_amount"]
    owned = account_assets.withColumn("customer_id", F.coalesce("customer_id", F.lit("unlinked")))
    return conform(
        owned.groupBy("customer_id", "business_date").agg(*(_sum(name) for name in amounts)), "customer_assets"
    )


def build_credit_risks(
    account_assets: DataFrame, credit_accounts: DataFrame, summaries: DataFrame, watch_line: Decimal
) -> DataFrame:
    """Maintenance ratio and tier per credit account. Nulls: both are null when nothing is owed: there is no debt to cover."""
    key = ["business_date", "account_id"]
    lines = credit_accounts.select(*key, "call_line", "close_out_line")
    stated = summaries.select(*key, F.col("maintenance_ratio").alias("counter_maintenance_ratio"))
    credit = (
        account_assets.where("business_line = 'credit'")
        .join(lines, on=key, how="inner")
        .join(stated, on=key, how="left")
    )
    ratio = F.when(
        F.col("credit_debt_amount") > 0,
        F.round(F.col("credit_asset_amount") / F.col("credit_debt_amount"), 6).cast(RATIO),
    )
    tier = (
        F.when(F.col("maintenance_ratio").isNull(), None)
        .when(F.col("maintenance_ratio") < F.col("close_out_line"), "close_out")
        .when(F.col("maintenance_ratio") < F.col("call_line"), "call")
        .when(F.col("maintenance_ratio") < F.lit(watch_line), "watch")
        .otherwise("normal")
    )
    return conform(credit.withColumn("maintenance_ratio", ratio).withColumn("margin_tier", tier), "credit_risks")


def build_credit_contracts(contracts: DataFrame, accounts: DataFrame) -> DataFrame:
    """What each financing and short contract owes. Grain: contract and business date; customer_id is null without a delivered client.

    waived_interest_amount is 0 where the counter does not say.
    """
    waived = F.coalesce("waived_interest_amount", zero())
    owners = accounts.where("business_line = 'credit'").select("business_date", "account_id", "customer_id")
    instrument = F.concat_ws(".", "security_code", "exchange_code")
    told = contracts.withColumns({"instrument_id": instrument, "waived_interest_amount": waived})
    owned = told.join(owners, ["business_date", "account_id"], "left")
    return conform(owned, "credit_contracts")


def build_option_risks(account_assets: DataFrame, balances: DataFrame, positions: DataFrame) -> DataFrame:
    """Risk degree per option account. Nulls: risk_degree is null without a short position or without margin funds."""
    key = ["business_date", "account_id"]
    short = (
        positions.where("position_side = 'short' and quantity > 0")
        .select(*key)
        .distinct()
        .withColumn("_has_short", F.lit(True))
    )
    funds = balances.groupBy(*key).agg(
        F.sum("occupied_margin_amount").alias("occupied_margin_amount"),
        F.sum("balance_amount").alias("margin_funds_amount"),
        F.max("counter_risk_degree").alias("counter_risk_degree"),
    )
    option = (
        account_assets.where("business_line = 'option'").join(funds, on=key, how="left").join(short, on=key, how="left")
    )
    degree = F.when(
        F.col("_has_short") & (F.col("margin_funds_amount") > 0),
        F.round(F.col("occupied_margin_amount").cast(MONEY) / F.col("margin_funds_amount").cast(MONEY), 6).cast(RATIO),
    )
    return conform(option.withColumn("risk_degree", degree), "option_risks")
