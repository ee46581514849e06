"""`c360 restate --date D --dry-run`: what the correction that lies in landing would change, before anything is applied.

The load is done in a copy of the home below its scratch folder, and the two published files are compared. Data files of Delta and delivered
files are never written again, so they are linked; all else is copied. Nothing of the home itself changes, and PostgreSQL is not touched.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.jobs.ask import show
from spark_jobs.jobs.load import load
from spark_jobs.jobs.start import start_run
from spark_jobs.jobs.status import local_lake
from spark_jobs.lock import writer_lock
from spark_jobs.publish.compare import compare
from spark_jobs.publish.duckdb_store import in_force

COPY = "restate"
SHOWN = 20


def rehearse(settings: Settings, day: date, console: Console) -> dict[str, Any]:
    """The customers, employees and ranks that loading `day` would change, with the revision in force and what the load held back.

    Raises ConfigurationError C360-106 when nothing was delivered for the day; InfrastructureError C360-534 before the first publication, C360-535
    for a lake on another file system. What is in force stays.
    """
    if day not in delivered_days(settings.landing):
        raise ConfigurationError(
            "C360-106",
            "there is nothing to restate",
            where=f"{day} in landing",
            next_step="deliver the correction first",
        )
    before = in_force(settings.published)
    with _copied(settings) as copy, start_run(copy, f"rehearse {day}", console) as run:
        # To its own file alone.
        outcome = load(run, [day], environment={})
        after = in_force(copy.published)
        found = compare(before.file, after.file)
    held = [
        {"feed": record.feed, "business_date": record.business_date.isoformat(), "status": record.status, "code": record.code}
        for record in outcome.records
        if record.code
    ]  # fmt: skip
    stopped = sorted({*outcome.blocked, *(hold.business_date for hold in outcome.unreconciled)})
    return {
        "business_date": day.isoformat(), "revision": before.revision, "would_publish": [one.isoformat() for one in outcome.published],
        "held": held, "stopped": [one.isoformat() for one in stopped], **found,
    }  # fmt: skip


@contextmanager
def _copied(settings: Settings) -> Iterator[Settings]:
    """Settings of a copy of the home, which is gone afterwards. Nobody writes the home while it is copied."""
    copy, lake = settings.work / COPY, Path(local_lake(settings))
    try:
        with writer_lock(settings.work, "copy for a rehearsal"):
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir(mode=0o700, parents=True)
            shutil.copytree(lake, copy / "lake", copy_function=link_data)
            shutil.copytree(settings.landing, copy / "landing", copy_function=_link)
            shutil.copytree(settings.vault, copy / "vault")
            _copy_published(settings.published, copy / "published")
        yield settings.model_copy(update={"home": copy, "lake_root": str((copy / "lake").resolve())})
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _copy_published(published: Path, to: Path) -> None:
    """The pointer and what is in force; older files are no part of a comparison."""
    now = in_force(published)
    (to / "revisions").mkdir(parents=True)
    shutil.copy2(published / "current.json", to / "current.json")
    for file in now.file.parent.glob(f"{now.file.stem}.*"):
        shutil.copy2(file, to / "revisions" / file.name)


def link_data(source: str, target: str) -> None:
    """Delta never writes a data file again; of its log it replaces the pointer to the last checkpoint in place."""
    if source.endswith(".parquet") and "_delta_log" not in source:
        _link(source, target)
    else:
        shutil.copy2(source, target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copy2(source, target)


def show_rehearsal(found: dict[str, Any], console: Console) -> None:
    console.print(
        f"{found['business_date']}: {len(found['customers']):,} customers, {len(found['employees']):,} employees' months and "
        f"{len(found['ranks']):,} ranks would change against revision {found['revision']}; nothing was applied",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for what in ("held", "customers", "employees", "ranks"):
        rows = [
            {name: ", ".join(value) if isinstance(value, list) else value for name, value in row.items()}
            for row in found[what][:SHOWN]
        ]
        if rows:
            console.print(f"\n{what}" + (f", the first {SHOWN}" if len(found[what]) > SHOWN else ""), markup=False)
            show(rows, console)
    if found["stopped"]:
        console.print(f"\nnot published in the rehearsal: {', '.join(found['stopped'])}; see c360 load", markup=False)
