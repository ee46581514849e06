"""Declared checks: their faults, the days they apply to, and a planted break for each."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from pathlib import Path

import pytest

import simulator
from simulator.breaks import BREAKS, break_check
from spark_jobs.config import PROJECT
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import look_at_all
from spark_jobs.reconcile.checks import load_checks
from spark_jobs.reconcile.engine import applicable_days

GOOD = """
check: {name}
title: {{en: One thing, zh: 一}}
owner: somebody
severity: stop
grain: [account_id]
tolerance: {{amount: "0.01", unit: CNY}}
left: select business_date, account_id, quantity as amount from silver.fund_counter__holdings
right: |
  select business_date, account_id, quantity as amount from previous.fund_counter__holdings
  union all
  select business_date, account_id, confirmed_quantity from silver.fund_counter__confirmations
meaning: something
source: somewhere
"""
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (dt.date(2026, 1, day) for day in (5, 6, 7, 8))
WEEK = [MONDAY, TUESDAY, WEDNESDAY, THURSDAY]
STATES, EVENTS = "fund_counter__holdings", "fund_counter__confirmations"


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def write(folder: Path, name: str, **changes: str) -> None:
    text = GOOD.format(name=name)
    for line, new in changes.items():
        text = re.sub(rf"(?m)^{line}:.*$", new, text)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")


def test_all_faults_of_all_files_are_reported_together(tmp_path, catalogue):
    write(tmp_path, "one", severity="severity: sometimes", tolerance="tolerance: {amount: 0.01, unit: CNY}")
    write(tmp_path, "two", owner="limit: '5'", title="title: {en: Only English}")
    write(tmp_path, "three", left="left: select 1 as amount", source="source: somewhere\nwish: more")
    write(tmp_path, "four", left="left: select amount from silver.no_feed join gold.no_table")
    (tmp_path / "five.yml").write_text(GOOD.format(name="six"), encoding="utf-8")
    (tmp_path / "seven.yml").write_text("check: [", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_checks(catalogue, tmp_path)
    assert error.value.code == "C360-161"
    assert set(error.value.where.split("\n         ")) == {
        "one.yml: severity is sometimes, not one of stop, warn",
        "one.yml: tolerance.amount is 0.01, not a decimal in quotes",
        "two.yml: lacks owner",
        "two.yml: title needs en and zh",
        "two.yml: needs either right or limit",
        "three.yml: left reads no table of silver, previous, gold or load",
        "three.yml: has an unknown entry wish",
        "four.yml: reads silver.no_feed, which does not exist",
        "four.yml: reads gold.no_table, which does not exist",
        "five.yml: check is six, the file's name says five",
        "seven.yml: not YAML: while parsing a flow node",
    }


@pytest.fixture
def looking_back(tmp_path, catalogue):
    write(tmp_path, "shares")
    return load_checks(catalogue, tmp_path)[0]


@pytest.mark.parametrize(
    ("states", "events", "expected"),
    [
        (WEEK, WEEK, {TUESDAY: MONDAY, WEDNESDAY: TUESDAY, THURSDAY: WEDNESDAY}),
        # No holdings on Wednesday: Thursday looks back to Tuesday, over Wednesday's confirmations.
        ([MONDAY, TUESDAY, THURSDAY], WEEK, {TUESDAY: MONDAY, THURSDAY: TUESDAY}),
        # Wednesday's confirmations are missing too: nobody can say what Thursday should hold.
        ([MONDAY, TUESDAY, THURSDAY], [MONDAY, TUESDAY, THURSDAY], {TUESDAY: MONDAY}),
        # Only Wednesday's confirmations are missing: its holdings are still what Thursday starts from.
        (WEEK, [MONDAY, TUESDAY, THURSDAY], {TUESDAY: MONDAY, THURSDAY: WEDNESDAY}),
        ([], WEEK, {}),
    ],
)
def test_a_check_looks_back_to_the_last_day_its_states_were_loaded(looking_back, states, events, expected):
    loaded = {STATES: set(states), EVENTS: set(events)}
    assert applicable_days(looking_back, WEEK, WEEK, loaded.__getitem__, frozenset({EVENTS})) == expected


def test_every_check_of_the_project_is_sound_and_can_be_broken(catalogue):
    checks = {check.name: check for check in load_checks(catalogue)}
    assert set(checks) - set(BREAKS) == {"disk_space"}, "a full disk is no fault of a delivery"
    assert set(BREAKS) <= set(checks)


def test_no_key_is_made_of_a_personal_column(catalogue):
    personal = {name for contract in catalogue for column in contract.personal_columns for name in column.derived_names}
    for check in load_checks(catalogue):
        assert not set(check.grain) & personal, check.name


def test_the_page_lists_every_check_with_its_severity(catalogue):
    page = (PROJECT / "docs" / "reconciliation.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)`<br>(.+?) \| (\w+) \|.*\| (.+?) \|$", page, re.MULTILINE)
    declared = [(check.name, check.title["en"], check.severity, check.owner) for check in load_checks(catalogue)]
    assert sorted(listed) == declared


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> tuple[Path, dict]:
    """A small broker whose last day has every break at once."""
    home = tmp_path_factory.mktemp("broken")
    simulator.simulate(home, customers=60, days=2, seed=1, start=dt.date(2026, 9, 24), write_truth=False)
    return home, {check: break_check(home / "landing", check) for check in BREAKS}


def test_every_break_differs_and_its_manifests_describe_the_files(broken, catalogue):
    home, planted = broken
    assert all(item.difference for item in planted.values())
    days = sorted(dt.date.fromisoformat(path.name) for path in (home / "landing").iterdir())
    found, faults = look_at_all(home / "landing", list(catalogue), days)
    assert not faults
    for delivery in found:
        for file in delivery.files:
            manifest = json.loads((file.path.parent / "manifest.json").read_text(encoding="utf-8"))
            entry = next(item for item in manifest["files"] if item["name"] == file.path.name)
            assert entry["sha256"] == hashlib.sha256(file.path.read_bytes()).hexdigest()


def test_an_unknown_break_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="cash_roll_forward"):
        break_check(Path(), "no_such_check")
