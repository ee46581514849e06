"""A load that is killed, really, with signal 9: nothing half-done is served, and the next load goes on and arrives at truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

import simulator
from spark_jobs.config import load_settings
from spark_jobs.publish.duckdb_store import current
from tests.truth_compare import CLAIMS, must_equal_truth

PATIENCE = 1500


def start(home: Path, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {"C360_HOME": str(home), "C360_SPARK_MASTER": "local[2]"}
    return subprocess.Popen(
        [sys.executable, "-m", "spark_jobs.cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Until `path` exists: the load has come that far."""
    until = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, f"the load ended before it wrote {path.name}: {process.stdout.read()[-2000:]}"
        assert time.monotonic() < until, f"{path.name} was not written in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("killed")
    simulator.simulate(home, customers=32, days=1, seed=9, start=date(2026, 9, 29))
    return home


def test_a_killed_load_serves_nothing_half_done_and_goes_on(home):
    first = start(home, "load")
    # Some feeds are settled in silver, others not, and the ledger has not heard of any.
    wait_for(home / "lake" / "silver" / "normal_counter__positions" / "_delta_log", first)
    second = start(home, "load")
    output = second.communicate(timeout=PATIENCE)[0]
    assert second.returncode == 5, output
    assert "C360-501" in output and "process" in output
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(timeout=PATIENCE)
    assert current(home / "published") is None
    third = start(home, "load")
    output = third.communicate(timeout=PATIENCE)[0]
    assert third.returncode == 0, output[-3000:]
    assert "Published: revision 1" in output
    settings = load_settings(home=home)
    for file in CLAIMS:
        must_equal_truth(settings, file)
