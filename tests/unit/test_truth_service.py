"""The truth of life cycle, contact, offers and lists against cases worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from simulator import events as ev
from simulator.truth_assets import Assets
from simulator.truth_behaviour import Profits
from simulator.truth_contact import Contact
from simulator.truth_customers import Profile
from simulator.truth_service import (
    LISTS,
    CustomerDay,
    Held,
    Offers,
    Risks,
    Standing,
    age_cells,
    list_rows,
    stand,
)
from tests.unit.test_truth import FIRST, OPENING, SECOND, Story, one_customer, picked

TODAY = dt.date(2026, 9, 28)  # a Monday; the fifth session after it is 12 October
LONG_AGO = dt.date(2020, 1, 1)
QUIET = Contact(True, False, None, None, LONG_AGO, 0)


def profile(**more) -> Profile:
    values = {
        "customer_kind": "person", "branch_id": "B1", "main_staff_employee_id": None, "risk_level": "C3", "risk_test_expiry_date": None,
        "identity_expiry_date": None, "customer_status": "active", "birth_date": None, "open_date": LONG_AGO, "mobile_phone": "1",
        "manager_client_number": None,
    }  # fmt: skip
    return Profile(**values | more)


def customer(purposes: str = "", contact: Contact = QUIET, **more) -> CustomerDay:
    """A customer with a reason for each of the purposes named."""
    is_called = "mandatory" in purposes
    risks = Risks(Decimal("1.2"), "call") if is_called else Risks()
    test = TODAY if "service" in purposes else None
    cycle = "dormant" if "marketing" in purposes else "mature"
    return CustomerDay(
        TODAY, "C1", profile(risk_test_expiry_date=test, **more), Assets(), Decimal(0), risks, Held(), Offers(), contact,
        Standing(61, cycle, False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("birth_date", "cells"),
    [
        (dt.date(1991, 9, 28), (35, "to 35")),
        (dt.date(1990, 9, 28), (36, "36 to 50")),
        (dt.date(1990, 9, 29), (35, "to 35")),
        (dt.date(1950, 9, 28), (76, "over 75")),
        (None, (None, None)),
    ],
)
def test_age_is_whole_years_at_the_date(birth_date, cells):
    assert age_cells(birth_date, TODAY) == cells


@pytest.mark.parametrize(
    ("life_cycle", "days_open", "days_idle", "total", "average", "taken_out", "status"),
    [
        ("lost", 900, 0, "500", "500", 0, "closed"),
        ("lost", 900, 180, "99.99", "99.99", 0, "active"),
        ("dormant", 900, 180, "100", "100", 0, "active"),
        ("not_funded", 10, None, "0", "0", 0, "active"),
        ("new", 29, 0, "20", "100", 80, "active"),
        ("at_risk", 30, 0, "20", "100", 80, "active"),
        ("growing", 30, 0, "20.01", "100", 80, "active"),
        ("growing", 30, 0, "20", "100", 0, "active"),
        ("dormant", 900, 60, "100", "100", 0, "active"),
        ("growing", 364, 59, "100", "100", 0, "active"),
        ("mature", 365, 59, "100", "100", 0, "active"),
    ],
)
def test_the_first_rule_that_holds_names_the_life_cycle(
    life_cycle, days_open, days_idle, total, average, taken_out, status
):
    opened = TODAY - dt.timedelta(days_open)
    traded = None if days_idle is None else TODAY - dt.timedelta(days_idle)
    profits = Profits(Decimal(0), Decimal(0), Decimal(0), Decimal(-taken_out))
    assets = Assets(cash=Decimal(total))
    standing = stand(
        TODAY, LONG_AGO, profile(open_date=opened, customer_status=status), traded, Decimal(0), assets, Decimal(average),
        Decimal(0), profits,
    )  # fmt: skip
    assert standing.life_cycle == life_cycle
    assert standing.inactive_days == (days_open if days_idle is None else days_idle)


@pytest.mark.parametrize(
    ("purposes", "contact", "more", "reason"),
    [
        ("mandatory", QUIET, {"customer_status": "closed"}, "closed"),
        ("mandatory", QUIET, {"customer_status": "frozen"}, "frozen"),
        ("mandatory", QUIET, {"mobile_phone": None}, "no_phone"),
        ("mandatory", Contact(False, True, TODAY, "refused", None, 3), {}, None),
        ("service", Contact(False, True, None, None, None, 3), {}, "do_not_call"),
        ("service", Contact(False, False, None, None, None, 3), {}, "complaint_open"),
        ("service", Contact(False, False, None, None, None, 0), {}, None),
        ("marketing", Contact(False, False, None, None, None, 0), {}, "no_consent"),
        ("marketing", QUIET, {}, None),
        # The call is on the 29th: the 27th is two days before it, the 26th three.
        ("service", Contact(True, False, dt.date(2026, 9, 27), "reached", None, 0), {}, "cool_down"),
        ("service", Contact(True, False, dt.date(2026, 9, 26), "reached", None, 0), {}, None),
    ],
)
def test_the_strongest_reason_not_to_call_is_named(purposes, contact, more, reason):
    calls, suppressed = list_rows([customer(purposes, contact, **more)])
    assert [row[-1] for row in suppressed] == ([reason] if reason else [])
    assert len(calls) == (0 if reason else 1)


def test_one_client_is_called_once_and_the_rest_are_notes():
    calls, suppressed = list_rows([customer("mandatory service marketing")])
    assert not suppressed
    assert [(row[2], row[6], row[-1]) for row in calls] == [
        ("margin_call", True, "risk_test_expiring, dormant"),
        ("risk_test_expiring", False, None),
        ("dormant", False, None),
    ]


def test_lists_look_ahead_over_the_holiday_as_far_as_five_sessions():
    for day, is_listed in ((dt.date(2026, 10, 12), True), (dt.date(2026, 10, 13), False)):
        held = Held(1, 0, day, day)
        calls, _ = list_rows([customer()._replace(held=held)])
        assert [row[2] for row in calls] == (["option_expiring", "product_maturing"] if is_listed else [])


def test_every_list_has_a_code_and_a_script_of_its_own():
    for place in (0, 1, 6):
        assert len({row[place] for row in LISTS}) == len(LISTS)


def test_the_last_word_of_a_phone_counts_however_it_is_written(tmp_path):
    story = Story(OPENING, FIRST, SECOND)
    story.client(OPENING, "NOR", "1", mobile_phone="+8613900000001", open_date=FIRST)
    said = {"client_number": "1", "mobile_phone": "13900000001"}
    story.add(OPENING, ev.ConsentSet, consent_id="2", consent_kind="marketing_granted", recorded_date=FIRST, **said)
    story.add(OPENING, ev.ConsentSet, consent_id="1", consent_kind="do_not_call", recorded_date=FIRST, **said)
    story.add(SECOND, ev.ConsentRemoved, consent_id="2")
    for number, result in (("1", "refused"), ("2", "reached"), ("3", "no_answer")):
        called = {"call_id": number, "call_direction": "out", "call_result": result}
        story.add(FIRST, ev.CallMade, **said, **called)
    story.add(SECOND, ev.CallMade, call_id="9", call_direction="in", call_result="reached", **said)
    rows = story.told(tmp_path)["customers"]
    names = ("has_marketing_consent", "is_do_not_call", "last_call_date", "last_call_result", "last_reached_date")
    assert picked(rows, *names) == [
        ("True", "False", "2026-01-05", "no_answer", "2026-01-05"),
        ("False", "True", "2026-01-05", "no_answer", "2026-01-05"),
    ]


def test_cash_of_one_account_does_not_pay_for_the_wins_of_another(tmp_path):
    story = one_customer(OPENING, FIRST, SECOND)
    story.account(OPENING, "normal", "N2")
    story.cash(OPENING, "normal", "N1", "100.00", business="opening_balance")
    story.cash(OPENING, "normal", "N2", "900.00", business="opening_balance")
    frozen = {"line": "normal", "account_id": "N1", "currency_code": "CNY"}
    story.add(OPENING, ev.CashFrozenSet, frozen_amount="20.00", **frozen)
    for account, code, payable, paid, due in (
        ("N1", "S1", "70.00", "0.00", SECOND),
        ("N1", "S2", "30.00", "10.00", dt.date(2026, 1, 7)),
        ("N1", "S3", "500.00", "500.00", SECOND),
        ("N1", "S4", "500.00", "0.00", FIRST),
        ("N2", "S1", "70.00", "0.00", SECOND),
    ):
        win = {"account_id": account, "exchange_code": "SSE", "security_code": code, "payment_due_date": due}
        story.add(FIRST, ev.AllotmentSet, payable_amount=payable, paid_amount=paid, **win)
    rows = story.told(tmp_path)["customers"]
    # 70 and 20 against 80 available; on the 6th only the 20 are still ahead, and 80 pay for them
    assert picked(rows, "ipo_payment_due_date", "ipo_unpaid_amount", "ipo_short_amount") == [
        ("2026-01-06", "160.00", "10.00"),
        ("2026-01-07", "20.00", "0.00"),
    ]
