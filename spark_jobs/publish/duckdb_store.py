"""The embedded store: one DuckDB file a revision of a publication, and a pointer that is replaced in one step.

`published/revisions/<revision>.duckdb` holds every published day of every mart in its newest revision; `published/current.json` names
the file in force. The statements that built a revision lie beside its file (`publish.lineage`). A reader that has a file open keeps reading it; the newest `revisions_kept` files stay for rollback.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from spark_jobs.errors import InfrastructureError
from spark_jobs.files import replace_file
from spark_jobs.publish.bonus import BonusTable, create_bonus_table
from spark_jobs.publish.comparison import create_comparison
from spark_jobs.publish.marts import COCKPIT, MARTS, WHOLE, Mart, Publication
from spark_jobs.publish.outcomes import create_outcomes
from spark_jobs.publish.periods import PAY_PUBLICATION, create_periods
from spark_jobs.publish.tag_flags import create_tag_flags

# Of the last published day on or before the one asked for: a day without trading has the profile of the last trading day.
_PROFILE_AT = """
    create macro profile_at(day) as table
    select * from mart_customer_profile
    where as_of_date = (select max(business_date) from publication where business_date <= cast(day as date))
"""


@dataclass(frozen=True)
class Published:
    """What the pointer names."""

    revision: int
    file: Path
    as_of_date: date


def connect_delta(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that can `delta_scan`; the extension comes from its wheel, without network."""
    connection = duckdb.connect(database)
    folder = resources.files("duckdb_extension_delta")
    found = next(iter(sorted(Path(str(folder)).rglob("delta.duckdb_extension"))), None)
    if found is None:
        raise InfrastructureError("C360-530", "DuckDB's Delta extension is not installed", next_step="make setup")
    connection.execute(f"load '{found}'")
    return connection


def check_lake(lake_root: str) -> None:
    """Raises InfrastructureError C360-532 for a lake this store cannot read, before a load has done anything."""
    if re.match(r"^(?!file:)\w+://", lake_root):
        raise InfrastructureError(
            "C360-532",
            "the embedded store needs a lake on this machine's file system",
            next_step="set C360_LAKE_ROOT to a file: path",
        )


def write_revision(
    lake_root: str, published: Path, revision: int, expected: dict[str, int], bonus: BonusTable | None = None
) -> Path:
    """Build the file of `revision` from the published marts, with what is worked out from them. A crash leaves only a `.part` file no pointer names.

    `expected`: rows this revision must hold of every mart. Rows and keys are checked inside the file. `bonus`: the firm's ratios, if it has
    a table of them. Raises C360-531.
    """

    def before(connection: duckdb.DuckDBPyConnection, root: str) -> None:
        create_periods(connection, root)
        create_bonus_table(connection, bonus or BonusTable())

    def after(connection: duckdb.DuckDBPyConnection) -> None:
        create_comparison(connection)
        create_outcomes(connection)
        create_tag_flags(connection)
        connection.execute(_PROFILE_AT)

    return _write(lake_root, published, WHOLE, revision, expected, before, after)


def write_cockpit(lake_root: str, published: Path, revision: int, expected: dict[str, int]) -> Path:
    """Build the file of a revision of the cockpit in its folder, as `write_revision` does."""
    return _write(lake_root, COCKPIT.folder(published), COCKPIT, revision, expected)


def _write(
    lake_root: str,
    published: Path,
    publication: Publication,
    revision: int,
    expected: dict[str, int],
    before: Callable[[duckdb.DuckDBPyConnection, str], None] = lambda connection, root: None,
    after: Callable[[duckdb.DuckDBPyConnection], None] = lambda connection: None,
) -> Path:
    check_lake(lake_root)
    root = lake_root.removeprefix("file://").removeprefix("file:")
    folder = published / "revisions"
    folder.mkdir(parents=True, exist_ok=True)
    part, final = folder / f"{revision:06d}.duckdb.part", folder / f"{revision:06d}.duckdb"
    part.unlink(missing_ok=True)
    connection = connect_delta(str(part))
    try:
        in_force = f"(select business_date, max(revision) as revision from delta_scan('{root}/meta/{publication.record}') group by business_date)"
        connection.execute(f"create table publication as select * from {in_force} order by business_date")
        before(connection, root)
        for mart in publication.marts.values():
            newest_of_month = (
                f"qualify as_of_date = max(as_of_date) over (partition by {mart.month})" if mart.month else ""
            )
            connection.execute(
                f"create table {mart.name} as select mart.* exclude (revision) from delta_scan('{root}/{publication.layer}/{mart.name}') as mart "
                f"inner join {_publication(mart)} as published on mart.{mart.day} = published.business_date and mart.revision = published.revision "
                f"{newest_of_month} order by {', '.join(mart.sorted_by)}"
            )
        for mart in publication.marts.values():
            _check(connection, f"{root}/{publication.layer}", mart, revision, expected[mart.name])
        after(connection)
        create_indexes(connection, publication.marts.values())
        connection.execute("checkpoint")
    finally:
        connection.close()
    os.replace(part, final)
    return final


def rewrite(file: Path, selected: Callable[[str], str], renewed: Callable[[pa.ChunkedArray], pa.Array]) -> None:
    """Make a published file anew, in place of itself in one step: who has it open keeps reading the one before.

    selected: gives what is selected of a table, by its name. renewed: the function on texts that it may call by that name.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with duckdb.connect(str(part)) as connection:
        (new,) = connection.execute("select current_database()").fetchone()
        connection.execute(f"attach '{file}' as old (read_only)")
        connection.execute(f'copy from database old to "{new}" (schema)')
        connection.create_function("renewed", renewed, ["VARCHAR"], "VARCHAR", type="arrow", null_handling="special")
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where database_name = 'old'"
        ).fetchall():
            connection.execute(f"insert into {name} select {selected(name)} from old.{name}")
        connection.execute("detach old")
        connection.execute("checkpoint")
    os.replace(part, file)


def create_indexes(connection: duckdb.DuckDBPyConnection, marts: Iterable[Mart] = MARTS.values()) -> None:
    """For the columns the marts are looked up by."""
    for mart in marts:
        for column in mart.looked_up_by:
            connection.execute(f"create index {mart.name}_by_{column} on {mart.name} ({column})")


def _publication(mart: Mart) -> str:
    """The table that says of each day which revision of the mart is in the file."""
    return PAY_PUBLICATION if mart.is_pay else "publication"


def _check(connection: duckdb.DuckDBPyConnection, layer: str, mart: Mart, revision: int, expected: int) -> None:
    """Raises InfrastructureError C360-531 when the lake or the file lacks rows of the revision, or the file has a key twice."""
    days = f"(select business_date from {_publication(mart)} where revision = {revision})"
    in_lake, in_force = connection.execute(
        f"select count(*), count(*) filter ({mart.day} in {days}) from delta_scan('{layer}/{mart.name}') where revision = {revision}"
    ).fetchone()
    in_file = connection.execute(f"select count(*) from {mart.name} where {mart.day} in {days}").fetchone()[0]
    # A month mart keeps the last day of each month only; the lake has them all.
    if in_lake != expected or (not mart.month and in_file != in_force):
        raise InfrastructureError(
            "C360-531",
            f"of revision {revision} {mart.name} has {in_lake:,} rows in the lake where {expected:,} were built, and {in_file:,} in the file "
            f"where {in_force:,} are in force",
            kept="the file published before",
        )
    doubled = connection.execute(
        f"select count(*) from (select {', '.join(mart.key)} from {mart.name} group by all having count(*) > 1)"
    ).fetchone()[0]
    if doubled:
        raise InfrastructureError(
            "C360-531",
            f"{mart.name} has {doubled:,} keys twice in the published file",
            kept="the file published before",
        )


def revision_file(published: Path, revision: int) -> Path:
    """The file of a revision. Raises InfrastructureError C360-533 when it is not kept any more."""
    file = published / "revisions" / f"{revision:06d}.duckdb"
    if not file.is_file():
        raise InfrastructureError("C360-533", f"revision {revision} is not kept any more", next_step="c360 status")
    return file


def point_at(published: Path, revision: int, keep: int) -> Published:
    """Make `revision` the one in force, in one step, and forget the oldest files. Raises InfrastructureError C360-533."""
    file = revision_file(published, revision)
    with duckdb.connect(str(file), read_only=True) as connection:
        newest = connection.execute("select max(business_date) from publication").fetchone()[0]
    _replace_json(
        published / "current.json",
        {"revision": revision, "file": f"revisions/{file.name}", "as_of_date": newest.isoformat()},
    )
    kept = sorted((published / "revisions").glob("*.duckdb"))
    for old in kept[: max(0, len(kept) - keep)]:
        if old != file:
            old.unlink()
            statements_file(published, int(old.stem)).unlink(missing_ok=True)
    return Published(revision, file, newest)


def _replace_json(path: Path, values: Mapping[str, object]) -> None:
    replace_file(path, json.dumps(values, ensure_ascii=False).encode())


def statements_file(published: Path, revision: int) -> Path:
    return published / "revisions" / f"{revision:06d}.models.json"


def keep_statements(published: Path, revision: int, statements: Mapping[str, str], candidate: str) -> None:
    """Keep the models' SQL beside the file of its revision; instead of the database they were built in it names `built`."""
    built = rf"`?{re.escape(candidate)}`?\.`?(\w+)`?"
    plain = {name: re.sub(built, r"built.\1", statement) for name, statement in statements.items()}
    _replace_json(statements_file(published, revision), plain)


def current(published: Path) -> Published | None:
    """What is published now; None before the first publication."""
    pointer = published / "current.json"
    if not pointer.is_file():
        return None
    values = json.loads(pointer.read_text(encoding="utf-8"))
    return Published(values["revision"], published / values["file"], date.fromisoformat(values["as_of_date"]))


def in_force(published: Path) -> Published:
    """What is published now. Raises InfrastructureError C360-534 before the first publication."""
    now = current(published)
    if now is None:
        raise InfrastructureError("C360-534", "nothing has been published yet", next_step="make load")
    return now


def open_published(published: Path) -> duckdb.DuckDBPyConnection:
    """The published day, read only. Raises InfrastructureError C360-534 before the first publication."""
    return duckdb.connect(str(in_force(published).file), read_only=True)


def connect_published(published: Path) -> duckdb.DuckDBPyConnection:
    """The published marts under their own names, on a connection that also reads Delta. Raises InfrastructureError C360-534."""
    file = in_force(published).file
    connection = connect_delta()
    connection.execute(f"attach '{file}' as published (read_only)")
    connection.execute("use published")
    return connection
