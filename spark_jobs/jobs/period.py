"""`c360 period`: months whose pay figures do not change any more."""

from __future__ import annotations

from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.adjust import read_decisions
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.duckdb_store import connect_delta, connect_published, in_force
from spark_jobs.publish.meta import meta_table
from spark_jobs.publish.periods import ADJUSTMENT, LOCKS, LOCKS_SCHEMA, as_month


def lock_period(run: Run, period: str, reason: str, by: str) -> int:
    """Lock a month as it is published now; who and why are kept. Returns the revision that counts for it.

    Raises ConfigurationError C360-191 for a month that is not over, or not published as it is loaded; C360-192 for one that is locked.
    """
    if as_month(period) is None:
        raise ConfigurationError("C360-191", f"{period} is no month", next_step="c360 period lock 2026-10 --reason …")
    with connect_delta() as connection:
        is_locked = any(row["period"] == period for row in _locks(connection, run.settings))
    if is_locked:
        raise ConfigurationError("C360-192", f"{period} is locked", next_step="c360 period list")
    days = [day for day in run.ledger.days() if f"{day:%Y-%m}" == period and day != run.ledger.opening_day()]
    if not days or not run.calendar.is_month_last(days[-1]):
        raise ConfigurationError(
            "C360-191",
            f"{period} is not over: its last trading day is not loaded",
            next_step="c360 status shows the days",
        )
    open_days = [day for day in days if not run.ledger.is_done(day, "published")]
    if open_days:
        raise ConfigurationError(
            "C360-191", f"{period} is not published as it is loaded: {open_days[0]} has a correction", next_step="c360 load, then lock"
        )  # fmt: skip
    revision = in_force(run.settings.published).revision
    rows = run.spark.createDataFrame([(period, revision, run.number, by, reason)], LOCKS_SCHEMA).coalesce(1)
    run.lake.append(rows, "meta", LOCKS, {"run": run.number, "period": period})
    return revision


def read_periods(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """The locks, what people proposed and confirmed, and what is published as adjusted, by the month it counts for. Without Spark."""
    with connect_published(settings.published) as connection:
        locks = _locks(connection, settings)
        proposed = read_decisions(connection, settings)
        adjustments = plain_rows(
            connection.execute(
                f"select period, adjustment_source, origin_date, revision, count(*) as row_count, sum(net_amount) as net_amount, "
                f"sum(after_deductions_amount) as after_deductions_amount from {ADJUSTMENT} group by all order by all"
            )
        )
    return {"locks": locks, "decisions": proposed, "adjustments": adjustments}


def _locks(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[dict[str, Any]]:
    locks = meta_table(local_lake(settings), LOCKS, LOCKS_SCHEMA)
    return plain_rows(connection.execute(f"select * from {locks} order by period"))


def show_periods(found: dict[str, list[dict[str, Any]]], console: Console) -> None:
    for title, rows in found.items():
        if not rows:
            console.print(f"{title}: none")
            continue
        table = Table(title=title)
        for name, value in rows[0].items():
            is_number = isinstance(value, int) or name.endswith("_amount")
            table.add_column(name.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
        console.print(table)
