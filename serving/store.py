"""The published marts behind one small reader, whichever store they are in.

A snapshot is one revision from the first row a request reads to the last. The statements are a subset that DuckDB and PostgreSQL share;
parameters are `$names` and always bound.
"""

from __future__ import annotations

import base64
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import duckdb

from serving.problems import NotAvailable
from spark_jobs.config import POSTGRES_VARIABLE, Settings
from spark_jobs.errors import InfrastructureError
from spark_jobs.publish.ciphertexts import SEALED
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import in_force
from spark_jobs.publish.marts import WHOLE, Publication

POOL_WAIT_SECONDS = 2
RECONNECT_SECONDS = 30
_WATCH_SECONDS = 0.2
_CLOSE_SECONDS = 5
_AS_OF = "_as_of_date"
BLOCKS = tuple(
    entry.column.removesuffix(_AS_OF)
    for entry in read_dictionary()
    if entry.mart == "mart_customer_profile" and entry.column.endswith(_AS_OF)
)
"""Business lines whose age the profile states."""

_PARAMETER = re.compile(r"\$(\w+)")
_FRESHNESS = f"""
select {", ".join(f"{block}_as_of_date" for block in BLOCKS)}, is_stale, is_partial
from {{mart}}
where as_of_date = $as_of_date
limit 1
"""


_HAS_SEALED = f"select count(*) as tables from pg_views where schemaname = '{WHOLE.schema}' and viewname = '{SEALED}'"
_SEALED = f"select subject, sealed_value from {SEALED} where token = $token and personal_class = $personal_class"


# The meaning of a view is that of the moment, whatever state a transaction sees: a swap between two of its statements would mix days. Holding
# `served` from before the first read keeps a publication, which takes it first, waiting until the last.
_BEGIN = (
    "begin transaction isolation level repeatable read read only; lock table served in access share mode; "
    "select revision, as_of_date, generation from served"
)


class Snapshot(Protocol):
    """One revision for one request. as_of_date: its last business date; writing: another one each time a revision is written or opened."""

    revision: int
    as_of_date: date
    writing: int

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows as dictionaries; parameters the statement does not name are left out."""

    def ciphertexts(self, personal_class: str, token: str) -> dict[str, bytes] | None:
        """Subject → ciphertext of a personal value; None in a store that has none of them."""


class Store(Protocol):
    def snapshot(self) -> Any:
        """A context manager that gives a Snapshot. Raises NotAvailable when there is none to read."""

    def close(self) -> None: ...


def open_store(settings: Settings, environment: Mapping[str, str], publication: Publication = WHOLE) -> Store:
    """One publication: in PostgreSQL where its connection string is given, else the published DuckDB file."""
    if conninfo := environment.get(POSTGRES_VARIABLE):
        return PostgresStore(conninfo, settings.serve_pool_size, settings.serve_timeout_seconds, publication.schema)
    return EmbeddedStore(publication.folder(settings.published), settings.serve_timeout_seconds)


def freshness(snapshot: Snapshot, mart: str) -> dict[str, Any]:
    """How old each block of the revision is, as the mart says. A feed that is late is late for every customer, so one row speaks for all."""
    found = snapshot.rows(_FRESHNESS.format(mart=mart), {"as_of_date": snapshot.as_of_date})
    row = found[0] if found else dict.fromkeys([f"{block}_as_of_date" for block in BLOCKS])
    return {
        "blocks": {block: row[f"{block}_as_of_date"] for block in BLOCKS},
        "is_stale": row.get("is_stale"),
        "is_partial": row.get("is_partial"),
    }


def _used(statement: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Only what the statement names: DuckDB refuses the others."""
    return {name: (parameters or {})[name] for name in _names(statement)}


@lru_cache(maxsize=512)
def _names(statement: str) -> frozenset[str]:
    return frozenset(_PARAMETER.findall(statement))


@dataclass
class _DuckSnapshot:
    revision: int
    as_of_date: date
    writing: int
    connection: duckdb.DuckDBPyConnection

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        try:
            cursor = self.connection.execute(statement, _used(statement, parameters))
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.InterruptException:
            raise NotAvailable("the answer took too long and was stopped", "ask for less at once") from None

    def ciphertexts(self, personal_class: str, token: str) -> None:
        """The vault lies beside the file."""


class EmbeddedStore:
    """The DuckDB file the pointer names. A request keeps the file it started with; the next one sees a new pointer."""

    def __init__(self, published: Path, timeout_seconds: float) -> None:
        self._published, self._lock = published, threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._open: tuple[int, date, int, duckdb.DuckDBPyConnection] | None = None
        self._deadlines: dict[duckdb.DuckDBPyConnection, float] = {}
        self._timeout, self._is_closed = timeout_seconds, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="deadlines")
        self._watcher.start()

    @contextmanager
    def snapshot(self) -> Iterator[_DuckSnapshot]:
        revision, as_of_date, writing, database = self._current()
        # A cursor is a connection of its own to the same file, and keeps it open after the pointer has moved on.
        with database.cursor() as connection:
            self._deadlines[connection] = time.monotonic() + self._timeout
            try:
                yield _DuckSnapshot(revision, as_of_date, writing, connection)
            finally:
                del self._deadlines[connection]

    def _watch(self) -> None:
        """Stop what takes too long, and after `close` whatever still runs: DuckDB has no limit of its own."""
        while not self._is_closed.wait(_WATCH_SECONDS):
            self._interrupt(time.monotonic())
        while self._deadlines:
            # Again and again: a connection that is between two statements does not notice.
            self._interrupt(float("inf"))
            time.sleep(_WATCH_SECONDS / 10)

    def _interrupt(self, late: float) -> None:
        for connection, deadline in list(self._deadlines.items()):
            if late > deadline:
                connection.interrupt()

    def _current(self) -> tuple[int, date, int, duckdb.DuckDBPyConnection]:
        pointer = self._published / "current.json"
        with self._lock:
            try:
                found = os.stat(pointer)
                stamp = (found.st_ino, found.st_mtime_ns)
                if self._open is None or stamp != self._stamp:
                    now = in_force(self._published)
                    database = duckdb.connect(str(now.file), read_only=True)
                    # Many short questions at once: each gains more from a core of its own than from several.
                    database.execute("set threads = 1")
                    self._open = now.revision, now.as_of_date, found.st_mtime_ns, database
                    self._stamp = stamp
            except (OSError, ValueError, KeyError, InfrastructureError, duckdb.Error):
                if self._open is None:
                    raise NotAvailable("nothing has been published yet, or it cannot be read", "c360 status") from None
            return self._open

    def close(self) -> None:
        self._is_closed.set()
        self._watcher.join(_CLOSE_SECONDS)
        with self._lock:
            if self._open:
                self._open[-1].close()
            self._open = self._stamp = None


@dataclass
class _PostgresSnapshot:
    revision: int
    as_of_date: date
    writing: int
    connection: Any

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        import psycopg

        # What a connection asks often is prepared under its text. In another generation columns may have other types, which is refused: it is another text.
        text = f"{for_psycopg(statement)} /* generation {self.writing} */"
        try:
            return self.connection.execute(text, _used(statement, parameters)).fetchall()
        except psycopg.errors.QueryCanceled:
            raise NotAvailable("the answer took too long and was stopped", "ask for less at once") from None
        except psycopg.OperationalError:
            raise NotAvailable("the store was lost while it answered") from None

    def ciphertexts(self, personal_class: str, token: str) -> dict[str, bytes] | None:
        # A revision published by an earlier version has none.
        if not self.rows(_HAS_SEALED)[0]["tables"]:
            return None
        found = self.rows(_SEALED, {"personal_class": personal_class, "token": token})
        return {row["subject"]: base64.b64decode(row["sealed_value"]) for row in found}


@lru_cache(maxsize=512)
def for_psycopg(statement: str) -> str:
    """The statement with psycopg's names for its parameters."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


def open_pool(conninfo: str, schema: str, size: int, timeout_seconds: int, **settings: str) -> Any:
    """Bounded connections to one schema, with more settings of the server if any, rows as dictionaries; `begun` takes one. The server may start before its
    store: requests say so until it is there."""
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    settings |= {"statement_timeout": f"{timeout_seconds}s", "search_path": schema}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    pool = ConnectionPool(
        conninfo,
        # Where a transaction begins and ends is said by `begun`: every trip to the server is a tenth of a look-up.
        kwargs={"options": options, "row_factory": dict_row, "connect_timeout": POOL_WAIT_SECONDS, "autocommit": True},
        min_size=1,
        max_size=size,
        timeout=POOL_WAIT_SECONDS,
        max_waiting=size * 8,
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
    )
    pool.open(wait=False)
    return pool


def begun(pool: Any, statements: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
    """A connection of the pool, and the cursor of the last of `statements`, which are sent together and may begin a transaction. With parameters it is one.

    A connection that was lost while nobody used it is left and another taken, so none is asked before whether it is still there.
    """
    import psycopg

    lost = 0
    while True:
        connection = pool.getconn()
        try:
            cursor = connection.execute(statements, parameters)
            while cursor.nextset():
                pass
            return connection, cursor
        except BaseException as error:
            lost += connection.closed
            is_worth_another = connection.closed and isinstance(error, psycopg.OperationalError)
            give_back(pool, connection)
            if not is_worth_another or lost > pool.max_size:
                raise


def give_back(pool: Any, connection: Any, is_read_only: bool = False) -> None:
    """A connection of `begun` back to its pool, which replaces one that was lost. What was not committed is undone; psycopg forgets what is prepared when it
    undoes something, so where nothing can be written it need not."""
    import psycopg

    with suppress(psycopg.OperationalError):
        (connection.commit if is_read_only else connection.rollback)()
    pool.putconn(connection)


class PostgresStore:
    """The schema of a publication: one view a mart, and `served` with the revision in force. A request is one read-only transaction that sees one state."""

    def __init__(self, conninfo: str, pool_size: int, timeout_seconds: int, schema: str = WHOLE.schema) -> None:
        self._pool = open_pool(conninfo, schema, pool_size, timeout_seconds)

    @contextmanager
    def snapshot(self) -> Iterator[_PostgresSnapshot]:
        import psycopg
        from psycopg_pool import PoolTimeout, TooManyRequests

        try:
            connection, cursor = begun(self._pool, _BEGIN)
        except (PoolTimeout, TooManyRequests):
            raise NotAvailable("the store has no free connection") from None
        except psycopg.errors.UndefinedTable:
            raise NotAvailable("nothing has been published yet", "c360 status") from None
        except psycopg.OperationalError:
            raise NotAvailable("the store cannot be reached") from None
        try:
            served = cursor.fetchone()
            if served is None:
                raise NotAvailable("nothing has been published yet", "c360 status")
            yield _PostgresSnapshot(served["revision"], served["as_of_date"], served["generation"], connection)
        finally:
            give_back(self._pool, connection, is_read_only=True)

    def close(self) -> None:
        self._pool.close(timeout=5)
