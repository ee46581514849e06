"""One business day of a broker, step by step: `python -m benchmarks.daily_load [--customers 100000] [--write]`.

The opening baseline is loaded first and reported apart, because a night loads one day onto what is there. Rows are the rows of the
day's files; the floor is reading and hashing the day's bytes once. Peak memory is that of the process tree (Python, JVM, workers). What the
rules about rows cost is asked afterwards: the bronze rows of every feed are judged and counted with the rules and without any, in turns.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import time
from pathlib import Path
from unittest.mock import patch

import psutil
from rich.console import Console

import simulator
from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.cost import Cost
from spark_jobs.config import load_settings
from spark_jobs.context import Run
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.jobs import report
from spark_jobs.jobs.load import load
from spark_jobs.jobs.start import start_run
from spark_jobs.quality import verdicts

SEED, START = 1, dt.date(2026, 9, 28)
TURNS = 3


class PeakMemory:
    """The largest resident size of this process and its children, looked at four times a second."""

    def __enter__(self) -> PeakMemory:
        self.bytes, self._over = 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.25):
            total = 0
            for one in (process, *process.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()


def hash_day(folder: Path) -> tuple[float, int]:
    """Seconds to read and hash every byte of a day, and how many there are."""
    started, size = time.perf_counter(), 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")
            size += path.stat().st_size
    return time.perf_counter() - started, size


def cost_of_rules(run: Run, day: dt.date) -> float:
    """CPU seconds the rules add to the one pass over the day's bronze rows, all feeds together."""
    with_rules, without = Cost(), Cost()

    def judge_all() -> None:
        for contract in run.catalogue:
            bronze = run.lake.read("bronze", contract.feed, [day])
            verdicts.count_verdicts(verdicts.with_verdicts(bronze, contract), contract).collect()

    for turn in range(TURNS + 1):
        # The first turn warms up.
        (Cost() if turn == 0 else with_rules).measure(judge_all)
        with patch.object(verdicts, "feed_rules", lambda contract: []):
            (Cost() if turn == 0 else without).measure(judge_all)
    return max(with_rules.middle - without.middle, 0.0)


def measure(customers: int, home: Path) -> list[str]:
    """The Markdown table of one run."""
    started = time.perf_counter()
    simulator.simulate(home, customers=customers, days=1, seed=SEED, start=START, write_truth=False)
    simulated = time.perf_counter() - started
    settings = load_settings(home=home)
    opening, day = delivered_days(settings.landing)
    floor, size = hash_day(settings.landing / day.isoformat())
    quiet = Console(quiet=True)
    with PeakMemory() as memory:
        with start_run(settings, "benchmark: opening", quiet) as run:
            began = time.perf_counter()
            load(run, [opening])
            opening_seconds, session_seconds = time.perf_counter() - began, run.seconds["session"]
        with start_run(settings, "benchmark: one day", quiet) as run:
            whole = Cost()
            outcome = whole.measure(lambda: load(run, [day]))
            (total,) = whole.seconds
            summary = report.summarise(run, [day], outcome)
            judged = cost_of_rules(run, day) if summary["published"] else 0.0
            run.spark.stop()
    if summary["published"] != [day.isoformat()]:
        raise SystemExit(f"the day was not published: {summary['problems'] or summary['blocked']}")
    rows = summary["rows"]["rows_read"]
    lines = [
        f"## One day of {customers:,} customers",
        "",
        f"{when_and_where()}, master {settings.spark_master}. "
        f"{rows:,} rows in {len(summary['files'])} files, {size / 1e6:,.0f} MB.",
        "",
        "| step | seconds | rows a second | share of the load | × floor |",
        "|---|---:|---:|---:|---:|",
        f"| floor: read and hash the day's bytes | {floor:.2f} | {rows / floor:,.0f} | | 1 |",
    ]
    for step, seconds in summary["seconds"].items():
        if step == "session":
            continue
        name = f"of it: {step}" if step == "gate gold" else step
        rate = f"{rows / seconds:,.0f}" if seconds else ""
        lines.append(f"| {name} | {seconds:.1f} | {rate} | {seconds / total:.0%} | {seconds / floor:,.0f} |")
    gates = sum(summary["seconds"].get(step, 0.0) for step in ("gate silver", "gate gold", "gate marts"))
    lines += [
        f"| **the whole day** | **{total:.1f}** | {rows / total:,.0f} | 100% | {total / floor:,.0f} |",
        "",
        f"Start of the session {session_seconds:.1f} s, {session_seconds / (session_seconds + total):.0%} of session and day together. "
        f"Gates together {gates:.1f} s, {gates / total:.0%} of the day; rules about rows add {judged:.1f} of {whole.middle:.0f} CPU seconds, "
        f"{judged / whole.middle:.0%}. Peak memory {memory.bytes / 2**30:.1f} GiB. "
        f"The opening baseline took {opening_seconds:.1f} s in the cold session, the simulation {simulated:.1f} s.",
    ]
    return lines


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, measure, customers=100_000)
