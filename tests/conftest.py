"""One Spark session for a test process, and one small broker loaded once for all tests that only look.

`make test` runs two processes. What shares a load stays in one of them: a module, and all that take the same one.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import simulator
from spark_jobs.config import POSTGRES_VARIABLE, Settings, load_settings
from spark_jobs.session import build_session
from tests.loading import LoadedBroker, load_home
from tests.postgres import PROGRAMS, database, postgres

__all__ = ["postgres"]

os.environ.setdefault("C360_SMALL_DAYS", "true")

TESTS = Path(__file__).parent
SEED, CUSTOMERS, DAYS, START = 1, 120, 5, date(2026, 9, 24)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Modules that share a load go to one process, every other module to whichever is free."""
    sharing = {str(path.relative_to(config.rootpath)): _shared_load(path) for path in TESTS.rglob("test_*.py")}

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return sharing.get(module) or module

    return ByModule(config, log)


def _shared_load(path: Path) -> str | None:
    """The load a test or fixture of the module takes and others take, too: `broker` below, `night` and `moved` of the scenarios."""
    found = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    taken = {
        argument.arg
        for node in found
        if node.name.startswith("test_") or node.decorator_list
        for argument in node.args.args
    }
    return next((name for name in ("broker", "night", "moved") if name in taken - {node.name for node in found}), None)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("home"), spark_master="local[2]")


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    session = build_session(settings, "tests")
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def forget_tables() -> Iterator[None]:
    """Delta keeps the plans of every table it has read for an hour, some megabytes each: those of a module go with it."""
    yield
    if session := SparkSession.getActiveSession():
        session._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        session.catalog.clearCache()


@pytest.fixture(scope="session")
def broker(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> LoadedBroker:
    """Published to PostgreSQL, too, where that is installed: `loaded.serving` is its connection string."""
    home = tmp_path_factory.mktemp("broker")
    simulator.simulate(home, customers=CUSTOMERS, days=DAYS, seed=SEED, start=START)
    serving = database(request.getfixturevalue("postgres"), "broker") if PROGRAMS else ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(POSTGRES_VARIABLE, serving)
        loaded = load_home(home)
    loaded.serving = serving
    return loaded
