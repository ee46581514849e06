"""The institutional cockpit goes on where a feed it does not need is late, and says how old its parts are."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import simulator
from spark_jobs.publish.cockpit import NEEDED
from spark_jobs.publish.duckdb_store import connect_delta, current, open_published
from spark_jobs.publish.marts import COCKPIT
from tests.loading import LoadedBroker, load_home

# Whose clients they are is not shown, nor what was traded; what is owed is, and is then of the day before.
LATE = ("staff_platform__relations", "normal_counter__trades", "credit_counter__contracts")
BEFORE, WAITING = date(2026, 1, 6), date(2026, 1, 7)


@dataclass
class Seen:
    """What is published after a load: days of the main pointer and of the cockpit's, and the cockpit's rows."""

    loaded: LoadedBroker
    main: date
    cockpit: date
    revision: int
    rows: list[tuple]
    ages: list[tuple]


def see(home: Path) -> Seen:
    loaded = load_home(home)
    folder = COCKPIT.folder(loaded.settings.published)
    main, cockpit = current(loaded.settings.published), current(folder)
    with open_published(folder) as connection:
        rows = connection.execute(
            "select customer_id, parent_customer_id, total_asset_amount, group_total_asset_amount, product_count from mart_institution "
            "where as_of_date = ? order by all", [cockpit.as_of_date],
        ).fetchall()  # fmt: skip
        ages = connection.execute(
            "select distinct normal_as_of_date, credit_as_of_date, is_stale from mart_institution where as_of_date = ?", [cockpit.as_of_date]
        ).fetchall()  # fmt: skip
    return Seen(loaded, main.as_of_date, cockpit.as_of_date, cockpit.revision, rows, ages)


@pytest.fixture(scope="module")
def seen(spark, tmp_path_factory) -> dict[str, Seen]:
    """Two days after the opening; on the last three feeds are late, then they come."""
    home, aside = tmp_path_factory.mktemp("cockpit"), tmp_path_factory.mktemp("aside")
    simulator.simulate(home, customers=60, days=2, seed=5, start=date(2026, 1, 5))
    landing = home / "landing" / WAITING.isoformat()
    for feed in LATE:
        shutil.move(landing / feed, aside / feed)
    found = {"late": see(home), "again": see(home)}
    for feed in LATE:
        shutil.move(aside / feed, landing / feed)
    return found | {"whole": see(home)}


def truth(loaded: LoadedBroker, day: date) -> list[tuple]:
    with (loaded.settings.home / "truth" / "institutions.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["business_date"] == day.isoformat()]
    return sorted(
        (row["customer_id"], row["parent_customer_id"], Decimal(row["total_asset_amount"]), Decimal(row["group_total_asset_amount"]),
         int(row["product_count"]))
        for row in rows
    )  # fmt: skip


def test_the_cockpit_is_a_day_ahead_of_a_publication_that_waits(seen):
    late = seen["late"]
    assert not set(LATE) & set(NEEDED)
    assert sorted(late.loaded.outcome.blocked[WAITING]) == sorted(LATE)
    assert (late.main, late.cockpit) == (BEFORE, WAITING)
    assert late.loaded.summary["cockpit"] == [WAITING.isoformat()]


def test_it_shows_what_institutions_own_that_day(seen):
    expected = truth(seen["late"].loaded, WAITING)
    assert any(count for *_, count in expected), "nobody has products"
    assert seen["late"].rows == expected


def test_every_part_says_how_old_it_is(seen):
    assert seen["late"].ages == [(WAITING, BEFORE, True)]


def test_nothing_of_a_day_that_waits_is_in_gold_or_the_marts(seen):
    lake = seen["late"].loaded.settings.lake
    with connect_delta() as connection:
        # The runs before the last one wrote nothing of that day but the cockpit's own.
        written = connection.execute(
            f"select min(revision) from delta_scan('{lake}/marts/mart_institution') where as_of_date = ?", [WAITING]
        ).fetchone()
        stale = connection.execute(
            f"select stale_feeds from delta_scan('{lake}/meta/cockpit_publications') where business_date = ? order by revision", [WAITING]
        ).fetchall()  # fmt: skip
    assert written == (seen["whole"].loaded.outcome.revision,)
    first, last = (json.loads(text) for (text,) in stale)
    assert set(LATE) <= set(first) and not set(LATE) & set(last)
    assert not any(Path(lake, "candidate").glob("*"))


def test_the_same_load_again_publishes_nothing(seen):
    late, again = seen["late"], seen["again"]
    assert again.loaded.summary["cockpit"] == [] and again.revision == late.revision


def test_a_day_that_has_become_whole_is_published_once_more(seen):
    whole = seen["whole"]
    assert (whole.main, whole.cockpit, whole.revision) == (WAITING, WAITING, seen["again"].revision + 1)
    assert whole.ages == [(WAITING, WAITING, False)] and whole.rows == truth(whole.loaded, WAITING)
    with duckdb.connect(str(current(whole.loaded.settings.published).file), read_only=True) as connection:
        main = connection.execute(
            "select customer_id, parent_customer_id, total_asset_amount, group_total_asset_amount, product_count from mart_institution "
            "where as_of_date = ? order by all", [WAITING],
        ).fetchall()  # fmt: skip
    assert main == whole.rows
