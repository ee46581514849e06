"""One broker whose normal counter is replaced after two days, loaded in one range, and its twin whose counter stayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import simulator
from simulator.migration import MAPPING, Migration
from spark_jobs.config import Settings
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from tests.loading import QUIET, LoadedBroker, load_home

BROKER = {"customers": 40, "days": 4, "seed": 11, "start": date(2026, 9, 24)}


@dataclass
class Moved:
    """The broker after its load; its twin, not loaded; and a second look at landing."""

    loaded: LoadedBroker
    migration: Migration
    days: list[date]
    twin: Path
    again: tuple

    @property
    def settings(self) -> Settings:
        return self.loaded.settings


def moved_broker(home: Path, twin: Path) -> Moved:
    """Simulate both brokers and load the first."""
    summary = simulator.simulate(home, migrate_after=2, **BROKER)
    simulator.simulate(twin, write_truth=False, **BROKER)
    migration = summary.migration
    dates = {"shadow_from": migration.shadow_dates[0], "in_force_from": migration.in_force_from}
    loaded = load_home(home, migrations={MAPPING: dates})
    with start_run(loaded.settings, "again", QUIET) as run:
        again = take_in(run, summary.dates)
    return Moved(loaded, migration, summary.dates, twin, again)
