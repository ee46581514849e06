"""Rows held back and released: the customer is flagged meanwhile, and afterwards everything is as if they had never been bad.

A flag speaks of deliveries, not of the broker's events, so `truth/` does not know it: it is tested here and left out of the claims.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from spark_jobs.chains import Link, in_force
from spark_jobs.cli import app
from spark_jobs.config import Settings, load_settings
from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError, GateError
from spark_jobs.gold.tables import TABLES
from spark_jobs.jobs import quarantine as job
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from spark_jobs.ledger import Ledger
from spark_jobs.publish.duckdb_store import connect_delta, connect_published, open_published
from spark_jobs.publish.marts import MARTS
from tests.leaks import find_leaks
from tests.loading import LoadedBroker, load_home
from tests.night import ACCOUNTS, CLIENTS, RELEASED, ROW_FAULTS, SWAPPED, TRADES, UNSPLIT, Night
from tests.truth_compare import CLAIMS, must_equal_truth

PERSONAL = ("client_name", "identity_number", "mobile_phone")
QUIET = Console(quiet=True)


@dataclass
class Story:
    """The bad night as the quarantine sees it. `held`: every row listed; `rows`: those a person will release."""

    night: Night
    held: list[dict[str, Any]]

    @property
    def day(self) -> date:
        return self.night.row_day

    @property
    def settings(self) -> Settings:
        return self.night.first.settings

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for row in self.held if row["feed"] in RELEASED]

    def row(self, feed: str, number: int) -> dict[str, Any]:
        """The listed row with that number (counted from 1) in its file."""
        return next(row for row in self.held if row["feed"] == feed and row["source_row"] == number)


@pytest.fixture(scope="module")
def story(night) -> Story:
    return Story(night, job.read_quarantine(night.first.settings))


def published(broker: LoadedBroker, query: str) -> list[tuple]:
    with open_published(broker.settings.published) as connection:
        return connection.execute(query).fetchall()


def flagged(broker: LoadedBroker) -> set[tuple[date, str]]:
    return set(
        published(broker, "select as_of_date, customer_id from mart_customer_profile where has_quarantined_rows")
    )


def ask(settings: Settings, table: str, query: str) -> list[tuple]:
    with connect_delta() as connection:
        connection.execute(f"create view asked as select * from delta_scan('{settings.lake}/{table}')")
        return connection.execute(query).fetchall()


def as_delivered(story: Story, number: int) -> dict[str, str]:
    return story.night.originals[f"{CLIENTS}:{number + 1}"]


def release(story: Story, rows: list[dict[str, Any]], **how: Any) -> None:
    with start_run(story.settings, "release", QUIET) as run:
        job.release(run, [row["id"] for row in rows], "told by the sender", "Li Na", **how)


def test_the_day_is_published_without_the_rows_and_every_row_is_listed(story):
    assert story.night.first.summary["published"] == [day.isoformat() for day in story.night.days[1:-1]]
    assert [(row["feed"], row["source_row"], row["state"]) for row in story.rows if row["feed"] != ACCOUNTS] == [
        (CLIENTS, SWAPPED + 1, "held"),
        (CLIENTS, UNSPLIT + 1, "held"),
        (TRADES, 1, "held"),
    ]
    accounts = [row for row in story.rows if row["feed"] == ACCOUNTS]
    assert [row["rules"][0]["rule"] for row in accounts] == ["key_is_unique", "key_is_unique"]
    assert {row["age_trading_days"] for row in story.rows} == {2}, "trading days from the day to the newest"
    assert story.row(CLIENTS, SWAPPED + 1)["owner"] == "securities operations"
    assert [rule["rule"] for rule in story.row(CLIENTS, SWAPPED + 1)["rules"]] == [
        "record_is_whole",
        "branch_id_is_present",
    ]
    assert len({row["id"] for row in story.held}) == len(story.held)


def test_the_customers_are_flagged_on_that_day_only_and_nobody_where_nobody_can_say_whose_it_is(story):
    known = {row["customer_id"] for row in story.held if row["customer_id"]}
    assert story.row(CLIENTS, UNSPLIT + 1)["customer_id"] is None
    unsplit = story.row(CLIENTS, UNSPLIT + 1)
    assert all(row["customer_id"] for row in story.rows if row is not unsplit), "by client or by account"
    assert len(known) >= 2
    assert flagged(story.night.first) == {(story.day, customer) for customer in known}


def test_the_last_good_state_is_carried_meanwhile(story):
    client = story.night.originals[f"{CLIENTS}:{SWAPPED + 1}"]["client_number"]
    query = f"select _as_of_date, branch_id is not null from asked where client_number = '{client}' and business_date = '{story.day}'"
    assert ask(story.settings, f"silver/{CLIENTS}", query) == [(story.night.days[0], True)]


def test_show_tells_what_was_delivered_and_masks_what_is_personal(story):
    environment = {"C360_HOME": str(story.night.home)}
    shown = {}
    for number in (SWAPPED, UNSPLIT):
        identity = story.row(CLIENTS, number + 1)["id"]
        result = CliRunner().invoke(app, ["quarantine", "show", identity, "--json"], env=environment)
        assert result.exit_code == 0, result.output
        shown[number] = json.loads(result.stdout)
        personal = [as_delivered(story, number)[name] for name in PERSONAL]
        assert not [text for text in personal if text and text in result.stdout]
    cells = {cell["column"]: cell["text"] for cell in shown[SWAPPED]["columns"]}
    original = as_delivered(story, SWAPPED)
    assert (cells["open_date"], cells["branch_id"]) == (original["open_date"], None)
    assert "*" in cells["identity_number"] and cells["identity_number"][:3] == original["identity_number"][:3]
    record = shown[UNSPLIT]["record"]
    assert record.count("|") == len(original) and record.endswith("|aaaaa")
    listed = CliRunner().invoke(app, ["quarantine", "list", "--feed", TRADES], env=environment)
    assert listed.exit_code == 0 and "held" in listed.stdout


def refused(run: Run, code: str, rows: list[dict[str, Any]], **how: Any) -> str:
    with pytest.raises((ConfigurationError, GateError)) as caught:
        job.release(run, [row["id"] for row in rows], "told by the sender", "Li Na", **how)
    assert caught.value.code == code, caught.value
    return str(caught.value)


def test_what_would_be_wrong_is_refused_with_its_reason_and_nothing_changes(story):
    files = set(Path(story.settings.lake).rglob("*.parquet"))
    swapped, unsplit, trade = story.row(CLIENTS, SWAPPED + 1), story.row(CLIENTS, UNSPLIT + 1), story.row(TRADES, 1)
    both = [row for row in story.rows if row["feed"] == ACCOUNTS]
    phone = as_delivered(story, SWAPPED) | {"branch_id": "13912345678"}
    with start_run(story.settings, "refused", QUIET) as run:
        refused(run, "C360-141", [{"id": "000000000000"}], accept=True)
        refused(run, "C360-143", [trade])
        refused(run, "C360-143", [trade], texts={"no_such_column": "1"})
        refused(run, "C360-143", [swapped], texts={"identity_kind": "1"})
        assert "close_date" in refused(run, "C360-143", [unsplit], texts={"client_number": "1"})
        assert "13912345678" not in refused(run, "C360-143", [swapped], texts=phone)
        assert "branch_id_is_present" in refused(run, "C360-144", [swapped], accept=True)
        unreadable, wrong = {"commission_amount": "none"}, {"commission_amount": "1.00"}
        assert "commission_amount_is_readable" in refused(run, "C360-281", [trade], texts=unreadable)
        assert "Σ commission_amount" in refused(run, "C360-282", [trade], texts=wrong)
        refused(run, "C360-283", both, accept=True)
    assert set(Path(story.settings.lake).rglob("*.parquet")) == files
    assert job.read_quarantine(story.settings) == story.held


@pytest.fixture(scope="module")
def released(story) -> None:
    """Every row is brought back, the last by a run that dies before it takes effect: the next one goes on."""
    swapped = as_delivered(story, SWAPPED)
    unread = {name: text for name, text in swapped.items() if not text}
    mended = unread | {name: swapped[name] for name in ("client_name", "branch_id")}
    release(story, [story.row(CLIENTS, SWAPPED + 1)], texts=mended)
    release(story, [story.row(CLIENTS, UNSPLIT + 1)], texts=as_delivered(story, UNSPLIT))
    release(story, [story.row(ACCOUNTS, 1)], accept=True)
    commission = story.night.originals[f"{TRADES}:1"]["commission_amount"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(job, "settle_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        release(story, [story.row(TRADES, 1)], texts={"commission_amount": commission})
    # The day these feeds lost half of their rows on is mended by the sender.
    for feed in RELEASED:
        story.night.mend(story.night.file_day, feed)
    with start_run(story.settings, "load", QUIET) as run:
        take_in(run, story.night.days, list(RELEASED))


@pytest.fixture(scope="module")
def arrived(story, released) -> LoadedBroker:
    """The sender mends all else, and the broker is loaded: every day is built again."""
    night = story.night
    for feed in ROW_FAULTS.values():
        night.mend(night.row_day, feed)
    for folder in sorted((night.good / night.file_day.isoformat()).iterdir()):
        night.mend(night.file_day, folder.name)
    return load_home(night.home)


@pytest.fixture(scope="module")
def twin(story, released) -> Settings:
    """The feeds with bad rows, as another broker got them who has the same keys, and so the same tokens."""
    twin = story.night.good.parent
    (twin / "vault").mkdir(mode=0o700)
    shutil.copy(story.night.home / "vault" / "embedded_keys.env", twin / "vault")
    settings = load_settings(home=twin, spark_master="local[2]")
    with start_run(settings, "twin", QUIET) as run:
        take_in(run, story.night.days, list(RELEASED))
    return settings


def same(one: str, other: str) -> bool:
    """Two queries give the same rows, as often."""
    with connect_delta() as connection:
        both = "select count(*) from ({} except all {})"
        return all(
            connection.execute(both.format(left, right)).fetchone() == (0,)
            for left, right in ((one, other), (other, one))
        )


def test_history_is_that_of_the_twin_edge_by_edge_and_byte_by_byte(story, twin):
    for feed in RELEASED:
        # Of some days the bad night had a second delivery.
        rows = "select * exclude (_delivery_number) from delta_scan('{}/silver/{}')"
        assert same(*(rows.format(settings.lake, feed) for settings in (story.settings, twin))), f"slices of {feed}"
        assert ask(twin, f"silver/{feed}", "select count(*) from asked")[0][0] > 0
    for feed in (CLIENTS, ACCOUNTS):
        chains = []
        for settings in (story.settings, twin):
            links = [Link(*row) for row in ask(settings, "meta/chain", f"from asked where feed = '{feed}'")]
            chains.append([(day, link.fingerprint, link.edge) for day, link in in_force(links).items()])
        assert chains[0] == chains[1] and len(chains[0]) == 4


@pytest.mark.acceptance
def test_what_was_released_and_mended_is_as_if_it_had_never_been_bad(arrived, story):
    assert arrived.summary["problems"] == [] and arrived.summary["rows"]["rows_quarantined"] == 0
    days = story.night.days[1:]
    assert arrived.summary["published"] == [day.isoformat() for day in days]
    with connect_published(arrived.settings.published) as connection:
        revisions = connection.execute("select business_date, revision from publication order by 1").fetchall()
    assert revisions == [(day, 2) for day in days]
    for file in CLAIMS:
        must_equal_truth(story.settings, file)


@pytest.mark.acceptance
def test_nobody_is_flagged_any_more(arrived):
    assert flagged(arrived) == set()


@pytest.mark.acceptance
def test_gold_and_marts_are_those_of_the_twin_row_by_row(arrived, story, twin):
    loaded = load_home(twin.home)
    for name in TABLES:
        tables = [f"from delta_scan('{settings.lake}/gold/{name}')" for settings in (story.settings, twin)]
        assert same(*tables), f"gold.{name}"
    for mart in MARTS:
        rows = [sorted(published(broker, f"from {mart}"), key=str) for broker in (arrived, loaded)]
        assert rows[0] == rows[1] and rows[0], mart


def test_rows_still_add_up_and_say_who_released_them(released, story):
    records = ask(
        story.settings,
        "meta/deliveries",
        "select feed, rows_read, rows_kept, rows_quarantined, rows_duplicate, digest from asked "
        f"where business_date = '{story.day}' and feed in {RELEASED} "
        "qualify row_number() over (partition by feed order by run desc) = 1",
    )
    assert {feed: quarantined for feed, _, _, quarantined, _, _ in records} == {CLIENTS: 0, ACCOUNTS: 1, TRADES: 0}
    assert all(read == kept + quarantined + copies for _, read, kept, quarantined, copies, _ in records)
    states = {
        (row["feed"], row["source_row"]): row["state"]
        for row in job.read_quarantine(story.settings)
        if row["feed"] in RELEASED
    }
    assert [state for (feed, row), state in states.items() if feed == ACCOUNTS and row > 1] == ["left_out"]
    assert sorted(states.values()) == ["left_out", *["released"] * 4]
    assert {row["released_by"] for row in job.read_quarantine(story.settings) if row["state"] == "released"} == {
        "Li Na"
    }


def test_a_row_is_released_once_and_its_sibling_stays_out(released, story):
    sibling = next(row for row in story.held if row["feed"] == ACCOUNTS and row["source_row"] > 1)
    with start_run(story.settings, "refused", QUIET) as run:
        assert "Li Na" in refused(run, "C360-142", [story.row(TRADES, 1)], accept=True)
        refused(run, "C360-142", [sibling], accept=True)


@pytest.mark.acceptance
def test_a_second_load_changes_nothing(arrived, story):
    assert load_home(story.night.home).summary["is_unchanged"]


def test_no_clear_value_of_the_rows_is_anywhere_but_in_landing(released, story):
    values = [
        as_delivered(story, number)[name]
        for number in (SWAPPED, UNSPLIT)
        for name in PERSONAL
        if len(as_delivered(story, number)[name]) > 1
    ]
    assert len(values) >= 4 and find_leaks([story.night.home / "landing"], values)
    places = [Path(story.settings.lake), *(story.night.home / name for name in ("vault", "published", "logs", ".c360"))]
    assert find_leaks(places, values) == []


def test_new_texts_stand_nowhere_in_clear(released, story):
    kept = ask(
        story.settings, "meta/releases", "select texts, columns, kind, waived_rules from asked order by source_row"
    )
    assert len(kept) == 4
    assert {(kind, waived) for _, _, kind, waived in kept} == {("repaired", ""), ("accepted", "key_is_unique")}
    assert all(bool(texts) == bool(columns) and "{" not in texts for texts, columns, _, _ in kept)


def test_a_correction_of_the_sender_makes_the_releases_moot(released, story):
    """The good files come after all: another delivery, which no release touches."""
    story.night.mend(story.day, TRADES)
    with start_run(story.settings, "load", QUIET) as run:
        take_in(run, [story.day], [TRADES])
        record = Ledger(run.lake, run.catalogue).record(TRADES, story.day)
    assert (record.delivery_number, record.releases, record.rows_quarantined) == (2, "", 0)
    assert TRADES not in {row["feed"] for row in job.read_quarantine(story.settings)}
