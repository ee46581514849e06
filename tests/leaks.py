"""Search every place a value could have leaked to: Parquet by column value, DuckDB files by table, everything else by bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq


def find_leaks(folders: Iterable[Path], values: Iterable[str]) -> list[str]:
    """`file: kind of value` for every file below `folders` that holds one of `values`, in any usual encoding."""
    wanted = list(values)
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and _holds(path, wanted):
                found.append(str(path.relative_to(folder)))
    return found


def _holds(path: Path, values: list[str]) -> bool:
    raw = path.read_bytes()
    encoded = {value.encode(encoding) for value in values for encoding in ("utf-8", "gb18030", "utf-16-le")}
    # JSON and logs may escape what is not ASCII.
    encoded |= {value.encode("unicode_escape") for value in values}
    if any(pattern in raw for pattern in encoded):
        return True
    if path.suffix == ".parquet" and not path.name.startswith("."):
        return any(_column_holds(column, values) for column in pq.read_table(path).columns)
    if path.suffix == ".duckdb":
        return _database_holds(path, values)
    return False


def _column_holds(column, values: list[str]) -> bool:
    text = " ".join(str(value) for value in column.to_pylist() if value is not None)
    return any(value in text for value in values)


def _database_holds(path: Path, values: list[str]) -> bool:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return any(
            value in str(row)
            for name in tables
            for row in connection.execute(f"select * from {name}").fetchall()
            for value in values
        )
