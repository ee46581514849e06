"""A range of days in one load, and the same days in one load each, leave the same slices, history, gold and marts."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import simulator
from spark_jobs.chains import Link, in_force
from spark_jobs.gold.tables import TABLES
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.publish.duckdb_store import connect_delta, current
from spark_jobs.publish.marts import MARTS
from tests.loading import load_home

pytestmark = pytest.mark.acceptance

# Which load wrote a row, and when, is the one thing that differs.
LOAD_COLUMNS = ("revision", "batch_id", "run")


@pytest.fixture(scope="module")
def homes(spark, tmp_path_factory) -> tuple[Path, Path]:
    """The same landing files, and the same keys of the vault, loaded at once and day by day."""
    at_once, singly = tmp_path_factory.mktemp("at_once"), tmp_path_factory.mktemp("singly")
    simulator.simulate(at_once, customers=40, days=4, seed=21, start=date(2026, 9, 24), write_truth=False)
    shutil.copytree(at_once / "landing", singly / "landing")
    load_home(at_once)
    shutil.copytree(at_once / "vault", singly / "vault")
    for day in delivered_days(singly / "landing"):
        load_home(singly, [day])
    return at_once, singly


@pytest.fixture(scope="module")
def connection():
    with connect_delta() as connection:
        yield connection


def rows_of(connection, relation: str, dropped: tuple[str, ...] = LOAD_COLUMNS) -> list[tuple]:
    names = [row[0] for row in connection.execute(f"describe from {relation}").fetchall()]
    kept = ", ".join(f'"{name}"' for name in sorted(set(names) - set(dropped)))
    return sorted(connection.execute(f"select {kept} from {relation}").fetchall(), key=repr)


def compare(connection, relations: dict[str, tuple[str, str]]) -> None:
    for name, (one, other) in relations.items():
        left, right = rows_of(connection, one), rows_of(connection, other)
        assert left == right, f"{name}: {len(set(left) ^ set(right))} rows differ"


def test_slices_are_equal(homes, connection):
    at_once, singly = homes
    feeds = sorted(path.name for path in (at_once / "lake" / "silver").iterdir())
    assert feeds == sorted(path.name for path in (singly / "lake" / "silver").iterdir())
    compare(
        connection,
        {feed: tuple(f"delta_scan('{home}/lake/silver/{feed}')" for home in homes) for feed in feeds},
    )


def test_the_chains_in_force_and_their_edges_are_equal(homes, connection):
    def chains(home: Path) -> dict[str, list[tuple]]:
        links = [Link(*row) for row in connection.execute(f"from delta_scan('{home}/lake/meta/chain')").fetchall()]
        return {
            feed: [
                (link.business_date, link.fingerprint, link.from_date, link.edge)
                for link in in_force(link for link in links if link.feed == feed).values()
            ]
            for feed in {link.feed for link in links}
        }

    at_once, singly = homes
    assert chains(at_once) == chains(singly)
    feeds = sorted(path.name for path in (at_once / "lake" / "changes").iterdir())
    compare(
        connection,
        {feed: tuple(f"delta_scan('{home}/lake/changes/{feed}')" for home in homes) for feed in feeds},
    )


def test_gold_is_equal(homes, connection):
    compare(
        connection,
        {
            name: tuple(f"delta_scan('{home}/lake/gold/{name}')" for home in homes)
            for name in TABLES
            if name != "calendar"
        },
    )


def test_the_published_marts_are_equal(homes, connection):
    for alias, home in zip(("at_once", "singly"), homes, strict=True):
        connection.execute(f"attach '{current(home / 'published').file}' as {alias} (read_only)")
    compare(connection, {mart: (f"at_once.{mart}", f"singly.{mart}") for mart in MARTS})
