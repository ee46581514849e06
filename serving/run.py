"""What the command line does: start the processes, keep the keys, show the log."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from serving.access import agreed_access, load_access
from serving.api_keys import ApiKeys
from serving.audit import verify
from serving.bearer import Bearers
from serving.metrics import FOLDER_VARIABLE
from serving.service import Service
from spark_jobs.config import Settings
from spark_jobs.ingest.vault import load_keys
from spark_jobs.jobs.rotate_keys import earlier_keys

if TYPE_CHECKING:
    import uvicorn

# Behind a load balancer that keeps connections for a minute, the server must not be the first to close.
KEEP_ALIVE_SECONDS = 75
STOP_SECONDS = 15


def run(settings: Settings, host: str, port: int, workers: int, console: Console) -> None:
    """Serve until stopped; requests under way are answered first. Faults of roles, keys and settings are told before anything listens."""
    import uvicorn

    access = agreed_access(settings)
    ApiKeys(settings.access, access).entries()
    Bearers(settings, access)
    load_keys(settings.vault, os.environ)
    console.print(f"serving on http://{host}:{port}/v1 with {workers} processes", markup=False)
    how = {
        "app": "serving.app:create_app", "factory": True, "host": host, "port": port, "access_log": False, "server_header": False,
        "log_level": "warning", "timeout_keep_alive": KEEP_ALIVE_SECONDS, "timeout_graceful_shutdown": STOP_SECONDS,
    }  # fmt: skip
    if workers == 1:
        uvicorn.run(**how)
        return
    with tempfile.TemporaryDirectory(prefix="c360-metrics-") as folder:
        # Read by prometheus_client when a process imports it; those that end leave what they counted.
        os.environ[FOLDER_VARIABLE] = folder
        try:
            _run_several(uvicorn.Config(**how, workers=workers))
        finally:
            del os.environ[FOLDER_VARIABLE]


def _run_several(config: uvicorn.Config) -> None:
    from uvicorn.supervisors import Multiprocess

    listening = config.bind_socket()
    # Connections inherit it. One process sets it itself; several wait with half an answer until the client has acknowledged the other half.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Multiprocess(config, sockets=[listening]).run()


def write_feeds(settings: Settings, day: date, into: Path | None, by: str) -> dict[str, Any]:
    from serving.feeds import export_day

    service = Service(settings)
    try:
        return export_day(service, day, into or settings.landing, by)
    finally:
        service.close()


def api_keys(settings: Settings) -> ApiKeys:
    return ApiKeys(settings.access, load_access())


def show_keys(found: list[dict[str, Any]], console: Console) -> None:
    table = Table()
    names = ("id", "role", "branch", "employee", "scopes", "expires_on", "is_revoked", "note")
    for name in names:
        table.add_column(name)
    for entry in found:
        table.add_row(*(", ".join(value) if isinstance(value, list) else str(value if value is not None else "")
                        for value in (entry.get(name) for name in names)))  # fmt: skip
    console.print(table)


def verify_log(settings: Settings) -> list[dict[str, Any]]:
    keys = load_keys(settings.vault, os.environ)
    return [asdict(finding) for finding in verify(settings.audit, keys, earlier_keys(os.environ, keys))]


def show_findings(found: list[dict[str, Any]], console: Console) -> None:
    table = Table()
    for name in ("file", "lines", "state", "line", "what"):
        table.add_column(name)
    for finding in found:
        table.add_row(*(str(value if value is not None else "") for value in finding.values()))
    console.print(table)
