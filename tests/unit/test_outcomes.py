"""What became of the calls, list by list: judged on the first published day on or after the deadline, from what the profile says then."""

from __future__ import annotations

import re
from datetime import date, timedelta

import duckdb
import pytest

from spark_jobs.config import PROJECT
from spark_jobs.publish.dictionary import read_dictionary, read_tables
from spark_jobs.publish.outcomes import GOALS, create_outcomes

LISTED, CALLED, LATER = date(2026, 9, 28), date(2026, 9, 29), date(2026, 10, 30)
MARTS = ("mart_outbound_call", "mart_customer_profile", "mart_customer_tag")
LISTS = PROJECT / "dbt_project" / "models" / "intermediate" / "outbound" / "int_outbound_lists.sql"


@pytest.fixture
def published():
    """Days published: that of the list, that of the call, and a month later."""
    with duckdb.connect() as connection:
        for mart in MARTS:
            columns = [
                (one.column, one.data_type.replace("string", "varchar"))
                for one in read_dictionary()
                if one.mart == mart
            ]
            connection.execute(f"create table {mart} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
        connection.execute("create table publication (business_date date)")
        for day in (LISTED, CALLED, LATER):
            connection.execute("insert into publication values (?)", [day])
        yield connection


def add(connection, mart: str, **values) -> None:
    connection.execute(
        f"insert into {mart} ({', '.join(values)}) values ({', '.join('?' * len(values))})", list(values.values())
    )


def outcome(connection, list_name: str, before: dict, after: dict | None, tag_date: date | None = None) -> tuple:
    """(outcome, outcome date, reached) of one call: the profile as it was on the list, and on every day after."""
    add(
        connection,
        "mart_outbound_call",
        as_of_date=LISTED,
        customer_id="C1",
        list_name=list_name,
        call_date=CALLED,
        is_call=True,
    )
    add(connection, "mart_customer_profile", customer_id="C1", as_of_date=LISTED, **before)
    for day in (CALLED, LATER) if after is not None else ():
        add(connection, "mart_customer_profile", customer_id="C1", as_of_date=day, **after)
        if tag_date:
            add(
                connection,
                "mart_customer_tag",
                customer_id="C1",
                as_of_date=day,
                tag_name="ipo_paying",
                last_date=tag_date,
            )
    create_outcomes(connection)
    (found,) = connection.execute("select outcome, outcome_date, is_reached from outbound_outcome").fetchall()
    return found


@pytest.mark.parametrize(
    ("list_name", "before", "after", "expected"),
    [
        ("margin_call", {"margin_tier": "call"}, {"margin_tier": "watch"}, "done"),
        ("margin_call", {"margin_tier": "call"}, {}, "done"),
        ("margin_call", {"margin_tier": "call"}, {"margin_tier": "call"}, "not_done"),
        ("margin_call", {"margin_tier": "call"}, {"margin_tier": "close_out"}, "not_done"),
        ("margin_close_out", {"margin_tier": "close_out"}, {"margin_tier": "call"}, "done"),
        ("guarantee_warning", {"guarantee_tier": "warning"}, {"guarantee_tier": "normal"}, "done"),
        ("guarantee_watch", {"guarantee_tier": "watch"}, {"guarantee_tier": "watch"}, "not_done"),
        ("option_risk", {"maximum_option_risk_degree": 1.2}, {"maximum_option_risk_degree": 0.9}, "done"),
        ("option_risk", {"maximum_option_risk_degree": 1.2}, {"maximum_option_risk_degree": 1.2}, "not_done"),
        ("option_expiring", {}, {"last_reached_date": CALLED}, "done"),
        ("first_call_back", {}, {"last_reached_date": LISTED}, "not_done"),
        ("product_maturing", {}, {}, "not_done"),
    ],
)
def test_what_is_due_at_once_is_judged_on_the_day_of_the_call(published, list_name, before, after, expected):
    assert outcome(published, list_name, before, after)[:2] == (expected, CALLED)


@pytest.mark.parametrize(
    ("list_name", "before", "after", "expected"),
    [
        ("identity_expiring", {"identity_expiry_date": LISTED}, {"identity_expiry_date": date(2046, 9, 28)}, "done"),
        ("identity_expiring", {"identity_expiry_date": LISTED}, {"identity_expiry_date": LISTED}, "not_done"),
        ("risk_test_expiring", {"risk_test_expiry_date": LISTED}, {"risk_test_expiry_date": LATER}, "done"),
        ("leaving", {"life_cycle": "at_risk"}, {"life_cycle": "mature"}, "done"),
        ("leaving", {"life_cycle": "at_risk"}, {"life_cycle": "lost"}, "not_done"),
        ("dormant", {}, {"last_trade_date": CALLED}, "done"),
        ("dormant", {"last_trade_date": LISTED}, {"last_trade_date": LISTED}, "not_done"),
    ],
)
def test_what_takes_time_is_judged_a_month_later(published, list_name, before, after, expected):
    assert outcome(published, list_name, before, after)[:2] == (expected, LATER)


@pytest.mark.parametrize(("paid", "expected"), [(CALLED, "done"), (LISTED, "not_done"), (None, "not_done")])
def test_won_shares_are_paid_when_money_for_them_left_since_the_call(published, paid, expected):
    found = outcome(published, "ipo_payment", {"ipo_payment_due_date": CALLED}, {}, paid)
    assert found[:2] == (expected, CALLED)


def test_a_repurchase_is_judged_on_its_own_day(published):
    due = CALLED + timedelta(days=3)
    assert outcome(published, "repurchase_due", {"next_repurchase_date": due}, {})[:2] == ("done", LATER)


def test_a_row_whose_day_has_not_come_is_open_and_a_customer_who_is_gone_is_unknown(published):
    published.execute("delete from publication where business_date = ?", [LATER])
    assert outcome(published, "dormant", {}, {}) == ("open", None, None)
    published.execute("drop table outbound_outcome")
    published.execute("delete from mart_customer_profile")
    published.execute("delete from mart_outbound_call")
    assert outcome(published, "margin_call", {"margin_tier": "call"}, None) == ("unknown", CALLED, None)


def test_every_list_says_what_is_asked_for():
    lists = re.findall(r"^\s+\('(\w+)',", LISTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(lists) == set(GOALS)


def test_the_table_is_described_as_it_is(published):
    create_outcomes(published)
    kinds = {"VARCHAR": "string"}
    found = {
        name: kinds.get(kind, kind.lower())
        for name, kind, *_ in published.execute("describe outbound_outcome").fetchall()
    }
    assert found == {entry.column: entry.data_type for entry in read_tables() if entry.mart == "outbound_outcome"}
