"""Look-up by phone against a constant route of the same server: `python -m benchmarks.serve --customers 100000 --requests 3000`.

One real server process, one client that keeps its connection and asks one thing after another: the constant route (no store, no caller), then
look-up and profile. The floor is the constant route; what is above it is the work of a question: caller, snapshot, marts, overlay, audit line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.invented import create_marts
from serving.access import load_access
from serving.api_keys import ApiKeys
from spark_jobs.config import PROJECT
from spark_jobs.ingest.vault import load_keys, token
from spark_jobs.publish.duckdb_store import create_indexes, point_at

DAY = date(2026, 9, 30)
TOKENS = 500  # phones asked for, spread over all customers


def build(home: Path, customers: int) -> list[str]:
    """A published file with so many profiles and accounts; the phones to ask for. Only those phones have real tokens."""
    keys, folder = load_keys(home / "vault", {}), home / "published" / "revisions"
    folder.mkdir(parents=True)
    known = {
        "customer_id": "'C' || lpad(cast(i as varchar), 9, '0')", "as_of_date": f"date '{DAY}'", "branch_id": "'B' || lpad(cast(i % 40 as varchar), 3, '0')",
        "mobile_phone_token": "'t' || i", "customer_kind": "'person'", "name_masked": "'王**'", "branch_name": "'营业部'", "is_stale": "false",
        "is_partial": "false", "business_line": "'normal'", "account_id": "'10' || lpad(cast(i as varchar), 8, '0')", "system_code": "'NOR'",
        "client_number": "'88' || lpad(cast(i as varchar), 8, '0')", "cash_amount": "i",
    }  # fmt: skip
    sized = ("mart_customer_profile", "mart_customer_account")
    phones = []
    with duckdb.connect(str(folder / "000001.duckdb")) as database:
        create_marts(database, dict.fromkeys(sized, customers), lambda entry: known.get(entry.column, "null"))
        for place in range(TOKENS):
            phone = f"139{place:08d}"
            phones.append(phone)
            database.execute(
                "update mart_customer_profile set mobile_phone_token = ? where customer_id = ?",
                [token(keys, "phone", "", phone), f"C{place * (customers // TOKENS):09d}"],
            )
        create_indexes(database)
        database.execute(f"create table publication as select date '{DAY}' as business_date, 1 as revision")
    point_at(home / "published", 1, keep=1)
    return phones


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def measure(port: int, ask: list[tuple[str, str, bytes | None]], headers: dict[str, str]) -> list[float]:
    """Milliseconds of each request, after a tenth of them to warm up."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port), []
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for method, path, body in [*ask[: len(ask) // 10], *ask]:
        begun = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append(1000 * (time.perf_counter() - begun))
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}")
    return times[len(ask) // 10 :]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=3000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        phones = build(home, given.customers)
        key, _ = ApiKeys(home / "access", load_access()).create("risk_control", 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {
            **os.environ, "C360_HOME": folder, "PYTHONPATH": str(PROJECT), "C360_SERVE_REQUESTS_PER_MINUTE": "10000000",
            "C360_SERVE_LOOKUPS_PER_DAY": "10000000",
        }  # fmt: skip
        server = subprocess.Popen([sys.executable, "-m", "spark_jobs.cli", "serve", "--port", str(port)], env=environment,
                                  stdout=subprocess.DEVNULL)  # fmt: skip
        try:
            _wait(port)
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            step = given.customers // TOKENS
            count = range(given.requests)
            asks: dict[str, list[tuple[str, str, bytes | None]]] = {
                "constant": [("GET", "/livez", None) for _ in count],
                "look-up": [("POST", "/v1/lookups", json.dumps({"by": "phone", "value": phones[n % TOKENS]}).encode()) for n in count],
                "profile": [("GET", f"/v1/customers/C{n % TOKENS * step:09d}", None) for n in count],
            }  # fmt: skip
            floor = None
            print(f"{given.customers:,} profiles, {given.requests:,} requests each, one client, one process")
            print(f"{'route':10} {'p50 ms':>8} {'p99 ms':>8} {'p99 / constant p99':>20}")
            for name, ask in asks.items():
                times = measure(port, ask, headers)
                floor = floor or percentile(times, 0.99)
                print(
                    f"{name:10} {percentile(times, 0.5):8.2f} {percentile(times, 0.99):8.2f} {percentile(times, 0.99) / floor:20.1f}"
                )
        finally:
            server.terminate()
            server.wait()


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
    main()
