"""What every step of one run shares: settings, session, lake, contracts, ledger. Built once, passed on, never global."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pyspark.sql import SparkSession
from rich.progress import Progress

from spark_jobs.config import Settings
from spark_jobs.contracts import Catalogue
from spark_jobs.ingest.bronze import PrivateMeans
from spark_jobs.io import Lake
from spark_jobs.ledger import Ledger
from spark_jobs.quality.approvals import Approvals
from spark_jobs.quality.metrics import Metrics
from spark_jobs.quality.releases import Releases
from spark_jobs.trading_calendar import TradingCalendar

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Run:
    """One load, which began at `started_at` (UTC, yyyy-mm-ddThh:mm:ssZ). `seconds` collects what each step took, in order."""

    number: int
    started_at: str
    settings: Settings
    spark: SparkSession
    lake: Lake
    catalogue: Catalogue
    ledger: Ledger
    metrics: Metrics
    approvals: Approvals
    releases: Releases
    calendar: TradingCalendar
    private: PrivateMeans
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started

    def in_parallel(self, work: Callable[[T], R], items: Iterable[T], label: str) -> list[R]:
        """`work` on every item, several at once in the one session, with a progress bar; results in the items' order."""
        chosen = list(items)
        bar = self.progress.add_task(label, total=len(chosen))

        def one(item: T) -> R:
            try:
                return work(item)
            finally:
                self.progress.advance(bar)

        with ThreadPoolExecutor(self.settings.threads) as pool:
            return list(pool.map(one, chosen))
