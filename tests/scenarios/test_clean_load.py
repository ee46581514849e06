"""What a load of a clean broker promises: nothing lost, nothing leaked, nothing done twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg

import simulator
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import current, open_published
from spark_jobs.publish.marts import COCKPIT, MARTS
from spark_jobs.publish.postgres_store import PostgresStore
from tests.leaks import find_leaks
from tests.loading import load_home


def test_rows_read_are_kept_quarantined_or_copies_in_every_file(broker):
    files = broker.summary["files"]
    assert len({file["feed"] for file in files}) >= 30
    for file in files:
        assert file["rows_read"] == file["rows_kept"] + file["rows_quarantined"] + file["rows_duplicate"], file
    assert broker.summary["rows"]["rows_duplicate"] > 0, "the branch list holds a row twice on purpose"


def test_all_days_but_the_opening_are_published_together(broker):
    assert broker.summary["published"] == broker.summary["days"][1:]
    assert broker.summary["problems"] == []


def test_a_second_load_changes_nothing_and_says_so(broker):
    def files(root: Path) -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}

    lake, published = Path(broker.settings.lake), broker.settings.published
    before = files(lake) | files(published)
    again = load_home(broker.settings.home)
    assert again.summary["is_unchanged"]
    assert again.summary["rows"]["rows_read"] == 0
    assert files(lake) | files(published) == before


def test_no_clear_value_of_the_canary_is_anywhere_after_the_load(broker):
    canary = simulator.canary()
    home = broker.settings.home
    landing = find_leaks([home / "landing"], canary.values())
    assert landing, "the canary must be in the landing files, or the search finds nothing anywhere"
    places = [Path(broker.settings.lake), home / "vault", home / "published", home / "logs", home / ".c360"]
    assert all(place.exists() for place in places)
    assert find_leaks(places, canary.values()) == []


def test_the_leak_search_finds_a_value_in_parquet_and_in_duckdb(tmp_path):
    import duckdb

    with duckdb.connect(str(tmp_path / "one.duckdb")) as connection:
        connection.execute("create table names as select '金𬭊雀' as name")
        connection.execute(f"copy names to '{tmp_path / 'two.parquet'}'")
    (tmp_path / "three.log").write_bytes("金𬭊雀".encode("gb18030"))
    assert find_leaks([tmp_path], ["金𬭊雀"]) == ["one.duckdb", "three.log", "two.parquet"]


def test_the_canary_can_be_found_by_its_tokens(broker):
    with open_published(broker.settings.published) as connection:
        rows = connection.execute("select count(*) from mart_customer_profile where name_masked = '金**'").fetchone()[0]
    assert rows > 0


def test_the_commission_marts_sum_to_the_same_firm_total(broker):
    with open_published(broker.settings.published) as connection:
        totals = connection.execute(
            "select (select sum(net_commission_amount) from mart_commission_customer_day), "
            "(select sum(net_commission_amount) from mart_commission_employee_month), "
            "(select sum(net_commission_amount) from mart_commission_branch_month), "
            "(select sum(account_branch_net_commission_amount) from mart_commission_branch_month)"
        ).fetchone()
    assert len(set(totals)) == 1 and totals[0] != 0, totals


def test_the_profile_of_any_day_is_that_of_the_last_published_day(broker):
    days = broker.summary["published"]
    with open_published(broker.settings.published) as connection:

        def asked(day: str) -> list[tuple]:
            return connection.execute("select as_of_date, count(*) from profile_at(?) group by 1", [day]).fetchall()

        rows = dict(
            connection.execute("select as_of_date::text, count(*) from mart_customer_profile group by 1").fetchall()
        )
        for day in days:
            assert asked(day) == [(date.fromisoformat(day), rows[day])]
        # Days of the October holiday and after the last day have the last day's profile, days before the first have none.
        assert asked("2026-12-31") == [(date.fromisoformat(days[-1]), rows[days[-1]])]
        assert asked("2000-01-01") == []


def test_the_published_columns_are_those_of_the_dictionary_and_as_full_as_it_says(broker):
    with open_published(broker.settings.published) as connection:
        published = connection.execute(
            "select table_name, column_name from duckdb_columns() where table_name like 'mart_%' order by table_name, column_index"
        ).fetchall()
        entries = read_dictionary()
        assert sorted(published) == sorted((entry.mart, entry.column) for entry in entries)
        for entry in entries:
            nulls = f"select count(*) from {entry.mart} where {entry.column} is null"
            if entry.default != "null":
                assert connection.execute(nulls).fetchone() == (0,), f"{entry.mart}.{entry.column}"


def test_postgres_serves_what_the_file_serves(broker, postgres):
    """Row for row, in the revision the load has published."""
    store = PostgresStore(broker.serving)
    assert store.served() == broker.outcome.revision
    with open_published(broker.settings.published) as file, psycopg.connect(broker.serving) as connection:
        for mart in MARTS.values():
            query = f"select * from {{}}{mart.name} order by {', '.join(mart.key)}"
            rows = file.execute(query.format("")).fetchall()
            assert rows and connection.execute(query.format("c360.")).fetchall() == rows, mart.name


def test_the_cockpit_has_a_pointer_of_its_own_in_both_stores(broker, postgres):
    folder = COCKPIT.folder(broker.settings.published)
    assert PostgresStore(broker.serving, COCKPIT).served() == current(folder).revision
    with (
        open_published(broker.settings.published) as main, open_published(folder) as file, psycopg.connect(broker.serving) as connection
    ):  # fmt: skip
        for mart in COCKPIT.marts.values():
            query = f"select * from {{}}{mart.name} order by {', '.join(mart.key)}"
            rows = main.execute(query.format("")).fetchall()
            assert rows and file.execute(query.format("")).fetchall() == rows, mart.name
            assert connection.execute(query.format("c360_cockpit.")).fetchall() == rows, mart.name
