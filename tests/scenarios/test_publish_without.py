"""A day goes on without a feed, because a person said so; what arrives later is taken in as if nothing had been decided."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date

import pytest
from rich.console import Console

from spark_jobs.config import load_settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.io import DAY
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from spark_jobs.quality.approvals import without_request
from tests.golden_history import lay_step, read_scenarios, versions_in_force, write_catalogue

SCENARIO = next(scenario for scenario in read_scenarios() if scenario.name == "gap_filled")
FEED, BEFORE, LEFT_OUT, AFTER = SCENARIO.feed, date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
WITHOUT = without_request(FEED, LEFT_OUT, "the counter is down, told by Li Na", "night.shift")


@dataclass
class State:
    """What stood after a step."""

    status: str
    blocking: list[str]
    stale: dict[str, date | None]
    digest: str
    slice_of: list[tuple] = field(default_factory=list)
    versions: frozenset = frozenset()
    records: int = 0
    said: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def states(spark, tmp_path_factory) -> dict[str, State]:
    """A day does not come, goes on without it, is loaded again with nothing new, and comes."""
    home = tmp_path_factory.mktemp("without")
    write_catalogue([SCENARIO], home / "catalogue")
    settings = load_settings(home=home, catalogue=home / "catalogue", spark_master="local[2]")
    for step in (1, 2):
        lay_step([SCENARIO], step, settings.landing)
    found, days = {}, [BEFORE, LEFT_OUT, AFTER]
    for step, accept in (("missing", None), ("left out", WITHOUT), ("again", None), ("arrived", None)):
        if step == "arrived":
            lay_step([SCENARIO], 3, settings.landing)
        with start_run(settings, step, Console(quiet=True)) as run:
            records, _ = take_in(run, [LEFT_OUT] if accept else days, accept=accept)
            ledger = run.ledger
            found[step] = State(
                ledger.record(FEED, LEFT_OUT).status, ledger.blocking(LEFT_OUT), ledger.stale_feeds(LEFT_OUT), ledger.digest(AFTER),
                versions=versions_in_force(run, SCENARIO), records=len(records),
            )  # fmt: skip
            if LEFT_OUT in ledger.chain(FEED):
                rows = run.lake.read("silver", FEED, [LEFT_OUT]).select("account_id", "balance", "_as_of_date", DAY)
                found[step].slice_of = sorted(map(tuple, rows.collect()))
            if step == "left out":
                found[step].said = json.loads(ledger.record(FEED, LEFT_OUT).detail)["without"]
                with pytest.raises(ConfigurationError, match="C360-130"):
                    take_in(run, [LEFT_OUT], accept=WITHOUT)
    return found


def test_a_missing_day_waits(states):
    assert (states["missing"].status, states["missing"].blocking, states["missing"].stale) == ("missing", [FEED], {})


def test_a_day_that_goes_on_has_the_state_before_and_says_so(states):
    state = states["left out"]
    assert (state.status, state.blocking, state.stale) == ("carried", [], {FEED: BEFORE})
    assert state.slice_of and {(as_of, day) for *_, as_of, day in state.slice_of} == {(BEFORE, LEFT_OUT)}
    assert (state.said["who"], state.said["reason"]) == ("night.shift", "the counter is down, told by Li Na")
    assert state.digest != states["missing"].digest


def test_nobody_is_closed_and_nothing_changes_on_a_day_that_did_not_come(states):
    assert states["left out"].versions == states["missing"].versions


def test_the_next_load_leaves_it_as_it_is(states):
    before, after = states["left out"], states["again"]
    assert after.records == 0
    assert (after.status, after.blocking, after.slice_of, after.digest) == (
        before.status, before.blocking, before.slice_of, before.digest,
    )  # fmt: skip


def test_what_comes_later_is_loaded_as_if_it_had_come_in_time(states):
    state = states["arrived"]
    assert (state.status, state.blocking, state.stale) == ("loaded", [], {})
    assert {day for *_, day in state.slice_of} == {as_of for *_, as_of, _ in state.slice_of} == {LEFT_OUT}
    assert state.versions == SCENARIO.expected
    assert state.digest != states["again"].digest
