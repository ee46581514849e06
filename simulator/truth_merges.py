"""Which customers somebody decided to be one, day by day, and what is left for people to look at.

Every day's figures are those of the customers as they are merged on that day, of the days before, too: who is merged today has the history of
both, and who is taken apart has his own. That is why truth is worked out once for every run of days on which the same customers are merged.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from simulator import events
from simulator.truth_customers import CustomerRegistry, CustomersOfDay
from simulator.truth_state import SYSTEM_OF_LINE, BrokerState


class Merges(NamedTuple):
    """One day's: customer → the one it is merged into, of every customer that is merged with another, that one included; when each was
    decided last; and the links that were refused, as pairs of customers."""

    into: dict[str, str]
    decided: dict[str, dt.date]
    refused: list[tuple[str, str]]


class MergeBook:
    """The decisions in force up to the last applied day, beside the customers they are about."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], events.CustomerLinkSet] = {}
        self._state = BrokerState()
        self._registry = CustomerRegistry()

    def day(self, event_log: events.EventLog, business_date: dt.date) -> Merges:
        """Fold one day in. Days come in order."""
        for link in event_log.events_of(business_date, events.CustomerLinkSet):
            self._links[link[:2]] = link
        for gone in event_log.events_of(business_date, events.CustomerLinkRemoved):
            self._links.pop(tuple(gone), None)
        self._state.apply(event_log, business_date)
        customers = self._registry.link_day(self._state, business_date)
        groups: dict[str, set[str]] = {}
        decided: dict[str, dt.date] = {}
        refused = []
        orders = {}
        for link in self._links.values():
            sides = []
            for line, number in (link[:2], link[2:4]):
                key = (SYSTEM_OF_LINE[line], number)
                owner = self._registry.own_customer(key)
                sides.append(owner.customer_id if owner else f"{key[0]}-{number}")
                orders[sides[-1]] = owner and owner.order
            kinds = {customers.profiles[side].customer_kind for side in sides if side in customers.profiles}
            if len(kinds) > 1 or None in (orders[sides[0]], orders[sides[1]]):
                refused.append(tuple(sorted(sides)))
            elif sides[0] != sides[1]:
                joined = groups.get(sides[0], {sides[0]}) | groups.get(sides[1], {sides[1]})
                groups |= dict.fromkeys(joined, joined)
                for side in sides:
                    decided[side] = max(decided.get(side, link.decided_date), link.decided_date)
        into = {customer: min(group, key=lambda one: orders[one]) for customer, group in groups.items()}
        return Merges(into, decided, sorted(set(refused)))


def merge_rows(business_date: dt.date, merges: Merges) -> Iterator[tuple]:
    """(date, customer that goes on, customer that is part of it, decided), sorted."""
    for customer, main in sorted(merges.into.items()):
        if customer != main:
            yield (business_date, main, customer, merges.decided[customer])


def review_rows(
    business_date: dt.date, state: BrokerState, customers: CustomersOfDay, merges: Merges
) -> Iterator[tuple]:
    """(date, customer, other customer, why), sorted: the first of those that show a document beside each other one, and refused links."""
    showing: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, customer_id in customers.customer_of_member.items():
        client = state.clients[key]
        if client.identity_number:
            showing[client.identity_kind, client.identity_number].add(customer_id)
    pairs = {(min(shown), other) for shown in showing.values() for other in shown - {min(shown)}}
    found = [(*pair, "same_document") for pair in pairs] + [(*pair, "link_refused") for pair in merges.refused]
    yield from ((business_date, *row) for row in sorted(found))
