"""Trades, fees and net commission of a day, and their attribution to employees and branches by month."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from simulator import events
from simulator.truth_market import Market
from simulator.truth_money import CENT, ZERO, plus
from simulator.truth_state import AccountKey, BrokerState

UNASSIGNED = "unassigned"


class Fees(NamedTuple):
    """CNY sums over fills, in the order of `FEE_COLUMNS`."""

    turnover: Decimal = ZERO
    gross_commission: Decimal = ZERO
    stamp_duty: Decimal = ZERO
    transfer_fee: Decimal = ZERO
    handling_fee: Decimal = ZERO
    regulatory_fee: Decimal = ZERO
    other_fee: Decimal = ZERO
    net_commission: Decimal = ZERO

    plus = plus


def fees_by_account(event_log: events.EventLog, business_date: dt.date, market: Market) -> dict[AccountKey, Fees]:
    """Fees of the day's fills; an account without a fill is absent."""
    sums: dict[AccountKey, Fees] = {}
    for fill in event_log.events_of(business_date, events.TradeFilled):
        key = (fill.line, fill.account_id)
        sums[key] = sums.get(key, Fees()).plus(fees_of_trade(fill, market))
    for fill in event_log.events_of(business_date, events.OptionTradeFilled):
        key = ("option", fill.account_id)
        sums[key] = sums.get(key, Fees()).plus(fees_of_option_trade(fill, market))
    return sums


def fees_of_trade(fill: events.TradeFilled, market: Market) -> Fees:
    """Each component is converted on its own, then added. Stamp duty is on neither side of net commission."""

    def cny(amount: Decimal) -> Decimal:
        return market.to_cny(amount, fill.currency_code)

    commission, transfer_fee = cny(fill.commission_amount), cny(fill.transfer_fee_amount)
    other_fee = cny(fill.order_fee_amount) + cny(fill.other_fee_amount)
    handling_fee = cny(fill.exchange_handling_fee_amount)
    regulatory_fee = cny(fill.exchange_regulatory_fee_amount)
    paid_on = (
        handling_fee
        + regulatory_fee
        + cny(fill.exchange_transfer_fee_amount)
        + cny(fill.exchange_settlement_fee_amount)
        + cny(fill.exchange_other_fee_amount)
    )
    return Fees(
        turnover=cny(fill.turnover_amount),
        gross_commission=commission,
        stamp_duty=cny(fill.stamp_duty_amount),
        transfer_fee=transfer_fee,
        handling_fee=handling_fee,
        regulatory_fee=regulatory_fee,
        other_fee=other_fee,
        net_commission=commission + other_fee + transfer_fee - paid_on,
    )


def fees_of_option_trade(fill: events.OptionTradeFilled, market: Market) -> Fees:
    commission = market.to_cny(fill.commission_amount, fill.currency_code)
    handling_fee = market.to_cny(fill.exchange_handling_fee_amount, fill.currency_code)
    settlement_fee = market.to_cny(fill.exchange_settlement_fee_amount, fill.currency_code)
    return Fees(
        turnover=market.to_cny(fill.turnover_amount, fill.currency_code),
        gross_commission=commission,
        handling_fee=handling_fee,
        net_commission=commission - handling_fee - settlement_fee,
    )


def pay_ratios(
    state: BrokerState, keys: Iterable[AccountKey], slice_date: dt.date
) -> dict[AccountKey, list[tuple[str, Decimal]]]:
    """(employee, ratio) of each account, sorted, from the relation slice the state is at (`slice_date`)."""
    return {
        key: sorted(
            (relation.employee_id, relation.pay_ratio)
            for relation in state.relations.get(key, {}).values()
            if relation.effective_date <= slice_date
        )
        for key in keys
    }


def split_cents(amount: Decimal, ratios: list[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Split an amount over employees, and `unassigned` for what the ratios leave, to the last cent."""
    rest = 1 - sum(ratio for _, ratio in ratios)
    if rest < 0:
        return {UNASSIGNED: amount}
    parties = [*sorted(ratios), (UNASSIGNED, rest)]
    cents = abs(amount) / CENT
    floors = [int(cents * ratio) for _, ratio in parties]
    fractions = [cents * ratio - floor for (_, ratio), floor in zip(parties, floors, strict=True)]
    # Stable sort: equal fractions keep the order of employee ids, unassigned last.
    by_fraction = sorted(range(len(parties)), key=lambda index: -fractions[index])
    for index in by_fraction[: int(cents) - sum(floors)]:
        floors[index] += 1
    signed_cent = CENT if amount >= 0 else -CENT
    return {employee_id: floor * signed_cent for (employee_id, _), floor in zip(parties, floors, strict=True)}


class CommissionMonths:
    """Attributed sums by month; a row whose every figure is zero is left out."""

    def __init__(self) -> None:
        self._of_employee: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO] * 3)
        self._of_branch: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO] * 2)

    def add_day(
        self,
        business_date: dt.date,
        state: BrokerState,
        fees: dict[AccountKey, Fees],
        ratios: dict[AccountKey, list[tuple[str, Decimal]]],
    ) -> None:
        """`state`: the end of the trade date, for branches. `ratios`: of the slice one trading day before."""
        month = f"{business_date:%Y-%m}"
        for key, sums in fees.items():
            gross = split_cents(sums.gross_commission, ratios[key])
            net = split_cents(sums.net_commission, ratios[key])
            turnover = split_cents(sums.turnover, ratios[key])
            for employee_id in net:
                of_employee = self._of_employee[month, employee_id]
                for column, shares in enumerate((gross, net, turnover)):
                    of_employee[column] += shares[employee_id]
                branch_id = state.employee_branches.get(employee_id, UNASSIGNED)
                self._of_branch[month, branch_id][0] += net[employee_id]
            account_branch_id = state.branch_of_account(key) or UNASSIGNED
            self._of_branch[month, account_branch_id][1] += sums.net_commission

    def employee_rows(self) -> list[tuple]:
        return [(*key, *sums) for key, sums in sorted(self._of_employee.items()) if any(sums)]

    def branch_rows(self) -> list[tuple]:
        return [(*key, *sums) for key, sums in sorted(self._of_branch.items()) if any(sums)]
