"""The read API over PostgreSQL: look-up against a constant route, steady load, load while a publication swaps, and the limit.

`python -m benchmarks.serve [--customers 1000000] [--seconds 300] [--write]`. Real server processes and a real PostgreSQL on this machine. The
floor is the constant route of the same server (no store, no caller); what is above it is the work of a question: caller, snapshot, marts,
overlay, audit line. Steady load sends at fixed times and counts from them, so a slow answer is not hidden by the questions it holds up.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import psutil

from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.invented import create_marts
from serving.access import load_access
from serving.api_keys import ApiKeys
from spark_jobs.config import POSTGRES_VARIABLE, PROJECT
from spark_jobs.ingest.vault import load_keys, token
from spark_jobs.publish.postgres_store import PostgresStore
from tests.postgres import cluster

DAY = date(2026, 9, 30)
TOKENS = 500  # phones and customers asked for, spread over all
A_SECOND, SENDERS, SWAPS, WORKERS, CLIENTS, LIMIT_SECONDS, TURNS = 100, 16, 10, 2, 8, 20, 5
OFFSET = 1_000_000_000
"""What every customer has more of in the second revision: an answer that mixes the two shows it."""

Question = tuple[str, str, bytes | None]


def build(home: Path, customers: int, revision: int) -> tuple[Path, list[str]]:
    """A file to publish with so many profiles and accounts, and the phones to ask for. Only those phones have real tokens."""
    keys, folder = load_keys(home / "vault", {}), home / "files"
    folder.mkdir(exist_ok=True)
    known = {
        "customer_id": "'C' || lpad(cast(i as varchar), 9, '0')", "as_of_date": f"date '{DAY}'", "branch_id": "'B' || lpad(cast(i % 40 as varchar), 3, '0')",
        "mobile_phone_token": f"'{keys.token_key_id}:t' || i", "customer_kind": "'person'", "name_masked": "'王**'", "branch_name": "'营业部'", "is_stale": "false",
        "is_partial": "false", "business_line": "'normal'", "account_id": "'10' || lpad(cast(i as varchar), 8, '0')", "system_code": "'NOR'",
        "client_number": "'88' || lpad(cast(i as varchar), 8, '0')", "cash_amount": f"i + {(revision - 1) * OFFSET}",
        "total_asset_amount": f"i + {(revision - 1) * OFFSET}",
    }  # fmt: skip
    phones = [f"139{place:08d}" for place in range(TOKENS)]
    file = folder / f"{revision:06d}.duckdb"
    with duckdb.connect(str(file)) as database:
        sized = dict.fromkeys(("mart_customer_profile", "mart_customer_account", "mart_customer_phone"), customers)
        create_marts(database, sized, lambda entry: known.get(entry.column, "null"))
        database.execute("create table phones (customer_id varchar, phone_token varchar)")
        rows = [[_customer(place, customers), token(keys, "phone", "", phone)] for place, phone in enumerate(phones)]
        database.executemany("insert into phones values (?, ?)", rows)
        for mart in ("mart_customer_profile", "mart_customer_phone"):
            database.execute(
                f"update {mart} as mart set mobile_phone_token = phones.phone_token from phones where mart.customer_id = phones.customer_id"
            )
        database.execute("drop table phones")
        database.execute(f"create table publication as select date '{DAY}' as business_date, {revision} as revision")
    return file, phones


def _customer(place: int, customers: int) -> str:
    return f"C{place * (customers // TOKENS):09d}"


@dataclass
class Sent:
    """What became of questions: milliseconds of each, the paths of those that failed and of those whose answer mixes revisions, and CPU
    seconds of who asked and who answered. Several threads fill one in."""

    times: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    seconds: float = 0
    asking: float = 0
    answering: float = 0

    def at(self, share: float) -> float:
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * share))]

    def row(self, name: str, floor: float) -> str:
        return (
            f"| {name} | {len(self.times):,} | {self.at(0.5):.2f} | {self.at(0.99):.2f} | {self.at(0.99) / floor:.1f} | {len(self.faults)} | "
            f"{len(self.mixed)} | {len(self.times) / self.seconds:,.0f} | {self.asking / self.seconds:.0%} | {self.answering / self.seconds:.0%} |"
        )


class Client:
    """One kept connection to the server."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._headers = headers
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, question: Question, sent: Sent, begun: float | None = None) -> None:
        """One question; `begun` is when it should have been sent."""
        begun = begun or time.perf_counter()
        try:
            self._connection.request(*question, self._headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            sent.faults.append(question[1])
            self._connection.close()
            return
        sent.times.append(1000 * (time.perf_counter() - begun))
        if answer.status != 200:
            sent.faults.append(question[1])
        elif _is_mixed(question[1], body):
            sent.mixed.append(question[1])


def _is_mixed(path: str, body: bytes) -> bool:
    """Whether a profile has figures of another revision than the one it says it is of."""
    if not path.startswith("/v1/customers/"):
        return False
    answer = json.loads(body)
    expected = int(path[-9:]) + (answer["revision"] - 1) * OFFSET
    return {float(answer["data"][name]) for name in ("cash_amount", "total_asset_amount")} != {float(expected)}


@contextmanager
def _counted(sent: Sent, server: subprocess.Popen) -> Iterator[None]:
    """Add seconds and CPU seconds of what happens inside."""
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]

    def cpu(processes: list[psutil.Process]) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    asking, answering, begun = cpu([psutil.Process()]), cpu(family), time.perf_counter()
    yield
    sent.seconds += time.perf_counter() - begun
    sent.asking += cpu([psutil.Process()]) - asking
    sent.answering += cpu(family) - answering


def one_client(make: Callable[[], Client], server: subprocess.Popen, questions: list[Question], sent: Sent) -> None:
    """One after another, after a tenth of them to warm up."""
    client = make()
    for question in questions[: len(questions) // 10]:
        client.ask(question, Sent())
    with _counted(sent, server):
        for question in questions:
            client.ask(question, sent)


def steady(make: Callable[[], Client], server: subprocess.Popen, questions: list[Question], seconds: int) -> Sent:
    """A_SECOND questions a second at fixed times, whoever is free sends the next."""
    sent, due = Sent(), queue.Queue()

    def send() -> None:
        client = make()
        while (one := due.get()) is not None:
            client.ask(one[1], sent, one[0])

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    [sender.start() for sender in senders]
    with _counted(sent, server):
        begun = time.perf_counter()
        for number in range(seconds * A_SECOND):
            at = begun + number / A_SECOND
            time.sleep(max(0, at - time.perf_counter()))
            due.put((at, questions[number % len(questions)]))
        [due.put(None) for _ in senders]
        [sender.join() for sender in senders]
    return sent


def flood(make: Callable[[], Client], server: subprocess.Popen, questions: list[Question], seconds: int) -> Sent:
    """CLIENTS that each ask as soon as they are answered."""
    sent, until = Sent(), time.perf_counter() + seconds

    def go_on(first: int) -> None:
        client, number = make(), first
        while time.perf_counter() < until:
            client.ask(questions[number % len(questions)], sent)
            number += 1

    clients = [threading.Thread(target=go_on, args=[first]) for first in range(0, TOKENS, TOKENS // CLIENTS)]
    with _counted(sent, server):
        [client.start() for client in clients]
        [client.join() for client in clients]
    return sent


@contextmanager
def _swapping(store: PostgresStore, seconds: int) -> Iterator[None]:
    """SWAPS change-overs between the two revisions, spread over the seconds."""

    def swap() -> None:
        for number in range(SWAPS):
            time.sleep(seconds / (SWAPS + 1))
            store.point_at(2 - number % 2, keep=5)

    swapping = threading.Thread(target=swap)
    swapping.start()
    yield
    swapping.join()


@contextmanager
def _serving(home: Path, conninfo: str) -> Iterator[tuple[int, subprocess.Popen]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "C360_HOME": str(home), "PYTHONPATH": str(PROJECT), POSTGRES_VARIABLE: conninfo,
        "C360_SERVE_REQUESTS_PER_MINUTE": "10000000", "C360_SERVE_LOOKUPS_PER_DAY": "10000000",
    }  # fmt: skip
    command = [sys.executable, "-m", "spark_jobs.cli", "serve", "--port", str(port), "--workers", str(WORKERS)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port, server
    finally:
        server.terminate()
        server.wait()


@dataclass(frozen=True)
class Found:
    """What became of the questions of each load."""

    floor: Sent
    look_up: Sent
    quiet: Sent
    swapped: Sent
    limit: Sent


def ask(customers: int, requests: int, seconds: int, limit_seconds: int, folder: Path) -> Found:
    """Publish so many customers twice, serve them, and put every load on the server, one after the other."""
    with cluster() as postgres:
        store = PostgresStore(postgres.conninfo)
        for revision in (2, 1):
            file, phones = build(folder, customers, revision)
            store.write_revision(file, revision)
            file.unlink()
        store.point_at(1, keep=5)
        key, _ = ApiKeys(folder / "access", load_access()).create("risk_control", 1)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        constant: list[Question] = [("GET", "/livez", None)] * requests
        by_phone = [("POST", "/v1/lookups", json.dumps({"by": "phone", "value": phone}).encode()) for phone in phones]
        profiles = [("GET", f"/v1/customers/{_customer(place, customers)}", None) for place in range(TOKENS)]
        mixed = [question for pair in zip(by_phone, profiles, strict=True) for question in pair]
        with _serving(folder, postgres.conninfo) as (port, server):

            def make() -> Client:
                return Client(port, headers)

            floor, look_up = Sent(), Sent()
            for _ in range(TURNS):
                one_client(make, server, constant, floor)
                one_client(make, server, (by_phone * (requests // TOKENS + 1))[:requests], look_up)
            print("constant", floor.at(0.99), "look-up", look_up.at(0.99), flush=True)
            quiet = steady(make, server, mixed, seconds)
            print("steady", quiet.at(0.99), flush=True)
            with _swapping(store, seconds):
                swapped = steady(make, server, mixed, seconds)
            return Found(floor, look_up, quiet, swapped, flood(make, server, mixed, limit_seconds))


def measure(customers: int, requests: int, seconds: int, folder: Path) -> list[str]:
    """The Markdown report of one run."""
    found = ask(customers, requests, seconds, LIMIT_SECONDS, folder)
    base = found.floor.at(0.99)
    return [
        "# The read API over PostgreSQL",
        "",
        f"{when_and_where()}; {customers:,} profiles and as many accounts, {WORKERS} serving processes, PostgreSQL and the clients on the same two cores.",
        f"Constant route and look-up are asked by one client and take turns, {TURNS} times {requests:,} questions each.",
        f"Steady load is {A_SECOND} questions a second for {seconds} seconds, half look-ups by phone, half profiles, timed from when each was due; while {SWAPS}",
        f"change-overs between two revisions happen; the limit is {CLIENTS} clients that ask as soon as they are answered, for {LIMIT_SECONDS} seconds.",
        "Shares of CPU are of one core; mixed are profiles with figures of another revision than they say.",
        "",
        "| what | answers | p50 ms | p99 ms | p99 / constant | faults | mixed | a second | CPU asking | CPU answering |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        found.floor.row("constant route, one client", base),
        found.look_up.row("look-up by phone, one client", base),
        found.quiet.row("steady load", base),
        found.swapped.row(f"steady load, {SWAPS} change-overs", base),
        found.limit.row("limit", base),
        "",
        f"- look-up to constant route, p99: {found.look_up.at(0.99) / base:.2f}",
        f"- steady load with change-overs to without, p99: {found.swapped.at(0.99) / found.quiet.at(0.99):.2f}",
    ]


def _wait(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, measure, customers=1_000_000, requests=3_000, seconds=300)
