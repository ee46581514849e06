"""Real processes of `c360 serve`: killed, stopped and started again, with nothing lost and nobody's hand."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rich.console import Console

from serving.access import load_access
from serving.api_keys import ApiKeys
from serving.audit import verify
from serving.run import run
from spark_jobs.config import PROJECT, load_settings
from spark_jobs.ingest.vault import load_keys
from tests.api.builders import PEOPLE

Start = Callable[..., subprocess.Popen]
# Another session may keep the machine busy; nothing here is about speed.
PATIENCE = 300
CALL = next(one for one in PEOPLE if one.branch == "B001" and one.list_name == "dormant" and one.phone)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _ask(port: int, path: str, key: str, body: dict | None = None) -> tuple[int, dict]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    running: list[subprocess.Popen] = []

    def one(port: int, workers: int = 1) -> subprocess.Popen:
        environment = {
            **os.environ,
            "C360_HOME": str(home),
            "PYTHONPATH": str(PROJECT),
            "C360_SERVE_TIMEOUT_SECONDS": "120",
        }
        command = [sys.executable, "-m", "spark_jobs.cli", "serve", "--port", str(port), "--workers", str(workers)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        return process

    yield one
    for process in running:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in children:
                child.kill()
        process.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if _ask(port, "/healthz", "")[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < until, "the service did not become ready"
        time.sleep(0.1)


def test_second_instance_takes_over_when_the_first_is_killed_and_the_first_heals(start: Start, home: Path) -> None:
    keys = ApiKeys(home / "access", load_access())
    seats = [keys.create("agent", 1, "B001", employee, ("read", "write"))[0] for employee in ("E900", "E901")]
    ports = [_free_port(), _free_port()]
    first, _ = start(ports[0]), start(ports[1])
    for port in ports:
        _wait(port)
    path = f"/v1/lists/dormant/calls/{CALL.customer_id}/claim"
    page = _ask(ports[0], "/v1/lists/dormant/calls?limit=1", seats[0])[1]["next_page"]
    assert _ask(ports[0], path, seats[0], {})[0] == 200

    first.send_signal(signal.SIGKILL)
    first.wait()
    # What the first one knew, the second knows: the claim, and a page token the first one made.
    assert _ask(ports[1], path, seats[1], {})[0] == 409
    assert _ask(ports[1], f"/v1/lists/dormant/calls?limit=1&page={page}", seats[0])[0] == 200

    start(ports[0])
    _wait(ports[0])
    assert _ask(ports[0], path, seats[1], {})[0] == 409
    states = [finding.state for finding in verify(home / "audit", load_keys(home / "vault", {}))]
    # The killed one's file was sealed by its successor; the two that live are writing theirs.
    assert sorted(states) == ["open", "open", "sealed"]


def test_killed_worker_is_replaced_and_a_stop_answers_what_is_under_way(start: Start, home: Path) -> None:
    key, _ = ApiKeys(home / "access", load_access()).create("risk_control", 1)
    port = _free_port()
    process = start(port, workers=2)
    _wait(port)
    until = time.monotonic() + PATIENCE
    while (
        len(workers := [one for one in psutil.Process(process.pid).children() if one.name().startswith("python")]) < 2
    ):
        assert time.monotonic() < until
        time.sleep(0.1)
    workers[-1].kill()
    answered = 0
    while answered < 20:
        try:
            assert _ask(port, f"/v1/customers/{PEOPLE[4].customer_id}", key)[0] == 200
            answered += 1
        except (OSError, http.client.HTTPException):  # what the killed one had accepted
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    settings = load_settings(home=home)
    assert {finding.state for finding in verify(settings.audit, load_keys(home / "vault", {}))} <= {"sealed", "left"}


def test_several_processes_send_an_answer_without_waiting_for_the_client(monkeypatch, home: Path) -> None:
    """Head and body are two parts; a socket that waits in between costs every answer some forty milliseconds."""
    settings_of_socket: list[bool] = []

    def listen(config, sockets: list[socket.socket]) -> SimpleNamespace:
        for one in sockets:
            settings_of_socket.append(bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            one.close()
        return SimpleNamespace(run=lambda: None)

    monkeypatch.setattr("uvicorn.supervisors.Multiprocess", listen)
    run(load_settings(home=home), "127.0.0.1", 0, 2, Console(quiet=True))
    assert settings_of_socket == [True]


def test_whichever_process_is_asked_tells_what_all_of_them_counted(start: Start, home: Path) -> None:
    keys = ApiKeys(home / "access", load_access())
    asking, watching = keys.create("risk_control", 1)[0], keys.create("operations", 1)[0]
    port = _free_port()
    server = start(port, workers=2)
    _wait(port)
    for person in PEOPLE[:40]:
        assert _ask(port, f"/v1/customers/{person.customer_id}", asking)[0] == 200
    for _ in range(4):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"X-API-Key": watching})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read().decode()
        assert 'c360_requests_total{route="/v1/customers/{customer_id}",status="200"} 40.0' in text
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE) == 0
