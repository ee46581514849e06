"""Agreed repurchases and stock pledges: money lent against shares, its daily interest, and its return."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from simulator import events as ev
from simulator import fees
from simulator.activity_normal import move_cash, unscripted
from simulator.day import Day
from simulator.randomness import chosen

PLEDGING_SHARE, SMALLEST_POSITION, LOT = 0.02, 2_000, 100
DAYS_IN_YEAR = 360
ANNUAL_RATE = 5_800_000
LINES = {"watch_line": 1_700_000, "warning_line": 1_500_000, "disposal_line": 1_300_000}
CONTRACT_FIELDS = ev.RepurchaseContractSet._fields


def open_pledges(day: Day) -> None:
    """The opening baseline: some ordinary customers have pledged half of a position long ago, for half of its value."""
    generator = day.stream("repurchases")
    moved = day.events(ev.SecuritiesMoved)
    positions = unscripted(day, moved[(moved["line"] == "normal") & (moved["exchange_code"] == "SSE")])
    place = day.market.places_of(positions["exchange_code"], positions["security_code"])
    stocks = day.market.securities["product_class"].to_numpy()[place] == "stock"
    positions = positions[stocks & (positions["quantity"] >= SMALLEST_POSITION)].drop_duplicates("account_id")
    positions = positions[chosen(generator, len(positions), PLEDGING_SHARE)]
    for row in positions.itertuples():
        quantity = int(row.quantity) // 2 // LOT * LOT
        value = quantity * day.market.price_of(row.exchange_code, row.security_code) // 100
        lend(day, row.account_id, "pledge", (row.exchange_code, row.security_code), quantity, value // 2, 300)


def lend(
    day: Day,
    account: str,
    kind: str,
    security: tuple[str, str],
    quantity: int,
    principal: int,
    natural_days: int,
    **changes: object,
) -> str:
    """A contract that is to be paid back after so many natural days; `changes` override its columns. Returns its id."""
    contract = day.take("repurchase", 1)[0]
    values = {
        "contract_id": contract,
        "account_id": account,
        "contract_kind": kind,
        "exchange_code": security[0],
        "security_code": security[1],
        "collateral_quantity": quantity,
        "principal_amount": principal,
        "unpaid_interest_amount": 0,
        "annual_rate": ANNUAL_RATE,
        "open_date": day.date,
        "repurchase_date": day.date + dt.timedelta(days=natural_days),
        **LINES,
        **changes,
    }
    day.emit(ev.RepurchaseContractSet, **values)
    return contract


def settle(day: Day, contract: str) -> pd.Series:
    """All that is owed is paid in cash; the contract is no longer delivered. Returns what it was."""
    owed = _contract(day, contract)
    move_cash(day, "normal", owed["account_id"], "repurchase_repaid", -int(owed["principal_amount"]))
    interest = int(owed["unpaid_interest_amount"])
    if interest:
        move_cash(day, "normal", owed["account_id"], "repurchase_interest_paid", -interest)
    day.emit(ev.RepurchaseContractRemoved, contract_id=contract)
    return owed


def change(day: Day, contract: str, **changes: object) -> None:
    """Other terms for a contract."""
    day.emit(ev.RepurchaseContractSet, **{**_contract(day, contract)[list(CONTRACT_FIELDS)].to_dict(), **changes})


def _contract(day: Day, contract: str) -> pd.Series:
    return day.state["repurchase_contracts"].set_index("contract_id", drop=False).loc[contract]


def accrue_interest(day: Day) -> None:
    """Interest of the natural days since the last session, on every contract nobody touched today."""
    contracts = day.untouched("repurchase_contracts", ev.RepurchaseContractSet, ev.RepurchaseContractRemoved)
    natural_days = day.days_since_last_session
    yearly = fees.share_of(contracts["principal_amount"].to_numpy(), contracts["annual_rate"].to_numpy())
    contracts["unpaid_interest_amount"] += fees.half_up(yearly * natural_days, DAYS_IN_YEAR)
    day.emit(ev.RepurchaseContractSet, **{name: contracts[name].to_numpy() for name in CONTRACT_FIELDS})
