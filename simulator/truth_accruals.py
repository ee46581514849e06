"""What the passing of time earns: interest on lent money and trailing fees of funds, natural day by natural day."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator import events
from simulator.truth_customers import CustomersOfDay
from simulator.truth_income import INTEREST_KINDS
from simulator.truth_market import Market
from simulator.truth_money import CENT, ZERO, round_to_cent
from simulator.truth_state import AccountKey, BrokerState

DAYS_IN_YEAR = 365
FUNDS = ("equity_fund", "bond_fund", "money_fund")
NEW_RULE_FROM = dt.date(2026, 1, 1)

Key = tuple[AccountKey, str, str]
"""(account, accrual kind, product kind)"""


class Accrual(NamedTuple):
    """Of one natural day. unpaid: at the end of a trading day, None on other days and where nothing is collected."""

    accrued: Decimal
    collected: Decimal = ZERO
    unpaid: Decimal | None = None


class RunningAccruals:
    """What every account owed and held at the end of the last applied day."""

    def __init__(self) -> None:
        self._unpaid: dict[Key, Decimal] = {}
        self._yearly_fees: dict[tuple[AccountKey, str], Decimal] = {}

    def rows_of_day(
        self,
        event_log: events.EventLog,
        business_date: dt.date,
        previous_date: dt.date | None,
        state: BrokerState,
        market: Market,
        customers: CustomersOfDay,
    ) -> list[tuple]:
        """(date, natural day, line, account, accrual kind, product kind, customer, accrued, collected, unpaid), sorted.

        `state`: at the end of the day. Call it on every day, the baseline included, which has no rows.
        """
        unpaid_before, fees_before = self._unpaid, self._yearly_fees
        self._unpaid = _unpaid_interest(state)
        self._yearly_fees = _yearly_fees(event_log, business_date, state, market)
        if previous_date is None:
            return []
        natural_days = [
            previous_date + dt.timedelta(days=passed) for passed in range(1, (business_date - previous_date).days + 1)
        ]
        found: dict[tuple[dt.date, Key], Accrual] = {}
        collected = _collected_interest(event_log, business_date, market)
        waived = _waived_interest(event_log, business_date)
        for key in {*unpaid_before, *self._unpaid, *collected}:
            unpaid, paid = self._unpaid.get(key, ZERO), collected.get(key, ZERO)
            accrued = unpaid - unpaid_before.get(key, ZERO) + paid + waived.get(key, ZERO)
            for day, part in zip(natural_days, _spread(accrued, len(natural_days)), strict=True):
                found[day, key] = Accrual(part, paid, unpaid) if day == business_date else Accrual(part)
        for day in natural_days:
            fees = self._yearly_fees if day == business_date else fees_before
            for (account, product_kind), yearly in fees.items():
                ratio = _trailing_ratio(day, product_kind, _kind_of_customer(account, customers))
                found[day, (account, "trailing_fee", product_kind)] = Accrual(
                    round_to_cent(yearly * ratio / DAYS_IN_YEAR)
                )
        return sorted(
            (business_date, day, *account, kind, product_kind, customers.customer_of_account.get(account), *accrual)
            for (day, (account, kind, product_kind)), accrual in found.items()
            if any(accrual)
        )


def _unpaid_interest(state: BrokerState) -> dict[Key, Decimal]:
    sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for kind, table in (("margin_interest", state.contracts), ("repurchase_interest", state.repurchases)):
        for account, contracts in table.items():
            for contract in contracts.values():
                sums[account, kind, "lent_money"] += contract.unpaid_interest_amount
    return dict(sums)


def _collected_interest(event_log: events.EventLog, business_date: dt.date, market: Market) -> dict[Key, Decimal]:
    sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for moved in event_log.events_of(business_date, events.CashMoved):
        if kind := INTEREST_KINDS.get(moved.business):
            key = ((moved.line, moved.account_id), kind, "lent_money")
            sums[key] -= market.to_cny(moved.amount, moved.currency_code)
    return dict(sums)


def _waived_interest(event_log: events.EventLog, business_date: dt.date) -> dict[Key, Decimal]:
    """Only what a contract says that is still there."""
    last = {contract.contract_id: contract for contract in event_log.events_of(business_date, events.CreditContractSet)}
    for removed in event_log.events_of(business_date, events.CreditContractRemoved):
        last.pop(removed.contract_id, None)
    sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for contract in last.values():
        sums[("credit", contract.account_id), "margin_interest", "lent_money"] += contract.waived_interest_amount
    return dict(sums)


def _yearly_fees(
    event_log: events.EventLog, business_date: dt.date, state: BrokerState, market: Market
) -> dict[tuple[AccountKey, str], Decimal]:
    """Management fees of a year on what every account holds, by kind of fund, exact."""
    products = {
        product.product_code: product for product in event_log.events_of(business_date, events.FundProductPublished)
    }
    sums: dict[tuple[AccountKey, str], Decimal] = defaultdict(Decimal)
    for account, quantities in state.fund_quantities.items():
        incomes = state.fund_incomes.get(account, {})
        for code, share_class in {*quantities, *incomes}:
            product = products.get(code)
            if product is None or not product.management_fee_rate:
                continue
            quantity, income = quantities.get((code, share_class), ZERO), incomes.get((code, share_class), ZERO)
            value = market.value_of_fund(code, quantity, income)
            sums[account, product.product_kind] += value * product.management_fee_rate
    return dict(sums)


def _kind_of_customer(account: AccountKey, customers: CustomersOfDay) -> str | None:
    customer_id = customers.customer_of_account.get(account)
    return customers.profiles[customer_id].customer_kind if customer_id else None


def _trailing_ratio(day: dt.date, product_kind: str, customer_kind: str | None) -> Decimal:
    """Who is no person, or nobody knows, is taken for an institution."""
    if product_kind not in FUNDS:
        return ZERO
    if customer_kind == "person":
        return Decimal("0.50")
    return Decimal("0.15") if day >= NEW_RULE_FROM and product_kind != "equity_fund" else Decimal("0.30")


def _spread(amount: Decimal, count: int) -> Iterator[Decimal]:
    """The same on each of `count` days, the cents left over on the first of them."""
    cents, left_over = divmod(int(abs(amount) / CENT), count)
    sign = -1 if amount < 0 else 1
    return (sign * (cents + (place < left_over)) * CENT for place in range(count))
