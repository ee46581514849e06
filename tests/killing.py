"""A load that is killed, really, with signal 9, while another one looks on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from spark_jobs.config import Settings, load_settings
from spark_jobs.publish.duckdb_store import Published, current

PATIENCE = 1500
SETTLED = 3


@dataclass
class Killed:
    """What was found beside a load that then was killed: how another load ended, what it said, and what was served afterwards."""

    second_ended: int
    second_said: str
    served: Published | None


def kill_a_load(home: Path, day: date) -> Killed:
    """Some feeds of the day are settled then, others are under way or not begun, and the ledger has not heard of most of them."""
    settings = load_settings(home=home)
    first = _start_load(settings, day)
    until = time.monotonic() + PATIENCE
    # The commit of its changes ends what is done for a feed.
    while len(list(Path(settings.lake).glob("changes/*/_delta_log/*.json"))) < SETTLED:
        assert first.poll() is None, f"the load ended before it settled a feed: {first.stdout.read()[-2000:]}"
        assert time.monotonic() < until, "the load did not come as far as settled feeds"
        time.sleep(0.1)
    # It stays where it is while the other one looks, and gets no further.
    os.killpg(first.pid, signal.SIGSTOP)
    second = _start_load(settings, day)
    said = second.communicate(timeout=PATIENCE)[0]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(timeout=PATIENCE)
    return Killed(second.returncode, said, current(settings.published))


def _start_load(settings: Settings, day: date) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "spark_jobs.cli", "load", "--date", day.isoformat()],
        env=os.environ | {"C360_HOME": str(settings.home), "C360_SPARK_MASTER": "local[2]"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
