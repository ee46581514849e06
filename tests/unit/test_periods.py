"""A locked month never changes, what is corrected later is counted once in an open month, and who locks what is checked."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from spark_jobs.errors import ConfigurationError, InfrastructureError
from spark_jobs.jobs.period import lock_period, read_periods
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import point_at, write_revision
from spark_jobs.publish.marts import MARTS
from spark_jobs.publish.periods import LOCKS_SCHEMA
from spark_jobs.publish.revisions import PUBLICATIONS_SCHEMA

SEPTEMBER, LAST, OCTOBER = date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 9)
# What each revision says of a day: employee → net amount. The third corrects September after it was locked, the fourth once more.
REVISIONS = {
    1: {SEPTEMBER: {"E1": "10.00"}, LAST: {"E1": "5.00"}},
    2: {OCTOBER: {"E1": "7.00"}},
    3: {SEPTEMBER: {"E1": "12.00", "E2": "1.00"}, LAST: {"E1": "5.00"}},
    4: {SEPTEMBER: {"E1": "11.50", "E2": "1.00"}},
}
LOCKED_AFTER = {2: "2026-09", 3: "2026-10"}
PAY, PROFILE = "mart_income_attribution", "mart_customer_profile"


@pytest.fixture(scope="module")
def home(spark, tmp_path_factory) -> Path:
    """Every revision published after the other, with the locks between them."""
    home = tmp_path_factory.mktemp("periods")
    lake = home / "lake"
    kinds: dict[str, list[str]] = {}
    for entry in read_dictionary():
        kinds.setdefault(entry.mart, []).append(f"{entry.column} {entry.data_type}")

    def write(rows: list[tuple], schema: str, place: str) -> None:
        spark.createDataFrame(rows, schema).coalesce(1).write.format("delta").mode("append").save(str(lake / place))

    for mart, columns in kinds.items():
        write([], f"{', '.join(columns)}, revision int", f"marts/{mart}")
    for revision, days in REVISIONS.items():
        for mart in (PAY, PROFILE):
            write(_rows(mart, revision, days), f"{', '.join(kinds[mart])}, revision int", f"marts/{mart}")
        write([(day, revision, revision, "", "{}") for day in days], PUBLICATIONS_SCHEMA, "meta/publications")
        expected = dict.fromkeys(MARTS, 0) | {mart: len(_rows(mart, revision, days)) for mart in (PAY, PROFILE)}
        write_revision(str(lake), home / "published", revision, expected)
        point_at(home / "published", revision, keep=9)
        if period := LOCKED_AFTER.get(revision):
            write([(period, revision, revision, "Li Na", "paid")], LOCKS_SCHEMA, "meta/period_locks")
    return home


def _rows(mart: str, revision: int, days: dict[date, dict[str, str]]) -> list[tuple]:
    """One row a day and employee; the profile has one customer a day, whose status says which revision spoke."""
    columns = [entry for entry in read_dictionary() if entry.mart == mart]
    said = {
        (day, employee): {
            "business_date": day, "as_of_date": day, "employee_id": employee, "branch_id": "B1", "account_line": "normal", "account_id": "A1",
            "customer_id": employee, "business_line": "normal", "income_kind": "commission", "pay_ratio": Decimal(1),
            "customer_status": f"revision {revision}",
        }
        | {entry.column: Decimal(0) for entry in columns if entry.column.endswith("_amount")}
        | dict.fromkeys(("net_amount", "after_deductions_amount"), Decimal(amount))
        for day, amounts in days.items()
        for employee, amount in amounts.items()
    }  # fmt: skip
    return [(*(row.get(entry.column) for entry in columns), revision) for row in said.values()]


def asked(home: Path, revision: int, query: str) -> list[tuple]:
    with duckdb.connect(str(home / "published" / "revisions" / f"{revision:06d}.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_locked_month_is_the_same_in_every_later_file(home):
    query = f"select md5(string_agg(cast(pay as varchar), '|' order by business_date, employee_id)) from {PAY} as pay where business_date < '2026-10-01'"
    assert asked(home, 2, query) == asked(home, 3, query) == asked(home, 4, query)
    assert asked(home, 4, f"select business_date, employee_id, net_amount from {PAY} order by all") == [
        (SEPTEMBER, "E1", Decimal("10.00")),
        (LAST, "E1", Decimal("5.00")),
        (OCTOBER, "E1", Decimal("7.00")),
    ]


def test_what_is_not_paid_for_follows_the_newest_revision(home):
    query = f"select distinct customer_status from {PROFILE} where as_of_date = '{SEPTEMBER}'"
    assert asked(home, 4, query) == [("revision 4",)]


def test_corrections_are_adjustments_of_an_open_month_with_their_origin(home):
    query = "select period, origin_date, revision, employee_id, net_amount, after_deductions_amount from adjustment order by revision, employee_id"
    assert asked(home, 2, query) == []
    third = [
        ("2026-10", SEPTEMBER, 3, "E1", Decimal("2.00"), Decimal("2.00")),
        ("2026-10", SEPTEMBER, 3, "E2", Decimal("1.00"), Decimal("1.00")),
    ]
    assert asked(home, 3, query) == third
    # October is locked when the fourth comes, though nothing later has been published.
    assert asked(home, 4, query) == [*third, ("2026-11", SEPTEMBER, 4, "E1", Decimal("-0.50"), Decimal("-0.50"))]


def test_locked_figures_and_adjustments_are_the_corrected_figures(home):
    query = f"select sum(net_amount) from (select net_amount from {PAY} where business_date < '2026-10-01' union all select net_amount from adjustment)"
    assert asked(home, 4, query) == [(Decimal("17.50"),)], "11.50 and 1.00 of the 29th, 5.00 of the 30th"


@pytest.mark.parametrize("mart", [PAY, PROFILE])
def test_a_file_that_lacks_rows_of_its_revision_is_not_published(home, tmp_path, mart):
    """Also of a mart whose locked month is taken from another revision."""
    built = dict.fromkeys(MARTS, 0) | {PAY: 2, PROFILE: 2}
    write_revision(str(home / "lake"), tmp_path, 4, built)
    with pytest.raises(InfrastructureError, match="C360-531"):
        write_revision(str(home / "lake"), tmp_path, 4, built | {mart: 3})


def test_locks_and_adjustments_are_listed(home):
    found = read_periods(SimpleNamespace(lake=str(home / "lake"), published=home / "published"))
    assert [(row["period"], row["revision"], row["who"]) for row in found["locks"]] == [
        ("2026-09", 2, "Li Na"),
        ("2026-10", 3, "Li Na"),
    ]
    assert [(row["period"], row["row_count"], row["net_amount"]) for row in found["adjustments"]] == [
        ("2026-10", 2, "3.00"),
        ("2026-11", 1, "-0.50"),
    ]


@pytest.mark.parametrize(
    ("period", "code"),
    [("2026-9", "C360-191"), ("2026-09", "C360-192"), ("2026-11", "C360-191"), ("2026-12", "C360-191")],
)
def test_what_is_no_month_locked_or_not_over_is_refused(home, period, code):
    run = SimpleNamespace(
        settings=SimpleNamespace(lake=str(home / "lake"), published=home / "published"),
        ledger=SimpleNamespace(
            days=lambda: [SEPTEMBER, LAST, OCTOBER, date(2026, 11, 27), date(2026, 12, 31)],
            opening_day=lambda: SEPTEMBER,
            is_done=lambda day, step: day.month != 12,
        ),
        calendar=SimpleNamespace(is_month_last=lambda day: day in (LAST, date(2026, 12, 31))),
    )
    with pytest.raises(ConfigurationError, match=code):
        lock_period(run, period, "paid", "Li Na")
