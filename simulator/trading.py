"""Orders become fills: partial fills, fees, cash and shares, for one order or a hundred thousand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator import fees
from simulator.day import Day
from simulator.randomness import picked

LOT = 100
# 50 million yuan: keeps the integer arithmetic of the fees far from overflow.
LARGEST_ORDER_CENTS = 5_000_000_000
CASH_BUSINESS = {"buy": "securities_buy", "sell": "securities_sell"}
SELLS = ("sell", "sell_to_repay", "short_sell")
# Borrowed shares pass through without ever being the customer's.
WITHOUT_POSITION = ("short_sell", "buy_to_return")
CHANNELS = ["counter", "telephone", "online", "mobile", None]
CHANNEL_WEIGHTS = [0.03, 0.02, 0.35, 0.58, 0.02]

RATE_KEY = ("account_id", "product_class", "exchange_code")
ORDER_COLUMNS = [
    "account_id",
    "securities_account_id",
    "place",
    "business",
    "quantity",
    "commission_rate",
    "minimum_commission_amount",
    "includes_regulatory_fee",
    "contract_id",
    "fill_count",
]


def rates_in_force(day: Day) -> pd.DataFrame:
    """The latest agreed rate of every account, product class and exchange; computed once a day."""
    if day.index not in day.broker.rates_by_day:
        day.broker.rates_by_day = {day.index: newest_in_force(day.state["agreed_rates"], pd.Timestamp(day.date))}
    return day.broker.rates_by_day[day.index]


def newest_in_force(rates: pd.DataFrame, today: pd.Timestamp) -> pd.DataFrame:
    """Of agreed rates the one that counts for every account, product class and exchange."""
    rates = rates[(rates["effective_date"] <= today) & ~(rates["expiry_date"] < today)]
    # Rows of an account come in order of agreement unless a dated one was set again: the order is by date.
    rates = rates.sort_values("effective_date", kind="stable")
    return rates.drop_duplicates(list(RATE_KEY), keep="last").sort_index()


def fill_orders(day: Day, line: str, orders: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Execute orders today: record fills, cash and shares; returns the fills with their amounts.

    One row an order with `ORDER_COLUMNS`; `quantity` in shares, `place` the security's place in the market.
    """
    if orders.empty:
        return pd.DataFrame()
    fills = _split(day, orders.reset_index(drop=True), generator)
    fills = _priced(day, fills, generator)
    charges = _charge(day, fills)
    fills["settlement_amount"] = np.where(fills["is_sell"], 1, -1) * fills["turnover_amount"] - fees.charged_total(
        charges
    )
    prefix = {"normal": "N", "credit": "C"}[line]
    fills["trade_id"] = day.take_daily(f"{prefix}T", len(fills))
    fills["order_id"] = day.take_daily(f"{prefix}O", len(orders))[fills["order"]]
    _emit_fills(day, line, fills, charges, generator)
    _emit_cash_and_shares(day, line, fills)
    return fills.assign(charged_amount=fees.charged_total(charges))


def _split(day: Day, orders: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """One to three fills an order, whole lots, the first taking what does not divide."""
    lots = np.maximum(1, orders["quantity"].to_numpy() // LOT)
    wanted = orders["fill_count"].to_numpy()
    drawn = generator.choice([1, 1, 2, 3], len(orders))
    count = np.minimum(np.where(wanted > 0, wanted, drawn), lots).astype(np.int64)
    order = np.repeat(np.arange(len(orders)), count)
    start = np.cumsum(count) - count
    position = np.arange(len(order)) - np.repeat(start, count)
    each = lots[order] // count[order] * LOT
    rest = orders["quantity"].to_numpy() - each[start] * count
    fills = orders.iloc[order].reset_index(drop=True)
    fills["order"] = order
    fills["is_first"] = position == 0
    fills["quantity"] = each + np.where(position == 0, rest[order], 0)
    return fills


def _priced(day: Day, fills: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Price within a few ticks of the close; the turnover rounded to the cent."""
    table = day.market.securities
    place = fills["place"].to_numpy()
    tick = table["tick"].to_numpy()[place]
    price = np.maximum(day.market.prices[place] + generator.integers(-3, 4, len(fills)) * tick, tick)
    is_sell = fills["business"].isin(SELLS).to_numpy()
    return fills.assign(
        price=price,
        turnover_amount=fees.half_up(fills["quantity"].to_numpy() * price, 100),
        is_sell=is_sell,
        exchange_code=table["exchange_code"].to_numpy()[place],
        security_code=table["security_code"].to_numpy()[place],
        product_class=table["product_class"].to_numpy()[place],
        currency_code=table["currency_code"].to_numpy()[place],
    )


def _charge(day: Day, fills: pd.DataFrame) -> dict[str, np.ndarray]:
    first = fills["is_first"].to_numpy()
    commission = fees.order_commissions(
        fills["turnover_amount"].to_numpy(),
        np.flatnonzero(first),
        fills["commission_rate"].to_numpy()[first],
        fills["minimum_commission_amount"].to_numpy()[first],
    )
    return fees.fill_charges(
        fills["turnover_amount"].to_numpy(),
        fills["product_class"].to_numpy(),
        fills["exchange_code"].to_numpy(),
        fills["is_sell"].to_numpy(),
        commission,
        fills["includes_regulatory_fee"].to_numpy(),
        day.date,
    )


def _emit_fills(day: Day, line: str, fills: pd.DataFrame, charges: dict, generator: np.random.Generator) -> None:
    copied = (
        "trade_id order_id account_id securities_account_id exchange_code security_code business quantity price "
        "turnover_amount currency_code settlement_amount contract_id"
    )
    day.emit(
        ev.TradeFilled,
        line=line,
        **{name: fills[name].to_numpy() for name in copied.split()},
        **charges,
        settlement_date=day.session_in(1),
        channel=picked(generator, CHANNELS, len(fills), CHANNEL_WEIGHTS),
    )


def _emit_cash_and_shares(day: Day, line: str, fills: pd.DataFrame) -> None:
    day.emit(
        ev.CashMoved,
        line=line,
        account_id=fills["account_id"].to_numpy(),
        currency_code=fills["currency_code"].to_numpy(),
        business=fills["business"].replace(CASH_BUSINESS).to_numpy(),
        amount=fills["settlement_amount"].to_numpy(),
        trade_id=fills["trade_id"].to_numpy(),
        bank_code=None,
    )
    owned = fills[~fills["business"].isin(WITHOUT_POSITION)]
    sign = np.where(owned["is_sell"], -1, 1)
    day.emit(
        ev.SecuritiesMoved,
        line=line,
        account_id=owned["account_id"].to_numpy(),
        securities_account_id=owned["securities_account_id"].to_numpy(),
        exchange_code=owned["exchange_code"].to_numpy(),
        security_code=owned["security_code"].to_numpy(),
        business="trade",
        quantity=sign * owned["quantity"].to_numpy(),
        restricted_quantity=0,
        # Diluted cost: what was paid less what was received.
        cost_amount=-owned["settlement_amount"].to_numpy(),
    )
