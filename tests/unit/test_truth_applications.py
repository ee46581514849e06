"""The truth of applications against cases worked out by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from simulator import events as ev
from simulator.truth_applications import ApplicationBook
from simulator.truth_customers import CustomersOfDay

TODAY = dt.date(2026, 9, 28)
NOBODY = CustomersOfDay({}, {}, {("NOR", "7"): "C7"})


def told(*applications: dict, words: dict[str, str] | None = None) -> list[tuple]:
    log = ev.EventLog()
    log.open_day(TODAY)
    usual = {
        "mobile_phone": "1", "applicant_name": "n", "branch_id": "B", "application_step": "risk_tested", "application_status": "in_progress",
        "started_date": TODAY, "stalled_minutes": 21, "aml_result": None, "client_number": None,
    }  # fmt: skip
    for number, changes in enumerate(applications, start=1):
        log.emit(TODAY, ev.ApplicationSet, **{"application_id": f"A{number}", **usual, **changes})
    book = ApplicationBook()
    book.apply(log, TODAY)
    return list(book.rows(TODAY, NOBODY, words or {}))


@pytest.mark.parametrize(
    ("application", "word", "broken_off", "call"),
    [
        ({}, None, True, True),
        ({"stalled_minutes": 20}, None, False, False),
        ({"application_status": "withdrawn"}, None, False, False),
        ({}, "do_not_call", True, False),
        ({}, "marketing_refused", True, True),
    ],
)
def test_whom_to_call(application, word, broken_off, call):
    (row,) = told(application, words={"1": word} if word else {})
    assert row[-2:] == (broken_off, call)


def test_of_one_phone_the_last_begun_speaks_however_it_is_written():
    earlier = {"started_date": TODAY - dt.timedelta(days=2), "mobile_phone": "+861"}
    (row,) = told({}, {**earlier, "application_status": "withdrawn"})
    assert (row[1], row[9]) == ("A1", 2)


def test_an_opened_account_names_its_customer():
    (row,) = told({"application_status": "opened", "client_number": "7", "stalled_minutes": 0})
    assert row[8] == "C7"
