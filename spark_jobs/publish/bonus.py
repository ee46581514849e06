"""The firm's table of bonus and transfer ratios: an input with versions, published beside the incomes it is for.

A CSV in UTF-8 with the columns of `COLUMNS`, one row per first day, business line, kind of income and branch; branch `*` is every branch
without a row of its own. transfer_ratio (转移支付比例): what of the income goes to the firm before; bonus_ratio (绩效计提比例): what of
the rest counts for the employee. Both are fractions from 0 to 1 with at most eight decimals. What is paid for it is worked out elsewhere.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from spark_jobs.errors import ConfigurationError
from spark_jobs.publish.adjustments import KINDS, LINES

COLUMNS = ("effective_from", "business_line", "income_kind", "branch_id", "bonus_ratio", "transfer_ratio")
EVERY_BRANCH, TABLE = "*", "bonus_ratio"
SHOWN_FAULTS = 20

_RATIO = re.compile(r"[01](\.[0-9]{1,8})?")
_BRANCH = re.compile(r"\*|[0-9A-Za-z_-]{1,32}")
_SCHEMA = (
    "effective_from date, business_line varchar, income_kind varchar, branch_id varchar, bonus_ratio decimal(9, 8), "
    "transfer_ratio decimal(9, 8), table_digest varchar"
)


@dataclass(frozen=True)
class Ratios:
    """One row of the table. Key: the first four fields."""

    effective_from: date
    business_line: str
    income_kind: str
    branch_id: str
    bonus_ratio: Decimal
    transfer_ratio: Decimal

    @property
    def key(self) -> tuple[date, str, str, str]:
        return self.effective_from, self.business_line, self.income_kind, self.branch_id


@dataclass(frozen=True)
class BonusTable:
    """A table that was checked. `digest` names its bytes; empty for no table."""

    rows: tuple[Ratios, ...] = ()
    digest: str = ""


def read_bonus_table(path: Path | None) -> BonusTable:
    """The table of a file, none for no path. Raises ConfigurationError C360-194 that lists what is wrong, by line."""
    if path is None:
        return BonusTable()
    try:
        content = path.read_bytes()
        # A spreadsheet puts a byte-order mark in front.
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, [f"it cannot be read as UTF-8 text ({type(error).__name__})"]) from None
    lines = csv.reader(io.StringIO(text))
    if tuple(next(lines, ())) != COLUMNS:
        raise _unusable(path, [f"line 1: the columns are not {','.join(COLUMNS)}"])
    rows: dict[tuple, Ratios] = {}
    faults: list[str] = []
    for cells in lines:
        found = [f"line {lines.line_num}: {fault}" for fault in _faults(cells)]
        if not found:
            row = Ratios(date.fromisoformat(cells[0]), *cells[1:4], *map(Decimal, cells[4:]))
            if row.key in rows:
                found = [f"line {lines.line_num}: the same first day, line, kind and branch stand in an earlier line"]
            rows[row.key] = row
        faults += found
    if faults or not rows:
        raise _unusable(path, faults or ["it has no row"])
    return BonusTable(tuple(rows.values()), hashlib.sha256(content).hexdigest())


def _faults(cells: list[str]) -> Iterator[str]:
    if len(cells) != len(COLUMNS):
        yield f"{len(cells)} fields instead of {len(COLUMNS)}"
        return
    if not _is_date(cells[0]):
        yield "effective_from is no date yyyy-mm-dd"
    if cells[1] not in LINES:
        yield f"business_line is none of {', '.join(LINES)}"
    if cells[2] not in KINDS:
        yield f"income_kind is none of {', '.join(KINDS)}"
    if not _BRANCH.fullmatch(cells[3]):
        yield f"branch_id is neither a branch nor {EVERY_BRANCH}"
    for name, text in zip(COLUMNS[4:], cells[4:], strict=True):
        if not _RATIO.fullmatch(text) or Decimal(text) > 1:
            yield f"{name} is no fraction from 0 to 1 with at most eight decimals"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _unusable(path: Path, faults: list[str]) -> ConfigurationError:
    shown = [
        *faults[:SHOWN_FAULTS],
        *([f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []),
    ]
    return ConfigurationError(
        "C360-194", f"the table of bonus ratios has {len(faults)} faults", where="\n         ".join([path.name, *shown]),
        kept="what is published, with the table it has", next_step="correct the file, then run the same command again",
    )  # fmt: skip


def create_bonus_table(connection: duckdb.DuckDBPyConnection, table: BonusTable, name: str = TABLE) -> None:
    """Put the table into a database, without rows where there is none; every row has the digest of the file it is from."""
    connection.execute(f"create table {name} ({_SCHEMA})")
    if table.rows:
        values = [
            (*row.key, row.bonus_ratio, row.transfer_ratio, table.digest) for row in sorted(table.rows, key=lambda row: row.key)
        ]  # fmt: skip
        connection.executemany(f"insert into {name} values (?, ?, ?, ?, ?, ?, ?)", values)
