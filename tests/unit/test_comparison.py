"""Months side by side: what a unit did, beside the month before, a year ago, the year so far and its target."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from spark_jobs.publish.comparison import FLOWS, STOCKS, TARGETS, create_comparison
from spark_jobs.publish.dictionary import read_dictionary, read_tables

MONTHS = {"mart_performance_employee_month": "employee_id", "mart_performance_branch_month": "unit_id"}


@pytest.fixture
def published():
    """Two employees of B1 and one of B2 over a change of year; E1 has nothing in January; every other measure is 0."""
    with duckdb.connect() as connection:
        for mart in MONTHS:
            columns = [(entry.column, entry.data_type) for entry in read_dictionary() if entry.mart == mart]
            declared = ", ".join(f"{name} {kind.replace('string', 'varchar')}" for name, kind in columns)
            connection.execute(f"create table {mart} ({declared})")
        yield connection


def add(
    connection, mart: str, month: str, unit: str, branch: str | None = None, level: str | None = None, **figures
) -> None:
    row = {
        entry.column: Decimal(0) if entry.data_type in ("decimal(18,2)", "bigint") else None
        for entry in read_dictionary() if entry.mart == mart
    }  # fmt: skip
    row |= {"performance_month": month, "as_of_date": date.fromisoformat(f"{month}-28"), MONTHS[mart]: unit}
    row |= dict.fromkeys(TARGETS.values())
    if level:
        row["unit_level"] = level
    else:
        row["branch_id"] = branch
    row |= figures
    connection.execute(
        f"insert into {mart} ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values())
    )


def add_employees(connection) -> None:
    mart = "mart_performance_employee_month"
    for month, unit, branch, amount in (
        ("2025-12", "E1", "B1", 5), ("2026-01", "E2", "B1", 10), ("2026-01", "E3", "B2", 40), ("2026-02", "E1", "B1", 30),
        ("2026-02", "E2", "B1", 20), ("2026-02", "E3", "B2", -10), ("2026-02", "unassigned", "unassigned", 99), ("2026-12", "E1", "B1", 7),
    ):  # fmt: skip
        target = Decimal(50) if (month, unit) == ("2026-02", "E1") else None
        add(
            connection,
            mart,
            month,
            unit,
            branch,
            after_deductions_amount=Decimal(amount),
            customer_count=3,
            target_income_amount=target,
        )


def told(connection, measure: str, unit: str) -> list[tuple]:
    query = (
        "select performance_month, amount, previous_month_amount, previous_year_amount, year_to_date_amount, target_amount, "
        "year_branch_rank, year_firm_rank from performance_comparison where measure = ? and unit_id = ? order by 1"
    )
    rows = connection.execute(query, [measure, unit]).fetchall()
    return [tuple(int(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in rows]


def test_a_year_begins_anew_and_a_month_without_a_row_is_not_there_to_compare_with(published):
    add_employees(published)
    create_comparison(published)
    assert told(published, "after_deductions_amount", "E1") == [
        ("2025-12", 5, None, None, 5, None, 1, 1),
        ("2026-02", 30, None, None, 30, 50, 1, 1),
        ("2026-12", 7, None, 5, 37, None, 1, 1),
    ]


def test_places_of_the_year_are_by_what_was_reached_since_january(published):
    add_employees(published)
    create_comparison(published)
    february = [
        rows[-1] for unit in ("E2", "E3", "unassigned") if (rows := told(published, "after_deductions_amount", unit))
    ]
    assert february == [
        ("2026-02", 20, 10, None, 30, None, 1, 1), ("2026-02", -10, 40, None, 30, None, 1, 1),
        ("2026-02", 99, None, None, 99, None, None, None),
    ]  # fmt: skip


def test_what_is_there_at_a_months_end_is_compared_and_never_added_up(published):
    add_employees(published)
    create_comparison(published)
    assert told(published, "customer_count", "E2") == [
        ("2026-01", 3, None, None, None, None, None, None), ("2026-02", 3, 3, None, None, None, None, None),
    ]  # fmt: skip


def test_branches_regions_and_the_firm_have_no_places_and_only_they_have_coverage(published):
    add_employees(published)
    for level, unit in (("branch", "B1"), ("firm", "firm")):
        for month, amount in (("2026-01", 10), ("2026-02", 50)):
            add(published, "mart_performance_branch_month", month, unit, level=level, net_inflow_amount=Decimal(amount),
                covered_customer_count=2, target_inflow_amount=Decimal(80))  # fmt: skip
    create_comparison(published)
    assert told(published, "net_inflow_amount", "firm")[-1] == ("2026-02", 50, 10, None, 60, 80, None, None)
    query = "select unit_level, unit_id, branch_id from performance_comparison where measure = 'covered_customer_count' group by all order by 1"
    assert published.execute(query).fetchall() == [("branch", "B1", "B1"), ("firm", "firm", None)]


def test_every_measure_of_a_month_is_compared(published):
    kinds = {
        entry.column: entry.data_type for entry in read_dictionary() if entry.mart == "mart_performance_branch_month"
    }
    measures = {name for name in kinds if name.endswith(("_amount", "_count"))}
    deductions = {"vat_amount", "protection_fund_amount", "funding_cost_amount"}
    assert measures - deductions - set(TARGETS.values()) == {*FLOWS, *STOCKS}


def test_the_table_is_described_as_it_is(published):
    create_comparison(published)
    found = {
        name: kind.lower().replace("varchar", "string")
        for name, kind, *_ in published.execute("describe performance_comparison").fetchall()
    }
    assert found == {entry.column: entry.data_type for entry in read_tables() if entry.mart == "performance_comparison"}
