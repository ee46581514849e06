"""A table of ratios is checked by line, a month is worked out under it to the cent, and nothing that is published changes."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.what_if import what_if
from spark_jobs.publish.bonus import COLUMNS, create_bonus_table, read_bonus_table

HEAD = ",".join(COLUMNS)
# E1 by the firm's ratio, and from the 9th on by a newer one; E2 by the ratio of its branch. 100.01 × 0.1 is rounded before × 0.5 is.
TABLE = f"{HEAD}\n2026-10-01,normal,commission,*,0.5,0.1\n2026-10-09,normal,commission,*,0.25,0\n2026-01-01,normal,commission,B2,1,0.2\n"
INCOMES = [
    ("E1", "B1", "2026-10-08", "100.01"), ("E1", "B1", "2026-10-09", "10.00"), ("E2", "B2", "2026-10-08", "100.00"),
    ("unassigned", "unassigned", "2026-10-08", "40.00"), ("E1", "B1", "2026-09-30", "999.00"),
]  # fmt: skip


@pytest.fixture
def settings(tmp_path) -> SimpleNamespace:
    """A published file with the three tables that are asked, and one adjustment of the month about an earlier day."""
    return published(tmp_path)


def published(home: Path, table: Path | None = None) -> SimpleNamespace:
    (home / "published" / "revisions").mkdir(parents=True)
    amount = "cast(amount as decimal(18, 2)) as after_deductions_amount"
    with duckdb.connect(str(home / "published" / "revisions" / "000001.duckdb")) as connection:
        connection.execute("create table given (employee_id text, branch_id text, day date, amount text)")
        connection.executemany("insert into given values (?, ?, ?, ?)", INCOMES)
        kind = "'normal' as business_line, 'commission' as income_kind"
        connection.execute(
            f"create table mart_income_attribution as select employee_id, branch_id, day as business_date, {kind}, {amount} from given"
        )
        connection.execute(
            "create table mart_performance_employee_month as select strftime(day, '%Y-%m') as performance_month, employee_id, "
            "sum(cast(amount as decimal(18, 2))) as after_deductions_amount from given group by all"
        )
        connection.execute(
            f"create table adjustment as select '2026-10' as period, date '2026-10-01' as origin_date, 'E2' as employee_id, 'B2' as branch_id, "
            f"{kind}, cast(-50 as decimal(18, 2)) as after_deductions_amount"
        )
        if table:
            create_bonus_table(connection, read_bonus_table(table))
    (home / "published" / "current.json").write_text(
        json.dumps({"revision": 1, "file": "revisions/000001.duckdb", "as_of_date": "2026-10-09"})
    )
    return SimpleNamespace(published=home / "published")


def written(folder: Path, text: str) -> Path:
    path = folder / "ratios.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_month_is_worked_out_under_the_table_to_the_cent(settings, tmp_path):
    file = settings.published / "revisions" / "000001.duckdb"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    found = what_if(settings, written(tmp_path, TABLE), "2026-10")
    figures = {
        row["employee_id"]: (row["now_amount"], row["then_amount"], row["difference_amount"], row["now_rank"], row["then_rank"])
        for row in found["employees"]
    }  # fmt: skip
    # E1: (100.01 − 10.00) × 0.5 = 45.005, and 10.00 × 0.25; E2: 80.00, and the adjustment: −50.00 + 10.00.
    assert figures == {
        "E1": ("110.01", "47.51", "-62.50", 1, 1),
        "E2": ("50.00", "40.00", "-10.00", 2, 2),
        "unassigned": ("0.00", "0.00", "0.00", None, None),
    }
    firm = {name: Decimal(value) for name, value in found["firm"].items()}
    assert firm["income_amount"] == Decimal("200.01") == firm["then_kept_amount"] + firm["then_transferred_amount"]
    assert firm["then_transferred_amount"] == Decimal("20.00") and firm["difference"] == 0
    assert found["now_table"] is None and found["then_table"] == read_bonus_table(tmp_path / "ratios.csv").digest
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_the_table_that_is_published_is_what_holds_now(tmp_path):
    table = written(tmp_path, TABLE)
    found = what_if(published(tmp_path, table), table, "2026-10")
    assert found["now_table"] == found["then_table"]
    assert {row["difference_amount"] for row in found["employees"]} == {"0.00"}


def test_ranks_change_places_where_the_figures_do(settings, tmp_path):
    table = f"{HEAD}\n2026-01-01,normal,commission,*,0.01,0\n2026-01-01,normal,commission,B2,1,0\n"
    ranks = {row["employee_id"]: (row["now_rank"], row["then_rank"])
             for row in what_if(settings, written(tmp_path, table), "2026-10")["employees"]}  # fmt: skip
    assert ranks["E1"] == (1, 2) and ranks["E2"] == (2, 1)


def test_an_income_without_a_ratio_is_told_by_its_kind(settings, tmp_path):
    table = written(tmp_path, f"{HEAD}\n2026-10-09,normal,commission,*,0.5,0\n")
    with pytest.raises(ConfigurationError, match="C360-194") as caught:
        what_if(settings, table, "2026-10")
    assert "normal commission, branch B1, from 2026-10-08" in caught.value.where


@pytest.mark.parametrize("month", ["2026-08", "2026-9"])
def test_a_month_that_is_not_published_is_refused(settings, tmp_path, month):
    with pytest.raises(ConfigurationError, match="C360-125"):
        what_if(settings, written(tmp_path, TABLE), month)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("2026-10-01,normal,commission,*,0.5", "line 3: 5 fields"),
        ("2026-1-01,normal,commission,*,0.5,0", "line 3: effective_from"),
        ("2026-10-02,shares,commission,*,0.5,0", "line 3: business_line"),
        ("2026-10-02,normal,tips,*,0.5,0", "line 3: income_kind"),
        ("2026-10-02,normal,commission,,0.5,0", "line 3: branch_id"),
        ("2026-10-02,normal,commission,*,1.1,0", "line 3: bonus_ratio"),
        ("2026-10-02,normal,commission,*,0.5,1e-1", "line 3: transfer_ratio"),
        ("2026-10-01,normal,commission,*,0.5,0", "line 3: the same first day"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path, line, fault):
    path = written(tmp_path, f"{HEAD}\n2026-10-01,normal,commission,*,0.5,0.1\n{line}\n")
    with pytest.raises(ConfigurationError, match="C360-194") as caught:
        read_bonus_table(path)
    assert fault in caught.value.where


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", HEAD.encode(), b"a,b\n"])
def test_what_is_no_table_is_refused_and_a_mark_of_a_spreadsheet_is_not(tmp_path, content):
    path = tmp_path / "ratios.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="C360-194"):
        read_bonus_table(path)
    path.write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    assert len(read_bonus_table(path).rows) == 3


def test_no_path_is_no_table():
    assert read_bonus_table(None).rows == ()
