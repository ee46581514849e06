"""What moved among customers on a day: money, and what they became since the day before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator.truth_customers import CustomersOfDay
from simulator.truth_service import Standing

LARGE_FLOW = Decimal(300_000)
_KIND_OF_FLOW = {"client_in": "large_in", "client_out": "large_out"}


class _State(NamedTuple):
    closed: bool = False
    lost: bool = False
    newly_valid: bool = False


class RunningMovements:
    """Every customer held against the day before; who was not delivered then was nothing."""

    def __init__(self) -> None:
        self._date: dt.date | None = None
        self._before: dict[str, _State] = {}

    def rows_of_day(
        self,
        business_date: dt.date,
        customers: CustomersOfDay,
        standings: dict[str, Standing],
        flows: dict[str, dict[str, Decimal]],
    ) -> Iterator[tuple]:
        """Once a day, in order; the first is the opening baseline and has no rows. flows: of each class by customer, money out negative."""
        previous_date, self._date = self._date, business_date
        before, self._before = (
            self._before,
            {
                customer_id: _State(
                    customers.profiles[customer_id].customer_status == "closed",
                    standing.life_cycle == "lost",
                    standing.is_valid_customer,
                )
                for customer_id, standing in standings.items()
            },
        )
        if previous_date is None:
            return
        for customer_id, now in sorted(self._before.items()):
            profile = customers.profiles[customer_id]
            moved: list[tuple[str, Decimal | None]] = [
                (kind, abs(flows[name].get(customer_id, Decimal(0))))
                for name, kind in _KIND_OF_FLOW.items()
                if abs(flows[name].get(customer_id, Decimal(0))) >= LARGE_FLOW
            ]
            if previous_date < profile.open_date <= business_date:
                moved.append(("opened", None))
            was = before.get(customer_id, _State())
            moved += [
                (name, None) for name, is_so, was_so in zip(_State._fields, now, was, strict=True) if is_so > was_so
            ]
            for kind, amount in sorted(moved, key=lambda pair: pair[0]):
                yield (business_date, customer_id, kind, amount, profile.branch_id, profile.main_staff_employee_id)
