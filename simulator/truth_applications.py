"""Who has applied for an account, how far it has come, and whom to call about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from simulator import events
from simulator.truth_contact import plain_phone
from simulator.truth_customers import CustomersOfDay

BROKEN_OFF_MINUTES = 20


class ApplicationBook:
    """Applications up to the last applied day."""

    def __init__(self) -> None:
        self._applications: dict[str, events.ApplicationSet] = {}

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        """Fold one day in."""
        for application in event_log.events_of(business_date, events.ApplicationSet):
            self._applications[application.application_id] = application
        for removed in event_log.events_of(business_date, events.ApplicationRemoved):
            self._applications.pop(removed.application_id, None)

    def rows(self, business_date: dt.date, customers: CustomersOfDay, words: dict[str | None, str]) -> Iterator[tuple]:
        """One row a phone, of its last application. words: the last word of each phone."""
        by_phone: dict[str | None, list[events.ApplicationSet]] = {}
        for application in self._applications.values():
            by_phone.setdefault(plain_phone(application.mobile_phone), []).append(application)
        last = {
            phone: max(of_phone, key=lambda one: (one.started_date, one.application_id))
            for phone, of_phone in by_phone.items()
        }
        for phone, one in sorted(last.items(), key=lambda item: item[1].application_id):
            is_silent = words.get(phone) == "do_not_call"
            is_broken_off = one.application_status == "in_progress" and one.stalled_minutes > BROKEN_OFF_MINUTES
            yield (
                business_date, one.application_id, one.branch_id, one.application_status, one.application_step, one.started_date,
                one.stalled_minutes, one.aml_result, customers.customer_of_member.get(("NOR", one.client_number)), len(by_phone[phone]),
                words.get(phone) == "marketing_granted", is_silent, is_broken_off, is_broken_off and not is_silent,
            )  # fmt: skip
