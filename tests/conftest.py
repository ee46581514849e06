"""One Spark session for a test process, and one small broker loaded once for all tests that only look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

import simulator
from spark_jobs.config import Settings, load_settings
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.jobs import report
from spark_jobs.jobs.load import Outcome
from spark_jobs.jobs.load import load as run_load
from spark_jobs.jobs.start import start_run
from spark_jobs.session import build_session

SEED, CUSTOMERS, DAYS, START = 1, 120, 5, date(2026, 9, 24)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("home"), spark_master="local[2]")


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    session = build_session(settings, "tests")
    yield session
    session.stop()


@dataclass
class LoadedBroker:
    """A simulated broker after its load."""

    settings: Settings
    summary: dict
    outcome: Outcome


def load_home(home: Path, days: list[date] | None = None, **overrides: object) -> LoadedBroker:
    """Load what lies in home/landing, in the session that is already running."""
    settings = load_settings(home=home, spark_master="local[2]", **overrides)
    chosen = days or delivered_days(settings.landing)
    with start_run(settings, "test", Console(stderr=True, quiet=True)) as run:
        outcome = run_load(run, chosen)
        return LoadedBroker(settings, report.summarise(run, chosen, outcome), outcome)


@pytest.fixture(scope="session")
def broker(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> LoadedBroker:
    home = tmp_path_factory.mktemp("broker")
    simulator.simulate(home, customers=CUSTOMERS, days=DAYS, seed=SEED, start=START)
    return load_home(home)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A skip counts as a failure where everything must run."""
    if os.environ.get("C360_REQUIRE_ALL") == "1":
        for item in items:
            item.user_properties.append(("require_all", True))
