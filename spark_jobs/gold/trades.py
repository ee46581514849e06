"""Fills of the normal, credit and option counters with every fee apart, fund confirmations, and classified cash flows."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.money import in_cny, with_rate, zero
from spark_jobs.gold.tables import conform

FLOW_CLASSES = {
    "client_in": ("bank_transfer_in",),
    "client_out": ("bank_transfer_out",),
    "internal": (
        "securities_buy", "securities_sell", "transfer_to_credit", "transfer_from_credit", "transfer_to_option", "transfer_from_option",
        "transfer_from_normal", "transfer_to_normal", "financing_buy", "sell_to_repay", "buy_to_return", "short_sell", "financing_drawn",
        "financing_repaid", "repurchase_drawn", "repurchase_repaid",
    ),
    "profit": (
        "dividend", "dividend_tax", "interest", "financing_interest_paid", "short_interest_paid", "repurchase_interest_paid",
        "advice_fee",
    ),
    "in_transit": ("reverse_repo_lend", "reverse_repo_return", "fund_payment", "fund_redemption", "allotment_payment"),
}  # fmt: skip
CHARGED_FEES = ("stamp_duty_amount", "transfer_fee_amount", "order_fee_amount", "other_fee_amount")
"""What a fill is charged beside its commission."""

_CHARGED = ("commission_amount", *CHARGED_FEES)
_PAID_ON = tuple(f"exchange_{fee}_fee_amount" for fee in ("handling", "regulatory", "transfer", "settlement", "other"))


def build_trades(
    frames: dict[str, DataFrame], accounts: DataFrame, securities: DataFrame, rates: DataFrame
) -> DataFrame:
    """Fills in CNY, each fee component converted on its own. `frames`: business line → deliveries of normal, credit, option.

    instrument_kind: of a security as the master of the day says it, null where that does not know it; `option` for every option.

    net_commission_amount = commission + order fee + other fee + transfer fee − everything paid on; stamp duty is on neither side.
    """
    every = None
    for line, frame in frames.items():
        part = frame.select(
            F.lit(line).alias("business_line"),
            *(
                "business_date",
                "trade_id",
                "order_id",
                "account_id",
                "business_code",
                "quantity",
                "price",
                "currency_code",
            ),
            _instrument(frame).alias("instrument_id"),
            *(_or_null(frame, name) for name in ("position_side", "channel")),
            "turnover_amount",
            *((F.col(name) if name in frame.columns else zero()).alias(name) for name in (*_CHARGED, *_PAID_ON)),
        )
        every = part if every is None else every.unionByName(part)
    kinds = securities.select(
        "business_date",
        _instrument(securities).alias("instrument_id"),
        F.col("security_kind").alias("_security_kind"),
    )
    known = every.join(kinds, on=["business_date", "instrument_id"], how="left")
    kind = F.when(F.col("business_line") == "option", "option").otherwise(F.col("_security_kind"))
    owned = with_owner(known.withColumn("instrument_kind", kind), accounts)
    in_yuan = with_rate(owned, rates).select(
        "*", *(in_cny(F.col(name)).alias(f"_{name}") for name in ("turnover_amount", *_CHARGED, *_PAID_ON))
    )
    charged = (
        F.col("_commission_amount")
        + F.col("_order_fee_amount")
        + F.col("_other_fee_amount")
        + F.col("_transfer_fee_amount")
    )
    paid_on = sum((F.col(f"_{name}") for name in _PAID_ON[1:]), F.col(f"_{_PAID_ON[0]}"))
    amounts = {
        "turnover_amount": F.col("_turnover_amount"),
        "gross_commission_amount": F.col("_commission_amount"),
        "stamp_duty_amount": F.col("_stamp_duty_amount"),
        "transfer_fee_amount": F.col("_transfer_fee_amount"),
        "handling_fee_amount": F.col("_exchange_handling_fee_amount"),
        "regulatory_fee_amount": F.col("_exchange_regulatory_fee_amount"),
        "other_fee_amount": F.col("_order_fee_amount") + F.col("_other_fee_amount"),
        "net_commission_amount": charged - paid_on,
    }
    return conform(in_yuan.withColumns(amounts), "trades")


def _instrument(frame: DataFrame) -> Column:
    return (
        F.col("contract_code")
        if "contract_code" in frame.columns
        else F.concat_ws(".", "security_code", "exchange_code")
    )


def _or_null(frame: DataFrame, name: str) -> Column:
    return (F.col(name) if name in frame.columns else F.lit(None).cast("string")).alias(name)


def with_owner(frame: DataFrame, accounts: DataFrame) -> DataFrame:
    """Adds customer_id and branch_id of the account that day; null when the account is not delivered."""
    owners = accounts.select("business_date", "business_line", "account_id", "customer_id", "branch_id")
    return frame.join(owners, on=["business_date", "business_line", "account_id"], how="left")


def build_fund_confirmations(confirmations: DataFrame, accounts: DataFrame) -> DataFrame:
    """Confirmations of the transfer agent. Their charges are product income, not commission."""
    return conform(with_owner(confirmations.withColumn("business_line", F.lit("fund")), accounts), "fund_confirmations")


def build_cash_flows(frames: dict[str, DataFrame], accounts: DataFrame, rates: DataFrame) -> DataFrame:
    """Journal entries with a class each; a code the contract does not know is `unclassified` and stays in every total."""
    every = None
    for line, frame in frames.items():
        part = frame.select(
            F.lit(line).alias("business_line"),
            "business_date",
            "journal_id",
            "account_id",
            "currency_code",
            "business_code",
            "amount",
        )
        every = part if every is None else every.unionByName(part)
    pairs = [F.lit(item) for name, codes in FLOW_CLASSES.items() for code in codes for item in (code, name)]
    flow_class = F.coalesce(F.try_element_at(F.create_map(*pairs), F.col("business_code")), F.lit("unclassified"))
    valued = with_rate(with_owner(every, accounts), rates).withColumns(
        {"flow_class": flow_class, "amount_cny": in_cny(F.col("amount"))}
    )
    return conform(valued, "cash_flows")
