"""Verdicts of rows that share a key, and what compares equal."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import chronicle
from spark_jobs.chronicle import Loaded, Rows
from spark_jobs.contracts import Column, Contract, load_catalogue
from spark_jobs.history import DAY, intervals
from spark_jobs.quality.verdicts import kept_rows, quarantined_rows, states, with_verdicts
from tests.history_model import Frames

GOLDEN = Path(__file__).parents[1] / "golden" / "changes"
MONDAY = date(2026, 1, 5)
COLUMNS = (
    Column("account_id", "account_id", "string", required=True),
    Column("balance", "balance", "money", required=True),
    Column("opened_date", "opened_date", "date"),
    Column("branch_name", "branch_name", "string"),
    Column("deleted", "deleted", "flag"),
    Column("seen_at", "seen_at", "string", is_tracked=False),
)
CONTRACT = Contract(
    "things", {}, "", "reference", "delimited", "", "", "", ("account_id",), "full", "hold", COLUMNS, "deleted"
)


def judge(spark: SparkSession, contract: Contract, rows: Iterable[tuple[date, dict[str, str | None]]]) -> DataFrame:
    """Delivered texts, all of one file, with verdicts."""
    names = [column.name for column in contract.columns]
    bronze = [
        (day, 1, "file", place, None, *(row.get(name) for name in names)) for place, (day, row) in enumerate(rows)
    ]
    schema = f"{DAY} date, _delivery_number int, _source_file string, _source_row long, _parse_error string, "
    return with_verdicts(
        spark.createDataFrame(bronze, schema + ", ".join(f"{name} string" for name in names)), contract
    )


# key → the rows of one delivery; place → what becomes of each row. A row is balance, deleted and opened_date.
TOGETHER = {
    "a live row beside a delete": ([("1", "1", None), ("2", "0", None)], ["kept, says nothing", "kept"]),
    "the live row first": ([("2", "0", None), ("1", "1", None)], ["kept", "kept, says nothing"]),
    "a delete alone": ([("1", "1", None)], ["kept"]),
    "the same delete twice": ([("1", "1", None), ("1", "1", None)], ["kept", "copy"]),
    "two deletes": ([("1", "1", None), ("2", "1", None)], ["kept", "kept, says nothing"]),
    "two live rows": ([("1", "0", None), ("2", "0", None)], ["key_is_unique"] * 2),
    "two live rows and a delete": (
        [("1", "0", None), ("2", "0", None), ("3", "1", None)],
        ["key_is_unique", "key_is_unique", "key_is_unique, says nothing"],
    ),
    "a live row nobody can read": (
        [("1", "1", None), ("2x", "0", None)],
        ["kept, says nothing", "balance_is_present balance_is_readable"],
    ),
    "a delete nobody can read": (
        [("1", "x", None), ("2", "0", None)],
        ["deleted_is_readable key_is_unique", "key_is_unique"],
    ),
    "different texts nobody can read": (
        [("2x", "0", None), ("3x", "0", None)],
        ["balance_is_present balance_is_readable key_is_unique"] * 2,
    ),
    "the same text nobody can read": (
        [("2x", "0", None), ("2x", "0", None)],
        ["balance_is_present balance_is_readable", "copy"],
    ),
    "a text nobody can read and none": (
        [("2", "0", "2026"), ("2", "0", None)],
        ["key_is_unique opened_date_is_readable", "key_is_unique"],
    ),
    "equal values": ([("2", "0", "20260105"), ("2.00", "false", "2026-01-05")], ["kept", "copy"]),
}


@pytest.fixture(scope="module")
def verdicts(spark) -> dict[str, list[str]]:
    rows = [
        (MONDAY, {"account_id": name, "balance": balance, "deleted": deleted, "opened_date": opened})
        for name, (delivered, _) in TOGETHER.items()
        for balance, deleted, opened in delivered
    ]
    found: dict[str, list[str]] = {}
    for row in sorted(judge(spark, CONTRACT, rows).collect(), key=lambda row: row._source_row):
        rules = " ".join(sorted(reason.rule for reason in row._errors)) or "kept"
        verdict = "copy" if row._is_duplicate else rules + (", says nothing" if row._is_overruled else "")
        found.setdefault(row.account_id, []).append(verdict)
    return found


@pytest.mark.parametrize("name", TOGETHER)
def test_rows_that_share_a_key(verdicts, name):
    assert verdicts[name] == TOGETHER[name][1]


@pytest.fixture(scope="module")
def compared(spark) -> dict[str, int]:
    """Row → hash by which history compares it; all rows have one key."""
    plain = {"account_id": "A1", "balance": "1200.50", "opened_date": "20260105", "branch_name": "12 A"}
    rows = {
        "plain": plain,
        "other ways to write it": {
            "account_id": " A1　", "balance": "＋１２００．５ ", "opened_date": "2026-01-05", "branch_name": "　１２ A ",
        },
        "an ignored column": plain | {"seen_at": "23:59"},
        "an empty text for none": plain | {"deleted": ""},
        "another value": plain | {"balance": "1200.51"},
        "a null": plain | {"branch_name": None},
        "a value in another column": plain | {"branch_name": None, "seen_at": "12 A"},
        "blanks inside": plain | {"branch_name": "12  A"},
        "letters in lower case": plain | {"branch_name": "12 a"},
    }  # fmt: skip
    judged = judge(spark, CONTRACT, ((MONDAY, row) for row in rows.values())).collect()
    return dict(zip(rows, (row._row_hash for row in sorted(judged, key=lambda row: row._source_row)), strict=True))


@pytest.mark.parametrize("name", ["other ways to write it", "an ignored column", "an empty text for none"])
def test_what_is_equal_compares_equal(compared, name):
    assert compared[name] == compared["plain"]


@pytest.mark.parametrize("name", ["another value", "a null", "blanks inside", "letters in lower case"])
def test_what_differs_compares_different(compared, name):
    assert compared[name] != compared["plain"]


def test_an_ignored_column_never_stands_for_a_tracked_one(compared):
    assert compared["a value in another column"] == compared["a null"]


CATALOGUE = load_catalogue(GOLDEN)


def read_delivery(path: Path) -> list[dict[str, str | None]]:
    _, names, *rows, _ = path.read_text(encoding="gb18030").splitlines()
    return [dict(zip(names.split("|"), row.split("|"), strict=True)) for row in rows]


@pytest.mark.parametrize("contract", CATALOGUE, ids=lambda contract: contract.feed)
def test_update_delete_with_insert_and_deleted_flag_end_in_the_same_versions(spark, contract):
    way = contract.feed.removeprefix("changes__")
    files = {date.fromisoformat(path.stem[-8:]): path for path in sorted(GOLDEN.glob(f"{way}_*.txt"))}
    assert len(files) == 3
    judged = judge(spark, contract, ((day, row) for day, path in files.items() for row in read_delivery(path)))
    assert quarantined_rows(judged).count() == 0
    store = Frames(spark)
    chronicle.bring_in_line(
        store, contract, Rows(states(kept_rows(judged)).select(DAY, *chronicle.slice_columns(contract)), None),
        dict.fromkeys(files, Loaded()), list(files), list(files), [], run=1, known_at="", metadata={},
    )  # fmt: skip
    with (GOLDEN / "expected.csv").open(encoding="utf-8", newline="") as stream:
        names, *expected = csv.reader(stream)
    found = intervals(store.changes(), key=contract.key).select(*names).collect()
    assert sorted(["" if value is None else str(value) for value in row] for row in found) == sorted(expected)
