"""From the end-of-day state and the day's events to the rows of every feed, neutral names, unformatted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulator import counterparties
from simulator import events as ev
from simulator.events import EventLog
from simulator.fees import half_up
from simulator.organisation import DUPLICATED_BRANCH
from simulator.state import BrokerState, frame_of, of_normal_counter
from simulator.trading import SELLS

BUCKETS = ("repo", "fund", "allotment", "dividend")


@dataclass(frozen=True)
class EndOfDay:
    """What feeds are read from. `opening_cash` is the cash table of the previous business date."""

    date: dt.date
    is_opening: bool
    log: EventLog
    state: BrokerState
    opening_cash: pd.DataFrame

    def events(self, event_class: type) -> pd.DataFrame:
        return frame_of(self.log.chunks(self.date, event_class), event_class)


# ---------------------------------------------------------------- reference


def branches(day: EndOfDay) -> pd.DataFrame:
    """One branch stands in the file twice, exactly: the organisation table is known for it."""
    table = day.state["branches"].rename(columns={"status": "branch_status"})
    return pd.concat([table, table[table["branch_id"] == DUPLICATED_BRANCH]], ignore_index=True)


def employees(day: EndOfDay) -> pd.DataFrame:
    return day.state["employees"].rename(columns={"status": "employee_status"})


def _table(name: str) -> Callable[[EndOfDay], pd.DataFrame]:
    return lambda day: day.state[name]


# ---------------------------------------------------------------- normal counter


def normal_clients(day: EndOfDay) -> pd.DataFrame:
    clients = of_normal_counter(day.state["clients"]).drop(columns="identity_number")
    # Pension accounts are not live yet: the column is there, and empty.
    clients = clients.assign(pension_account_id=None)
    return clients.rename(columns={"status": "client_status", "delivered_identity_number": "identity_number"})


def _accounts(day: EndOfDay, line: str) -> pd.DataFrame:
    accounts = day.state["accounts"]
    accounts = accounts[accounts["line"] == line]
    return accounts.rename(columns={"status": "account_status", "role": "account_role"})


def securities_accounts(day: EndOfDay) -> pd.DataFrame:
    return day.state["securities_accounts"].rename(columns={"status": "account_status"})


def _balances(day: EndOfDay, line: str) -> pd.DataFrame:
    """Balance, frozen and available part of every account and currency."""
    key = ["account_id", "currency_code"]
    cash = day.state["cash"]
    cash = cash[cash["line"] == line].rename(columns={"amount": "balance_amount"})
    frozen = day.state["frozen_cash"]
    frozen = frozen[frozen["line"] == line].set_index(key)["frozen_amount"]
    balances = cash.drop(columns="line").reset_index(drop=True)
    balances["frozen_amount"] = _looked_up(frozen, balances, key)
    balances["available_amount"] = balances["balance_amount"] - balances["frozen_amount"]
    return balances


def _looked_up(values: pd.Series, table: pd.DataFrame, key: list[str]) -> np.ndarray:
    """Value of each row's key, 0 where there is none."""
    if values.empty:
        return np.zeros(len(table), dtype=np.int64)
    wanted = pd.MultiIndex.from_frame(table[key]) if len(key) > 1 else table[key[0]]
    return values.reindex(wanted, fill_value=0).to_numpy().astype(np.int64)


def normal_balances(day: EndOfDay) -> pd.DataFrame:
    """With money in transit; an account may have that in a currency in which it has no cash."""
    key = ["account_id", "currency_code"]
    in_transit = day.state["in_transit"]
    in_transit = in_transit[in_transit["amount"] != 0]
    balances = _balances(day, "normal")
    known = pd.MultiIndex.from_frame(balances[key])
    extra = in_transit[key].drop_duplicates()
    extra = extra[~pd.MultiIndex.from_frame(extra).isin(known)] if len(extra) else extra
    zeros = {"balance_amount": 0, "frozen_amount": 0, "available_amount": 0}
    if len(extra):
        balances = pd.concat([balances, extra.assign(**zeros)], ignore_index=True)
    for bucket in BUCKETS:
        amounts = in_transit[in_transit["bucket"] == bucket].set_index(key)["amount"]
        balances[f"unsettled_{bucket}_amount"] = _looked_up(amounts, balances, key)
    return balances


def _positions(day: EndOfDay, line: str) -> pd.DataFrame:
    positions = day.state["positions"]
    return positions[(positions["line"] == line) & (positions["quantity"] != 0)]


def _trades(day: EndOfDay, line: str) -> pd.DataFrame:
    trades = day.events(ev.TradeFilled)
    return trades[trades["line"] == line].rename(columns={"business": "business_code"})


def _journal(day: EndOfDay, line: str) -> pd.DataFrame:
    """Journal of the day in order, with the running balance; the opening baseline delivers none."""
    moved = day.events(ev.CashMoved)
    moved = moved[moved["line"] == line].reset_index(drop=True)
    if day.is_opening:
        moved = moved.iloc[:0]
    key = ["account_id", "currency_code"]
    opening = day.opening_cash
    opening = opening[opening["line"] == line].set_index(key)["amount"]
    running = moved.groupby(key, sort=False)["amount"].cumsum().astype(np.int64)
    prefix = {"normal": "NJ", "credit": "CJ"}[line]
    numbers = [f"{prefix}{day.date:%Y%m%d}{number:08d}" for number in range(1, len(moved) + 1)]
    return moved.assign(
        journal_id=np.array(numbers, dtype=object),
        balance_after_amount=running + _looked_up(opening, moved, key),
        business_code=moved["business"],
    )


# ---------------------------------------------------------------- accounts with their member's identity


def _member_accounts(day: EndOfDay, line: str) -> pd.DataFrame:
    accounts = _accounts(day, line)
    members = day.state["clients"].drop(columns=["identity_number", "branch_id", "status", "open_date", "close_date"])
    joined = accounts.merge(members, on=["system", "client_number"], how="left", validate="many_to_one")
    return joined.rename(columns={"delivered_identity_number": "identity_number"})


# ---------------------------------------------------------------- credit


def asset_debt_summaries(day: EndOfDay) -> pd.DataFrame:
    """Assets against debt of every credit account, by the same definitions as the measures."""
    accounts = _accounts(day, "credit")["account_id"].reset_index(drop=True)
    prices = day.state["prices"].set_index(["exchange_code", "security_code"])["close_price"]
    positions = _positions(day, "credit")
    value = _values(positions, "quantity", prices)
    securities = pd.Series(value, index=positions["account_id"].to_numpy()).groupby(level=0).sum()
    cash = day.state["cash"]
    cash = cash[cash["line"] == "credit"].groupby("account_id")["amount"].sum()
    contracts = day.state["credit_contracts"]
    contracts = contracts.assign(short_value=_values(contracts, "outstanding_quantity", prices))
    debts = contracts.groupby("account_id")[
        [
            "outstanding_principal_amount",
            "short_value",
            "unpaid_interest_amount",
            "penalty_amount",
            "outstanding_fee_amount",
        ]
    ].sum()
    table = pd.DataFrame({"account_id": accounts})
    table["cash_amount"] = _looked_up(cash, table, ["account_id"])
    table["securities_amount"] = _looked_up(securities, table, ["account_id"])
    table["total_asset_amount"] = table["cash_amount"] + table["securities_amount"]
    for column, source in (
        ("financing_debt_amount", ["outstanding_principal_amount"]),
        ("short_debt_amount", ["short_value"]),
        ("interest_amount", ["unpaid_interest_amount", "penalty_amount"]),
        ("fee_amount", ["outstanding_fee_amount"]),
    ):
        table[column] = _looked_up(debts[source].sum(axis=1), table, ["account_id"])
    parts = ["financing_debt_amount", "short_debt_amount", "interest_amount", "fee_amount"]
    table["total_debt_amount"] = table[parts].sum(axis=1)
    table["net_asset_amount"] = table["total_asset_amount"] - table["total_debt_amount"]
    table["maintenance_ratio"] = _ratios(table["total_asset_amount"], table["total_debt_amount"])
    return table


def _values(positions: pd.DataFrame, quantity: str, prices: pd.Series) -> np.ndarray:
    """Quantity times close, in cents HALF_UP; no price counts 0."""
    price = _looked_up(prices, positions, ["exchange_code", "security_code"])
    return half_up(positions[quantity].to_numpy() * price, 100)


def _ratios(numerator: pd.Series, denominator: pd.Series) -> np.ndarray:
    """Millionths, HALF_UP; none where the denominator is 0."""
    ratios = np.full(len(numerator), None, dtype=object)
    for row, (above, below) in enumerate(zip(numerator.tolist(), denominator.tolist(), strict=True)):
        if below:
            # Python integers: a cent amount times a million times two may pass 64 bits.
            ratios[row] = (2 * above * 1_000_000 + below) // (2 * below)
    return ratios


# ---------------------------------------------------------------- option


def option_balances(day: EndOfDay) -> pd.DataFrame:
    key = ["account_id", "currency_code"]
    balances = _balances(day, "option")
    margins = day.state["option_margins"].set_index(key)
    for column in ("occupied_margin_amount", "exchange_margin_amount"):
        balances[column] = _looked_up(margins[column], balances, key)
    balances["available_amount"] -= balances["occupied_margin_amount"]
    occupied = balances["occupied_margin_amount"]
    risk = _ratios(occupied, balances["balance_amount"].where(occupied > 0, 0))
    balances["counter_risk_degree"] = risk
    return balances


def option_positions(day: EndOfDay) -> pd.DataFrame:
    """Only what was set today; everything on the opening baseline. Quantity 0 is delivered as deleted."""
    rows = day.events(ev.OptionPositionSet)
    rows = rows.drop_duplicates(["account_id", "contract_code", "position_side"], keep="last")
    if day.is_opening:
        rows = rows[rows["quantity"] > 0]
    return rows.assign(deleted=rows["quantity"] == 0)


def option_trades(day: EndOfDay) -> pd.DataFrame:
    return day.events(ev.OptionTradeFilled).rename(columns={"business": "business_code"})


# ---------------------------------------------------------------- fund


def fund_confirmations(day: EndOfDay) -> pd.DataFrame:
    return day.events(ev.FundConfirmed).rename(columns={"business": "business_code"})


def fund_holdings(day: EndOfDay) -> pd.DataFrame:
    key = ["account_id", "product_code", "share_class"]
    holdings = day.state["fund_holdings"]
    details = day.state["fund_details"].set_index(key)
    holdings = holdings.assign(
        undistributed_income_amount=_looked_up(details["undistributed_income_amount"], holdings, key),
        frozen_quantity=_looked_up(details["frozen_quantity"], holdings, key),
    )
    holdings = holdings[(holdings["quantity"] != 0) | (holdings["undistributed_income_amount"] != 0)]
    holdings = holdings.assign(available_quantity=holdings["quantity"] - holdings["frozen_quantity"])
    accounts = _accounts(day, "fund").set_index("account_id")["ta_account_id"]
    return holdings.assign(ta_account_id=accounts.reindex(holdings["account_id"]).to_numpy())


# ---------------------------------------------------------------- advice


def _agreements(day: EndOfDay, line: str) -> pd.DataFrame:
    agreements = day.state["advice_agreements"]
    return agreements[agreements["line"] == line].rename(columns={"status": "agreement_status"})


def _advice_fees(day: EndOfDay, line: str) -> pd.DataFrame:
    fees = day.events(ev.AdviceFeeConfirmed)
    return fees[fees["line"] == line]


# ---------------------------------------------------------------- clearing

CLEARING_BUSINESS = {"buy": "B", "sell": "S", "reverse_repo_lend": "RL", "reverse_repo_return": "RR"}


def settlement_details(day: EndOfDay) -> pd.DataFrame:
    """A line a fill of the normal and credit counters, as the clearing house settles it; sign = direction."""
    fills = day.events(ev.TradeFilled)
    sign = np.where(fills["business"].isin([*SELLS, "reverse_repo_return"]), 1, -1)
    fees = fills["exchange_handling_fee_amount"] + fills["exchange_regulatory_fee_amount"]
    fees = fees + fills["stamp_duty_amount"] + fills["exchange_transfer_fee_amount"]
    accounts = day.state["accounts"].set_index("account_id")["branch_id"]
    return fills.assign(
        settlement_id="Q" + fills["trade_id"],
        branch_id=accounts.reindex(fills["account_id"]).to_numpy(),
        business_code=fills["business"].map(CLEARING_BUSINESS).fillna("M"),
        settled_quantity=-sign * fills["quantity"],
        principal_amount=fills["turnover_amount"],
        net_amount=sign * fills["turnover_amount"] - fees,
        clearing_date=pd.Timestamp(day.date),
    )


def securities_balances(day: EndOfDay) -> pd.DataFrame:
    """What the depository holds for each securities account; the name is not always given."""
    key = ["securities_account_id", "exchange_code", "security_code"]
    positions = day.state["positions"]
    positions = positions[positions["quantity"] != 0]
    table = positions.groupby(key, sort=False, as_index=False)[["quantity", "restricted_quantity"]].sum()
    names = day.state["securities"].set_index(["exchange_code", "security_code"])["security_name"]
    wanted = pd.MultiIndex.from_frame(table[["exchange_code", "security_code"]])
    table["security_name"] = names.reindex(wanted).to_numpy() if len(names) else None
    unnamed = (np.arange(len(table)) + day.date.day) % 50 == 0
    table.loc[unnamed, "security_name"] = None
    return table.rename(columns={"restricted_quantity": "frozen_quantity"})


FEEDS: dict[str, Callable[[EndOfDay], pd.DataFrame]] = {
    "reference__branches": branches,
    "reference__employees": employees,
    "staff_platform__relations": _table("relations"),
    "reference__agreed_rates": _table("agreed_rates"),
    "reference__counter_rates": _table("counter_rates"),
    "performance_platform__targets": _table("targets"),
    "reference__statutory_rates": _table("statutory_rates"),
    "reference__securities": _table("securities"),
    "reference__prices": _table("prices"),
    "reference__exchange_rates": _table("exchange_rates"),
    "normal_counter__clients": normal_clients,
    "normal_counter__cash_accounts": lambda day: _accounts(day, "normal"),
    "normal_counter__securities_accounts": securities_accounts,
    "normal_counter__cash_balances": normal_balances,
    "normal_counter__positions": lambda day: _positions(day, "normal"),
    "normal_counter__trades": lambda day: _trades(day, "normal"),
    "normal_counter__cash_journal": lambda day: _journal(day, "normal"),
    "credit_counter__accounts": lambda day: _member_accounts(day, "credit"),
    "credit_counter__cash_balances": lambda day: _balances(day, "credit"),
    "credit_counter__collateral_positions": lambda day: _positions(day, "credit"),
    "credit_counter__contracts": _table("credit_contracts"),
    "credit_counter__asset_debt_summaries": asset_debt_summaries,
    "credit_counter__trades": lambda day: _trades(day, "credit"),
    "credit_counter__cash_journal": lambda day: _journal(day, "credit"),
    "repurchase_counter__contracts": _table("repurchase_contracts"),
    "option_counter__accounts": lambda day: _member_accounts(day, "option"),
    "option_counter__cash_balances": option_balances,
    "option_counter__contracts": _table("option_contracts"),
    "option_counter__positions": option_positions,
    "option_counter__trades": option_trades,
    "fund_counter__accounts": lambda day: _member_accounts(day, "fund"),
    "fund_counter__products": _table("fund_products"),
    "fund_counter__confirmations": fund_confirmations,
    "fund_counter__holdings": fund_holdings,
    "fund_counter__navs": _table("navs"),
    "advice_counter__agreements": lambda day: _agreements(day, "advice"),
    "advice_counter__fees": lambda day: _advice_fees(day, "advice"),
    "fund_advice_counter__agreements": lambda day: _agreements(day, "fund_advice"),
    "fund_advice_counter__fees": lambda day: _advice_fees(day, "fund_advice"),
    "clearing__settlement_details": settlement_details,
    "clearing__securities_balances": securities_balances,
    "clearing__control_figures": counterparties.control_figures,
    "normal_counter__share_movements": counterparties.share_movements,
    "bank__custody_balances": counterparties.custody_balances,
    "bank__transfers": counterparties.bank_transfers,
    "operations__case_elements": _table("case_elements"),
    "operations__allotments": _table("allotments"),
    "operations__subscription_quotas": _table("subscription_quotas"),
    "operations__customer_links": _table("customer_links"),
    "e_office__institutions": _table("institutions"),
    "call_platform__consents": _table("consents"),
    "call_platform__calls": lambda day: day.events(ev.CallMade),
    "call_platform__complaints": _table("complaints"),
    "account_opening__applications": _table("applications"),
    "account_opening__permissions": _table("permissions"),
    "aml_system__grades": _table("aml_grades"),
}
