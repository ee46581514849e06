"""What a customer's phone allows, when it was last called, and which complaints are open."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from simulator import events
from simulator.truth_customers import CustomersOfDay, MemberKey
from simulator.truth_state import BrokerState


class Contact(NamedTuple):
    """Without a phone nothing is known of it: no consent, no call."""

    has_marketing_consent: bool
    is_do_not_call: bool
    last_call_date: dt.date | None
    last_call_result: str | None
    last_reached_date: dt.date | None
    open_complaint_count: int


class ContactBook:
    """Declarations, calls and complaints up to the last applied day. words: the last word of each phone."""

    def __init__(self) -> None:
        self._consents: dict[str, events.ConsentSet] = {}
        self._complaints: dict[str, events.ComplaintSet] = {}
        self._last_calls: dict[str, tuple[dt.date, str, str]] = {}
        self._last_reached: dict[str | None, dt.date] = {}
        self.words: dict[str | None, str] = {}

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        """Fold one day in."""
        for consent in event_log.events_of(business_date, events.ConsentSet):
            self._consents[consent.consent_id] = consent
        for removed in event_log.events_of(business_date, events.ConsentRemoved):
            self._consents.pop(removed.consent_id, None)
        for complaint in event_log.events_of(business_date, events.ComplaintSet):
            self._complaints[complaint.complaint_id] = complaint
        for removed in event_log.events_of(business_date, events.ComplaintRemoved):
            self._complaints.pop(removed.complaint_id, None)
        for call in event_log.events_of(business_date, events.CallMade):
            if call.call_direction == "out":
                made = (business_date, call.call_id, call.call_result)
                phone = plain_phone(call.mobile_phone)
                self._last_calls[phone] = max(made, self._last_calls.get(phone, made))
                if call.call_result == "reached":
                    self._last_reached[phone] = business_date
        in_order = sorted(self._consents.values(), key=lambda consent: (consent.recorded_date, consent.consent_id))
        self.words = {plain_phone(consent.mobile_phone): consent.consent_kind for consent in in_order}

    def contacts(self, customers: CustomersOfDay) -> dict[str, Contact]:
        """By customer id, for every customer of the day."""
        complaints = Counter(
            customers.customer_of_member.get(("NOR", complaint.client_number))
            for complaint in self._complaints.values()
            if complaint.complaint_status == "open"
        )
        found = {}
        for customer_id, profile in customers.profiles.items():
            phone = plain_phone(profile.mobile_phone)
            word = self.words.get(phone)
            called_on, _, result = self._last_calls.get(phone, (None, None, None))
            found[customer_id] = Contact(
                word == "marketing_granted",
                word == "do_not_call",
                called_on,
                result,
                self._last_reached.get(phone),
                complaints[customer_id],
            )
        return found


def phone_rows(
    business_date: dt.date,
    state: BrokerState,
    customers: CustomersOfDay,
    order_of: Callable[[MemberKey], tuple],
    contacts: Iterable[tuple[str, str]],
) -> Iterator[tuple]:
    """(date, customer, rank of a phone, how many client numbers have it), sorted: the profile's phone first, then that of the earliest.

    contacts: client numbers of institutions with the phone of whom to call there, which come after those of the normal counter.
    """
    clients: dict[str, dict[str, list[tuple]]] = defaultdict(lambda: defaultdict(list))
    for key, customer_id in customers.customer_of_member.items():
        if phone := plain_phone(state.clients[key].mobile_phone):
            clients[customer_id][phone].append(order_of(key))
    for number, phone in contacts:
        if customer_id := customers.customer_of_member.get(("NOR", number)):
            _, first_seen, open_date, _, _ = order_of(("NOR", number))
            clients[customer_id][plain_phone(phone)].append((True, first_seen, open_date, "EOF", number))
    for customer_id, phones in sorted(clients.items()):
        first = plain_phone(customers.profiles[customer_id].mobile_phone)
        ranked = sorted(phones, key=lambda phone: (phone != first, min(phones[phone])))
        for rank, phone in enumerate(ranked, start=1):
            yield (business_date, customer_id, rank, len(phones[phone]))


def plain_phone(phone: str | None) -> str | None:
    """The same phone is written with and without the country's code."""
    return phone.removeprefix("+86") if phone else None
