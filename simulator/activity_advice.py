"""Advice for a fee: agreements on securities accounts and on managed fund portfolios, and what is taken for them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.activity_fund import main_accounts_of_people
from simulator.activity_normal import move_cash, unscripted
from simulator.day import Day
from simulator.randomness import chosen, picked

ADVISED_SHARE, MANAGED_SHARE, CHARGED_SHARE, REVALUED_SHARE = 0.03, 0.05, 0.1, 0.3
PRODUCTS = {"T01": "稳健参考", "T02": "行业先锋", "T03": "量化跟踪"}
STRATEGIES = {"G01": "安心存", "G02": "均衡配置", "G03": "进取成长"}
FEE_MODELS = ("front", "back", "copy")
FEE_RATES = {"advice": 500_000, "fund_advice": 300_000}
LARGEST_FEE = 30_000


def open_agreements(day: Day) -> None:
    """The opening baseline: some ordinary customers have been advised for a while."""
    generator = day.stream("advice")
    accounts = unscripted(day, day.events(ev.AccountOpened))
    mains = accounts[(accounts["line"] == "normal") & (accounts["role"] == "main")]
    advised = mains[chosen(generator, len(mains), ADVISED_SHARE)]["account_id"].to_numpy()
    models = picked(generator, list(FEE_MODELS), len(advised))
    employees = picked(generator, day.broker.organisation.employees, len(advised))
    agree(day, "advice", advised, picked(generator, list(PRODUCTS), len(advised)), employees, fee_model=models)
    funds = accounts[accounts["line"] == "fund"]
    managed = funds[chosen(generator, len(funds), MANAGED_SHARE)]["account_id"].to_numpy()
    amounts = generator.integers(1_000, 100_000, len(managed)) * 100
    agree(
        day, "fund_advice", managed, picked(generator, list(STRATEGIES), len(managed)), None, portfolio_amount=amounts
    )


def agree(day: Day, line: str, accounts: np.ndarray, products: np.ndarray, advisers, **changes: object) -> np.ndarray:
    """New agreements in force from today; from a year ago on the opening baseline. Returns their ids."""
    ids = day.take(line, len(accounts))
    names = {**PRODUCTS, **STRATEGIES}
    values = {
        "fee_model": None,
        "fee_rate": FEE_RATES[line],
        "portfolio_amount": 0,
        "effective_date": day.date - dt.timedelta(days=365) if day.is_opening else day.date,
        "end_date": None,
        "status": "active",
        **changes,
    }
    day.emit(
        ev.AdviceAgreementSet,
        line=line,
        agreement_id=ids,
        account_id=accounts,
        product_code=products,
        product_name=np.array([names[code] for code in products], dtype=object),
        adviser_employee_id=advisers,
        **values,
    )
    return ids


def change(day: Day, agreement: str, **changes: object) -> None:
    """Other terms for one agreement, or its end."""
    agreements = day.state["advice_agreements"].set_index("agreement_id", drop=False)
    terms = {name: None if pd.isna(value) else value for name, value in agreements.loc[agreement].items()}
    day.emit(ev.AdviceAgreementSet, **{**terms, **changes})


def charge(day: Day, agreements: pd.DataFrame, payers: np.ndarray, kinds: np.ndarray, amounts: np.ndarray) -> None:
    """Take fees from the payers' normal accounts. `agreements`: line, agreement_id and account_id."""
    day.emit(
        ev.AdviceFeeConfirmed,
        line=agreements["line"].to_numpy(),
        fee_id=day.take_daily("AF", len(agreements)),
        agreement_id=agreements["agreement_id"].to_numpy(),
        account_id=agreements["account_id"].to_numpy(),
        fee_kind=kinds,
        amount=amounts,
    )
    move_cash(day, "normal", payers, "advice_fee", -amounts)


def advise(day: Day) -> None:
    """A day of ordinary customers: some portfolios are worth another amount, some fees are due."""
    generator = day.stream("advice")
    agreements = unscripted(day, day.state["advice_agreements"])
    accounts = day.state["accounts"].merge(
        day.state["clients"][["system", "client_number", "person_key"]], on=["system", "client_number"]
    )
    mains = accounts.set_index("account_id")["person_key"].map(main_accounts_of_people(day))
    # Who is advised on a securities account pays from it; a portfolio's fee comes from its owner's main account.
    is_advice = agreements["line"] == "advice"
    payer = agreements["account_id"].where(is_advice, agreements["account_id"].map(mains))
    agreements = agreements.assign(payer=payer)
    agreements = agreements[agreements["payer"].notna() & ~agreements["payer"].isin(day.broker.scripted)]
    revalued = agreements[(agreements["portfolio_amount"] > 0) & chosen(generator, len(agreements), REVALUED_SHARE)]
    worth = revalued["portfolio_amount"].to_numpy() * generator.integers(98, 103, len(revalued)) // 100
    columns = {name: revalued[name].to_numpy() for name in ev.AdviceAgreementSet._fields}
    day.emit(ev.AdviceAgreementSet, **{**columns, "portfolio_amount": worth})
    charged = agreements[chosen(generator, len(agreements), CHARGED_SHARE)]
    kinds = charged["fee_model"].where(charged["line"] == "advice", "portfolio").to_numpy()
    charge(day, charged, charged["payer"].to_numpy(), kinds, generator.integers(100, LARGEST_FEE, len(charged)))
