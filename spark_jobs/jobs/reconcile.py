"""`c360 reconcile`: run the checks again on loaded days, show every difference with its state, or say why one is right."""

from __future__ import annotations

import getpass
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError, GateError
from spark_jobs.io import DAY
from spark_jobs.reconcile.checks import Check, load_checks
from spark_jobs.reconcile.engine import reconcile
from spark_jobs.reconcile.notes import LAYER, Hold, explain, holds, with_states

_SHOWN = 40
_STATUS = {"pass": "[green]pass[/]", "not_applicable": "[dim]not applicable[/]"}


def run_checks(run: Run, first: date, last: date) -> dict[str, Any]:
    """Run and store every check for the days from `first` to `last`. Raises ConfigurationError C360-164 when none is loaded."""
    days = [day for day in run.ledger.days() if first <= day <= last and run.ledger.is_done(day, "gold")]
    if not days:
        raise ConfigurationError(
            "C360-164", "none of these days is loaded up to gold", next_step="c360 status, then c360 load"
        )
    checks = load_checks(run.catalogue)
    reconcile(run, checks, days)
    run.ledger.mark_done(days, "reconciled", run.number)
    return _found(run, checks, days)


def say_why(run: Run, day: date, check: str, key: str, why: str, by: str | None) -> dict[str, Any]:
    """Explain one difference; see `notes.explain`."""
    explain(run, day, check, key, why, by or getpass.getuser())
    run.ledger.mark_done([day], "explained", run.number)
    return _found(run, load_checks(run.catalogue), [day])


def _found(run: Run, checks: list[Check], days: list[date]) -> dict[str, Any]:
    by_name = {check.name: check for check in checks}
    results = run.lake.read(LAYER, "results", days).orderBy(DAY, "check").collect()
    differences = []
    if run.lake.exists(LAYER, "differences"):
        frame = with_states(run, run.lake.read(LAYER, "differences", days))
        differences = frame.orderBy(F.col("state").desc(), DAY, "check", F.abs("difference").desc(), "key").collect()
    return {
        "results": [_plain(row.asDict()) | {"title": by_name[row["check"]].title["en"]} for row in results],
        "differences": [_plain(row.asDict()) for row in differences],
        "problems": [problem_of(hold) for hold in holds(run, days)],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON knows them; a decimal as text, which loses nothing."""
    return {
        name: _number(value) if isinstance(value, Decimal) else value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }


def _number(value: Decimal) -> str:
    """Without the zeros no unit needs: at least two decimals, six at most."""
    digits = f"{value:,.6f}"
    return digits[:-4] + digits[-4:].rstrip("0")


def problem_of(hold: Hold) -> dict[str, str]:
    """What the night shift reads of a check that holds a day."""
    error = GateError(
        "C360-271",
        f"the check {hold.check} fails; keys that differ and are not explained: {hold.keys:,}, together {_number(hold.difference)}",
        where="reconciliation.differences, which keeps every key",
        kept="everything up to gold; what was published before stays",
        next_step=f"c360 reconcile --date {hold.business_date}; then a corrected delivery, or c360 reconcile --date {hold.business_date} "
        f"--explain {hold.check} --key KEY --why REASON, and c360 load",
    )
    return {
        "feed": "", "check": hold.check, "business_date": hold.business_date.isoformat(), "status": "held", "code": error.code,
        "what": error.what, "where": error.where, "next": error.next_step,
    }  # fmt: skip


def exit_code(found: dict[str, Any]) -> int:
    return GateError.exit_code if found["problems"] else 0


def show(found: dict[str, Any], console: Console) -> None:
    """A table of the checks, one of the differences, and what holds a day."""
    table = Table(title="Reconciliation")
    for name in ("date", "check", "severity"):
        table.add_column(name, no_wrap=True)
    for name in ("keys", "differ", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status")
    for row in found["results"]:
        colour = "red" if row["severity"] == "stop" else "yellow"
        status = _STATUS.get(row["status"], f"[{colour}]fail[/]")
        numbers = (f"{row['keys_compared']:,}", f"{row['keys_different']:,}", row["difference"])
        table.add_row(row["business_date"], row["check"], row["severity"], *numbers, status)
    console.print(table)
    if found["differences"]:
        _show_differences(found["differences"], console)
    for problem in found["problems"]:
        console.print(f"[red]{problem['code']}[/] {problem['business_date']}: {problem['what']}")
        console.print(f"  next: {problem['next']}", markup=False, soft_wrap=True)


def _show_differences(differences: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="Differences: left less right")
    for name in ("date", "check", "key"):
        table.add_column(name)
    for name in ("left", "right", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("since", no_wrap=True)
    table.add_column("state")
    for row in differences[:_SHOWN]:
        state = row["state"] if row["state"] == "open" else f"{row['state']} by {row['who']}: {row['why']}"
        names = (row["business_date"], row["check"], row["key"])
        amounts = (row["left_amount"], row["right_amount"], row["difference"])
        table.add_row(*names, *amounts, row["first_seen_date"], state)
    console.print(table)
    if len(differences) > _SHOWN:
        console.print(f"… and {len(differences) - _SHOWN:,} more, in reconciliation.differences and with --json")
