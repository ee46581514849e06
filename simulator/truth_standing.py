"""How the money-laundering check grades a customer, and what it may trade beyond common shares."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import NamedTuple

from simulator import events
from simulator.truth_customers import CustomersOfDay

_WORST_FIRST = ("high", "medium", "low")


class GradeAndPermissions(NamedTuple):
    """Over all client numbers of a customer: the worst grade, the earliest review, every permission once."""

    aml_grade: str | None = None
    aml_review_date: dt.date | None = None
    permissions: str | None = None


class StandingBook:
    """Grades and permissions up to the last applied day."""

    def __init__(self) -> None:
        self._grades: dict[str, events.AmlGradeSet] = {}
        self._permissions: set[tuple[str, str]] = set()

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        """Fold one day in."""
        for grade in event_log.events_of(business_date, events.AmlGradeSet):
            self._grades[grade.client_number] = grade
        for gone in event_log.events_of(business_date, events.AmlGradeRemoved):
            self._grades.pop(gone.client_number, None)
        self._permissions |= {
            (one.client_number, one.permission_kind) for one in event_log.events_of(business_date, events.PermissionSet)
        }
        self._permissions -= {tuple(one) for one in event_log.events_of(business_date, events.PermissionRemoved)}

    def standings(self, customers: CustomersOfDay) -> dict[str, GradeAndPermissions]:
        """By customer id; of client numbers not delivered that day nothing is told."""
        grades: dict[str, list[events.AmlGradeSet]] = defaultdict(list)
        kinds: dict[str, set[str]] = defaultdict(set)
        for number, grade in self._grades.items():
            if customer_id := customers.customer_of_member.get(("NOR", number)):
                grades[customer_id].append(grade)
        for number, kind in self._permissions:
            if customer_id := customers.customer_of_member.get(("NOR", number)):
                kinds[customer_id].add(kind)
        return {
            customer_id: GradeAndPermissions(
                min((grade.aml_grade for grade in grades[customer_id]), key=_WORST_FIRST.index, default=None),
                min((grade.review_date for grade in grades[customer_id] if grade.review_date), default=None),
                ", ".join(sorted(kinds[customer_id])) or None,
            )
            for customer_id in customers.profiles
        }
