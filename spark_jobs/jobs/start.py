"""Start and end of a run: lock, session, ledger; the one place where a process turns into a `Run`."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pyspark import SparkContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.contracts import load_catalogue
from spark_jobs.ingest.bronze import PrivateMeans
from spark_jobs.ingest.vault import Vault, load_keys
from spark_jobs.io import Lake
from spark_jobs.ledger import Ledger
from spark_jobs.lock import writer_lock
from spark_jobs.quality.approvals import Approvals
from spark_jobs.quality.metrics import Metrics
from spark_jobs.quality.releases import Releases
from spark_jobs.session import build_session
from spark_jobs.trading_calendar import trading_calendar


@contextmanager
def start_run(
    settings: Settings, purpose: str, console: Console, started_at: datetime | None = None, is_renewal: bool = False
) -> Iterator[Run]:
    """Hold the lock, start Spark, complete the ledger after a crash, and clean up scratch at the end.

    started_at: when what this run learns counts as known; the clock is read here and nowhere below. Raises VaultError C360-526 for all runs
    but the renewal itself while tokens are being renewed.
    """
    known_at = (started_at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with writer_lock(settings.work, purpose):
        started = time.perf_counter()
        catalogue = load_catalogue(settings.catalogue, settings.migrations)
        _forget_scratch(settings)
        spark = build_session(settings)
        lake = Lake(spark, settings.lake)
        ledger = Ledger(lake, catalogue)
        marker = settings.work / "load.running.json"
        if marker.is_file():
            ledger.recover()
            # What that run noted stands under its number already: this one must be newer.
            ledger.last_run = max(ledger.last_run, json.loads(marker.read_text(encoding="utf-8") or "{}").get("run", 0))
        number = ledger.last_run + 1
        marker.write_text(json.dumps({"run": number, "process": os.getpid()}), encoding="utf-8")
        staging = settings.work / "staging"
        keys = load_keys(settings.vault, os.environ)
        columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        vault = Vault(settings.vault, keys)
        try:
            if not is_renewal:
                vault.check_no_renewal()
            with Progress(*columns, console=console, transient=True) as progress:
                private = PrivateMeans(keys, vault, staging)
                calendar = trading_calendar(settings.calendar_overrides)
                run = Run(
                    number, known_at, settings, spark, lake, catalogue, ledger, Metrics(lake), Approvals(lake), Releases(lake), calendar,
                    private, progress,
                )  # fmt: skip
                run.seconds["session"] = time.perf_counter() - started
                yield run
        finally:
            vault.close()
            shutil.rmtree(staging, ignore_errors=True)
        # Still there after a failure or a crash: the next start then completes the ledger from the log.
        marker.unlink(missing_ok=True)


def _forget_scratch(settings: Settings) -> None:
    """What Spark of a killed run left on the disk; not what a session of this process uses, whichever thread began it."""
    scratch, context = (settings.work / "spark").resolve(), SparkContext._active_spark_context
    if context is None or context.getConf().get("spark.local.dir") != str(scratch):
        shutil.rmtree(scratch, ignore_errors=True)
