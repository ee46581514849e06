"""Publishing to PostgreSQL against a bare COPY of the same bytes and the same indexes: `python -m benchmarks.publish --rows 1000000`.

Profiles are invented in DuckDB with every column of the mart. The floor is one `copy … from stdin` of the text DuckDB writes for them, with
primary key and indexes; what is above it is DuckDB's writing, the checks, the other marts, which are empty here, and the change-over.
Needs a PostgreSQL: a private cluster is started from Debian's programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import psycopg

from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.invented import create_marts
from spark_jobs.publish import postgres_store
from spark_jobs.publish.dictionary import Entry
from spark_jobs.publish.marts import MARTS
from spark_jobs.publish.postgres_store import PostgresStore
from tests.postgres import cluster

DAY = date(2026, 9, 30)
PROFILE = "mart_customer_profile"
_VALUES = {
    "string": "'text ' || (i % 97)", "date": f"date '{DAY}' - cast(i % 900 as int)", "int": "cast(i % 1000 as int)", "bigint": "i",
    "boolean": "i % 3 = 0",
}  # fmt: skip
_KEYS = {
    "customer_id": "'C' || lpad(cast(i as varchar), 9, '0')",
    "as_of_date": f"date '{DAY}'",
    "mobile_phone_token": "'t' || i",
}


def build(file: Path, rows: int) -> None:
    """A published file with so many profiles; the other marts are there and empty."""

    def value_of(entry: Entry) -> str:
        return _KEYS.get(entry.column) or _VALUES.get(entry.data_type, "(i * 7919) % 100000000 / 100")

    with duckdb.connect(str(file)) as database:
        create_marts(database, {PROFILE: rows}, value_of)
        database.execute(f"create table publication as select date '{DAY}' as business_date, 1 as revision")


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def bare(conninfo: str, file: Path, text: Path) -> float:
    """Seconds of the floor: the table, one COPY of the text, primary key and indexes."""
    mart = MARTS[PROFILE]
    with duckdb.connect(str(file), read_only=True) as source:
        source.execute(f"copy {PROFILE} to '{text}' (format csv, header false, nullstr '{postgres_store.NULL}')")
        columns = postgres_store.columns_of(source, PROFILE)

    def work() -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute(f"create table bare ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
            statement = f"copy bare from stdin (format csv, null '{postgres_store.NULL}')"
            with text.open("rb") as stream, connection.cursor().copy(statement) as copy:
                while part := stream.read(postgres_store.COPY_BYTES):
                    copy.write(part)
            connection.execute(f"alter table bare add primary key ({', '.join(mart.key)})")
            for column in mart.looked_up_by:
                connection.execute(f"create index on bare ({column})")

    return timed(work)


def measure(rows: int, folder: Path) -> list[str]:
    file, text = folder / "000001.duckdb", folder / "rows.csv"
    build(file, rows)
    with cluster() as server:
        store = PostgresStore(server.conninfo)
        floor = bare(server.conninfo, file, text)
        written = timed(lambda: store.write_revision(file, 1))
        pointed = timed(lambda: store.point_at(1, keep=5))
    return [
        "# Publishing to PostgreSQL against a bare COPY",
        "",
        f"{when_and_where()}; {rows:,} profiles, {text.stat().st_size / 1e6:,.0f} MB of text, PostgreSQL without fsync on the same machine.",
        "",
        "| step | seconds | of the floor |",
        "|---|---|---|",
        f"| floor: bare COPY of the same bytes, primary key and indexes | {floor:.1f} | 1.00 |",
        f"| publishing: writing the text, COPY, primary key and indexes, statistics, checks | {written:.1f} | {written / floor:.2f} |",
        f"| change-over | {pointed:.2f} | {pointed / floor:.2f} |",
    ]


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, measure, rows=1_000_000)
