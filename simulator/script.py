"""What the scripted customers own on the opening baseline and do on the days after it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import activity_advice, activity_credit, activity_fund, activity_option, activity_repurchase, identities
from simulator import events as ev
from simulator.activity_normal import lend
from simulator.day import Day
from simulator.market import DELISTED_STOCK, IPO_LISTED_DAY, IPO_STOCK, SUSPENDED_STOCK, UNPRICED_STOCK
from simulator.organisation import LEAVING, MOVING, REMOVED
from simulator.population import emit_rates
from simulator.stage import CANARY_KEY, Stage

WHOLE, HALF, THIRD = 100_000_000, 50_000_000, 33_333_333
COLLEAGUE = "E000001"
SPREAD_STOCK, CHEAP_STOCK = ("SSE", "600002"), ("SZSE", "000001")
ETF_UNIT = 10_000
RIGHTS_PRICE_CENTS, WON_SHARES = 3_000, 500
# Two offers at once: "misread" has cash for either, not for both, and pays for none.
SECOND_OFFER, MANY_SHARES = ("SSE", "718901"), 10_000
OLD_OFFER = ("SZSE", "001999")
# Shares of the Beijing exchange are paid when they are subscribed; of the others the quota alone is told.
BSE_OFFER, OTHER_QUOTA, BSE_PRICE_CENTS = ("BSE", "920991"), ("SSE", "787901"), 1_500
TAKEN_OUT_CENTS = 45_000_000
PREFERENTIAL_RATE = 9_000
# What "moved" takes out; a court has ordered it, first on the first day and again on the fifth.
DEDUCTED_CENTS, FIRST_ORDER, SECOND_ORDER, ESTATE = 250_000, "JD000001", "JD000002", "IN000001"


# ---------------------------------------------------------------- opening baseline


def open_stage(day: Day, stage: Stage) -> None:
    """Everybody who is there from the start."""
    _open_everyone(day, stage)
    _open_normal_holdings(day, stage)
    _open_credit(day, stage)
    _open_options(day, stage)
    _open_funds(day, stage)
    _open_repurchases(day, stage)
    _open_advice(day, stage)
    _open_relations(day, stage)
    _open_cases(day, stage)
    _win(day, stage, "lender", OLD_OFFER, 100, day.date, paid_on=day.date)
    _give_quota(day, stage, "lender", OTHER_QUOTA, 5_000, day.date)
    for key, kind in (
        ("watched", "do_not_call"),
        ("called", "do_not_call"),
        ("renewed", "marketing_granted"),
        ("misread_too", "marketing_refused"),
    ):
        stage.declare(day, key, kind)


def _open_everyone(day: Day, stage: Stage) -> None:
    ordinary = "includes venues foreign lender dividend winner investor watched called closed_out leveraged optioned"
    ordinary += " renewed misread misread_too flickering leaver split overshared unserved moved overdrawn unpriced"
    for key in [CANARY_KEY, *ordinary.split(), "manager"]:
        stage.open_normal(day, key)
    stage.open_normal(day, "excludes", includes=False)
    stage.open_normal(day, "silent", mobile_phone=None, risk_level=None, risk_test_expiry_date=None)
    _open_second_number(day, stage)
    for key in ("product_one", "product_two"):
        manager = stage.clients["manager", "NOR"] if key == "product_one" else None
        stage.open_normal(day, key, 900_000_000, manager_client_number=manager, identity_expiry_date=None)
    auxiliary = stage.clients["overdrawn", "NOR"]
    stage.open_account(day, "overdrawn", "normal", "NOR", auxiliary, "auxiliary", 1_234_567)


def _open_second_number(day: Day, stage: Stage) -> None:
    """The same person twice: the second client shows the 15-digit form of the ID and another phone."""
    stage.open_normal(day, "doubled")
    first = stage.accounts["doubled", "normal"]
    number = stage.persons["doubled"]["identity_number"][0]
    holders = {exchange: stage.holders.pop(("doubled", exchange)) for exchange in ("SSE", "SZSE")}
    shown = identities.old_form(number)
    stage.open_normal(day, "doubled", 7_000_000, delivered_identity_number=shown, mobile_phone="13800009015")
    second = stage.accounts["doubled", "normal"]
    stage.accounts["doubled", "second"], stage.accounts["doubled", "normal"] = second, first
    for exchange, holder in holders.items():
        stage.holders["doubled", exchange] = holder


def _open_normal_holdings(day: Day, stage: Stage) -> None:
    for key in (CANARY_KEY, "includes", "excludes"):
        stage.hold(day, key, *SPREAD_STOCK, 20_000)
        stage.hold(day, key, *CHEAP_STOCK, 3_000)
    for exchange, product_class, code, rate in (
        ("BSE", "stock", "920001", 30_000),
        ("SSE", "fund", "510050", 10_000),
        ("SSE", "bond", "113050", 1_000),
        ("SZSE", "bond", "123050", 5_000),
    ):
        if exchange == "BSE":
            stage.open_holder(day, "venues", "BSE")
        minimum = 500 if product_class == "stock" else 10 if product_class == "fund" else 0
        stage.agree(day, stage.accounts["venues", "normal"], product_class, exchange, rate, minimum, False)
        stage.hold(day, "venues", exchange, code, 2_000)
    for exchange, product_class, code, currency in (
        ("SSE_B", "b_share", "900901", "USD"),
        ("SZSE_B", "b_share", "200011", "HKD"),
        ("HK_SH", "hk_stock", "00811", "HKD"),
    ):
        stage.open_holder(day, "foreign", exchange)
        stage.agree(day, stage.accounts["foreign", "normal"], product_class, exchange, 50_000, 500, True)
        stage.hold(day, "foreign", exchange, code, 1_000)
        stage.pay_in(day, "foreign", "normal", 30_000_000, currency)
    stage.hold(day, "dividend", "SSE", "600001", 10_000, restricted=4_000)
    for exchange, code in (SUSPENDED_STOCK, DELISTED_STOCK, UNPRICED_STOCK):
        stage.hold(day, "unpriced", exchange, code, 1_000)
    stage.hold(day, "optioned", "SSE", "510050", 50_000)


def _open_credit(day: Day, stage: Stage) -> None:
    """Cash outweighs shares in the tier accounts, so that prices do not push them over a line."""
    for key, principal in (("watched", 70_000_000), ("called", 82_000_000), ("closed_out", 96_000_000)):
        stage.open_member(day, key, "credit", 100_000_000)
        stage.hold(day, key, "SSE", "600001", 1_000, line="credit")
        _open_contract(day, stage, key, "financing", principal, 0, overdue=key == "closed_out")
    for key in (CANARY_KEY, "leveraged", "leaver"):
        stage.open_member(day, key, "credit", 150_000 if key == "leaver" else 60_000_000)
    stage.hold(day, "leveraged", *SPREAD_STOCK, 5_000, line="credit")
    stage.hold(day, CANARY_KEY, *SPREAD_STOCK, 1_000, line="credit")
    _open_contract(day, stage, CANARY_KEY, "short", 0, 500)
    stage.open_member(day, "silent", "credit", 1_000_000)


def _open_contract(day, stage, key, kind, principal, quantity, overdue=False) -> None:
    opened = day.date - dt.timedelta(days=185 if overdue else 20)
    day.emit(
        ev.CreditContractSet,
        contract_id=day.take("contract", 1)[0],
        account_id=stage.accounts[key, "credit"],
        contract_kind=kind,
        exchange_code="SSE",
        security_code="600001",
        open_date=opened,
        due_date=opened + dt.timedelta(days=180),
        outstanding_principal_amount=principal,
        outstanding_quantity=quantity,
        outstanding_fee_amount=principal // 5_000,
        unpaid_interest_amount=principal // 1_000,
        penalty_amount=principal // 20_000 if overdue else 0,
        annual_rate=6_350_000,
        waived_interest_amount=0,
    )


def _open_options(day: Day, stage: Stage) -> None:
    for key in (CANARY_KEY, "leaver", "silent"):
        stage.open_member(day, key, "option", 150_000 if key == "leaver" else 40_000_000)
    # The option counter still shows the 15-digit form of an ID the normal counter has in full.
    shown = identities.old_form(stage.persons["optioned"]["identity_number"][0])
    stage.open_member(day, "optioned", "option", 40_000_000, delivered_identity_number=shown)
    stage.open_member(day, "fund_only", "option", 30_000_000)
    later = _series(day, "SSE", "call", -1, expiring=False)
    _set_option(day, stage, CANARY_KEY, later, "long", 3, 0)
    _set_option(day, stage, "silent", later, "long", 1, 0)
    _set_option(day, stage, "optioned", _series(day, "SSE", "call", -2, expiring=True), "long", 2, 0)
    put = _series(day, "SSE", "put", 2, expiring=True)
    margin = 4 * _margin(day, put)
    _set_option(day, stage, "fund_only", put, "short", 4, margin)
    activity_option.set_margin(day, stage.accounts["fund_only", "option"], margin)


def _series(day: Day, exchange: str, kind: str, offset: int, expiring: bool) -> str:
    """Contract code of the strike so many steps from the middle."""
    options = day.market.options
    options = options[(options["exchange_code"] == exchange) & (options["option_kind"] == kind)]
    first = options["expiry_date"].min()
    expiry = first if expiring else options.loc[options["expiry_date"] > first, "expiry_date"].max()
    options = options[options["expiry_date"] == expiry].sort_values("strike_price")
    return options["contract_code"].iloc[offset + 2]


def _margin(day: Day, code: str) -> int:
    contract = day.market.options.set_index("contract_code", drop=False).loc[code]
    return day.market.option_margin(contract, day.date)


def _set_option(day, stage, key, code, side, quantity, margin) -> None:
    day.emit(
        ev.OptionPositionSet,
        account_id=stage.accounts[key, "option"],
        contract_code=code,
        position_side=side,
        quantity=quantity,
        margin_amount=margin,
    )


def _open_funds(day: Day, stage: Stage) -> None:
    for key in (CANARY_KEY, "investor", "leaver", "fund_only", "product_one", "manager"):
        stage.open_member(day, key, "fund")
    stage.open_member(day, "silent", "fund", ta_account_id=None)
    for key, code, share_class, shares in (
        (CANARY_KEY, "000801", "A", 1_000_000),
        ("investor", "000802", "A", 2_000_000),
        ("investor", "000804", "C", 300_000),
        ("investor", "000806", "A", 50_000_000),
        ("investor", "SX0102", "A", 100_000_000),
        ("investor", "SYP001", "A", 20_000_000),
        ("investor", "000901", "A", 700_000),
        ("silent", "000805", "A", 400_000),
        ("fund_only", "000803", "C", 600_000),
        ("product_one", "SX0101", "A", 80_000_000),
        ("manager", "AM0001", "A", 90_000_000),
    ):
        account = stage.accounts[key, "fund"]
        day.emit(ev.FundHoldingMoved, account_id=account, product_code=code, share_class=share_class, quantity=shares)
    activity_fund.set_undistributed(day, stage.accounts["investor", "fund"], "000806", "A", 12_345)


def _open_relations(day: Day, stage: Stage) -> None:
    for line in ("normal", "credit", "option", "fund"):
        stage.relate(day, CANARY_KEY, line, {MOVING: WHOLE})
        stage.relate(day, "leaver", line, {LEAVING: WHOLE})
    for key in ("includes", "lender", "dividend", "winner", "renewed", "moved", "manager", "product_one"):
        stage.relate(day, key, "normal", {LEAVING: WHOLE})
    for key in ("excludes", "leveraged", "optioned"):
        stage.relate(day, key, "normal", {MOVING: 70_000_000, COLLEAGUE: 30_000_000})
    # Brought by two, whose parts of the pay leave some over.
    stage.relate(day, "foreign", "normal", {MOVING: 35_000_000, COLLEAGUE: 25_000_000}, relation_kind="development")
    stage.relate(day, "leveraged", "credit", {MOVING: 70_000_000, COLLEAGUE: 30_000_000})
    stage.relate(day, "optioned", "option", {COLLEAGUE: THIRD, MOVING: THIRD, LEAVING: THIRD})
    stage.relate(day, "split", "normal", {COLLEAGUE: THIRD, MOVING: THIRD, LEAVING: THIRD})
    stage.relate(day, "venues", "normal", {COLLEAGUE: HALF}, approved_date=None)
    stage.relate(day, "overshared", "normal", {COLLEAGUE: 80_000_000, MOVING: 40_000_000})
    stage.relate(day, "investor", "fund", {REMOVED: 50_000_000})


# ---------------------------------------------------------------- the days after


def act_on(day: Day, stage: Stage) -> None:
    """Everything the script has for this day; a run may be shorter or longer than it."""
    for action in _SCRIPT.get(day.index, ()):
        action(day, stage)
    if day.index > max(_SCRIPT):
        _trade_daily(day, stage)


def _trade_daily(day: Day, stage: Stage) -> None:
    """The fee cases of every day: floor not binding over partial fills, floor binding over partial fills."""
    for key in (CANARY_KEY, "includes", "excludes"):
        stage.trade(day, key, *SPREAD_STOCK, "buy", 2_000, fills=3)
        stage.trade(day, key, *SPREAD_STOCK, "sell", 1_500, fills=2)
        stage.trade(day, key, *CHEAP_STOCK, "buy", 300, fills=3)
    stage.trade(day, "split", *CHEAP_STOCK, "buy", 200)
    stage.trade(day, "overshared", *SPREAD_STOCK, "buy", 100)
    stage.trade(day, "unserved", *CHEAP_STOCK, "buy", 100)


def _trade_venues(day: Day, stage: Stage) -> None:
    business = "buy" if day.index % 2 else "sell"
    for exchange, code in (("BSE", "920001"), ("SSE", "510050"), ("SSE", "113050"), ("SZSE", "123050")):
        stage.trade(day, "venues", exchange, code, business, 500, fills=2)
    for exchange, code in (("SSE_B", "900901"), ("SZSE_B", "200011"), ("HK_SH", "00811")):
        stage.trade(day, "foreign", exchange, code, business, 200)


def _lend_money(day: Day, stage: Stage) -> None:
    exchange = "SSE" if day.index % 2 else "SZSE"
    account = np.array([stage.accounts["lender", "normal"]], dtype=object)
    holder = np.array([stage.holders["lender", exchange]], dtype=object)
    lend(day, account, holder, exchange, np.array([120]))


def _move_money(day: Day, stage: Stage) -> None:
    stage.move_cash(day, "moved", "normal", "bank_transfer_in", 1_000_000, bank="B03")
    stage.move_cash(day, "moved", "normal", "bank_transfer_out", -DEDUCTED_CENTS, bank="B03")
    stage.move_cash(day, "overdrawn", "normal", "interest", 1_234)
    stage.move_cash(day, "foreign", "normal", "bank_transfer_in", 100_000, "USD", "B04")
    stage.move_cash(day, "leveraged", "normal", "transfer_to_credit", -500_000)
    stage.move_cash(day, "leveraged", "credit", "transfer_from_normal", 500_000)
    stage.move_cash(day, "optioned", "normal", "transfer_to_option", -300_000)
    stage.move_cash(day, "optioned", "option", "transfer_from_normal", 300_000)
    day.emit(
        ev.CashFrozenSet,
        line="normal",
        account_id=stage.accounts["overdrawn", "auxiliary"],
        currency_code="CNY",
        frozen_amount=200_000,
    )


def _move_money_back(day: Day, stage: Stage) -> None:
    stage.move_cash(day, "leveraged", "credit", "transfer_to_normal", -200_000)
    stage.move_cash(day, "leveraged", "normal", "transfer_from_credit", 200_000)
    stage.move_cash(day, "optioned", "option", "transfer_to_normal", -100_000)
    stage.move_cash(day, "optioned", "normal", "transfer_from_option", 100_000)
    stage.move_cash(day, "leveraged", "credit", "bank_transfer_in", 300_000, bank="B02")
    stage.move_cash(day, "leveraged", "credit", "bank_transfer_out", -100_000, bank="B02")
    stage.move_cash(day, "leveraged", "credit", "interest", 777)


def _overdraw(day: Day, stage: Stage) -> None:
    """Tax is debited although the account is empty: the balance falls below zero and must be shown."""
    cash = day.state["cash"].set_index(["account_id", "currency_code"])["amount"]
    balance = int(cash[stage.accounts["overdrawn", "normal"], "CNY"])
    stage.move_cash(day, "overdrawn", "normal", "bank_transfer_out", -balance, bank="B01")
    stage.move_cash(day, "overdrawn", "normal", "dividend_tax", -1_234)


def _win(day: Day, stage: Stage, key: str, offer: tuple[str, str], shares: int, due: dt.date, paid_on=None) -> None:
    payable = shares * RIGHTS_PRICE_CENTS
    day.emit(
        ev.AllotmentSet,
        account_id=stage.accounts[key, "normal"],
        exchange_code=offer[0],
        security_code=offer[1],
        won_quantity=shares,
        issue_price=RIGHTS_PRICE_CENTS * 100,
        payable_amount=payable,
        paid_amount=payable if paid_on else 0,
        payment_due_date=due,
        paid_date=paid_on,
    )


def _forget_win(day: Day, stage: Stage, key: str, offer: tuple[str, str]) -> None:
    _forget(day, stage, key, offer, ev.AllotmentRemoved)


def _forget(day: Day, stage: Stage, key: str, offer: tuple[str, str], removed: type) -> None:
    exchange, code = offer
    day.emit(removed, account_id=stage.accounts[key, "normal"], exchange_code=exchange, security_code=code)


def _announce_winners(day: Day, stage: Stage) -> None:
    """Known on the evening of the draw, due on the next session."""
    due = day.session_in(1)
    _win(day, stage, "winner", IPO_STOCK, WON_SHARES, due)
    for offer in (IPO_STOCK, SECOND_OFFER):
        _win(day, stage, "misread", offer, MANY_SHARES, due)
    _forget_win(day, stage, "lender", OLD_OFFER)


def _give_quota(day: Day, stage: Stage, key: str, offer: tuple[str, str], shares: int, on: dt.date) -> None:
    day.emit(
        ev.SubscriptionQuotaSet,
        account_id=stage.accounts[key, "normal"],
        exchange_code=offer[0],
        security_code=offer[1],
        quota_quantity=shares,
        issue_price=BSE_PRICE_CENTS * 100,
        subscription_date=on,
    )


def _forget_quota(day: Day, stage: Stage, key: str, offer: tuple[str, str]) -> None:
    _forget(day, stage, key, offer, ev.SubscriptionQuotaRemoved)


def _announce_bse_offer(day: Day, stage: Stage) -> None:
    """To be subscribed in two days: one lacks the money for the whole quota, one has it."""
    _give_quota(day, stage, "venues", BSE_OFFER, 100_000, day.session_in(2))
    _give_quota(day, stage, "includes", BSE_OFFER, 100, day.session_in(2))
    _give_quota(day, stage, "venues", OTHER_QUOTA, 5_000_000, day.session_in(2))
    _forget_quota(day, stage, "lender", OTHER_QUOTA)


def _cut_bse_quota(day: Day, stage: Stage) -> None:
    """Fewer shares are offered: still more than there is money for."""
    _give_quota(day, stage, "venues", BSE_OFFER, 60_000, day.session_in(1))


def _end_bse_offer(day: Day, stage: Stage) -> None:
    for key, offer in (("venues", BSE_OFFER), ("includes", BSE_OFFER), ("venues", OTHER_QUOTA)):
        _forget_quota(day, stage, key, offer)


def _let_wins_lapse(day: Day, stage: Stage) -> None:
    for offer in (IPO_STOCK, SECOND_OFFER):
        _forget_win(day, stage, "misread", offer)


def _take_money_out(day: Day, stage: Stage) -> None:
    """Nine tenths of what they own: one of the two may be called about it."""
    for key in ("renewed", "misread_too"):
        stage.move_cash(day, key, "normal", "bank_transfer_out", -TAKEN_OUT_CENTS, bank="B01")


def _pay_for_won_shares(day: Day, stage: Stage) -> None:
    _win(day, stage, "winner", IPO_STOCK, WON_SHARES, day.date, paid_on=day.date)
    payment = WON_SHARES * RIGHTS_PRICE_CENTS
    stage.move_cash(day, "winner", "normal", "allotment_payment", -payment)
    stage.in_transit(day, "winner", "allotment", payment)


def _list_won_shares(day: Day, stage: Stage) -> None:
    payment = WON_SHARES * RIGHTS_PRICE_CENTS
    stage.in_transit(day, "winner", "allotment", -payment)
    stage.move_shares(day, "winner", *IPO_STOCK, "allotment", WON_SHARES, cost=payment)
    _forget_win(day, stage, "winner", IPO_STOCK)


def _move_collateral(day: Day, stage: Stage) -> None:
    """Shares go from the normal to the credit account of the same customer."""
    stage.move_shares(day, CANARY_KEY, *SPREAD_STOCK, "collateral_out", -500)
    stage.move_shares(day, CANARY_KEY, *SPREAD_STOCK, "collateral_in", 500, line="credit")


def _release_restricted(day: Day, stage: Stage) -> None:
    stage.move_shares(day, "dividend", "SSE", "600001", "restriction_released", 0, restricted=-1_000, cost=0)


# ------------------------------------------------------------ cases


def _open_cases(day: Day, stage: Stage) -> None:
    """The estate of "unpriced", whose account rests until the heirs are known, and a court's first order."""
    _set_element(day, stage, ESTATE, "cash", "unpriced", currency_code="CNY", amount=50_000_000)
    for place, (exchange, code) in enumerate((SUSPENDED_STOCK, DELISTED_STOCK, UNPRICED_STOCK), start=1):
        shares = {"exchange_code": exchange, "security_code": code, "quantity": 1_000}
        _set_element(day, stage, ESTATE, f"shares {place}", "unpriced", **shares)
    _order_deduction(day, stage, FIRST_ORDER, None)


def _order_deduction(day: Day, stage: Stage, case: str, executed: dt.date | None) -> None:
    amount = {"currency_code": "CNY", "amount": DEDUCTED_CENTS}
    _set_element(day, stage, case, "cash", "moved", executed_date=executed, **amount)


def _set_element(day: Day, stage: Stage, case: str, element: str, key: str, **values) -> None:
    nothing = {"currency_code": None, "amount": 0, "exchange_code": None, "security_code": None, "quantity": 0}
    day.emit(
        ev.CaseElementSet,
        case_id=case,
        element_id=element,
        case_kind="inheritance" if case == ESTATE else "judicial_deduction",
        account_id=stage.accounts[key, "normal"],
        **{**nothing, "executed_date": None, **values},
    )


def _execute_first_order(day: Day, stage: Stage) -> None:
    _order_deduction(day, stage, FIRST_ORDER, day.date)


def _close_first_case(day: Day, stage: Stage) -> None:
    day.emit(ev.CaseElementRemoved, case_id=FIRST_ORDER, element_id="cash")


def _open_second_case(day: Day, stage: Stage) -> None:
    _order_deduction(day, stage, SECOND_ORDER, None)


def _execute_second_order(day: Day, stage: Stage) -> None:
    _order_deduction(day, stage, SECOND_ORDER, day.date)


# ------------------------------------------------------------ funds


def _order_funds(day: Day, stage: Stage) -> None:
    """Purchases confirmed after one and after two sessions, a redemption paid after three."""
    fund, payer = _pair(stage, "investor", "fund"), _pair(stage, "investor", "normal")
    amounts = np.array([500_000])
    activity_fund.purchase(day, fund, payer, "000801", amounts)
    activity_fund.purchase(day, fund, payer, "000803", amounts * 2, business="periodic_purchase", confirm_in=2)
    activity_fund.redeem(day, fund, payer, "000802", np.array([400_000]), confirm_in=1, pay_in=3)
    activity_fund.redeem(day, fund, payer, "000804", np.array([300_000]), confirm_in=1, pay_in=2, share_class="C")
    canary_fund, canary_payer = _pair(stage, CANARY_KEY, "fund"), _pair(stage, CANARY_KEY, "normal")
    activity_fund.purchase(day, canary_fund, canary_payer, "000805", amounts)


def _subscribe_new_fund(day: Day, stage: Stage) -> None:
    fund, payer = _pair(stage, "investor", "fund"), _pair(stage, "investor", "normal")
    activity_fund.purchase(day, fund, payer, "000808", np.array([3_000_000]), business="subscription", confirm_in=2)


def _reinvest(day: Day, stage: Stage) -> None:
    activity_fund.reinvest_income(day, stage.accounts["investor", "fund"], "000806", "A", 12_345)


def _earn_income(day: Day, stage: Stage) -> None:
    activity_fund.set_undistributed(day, stage.accounts["investor", "fund"], "000806", "A", 2_500, frozen=1_000)


def _pair(stage: Stage, key: str, line: str) -> np.ndarray:
    return np.array([stage.accounts[key, line]], dtype=object)


# ------------------------------------------------------------ credit


def _borrow(day: Day, stage: Stage) -> None:
    generator = day.stream("cast leveraged")
    order = stage.order(day, "leveraged", *CHEAP_STOCK, "financing_buy", 5_000, 2, "credit")
    stage.financed = activity_credit.financing_buy(day, generator, order)[0]
    order = stage.order(day, "leveraged", *SPREAD_STOCK, "short_sell", 1_000, 2, "credit")
    stage.shorted = activity_credit.short_sell(day, generator, order)[0]
    stage.trade(day, "leveraged", *SPREAD_STOCK, "buy", 300, line="credit")


def _repay_part(day: Day, stage: Stage) -> None:
    fills = stage.trade(day, "leveraged", *CHEAP_STOCK, "sell_to_repay", 1_000, line="credit", contract=stage.financed)
    activity_credit.repay(day, fills.groupby("contract_id")["settlement_amount"].sum())
    stage.trade(day, "leveraged", *SPREAD_STOCK, "sell", 200, line="credit")


def _return_shares(day: Day, stage: Stage) -> None:
    order = stage.order(day, "leveraged", *SPREAD_STOCK, "buy_to_return", 1_000, 3, "credit", contract=stage.shorted)
    activity_credit.return_shares(day, day.stream("cast return"), order)


def _waive_interest(day: Day, stage: Stage) -> None:
    activity_credit.waive_interest(day, stage.accounts["watched", "credit"], 3)


def _repay_rest(day: Day, stage: Stage) -> None:
    contracts = day.state["credit_contracts"].set_index("contract_id")
    owed = contracts.loc[stage.financed]
    names = ("outstanding_principal_amount", "outstanding_fee_amount", "unpaid_interest_amount")
    activity_credit.repay(day, pd.Series({stage.financed: int(sum(owed[name] for name in names))}))


# ------------------------------------------------------------ agreed repurchase and pledge


def _open_repurchases(day: Day, stage: Stage) -> None:
    """One pledge in every tier, two of them of one customer, and shares sold to be bought back on the third day."""
    for key, security, quantity, ratio, natural_days, lines in (
        ("excludes", SPREAD_STOCK, 9_000, 220, 300, {}),
        ("includes", SPREAD_STOCK, 5_000, 160, 90, {"disposal_line": None}),
        ("includes", CHEAP_STOCK, 1_000, 250, 60, {}),
        ("venues", ("BSE", "920001"), 1_500, 140, 40, {}),
        ("dividend", ("SSE", "600001"), 3_000, 120, 12, {}),
    ):
        stage.lend(day, key, "pledge", security, quantity, ratio, natural_days, **lines)
    stage.lend(day, "split", "agreed_repurchase", SPREAD_STOCK, 2_000, 180, 30)


def _sell_to_buy_back(day: Day, stage: Stage) -> None:
    """Shares leave the account, money comes in: what the customer owns is what it was."""
    principal = stage.lend(day, CANARY_KEY, "agreed_repurchase", SPREAD_STOCK, 1_000, 200, 5)
    stage.move_shares(day, CANARY_KEY, *SPREAD_STOCK, "repurchase_out", -1_000)
    stage.move_cash(day, CANARY_KEY, "normal", "repurchase_drawn", principal)


def _give_missing_line(day: Day, stage: Stage) -> None:
    activity_repurchase.change(day, stage.lent["includes"][0], **activity_repurchase.LINES)


def _buy_back(day: Day, stage: Stage) -> None:
    owed = activity_repurchase.settle(day, stage.lent["split"][0])
    stage.move_shares(day, "split", *SPREAD_STOCK, "repurchase_in", int(owed["collateral_quantity"]))


# ------------------------------------------------------------ advice


def _open_advice(day: Day, stage: Stage) -> None:
    """Every way to pay for advice, and two managed portfolios; who advises is not known of all."""
    for key, product, adviser, model in (
        ("includes", "T01", COLLEAGUE, "front"),
        ("lender", "T02", None, "back"),
        ("venues", "T03", COLLEAGUE, "copy"),
    ):
        stage.advise(day, key, "advice", product, adviser, fee_model=model)
    stage.advise(day, "investor", "fund_advice", "G02", COLLEAGUE, portfolio_amount=1_500_000)
    stage.advise(day, "fund_only", "fund_advice", "G01", None, portfolio_amount=400_000)


def _charge_for_advice(day: Day, stage: Stage) -> None:
    stage.charge(day, "includes", "front", 9_900)
    stage.charge(day, "lender", "back", 2_345)
    stage.charge(day, "venues", "copy", 678)
    stage.charge(day, "investor", "portfolio", 123)


def _change_advice(day: Day, stage: Stage) -> None:
    """Advisers become known, a portfolio is revalued, one customer signs both kinds, one agreement is about to end."""
    activity_advice.change(day, stage.advised["lender"], adviser_employee_id=MOVING)
    activity_advice.change(day, stage.advised["fund_only"], adviser_employee_id=MOVING, portfolio_amount=390_000)
    stage.advise(day, CANARY_KEY, "advice", "T01", COLLEAGUE, fee_model="back")
    activity_advice.change(day, stage.advised["venues"], end_date=day.session_in(1))


def _end_advice(day: Day, stage: Stage) -> None:
    activity_advice.change(day, stage.advised["venues"], status="ended")
    stage.charge(day, CANARY_KEY, "back", 1_500)
    stage.advise(day, "newcomer", "fund_advice", "G03", COLLEAGUE, portfolio_amount=100_000)
    day.emit(ev.AdviceAgreementRemoved, line="fund_advice", agreement_id=stage.advised["fund_only"])
    day.emit(ev.AdviceAgreementRemoved, line="advice", agreement_id=stage.advised["lender"])


# ------------------------------------------------------------ options


def _open_option_sides(day: Day, stage: Stage) -> None:
    call = _series(day, "SSE", "call", 0, expiring=False)
    put = _series(day, "SSE", "put", -1, expiring=False)
    stage.trade_option(day, "optioned", call, "buy_open", "long", 5)
    stage.trade_option(day, "optioned", put, "sell_open", "short", 2, _margin(day, put))
    stage.trade_option(day, "optioned", _series(day, "SSE", "call", 2, expiring=False), "covered_open", "covered", 3)
    activity_option.set_margin(day, stage.accounts["optioned", "option"], 2 * _margin(day, put))


def _close_some_options(day: Day, stage: Stage) -> None:
    stage.trade_option(day, "optioned", _series(day, "SSE", "call", 0, expiring=False), "sell_close", "long", 2)
    stage.trade_option(day, "optioned", _series(day, "SSE", "call", 2, expiring=False), "covered_close", "covered", 1)


def _close_short_options(day: Day, stage: Stage) -> None:
    stage.trade_option(day, "optioned", _series(day, "SSE", "put", -1, expiring=False), "buy_close", "short", 2)
    activity_option.set_margin(day, stage.accounts["optioned", "option"], 0)


def _exercise(day: Day, stage: Stage) -> None:
    """The last day of the expiring series: a call is exercised, a put assigned; the shares come a session later."""
    call, put = _series(day, "SSE", "call", -2, expiring=True), _series(day, "SSE", "put", 2, expiring=True)
    stage.trade_option(day, "optioned", call, "exercise", "long", 2)
    stage.trade_option(day, "fund_only", put, "assignment", "short", 4)
    activity_option.set_margin(day, stage.accounts["fund_only", "option"], 0)
    strike = int(day.market.options.set_index("contract_code").loc[call, "strike_price"])
    cost = 2 * ETF_UNIT * strike // 100

    def deliver(later: Day) -> None:
        stage.move_cash(later, "optioned", "option", "option_exercise", -cost)
        stage.move_shares(later, "optioned", "SSE", "510050", "option_exercise", 2 * ETF_UNIT, cost=cost)

    day.later(1, deliver)


# ------------------------------------------------------------ who and whose


def _fill_in_missing(day: Day, stage: Stage) -> None:
    """What was empty gets a value: phones on every counter, risk level, manager, transfer-agent account, approval."""
    expiry = pd.Timestamp(day.date) + pd.Timedelta(days=730)
    stage.change_client(day, "silent", mobile_phone="13900000023", risk_level="C2", risk_test_expiry_date=expiry)
    for system in ("CRD", "OPT", "FND"):
        stage.change_client(day, "silent", system, mobile_phone="13900000023")
    stage.change_account(day, "silent", "fund", ta_account_id=day.take("transfer_agent", 1)[0])
    stage.change_client(day, "product_two", manager_client_number=stage.clients["manager", "NOR"])
    stage.relate(day, "venues", "normal", {COLLEAGUE: HALF})


def _change_records(day: Day, stage: Stage) -> None:
    number = "P99100016"
    stage.change_client(day, "renewed", identity_number=number, delivered_identity_number=number)
    stage.change_client(day, "moved", branch_id="0003", status="dormant")
    stage.change_account(day, "moved", "normal", branch_id="0003")
    stage.change_account(day, "called", "credit", call_line=1_400_000, branch_id="0002")
    stage.change_account(day, "optioned", "option", branch_id="0002")
    day.emit(ev.ClientRemoved, system="NOR", client_number=stage.clients["flickering", "NOR"])
    stage.open_holder(day, "includes", "BSE")
    stage.open_holder(day, "foreign", "SSE_B", status="frozen")
    account = stage.accounts["includes", "normal"]
    # A new rate counts from the next session; what stands in today's file must explain today's fills.
    stage.agree(day, account, "stock", "SSE", 15_000, 500, True, effective=day.session_in(1))
    stage.agree(day, stage.accounts["venues", "normal"], "stock", "SSE", 20_000, 500, False)


def _bring_back(day: Day, stage: Stage) -> None:
    stage.deliver_client(day, "flickering", stage.clients["flickering", "NOR"], open_date=dt.date(2019, 5, 6))
    stage.change_client(day, "moved", status="active")
    stage.open_holder(day, "includes", "BSE", status="closed", close_date=day.date)
    stage.deliver_client(day, "early_account", stage.clients["early_account", "NOR"])


def _open_account_before_client(day: Day, stage: Stage) -> None:
    """The account file is two days ahead of the client file: until then the account belongs to nobody known."""
    number = day.take("NOR", 1)[0]
    stage.clients["early_account", "NOR"] = number
    stage.open_account(day, "early_account", "normal", "NOR", number, "main", 800_000)
    stage.open_holder(day, "early_account", "SZSE")
    stage.agree(day, stage.accounts["early_account", "normal"], "stock", "SZSE", 25_000, 500, True)


def _trade_before_client(day: Day, stage: Stage) -> None:
    stage.trade(day, "early_account", *CHEAP_STOCK, "buy", 100)


def _welcome(day: Day, stage: Stage) -> None:
    stage.open_normal(day, "newcomer", 4_000_000)
    stage.open_member(day, "newcomer", "credit", 1_000_000)
    stage.open_member(day, "newcomer", "option", 1_000_000)
    stage.open_member(day, "newcomer", "fund")
    stage.relate(day, "newcomer", "normal", {COLLEAGUE: WHOLE}, effective_date=day.date, approved_date=day.date)


def _trade_newcomer(day: Day, stage: Stage) -> None:
    stage.trade(day, "newcomer", *CHEAP_STOCK, "buy", 400, fills=2)
    stage.trade(day, "newcomer", *CHEAP_STOCK, "buy", 200, line="credit")


def _charge_wrongly(day: Day, stage: Stage) -> None:
    """One order is charged three times what was agreed; another by the rate that ended yesterday, as the counter has not heard of the new one.

    Nor does it ever hear of it, or of what is agreed with the first account later.
    """
    day.broker.rates_not_heard |= {stage.accounts[key, "normal"] for key in ("overshared", "unserved")}
    order = stage.order(day, "overshared", *CHEAP_STOCK, "buy", 300)
    stage.fill(
        day, "overshared", order.assign(commission_rate=order["commission_rate"] * 3, minimum_commission_amount=1_500)
    )
    order = stage.order(day, "unserved", *CHEAP_STOCK, "buy", 300)
    account, rate, is_inside = (order[name][0] for name in ("account_id", "commission_rate", "includes_regulatory_fee"))
    emit_rates(day, account, "stock", CHEAP_STOCK[0], day.date, rate // 2, 0, is_inside)
    stage.fill(day, "unserved", order)


def _agree_preferential_rates(day: Day, stage: Stage) -> None:
    """A lower rate from tomorrow on, and one for funds that does not even pay the regulatory fees."""
    account, place = stage.accounts["split", "normal"], ("stock", CHEAP_STOCK[0])
    emit_rates(day, account, *place, day.session_in(1), PREFERENTIAL_RATE, 0, True)
    emit_rates(day, stage.accounts["overshared", "normal"], "fund", "SZSE", day.date, 3_000, 0, True)


def _end_preferential_rate(day: Day, stage: Stage) -> None:
    """The lower rate is said to end with this day."""
    emit_rates(
        day, stage.accounts["split", "normal"], "stock", CHEAP_STOCK[0], day.date, PREFERENTIAL_RATE, 0, True, day.date
    )


def _charge_ended_rate(day: Day, stage: Stage) -> None:
    """The counter has not heard that the lower rate is over."""
    order = stage.order(day, "split", *CHEAP_STOCK, "buy", 400)
    stage.fill(day, "split", order.assign(commission_rate=PREFERENTIAL_RATE, minimum_commission_amount=0))


def _drop_securities_account(day: Day, stage: Stage) -> None:
    day.emit(
        ev.SecuritiesAccountRemoved,
        securities_account_id=stage.holders["includes", "BSE"],
        exchange_code="BSE",
    )
    day.emit(
        ev.AgreedRateRemoved,
        account_id=stage.accounts["venues", "normal"],
        product_class="stock",
        exchange_code="SZSE",
        effective_date=dt.date(2024, 1, 2),
    )


def _change_relations(day: Day, stage: Stage) -> None:
    stage.unrelate(day, "split", "normal", LEAVING)
    stage.relate(day, "split", "normal", {COLLEAGUE: 70_000_000, MOVING: 30_000_000}, effective_date=day.date)
    stage.relate(day, "unserved", "normal", {COLLEAGUE: WHOLE}, effective_date=day.session_in(2), approved_date=None)
    stage.unrelate(day, "investor", "fund", REMOVED)


def _sell_out(day: Day, stage: Stage) -> None:
    """A position sold to the last share, another bought for the first time."""
    stage.trade(day, "excludes", *CHEAP_STOCK, "sell", 3_600, fills=2)
    stage.trade(day, "leveraged", "SSE", "600001", "buy", 200, line="credit")
    stage.trade(day, "dividend", "SSE", "600002", "buy", 100)


def _sell_collateral(day: Day, stage: Stage) -> None:
    stage.trade(day, "leveraged", "SSE", "600001", "sell", 200, line="credit")


def _leave(day: Day, stage: Stage) -> None:
    stage.close_everything(day, "leaver")


_SCRIPT = {
    1: (
        _trade_daily,
        _trade_venues,
        _lend_money,
        _move_money,
        _order_funds,
        _borrow,
        _open_option_sides,
        _open_account_before_client,
        _execute_first_order,
        _announce_winners,
        _announce_bse_offer,
        _charge_for_advice,
        _charge_wrongly,
        _agree_preferential_rates,
    ),
    2: (
        _trade_daily,
        _trade_venues,
        _lend_money,
        _move_money_back,
        _pay_for_won_shares,
        _subscribe_new_fund,
        _repay_part,
        _waive_interest,
        _close_some_options,
        _fill_in_missing,
        _change_records,
        _trade_before_client,
        _sell_to_buy_back,
        _give_missing_line,
        _change_advice,
        _welcome,
        _sell_out,
        _leave,
        _take_money_out,
        _cut_bse_quota,
        _end_preferential_rate,
    ),
    3: (
        _trade_daily,
        _trade_newcomer,
        _overdraw,
        _release_restricted,
        _move_collateral,
        _reinvest,
        _return_shares,
        _close_short_options,
        _exercise,
        _bring_back,
        _change_relations,
        _sell_collateral,
        _close_first_case,
        _charge_ended_rate,
        _buy_back,
        _end_advice,
        _let_wins_lapse,
    ),
    IPO_LISTED_DAY: (
        _trade_daily,
        _lend_money,
        _list_won_shares,
        _end_bse_offer,
        _earn_income,
        _repay_rest,
        _drop_securities_account,
        _open_second_case,
    ),
    5: (_trade_daily, _trade_venues, _lend_money, _move_money, _execute_second_order),
}
