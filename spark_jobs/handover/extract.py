"""`c360 handover extract`: a versioned extract of the published marts for the performance platform.

`handover/extracts/<contract>/<scope>/v<version>_r<revision>/` holds the files of one scope (a month or a day) as one revision has them, and
a manifest with control totals. A folder is whole or not there, and is never written again: another revision is another folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from spark_jobs.config import Settings
from spark_jobs.declarations import read_yaml
from spark_jobs.errors import ConfigurationError
from spark_jobs.files import sha256_of
from spark_jobs.formats.writing import write_delimited
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.publish.duckdb_store import in_force, open_published
from spark_jobs.publish.periods import as_month

LAYOUT = Path(__file__).with_name("extract.yml")
MANIFEST = "manifest.json"
BATCH_ROWS = 50_000


@dataclass(frozen=True)
class ExtractFile:
    """One file of the layout. where: which rows of `table` belong to $scope. scopes: month, day or both."""

    feed: str
    title: dict[str, str]
    file: str
    scopes: tuple[str, ...]
    table: str
    where: str
    sorted_by: tuple[str, ...]
    columns: tuple[str, ...]
    totals: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    contract: str
    version: int
    files: tuple[ExtractFile, ...]


@cache
def read_layout(path: Path = LAYOUT) -> Layout:
    """The layout as it is declared."""
    said = read_yaml(path)
    files = tuple(
        ExtractFile(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})
        for entry in said["files"]
    )
    return Layout(said["contract"], said["version"], files)


def extract(settings: Settings, scope: str) -> tuple[Path, bool]:
    """Write the extract of a month (yyyy-mm) or a day (yyyy-mm-dd) as it is published now. Returns its folder, and whether it is new.

    Raises ConfigurationError C360-198 for a scope that is not published, or an extract of this revision that is not what it was; the files
    written before stay.
    """
    layout, now = read_layout(), in_force(settings.published)
    folder = settings.handover / "extracts" / layout.contract / scope / f"v{layout.version}_r{now.revision:06d}"
    with open_published(settings.published) as connection:
        last = _last_day(connection, scope)
    if last is None:
        raise _refused(f"{scope} is not published as a month or a day", "c360 status shows the days")
    if folder.is_dir():
        if not _is_whole(folder):
            raise _refused(
                f"the extract of {scope} of revision {now.revision} is not what was written",
                f"ask who changed {folder.name}",
            )
        return folder, False
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    kind = "month" if as_month(scope) else "day"
    with open_published(settings.published) as connection:
        entries = [_write(connection, part, one, scope, last) for one in layout.files if kind in one.scopes]
    manifest = {
        "contract": layout.contract, "version": layout.version, "scope": scope, "as_of_date": last.isoformat(), "revision": now.revision,
        "files": entries,
    }  # fmt: skip
    (part / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(part, folder)
    return folder, True


def _last_day(connection: duckdb.DuckDBPyConnection, scope: str) -> date | None:
    """The last published day of the scope; None when there is none, or the scope is neither a month nor a day."""
    query = "select max(business_date) from publication where $scope in (strftime(business_date, '%Y-%m'), strftime(business_date, '%Y-%m-%d'))"
    return connection.execute(query, {"scope": scope}).fetchone()[0]


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, one: ExtractFile, scope: str, last: date
) -> dict[str, Any]:
    """One file with its control totals, which the published table states, not the file."""
    kinds = {name: kind for name, kind, *_ in connection.execute(f"describe {one.table}").fetchall()}
    if missing := [name for name in one.columns if name not in kinds]:
        raise _refused(
            f"the published {one.table} lacks {', '.join(missing)}: it was published by an earlier version", "c360 load, then extract again"
        )  # fmt: skip
    texts = (
        f"coalesce(strftime({name}, '%Y%m%d'), '')"
        if kinds[name] == "DATE"
        else f"coalesce(cast({name} as varchar), '')"
        for name in one.columns
    )
    rows = f"select {', '.join(one.columns)} from {one.table} where {one.where}"
    connection.execute(
        f"select {' || chr(124) || '.join(texts)} from ({rows}) order by {', '.join(one.sorted_by)}", {"scope": scope}
    )
    name = one.file.replace("{scope}", scope.replace("-", ""))
    entry = write_delimited(
        folder / name, one.feed, f"{last:%Y%m%d}", one.columns, _lines(connection, len(one.columns))
    )
    sums = ", ".join(f'coalesce(sum({total}), 0.00) as "sum({total})"' for total in one.totals)
    stated = plain_rows(
        connection.execute(f"select cast(count(*) as varchar) as rows, {sums} from ({rows})", {"scope": scope})
    )[0]
    return {"feed": one.feed, **entry, "control_totals": stated}


def _lines(cursor: duckdb.DuckDBPyConnection, width: int) -> Iterator[str]:
    while batch := cursor.fetchmany(BATCH_ROWS):
        for (line,) in batch:
            if line.count("|") != width - 1 or "\n" in line or "\r" in line:
                raise _refused(
                    "a value holds a | or an end of line, which the files cannot carry",
                    "correct the delivery it came with",
                )
            yield line


def _is_whole(folder: Path) -> bool:
    entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    return all(
        (folder / entry["name"]).is_file() and sha256_of(folder / entry["name"]) == entry["sha256"] for entry in entries
    )


def _refused(what: str, next_step: str) -> ConfigurationError:
    return ConfigurationError("C360-198", what, kept="the extracts written before", next_step=next_step)
