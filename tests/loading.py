"""Load a home in the Spark session that is already running."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from spark_jobs.config import Settings, load_settings
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.jobs import report
from spark_jobs.jobs.load import Outcome
from spark_jobs.jobs.load import load as run_load
from spark_jobs.jobs.start import start_run
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.quality.approvals import Request

QUIET = Console(stderr=True, quiet=True)


@dataclass
class LoadedBroker:
    """A simulated broker after its load."""

    settings: Settings
    summary: dict
    outcome: Outcome
    serving: str = ""


def load_home(
    home: Path, days: list[date] | None = None, accept: Request | None = None, **overrides: object
) -> LoadedBroker:
    """Load what lies in home/landing, in the session that is already running."""
    settings = load_settings(home=home, spark_master="local[2]", **overrides)
    chosen = days or delivered_days(settings.landing)
    with start_run(settings, "test", QUIET) as run:
        outcome = run_load(run, chosen, accept=accept)
        return LoadedBroker(settings, report.summarise(run, chosen, outcome), outcome)


def reconciliation_rows(loaded: LoadedBroker, table: str, where: str = "true") -> list[tuple]:
    """Rows of `results`, `differences` or `notes` of the reconciliation, sorted."""
    with connect_delta() as connection:
        place = f"{loaded.settings.lake}/reconciliation/{table}"
        return connection.execute(f"select * from delta_scan('{place}') where {where} order by all").fetchall()
