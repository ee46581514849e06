"""A PostgreSQL server of the tests' own: a cluster in a temporary folder that listens on a socket only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@contextmanager
def cluster() -> Iterator[str]:
    """The connection string of a private cluster, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="c360pg"))  # a socket's path has to be short
    as_postgres = []
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        shutil.chown(folder, "postgres", "postgres")
        as_postgres = ["runuser", "-u", "postgres", "--"]

    def run(*words: str) -> None:
        subprocess.run([*as_postgres, *words], check=True, capture_output=True, cwd="/", timeout=60)

    initdb, control = PROGRAMS[-1], str(PROGRAMS[-1].with_name("pg_ctl"))
    run(str(initdb), "-D", f"{folder}/data", "-A", "trust", "-N", "-U", "postgres", "--locale=C", "-E", "UTF8")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
    run(control, "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"host={folder} user=postgres dbname=postgres"
    finally:
        run(control, "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def database(conninfo: str, name: str) -> str:
    """The connection string of a new, empty database of the cluster."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return conninfo.replace("dbname=postgres", f"dbname={name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The connection string of the session's cluster; skipped where PostgreSQL is not installed."""
    if not PROGRAMS:
        if os.environ.get("C360_REQUIRE_ALL") == "1":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    with cluster() as conninfo:
        yield conninfo
