"""A PostgreSQL server of the tests' own: a cluster in a temporary folder that listens on a socket only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SECONDS_TO_DIE = 30


class Cluster:
    """One server and its data. It may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.conninfo = f"host={folder} user=postgres dbname=postgres"
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-N", "-U", "postgres", "--locale=C", "-E", "UTF8")

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "-w", "-l", f"{self._folder}/log", "-o", options, "start")

    def kill(self) -> None:
        """As a failing machine does: the server and all its processes at once, with nothing said or written."""
        server = psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=SECONDS_TO_DIE)

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *words: str) -> None:
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_postgres, str(PROGRAMS[-1].with_name(program)), "-D", f"{self._folder}/data", *words]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A private cluster that runs, and is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="c360pg"))  # a socket's path has to be short
    server = Cluster(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def database(conninfo: str, name: str) -> str:
    """The connection string of a new, empty database of the cluster."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return conninfo.replace("dbname=postgres", f"dbname={name}")


def skip_without_postgres() -> None:
    """One counted line where PostgreSQL is not installed, or a failure where everything is asked for."""
    if not PROGRAMS:
        if os.environ.get("C360_REQUIRE_ALL") == "1":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The connection string of the session's cluster; skipped where PostgreSQL is not installed."""
    skip_without_postgres()
    with cluster() as server:
        yield server.conninfo
