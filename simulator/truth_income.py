"""What the broker earns from each account on a day, by kind; and advice, which is one of the kinds."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator import events
from simulator.truth_commission import Fees
from simulator.truth_customers import CustomersOfDay
from simulator.truth_market import Market
from simulator.truth_money import ZERO, total_of
from simulator.truth_performance import Income, IncomeKey
from simulator.truth_state import LINE_OF_ADVISED_ACCOUNT, AccountKey, BrokerState

# From this day on what is charged for a redemption belongs to the fund.
REDEMPTION_FEE_IS_FUND_ASSET_FROM = dt.date(2026, 1, 1)
INTEREST_KINDS = {
    "financing_interest_paid": "margin_interest",
    "short_interest_paid": "margin_interest",
    "repurchase_interest_paid": "repurchase_interest",
}


class Advice(NamedTuple):
    """What all accounts of a customer are advised on."""

    agreement_count: int
    next_end_date: dt.date | None
    fund_amount: Decimal


def sum_agreements(state: BrokerState, keys: list[AccountKey]) -> Advice:
    """`keys`: the customer's accounts. Only agreements that have not ended count."""
    active = [
        agreement
        for key in keys
        for agreement in state.agreements.get(key, {}).values()
        if agreement.status == "active"
    ]
    return Advice(
        len(active),
        min((agreement.end_date for agreement in active if agreement.end_date), default=None),
        total_of(agreement.portfolio_amount for agreement in active),
    )


class RunningAdviceFees:
    """Advice fees of each customer since the later of the year's first day and the opening baseline."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, str], Decimal] = defaultdict(lambda: ZERO)
        self._year = 0

    def add_day(self, event_log: events.EventLog, business_date: dt.date, customers: CustomersOfDay) -> None:
        self._year = business_date.year
        for fee in event_log.events_of(business_date, events.AdviceFeeConfirmed):
            key = (LINE_OF_ADVISED_ACCOUNT[fee.line], fee.account_id)
            if customer_id := customers.customer_of_account.get(key):
                self._sums[self._year, customer_id] += fee.amount

    def of_year(self, customer_id: str) -> Decimal:
        return self._sums.get((self._year, customer_id), ZERO)


def incomes_by_account(
    event_log: events.EventLog, business_date: dt.date, market: Market, fees: dict[AccountKey, Fees]
) -> dict[IncomeKey, Income]:
    """Everything that is earned on a day, with what is taken from it."""
    sums: dict[IncomeKey, Income] = defaultdict(Income)
    for key, income in _incomes(event_log, business_date, market, fees):
        sums[key] = sums[key].plus(income)
    return {key: income.with_deductions(key[-1]) for key, income in sums.items()}


def _incomes(
    event_log: events.EventLog, business_date: dt.date, market: Market, fees: dict[AccountKey, Fees]
) -> Iterator[tuple[IncomeKey, Income]]:
    for key, amounts in fees.items():
        yield (key, key[0], "commission"), Income(amounts.turnover, amounts.gross_commission, amounts.net_commission)
    for moved in event_log.events_of(business_date, events.CashMoved):
        if kind := INTEREST_KINDS.get(moved.business):
            amount = -market.to_cny(moved.amount, moved.currency_code)
            yield ((moved.line, moved.account_id), moved.line, kind), Income(gross=amount, net=amount)
    for confirmed in event_log.events_of(business_date, events.FundConfirmed):
        is_lost = confirmed.business == "redemption" and business_date >= REDEMPTION_FEE_IS_FUND_ASSET_FROM
        net = ZERO if is_lost else confirmed.agency_fee_amount
        yield (("fund", confirmed.account_id), "fund", "product_fee"), Income(gross=confirmed.charge_amount, net=net)
    for fee in event_log.events_of(business_date, events.AdviceFeeConfirmed):
        account = (LINE_OF_ADVISED_ACCOUNT[fee.line], fee.account_id)
        yield (account, fee.line, f"advice_{fee.fee_kind}"), Income(gross=fee.amount, net=fee.amount)
