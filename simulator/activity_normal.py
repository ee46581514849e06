"""What ordinary customers do on the normal counter in a day: trade, lend, transfer, receive interest and dividends."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator import fees
from simulator.day import Day
from simulator.population import BANKS, pay_in
from simulator.randomness import chosen, picked
from simulator.trading import LARGEST_ORDER_CENTS, LOT, fill_orders, rates_in_force

BUY_SHARE, SELL_SHARE, REPO_SHARE, TRANSFER_SHARE = 0.25, 0.17, 0.015, 0.06
REPO_CODES = {"SSE": "204001", "SZSE": "131810"}
REPO_UNIT_CENTS = 100_000
DIVIDEND_STOCK, DIVIDEND_CENTS_A_SHARE, DIVIDEND_DAY, DIVIDEND_TAX_PERCENT = ("SSE", "600001"), 25, 2, 10
INTEREST_MONTHS, INTEREST_DAY, INTEREST_PER_TEN_THOUSAND = (3, 6, 9, 12), 21, 5


def unscripted(day: Day, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of accounts that follow no script."""
    return table[~table["account_id"].isin(day.broker.scripted)]


def available_cash(day: Day, line: str, currency: str = "CNY") -> pd.Series:
    """Balance less its frozen part at the end of the previous day, by account."""
    cash = day.state["cash"]
    cash = cash[(cash["line"] == line) & (cash["currency_code"] == currency)].set_index("account_id")["amount"]
    frozen = day.state["frozen_cash"]
    frozen = frozen[(frozen["line"] == line) & (frozen["currency_code"] == currency)]
    frozen = frozen.set_index("account_id")["frozen_amount"]
    return cash - frozen.reindex(cash.index, fill_value=0).astype(np.int64)


def trade_securities(day: Day) -> None:
    """Random buys from cash and sells from positions."""
    rates = rates_in_force(day)
    generator = day.stream("normal orders")
    buys, sells = _buy_orders(day, rates, generator), _sell_orders(day, rates, generator)
    fill_orders(day, "normal", pd.concat([buys, sells], ignore_index=True), generator)


def _buy_orders(day: Day, rates: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """At most one purchase an account, for at most a quarter of the cash of the security's currency."""
    accounts = day.state["securities_accounts"]
    accounts = unscripted(day, accounts[accounts["status"] == "active"])
    wishes = accounts.merge(rates, on=["account_id", "exchange_code"], how="inner")
    wishes = wishes[chosen(generator, len(wishes), BUY_SHARE)].drop_duplicates("account_id")
    place = np.full(len(wishes), -1, dtype=np.int64)
    for (product_class, exchange), rows in _groups(wishes):
        tradable = day.market.tradable_places(product_class, exchange)
        place[rows] = tradable[generator.integers(0, len(tradable), len(rows))]
    currency = day.market.securities["currency_code"].to_numpy()[place]
    cash = np.zeros(len(wishes), dtype=np.int64)
    for code in ("CNY", "USD", "HKD"):
        of_currency = available_cash(day, "normal", code)
        mine = currency == code
        found = of_currency.reindex(wishes["account_id"].to_numpy()[mine])
        cash[mine] = found.where(found.notna(), 0).astype(np.int64)
    spend = np.minimum(cash * generator.integers(2, 26, len(wishes)) // 100, LARGEST_ORDER_CENTS)
    lots = spend * 100 // (day.market.prices[place] * LOT)
    orders = wishes.assign(place=place, quantity=lots * LOT, business="buy", contract_id=None, fill_count=0)
    return orders[lots > 0]


def _sell_orders(day: Day, rates: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    positions = day.state["positions"]
    free = positions["quantity"] - positions["restricted_quantity"]
    positions = unscripted(day, positions.assign(free=free)[(positions["line"] == "normal") & (free >= LOT)])
    positions = positions[chosen(generator, len(positions), SELL_SHARE)]
    place = day.market.places_of(positions["exchange_code"], positions["security_code"])
    kinds = day.market.securities["product_class"].to_numpy()[place]
    positions = positions.assign(place=place, product_class=kinds)
    positions = positions.merge(rates, on=["account_id", "product_class", "exchange_code"], how="inner")
    limit = LARGEST_ORDER_CENTS * 100 // day.market.prices[positions["place"].to_numpy()] // LOT * LOT
    everything = chosen(generator, len(positions), 0.6)
    part = positions["free"].to_numpy() // 2 // LOT * LOT
    free_lots = positions["free"].to_numpy() // LOT * LOT
    quantity = np.minimum(np.where(everything | (part < LOT), free_lots, part), np.maximum(limit, LOT))
    return positions.assign(quantity=quantity, business="sell", contract_id=None, fill_count=0)


def _groups(table: pd.DataFrame):
    numbered = table.reset_index(drop=True)
    return [(key, rows.index.to_numpy()) for key, rows in numbered.groupby(["product_class", "exchange_code"])]


def transfer_cash(day: Day) -> None:
    """Bank transfers in and out, never more out than a fifth of what is available."""
    generator = day.stream("bank transfers")
    cash = available_cash(day, "normal")
    cash = cash[~cash.index.isin(day.broker.scripted)]
    cash = cash[chosen(generator, len(cash), TRANSFER_SHARE)]
    count = len(cash)
    is_in = chosen(generator, count, 0.5)
    banks = picked(generator, BANKS, count)
    money_in = generator.integers(10, 5_000, count) * 10_000
    pay_in(day, "normal", cash.index.to_numpy()[is_in], "CNY", money_in[is_in], banks[is_in])
    money_out = np.maximum(cash.to_numpy() * generator.integers(1, 20, count) // 100, 0)
    out = ~is_in & (money_out > 0)
    move_cash(day, "normal", cash.index.to_numpy()[out], "bank_transfer_out", -money_out[out], bank_code=banks[out])


def move_cash(day: Day, line: str, accounts, business: str, amounts, currency="CNY", trade_id=None, bank_code=None):
    """Journal entries of many accounts under one business."""
    day.emit(
        ev.CashMoved,
        line=line,
        account_id=accounts,
        currency_code=currency,
        business=business,
        amount=amounts,
        trade_id=trade_id,
        bank_code=bank_code,
    )


def move_in_transit(day: Day, accounts, bucket: str, amounts, currency="CNY") -> None:
    day.emit(ev.InTransitMoved, account_id=accounts, currency_code=currency, bucket=bucket, amount=amounts)


# ---------------------------------------------------------------- reverse repo


def lend_overnight(day: Day) -> None:
    """Some accounts lend a part of their cash through the one-day repo."""
    generator = day.stream("reverse repo")
    cash = available_cash(day, "normal")
    cash = cash[~cash.index.isin(day.broker.scripted)]
    cash = cash[chosen(generator, len(cash), REPO_SHARE)]
    units = cash.to_numpy() // 5 // REPO_UNIT_CENTS
    accounts = cash.index.to_numpy()[units > 0]
    holders = _holders(day, accounts, "SSE")
    known = holders.notna().to_numpy()
    units = np.minimum(units[units > 0], LARGEST_ORDER_CENTS // REPO_UNIT_CENTS)
    lend(day, accounts[known], holders.to_numpy()[known], "SSE", units[known])


def _holders(day: Day, accounts: np.ndarray, exchange: str) -> pd.Series:
    table = day.state["securities_accounts"]
    table = table[table["exchange_code"] == exchange].set_index("account_id")["securities_account_id"]
    return table.reindex(accounts)


def lend(day: Day, accounts: np.ndarray, holders: np.ndarray, exchange: str, units: np.ndarray) -> None:
    """Lend `units` of 1,000 yuan today; principal and interest come back on the next session."""
    if not len(accounts):
        return
    principal = units * REPO_UNIT_CENTS
    commission = fees.share_of(principal, 1_000)
    rate = day.market.price_of(exchange, REPO_CODES[exchange])
    trade = _emit_repo(day, accounts, holders, exchange, units, "reverse_repo_lend", principal, commission, rate)
    move_cash(day, "normal", accounts, "reverse_repo_lend", -(principal + commission), trade_id=trade)
    move_in_transit(day, accounts, "repo", principal)

    def come_back(later: Day) -> None:
        natural_days = (later.date - day.date).days
        interest = fees.half_up(principal * rate * natural_days, 365 * 1_000_000)
        back = principal + interest
        no_fee = np.zeros(len(accounts), dtype=np.int64)
        returned = _emit_repo(later, accounts, holders, exchange, units, "reverse_repo_return", back, no_fee, rate)
        move_cash(later, "normal", accounts, "reverse_repo_return", back, trade_id=returned)
        move_in_transit(later, accounts, "repo", -principal)

    day.later(1, come_back)


def _emit_repo(day, accounts, holders, exchange, units, business, turnover, commission, rate) -> np.ndarray:
    """Fills of a reverse repo: quantity in bonds of 100 yuan, price the yearly yield in percent."""
    trades, orders = day.take_daily("NT", len(accounts)), day.take_daily("NO", len(accounts))
    is_return = business == "reverse_repo_return"
    handling = np.zeros(len(accounts), dtype=np.int64)
    if not is_return:
        handling = fees.share_of(turnover, fees.statutory_rate("handling", "bond", exchange, False, day.date))
    nothing = dict.fromkeys(
        (
            "stamp_duty_amount",
            "transfer_fee_amount",
            "order_fee_amount",
            "other_fee_amount",
            "exchange_regulatory_fee_amount",
            "exchange_transfer_fee_amount",
            "exchange_settlement_fee_amount",
            "exchange_other_fee_amount",
        ),
        0,
    )
    day.emit(
        ev.TradeFilled,
        line="normal",
        trade_id=trades,
        order_id=orders,
        account_id=accounts,
        securities_account_id=holders,
        exchange_code=exchange,
        security_code=REPO_CODES[exchange],
        business=business,
        quantity=units * 10,
        price=rate,
        turnover_amount=turnover,
        currency_code="CNY",
        commission_amount=commission,
        exchange_handling_fee_amount=handling,
        **nothing,
        settlement_amount=turnover if is_return else -(turnover + commission),
        settlement_date=day.session_in(1),
        channel="mobile",
        contract_id=None,
    )
    return trades


# ---------------------------------------------------------------- income


def pay_dividend(day: Day) -> None:
    """The dividend of one stock: in transit on the ex-date, in cash a session later, less tax."""
    if day.index != DIVIDEND_DAY:
        return
    positions = day.state["positions"]
    held = (positions["line"] == "normal") & (positions["security_code"] == DIVIDEND_STOCK[1])
    held &= (positions["exchange_code"] == DIVIDEND_STOCK[0]) & (positions["quantity"] > 0)
    holders = positions[held].groupby("account_id", sort=False)["quantity"].sum()
    accounts, amounts = holders.index.to_numpy(), holders.to_numpy() * DIVIDEND_CENTS_A_SHARE
    move_in_transit(day, accounts, "dividend", amounts)

    def arrive(later: Day) -> None:
        present = np.isin(accounts.astype(str), later.state["accounts"]["account_id"].to_numpy().astype(str))
        move_in_transit(later, accounts[present], "dividend", -amounts[present])
        move_cash(later, "normal", accounts[present], "dividend", amounts[present])
        tax = fees.half_up(amounts[present] * DIVIDEND_TAX_PERCENT, 100)
        move_cash(later, "normal", accounts[present], "dividend_tax", -tax)

    day.later(1, arrive)


def pay_interest(day: Day) -> None:
    """Deposit interest on the first session from the 21st of a quarter's last month."""
    due = dt.date(day.date.year, day.date.month, INTEREST_DAY)
    previous = day.broker.sessions[day.index - 1]
    if day.date.month not in INTEREST_MONTHS or not previous < due <= day.date:
        return
    cash = available_cash(day, "normal")
    cash = cash[~cash.index.isin(day.broker.scripted) & (cash >= 100_000)]
    interest = cash.to_numpy() * INTEREST_PER_TEN_THOUSAND // 10_000
    move_cash(day, "normal", cash.index.to_numpy(), "interest", interest)
