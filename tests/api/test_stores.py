"""Both stores give the same answers, from one revision each, whatever is published or killed meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from serving import calls
from serving.callers import Caller
from serving.problems import Conflict, NotAvailable
from serving.reveal import reveal
from serving.service import Service
from serving.store import EmbeddedStore, PostgresStore
from spark_jobs.config import load_settings
from spark_jobs.ingest.vault import Vault, VaultError, load_keys
from spark_jobs.publish.ciphertexts import write_ciphertexts
from spark_jobs.publish.duckdb_store import point_at, revision_file
from spark_jobs.publish.postgres_store import PostgresStore as Published
from tests.api.builders import DAY, ERASED, PEOPLE, publish

KEPT = 5


def publish_postgres(conninfo: str, home: Path, revision: int) -> None:
    """Bring a published file in and serve it, as a load does."""
    store = Published(conninfo)
    store.write_revision(revision_file(home / "published", revision), revision)
    store.point_at(revision, KEPT)


@pytest.fixture(scope="module")
def both(built: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """The same day in the file and in PostgreSQL."""
    import shutil

    home = Path(shutil.copytree(built, tmp_path_factory.mktemp("both") / "home"))
    publish_postgres(postgres, home, 1)
    settings = load_settings(home=home, serve_requests_per_minute=100_000)
    pair = Service(settings, {}), Service(settings, {"C360_SECRET_POSTGRES": postgres})
    yield pair
    for service in pair:
        service.close()


def _caller(service: Service, role: str, name: str = "test") -> Caller:
    return Caller(name, service.access.roles[role], "B001", "E001", frozenset({"read", "write", "export", "reveal"}))


QUESTIONS: dict[str, Any] = {
    "look-up": lambda service, caller: service.look_up(caller, "phone", PEOPLE[4].phone),
    "look-up with digits": lambda service, caller: service.look_up(caller, "account", PEOPLE[4].account_id, PEOPLE[4].identity[-4:]),
    "shared phone": lambda service, caller: service.look_up(caller, "phone", PEOPLE[0].phone),
    "customer number": lambda service, caller: service.look_up(caller, "customer_number", PEOPLE[4].client_number),
    "profile": lambda service, caller: service.profile(caller, PEOPLE[3].customer_id),
    "accounts": lambda service, caller: service.accounts(caller, PEOPLE[3].customer_id),
    "holdings": lambda service, caller: service.holdings(caller, PEOPLE[3].customer_id),
    "tags": lambda service, caller: service.tags(caller, PEOPLE[3].customer_id),
    "open items": lambda service, caller: service.open_items(caller, PEOPLE[3].customer_id),
    "asset history": lambda service, caller: service.asset_history(caller, PEOPLE[3].customer_id, DAY),
    "lists": lambda service, caller: service.lists(caller),
    "calls": lambda service, caller: service.list_calls(caller, "dormant", 2),
    "second page": lambda service, caller: service.list_calls(
        caller, "dormant", 2, service.list_calls(caller, "dormant", 2)["next_page"]
    ),
    "suppressed": lambda service, caller: service.list_suppressed(caller, "margin_call"),
    "commission": lambda service, caller: service.commission_customer(caller, PEOPLE[3].customer_id, DAY),
    "status": lambda service, caller: service.status(caller),
}  # fmt: skip


@pytest.mark.parametrize("role", ["agent", "branch_manager", "risk_control"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_both_stores_answer_alike(both: tuple[Service, Service], role: str, question: str) -> None:
    if role == "agent" and question == "suppressed":
        return
    embedded, postgres = (QUESTIONS[question](service, _caller(service, role)) for service in both)
    for answer in (embedded, postgres):
        answer.pop("next_page", None)
    assert embedded == postgres


def test_one_of_two_seats_gets_a_call_in_postgres_too(both: tuple[Service, Service]) -> None:
    _, service = both
    call = next(one for one in PEOPLE if one.branch == "B001" and one.list_name == "dormant" and one.phone)
    first, second = (_caller(service, "agent", name) for name in ("one", "two"))
    version = calls.take(service, first, "dormant", call.customer_id)["data"]["version"]
    with pytest.raises(Conflict):
        calls.take(service, second, "dormant", call.customer_id)
    assert call.customer_id not in {row["customer_id"] for row in service.list_calls(second, "dormant")["data"]}
    calls.finish(service, first, "dormant", call.customer_id, version, "refused")
    assert service.profile(first, call.customer_id)["today"]["last_word"] == "marketing_refused"
    calls.write_note(service, first, call.customer_id, "called")
    assert calls.read_notes(service, first, call.customer_id)["data"][0]["text"] == "called"


def _ask_while(service: Service, change: Any, seconds: float = 1.5) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Answers of two threads that ask for profile and accounts while `change` runs."""
    answers: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
    faults: list[Exception] = []
    is_over = threading.Event()

    def ask(name: str) -> None:
        caller = _caller(service, "risk_control", name)
        while not is_over.is_set():
            try:
                with service.asked(caller, "profile") as question:
                    bound = {"customer": PEOPLE[4].customer_id}
                    profile = question.rows(
                        "mart_customer_profile",
                        "as_of_date = $as_of_date and customer_id = $customer",
                        bound,
                        ["cash_amount"],
                    )
                    time.sleep(0.002)  # long enough for a publication between two reads of one request
                    account = question.rows(
                        "mart_customer_account",
                        "as_of_date = $as_of_date and customer_id = $customer",
                        bound,
                        ["cash_amount"],
                    )
                    days = question.snapshot.rows("select max(revision) as revision from publication")
                    answers.append((question.snapshot.revision, {**profile[0], **days[0]}, account[0]))
            except Exception as fault:
                faults.append(fault)
                return

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        change()
    is_over.set()
    for thread in threads:
        thread.join()
    assert not faults, faults
    return answers


def _check_unmixed(answers: list[tuple[int, dict[str, Any], dict[str, Any]]], revisions: set[int]) -> None:
    assert {revision for revision, _, _ in answers} == revisions
    for revision, profile, account in answers:
        assert profile["revision"] == revision
        assert profile["cash_amount"] == account["cash_amount"] == 1000 * PEOPLE[4].number + revision


def test_no_answer_mixes_revisions_while_the_pointer_of_the_file_moves(home: Path) -> None:
    keys = load_keys(home / "vault", {})
    for revision in (1, 2):
        publish(home, keys, revision, shift=revision)
    settings = load_settings(home=home, serve_requests_per_minute=1_000_000)
    service = Service(settings, {})
    turn = iter(range(10**6))

    def flip() -> None:
        point_at(settings.published, 1 + next(turn) % 2, 5)
        time.sleep(0.01)

    _check_unmixed(_ask_while(service, flip), {1, 2})
    service.close()


def test_no_answer_mixes_revisions_while_views_are_swapped(home: Path, postgres: str) -> None:
    keys = load_keys(home / "vault", {})
    for revision in (2, 3):
        publish(home, keys, revision, shift=revision)
        publish_postgres(postgres, home, revision)
    settings = load_settings(home=home, serve_requests_per_minute=1_000_000)
    service, store = Service(settings, {"C360_SECRET_POSTGRES": postgres}), Published(postgres)
    turn = iter(range(10**6))

    def flip() -> None:
        store.point_at(2 + next(turn) % 2, KEPT)
        time.sleep(0.01)

    try:
        _check_unmixed(_ask_while(service, flip), {2, 3})
    finally:
        service.close()
        store.point_at(1, KEPT)


def test_request_keeps_its_file_when_the_revision_is_deleted_under_it(home: Path) -> None:
    keys, store = load_keys(home / "vault", {}), EmbeddedStore(home / "published", 10)
    with store.snapshot() as before:
        publish(home, keys, 2, shift=2)
        (home / "published" / "revisions" / "000001.duckdb").unlink()
        with store.snapshot() as after:
            cash = "select cash_amount from mart_customer_profile where as_of_date = $as_of_date and customer_id = $customer"
            bound = {"as_of_date": DAY, "customer": PEOPLE[0].customer_id}
            found = [one.rows(cash, bound)[0]["cash_amount"] for one in (before, after)]
    assert (before.revision, after.revision, found) == (1, 2, [1000, 1002])
    store.close()


def test_damaged_pointer_or_file_leaves_the_day_before_served(home: Path) -> None:
    store = EmbeddedStore(home / "published", 10)
    with store.snapshot():
        pass
    pointer = home / "published" / "current.json"
    for text in ("{", '{"revision": 9, "file": "revisions/000009.duckdb", "as_of_date": "2026-10-09"}'):
        pointer.write_text(text)
        with store.snapshot() as snapshot:
            assert snapshot.revision == 1
    store.close()


def test_before_the_first_publication_it_says_so(tmp_path: Path, postgres: str) -> None:
    embedded = EmbeddedStore(tmp_path, 10)
    with pytest.raises(NotAvailable), embedded.snapshot():
        pass
    embedded.close()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("drop database if exists nothing_yet")
        connection.execute("create database nothing_yet")
    store = PostgresStore(postgres.replace("dbname=postgres", "dbname=nothing_yet"), 2, 5)
    with pytest.raises(NotAvailable), store.snapshot():
        pass
    store.close()


_SLOW = "select count(*) as c from range(1000000) a, range(1000000) b"
_SLOW_POSTGRES = "select count(*) as c from generate_series(1, 1000000) a, generate_series(1, 1000000) b"


def test_question_that_takes_too_long_is_stopped(home: Path, both: tuple[Service, Service], postgres: str) -> None:
    stores = [(EmbeddedStore(home / "published", 2), _SLOW), (PostgresStore(postgres, 2, 3), _SLOW_POSTGRES)]
    for store, statement in stores:
        begun = time.monotonic()
        with pytest.raises(NotAvailable), store.snapshot() as snapshot:
            snapshot.rows(statement)
        assert time.monotonic() - begun < 60
        with store.snapshot() as snapshot:  # and the next one is answered
            assert snapshot.rows("select 1 as one") == [{"one": 1}]
        store.close()


def test_closing_the_store_stops_a_question_under_way(home: Path) -> None:
    store, outcome = EmbeddedStore(home / "published", 600), []

    def ask() -> None:
        try:
            with store.snapshot() as snapshot:
                snapshot.rows(_SLOW)
        except NotAvailable as error:
            outcome.append(error.code)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    store.close()
    asking.join(5)
    assert outcome == ["C360-548"]


def test_pool_is_bounded_and_says_when_it_is_used_up(both: tuple[Service, Service], postgres: str, monkeypatch) -> None:
    store = PostgresStore(postgres, 1, 5)
    with store.snapshot() as held:
        assert held.revision
        with pytest.raises(NotAvailable), store.snapshot():
            pass
    with store.snapshot() as again:
        assert again.revision
    store.close()


def test_reader_of_postgres_cannot_write(both: tuple[Service, Service], postgres: str) -> None:
    store = PostgresStore(postgres, 1, 5)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), store.snapshot() as snapshot:
        snapshot.rows("delete from c360_data.generations")
    store.close()


def test_personal_values_come_from_the_store_with_the_keys_alone(home: Path, postgres: str, tmp_path: Path) -> None:
    """The vault's ciphertext is gone from this machine: what was published with the day is enough, and worth nothing without the keys."""
    keys, file = load_keys(home / "vault", {}), revision_file(home / "published", 1)
    vault, store = Vault(home / "vault", keys), Published(postgres)
    write_ciphertexts(vault, file, tmp_path / "ciphertexts.duckdb")
    vault.close()
    store.write_revision(file, 1, tmp_path / "ciphertexts.duckdb")
    store.point_at(1, KEPT)
    for left in (home / "vault").glob("vault.sqlite*"):
        left.unlink()
    settings = load_settings(home=home, serve_requests_per_minute=1_000_000)
    service, embedded = Service(settings, {"C360_SECRET_POSTGRES": postgres}), Service(settings, {})
    try:
        caller, person = _caller(service, "risk_control"), PEOPLE[4]
        for column, value in (("mobile_phone", person.phone), ("identity", person.identity)):
            assert reveal(service, caller, person.customer_id, column, "asked by the court")["data"] == {column: value}
            with pytest.raises(VaultError, match="C360-521"):
                reveal(embedded, caller, person.customer_id, column, "asked by the court")
        with pytest.raises(VaultError, match="C360-520"):
            reveal(service, caller, ERASED.customer_id, "mobile_phone", "asked by the court")
    finally:
        service.close()
        embedded.close()
    with psycopg.connect(postgres) as connection:
        rows = connection.execute("select * from c360.sealed_value").fetchall()
    # A phone and a document of every person, but none that nothing published shows.
    assert len(rows) == sum(1 + (one.phone is not None) for one in PEOPLE)
    text = str(rows)
    assert not any(value in text for one in PEOPLE for value in (one.phone, one.identity) if value)


def test_lost_connections_heal_without_a_hand(both: tuple[Service, Service], postgres: str) -> None:
    """What a restart of PostgreSQL does to the pool: every connection ends, and the next request has a new one."""
    _, service = both
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'postgres'"
        )
    assert service.profile(_caller(service, "risk_control"), PEOPLE[4].customer_id)["revision"] == 1
