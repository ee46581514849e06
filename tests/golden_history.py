"""The golden histories: what arrived step by step, and the versions that must come of it.

`tests/golden/history/<scenario>/<step>_<yyyymmdd>.txt` is what arrives in a step for a business date; `expected.csv` has the versions at the end.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pyspark.sql import functions as F
from rich.console import Console

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.history import intervals
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run

GOLDEN = Path(__file__).parent / "golden" / "history"
COLUMNS = ("account_id", "branch_name", "balance", "risk_level", "valid_from", "valid_to")


@dataclass(frozen=True)
class Scenario:
    """One history. arrivals: step → business date → file. expected: versions as texts in the order of COLUMNS, None for null."""

    name: str
    arrivals: dict[int, dict[date, Path]]
    expected: frozenset[tuple[str | None, ...]]

    @property
    def feed(self) -> str:
        return f"golden__{self.name}"


def read_scenarios() -> list[Scenario]:
    return [_scenario(folder) for folder in sorted(GOLDEN.iterdir()) if folder.is_dir()]


def _scenario(folder: Path) -> Scenario:
    arrivals: dict[int, dict[date, Path]] = {}
    for path in sorted(folder.glob("*.txt")):
        step, day = path.stem.split("_")
        arrivals.setdefault(int(step), {})[datetime.strptime(day, "%Y%m%d").date()] = path
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as stream:
        rows = [tuple(row[name] or None for name in COLUMNS) for row in csv.DictReader(stream)]
    return Scenario(folder.name, arrivals, frozenset(rows))


def write_catalogue(scenarios: list[Scenario], folder: Path) -> None:
    """One contract a scenario; setting `catalogue` names the folder."""
    folder.mkdir(parents=True)
    template = (GOLDEN / "contract.yml").read_text(encoding="utf-8")
    for scenario in scenarios:
        text = template.replace("{name}", scenario.name)
        (folder / f"{scenario.feed}.yml").write_text(text, encoding="utf-8")


def lay_step(scenarios: list[Scenario], step: int, landing: Path) -> list[date]:
    """Lay what arrives in a step into landing, with manifests. Returns the business dates it is about."""
    days = set()
    for scenario in scenarios:
        for day, path in scenario.arrivals.get(step, {}).items():
            deliver(landing, scenario.feed, day, f"{scenario.name}_{day:%Y%m%d}.txt", path.read_bytes())
            days.add(day)
    return sorted(days)


def deliver(landing: Path, feed: str, day: date, name: str, content: bytes) -> None:
    """One delimited file with its manifest."""
    folder = landing / day.isoformat() / feed
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    rows = content.count(b"\n") - 3
    file = {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "rows": rows}
    manifest = {"feed": feed, "business_date": day.isoformat(), "kind": "daily", "files": [file]}
    manifest["control_totals"] = {"rows": str(rows)}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def as_texts(rows: list[dict]) -> frozenset[tuple[str | None, ...]]:
    """Versions as `Scenario.expected` has them."""
    return frozenset(tuple(None if row[name] is None else str(row[name]) for name in COLUMNS) for row in rows)


def take_in_steps(settings: Settings, scenarios: list[Scenario]) -> Iterator[Run]:
    """Take the scenarios in, step by step, all feeds in one call; gives the run after each step."""
    write_catalogue(scenarios, settings.catalogue)
    for step in range(1, 1 + max(max(scenario.arrivals) for scenario in scenarios)):
        days = lay_step(scenarios, step, settings.landing)
        with start_run(settings, f"step {step}", Console(quiet=True)) as run:
            take_in(run, days)
            yield run


def versions_in_force(run: Run, scenario: Scenario) -> frozenset[tuple[str | None, ...]]:
    """The scenario's versions, read with Spark."""
    edges = [link.edge for link in run.ledger.chain(scenario.feed).values()]
    changes = run.lake.read("changes", scenario.feed).where(F.col("_edge").isin(edges))
    return as_texts([row.asDict() for row in intervals(changes, key=["account_id"]).select(*COLUMNS).collect()])
