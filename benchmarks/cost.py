"""What work costs: seconds of the clock, and CPU seconds of this process with all it started, the steadier of the two."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil


def cpu_seconds() -> float:
    """CPU seconds of this process and all it started, ended workers included."""
    own, total = psutil.Process(), 0.0
    for process in (own, *own.children(recursive=True)):
        # A worker may end while it is looked at; what it used stands in its parent's account then.
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass
class Cost:
    """What runs of one thing took."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], Any]) -> Any:
        """Note what one run of `work` takes. Returns what it returns."""
        cpu, started = cpu_seconds(), time.perf_counter()
        done = work()
        self.seconds.append(time.perf_counter() - started)
        self.cpu.append(cpu_seconds() - cpu)
        return done

    @property
    def middle(self) -> float:
        """Median of the CPU seconds."""
        return statistics.median(self.cpu)

    def row(self, name: str) -> str:
        return f"| {name} | {len(self.cpu)} | {self.middle:.2f} | {min(self.cpu):.2f}–{max(self.cpu):.2f} | {statistics.median(self.seconds):.2f} |"
