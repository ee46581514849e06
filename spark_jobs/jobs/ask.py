"""SQL on the published day: a shell, or one query whose decimals keep their full scale."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.vault import TOKEN_VARIABLE, Keys, VaultError, load_keys
from spark_jobs.jobs.ask_files import IMPORTED, read_list, take_out
from spark_jobs.publish.duckdb_store import current, in_force, open_published


def answer(settings: Settings, query: str, listed: Path | None = None) -> list[dict[str, Any]]:
    """Rows as dictionaries; decimals and dates as strings, so that no scale is lost.

    listed: a list that the query finds as the table `imported`. Raises ConfigurationError C360-107 for a query DuckDB refuses, C360-126 for a
    list that cannot be brought in.
    """
    with _asked(settings, listed) as connection:
        return plain_rows(connection.execute(query))


def answer_file(settings: Settings, query: str, to: Path, listed: Path | None = None) -> int:
    """The same as a CSV, Parquet or Excel file, with a line in the audit log; returns how many rows. Raises also C360-127."""
    from serving.audit import Audit

    audit_log = Audit(settings.audit, load_keys(settings.vault, os.environ))
    try:
        with _asked(settings, listed) as connection:
            return take_out(settings, connection, query, to, audit_log.write)
    finally:
        audit_log.close()


@contextmanager
def _asked(settings: Settings, listed: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(settings.published) as connection:
        if listed:
            keys = load_keys(settings.vault, os.environ)
            _check_token_key(connection, keys)
            connection.register(IMPORTED, read_list(listed, keys, in_force(settings.published).as_of_date))
        try:
            yield connection
        except duckdb.Error as error:
            raise ConfigurationError(
                "C360-107", str(error).splitlines()[0], next_step='c360 sql "show tables"'
            ) from None


def _check_token_key(connection: duckdb.DuckDBPyConnection, keys: Keys) -> None:
    """Raises VaultError C360-525 when the published day has tokens of another key: nothing of a list would be met."""
    found = connection.execute("select mobile_phone_token from mart_customer_phone limit 1").fetchone()
    if found and not keys.has_made(found[0]):
        raise VaultError(
            "C360-525", "what is published has tokens of another key", kept="everything",
            next_step=f"set {TOKEN_VARIABLE} to the keys in force, oldest first",
        )  # fmt: skip


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
