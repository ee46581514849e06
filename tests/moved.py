"""One broker whose normal counter is replaced after two days, loaded in one range; the first process that loads it is killed, really.

What the killed process had settled stays; the load that follows takes the rest in. Both are looked at by tests that share this broker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import simulator
from simulator.migration import MAPPING, Migration
from spark_jobs.config import Settings, load_settings
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from spark_jobs.publish.duckdb_store import Published, current
from tests.loading import QUIET, LoadedBroker, load_home

BROKER = {"customers": 40, "days": 4, "seed": 11, "start": date(2026, 9, 24)}
PATIENCE = 1500
SETTLED = 3


@dataclass
class Killed:
    """What was found beside a load that then was killed: how another load ended, what it said, and what was served afterwards."""

    second_ended: int
    second_said: str
    served: Published | None


@dataclass
class Moved:
    """The broker after its load; its twin, whose counter stayed, not loaded; and a second look at landing."""

    loaded: LoadedBroker
    killed: Killed
    migration: Migration
    days: list[date]
    twin: Path
    again: tuple

    @property
    def settings(self) -> Settings:
        return self.loaded.settings


def moved_broker(home: Path, twin: Path) -> Moved:
    """Simulate both brokers, kill one load of the first, and load it."""
    summary = simulator.simulate(home, migrate_after=2, **BROKER)
    simulator.simulate(twin, write_truth=False, **BROKER)
    migration = summary.migration
    dates = {"shadow_from": migration.shadow_dates[0], "in_force_from": migration.in_force_from}
    killed = _kill_a_load(load_settings(home=home), json.dumps({MAPPING: dates}, default=str))
    loaded = load_home(home, migrations={MAPPING: dates})
    with start_run(loaded.settings, "again", QUIET) as run:
        again = take_in(run, summary.dates)
    return Moved(loaded, killed, migration, summary.dates, twin, again)


def _kill_a_load(settings: Settings, migrations: str) -> Killed:
    """Some feeds are settled then, others are under way or not begun, and the ledger has not heard of most of them."""
    first = _start_load(settings.home, migrations)
    until = time.monotonic() + PATIENCE
    # The map of numbers is settled first, in a pass of its own; the commit of its changes ends what is done for a feed.
    while len(list(Path(settings.lake).glob("changes/*/_delta_log/*.json"))) < SETTLED:
        assert first.poll() is None, f"the load ended before it settled a feed: {first.stdout.read()[-2000:]}"
        assert time.monotonic() < until, "the load did not come as far as settled feeds"
        time.sleep(0.1)
    # It stays where it is while the other one looks, and gets no further.
    os.killpg(first.pid, signal.SIGSTOP)
    second = _start_load(settings.home, migrations)
    said = second.communicate(timeout=PATIENCE)[0]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(timeout=PATIENCE)
    return Killed(second.returncode, said, current(settings.published))


def _start_load(home: Path, migrations: str) -> subprocess.Popen:
    environment = {"C360_HOME": str(home), "C360_SPARK_MASTER": "local[2]", "C360_MIGRATIONS": migrations}
    return subprocess.Popen(
        [sys.executable, "-m", "spark_jobs.cli", "load"],
        env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
