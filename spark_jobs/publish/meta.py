"""Tables of the lake's `meta` as DuckDB reads them, whether somebody has written them yet or not."""

from __future__ import annotations

from pathlib import Path


def meta_table(root: str, name: str, schema: str) -> str:
    """What stands behind `from`: the table, or none of its rows where there is no table. schema: as Spark writes it, `column type, …`."""
    if (Path(root) / "meta" / name).is_dir():
        return f"delta_scan('{root}/meta/{name}')"
    columns = (column.rsplit(" ", 1) for column in schema.split(", "))
    return f"(select {', '.join(f'cast(null as {kind}) as {column}' for column, kind in columns)} where false)"
