"""What one person proposes counts once another confirms it, in an open month, and is told from corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest

from spark_jobs.errors import ConfigurationError
from spark_jobs.io import Lake
from spark_jobs.jobs.adjust import Proposal, confirm, propose, read_decisions
from spark_jobs.publish.bonus import BonusTable, create_bonus_table
from spark_jobs.publish.dictionary import read_dictionary, read_tables
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.publish.periods import LOCKS, LOCKS_SCHEMA, create_periods
from spark_jobs.publish.revisions import PUBLICATIONS_SCHEMA

SEPTEMBER, OCTOBER = date(2026, 9, 30), date(2026, 10, 9)
APPEAL = Proposal("E1", "B1", "normal", "commission", "-12.50", "2026-10", "appeal of E1", "Li Na", SEPTEMBER)


@pytest.fixture
def run(spark, tmp_path):
    """A lake with two published days, one employee, and September locked as the first revision has it."""
    lake = Lake(spark, str(tmp_path / "lake"))
    columns = [entry for entry in read_dictionary() if entry.mart == "mart_income_attribution"]
    schema = f"{', '.join(f'{entry.column} {entry.data_type}' for entry in columns)}, revision int"
    for rows, kinds, place in (
        ([], schema, ("marts", "mart_income_attribution")),
        ([(SEPTEMBER, 1, 1, "", "{}"), (OCTOBER, 2, 2, "", "{}")], PUBLICATIONS_SCHEMA, ("meta", "publications")),
        ([("2026-09", 1, 1, "Li Na", "paid")], LOCKS_SCHEMA, ("meta", LOCKS)),
        ([("E1", "B1")], "employee_id string, branch_id string", ("gold", "employees")),
    ):
        lake.append(spark.createDataFrame(rows, kinds).coalesce(1), *place, {})
    return SimpleNamespace(spark=spark, lake=lake, number=3, settings=SimpleNamespace(lake=lake.root))


def published(run) -> list[tuple]:
    with connect_delta() as connection:
        create_periods(connection, run.lake.root)
        return connection.execute(
            "select period, origin_date, revision, employee_id, net_amount, gross_amount, after_deductions_amount, adjustment_source, "
            "decision_number from adjustment"
        ).fetchall()


def test_a_proposal_counts_only_once_another_person_confirmed_it(run):
    assert propose(run, APPEAL) == 1
    assert propose(run, replace(APPEAL, amount="3", origin=None)) == 2
    assert published(run) == []
    assert confirm(run, 1, "Wang Wei") == 3
    amount = Decimal("-12.50")
    assert published(run) == [("2026-10", SEPTEMBER, 3, "E1", amount, Decimal(0), amount, "manual", 1)]
    with connect_delta() as connection:
        known = read_decisions(connection, run.settings)
    assert [(one["number"], one["who"], one["confirmed_by"], one["reason"]) for one in known] == [
        (1, "Li Na", "Wang Wei", "appeal of E1"),
        (2, "Li Na", None, "appeal of E1"),
    ]


def test_who_proposed_it_cannot_confirm_it_and_nobody_confirms_it_twice(run):
    propose(run, APPEAL)
    for number, who in ((1, "li  NA"), (1, " "), (2, "Wang Wei")):
        with pytest.raises(ConfigurationError, match="C360-193"):
            confirm(run, number, who)
    confirm(run, 1, "Wang Wei")
    with pytest.raises(ConfigurationError, match="confirmed already"):
        confirm(run, 1, "Zhao Min")


def test_a_locked_month_is_refused_also_when_it_was_locked_in_between(run):
    with pytest.raises(ConfigurationError, match="C360-192"):
        propose(run, replace(APPEAL, period="2026-09"))
    propose(run, APPEAL)
    run.lake.append(run.spark.createDataFrame([("2026-10", 2, 4, "Li Na", "paid")], LOCKS_SCHEMA), "meta", LOCKS, {})
    with pytest.raises(ConfigurationError, match="C360-192"):
        confirm(run, 1, "Wang Wei")


def test_what_was_confirmed_and_not_published_before_the_lock_counts_for_the_month_after(run):
    propose(run, APPEAL)
    confirm(run, 1, "Wang Wei")
    run.lake.append(run.spark.createDataFrame([("2026-10", 2, 4, "Li Na", "paid")], LOCKS_SCHEMA), "meta", LOCKS, {})
    assert [row[0] for row in published(run)] == ["2026-11"]


def test_everything_wrong_with_a_proposal_is_told_at_once(run):
    wrong = Proposal("E1", "B2", "shares", "tips", "0.001", "2026-13", " ", "", SEPTEMBER)
    with pytest.raises(ConfigurationError, match="C360-193") as caught:
        propose(run, wrong)
    for part in ("no month", "its line", "its kind", "its amount", "no reason", "nobody proposes", "in that branch"):
        assert part in caught.value.what
    for amount in ("NaN", "0", "1e15", "ten"):
        with pytest.raises(ConfigurationError, match="its amount"):
            propose(run, replace(APPEAL, amount=amount))
    with pytest.raises(ConfigurationError, match="lies after its period"):
        propose(run, replace(APPEAL, origin=date(2026, 11, 2)))


def test_every_column_of_adjustments_and_ratios_is_in_the_dictionary(run):
    tables = ("adjustment", "bonus_ratio")
    with connect_delta() as connection:
        create_periods(connection, run.lake.root)
        create_bonus_table(connection, BonusTable())
        found = [
            (table, name, kind)
            for table in tables
            for name, kind, *_ in connection.execute(f"describe {table}").fetchall()
        ]
    kinds = {"VARCHAR": "string", "INTEGER": "int", "DATE": "date"}
    assert [(table, name, kinds.get(kind, kind.lower())) for table, name, kind in found] == [
        (entry.mart, entry.column, entry.data_type) for entry in read_tables() if entry.mart in tables
    ]
