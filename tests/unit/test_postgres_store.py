"""The production store holds what the published file holds, changes over at once, and survives whatever kills it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from serving.store import PostgresStore as Reader
from spark_jobs.config import PROJECT
from spark_jobs.errors import InfrastructureError
from spark_jobs.ingest.vault import load_keys
from spark_jobs.publish import postgres_store
from spark_jobs.publish.marts import MARTS
from spark_jobs.publish.postgres_store import PostgresStore
from tests.api.builders import DAY, PEOPLE, publish
from tests.postgres import database


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three published files; in each, every customer has a yuan more."""
    home = tmp_path_factory.mktemp("published")
    keys = load_keys(home / "vault", {})
    for revision in (1, 2, 3):
        publish(home, keys, revision, shift=revision)
    return sorted((home / "published" / "revisions").glob("*.duckdb"))


@pytest.fixture
def conninfo(postgres: str) -> Iterator[str]:
    """The connection string of an empty database."""
    name = f"store_{os.getpid()}_{time.monotonic_ns()}"
    yield database(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def store(conninfo: str, files: list[Path]) -> PostgresStore:
    """With revision 1 in force."""
    opened = PostgresStore(conninfo)
    opened.write_revision(files[0], 1)
    assert opened.point_at(1, keep=5) == DAY
    return opened


def tables(store: PostgresStore) -> set[str]:
    with psycopg.connect(store.conninfo) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'c360_data'").fetchall()
    return {name for (name,) in rows}


def cash(store: PostgresStore) -> int:
    """What the first customer has in the revision in force."""
    with psycopg.connect(store.conninfo) as connection:
        query = "select cash_amount from c360.mart_customer_profile where customer_id = %s and as_of_date = %s"
        return connection.execute(query, [PEOPLE[0].customer_id, DAY]).fetchone()[0]


def test_every_row_and_value_of_the_file_is_there(store, files):
    with duckdb.connect(str(files[0]), read_only=True) as source, psycopg.connect(store.conninfo) as connection:
        for mart in MARTS.values():
            query = f"select * from {{}}{mart.name} order by {', '.join(mart.key)}"
            here, there = source.execute(query.format("")), connection.execute(query.format("c360."))
            assert [column.name for column in there.description] == [column[0] for column in here.description], mart
            rows = here.fetchall()
            assert rows and there.fetchall() == rows, mart


def test_a_text_that_looks_like_nothing_is_still_a_text(store, files, tmp_path):
    file = tmp_path / "odd.duckdb"
    file.write_bytes(files[1].read_bytes())
    odd = ["", "\\N", 'a "quoted", text', "two\nlines", "名\t字"]
    with duckdb.connect(str(file)) as source:
        for person, text in zip(PEOPLE, odd, strict=False):
            source.execute(
                "update mart_customer_account set account_status = ? where customer_id = ?", [text, person.customer_id]
            )
    store.write_revision(file, 2)
    store.point_at(2, keep=5)
    with psycopg.connect(store.conninfo) as connection:
        query = "select account_status from c360.mart_customer_account where customer_id = %s"
        assert [connection.execute(query, [person.customer_id]).fetchone()[0] for person in PEOPLE[: len(odd)]] == odd


def test_the_oldest_revisions_go_and_an_older_one_can_be_served_again(store, files):
    for revision in (2, 3):
        store.write_revision(files[revision - 1], revision)
        store.point_at(revision, keep=2)
    assert {name.rpartition("__g")[2] for name in tables(store) if "__g" in name} == {"000002", "000003"}
    store.point_at(2, keep=2)
    assert (store.served(), cash(store)) == (2, 1000 + 2)
    with pytest.raises(InfrastructureError, match="C360-533"):
        store.point_at(1, keep=2)
    assert store.served() == 2


def test_ten_change_overs_break_no_question_and_mix_no_answer(store, files):
    store.write_revision(files[1], 2)
    reader, answers, faults, is_over = Reader(store.conninfo, 4, 10), [], [], threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                with reader.snapshot() as snapshot:
                    bound = {"as_of_date": DAY, "customer": PEOPLE[0].customer_id}
                    where = "where customer_id = $customer and as_of_date = $as_of_date"
                    profile = snapshot.rows(f"select cash_amount from mart_customer_profile {where}", bound)
                    time.sleep(0.002)  # long enough for a change-over between two reads of one request
                    account = snapshot.rows(f"select cash_amount from mart_customer_account {where}", bound)
                    days = snapshot.rows("select max(revision) as revision from publication")
                    answers.append((snapshot.revision, profile, account, days[0]["revision"]))
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(10):
        store.point_at(1 + turn % 2, keep=5)
        time.sleep(0.05)
    is_over.set()
    for thread in threads:
        thread.join()
    reader.close()
    assert not faults
    assert {revision for revision, *_ in answers} == {1, 2}
    for revision, profile, account, newest in answers:
        assert profile == account == [{"cash_amount": 1000 + revision}]
        assert newest == revision


def test_a_question_asked_often_is_answered_when_a_column_has_another_type(store, files, tmp_path):
    """What the server has prepared for a connection is of the generation before, and would be refused."""
    widened = Path(shutil.copy(files[1], tmp_path / "widened.duckdb"))
    with duckdb.connect(str(widened)) as file:
        file.execute("alter table mart_customer_profile alter cash_amount type decimal(30, 4)")
    reader, found = Reader(store.conninfo, 1, 10), []
    statement = (
        "select cash_amount from mart_customer_profile where customer_id = $customer and as_of_date = $as_of_date"
    )

    def ask(times: int) -> None:
        for _ in range(times):
            with reader.snapshot() as snapshot:
                bound = {"customer": PEOPLE[0].customer_id, "as_of_date": snapshot.as_of_date}
                found.append(str(snapshot.rows(statement, bound)[0]["cash_amount"]))

    ask(10)
    store.write_revision(widened, 2)
    store.point_at(2, keep=5)
    ask(10)
    reader.close()
    assert found == ["1001.00"] * 10 + ["1002.0000"] * 10


def test_what_differs_from_the_file_is_never_served(store, files, monkeypatch):
    whole = postgres_store.copy_table

    def losing(connection, source, name, table, columns, folder):
        whole(connection, source, name, table, columns, folder)
        if name == "mart_customer_account":
            connection.execute(
                f"update c360_data.{table} set cash_amount = cash_amount + 1 where account_id = '{PEOPLE[0].account_id}'"
            )

    monkeypatch.setattr(postgres_store, "copy_table", losing)
    with pytest.raises(InfrastructureError, match="C360-538") as error:
        store.write_revision(files[1], 2)
    assert "mart_customer_account" in str(error.value) and "cash_amount" in str(error.value)
    with pytest.raises(InfrastructureError, match="C360-533"):
        store.point_at(2, keep=5)
    assert (store.served(), cash(store)) == (1, 1001)


def test_readers_that_do_not_let_go_keep_the_revision_that_is_served(store, files, monkeypatch):
    monkeypatch.setattr(postgres_store, "LOCK_ATTEMPTS", 2)
    store.write_revision(files[1], 2)
    with psycopg.connect(store.conninfo) as reader:
        reader.execute("lock table c360.served in access share mode")
        with pytest.raises(InfrastructureError, match="C360-539"):
            store.point_at(2, keep=5)
    assert store.served() == 1
    store.point_at(2, keep=5)
    assert store.served() == 2


# In a process of its own: everything up to the step, and then signal 9.
PUBLISHER = """
import os, signal, sys
from pathlib import Path
from spark_jobs.publish import postgres_store
from spark_jobs.publish.postgres_store import PostgresStore

step, conninfo, file = sys.argv[1:]
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if step == "between two marts":
    whole = postgres_store._check
    postgres_store._check = lambda *given: die() if given[2] == "mart_customer_holding" else whole(*given)
if step == "while rows come in":
    postgres_store.COPY_BYTES = 100
    import psycopg
    written = psycopg.Copy.write
    def writing(self, part, _calls=[]):
        _calls.append(1)
        written(self, part)
        if len(_calls) > 20: die()
    psycopg.Copy.write = writing
store = PostgresStore(conninfo)
if step == "within a mart":
    whole = postgres_store.copy_table
    postgres_store.copy_table = lambda *given: (whole(*given), die() if given[2] == "mart_customer_tag" else None)
store.write_revision(Path(file), 2)
if step == "before the change-over":
    die()
if step == "within the change-over":
    whole = postgres_store.swap
    postgres_store.swap = lambda *given: (whole(*given), die())
if step == "while the oldest go":
    PostgresStore._forget = lambda *given: die()
store.point_at(2, 5)
die()
"""


@pytest.mark.parametrize(
    ("step", "served"),
    [
        ("while rows come in", 1),
        ("within a mart", 1),
        ("between two marts", 1),
        ("before the change-over", 1),
        ("within the change-over", 1),
        ("while the oldest go", 2),
        ("after it", 2),
    ],
)
def test_a_killed_publisher_leaves_one_day_served_and_the_next_one_heals(store, files, step, served):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", PUBLISHER, step, store.conninfo, str(files[1])]
    killed = subprocess.run(command, env=environment, timeout=120, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-1000:]
    assert (store.served(), cash(store)) == (served, 1000 + served)
    store.write_revision(files[2], 3)
    store.point_at(3, keep=5)
    assert (store.served(), cash(store)) == (3, 1003)
    with psycopg.connect(store.conninfo) as connection:
        whole = {number for (number,) in connection.execute("select generation from c360_data.generations")}
    assert {int(name.rpartition("__g")[2]) for name in tables(store) if "__g" in name} == whole
    assert not list(files[1].parent.glob("copy-*"))


def test_a_revision_that_is_written_again_leaves_the_one_that_is_served_alone(store, files):
    """As after `make clean`: another lake begins at revision 1, too."""
    store.write_revision(files[1], 1)
    assert (store.served(), cash(store)) == (1, 1001)
    store.point_at(1, keep=5)
    assert (store.served(), cash(store)) == (1, 1002)
    assert {name.rpartition("__g")[2] for name in tables(store) if "__g" in name} == {"000002"}


def test_who_may_read_goes_on_reading_after_a_change_over(store, files):
    role = f"reader_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(store.conninfo, autocommit=True) as owner:
        owner.execute(f"create role {role} login")
        owner.execute(f"grant usage on schema c360 to {role}")
        owner.execute(f"grant select on all tables in schema c360 to {role}")
    store.write_revision(files[1], 2)
    store.point_at(2, keep=5)
    reader = Reader(store.conninfo.replace("user=postgres", f"user={role}"), 1, 5)
    with reader.snapshot() as snapshot:
        for mart in MARTS:
            assert snapshot.rows(f"select count(*) as rows_there from {mart}")[0]["rows_there"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            snapshot.rows("select * from c360_data.generations")
    reader.close()


def test_no_message_repeats_the_connection_string():
    store = PostgresStore("host=/nowhere user=somebody password=hunter2 dbname=none")
    with pytest.raises(InfrastructureError, match="C360-537") as error:
        store.served()
    assert not {"hunter2", "somebody", "/nowhere"} & set(str(error.value).replace("=", " ").split())
    assert "hunter2" not in repr(store)


def test_a_store_is_there_when_the_environment_names_one():
    assert PostgresStore.of({}) is None
    assert PostgresStore.of({"C360_SECRET_POSTGRES": "dbname=none"}) == PostgresStore("dbname=none")
