"""Published files with invented rows, for benchmarks that need size and not meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

from spark_jobs.publish.dictionary import Entry, read_dictionary


def create_marts(
    database: duckdb.DuckDBPyConnection, rows: Mapping[str, int], value_of: Callable[[Entry], str]
) -> None:
    """Every mart with its columns and types. `rows`: mart → how many, 0 if not named; `value_of`: an expression over `i`, the number of the row."""
    marts: dict[str, list[str]] = {}
    for entry in read_dictionary():
        kind = {"string": "varchar"}.get(entry.data_type, entry.data_type)
        marts.setdefault(entry.mart, []).append(f"cast({value_of(entry)} as {kind}) as {entry.column}")
    for mart, columns in marts.items():
        count = rows.get(mart, 0)
        database.execute(f"create table {mart} as select {', '.join(columns)} from range({count}) as numbers (i)")
