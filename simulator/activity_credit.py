"""Margin trading: financing and short contracts, their repayment and their daily interest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator import fees
from simulator.activity_fund import main_accounts_of_people
from simulator.activity_normal import available_cash, move_cash, unscripted
from simulator.day import Day
from simulator.randomness import chosen
from simulator.trading import LARGEST_ORDER_CENTS, LOT, ORDER_COLUMNS, fill_orders, rates_in_force

FINANCING_SHARE, REPAY_SHARE, SELL_SHARE = 0.05, 0.03, 0.03
DAYS_IN_YEAR = 360
CONTRACT_FIELDS = ev.CreditContractSet._fields


def trade_on_margin(day: Day) -> None:
    """Random financing purchases, sales to repay and plain sales of ordinary credit accounts."""
    generator = day.stream("credit orders")
    rates = rates_in_force(day)
    positions = day.state["positions"]
    positions = unscripted(day, positions[(positions["line"] == "credit") & (positions["quantity"] >= LOT)])
    place = day.market.places_of(positions["exchange_code"], positions["security_code"])
    positions = positions.assign(place=place, product_class="stock")
    positions = positions.merge(rates, on=["account_id", "product_class", "exchange_code"], how="inner")
    positions = positions[positions["place"].isin(np.flatnonzero(~day.market.securities["is_staged"]))]
    positions = positions.drop_duplicates("account_id")
    drawn = generator.random(len(positions))
    _random_financing(day, generator, positions[drawn < FINANCING_SHARE])
    repaying = (drawn >= FINANCING_SHARE) & (drawn < FINANCING_SHARE + REPAY_SHARE)
    _random_repayment(day, generator, positions[repaying])
    selling = (drawn >= FINANCING_SHARE + REPAY_SHARE) & (drawn < FINANCING_SHARE + REPAY_SHARE + SELL_SHARE)
    sells = _orders(positions[selling], "sell", LOT)
    fill_orders(day, "credit", sells, generator)


def _orders(rows: pd.DataFrame, business: str, quantity, contract_id=None, fill_count=0) -> pd.DataFrame:
    return rows.assign(business=business, quantity=quantity, contract_id=contract_id, fill_count=fill_count)[
        ORDER_COLUMNS
    ]


def _random_financing(day: Day, generator: np.random.Generator, positions: pd.DataFrame) -> None:
    quantity = np.maximum(LOT, positions["quantity"].to_numpy() // 10 // LOT * LOT)
    limit = np.maximum(LARGEST_ORDER_CENTS * 100 // day.market.prices[positions["place"].to_numpy()] // LOT * LOT, LOT)
    financing_buy(day, generator, _orders(positions, "financing_buy", np.minimum(quantity, limit)))


def financing_buy(day: Day, generator: np.random.Generator, orders: pd.DataFrame, rate: int = 6_350_000) -> np.ndarray:
    """Buy with borrowed money; a contract an order, the fees owed beside the principal. Returns contract ids."""
    if orders.empty:
        return np.array([], dtype=object)
    contracts = day.take("contract", len(orders))
    fills = fill_orders(day, "credit", orders.assign(contract_id=contracts), generator)
    move_cash(
        day,
        "credit",
        fills["account_id"].to_numpy(),
        "financing_drawn",
        -fills["settlement_amount"].to_numpy(),
        trade_id=fills["trade_id"].to_numpy(),
    )
    owed = fills.groupby("contract_id", sort=False).agg(
        account_id=("account_id", "first"),
        exchange_code=("exchange_code", "first"),
        security_code=("security_code", "first"),
        principal=("turnover_amount", "sum"),
        charged=("charged_amount", "sum"),
    )
    set_contracts(day, _new_contracts(day, owed, "financing", rate))
    return contracts


def short_sell(day: Day, generator: np.random.Generator, orders: pd.DataFrame, rate: int = 8_350_000) -> np.ndarray:
    """Sell borrowed shares; the proceeds stay in the account as cash. Returns contract ids."""
    contracts = day.take("contract", len(orders))
    fills = fill_orders(day, "credit", orders.assign(contract_id=contracts), generator)
    owed = fills.groupby("contract_id", sort=False).agg(
        account_id=("account_id", "first"),
        exchange_code=("exchange_code", "first"),
        security_code=("security_code", "first"),
        quantity=("quantity", "sum"),
    )
    set_contracts(day, _new_contracts(day, owed, "short", rate))
    return contracts


def _new_contracts(day: Day, owed: pd.DataFrame, kind: str, rate: int) -> pd.DataFrame:
    today = np.datetime64(day.date)
    return pd.DataFrame(
        {
            "contract_id": owed.index.to_numpy(),
            "account_id": owed["account_id"].to_numpy(),
            "contract_kind": kind,
            "exchange_code": owed["exchange_code"].to_numpy(),
            "security_code": owed["security_code"].to_numpy(),
            "open_date": today,
            "due_date": today + 180,
            "outstanding_principal_amount": owed["principal"].to_numpy() if "principal" in owed else 0,
            "outstanding_quantity": owed["quantity"].to_numpy() if "quantity" in owed else 0,
            "outstanding_fee_amount": owed["charged"].to_numpy() if "charged" in owed else 0,
            "unpaid_interest_amount": 0,
            "penalty_amount": 0,
            "annual_rate": rate,
            "waived_interest_amount": 0,
        }
    )


def set_contracts(day: Day, contracts: pd.DataFrame) -> None:
    """Record the whole state of these contracts; one with nothing left to pay is removed."""
    owes = contracts[
        [
            "outstanding_principal_amount",
            "outstanding_quantity",
            "outstanding_fee_amount",
            "unpaid_interest_amount",
            "penalty_amount",
        ]
    ].sum(axis=1)
    open_ones = contracts[owes > 0]
    day.emit(ev.CreditContractSet, **{name: open_ones[name].to_numpy() for name in CONTRACT_FIELDS})
    day.emit(ev.CreditContractRemoved, contract_id=contracts.loc[owes == 0, "contract_id"].to_numpy())


def _random_repayment(day: Day, generator: np.random.Generator, positions: pd.DataFrame) -> None:
    """Sell one lot and repay part of the account's first financing contract from the cash."""
    contracts = day.state["credit_contracts"]
    contracts = contracts[contracts["contract_kind"] == "financing"].drop_duplicates("account_id")
    rows = positions.merge(contracts[["account_id", "contract_id"]], on="account_id", how="inner")
    rows = rows.assign(contract=rows["contract_id"])
    fills = fill_orders(day, "credit", _orders(rows, "sell_to_repay", LOT, rows["contract"]), generator)
    if fills.empty:
        return
    proceeds = fills.groupby("contract_id", sort=False)["settlement_amount"].sum()
    repay(day, proceeds)


def repay(day: Day, payments: pd.Series) -> None:
    """Pay contracts from the account's cash: interest first, then fee, then principal. contract_id -> cents."""
    contracts = _contracts(day, payments.index)
    left = np.maximum(payments.to_numpy(), 0)
    paid = {}
    for name in ("unpaid_interest_amount", "outstanding_fee_amount", "outstanding_principal_amount"):
        paid[name] = np.minimum(left, contracts[name].to_numpy())
        contracts[name] = contracts[name].to_numpy() - paid[name]
        left = left - paid[name]
    accounts = contracts["account_id"].to_numpy()
    interest = paid["unpaid_interest_amount"]
    principal = paid["outstanding_fee_amount"] + paid["outstanding_principal_amount"]
    move_cash(day, "credit", accounts[interest > 0], "financing_interest_paid", -interest[interest > 0])
    move_cash(day, "credit", accounts[principal > 0], "financing_repaid", -principal[principal > 0])
    set_contracts(day, contracts)


def return_shares(day: Day, generator: np.random.Generator, orders: pd.DataFrame) -> None:
    """Buy shares back and close short contracts, paying what interest they owe. `orders` carry contract_id."""
    fills = fill_orders(day, "credit", orders, generator)
    bought = fills.groupby("contract_id", sort=False)["quantity"].sum()
    contracts = _contracts(day, bought.index)
    contracts["outstanding_quantity"] -= bought
    closed = contracts["outstanding_quantity"].to_numpy() == 0
    owed = contracts[["unpaid_interest_amount", "outstanding_fee_amount", "penalty_amount"]].sum(axis=1).to_numpy()
    paying = closed & (owed > 0)
    move_cash(day, "credit", contracts["account_id"].to_numpy()[paying], "short_interest_paid", -owed[paying])
    for name in ("unpaid_interest_amount", "outstanding_fee_amount", "penalty_amount"):
        contracts[name] = np.where(closed, 0, contracts[name])
    set_contracts(day, contracts)


def waive_interest(day: Day, account: str, share: int) -> None:
    """Let one part in `share` of the unpaid interest of an account's contracts off."""
    contracts = day.state["credit_contracts"]
    contracts = _contracts(day, contracts.loc[contracts["account_id"] == account, "contract_id"])
    waived = contracts["unpaid_interest_amount"].to_numpy() // share
    contracts["unpaid_interest_amount"] -= waived
    contracts["waived_interest_amount"] = waived
    set_contracts(day, contracts)


def _contracts(day: Day, contract_ids: pd.Index | pd.Series) -> pd.DataFrame:
    """These contracts as they were on the evening before, with nothing waived yet."""
    contracts = day.state["credit_contracts"].set_index("contract_id", drop=False).loc[contract_ids]
    return contracts.assign(waived_interest_amount=0)


def accrue_interest(day: Day) -> None:
    """Interest of the natural days since the last session, on every contract nobody touched today."""
    contracts = day.untouched("credit_contracts", ev.CreditContractSet, ev.CreditContractRemoved)
    natural_days = day.days_since_last_session
    place = day.market.places_of(contracts["exchange_code"], contracts["security_code"])
    short_value = contracts["outstanding_quantity"].to_numpy() * day.market.prices[place] // 100
    base = contracts["outstanding_principal_amount"].to_numpy() + short_value
    yearly = fees.share_of(base, contracts["annual_rate"].to_numpy())
    contracts["unpaid_interest_amount"] += fees.half_up(yearly * natural_days, DAYS_IN_YEAR)
    overdue = contracts["due_date"].to_numpy().astype("datetime64[D]") < np.datetime64(day.date)
    contracts["penalty_amount"] += np.where(overdue, fees.share_of(base, 50_000) * natural_days, 0)
    contracts["waived_interest_amount"] = 0
    set_contracts(day, contracts)


def transfer_between_lines(day: Day) -> None:
    """A few ordinary customers move cash between their normal and credit accounts."""
    generator = day.stream("credit transfers")
    accounts = day.state["accounts"]
    accounts = unscripted(day, accounts[(accounts["line"] == "credit") & (accounts["status"] == "active")])
    accounts = accounts[chosen(generator, len(accounts), 0.02)]
    clients = day.state["clients"][["system", "client_number", "person_key"]]
    accounts = accounts.merge(clients, on=["system", "client_number"])
    payer = accounts["person_key"].map(main_accounts_of_people(day))
    accounts, payer = accounts[payer.notna()], payer[payer.notna()]
    cash = available_cash(day, "normal").reindex(payer)
    amounts = cash.where(cash.notna(), 0).to_numpy().astype(np.int64) // 12
    some = amounts > 0
    move_cash(day, "normal", payer.to_numpy()[some], "transfer_to_credit", -amounts[some])
    move_cash(day, "credit", accounts["account_id"].to_numpy()[some], "transfer_from_normal", amounts[some])
