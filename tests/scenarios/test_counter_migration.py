"""Another counter replaces the normal one: new numbers, names, codes and formats, and nobody who reads the marts can tell."""

from __future__ import annotations

import json
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from simulator.faults import Delivery, Lines
from simulator.layouts import layouts
from simulator.migration import MAPPING, new_number, next_layouts
from simulator.randomness import stream
from spark_jobs.cli import app
from spark_jobs.config import Settings
from spark_jobs.contracts import load_catalogue
from spark_jobs.jobs import report
from spark_jobs.jobs.diff import compare
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from spark_jobs.jobs.status import read_status
from spark_jobs.publish.duckdb_store import connect_delta
from tests.truth_compare import CLAIMS, must_equal_truth

pytestmark = pytest.mark.acceptance

MOVED = tuple(next_layouts())
STATES = tuple(feed for feed, layout in next_layouts().items() if layout.mode == "state")
EVENTS = tuple(feed for feed in MOVED if feed not in STATES)
BALANCES, ACCOUNTS = "normal_counter__cash_balances", "normal_counter__cash_accounts"
QUIET = Console(quiet=True)


def delivered(landing: Path, day: date, feed: str) -> dict[tuple[str, ...], dict[str, str]]:
    """Key in our words → the row as the old counter sends it."""
    layout = layouts()[feed]
    lines = Lines(Delivery(landing / day.isoformat() / feed, layout, stream(0, "read", feed)))
    rows = [dict(zip(lines.names, row, strict=True)) for row in lines.rows]
    meant = {
        column.name: {code: value for value, code in column.codes.items()} for column in layout.columns if column.codes
    }
    key = load_catalogue()[feed].key
    return {tuple(meant.get(name, {}).get(row[name], row[name]) for name in key): row for row in rows}


def expected_changes(twin: Path, days: list[date], feed: str) -> set[tuple]:
    """(business_date, change, key) between the files of the counter that stayed."""
    changes, before = set(), {}
    for day in days:
        after = delivered(twin / "landing", day, feed)
        changes |= {(day, "delete", *key) for key in before.keys() - after.keys()}
        changes |= {(day, "insert", *key) for key in after.keys() - before.keys()}
        changes |= {(day, "update", *key) for key in before.keys() & after.keys() if before[key] != after[key]}
        before = after
    return changes


def rows_of(settings: Settings, layer: str, feed: str, columns: str) -> list[tuple]:
    key = ", ".join(f'"{name}"' for name in load_catalogue()[feed].key)
    with connect_delta() as connection:
        return connection.execute(
            f"select {columns}, {key} from delta_scan('{settings.lake}/{layer}/{feed}')"
        ).fetchall()


def test_the_counters_really_share_no_number_that_was_taken_over(moved):
    def numbers(day: date) -> set[str]:
        (path,) = (moved.settings.landing / day.isoformat() / ACCOUNTS).glob("*.txt")
        return {line.split("|")[0] for line in path.read_text(encoding="gb18030").splitlines()[2:-1]}

    before, after = numbers(moved.migration.shadow_dates[-1]), numbers(moved.migration.in_force_from)
    assert not before & after
    assert len({new_number(number) for number in before} & after) > len(before) - 3


@pytest.mark.parametrize("file", CLAIMS)
def test_every_mart_is_what_it_would_be_without_the_migration(moved, file):
    must_equal_truth(moved.settings, file)


def test_all_days_are_published_and_nothing_is_reported(moved):
    summary = moved.loaded.summary
    assert summary["published"] == summary["days"][1:]
    assert (summary["problems"], summary["unknown_codes"], report.exit_code(summary)) == ([], [], 0)


@pytest.mark.parametrize("feed", STATES)
def test_no_key_closes_or_gets_a_version_because_of_the_migration(moved, feed):
    changes = rows_of(moved.settings, "changes", feed, "business_date, _change")
    assert len(changes) == len(set(changes))
    assert set(changes) == expected_changes(moved.twin, moved.days, feed)


def test_the_day_of_the_switch_has_changes_of_its_own(moved):
    days = [row[0] for feed in STATES for row in rows_of(moved.settings, "changes", feed, "business_date")]
    assert days.count(moved.migration.in_force_from) > 0


@pytest.mark.parametrize("feed", EVENTS)
def test_what_happened_is_told_in_the_numbers_history_knows(moved, feed):
    assert any(delivered(moved.twin / "landing", day, feed) for day in moved.days[3:]), (
        "nothing happened after the switch"
    )
    for day in moved.days[1:]:
        events = delivered(moved.twin / "landing", day, feed).items()
        expected = {(day, row["account_id"], *key) for key, row in events}
        found = {row for row in rows_of(moved.settings, "silver", feed, "business_date, account_id") if row[0] == day}
        assert found == expected


def test_a_persons_values_stay_under_the_number_they_came_with(moved):
    clients = "normal_counter__clients"
    numbers = {key for day in moved.days for (key,) in delivered(moved.twin / "landing", day, clients)}
    with sqlite3.connect(moved.settings.vault / "vault.sqlite") as vault:
        subjects = vault.execute("select distinct subject from vault where subject like 'NOR/%'").fetchall()
    assert {subject for (subject,) in subjects} == {f"NOR/{number}" for number in numbers}


def test_the_same_landing_again_takes_in_nothing(moved):
    assert moved.again == ([], [])


def test_status_shows_the_shadows_as_such(moved):
    rows = read_status(moved.settings)["deliveries"]
    shadows = {row["business_date"] for row in rows if row["is_shadow"]}
    assert shadows == {day.isoformat() for day in moved.migration.shadow_dates}
    assert {row["status"] for row in rows} == {"loaded"}


@pytest.mark.parametrize("feed", MOVED)
def test_nothing_differs_between_shadow_and_feed(moved, feed):
    entries = compare(moved.settings, feed, MAPPING, date.min, date.max)
    assert [entry["business_date"] for entry in entries] == [day.isoformat() for day in moved.migration.shadow_dates]
    for entry in entries:
        assert (entry["only_left"]["rows"], entry["only_right"]["rows"], entry["columns"]) == (0, 0, {})
        assert {float(line["difference"]) for line in entry["totals"]} == {0.0}
    assert any(entry["totals"][0]["left"] for entry in entries) or feed in EVENTS


def diff(settings: Settings, feed: str, *options: str):
    dates = {name: date.model_dump(mode="json") for name, date in settings.migrations.items()}
    environment = {"C360_HOME": str(settings.home), "C360_MIGRATIONS": json.dumps(dates)}
    return CliRunner().invoke(app, ["diff", "--feed", feed, "--mapping", MAPPING, *options], env=environment)


def shadow_lines(landing: Path, day: date, feed: str) -> Lines:
    folder = landing / day.isoformat() / f"{feed}@{MAPPING}"
    return Lines(Delivery(folder, next_layouts()[feed], stream(0, "migration", feed)))


def test_the_diff_names_exactly_what_was_planted(moved):
    """Last: it loads a spoilt shadow."""
    assert diff(moved.settings, BALANCES).exit_code == 0
    day = moved.migration.shadow_dates[-1]
    old = {new: old for kind in moved.migration.numbers.values() for old, new in kind.items()}
    currencies = {"156": "CNY", "840": "USD", "344": "HKD"}

    balances = shadow_lines(moved.settings.landing, day, BALANCES)
    account, currency, amount = (balances.place_of(name) for name in ("account_id", "currency_code", "balance_amount"))
    keys = [f"{old[row[account]]}|{currencies[row[currency]]}" for row in balances.rows]
    balances.rows[0][amount] = str(int(balances.rows[0][amount]) + 10)
    lost = int(balances.rows.pop()[amount])
    balances.save()
    accounts = shadow_lines(moved.settings.landing, day, ACCOUNTS)
    status = accounts.place_of("account_status")
    wrong = next(row for row in accounts.rows if row[status] == "N")
    wrong[status] = "D"
    accounts.save()

    before = read_status(moved.settings)["published"]
    shadows = [f"shadow__{MAPPING}__{feed}" for feed in (BALANCES, ACCOUNTS)]
    with start_run(moved.settings, "spoilt shadow", QUIET) as run:
        records, _ = take_in(run, [day], shadows)
        assert run.ledger.is_done(day, "gold"), "no day rests on a shadow"
    assert {record.status for record in records} == {"loaded"}
    assert read_status(moved.settings)["published"] == before

    (entry,) = compare(moved.settings, BALANCES, MAPPING, day, day)
    assert entry["only_left"] == {"rows": 1, "keys": [keys[-1]]}
    assert entry["only_right"] == {"rows": 0, "keys": []}
    assert entry["columns"] == {"balance_amount": {"rows": 1, "keys": [keys[0]]}}
    off = {line["total"]: float(line["difference"]) for line in entry["totals"]}
    assert off == {"rows": 1, "rows in quarantine": 0, "sum(balance_amount)": pytest.approx((lost - 10) / 1000)}

    (entry,) = compare(moved.settings, ACCOUNTS, MAPPING, day, day)
    assert (entry["only_left"]["rows"], entry["only_right"]["rows"]) == (0, 0)
    assert entry["columns"] == {"account_status": {"rows": 1, "keys": [old[wrong[accounts.place_of("account_id")]]]}}

    told = diff(moved.settings, ACCOUNTS, "--date", day.isoformat())
    assert told.exit_code == 3
    assert "column account_status" in told.output and "dormant" not in told.output
    assert diff(moved.settings, ACCOUNTS, "--date", moved.migration.shadow_dates[0].isoformat()).exit_code == 0
