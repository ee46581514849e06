"""What happens to ordinary customers' records: new phones and risk tests, closed accounts, new relations and rates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.activity_normal import available_cash, move_cash, unscripted
from simulator.day import Day
from simulator.population import BANKS
from simulator.randomness import chosen, picked
from simulator.state import of_normal_counter

CLIENT_FIELDS = ev.ClientOpened._fields
ACCOUNT_FIELDS = ev.AccountOpened._fields
PHONE_SHARE, RISK_TEST_SHARE, STATUS_SHARE, CLOSING_SHARE = 0.001, 0.003, 0.0005, 0.002
RELATION_SHARE, RATE_SHARE = 0.001, 0.0005


def keep_house(day: Day) -> None:
    """All record changes of a day."""
    generator = day.stream("housekeeping")
    gone = _close_accounts(day, generator)
    _change_clients(day, generator, gone)
    _change_relations(day, generator, gone)
    _agree_new_rates(day, generator, gone)


def emit_clients(day: Day, event_class: type, clients: pd.DataFrame) -> None:
    day.emit(event_class, **{name: clients[name].to_numpy() for name in CLIENT_FIELDS})


def emit_changed_accounts(day: Day, accounts: pd.DataFrame) -> None:
    day.emit(ev.AccountChanged, **{name: accounts[name].to_numpy() for name in ACCOUNT_FIELDS})


def _ordinary_clients(day: Day, gone: set[str]) -> pd.DataFrame:
    """Normal clients without a script and not about to leave."""
    accounts = day.state["accounts"]
    excluded = accounts[accounts["account_id"].isin(day.broker.scripted | gone)]
    clients = of_normal_counter(day.state["clients"])
    return clients[~clients["client_number"].isin(set(excluded["client_number"]))]


def _change_clients(day: Day, generator: np.random.Generator, gone: set[str]) -> None:
    clients = _ordinary_clients(day, gone)
    drawn = generator.random(len(clients))
    changed = clients[drawn < PHONE_SHARE + RISK_TEST_SHARE + STATUS_SHARE].copy()
    drawn = drawn[drawn < PHONE_SHARE + RISK_TEST_SHARE + STATUS_SHARE]
    is_phone, is_status = drawn < PHONE_SHARE, drawn >= PHONE_SHARE + RISK_TEST_SHARE
    is_test = ~is_phone & ~is_status
    fresh = day.broker.people.persons(int(is_phone.sum()))["mobile_phone"]
    changed.loc[is_phone, "mobile_phone"] = fresh.to_numpy()
    changed.loc[is_test, "risk_level"] = picked(generator, ["C1", "C2", "C3", "C4", "C5"], int(is_test.sum()))
    changed.loc[is_test, "risk_test_expiry_date"] = pd.Timestamp(day.date) + pd.Timedelta(days=730)
    changed.loc[is_status, "status"] = np.where(changed.loc[is_status, "status"] == "active", "dormant", "active")
    emit_clients(day, ev.ClientChanged, changed)


# ---------------------------------------------------------------- leaving


def _close_accounts(day: Day, generator: np.random.Generator) -> set[str]:
    """Customers with nothing but cash withdraw it and close; tomorrow they are no longer delivered."""
    accounts = _closable(day)
    accounts = accounts[chosen(generator, len(accounts), CLOSING_SHARE)]
    cash = available_cash(day, "normal").reindex(accounts["account_id"])
    some = (cash > 0).to_numpy()
    amounts = cash.to_numpy()[some].astype(np.int64)
    banks = picked(generator, BANKS, int(some.sum()))
    move_cash(day, "normal", accounts["account_id"].to_numpy()[some], "bank_transfer_out", -amounts, bank_code=banks)
    close_normal_accounts(day, accounts["account_id"].tolist())
    # From here on nobody trades in them any more.
    day.broker.scripted |= set(accounts["account_id"])
    return set(accounts["account_id"])


def _closable(day: Day) -> pd.DataFrame:
    """Active main accounts, the only account of their person, without shares, frozen money or money on its way."""
    accounts = day.state["accounts"]
    clients = day.state["clients"][["system", "client_number", "person_key"]]
    accounts = accounts.merge(clients, on=["system", "client_number"])
    alone = ~accounts["person_key"].duplicated(keep=False)
    positions, in_transit = day.state["positions"], day.state["in_transit"]
    busy = set(positions.loc[positions["quantity"] != 0, "account_id"])
    busy |= set(in_transit.loc[in_transit["amount"] != 0, "account_id"])
    busy |= set(day.state["frozen_cash"]["account_id"]) | set(day.state["repurchase_contracts"]["account_id"])
    busy |= set(day.state["advice_agreements"]["account_id"])
    cash = day.state["cash"]
    busy |= set(cash.loc[cash["currency_code"] != "CNY", "account_id"])
    free = alone & (accounts["status"] == "active") & ~accounts["account_id"].isin(busy)
    # A client opened today is not in the state yet; one without a client has another story.
    return unscripted(day, accounts[free & (accounts["line"] == "normal")])


def close_normal_accounts(day: Day, account_ids: list[str]) -> None:
    """Mark accounts, their clients and securities accounts closed today; remove all of it tomorrow."""
    today = pd.Timestamp(day.date)
    accounts = day.state["accounts"]
    accounts = accounts[accounts["account_id"].isin(account_ids)].copy()
    accounts["status"], accounts["close_date"] = "closed", today
    emit_changed_accounts(day, accounts)
    clients = of_normal_counter(day.state["clients"])
    clients = clients[clients["client_number"].isin(accounts["client_number"])].copy()
    clients["status"], clients["close_date"] = "closed", today
    emit_clients(day, ev.ClientChanged, clients)
    holders = day.state["securities_accounts"]
    holders = holders[holders["account_id"].isin(account_ids)].copy()
    holders["status"], holders["close_date"] = "closed", today
    day.emit(ev.SecuritiesAccountSet, **{name: holders[name].to_numpy() for name in ev.SecuritiesAccountSet._fields})

    def remove(later: Day) -> None:
        remove_accounts(later, "normal", account_ids)
        later.emit(ev.ClientRemoved, system="NOR", client_number=clients["client_number"].to_numpy())
        keys = ("securities_account_id", "exchange_code")
        later.emit(ev.SecuritiesAccountRemoved, **{name: holders[name].to_numpy() for name in keys})

    day.later(1, remove)


def remove_accounts(day: Day, line: str, account_ids: list[str]) -> None:
    """Accounts are no longer delivered, nor their relations and agreed rates."""
    day.emit(ev.AccountRemoved, line=line, account_id=list(account_ids))
    relations = day.state["relations"]
    relations = relations[relations["account_id"].isin(account_ids)]
    for_relations = ("account_id", "business_line", "employee_id")
    day.emit(ev.RelationRemoved, **{name: relations[name].to_numpy() for name in for_relations})
    rates = day.state["agreed_rates"]
    rates = rates[rates["account_id"].isin(account_ids)]
    for_rates = ("account_id", "product_class", "exchange_code", "effective_date")
    day.emit(ev.AgreedRateRemoved, **{name: rates[name].to_numpy() for name in for_rates})


# ---------------------------------------------------------------- relations and rates


def _change_relations(day: Day, generator: np.random.Generator, gone: set[str]) -> None:
    """Some sole servants hand their account to a colleague."""
    relations = unscripted(day, day.state["relations"])
    relations = relations[(relations["pay_ratio"] == 100_000_000) & ~relations["account_id"].isin(gone)]
    relations = relations[relations["account_id"].isin(day.state["accounts"]["account_id"])]
    relations = relations[chosen(generator, len(relations), RELATION_SHARE)].copy()
    key = ("account_id", "business_line", "employee_id")
    day.emit(ev.RelationRemoved, **{name: relations[name].to_numpy() for name in key})
    employees = day.broker.organisation.employees
    moved = picked(generator, employees, len(relations))
    relations["employee_id"] = np.where(moved == relations["employee_id"].to_numpy(), employees[0], moved)
    relations["effective_date"] = pd.Timestamp(day.date)
    relations["approved_date"] = pd.NaT
    day.emit(ev.RelationSet, **{name: relations[name].to_numpy() for name in ev.RelationSet._fields})


def _agree_new_rates(day: Day, generator: np.random.Generator, gone: set[str]) -> None:
    """A lower stock rate, as a new dated row beside the old one; every other one is preferential and ends."""
    rates = unscripted(day, day.state["agreed_rates"])
    rates = rates[(rates["product_class"] == "stock") & ~rates["account_id"].isin(gone)]
    rates = rates[rates["account_id"].isin(day.state["accounts"]["account_id"])]
    rates = rates[chosen(generator, len(rates), RATE_SHARE)].copy()
    rates["commission_rate"] = np.maximum(rates["commission_rate"].to_numpy() * 8 // 10, 8_500)
    # In force from the next session, so that today's file explains today's fills.
    rates["effective_date"] = pd.Timestamp(day.session_in(1))
    ends = pd.Timestamp(day.session_in(1)) + pd.to_timedelta(generator.integers(0, 60, len(rates)), unit="D")
    rates["expiry_date"] = np.where(np.arange(len(rates)) % 2 == 0, ends, np.datetime64("NaT"))
    day.emit(ev.AgreedRateSet, **{name: rates[name].to_numpy() for name in ev.AgreedRateSet._fields})
