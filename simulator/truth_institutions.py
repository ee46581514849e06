"""What e-office knows of institutions, as the profile has it, and institutions with the products under them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simulator import events
from simulator.truth_assets import Assets
from simulator.truth_customers import CustomersOfDay
from simulator.truth_money import ZERO


class Institution(NamedTuple):
    """Empty for a customer e-office does not describe."""

    institution_kind: str | None = None
    investor_class: str | None = None
    registered_capital_amount: Decimal | None = None
    licence_expiry_date: dt.date | None = None


class InstitutionBook:
    """Descriptions up to the last applied day."""

    def __init__(self) -> None:
        self._described: dict[str, events.InstitutionSet] = {}

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        """Fold one day in."""
        for described in event_log.events_of(business_date, events.InstitutionSet):
            self._described[described.client_number] = described
        for gone in event_log.events_of(business_date, events.InstitutionRemoved):
            self._described.pop(gone.client_number, None)

    def institutions(self, customers: CustomersOfDay) -> dict[str, Institution]:
        """By customer id; of several client numbers delivered that day the one described last, then the smallest."""
        found: dict[str, events.InstitutionSet] = {}
        for number in sorted(self._described):
            described = self._described[number]
            customer_id = customers.customer_of_member.get(("NOR", number))
            if customer_id and (customer_id not in found or described.updated_date > found[customer_id].updated_date):
                found[customer_id] = described
        return {
            customer_id: Institution(
                one.institution_kind, one.investor_class, one.registered_capital_amount, one.licence_expiry_date
            )
            for customer_id, one in found.items()
        }

    def contact_phones(self) -> Iterator[tuple[str, str]]:
        """(client number, phone of whom to call there)."""
        for number, described in self._described.items():
            if described.contact_phone:
                yield number, described.contact_phone


def institution_rows(
    business_date: dt.date, customers: CustomersOfDay, assets: dict[str, Assets], described: dict[str, Institution]
) -> Iterator[tuple]:
    """(date, customer, under whom, kind, what e-office knows, products under it, its assets, those of all together), sorted."""
    shown = {key: one for key, one in customers.profiles.items() if one.customer_kind in ("institution", "product")}
    parents = {}
    for customer_id, profile in shown.items():
        manager = customers.customer_of_member.get(("NOR", profile.manager_client_number))
        parents[customer_id] = manager if manager in shown else customer_id
    under = defaultdict(list)
    for customer_id, parent in parents.items():
        if parent != customer_id:
            under[parent].append(assets[customer_id])
    for customer_id, profile in sorted(shown.items()):
        own, products = assets[customer_id], under[customer_id]
        yield (
            business_date, customer_id, parents[customer_id], profile.customer_kind, *described.get(customer_id, Institution()), len(products),
            own.total, own.net, own.total + sum((one.total for one in products), ZERO), own.net + sum((one.net for one in products), ZERO),
        )  # fmt: skip
