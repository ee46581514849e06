"""One service over one invented day, and a client that asks as any role."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.access import SCOPES
from serving.app import create_app
from serving.service import Service
from spark_jobs.config import Settings, load_settings
from tests.api.builders import build_home

Ask = Callable[..., TestClient]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published home that nobody writes to; each test has a copy."""
    return build_home(tmp_path_factory.mktemp("built"))


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "home"))


@pytest.fixture
def settings(home: Path) -> Settings:
    return load_settings(home=home, serve_requests_per_minute=100_000)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    opened = Service(settings, {})
    yield opened
    opened.close()


@pytest.fixture
def client(service: Service, settings: Settings) -> Iterator[TestClient]:
    # The fixture's service closes itself, and closing twice is no fault.
    with TestClient(create_app(settings, service), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def headers_of(service: Service) -> Callable[..., dict[str, str]]:
    """Headers of a new key of a role, with all scopes unless some are named."""

    def make(
        role: str, branch: str = "B001", employee: str = "E001", scopes: tuple[str, ...] = SCOPES
    ) -> dict[str, str]:
        key, _ = service.api_keys.create(role, 1, branch, employee, scopes)
        return {"X-API-Key": key}

    return make


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a private cluster that listens on a socket only; skipped where PostgreSQL is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        if os.environ.get("C360_REQUIRE_ALL") == "1":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="c360pg"))  # a socket's path has to be short
    as_postgres = []
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        shutil.chown(folder, "postgres", "postgres")
        as_postgres = ["runuser", "-u", "postgres", "--"]

    def run(*words: str) -> None:
        subprocess.run([*as_postgres, *words], check=True, capture_output=True, cwd="/", timeout=60)

    run(str(programs[-1]), "-D", f"{folder}/data", "-A", "trust", "-N", "-U", "postgres", "--locale=C", "-E", "UTF8")
    control = str(programs[-1].with_name("pg_ctl"))
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
    run(control, "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"host={folder} user=postgres dbname=postgres"
    finally:
        run(control, "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)
