"""A night on which files are cut, missing or wrong: the rest loads, yesterday stays published, and what is mended converges to truth."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

import simulator
from simulator.faults import Planted, plant
from spark_jobs.publish.duckdb_store import connect_delta, connect_published
from tests.loading import LoadedBroker, load_home
from tests.truth_compare import CLAIMS, must_equal_truth

# The whole file is refused; the last day has them.
FILE_FAULTS = {
    "truncated_dbf": "clearing__settlement_details",
    "ofd_wrong_count": "fund_counter__holdings",
    "cut_character": "normal_counter__clients",
    "missing_file": "normal_counter__cash_balances",
    "manifest_disagrees": "normal_counter__positions",
}
# Single rows are refused; the day before has them.
ROW_FAULTS = {
    "wrong_field_count": "normal_counter__cash_journal",
    "not_a_number": "normal_counter__trades",
    "unknown_business_code": "credit_counter__cash_journal",
    "required_missing": "normal_counter__clients",
    "duplicate_key": "normal_counter__cash_accounts",
    "exact_duplicate_row": "credit_counter__collateral_positions",
}


@dataclass
class Night:
    """The broker's landing with faults, and what happened in the loads that followed."""

    home: Path
    good: Path
    days: list[date]
    planted: dict[str, Planted] = field(default_factory=dict)
    faulty: LoadedBroker | None = None

    def mend(self, day: date) -> None:
        folder = self.home / "landing" / day.isoformat()
        shutil.rmtree(folder)
        shutil.copytree(self.good / day.isoformat(), folder)


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory) -> Night:
    home = tmp_path_factory.mktemp("night")
    summary = simulator.simulate(home, customers=40, days=2, seed=5, start=date(2026, 9, 28))
    good = tmp_path_factory.mktemp("good") / "landing"
    shutil.copytree(home / "landing", good)
    night = Night(home, good, summary.dates)
    for day, faults in ((night.days[-1], FILE_FAULTS), (night.days[-2], ROW_FAULTS)):
        for fault, feed in faults.items():
            night.planted[fault] = plant(home / "landing", fault, feed=feed, date=day.isoformat(), seed=3)
    night.faulty = load_home(home)
    return night


def problem(night: Night, fault: str) -> dict:
    return next(
        item
        for item in night.faulty.summary["problems"]
        if item["feed"] == FILE_FAULTS[fault] and item["business_date"] == night.days[-1].isoformat()
    )


@pytest.mark.parametrize(
    ("fault", "code", "place"),
    [
        ("truncated_dbf", "C360-225", "SJSMX1"),
        ("ofd_wrong_count", "C360-235", "05.TXT"),
        ("cut_character", "C360-214", "normal_clients"),
        ("missing_file", "C360-303", "normal_cash_balances"),
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
        file["feed"] for file in night.faulty.summary["files"] if file["business_date"] == night.days[-1].isoformat()
    }
    assert len(loaded) >= 20
    assert not loaded & refused


def test_yesterday_stays_published(night):
    summary = night.faulty.summary
    assert summary["as_of_date"] == night.days[-2].isoformat()
    assert set(summary["blocked"][night.days[-1].isoformat()]) == {
        "normal_counter__clients",
        "normal_counter__cash_balances",
        "normal_counter__positions",
    }


def test_bad_rows_are_held_back_and_every_file_still_adds_up(night):
    files = {
        file["feed"]: file
        for file in night.faulty.summary["files"]
        if file["business_date"] == night.days[-2].isoformat()
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
            f"select count(*), count(distinct business_code) from delta_scan('{night.faulty.settings.lake}/gold/cash_flows') "
            f"where flow_class = 'unclassified' and business_code like '@%' and business_date = '{night.days[-2]}'"
        ).fetchone()
    assert rows == (1, 1)


def test_no_message_holds_a_customers_value(night):
    text = str(night.faulty.summary["problems"])
    assert not re.search(r"\d{15,}", text.replace("-", "")), (
        "a long number in a message is likely an account or an identity"
    )
    assert not any(value in text for value in simulator.canary().values())


def test_what_is_mended_is_as_if_it_had_never_been_bad(night):
    """Both days corrected: rows, revisions and figures converge to truth."""
    bad_day, last_day = night.days[-2], night.days[-1]
    night.mend(last_day)
    night.mend(bad_day)
    mended = load_home(night.home, [bad_day, last_day])
    assert mended.summary["published"] == [bad_day.isoformat(), last_day.isoformat()]
    assert mended.summary["problems"] == []
    assert mended.summary["rows"]["rows_quarantined"] == 0
    for file in CLAIMS:
        must_equal_truth(mended.settings, file)
    with connect_published(mended.settings.published) as connection:
        revisions = connection.execute("select business_date, revision from publication order by 1").fetchall()
    assert revisions == [(bad_day, 2), (last_day, 2)]
