"""Fund orders: paid today, confirmed later, the money in transit on the normal account meanwhile."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator import fees
from simulator.activity_normal import available_cash, move_cash, move_in_transit, unscripted
from simulator.day import Day
from simulator.randomness import chosen, picked

PURCHASE_SHARE, REDEMPTION_SHARE = 0.03, 0.02
CHARGE_RATE, REDEMPTION_CHARGE_RATE, AGENCY_PERCENT = 1_200_000, 500_000, 80
MONEY_FUNDS = ("000806", "000807")
ORDINARY_FUNDS = ("000801", "000802", "000803", "000804", "000805", *MONEY_FUNDS)


def main_accounts_of_people(day: Day) -> pd.Series:
    """person_key -> first main normal account."""
    clients = day.state["clients"]
    accounts = day.state["accounts"]
    mains = accounts[(accounts["line"] == "normal") & (accounts["role"] == "main") & (accounts["status"] == "active")]
    mains = mains.merge(clients[["system", "client_number", "person_key"]], on=["system", "client_number"])
    return mains.drop_duplicates("person_key").set_index("person_key")["account_id"]


def order_funds(day: Day) -> None:
    """Random purchases and redemptions of ordinary customers."""
    generator = day.stream("fund orders")
    accounts = day.state["accounts"]
    accounts = unscripted(day, accounts[(accounts["line"] == "fund") & (accounts["status"] == "active")])
    clients = day.state["clients"][["system", "client_number", "person_key"]]
    accounts = accounts.merge(clients, on=["system", "client_number"])
    accounts["normal_account"] = accounts["person_key"].map(main_accounts_of_people(day))
    accounts = accounts[accounts["normal_account"].notna() & ~accounts["normal_account"].isin(day.broker.scripted)]
    _random_purchases(day, generator, accounts)
    _random_redemptions(day, generator, accounts)


def _random_purchases(day: Day, generator: np.random.Generator, accounts: pd.DataFrame) -> None:
    buyers = accounts[chosen(generator, len(accounts), PURCHASE_SHARE)]
    cash = available_cash(day, "normal").reindex(buyers["normal_account"])
    cash = cash.where(cash.notna(), 0).to_numpy().astype(np.int64)
    amount = cash // 10 // 10_000 * 10_000
    buyers, amount = buyers[amount > 0], amount[amount > 0]
    product = picked(generator, list(ORDINARY_FUNDS), len(buyers))
    kind = picked(generator, ["purchase", "periodic_purchase"], len(buyers), [0.8, 0.2])
    for code in ORDINARY_FUNDS:
        for business in ("purchase", "periodic_purchase"):
            rows = (product == code) & (kind == business)
            purchase(
                day,
                buyers["account_id"].to_numpy()[rows],
                buyers["normal_account"].to_numpy()[rows],
                code,
                amount[rows],
                business=business,
            )


def _random_redemptions(day: Day, generator: np.random.Generator, accounts: pd.DataFrame) -> None:
    holdings = day.state["fund_holdings"]
    holdings = holdings[holdings["product_code"].isin(ORDINARY_FUNDS) & (holdings["quantity"] > 10_000)]
    holdings = holdings.merge(accounts[["account_id", "normal_account"]], on="account_id")
    holdings = holdings[chosen(generator, len(holdings), REDEMPTION_SHARE)]
    for (code, share_class), rows in holdings.groupby(["product_code", "share_class"]):
        redeem(
            day,
            rows["account_id"].to_numpy(),
            rows["normal_account"].to_numpy(),
            code,
            rows["quantity"].to_numpy() * 3 // 10,
            share_class=share_class,
        )


def purchase(day, accounts, payers, code, amounts, business="purchase", confirm_in=1, share_class="A") -> None:
    """Pay today; confirmed `confirm_in` sessions later at today's NAV, less the front-end charge."""
    if not len(accounts):
        return
    nav, applied = day.market.navs[code], day.date
    orders = day.take_daily("FO", len(accounts))
    move_cash(day, "normal", payers, "fund_payment", -amounts)
    move_in_transit(day, payers, "fund", amounts)

    def confirm(later: Day) -> None:
        charge = np.zeros_like(amounts) if code in MONEY_FUNDS else fees.share_of(amounts, CHARGE_RATE)
        shares = fees.half_up((amounts - charge) * 10_000, nav)
        move_in_transit(later, payers, "fund", -amounts)
        _move_holding(later, accounts, code, share_class, shares)
        nothing = np.zeros_like(amounts)
        _emit_confirmation(
            later,
            orders,
            applied,
            code,
            accounts,
            business,
            amounts,
            nothing,
            amounts,
            shares,
            nav,
            charge,
            share_class,
        )

    day.later(confirm_in, confirm)


def redeem(day, accounts, receivers, code, shares, confirm_in=1, pay_in=2, share_class="A") -> None:
    """Apply today; shares leave on confirmation, the money is in transit until it is paid."""
    if not len(accounts):
        return
    nav, applied = day.market.navs[code], day.date
    orders = day.take_daily("FO", len(accounts))
    gross = fees.half_up(shares * nav, 10_000)
    charge = np.zeros_like(gross) if code in MONEY_FUNDS else fees.share_of(gross, REDEMPTION_CHARGE_RATE)
    proceeds = gross - charge

    def confirm(later: Day) -> None:
        _move_holding(later, accounts, code, share_class, -shares)
        move_in_transit(later, receivers, "fund", proceeds)
        nothing = np.zeros_like(gross)
        _emit_confirmation(
            later,
            orders,
            applied,
            code,
            accounts,
            "redemption",
            nothing,
            shares,
            gross,
            shares,
            nav,
            charge,
            share_class,
        )

    def pay(later: Day) -> None:
        move_in_transit(later, receivers, "fund", -proceeds)
        move_cash(later, "normal", receivers, "fund_redemption", proceeds)

    day.later(confirm_in, confirm)
    day.later(pay_in, pay)


def reinvest_income(day: Day, account: str, code: str, share_class: str, income: int) -> None:
    """A money fund turns the undistributed income of one holding into shares."""
    one = np.array([account], dtype=object)
    shares = np.array([income], dtype=np.int64)
    _move_holding(day, one, code, share_class, shares)
    set_undistributed(day, account, code, share_class, 0)
    nothing = np.zeros_like(shares)
    orders = np.array([None], dtype=object)
    _emit_confirmation(
        day, orders, day.date, code, one, "dividend", nothing, nothing, shares, shares, 10_000, nothing, share_class
    )


def set_undistributed(day: Day, account: str, code: str, share_class: str, income: int, frozen: int = 0) -> None:
    day.emit(
        ev.FundHoldingDetailSet,
        account_id=account,
        product_code=code,
        share_class=share_class,
        undistributed_income_amount=income,
        frozen_quantity=frozen,
    )


def accrue_money_funds(day: Day) -> None:
    """Every money-fund holding of ordinary customers earns a little undistributed income."""
    details = unscripted(day, day.state["fund_details"])
    holdings = day.state["fund_holdings"]
    key = ["account_id", "product_code", "share_class"]
    merged = details.merge(holdings, on=key)
    merged = merged[merged["quantity"] > 0]
    day.emit(
        ev.FundHoldingDetailSet,
        **{name: merged[name].to_numpy() for name in key},
        undistributed_income_amount=merged["undistributed_income_amount"].to_numpy()
        + merged["quantity"].to_numpy() // 20_000,
        frozen_quantity=np.minimum(merged["frozen_quantity"].to_numpy(), merged["quantity"].to_numpy() // 10),
    )


def _move_holding(day: Day, accounts: np.ndarray, code: str, share_class: str, shares: np.ndarray) -> None:
    day.emit(ev.FundHoldingMoved, account_id=accounts, product_code=code, share_class=share_class, quantity=shares)


def _emit_confirmation(
    day,
    orders,
    applied,
    code,
    accounts,
    business,
    applied_amount,
    applied_shares,
    amount,
    shares,
    nav,
    charge,
    share_class,
) -> None:
    day.emit(
        ev.FundConfirmed,
        confirmation_id=day.take_daily("TA", len(accounts)),
        order_id=orders,
        confirmed_date=day.date,
        applied_date=applied,
        product_code=code,
        account_id=accounts,
        return_code="0000",
        business=business,
        applied_amount=applied_amount,
        applied_quantity=applied_shares,
        confirmed_amount=amount,
        confirmed_quantity=shares,
        nav=nav,
        charge_amount=charge,
        agency_fee_amount=fees.half_up(charge * AGENCY_PERCENT, 100),
        share_class=share_class,
    )
