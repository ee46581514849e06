"""PostgreSQL is killed under the API and under a publisher: one day is served or none, never a mixture, and the next start needs no hand."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from serving import calls, store
from serving.callers import Caller
from serving.problems import NotAvailable
from serving.service import Service
from spark_jobs.config import load_settings
from spark_jobs.errors import InfrastructureError
from spark_jobs.ingest.vault import load_keys
from spark_jobs.publish import postgres_store
from spark_jobs.publish.duckdb_store import revision_file
from spark_jobs.publish.postgres_store import PostgresStore
from tests.api.builders import PEOPLE, publish
from tests.postgres import Cluster, cluster, skip_without_postgres

KEPT, PATIENCE = 5, 60
WHO, CALL = PEOPLE[4], next(one for one in PEOPLE if one.list_name == "dormant" and one.phone)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    skip_without_postgres()
    with cluster() as server:
        yield server


@pytest.fixture(scope="module")
def home(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a second revision that is not published; in it every customer has a yuan more."""
    home = Path(shutil.copytree(built, tmp_path_factory.mktemp("killed") / "home"))
    publish(home, load_keys(home / "vault", {}), 2, shift=1)
    return home


@pytest.fixture
def published(server: Cluster, home: Path) -> Iterator[PostgresStore]:
    """Revision 1 in force; the server runs again afterwards, whatever the test did."""
    published = PostgresStore(server.conninfo)
    published.write_revision(revision_file(home / "published", 1), 1)
    published.point_at(1, KEPT)
    yield published
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        for schema in ("c360", "c360_data"):
            connection.execute(f"drop schema {schema} cascade")


def _cash(conninfo: str) -> tuple[int, int]:
    """The revision in force, and what a customer has in it by the profile and by the accounts."""
    with psycopg.connect(conninfo) as connection:
        revision = connection.execute("select revision from c360.served").fetchone()[0]
        query = "select sum(cash_amount) from c360.{} where customer_id = %s and as_of_date = (select as_of_date from c360.served)"
        of_profile, of_accounts = (
            connection.execute(query.format(mart), [WHO.customer_id]).fetchone()[0]
            for mart in ("mart_customer_profile", "mart_customer_account")
        )
    assert of_profile == of_accounts
    return revision, of_profile - 1000 * WHO.number


def test_the_api_says_so_while_the_store_is_down_and_answers_again_without_a_hand(server, published, home, monkeypatch):
    """Down for longer than the pool tries by itself; what a seat wrote before is there afterwards."""
    monkeypatch.setattr(store, "RECONNECT_SECONDS", 1)
    settings = load_settings(home=home, serve_requests_per_minute=100_000)
    service = Service(settings, {"C360_SECRET_POSTGRES": server.conninfo})
    seat = Caller("seat", service.access.roles["agent"], CALL.branch, "E001", frozenset({"read", "write"}))
    manager = Caller("risk", service.access.roles["risk_control"], "", "", frozenset({"read"}))

    def ask() -> int:
        return service.profile(manager, WHO.customer_id)["revision"]

    version = calls.take(service, seat, "dormant", CALL.customer_id)["data"]["version"]
    assert ask() == 1
    server.kill()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with pytest.raises(NotAvailable):
            ask()
    with pytest.raises(NotAvailable):
        calls.finish(service, seat, "dormant", CALL.customer_id, version, "reached")
    server.start()
    until = time.monotonic() + PATIENCE
    while True:
        try:
            assert ask() == 1
            calls.finish(service, seat, "dormant", CALL.customer_id, version, "reached")
            break
        except NotAvailable:
            assert time.monotonic() < until, "the API has not come back"
    service.close()


STEPS = {
    "between two marts": (postgres_store, "copy_table", 2, 1),
    "before a mart is checked": (postgres_store, "_check", 9, 1),
    "before it counts as whole": (postgres_store, "_generations", 2, 1),
    "before the change-over is kept": (postgres_store, "swap", 1, 1),
    "while the oldest go": (PostgresStore, "_forget", 2, 2),
}
"""Step → what is called there for the how-manieth time, and the revision that is served afterwards."""


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_store_keeps_the_day_it_served_and_takes_the_next_one_afterwards(
    server, published, home, monkeypatch, step
):
    owner, name, number, served = STEPS[step]
    whole, calls_made = getattr(owner, name), iter(range(1, 1_000))

    def dying(*given):
        is_time = next(calls_made) == number
        if is_time and name != "swap":
            server.kill()
        result = whole(*given)
        if is_time and name == "swap":
            server.kill()
        return result

    file = revision_file(home / "published", 2)
    with monkeypatch.context() as during:
        during.setattr(owner, name, dying)
        with pytest.raises(InfrastructureError, match="C360-537"):
            published.write_revision(file, 2)
            published.point_at(2, KEPT)
    server.start()
    assert _cash(server.conninfo) == (served, served - 1)
    published.write_revision(file, 2)
    published.point_at(2, KEPT)
    assert _cash(server.conninfo) == (2, 1)
