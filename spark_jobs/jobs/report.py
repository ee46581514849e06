"""What a person reads after a load, and the state of every day. Rows read = kept + quarantined + duplicates, per file."""

from __future__ import annotations

import json
import os
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.jobs.load import Outcome
from spark_jobs.jobs.reconcile import problem_of
from spark_jobs.ledger import DeliveryRecord, totals
from spark_jobs.mappings import is_shadow
from spark_jobs.publish.duckdb_store import current, open_published
from spark_jobs.quality.plausible import Finding
from spark_jobs.quality.unknown_codes import sentence, unknown_codes_of

_COUNTS = ("rows_read", "rows_kept", "rows_quarantined", "rows_duplicate")


def summarise(run: Run, days: list[date], outcome: Outcome) -> dict[str, Any]:
    """The load as plain values, for the table and for --json."""
    published = current(run.settings.published)
    files = [
        {"feed": record.feed, "business_date": record.business_date.isoformat()} | file
        for record in outcome.records
        for file in json.loads(record.detail).get("files", [])
    ]
    return {
        "days": [day.isoformat() for day in days],
        "is_unchanged": not (outcome.records or outcome.built or outcome.published or outcome.cockpit),
        "rows": totals(outcome.records),
        "feeds": _by_feed(outcome.records),
        "files": files,
        "problems": [
            _problem(record) for day in days for record in run.ledger.records(day) if record.status != "loaded"
        ]
        + [problem_of(hold) for hold in outcome.unreconciled],
        "unknown_codes": [
            entry
            for day in days
            for record in run.ledger.records(day)
            for entry in unknown_codes_of(record.feed, day.isoformat(), record.detail)
        ],
        "unusual": [_unusual(finding) for finding in outcome.findings if finding.is_broken],
        "rules_without_history": sum(finding.is_silent for finding in outcome.findings),
        "built": [day.isoformat() for day in outcome.built],
        "published": [day.isoformat() for day in outcome.published],
        "cockpit": [day.isoformat() for day in outcome.cockpit],
        "blocked": {day.isoformat(): feeds for day, feeds in outcome.blocked.items()},
        "stale": {day.isoformat(): sorted(run.ledger.stale_feeds(day)) for day in days if run.ledger.stale_feeds(day)},
        "revision": published.revision if published else None,
        "as_of_date": published.as_of_date.isoformat() if published else None,
        "published_rows": _published_rows(run) if published else {},
        "calendar_days_left": run.calendar.days_left(max(days)),
        "seconds": _set_up_seconds() | {step: round(value, 1) for step, value in run.seconds.items()},
    }


def _set_up_seconds() -> dict[str, float]:
    """What `make` spent on setting up, when it says so."""
    spent = os.environ.get("C360_SETUP_SECONDS", "")
    return {"set-up (once)": float(spent)} if spent.isdigit() else {}


def _by_feed(records: list[DeliveryRecord]) -> list[dict[str, Any]]:
    feeds = sorted({record.feed for record in records})
    return [{"feed": feed} | totals([record for record in records if record.feed == feed]) for feed in feeds]


def _problem(record: DeliveryRecord) -> dict[str, Any]:
    detail = json.loads(record.detail)
    return {
        "feed": record.feed, "business_date": record.business_date.isoformat(), "status": record.status, "code": record.code,
        "what": record.what, "where": detail.get("where", ""), "next": detail.get("next", ""),
        "is_shadow": is_shadow(record.feed),
    }  # fmt: skip


def _unusual(finding: Finding) -> dict[str, str]:
    return {
        "table": f"{finding.layer}.{finding.table}", "business_date": finding.business_date.isoformat(),
        "severity": finding.rule.severity, "what": finding.sentence(),
    }  # fmt: skip


def _published_rows(run: Run) -> dict[str, int]:
    with open_published(run.settings.published) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where table_name like 'mart_%'"
            ).fetchall()
        ]
        return {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in sorted(names)}


def exit_code(summary: dict[str, Any]) -> int:
    """3 when a gate held something, 4 when a delivery is missing, else 0. Nobody is woken for a shadow."""
    states = {problem["status"] for problem in summary["problems"] if not problem.get("is_shadow")}
    return 3 if "held" in states else 4 if "missing" in states else 0


def show(summary: dict[str, Any], console: Console) -> None:
    if summary["is_unchanged"]:
        console.print(
            f"Nothing has changed: {len(summary['days'])} business dates are loaded, revision {summary['revision']} "
            f"as of {summary['as_of_date']} stays published."
        )
        _show_problems(summary, console)
        return
    _show_feeds(summary, console)
    _show_problems(summary, console)
    _show_marts(summary, console)
    _show_seconds(summary, console)
    if summary["calendar_days_left"] < 30:
        console.print(
            f"[yellow]The trading calendar ends in {summary['calendar_days_left']} days: set C360_CALENDAR_OVERRIDES.[/]"
        )


def _show_feeds(summary: dict[str, Any], console: Console) -> None:
    table = Table(title=f"What came in, {summary['days'][0]} to {summary['days'][-1]}", show_footer=True)
    table.add_column("feed", footer="all feeds", no_wrap=True)
    for name in _COUNTS:
        table.add_column(name.removeprefix("rows_"), justify="right", footer=f"{summary['rows'][name]:,}")
    table.add_column("files that add up", justify="right")
    for feed in summary["feeds"]:
        files = [file for file in summary["files"] if file["feed"] == feed["feed"]]
        proven = sum(
            file["rows_read"] == file["rows_kept"] + file["rows_quarantined"] + file["rows_duplicate"] for file in files
        )
        table.add_row(feed["feed"], *(f"{feed[name]:,}" for name in _COUNTS), f"{proven} of {len(files)}")
    console.print(table)
    if summary["rows"]["rows_quarantined"]:
        console.print(f"{summary['rows']['rows_quarantined']:,} rows are held back: c360 quarantine list")


def _show_problems(summary: dict[str, Any], console: Console) -> None:
    for problem in summary["problems"]:
        console.print(f"[red]{problem['code']}[/]: {problem['what']}")
        subject = f"feed {problem['feed']}" if problem["feed"] else f"check {problem['check']}"
        console.print(f"  where: {subject}, business date {problem['business_date']}", markup=False)
        for label in ("where", "next"):
            if problem[label]:
                console.print(f"  {'place' if label == 'where' else label}: {problem[label]}", markup=False)
    for entry in summary["unknown_codes"]:
        console.print(sentence(entry), style="yellow", markup=False)
    for item in summary["unusual"]:
        if item["severity"] == "warn":
            console.print(f"[yellow]unusual[/] {item['business_date']} {item['table']}: {item['what']}")
    if summary["rules_without_history"]:
        console.print(
            f"{summary['rules_without_history']} times a rule about figures had not enough history to say anything."
        )
    for day, feeds in summary["blocked"].items():
        console.print(
            f"[red]{day} is not published[/]: {', '.join(feeds)} must come first; what was published before stays."
        )
    for day in summary["cockpit"]:
        console.print(
            f"The institutional cockpit is published as of {day} nevertheless; it says how old its parts are."
        )
    for day, feeds in summary["stale"].items():
        console.print(f"[yellow]{day} carries older data[/] of {', '.join(feeds)}.")


def _show_marts(summary: dict[str, Any], console: Console) -> None:
    table = Table(title=f"Published: revision {summary['revision']}, as of {summary['as_of_date']}")
    table.add_column("mart")
    table.add_column("rows", justify="right")
    for name, rows in summary["published_rows"].items():
        table.add_row(name, f"{rows:,}")
    console.print(table)


def _show_seconds(summary: dict[str, Any], console: Console) -> None:
    table = Table(title="Seconds", show_footer=True)
    table.add_column("step", footer="all steps")
    table.add_column("seconds", justify="right", footer=f"{sum(summary['seconds'].values()) - _inner(summary):.1f}")
    for step, value in summary["seconds"].items():
        table.add_row(step, f"{value:.1f}")
    console.print(table)


def show_next_steps(settings: Settings, console: Console) -> None:
    """Three things to try, with a customer of the published day; the last line of `make load`."""
    with open_published(settings.published) as connection:
        row = connection.execute(
            "select customer_id from mart_customer_profile where as_of_date = (select max(as_of_date) from mart_customer_profile) "
            "order by total_asset_amount desc, customer_id limit 1"
        ).fetchone()
    customer = row[0] if row else ""
    console.print("Try next:", style="bold")
    for command, meaning in (
        (
            f"""c360 sql "select * from mart_customer_holding where customer_id = '{customer}'\"""",
            "what the richest customer holds",
        ),
        ("c360 status", "every day and feed, and what is published"),
        ("jupyter lab notebooks", "questions on the published day, answered"),
    ):
        console.print(f"  .venv/bin/{command}   # {meaning}", markup=False, soft_wrap=True)


def _inner(summary: dict[str, Any]) -> float:
    """The gates of slices and gold and the reconciliation run inside the gold step and are counted there already."""
    return sum(summary["seconds"].get(step, 0.0) for step in ("gate slices", "gate gold", "reconcile"))
