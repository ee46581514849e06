"""The production store: every revision in tables of its own, and views that change over to it in one transaction.

A publication has two schemas, here called by the names of the whole one. Schema `c360_data` has the tables, `<mart>__g<generation>`: a revision that is written again gets another generation, so what is read is never
touched. Its table `generations` names those that are whole. Schema `c360` is what is read: one view a mart, `publication`, and `served` with the
revision in force. A view means what it means now, whatever state a transaction sees; so a reader takes `served` in access share mode before
its first read, and the change-over takes it in access exclusive mode before it touches a view. Whoever may read `served` may read every view.
The statements are a subset listed in `docs/postgresql.md`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from spark_jobs.config import POSTGRES_VARIABLE
from spark_jobs.errors import InfrastructureError
from spark_jobs.publish.ciphertexts import SEALED
from spark_jobs.publish.marts import MARTS, WHOLE, Publication

PUBLICATION = "publication"
SAMPLE_ROWS = 50
# A change-over waits for those who are reading, never long: whoever comes meanwhile waits behind it.
LOCK_TIMEOUT_MS, LOCK_PAUSE_SECONDS, LOCK_ATTEMPTS = 300, 0.2, 100
COPY_BYTES = 1 << 20
NULL = r"\N"

_GENERATIONS = (
    "create table if not exists generations "
    "(generation integer primary key, revision integer not null, as_of_date date not null)"
)
_TYPES = {"VARCHAR": "text", "DATE": "date", "INTEGER": "integer", "BIGINT": "bigint", "BOOLEAN": "boolean"}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_TABLE = re.compile(r"^\w+__g(\d{6})$")
_COPY_FOLDER = "copy-"


@dataclass(frozen=True)
class PostgresStore:
    """One publication in the serving database. `conninfo` may hold a password and is never printed."""

    conninfo: str = field(repr=False)
    publication: Publication = WHOLE

    @classmethod
    def of(cls, environment: Mapping[str, str], publication: Publication = WHOLE) -> PostgresStore | None:
        """The store the environment names in C360_SECRET_POSTGRES, if any."""
        conninfo = environment.get(POSTGRES_VARIABLE)
        return cls(conninfo, publication) if conninfo else None

    @property
    def _schema(self) -> str:
        """Of the views; that of the tables is `<schema>_data`."""
        return self.publication.schema

    def write_revision(self, file: Path, revision: int, ciphertexts: Path | None = None) -> None:
        """Bring a published DuckDB file in as tables nobody reads yet; what a killed run left half done goes first.

        ciphertexts: a file of `publish.ciphertexts`, which goes with it. Raises InfrastructureError C360-537 when the database fails, C360-538 when what stands in it is not what the file holds: rows,
        sums of every amount, keys, and a sample of rows.
        """
        for left in file.parent.glob(f"{_COPY_FOLDER}*"):
            shutil.rmtree(left)
        with self._connection() as connection, duckdb.connect(str(file), read_only=True) as source:
            self._create_schemas(connection)
            known = _generations(connection)
            self._forget(connection, known)
            generation = max((one.number for one in known), default=0) + 1
            _bring_in(connection, source, generation, file.parent)
            if ciphertexts:
                with duckdb.connect(str(ciphertexts), read_only=True) as more:
                    _bring_in(connection, more, generation, file.parent)
            newest = source.execute(f"select max(business_date) from {PUBLICATION}").fetchone()[0]
            connection.execute("insert into generations values (%s, %s, %s)", [generation, revision, newest])

    def point_at(self, revision: int, keep: int) -> date:
        """Serve `revision` from now on, in one transaction, and drop the oldest ones. Returns its last business date.

        Raises InfrastructureError C360-533 for a revision that is not there, C360-539 when readers do not let go: what was served stays.
        """
        with self._connection() as connection:
            self._create_schemas(connection)
            known = _generations(connection)
            newest = {one.revision: one for one in known}
            if revision not in newest:
                raise InfrastructureError(
                    "C360-533", f"revision {revision} is not kept in PostgreSQL", next_step="c360 status"
                )
            self._change_over(connection, newest[revision])
            kept = {*sorted(newest)[-keep:], revision}
            self._forget(connection, [newest[one] for one in kept])
            return newest[revision].as_of_date

    def served(self) -> int | None:
        """The revision in force; None before the first publication."""
        with self._connection() as connection:
            if not _is_served(connection, self._schema):
                return None
            return connection.execute(f"select revision from {self._schema}.served").fetchone()[0]

    def examine(self) -> str:
        """What doctor says: version and rights. Raises InfrastructureError C360-537."""
        with self._connection() as connection:
            version = connection.execute("show server_version").fetchone()[0]
            may = connection.execute("select has_database_privilege(current_database(), 'create')").fetchone()[0]
            if not may:
                raise InfrastructureError(
                    "C360-537", "the role may not create schemas in the PostgreSQL of the serving store",
                    next_step="grant create on the database to it",
                )  # fmt: skip
            return f"PostgreSQL {version}"

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            connection = psycopg.connect(self.conninfo, autocommit=True)
        except psycopg.Error as error:
            # The text of the driver may repeat host and user of the connection string.
            raise _failed(error) from None
        try:
            # Every table without a schema before its name is one of the publication's own.
            connection.execute(f"set search_path to {self._schema}_data")
            yield connection
        except psycopg.Error as error:
            raise _failed(error) from error
        finally:
            connection.close()

    def _create_schemas(self, connection: psycopg.Connection) -> None:
        for schema in (f"{self._schema}_data", self._schema):
            connection.execute(f"create schema if not exists {schema}")
        connection.execute(_GENERATIONS)

    def _change_over(self, connection: psycopg.Connection, generation: Generation) -> None:
        for attempt in range(LOCK_ATTEMPTS):
            if attempt:
                time.sleep(LOCK_PAUSE_SECONDS)
            try:
                with connection.transaction():
                    connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
                    swap(connection, self._schema, generation)
                return
            except psycopg.errors.LockNotAvailable:
                continue
        raise InfrastructureError(
            "C360-539", "readers of the PostgreSQL store did not let go of its views", kept="the revision served before",
            next_step="look for long transactions in pg_stat_activity, then run the same command again",
        )  # fmt: skip

    def _forget(self, connection: psycopg.Connection, kept: list[Generation]) -> None:
        """Drop all other generations, and tables that never became whole. What a reader still holds is dropped next time."""
        numbers = [one.number for one in kept]
        if _is_served(connection, self._schema):
            numbers.append(connection.execute(f"select generation from {self._schema}.served").fetchone()[0])
        connection.execute("delete from generations where not generation = any(%s)", [numbers])
        tables = "select tablename from pg_tables where schemaname = %s"
        names = connection.execute(tables, [f"{self._schema}_data"]).fetchall()
        for (name,) in names:
            match = _TABLE.match(name)
            if match and int(match[1]) not in numbers:
                try:
                    with connection.transaction():
                        connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
                        connection.execute(f"drop table {name}")
                except psycopg.errors.LockNotAvailable:
                    continue


@dataclass(frozen=True)
class Generation:
    """One writing of a revision."""

    number: int
    revision: int
    as_of_date: date


def _generations(connection: psycopg.Connection) -> list[Generation]:
    """Those that are whole, oldest first."""
    rows = connection.execute("select generation, revision, as_of_date from generations order by generation")
    return [Generation(*row) for row in rows.fetchall()]


def _is_served(connection: psycopg.Connection, schema: str) -> bool:
    query = "select count(*) from pg_views where schemaname = %s and viewname = 'served'"
    return bool(connection.execute(query, [schema]).fetchone()[0])


def table_of(name: str, generation: int) -> str:
    return f"{name}__g{generation:06d}"


def swap(connection: psycopg.Connection, schema: str, generation: Generation) -> None:
    """Make every view of the schema speak of `generation`, in the caller's transaction; who might read them still may."""
    readers: list[str] = []
    if _is_served(connection, schema):
        connection.execute(f"lock table {schema}.served in access exclusive mode")
        query = (
            "select grantee from information_schema.role_table_grants where table_schema = %s and table_name = 'served' "
            "and privilege_type = 'SELECT' and grantee <> grantor"
        )
        readers = [reader for (reader,) in connection.execute(query, [schema]).fetchall()]
    # What there is to read is what that generation has: a mart may have come since, or gained or lost a column, which no replaced view may.
    views = "select table_name from information_schema.views where table_schema = %s and table_name <> 'served'"
    for (name,) in connection.execute(views, [schema]).fetchall():
        connection.execute(f"drop view {schema}.{name}")
    tables = (
        "select table_name from information_schema.tables where table_schema = %s and table_name like %s order by 1"
    )
    suffix = table_of("", generation.number)
    for (table,) in connection.execute(tables, [f"{schema}_data", f"%{suffix}"]).fetchall():
        name = table.removesuffix(suffix)
        connection.execute(
            f"create view {schema}.{name} as select * from {schema}_data.{table_of(name, generation.number)}"
        )
        for reader in readers:
            whom = sql.SQL("public") if reader == "PUBLIC" else sql.Identifier(reader)
            connection.execute(sql.SQL("grant select on {} to {}").format(sql.Identifier(schema, name), whom))
    connection.execute(
        f"create or replace view {schema}.served as select cast({generation.revision} as integer) as revision, "
        f"cast('{generation.as_of_date.isoformat()}' as date) as as_of_date, cast({generation.number} as integer) as generation"
    )


def _bring_in(connection: psycopg.Connection, source: duckdb.DuckDBPyConnection, generation: int, folder: Path) -> None:
    """Every table of a file as a table of the generation."""
    for (name,) in source.execute("select table_name from duckdb_tables() order by all").fetchall():
        columns = columns_of(source, name)
        with connection.transaction():
            copy_table(connection, source, name, table_of(name, generation), columns, folder)
        _check(connection, source, name, table_of(name, generation), columns)


def copy_table(
    connection: psycopg.Connection,
    source: duckdb.DuckDBPyConnection,
    name: str,
    table: str,
    columns: dict[str, str],
    folder: Path,
) -> None:
    """Create a table and bring its rows in, then its indexes. DuckDB writes the texts, PostgreSQL reads them: no row passes Python.

    folder: where the texts may lie meanwhile; they are masked and tokenised like the file they come from.
    """
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create table {table} ({declared})")
    with tempfile.TemporaryDirectory(prefix=_COPY_FOLDER, dir=folder) as scratch:
        file = Path(scratch) / "rows.csv"
        source.execute(f"copy {name} to '{file}' (format csv, header false, nullstr '{NULL}')")
        with (
            file.open("rb") as stream,
            connection.cursor().copy(f"copy {table} from stdin (format csv, null '{NULL}')") as copy,
        ):
            while part := stream.read(COPY_BYTES):
                copy.write(part)
    if name in MARTS:
        mart = MARTS[name]
        connection.execute(f"alter table {table} add primary key ({', '.join(mart.key)})")
        for column in mart.looked_up_by:
            connection.execute(f"create index on {table} ({column})")
    elif name == SEALED:
        connection.execute(f"create index on {table} (token)")
    connection.execute(f"analyze {table}")


def columns_of(source: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Column → its type in PostgreSQL."""
    return {column: _type(kind) for column, kind, *_ in source.execute(f"describe {name}").fetchall()}


def _type(kind: str) -> str:
    if match := _DECIMAL.fullmatch(kind):
        return f"numeric({match[1]},{match[2]})"
    return _TYPES[kind]


def _check(
    connection: psycopg.Connection, source: duckdb.DuckDBPyConnection, name: str, table: str, columns: dict[str, str]
) -> None:
    """Raises InfrastructureError C360-538 naming what differs, never a value."""
    amounts = [column for column, kind in columns.items() if kind.startswith("numeric")]
    figures = ", ".join(["count(*)", *(f"sum({column})" for column in amounts)])
    there = connection.execute(f"select {figures} from {table}").fetchone()
    here = source.execute(f"select {figures} from {name}").fetchone()
    differing = [what for what, left, right in zip(["rows", *amounts], here, there, strict=True) if left != right]
    if not differing and name in MARTS:
        differing = _differing_sample(connection, source, name, table, list(columns))
    if differing:
        raise InfrastructureError(
            "C360-538", f"{name} in PostgreSQL differs from the published file in {', '.join(differing[:6])}",
            kept="the revision served before", next_step="run the same command again; if it fails again, report it",
        )  # fmt: skip


def _differing_sample(
    connection: psycopg.Connection, source: duckdb.DuckDBPyConnection, name: str, table: str, columns: list[str]
) -> list[str]:
    """Columns in which a sample of rows, the same every time, is not what the file has."""
    key = MARTS[name].key
    rows = source.execute(
        f"select {', '.join(columns)} from {name} order by hash({', '.join(key)}) limit {SAMPLE_ROWS}"
    ).fetchall()
    places = [columns.index(column) for column in key]
    where = " and ".join(f"{column} = %s" for column in key)
    found: set[str] = set()
    for row in rows:
        there = connection.execute(
            f"select {', '.join(columns)} from {table} where {where}", [row[place] for place in places]
        ).fetchone()
        pairs = zip(columns, row, there or [None] * len(row), strict=True)
        found |= {column for column, left, right in pairs if left != right}
    return [column for column in columns if column in found]


def _failed(error: psycopg.Error) -> InfrastructureError:
    state = f" ({error.sqlstate})" if error.sqlstate else ""
    return InfrastructureError(
        "C360-537", f"the PostgreSQL of the serving store failed: {type(error).__name__}{state}", kept="the revision served before",
        next_step=f"look at the database and at {POSTGRES_VARIABLE}, then run the same command again",
    )  # fmt: skip
