"""A night on which files are cut, missing or wrong: the rest loads, and yesterday stays published."""

from __future__ import annotations

import re

import pytest

import simulator
from spark_jobs.publish.cockpit import NEEDED
from spark_jobs.publish.duckdb_store import connect_delta, open_published
from spark_jobs.publish.marts import COCKPIT
from tests.night import FILE_FAULTS, HALVED, ROW_FAULTS, Night


def problem(night: Night, fault: str) -> dict:
    return next(
        item
        for item in night.first.summary["problems"]
        if item["feed"] == FILE_FAULTS[fault] and item["business_date"] == night.file_day.isoformat()
    )


@pytest.mark.parametrize(
    ("fault", "code", "place"),
    [
        ("truncated_dbf", "C360-225", "SJSMX1"),
        ("ofd_wrong_count", "C360-235", "05.TXT"),
        ("cut_character", "C360-214", "employees"),
        ("missing_file", "C360-303", "normal_securities_accounts"),
        ("manifest_disagrees", "C360-304", "normal_positions"),
    ],
)
def test_a_refused_file_is_named_with_code_feed_and_place(night, fault, code, place):
    found = problem(night, fault)
    assert found["code"] == code
    assert place in found["where"] + found["what"]
    assert "c360 load --date" in found["next"]


def test_the_other_feeds_of_the_night_are_loaded(night):
    # The sender's total can only disagree with rows that were read, so that file stands in the list, held.
    refused = set(FILE_FAULTS.values()) - {FILE_FAULTS["manifest_disagrees"]}
    loaded = {
        file["feed"] for file in night.first.summary["files"] if file["business_date"] == night.file_day.isoformat()
    }
    assert len(loaded) >= 20
    assert not loaded & refused


def test_yesterday_stays_published(night):
    summary = night.first.summary
    assert summary["as_of_date"] == night.days[-2].isoformat()
    assert set(summary["blocked"][night.file_day.isoformat()]) == {
        *HALVED,
        "normal_counter__positions",
        "normal_counter__securities_accounts",
        "reference__employees",
    }


def test_the_cockpit_waits_too_where_a_feed_it_needs_was_refused(night):
    assert set(NEEDED) & {*HALVED, "normal_counter__positions"}
    assert night.first.summary["cockpit"] == []
    with open_published(COCKPIT.folder(night.first.settings.published)) as connection:
        assert connection.execute("select max(as_of_date) from mart_institution").fetchone() == (night.days[-2],)


def test_bad_rows_are_held_back_and_every_file_still_adds_up(night):
    files = {
        file["feed"]: file
        for file in night.first.summary["files"]
        if file["business_date"] == night.row_day.isoformat()
    }
    for file in files.values():
        assert file["rows_read"] == file["rows_kept"] + file["rows_quarantined"] + file["rows_duplicate"], file
    expected = {
        "wrong_field_count": (1, 0),
        "not_a_number": (1, 0),
        "required_missing": (1, 0),
        "duplicate_key": (2, 0),
        "exact_duplicate_row": (0, 1),
        "unknown_business_code": (0, 0),
    }
    for fault, (quarantined, duplicate) in expected.items():
        file = files[ROW_FAULTS[fault]]
        assert (file["rows_quarantined"], file["rows_duplicate"]) == (quarantined, duplicate), fault


def test_an_unknown_business_code_stays_in_the_totals_as_unclassified(night):
    with connect_delta() as connection:
        rows = connection.execute(
            f"select count(*), count(distinct business_code) from delta_scan('{night.first.settings.lake}/gold/cash_flows') "
            f"where flow_class = 'unclassified' and business_code like '@%' and business_date = '{night.row_day}'"
        ).fetchone()
    assert rows == (1, 1)


def test_no_message_holds_a_customers_value(night):
    text = str(night.first.summary["problems"])
    assert not re.search(r"\d{15,}", text.replace("-", "")), (
        "a long number in a message is likely an account or an identity"
    )
    assert not any(value in text for value in simulator.canary().values())
