"""Two published files are compared by key and column, and only what differs is told."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from spark_jobs.publish.compare import compare

# customer, day, assets; employee, month, income, places; period, employee, adjustment.
PROFILES = [("C1", "2026-09-29", "1.00"), ("C1", "2026-09-30", "2.00"), ("C2", "2026-09-30", None)]
MONTHS = [("E1", "2026-09", "10.00", 1, 1), ("E2", "2026-09", "9.00", 1, 2), ("E3", "2026-09", "1.00", 2, 3)]
ADJUSTMENTS = [("2026-10", "E1", "5.00")]


def published(path: Path, profiles=PROFILES, months=MONTHS, adjustments=ADJUSTMENTS) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table mart_customer_profile (customer_id text, as_of_date date, total_asset_amount decimal(18,2))"
        )
        connection.execute(
            "create table mart_performance_employee_month (employee_id text, performance_month text, after_deductions_amount decimal(18,2), "
            "branch_rank int, firm_rank int)"
        )
        connection.execute(
            "create table adjustment (period text, employee_id text, after_deductions_amount decimal(18,2))"
        )
        for table, rows in (
            ("mart_customer_profile", profiles),
            ("mart_performance_employee_month", months),
            ("adjustment", adjustments),
        ):
            for row in rows:
                connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)
    return path


@pytest.fixture
def before(tmp_path) -> Path:
    return published(tmp_path / "before.duckdb")


def test_files_that_say_the_same_do_not_differ(before, tmp_path):
    after = published(tmp_path / "after.duckdb", list(reversed(PROFILES)))
    assert compare(before, after) == {"customers": [], "employees": [], "ranks": []}


def test_customers_are_told_with_their_days_and_columns(before, tmp_path):
    profiles = [("C1", "2026-09-29", "1.01"), ("C1", "2026-09-30", "2.02"), ("C3", "2026-09-30", "7.00")]
    found = compare(before, published(tmp_path / "after.duckdb", profiles))["customers"]
    assert [
        (row["customer_id"], row["state"], row["day_count"], row["first_date"], row["columns"]) for row in found
    ] == [
        ("C1", "changed", 2, "2026-09-29", ["total_asset_amount"]),
        ("C2", "gone", 1, "2026-09-30", []),
        ("C3", "new", 1, "2026-09-30", []),
    ]


def test_a_null_that_becomes_a_value_is_a_change(before, tmp_path):
    found = compare(before, published(tmp_path / "after.duckdb", [*PROFILES[:2], ("C2", "2026-09-30", "0.00")]))
    assert [row["customer_id"] for row in found["customers"]] == ["C2"]


def test_employees_and_only_ranks_that_move_are_told(before, tmp_path):
    months = [("E1", "2026-09", "8.00", 2, 2), ("E2", "2026-09", "9.00", 1, 1), ("E3", "2026-09", "1.50", 2, 3)]
    found = compare(before, published(tmp_path / "after.duckdb", months=months))
    told = [
        (row["employee_id"], row["after_deductions_amount_before"], row["after_deductions_amount_after"], row["columns"])
        for row in found["employees"]
    ]  # fmt: skip
    assert told == [
        ("E1", "10.00", "8.00", ["after_deductions_amount", "branch_rank", "firm_rank"]),
        ("E2", "9.00", "9.00", ["firm_rank"]),
        ("E3", "1.00", "1.50", ["after_deductions_amount"]),
    ]
    assert [(row["employee_id"], row["firm_rank_before"], row["firm_rank_after"]) for row in found["ranks"]] == [
        ("E1", 1, 2),
        ("E2", 2, 1),
    ]


def test_what_a_locked_month_gains_is_told_in_the_month_it_counts_for(before, tmp_path):
    adjustments = [*ADJUSTMENTS, ("2026-10", "E1", "-1.00"), ("2026-10", "E4", "1.00")]
    found = compare(before, published(tmp_path / "after.duckdb", adjustments=adjustments))
    told = [
        (row["performance_month"], row["employee_id"], row["adjustment_amount_before"], row["adjustment_amount_after"])
        for row in found["employees"]
    ]
    assert told == [("2026-10", "E1", "5.00", "4.00"), ("2026-10", "E4", "0.00", "1.00")]
    assert found["ranks"] == [] == found["customers"]
