"""Where what people write is kept: SQLite beside the published file, or schema `c360_work` of the serving PostgreSQL.

Statements are a subset both share, with `$names`. Dates and times are ISO texts in UTC, `…_date` is the day in China.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from serving.problems import NotAvailable
from serving.store import begun, for_psycopg, give_back, open_pool
from spark_jobs.config import POSTGRES_VARIABLE, Settings
from spark_jobs.files import open_sqlite

BUSY_SECONDS = 4

SCHEMA = (
    # who may see a customer outside his queue, because a look-up found that one customer
    "create table if not exists opened (caller text, customer_id text, until_at text not null, primary key (caller, customer_id))",
    "create table if not exists usage (caller text, used_date text, what text, amount bigint not null, primary key (caller, used_date, what))",
    # one call a customer: whichever list it stands on, one seat has it. state: claimed, done
    "create table if not exists call_claim (as_of_date text, customer_id text, list_name text not null, caller text not null, employee text, "
    "version integer not null, state text not null, result text, changed_at text not null, primary key (as_of_date, customer_id))",
    "create table if not exists call_made (call_id text primary key, customer_id text not null, mobile_phone_token text not null, "
    "direction text not null, result text not null, made_date text not null, made_at text not null, employee text)",
    # word: marketing_granted, marketing_refused, do_not_call
    "create table if not exists phone_word (word_id text primary key, customer_id text not null, mobile_phone_token text not null, "
    "word text not null, recorded_date text not null, recorded_at text not null, employee text)",
    # sealed under the data key of the customer's client number, so that erasing the customer erases it
    "create table if not exists call_note (note_id text primary key, customer_id text not null, subject text not null, sealed text not null, "
    "written_date text not null, written_at text not null, employee text)",
    # a look-up of the call platform, sealed until a browser opens it; used once
    "create table if not exists page_ticket (ticket_hash text primary key, sealed text not null, until_seconds bigint not null)",
    "create index if not exists call_made_by_date on call_made (made_date)",
    "create index if not exists phone_word_by_date on phone_word (recorded_date)",
    "create index if not exists call_note_by_customer on call_note (customer_id, written_date)",
)


class Transaction(Protocol):
    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]: ...

    def change(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """How many rows it changed."""


class WorkStore(Protocol):
    def reading(self) -> Any:
        """A context manager that gives a Transaction for questions only."""

    def writing(self) -> Any:
        """A context manager that gives a Transaction: all of it is kept when it ends, or nothing."""

    def put(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of one statement that is kept by itself, for what need not survive a power cut and may, where a connection is lost, be kept twice."""

    def close(self) -> None: ...


def open_work(settings: Settings, environment: Mapping[str, str]) -> WorkStore:
    if conninfo := environment.get(POSTGRES_VARIABLE):
        return PostgresWork(conninfo, settings.serve_pool_size, settings.serve_timeout_seconds)
    return EmbeddedWork(settings.written)


def renew_written(work: WorkStore, renewed: Callable[[str], str]) -> int:
    """Replace every phone's token in what people wrote by what `renewed` makes of it, all at once. Returns in how many rows."""
    count = 0
    with work.writing() as transaction:
        for table, key in (("call_made", "call_id"), ("phone_word", "word_id")):
            for row in transaction.rows(f"select {key}, mobile_phone_token from {table}", {}):
                new = renewed(row["mobile_phone_token"])
                if new != row["mobile_phone_token"]:
                    change = f"update {table} set mobile_phone_token = $new where {key} = $key"
                    count += transaction.change(change, {"new": new, "key": row[key]})
    return count


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        cursor = self._connection.execute(statement, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def change(self, statement: str, parameters: Mapping[str, Any]) -> int:
        return self._connection.execute(statement, parameters).rowcount


class EmbeddedWork:
    """One SQLite file in WAL mode, for all processes of one machine; a connection a thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file, self._local = folder / "work.sqlite", threading.local()
        self._all: list[sqlite3.Connection] = []
        with self.writing() as transaction:
            for statement in SCHEMA:
                transaction.change(statement, {})

    def _connection(self) -> sqlite3.Connection:
        if (found := getattr(self._local, "connection", None)) is None:
            found = open_sqlite(self._file, "wal", BUSY_SECONDS, secure_delete="on")
            self._local.connection = found
            self._all.append(found)
        return found

    @contextmanager
    def reading(self) -> Iterator[_SqliteTransaction]:
        with self._transaction("begin deferred") as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[_SqliteTransaction]:
        with self._transaction("pragma synchronous=full", "begin immediate") as transaction:
            yield transaction

    def put(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._transaction("pragma synchronous=normal", "begin immediate") as transaction:
            return transaction.rows(statement, parameters)

    @contextmanager
    def _transaction(self, *statements: str) -> Iterator[_SqliteTransaction]:
        """A transaction that the statements begin; it is kept when this ends, or undone."""
        try:
            connection = self._connection()
            for statement in statements:
                connection.execute(statement)
            try:
                yield _SqliteTransaction(connection)
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise NotAvailable(f"what people write cannot be read or kept: {type(error).__name__}") from None

    def close(self) -> None:
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._local = threading.local()


class _PostgresTransaction:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._connection.execute(for_psycopg(statement), parameters).fetchall()

    def change(self, statement: str, parameters: Mapping[str, Any]) -> int:
        return self._connection.execute(for_psycopg(statement), parameters).rowcount


class PostgresWork:
    """Schema `c360_work`, made at the first use. Serialised by row locks and primary keys, at READ COMMITTED."""

    def __init__(self, conninfo: str, pool_size: int, timeout_seconds: int) -> None:
        self._pool = open_pool(conninfo, "c360_work", pool_size, timeout_seconds, synchronous_commit="off")
        self._is_made, self._lock = False, threading.Lock()

    def _make(self) -> None:
        with self._lock:
            if not self._is_made:
                # Two processes may start at once; the lock ends with the transaction.
                with self._begun("begin; select pg_advisory_xact_lock(hashtext('c360_work'))") as connection:
                    connection.execute("create schema if not exists c360_work")
                    for statement in SCHEMA:
                        connection.execute(statement)
                self._is_made = True

    @contextmanager
    def _begun(self, statements: str) -> Iterator[Any]:
        """A connection in a transaction that is kept when this ends, or undone."""
        connection, _ = begun(self._pool, statements)
        try:
            yield connection
            connection.commit()
        finally:
            give_back(self._pool, connection)

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """The schema is there. Raises NotAvailable when the server is not."""
        import psycopg
        from psycopg_pool import PoolTimeout, TooManyRequests

        try:
            if not self._is_made:
                self._make()
            yield
        except (PoolTimeout, TooManyRequests, psycopg.OperationalError) as error:
            raise NotAvailable(f"what people write cannot be read or kept: {type(error).__name__}") from None

    @contextmanager
    def writing(self) -> Iterator[_PostgresTransaction]:
        with self._ready(), self._begun("begin; set local synchronous_commit = on") as connection:
            yield _PostgresTransaction(connection)

    @contextmanager
    def reading(self) -> Iterator[_PostgresTransaction]:
        with self._ready(), self._begun("begin read only") as connection:
            yield _PostgresTransaction(connection)

    def put(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._ready():
            connection, cursor = begun(self._pool, for_psycopg(statement), parameters)
            try:
                return cursor.fetchall()
            finally:
                give_back(self._pool, connection)

    def close(self) -> None:
        self._pool.close(timeout=5)
