"""Incomes with what is taken from them, split over employees, by employee, branch and month."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator.truth_commission import UNASSIGNED, split_cents
from simulator.truth_customers import CustomersOfDay
from simulator.truth_money import ZERO, plus, round_to_cent
from simulator.truth_service import CustomerDay
from simulator.truth_state import AccountKey, BrokerState

IncomeKey = tuple[AccountKey, str, str]
"""(account, business line, income kind)"""

Ratios = dict[AccountKey, list[tuple[str, Decimal]]]

VAT_DIVISOR = Decimal("1.06")
PROTECTION_FUND_SHARE = Decimal("0.005")
FUNDING_COST_SHARE = Decimal("0.45")
LENT_MONEY = ("margin_interest", "repurchase_interest")
KIND_COLUMNS = (("commission",), LENT_MONEY, ("product_fee",))


class Income(NamedTuple):
    """CNY, in the order of the columns; what is left after deductions follows from them."""

    turnover: Decimal = ZERO
    gross: Decimal = ZERO
    net: Decimal = ZERO
    vat: Decimal = ZERO
    protection_fund: Decimal = ZERO
    funding_cost: Decimal = ZERO

    plus = plus

    def with_deductions(self, income_kind: str) -> Income:
        return self._replace(
            vat=self.net - round_to_cent(self.net / VAT_DIVISOR),
            protection_fund=round_to_cent(self.net * PROTECTION_FUND_SHARE),
            funding_cost=round_to_cent(self.net * FUNDING_COST_SHARE) if income_kind in LENT_MONEY else ZERO,
        )

    @property
    def after_deductions(self) -> Decimal:
        return self.net - self.vat - self.protection_fund - self.funding_cost

    def cells(self) -> tuple[Decimal, ...]:
        return (*self, self.after_deductions)


def customer_rows(
    incomes: dict[IncomeKey, Income], business_date: dt.date, customers: CustomersOfDay
) -> Iterator[tuple]:
    """(date, customer, line, kind, amounts), sorted; an account without a customer counts to the empty one."""
    sums: dict[tuple[str, str, str], Income] = defaultdict(Income)
    for (account, line, kind), income in incomes.items():
        key = (customers.customer_of_account.get(account) or "", line, kind)
        sums[key] = sums[key].plus(income)
    return ((business_date, *key, *income.cells()) for key, income in sorted(sums.items()))


class Served(NamedTuple):
    """A customer of the last day with what else counts of its month. brought: money in less money out."""

    day: CustomerDay
    month_average: Decimal
    brought: Decimal


class PerformanceMonths:
    """What each employee and branch earned on a day, and each employee in the month so far."""

    def __init__(self) -> None:
        self._month = ""
        self._of_employee: dict[str, dict[str, Income]] = {}
        self._of_day: dict[str, Decimal] = {}
        self._branches: dict[str, str] = {}
        self._last_rows: dict[str, list[tuple]] = {}
        self._last_unit_rows: dict[str, list[tuple]] = {}

    def add_day(
        self,
        business_date: dt.date,
        relation_date: dt.date,
        state: BrokerState,
        customers: CustomersOfDay,
        incomes: dict[IncomeKey, Income],
        ratios: Ratios,
    ) -> tuple[list[tuple], list[tuple], list[tuple]]:
        """Rows of shares, of employees and of branches for the day. `state`: the end of the day, for branches.

        relation_date: the slice the ratios are of.
        """
        if self._month != f"{business_date:%Y-%m}":
            self._month, self._of_employee, self._branches = f"{business_date:%Y-%m}", {}, {}
        self._of_day = defaultdict(lambda: ZERO)
        shares: list[tuple] = []
        by_employee: dict[tuple[str, str, str, str], Income] = defaultdict(Income)
        by_branch: dict[tuple[str, str, str], tuple[Income, Decimal]] = defaultdict(lambda: (Income(), ZERO))
        for (account, line, kind), income in incomes.items():
            for employee_id, ratio, share in split_income(income, ratios[account]):
                branch_id = state.employee_branches.get(employee_id, UNASSIGNED)
                owner = (*account, customers.customer_of_account.get(account))
                shares.append(
                    (business_date, employee_id, branch_id, *owner, line, kind, relation_date, ratio, *share.cells())
                )
                key = (employee_id, branch_id, line, kind)
                by_employee[key] = by_employee[key].plus(share)
                total, of_accounts = by_branch[branch_id, line, kind]
                by_branch[branch_id, line, kind] = (total.plus(share), of_accounts)
                self._add_to_month(employee_id, branch_id, kind, share)
                self._of_day[employee_id] += share.after_deductions
            branch_id = state.branch_of_account(account) or UNASSIGNED
            total, of_accounts = by_branch[branch_id, line, kind]
            by_branch[branch_id, line, kind] = (total, of_accounts + income.net)
        employee_rows = [(business_date, *key, *income.cells()) for key, income in sorted(by_employee.items())]
        branch_rows = [(business_date, *key, *total.cells(), net) for key, (total, net) in sorted(by_branch.items())]
        return sorted(shares, key=lambda row: [str(cell) for cell in row[:8]]), employee_rows, branch_rows

    def _add_to_month(self, employee_id: str, branch_id: str, kind: str, share: Income) -> None:
        kinds = self._of_employee.setdefault(employee_id, {})
        kinds[kind] = kinds.get(kind, Income()).plus(share)
        self._branches[employee_id] = branch_id

    def close_day(self, business_date: dt.date, state: BrokerState, customers: Iterable[Served]) -> None:
        """Keep the month so far with the customers of its last day."""
        served: dict[str, list[Served]] = defaultdict(list)
        of_branch: dict[str, list[Served]] = defaultdict(list)
        for customer in customers:
            served[customer.day.profile.main_staff_employee_id or UNASSIGNED].append(customer)
            of_branch[customer.day.profile.branch_id or UNASSIGNED].append(customer)
        known = {
            employee_id: state.employee_branches.get(employee_id) or self._branches.get(employee_id) or UNASSIGNED
            for employee_id in {*self._of_employee, *served, *self._asked(state, "employee")}
        }
        sums = {employee_id: _sum_kinds(self._of_employee.get(employee_id, {})) for employee_id in known}
        of_month = {employee_id: total.after_deductions for employee_id, (total, _) in sums.items()}
        of_day = {employee_id: self._of_day[employee_id] for employee_id in known}
        rows = []
        for employee_id, branch_id in sorted(known.items()):
            total, by_kind = sums[employee_id]
            ranks = (rank for earned in (of_month, of_day) for rank in _ranks(employee_id, earned, known))
            rows.append(
                (self._month, employee_id, branch_id, *total[:3], *by_kind, *total[3:], total.after_deductions, of_day[employee_id], *ranks,
                 *_served_cells(business_date, served[employee_id]), *self._targets(state, "employee", employee_id))
            )  # fmt: skip
        self._last_rows[self._month] = rows
        for branch_id in self._asked(state, "branch"):
            of_branch.setdefault(branch_id, [])
        kinds_of_branch: dict[str, list[dict[str, Income]]] = defaultdict(list)
        for employee_id, branch_id in known.items():
            kinds_of_branch[branch_id].append(self._of_employee.get(employee_id, {}))
        self._last_unit_rows[self._month] = [
            (self._month, *key, *_unit_cells(business_date, *unit), *self._targets(state, *key))
            for key, unit in sorted(_units(state.branch_regions, kinds_of_branch, of_branch).items())
        ]

    def _asked(self, state: BrokerState, unit_level: str) -> list[str]:
        return [unit_id for month, level, unit_id in state.targets if (month, level) == (self._month, unit_level)]

    def _targets(self, state: BrokerState, unit_level: str, unit_id: str) -> tuple[Decimal | None, ...]:
        """Of the month: income, inflow, new customers; None where nothing is asked."""
        target = state.targets.get((self._month, unit_level, unit_id))
        return target[3:] if target else (None, None, None)

    def month_rows(self) -> list[tuple]:
        """Every month as it stood on its last day."""
        return [row for _, rows in sorted(self._last_rows.items()) for row in rows]

    def unit_rows(self) -> list[tuple]:
        """The same of branches, regions and the firm."""
        return [row for _, rows in sorted(self._last_unit_rows.items()) for row in rows]


def split_income(income: Income, ratios: list[tuple[str, Decimal]]) -> Iterator[tuple[str, Decimal, Income]]:
    """Each party's ratio and part, every amount split on its own; who has nothing to get by the ratios is left out."""
    total = sum((ratio for _, ratio in ratios), Decimal("0.00000000"))
    parties = list(ratios) if total <= 1 else []
    if total != 1:
        parties.append((UNASSIGNED, 1 - total if total < 1 else Decimal("1.00000000")))
    parts = [split_cents(amount, ratios) for amount in income]
    return ((party, ratio, Income(*(part[party] for part in parts))) for party, ratio in parties)


def _sum_kinds(kinds: dict[str, Income]) -> tuple[Income, list[Decimal]]:
    total = Income()
    for income in kinds.values():
        total = total.plus(income)
    by_kind = [sum((kinds[name].net for name in names if name in kinds), ZERO) for names in KIND_COLUMNS]
    return total, [*by_kind, sum((income.net for kind, income in kinds.items() if kind.startswith("advice_")), ZERO)]


def _ranks(employee_id: str, earned: dict[str, Decimal], branches: dict[str, str]) -> tuple[int | None, int | None]:
    """Places in the branch and in the firm; none for what nobody earned."""
    if employee_id == UNASSIGNED:
        return None, None
    others = {other: amount for other, amount in earned.items() if other != UNASSIGNED}
    peers = [amount for other, amount in others.items() if branches[other] == branches[employee_id]]
    return _rank(earned[employee_id], peers), _rank(earned[employee_id], others.values())


def _rank(amount: Decimal, among: Iterable[Decimal]) -> int:
    return 1 + sum(other > amount for other in among)


def _units(
    regions: dict[str, str], kinds_of_branch: dict[str, list[dict[str, Income]]], of_branch: dict[str, list[Served]]
) -> dict[tuple[str, str], tuple[list[dict[str, Income]], list[Served]]]:
    """(level, unit) → what was earned there by kind, employee by employee, and whose customers are there."""
    units: dict[tuple[str, str], tuple[list[dict[str, Income]], list[Served]]] = defaultdict(lambda: ([], []))
    for branch_id in {*kinds_of_branch, *of_branch}:
        for key in (("branch", branch_id), ("region", regions.get(branch_id, UNASSIGNED)), ("firm", "firm")):
            earned, customers = units[key]
            earned.extend(kinds_of_branch.get(branch_id, ()))
            customers.extend(of_branch.get(branch_id, ()))
    return units


def _unit_cells(business_date: dt.date, earned: list[dict[str, Income]], customers: list[Served]) -> tuple:
    kinds: dict[str, Income] = defaultdict(Income)
    for one in earned:
        for kind, income in one.items():
            kinds[kind] = kinds[kind].plus(income)
    total, by_kind = _sum_kinds(kinds)
    covered = sum(customer.day.profile.main_staff_employee_id is not None for customer in customers)
    counts = _served_cells(business_date, customers)
    return (*total[:3], *by_kind, *total[3:], total.after_deductions, *counts[:4], covered, *counts[4:])


def _served_cells(business_date: dt.date, served: list[Served]) -> tuple:
    month = (business_date.year, business_date.month)
    return (
        len(served),
        sum((day.profile.open_date.year, day.profile.open_date.month) == month for day, *_ in served),
        sum(day.standing.is_valid_customer for day, *_ in served),
        sum(day.standing.life_cycle == "lost" for day, *_ in served),
        sum((day.assets.total for day, *_ in served), ZERO),
        sum((customer.month_average for customer in served), ZERO),
        sum((customer.brought for customer in served), ZERO),
    )
