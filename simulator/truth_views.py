"""Incomes by who brought an account, who serves it and whose broker's client it is: each view the whole firm."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from simulator.truth_commission import UNASSIGNED
from simulator.truth_performance import Income, IncomeKey, Ratios, split_income
from simulator.truth_state import AccountKey, BrokerState

VIEWS = ("broker", "development", "service")
_LAST_PLACE = Decimal("0.00000001")


def view_ratios(state: BrokerState, accounts: Iterable[AccountKey], slice_date: dt.date) -> dict[str, Ratios]:
    """Of every view and account (employee, part of the whole), sorted; no row where nobody has such a relation."""
    found: dict[str, Ratios] = {view: {} for view in VIEWS}
    for account in accounts:
        by_view: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
        for relation in state.relations.get(account, {}).values():
            if relation.effective_date <= slice_date:
                by_view[relation.relation_kind].append((relation.employee_id, relation.pay_ratio))
        for view in VIEWS:
            found[view][account] = _scaled(sorted(by_view[view]))
    return found


def _scaled(staff: list[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """Ratios that add up to one; what the last decimal leaves is the first one's."""
    if not staff:
        return []
    total = sum(ratio for _, ratio in staff)
    parts = [
        (ratio / total if total else Decimal(1) / len(staff)).quantize(_LAST_PLACE, ROUND_FLOOR) for _, ratio in staff
    ]
    parts[0] += 1 - sum(parts)
    return [(employee_id, part) for (employee_id, _), part in zip(staff, parts, strict=True)]


def view_rows(
    business_date: dt.date, state: BrokerState, incomes: dict[IncomeKey, Income], ratios: dict[str, Ratios]
) -> list[tuple]:
    """(date, view, employee, branch, line, kind, amounts), sorted. `state`: the end of the day, for branches."""
    sums: dict[tuple[str, str, str, str, str], Income] = defaultdict(Income)
    for (account, line, kind), income in incomes.items():
        for view in VIEWS:
            for employee_id, _, share in split_income(income, ratios[view][account]):
                key = (view, employee_id, state.employee_branches.get(employee_id, UNASSIGNED), line, kind)
                sums[key] = sums[key].plus(share)
    return [(business_date, *key, *income.cells()) for key, income in sorted(sums.items())]
