"""The state of every day × feed, read straight from the ledger's tables without starting Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.errors import InfrastructureError
from spark_jobs.io import local_folder
from spark_jobs.mappings import is_shadow
from spark_jobs.publish.duckdb_store import connect_delta, current
from spark_jobs.publish.marts import COCKPIT, WHOLE, Publication
from spark_jobs.quality.unknown_codes import sentence, unknown_codes_of

_MARKS = {
    "loaded": "[green]●[/]",
    "held": "[red]■[/]",
    "missing": "[yellow]○[/]",
    "carried": "[cyan]◐[/]",
    "withdrawn": "[yellow]×[/]",
}


def local_lake(settings: Settings) -> str:
    """The lake's folder. Raises InfrastructureError C360-535 for a lake on another file system."""
    root = local_folder(settings.lake)
    if root is None:
        raise InfrastructureError(
            "C360-535", "this command reads a lake on this machine's file system", next_step="ask the tables in Spark"
        )
    return root


def read_status(settings: Settings) -> dict[str, Any]:
    """Deliveries in force, days published, and the pointers."""
    root = local_lake(settings)
    found: dict[str, Any] = {"published": _pointer(settings, WHOLE), "cockpit": _pointer(settings, COCKPIT)}
    for name, publication in (("revisions_kept", WHOLE), ("cockpit_revisions_kept", COCKPIT)):
        found[name] = _revisions_kept(settings, publication)
    if not (Path(root) / "meta" / "deliveries").is_dir():
        return {"deliveries": [], "unknown_codes": [], "published_days": [], **found}
    with connect_delta() as connection:
        cursor = connection.execute(
            f"select feed, business_date::varchar as business_date, delivery_number, status, rows_read, rows_kept, rows_quarantined, "
            f"rows_duplicate, code, what, detail from delta_scan('{root}/meta/deliveries') "
            f"qualify row_number() over (partition by feed, business_date order by run desc, delivery_number desc) = 1 order by 2, 1"
        )
        names = [column[0] for column in cursor.description]
        deliveries = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        unknown_codes = [
            entry
            for row in deliveries
            for entry in unknown_codes_of(row["feed"], row["business_date"], row.pop("detail"))
        ]
        for row in deliveries:
            row["is_shadow"] = is_shadow(row["feed"])
        days = []
        if (Path(root) / "meta" / "publications").is_dir():
            days = connection.execute(
                f"select business_date::varchar, max(revision) from delta_scan('{root}/meta/publications') group by 1 order by 1"
            ).fetchall()
    return {
        "deliveries": deliveries,
        "unknown_codes": unknown_codes,
        "published_days": [{"business_date": day, "revision": revision} for day, revision in days],
        **found,
    }


def _pointer(settings: Settings, publication: Publication) -> dict[str, Any] | None:
    now = current(publication.folder(settings.published))
    return {"revision": now.revision, "as_of_date": now.as_of_date.isoformat()} if now else None


def _revisions_kept(settings: Settings, publication: Publication) -> list[int]:
    files = (publication.folder(settings.published) / "revisions").glob("*.duckdb")
    return sorted(int(file.stem) for file in files)


def show(found: dict[str, Any], console: Console) -> None:
    days = sorted({row["business_date"] for row in found["deliveries"]})[-12:]
    revisions = {row["business_date"]: row["revision"] for row in found["published_days"]}
    table = Table(title="● loaded   ■ held   ○ missing   ◐ published without   × withdrawn", show_footer=True)
    table.add_column("feed", footer="published in revision")
    for day in days:
        table.add_column(day[5:], justify="center", footer=str(revisions.get(day, "–")))
    for feed in sorted({row["feed"] for row in found["deliveries"]}, key=lambda feed: (is_shadow(feed), feed)):
        states = {row["business_date"]: row["status"] for row in found["deliveries"] if row["feed"] == feed}
        table.add_row(
            f"[dim]{feed}[/]" if is_shadow(feed) else feed, *(_MARKS.get(states.get(day, ""), "·") for day in days)
        )
    console.print(table)
    for row in found["deliveries"]:
        if row["status"] != "loaded":
            console.print(f"{row['code']} {row['business_date']} {row['feed']}: {row['what']}", markup=False)
    for entry in found["unknown_codes"]:
        console.print(sentence(entry), markup=False)
    for name, kept, title in (
        ("published", "revisions_kept", "published"),
        ("cockpit", "cockpit_revisions_kept", "institutional cockpit"),
    ):
        if now := found[name]:
            console.print(f"{title}: revision {now['revision']}, as of {now['as_of_date']}")
            console.print(f"kept for rollback: revisions {', '.join(map(str, found[kept]))}")
    if not found["published"]:
        console.print("nothing has been published yet")
