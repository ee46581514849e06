"""SQL on the published day: a shell, or one query whose decimals keep their full scale."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.publish.duckdb_store import current, open_published


def answer(settings: Settings, query: str) -> list[dict[str, Any]]:
    """Rows as dictionaries; decimals and dates as strings, so that no scale is lost. Raises C360-107 for a query DuckDB refuses."""
    with open_published(settings.published) as connection:
        try:
            return plain_rows(connection.execute(query))
        except duckdb.Error as error:
            raise ConfigurationError(
                "C360-107", str(error).splitlines()[0], next_step='c360 sql "show tables"'
            ) from None


def plain_rows(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What a query gives as dictionaries, decimals and dates as strings."""
    names = [column[0] for column in cursor.description or []]
    return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return value


def show(rows: list[dict[str, Any]], console: Console) -> None:
    if not rows:
        console.print("no rows")
        return
    table = Table()
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int) or _is_number(value) else "left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.replace("-", "", 1).replace(".", "", 1).isdigit() and "." in value


def shell(settings: Settings, console: Console) -> None:
    """Read queries until end of input. A query that fails says why and the shell goes on."""
    now = current(settings.published)
    console.print(f"published: {now.as_of_date} (revision {now.revision})" if now else "nothing has been published yet")
    while True:
        try:
            query = console.input("c360> ").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if query.lower() in ("exit", "quit", ".quit"):
            return
        if query:
            try:
                show(answer(settings, query), console)
            except ConfigurationError as error:
                console.print(str(error), markup=False)
