"""Reconciliation: each planted break fails its own check by exactly what was planted."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

import simulator
from simulator.breaks import BREAKS, Broken, break_check
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.reconcile import run_checks, say_why
from spark_jobs.jobs.start import start_run
from spark_jobs.reconcile.checks import load_checks
from tests.loading import LoadedBroker, load_home, reconciliation_rows

# Many minutes of a machine with two cores.
pytestmark = pytest.mark.acceptance

START = date(2026, 9, 24)
STOPS = {check.name for check in load_checks(load_catalogue()) if check.severity == "stop"}
# Their break is a row that stands in the file twice: the load knows why the sentence of the sender does not agree.
EXPLAINED_BY_THEMSELVES = {name for name in STOPS if name.startswith("sender_totals_in_gold")}
# Acted out by the script of the simulator on every day, whatever is broken.
ALWAYS_THERE = {"repeated_identity"}


class Night(NamedTuple):
    home: Path
    good: Path
    days: list[date]
    planted: dict[str, Broken]
    loaded: LoadedBroker


def states(loaded: LoadedBroker, day: date) -> dict[tuple[str, str], str]:
    """(check, key) → the state `c360 reconcile` shows."""
    with start_run(loaded.settings, "test", Console(quiet=True)) as run:
        found = run_checks(run, day, day)
    return {(row["check"], row["key"]): row["state"] for row in found["differences"]}


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory) -> Night:
    """Two days and a baseline; every check is broken on the last day."""
    home = tmp_path_factory.mktemp("reconciled")
    summary = simulator.simulate(home, customers=60, days=2, seed=1, start=START, write_truth=False)
    good = tmp_path_factory.mktemp("good") / "landing"
    shutil.copytree(home / "landing", good)
    planted = {check: break_check(home / "landing", check) for check in BREAKS}
    return Night(home, good, summary.dates, planted, load_home(home))


def test_each_break_fails_its_check_by_what_was_planted_and_no_other(night):
    last = night.days[-1]
    found = {
        (row[1], row[2]): row[5]
        for row in reconciliation_rows(night.loaded, "differences", f"business_date = '{last}'")
    }
    for check in ALWAYS_THERE:
        before = reconciliation_rows(night.loaded, "differences", f"\"check\" = '{check}' and business_date < '{last}'")
        found = {key: value for key, value in found.items() if key not in {(row[1], row[2]) for row in before}}
    found = {key: value for key, value in found.items() if key[0] != "disk_space"}
    assert found == {(item.check, item.key): item.difference for item in night.planted.values()}


def test_totals_of_a_result_differ_by_its_difference(night):
    for row in reconciliation_rows(night.loaded, "results"):
        assert row[5] - row[6] == row[7], row[1]


def test_open_stop_checks_hold_the_day_and_nothing_before_it(night):
    summary = night.loaded.summary
    assert summary["published"] == [night.days[-2].isoformat()]
    held = {problem["check"] for problem in summary["problems"]}
    assert held == STOPS - EXPLAINED_BY_THEMSELVES
    one = next(problem for problem in summary["problems"] if problem["check"] == "cash_roll_forward")
    assert one["code"] == "C360-271" and one["what"].endswith("not explained: 1, together -123.45")
    assert f"c360 reconcile --date {night.days[-1]}" in one["next"]


def test_a_second_load_holds_it_still(night):
    again = load_home(night.home)
    assert again.summary["published"] == [] and again.summary["built"] == []
    assert {problem["check"] for problem in again.summary["problems"]} == STOPS - EXPLAINED_BY_THEMSELVES


def test_only_a_difference_that_is_there_can_be_explained(night):
    with (
        start_run(night.loaded.settings, "test", Console(quiet=True)) as run,
        pytest.raises(ConfigurationError, match="C360-162"),
    ):
        say_why(run, night.days[-1], "cash_roll_forward", "normal|nobody|CNY", "because", "A. Lee")


def test_what_is_explained_is_open_again_when_it_changes_and_corrected_when_it_goes(night):
    """One story: explain every open difference, publish; then the sender corrects all but one, which he makes larger."""
    last = night.days[-1]
    with start_run(night.loaded.settings, "test", Console(quiet=True)) as run:
        for check in sorted(STOPS - EXPLAINED_BY_THEMSELVES):
            found = say_why(run, last, check, night.planted[check].key, "seen and understood", "A. Lee")
        assert found["problems"] == []
    explained = load_home(night.home)
    assert explained.summary["published"] == [last.isoformat()]

    shutil.rmtree(night.home / "landing" / last.isoformat())
    shutil.copytree(night.good / last.isoformat(), night.home / "landing" / last.isoformat())
    once, twice = (break_check(night.home / "landing", "cash_against_bank") for _ in range(2))
    corrected = load_home(night.home)
    assert [problem["check"] for problem in corrected.summary["problems"]] == ["cash_against_bank"]
    assert corrected.summary["published"] == [] and corrected.summary["as_of_date"] == last.isoformat()
    found = {key: state for key, state in states(corrected, last).items() if key[0] in STOPS}
    assert found == {("cash_against_bank", once.key): "open"}
    notes = reconciliation_rows(corrected, "notes", "state = 'corrected'")
    assert {(row[1], row[2]) for row in notes} >= {
        (check, item.key) for check, item in night.planted.items() if check in STOPS - {"cash_against_bank"}
    }
    (row,) = reconciliation_rows(
        corrected, "differences", f"\"check\" = 'cash_against_bank' and business_date = '{last}'"
    )
    assert row[5] == once.difference + twice.difference
