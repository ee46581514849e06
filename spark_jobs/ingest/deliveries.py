"""Deliveries: what lies in `landing/<business date>/<feed>/` and whether it is what its manifest promises.

The shadow of a feed lies in `landing/<business date>/<feed>@<mapping>/`, with files as the new counter will send them.

A manifest names files, bytes, sha256 and rows, and carries the sender's control totals. Missing is not empty: a feed without a
manifest has not been delivered. Nothing is decoded here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from spark_jobs.contracts import Contract
from spark_jobs.errors import C360Error, DeliveryError, FileFormatError
from spark_jobs.files import sha256_of
from spark_jobs.formats import dbf, delimited, ofd, parquet
from spark_jobs.formats.common import FileFacts

if TYPE_CHECKING:
    from spark_jobs.ingest.numbers import Numbers

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class DeliveredFile:
    """One file as it lies there; `rows` are the records the manifest promises."""

    path: Path
    rows: int


@dataclass(frozen=True)
class Drift:
    """How the columns of a delivery's files differ from the contract: our names of those `absent`, the files' own of those `added`."""

    absent: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True)
class Delivery:
    """One feed on one business date, checked against its manifest.

    `digest` names the content: same digest, same bytes, read the same way. `mapping`: through which it is read, with `numbers` if its counter
    has its own.
    """

    feed: str
    business_date: date
    is_opening: bool
    files: tuple[DeliveredFile, ...]
    control_totals: dict[str, Decimal]
    digest: str
    drift: Drift
    mapping: str = ""
    numbers: Numbers | None = field(default=None, compare=False, repr=False)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


def delivered_days(landing: Path) -> list[date]:
    """Business dates for which landing has a folder, in order; one that holds shadows alone is none."""
    days = []
    for folder in landing.iterdir() if landing.is_dir() else ():
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        held = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        if not held or not all("@" in name for name in held):
            days.append(day)
    return sorted(days)


def find_delivery(landing: Path, contract: Contract, day: date) -> Delivery:
    """The checked delivery of one feed and day. contract: as the feed is read on that day.

    Errors: DeliveryError C360-301 not delivered, C360-302 manifest unreadable, C360-303 manifest and file disagree, C360-305 other columns;
    FileFormatError C360-21x to 24x when a file is not what its format promises. No message holds a word of a file.
    """
    folder = landing / day.isoformat() / contract.folder
    where = f"feed {contract.feed}, business date {day}"
    retry = f"ask the sender ({contract.owner}) for the delivery, then: c360 load --date {day} --feed {contract.feed}"
    if not (folder / "manifest.json").is_file():
        raise DeliveryError(
            "C360-301", "the delivery is missing: no manifest has arrived", where=where, next_step=retry
        )
    text = (folder / "manifest.json").read_bytes()
    try:
        manifest = json.loads(text)
        files = tuple(DeliveredFile(folder / entry["name"], int(entry["rows"])) for entry in manifest["files"])
        totals = {name: _stated_total(value) for name, value in manifest["control_totals"].items()}
        claims = {entry["name"]: (int(entry["bytes"]), str(entry["sha256"])) for entry in manifest["files"]}
        is_opening = manifest.get("kind") == "opening"
        stated = (manifest.get("feed", contract.meant_feed), manifest.get("business_date", day.isoformat()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fault = f"the manifest is not readable ({type(error).__name__})"
        raise DeliveryError("C360-302", fault, where=where, next_step=retry) from None
    if stated != (contract.meant_feed, day.isoformat()):
        fault = f"the manifest speaks of {stated[0]} on {stated[1]}"
        raise DeliveryError("C360-303", fault, where=where, next_step=retry)
    if any(name != Path(name).name for name in claims):
        raise DeliveryError("C360-302", "the manifest names a file outside its folder", where=where, next_step=retry)
    for file in files:
        _check_file(file, claims[file.path.name], where, retry)
    data_files = tuple(file for file in files if file.path.match(contract.file_glob(f"{day:%Y%m%d}")))
    if not data_files:
        fault = f"no file matches {contract.file_glob(f'{day:%Y%m%d}')}"
        raise DeliveryError("C360-303", fault, where=where, next_step=retry)
    columns = [_check_format(contract, day, file, where, retry) for file in data_files]
    drift = _drift(contract, columns, where, retry)
    rows = sum(file.rows for file in data_files)
    if totals.get("rows", rows) != rows:
        fault = f"the control total is {totals['rows']:,f} rows, the files hold {rows:,}: {rows - totals['rows']:+,f}"
        raise DeliveryError("C360-303", fault, where=where, kept="nothing of this feed and day", next_step=retry)
    content = "".join(sorted(f"{name}:{sha}" for name, (_, sha) in claims.items()))
    digest = hashlib.sha256(f"{content}{contract.reading}".encode()).hexdigest()
    return Delivery(contract.feed, day, is_opening, data_files, totals, digest, drift, contract.mapping)


def _stated_total(value: object) -> Decimal:
    """A plain number: Decimal alone takes NaN too, and exponents that would print as a million digits."""
    if not _PLAIN_NUMBER.fullmatch(str(value)):
        raise ValueError("a control total is not a plain number")
    return Decimal(str(value))


def _check_file(file: DeliveredFile, claim: tuple[int, str], where: str, retry: str) -> None:
    claimed_bytes, claimed_sha = claim
    if not file.path.is_file():
        fault = f"the manifest names {file.path.name}, which has not arrived"
        raise DeliveryError("C360-303", fault, where=where, next_step=retry)
    size = file.path.stat().st_size
    if size != claimed_bytes:
        fault = f"{file.path.name} has {size:,} bytes, its manifest says {claimed_bytes:,}: {size - claimed_bytes:+,}"
        raise DeliveryError("C360-303", fault, where=where, kept="nothing of this feed and day", next_step=retry)
    if sha256_of(file.path) != claimed_sha:
        fault = f"{file.path.name} has another sha256 than its manifest says"
        raise DeliveryError("C360-303", fault, where=where, kept="nothing of this feed and day", next_step=retry)


INSPECT: dict[str, Callable[[str], FileFacts]] = {
    "delimited": delimited.inspect,
    "dbf": dbf.inspect,
    "ofd": ofd.inspect,
    "parquet": parquet.inspect,
}


def _drift(contract: Contract, files: list[tuple[str, ...]], where: str, retry: str) -> Drift:
    """What the feed's drift policy lets pass. Raises DeliveryError C360-305 for what it does not."""
    known = {column.source for column in contract.columns}
    drift = Drift(
        tuple(column.name for column in contract.columns if any(column.source not in columns for columns in files)),
        tuple(sorted({name for columns in files for name in columns} - known)),
    )
    for names, entry, fault in (
        (drift.added, "new_column", f"holds {len(drift.added)} columns the contract does not know"),
        (drift.absent, "missing_column", f"lacks the columns {', '.join(drift.absent)}"),
    ):
        if names and contract.drift.get(entry) == "stop":
            raise DeliveryError(
                "C360-305", f"the delivery {fault}", where=where, kept="nothing of this feed and day", next_step=retry
            )
    return drift


def _check_format(contract: Contract, day: date, file: DeliveredFile, where: str, retry: str) -> tuple[str, ...]:
    """The file's columns, after everything it says of itself was held against its manifest."""
    try:
        facts = INSPECT[contract.format](str(file.path))
    except FileFormatError as error:
        place = f"{where}, {error.where}" if error.where else where
        raise FileFormatError(
            error.code, error.what, where=place, kept="nothing of this feed and day", next_step=retry
        ) from None
    if facts.stated_date not in ("", f"{day:%Y%m%d}") or (
        contract.format == "delimited" and facts.feed != contract.meant_feed
    ):
        fault = f"{file.path.name} says in its header that it is another feed, or of another date"
        raise DeliveryError("C360-303", fault, where=where, kept="nothing of this feed and day", next_step=retry)
    live = facts.rows - facts.deleted_rows
    if live != file.rows:
        fault = f"{file.path.name} holds {live:,} rows, its manifest says {file.rows:,}: {live - file.rows:+,}"
        raise DeliveryError("C360-303", fault, where=where, kept="nothing of this feed and day", next_step=retry)
    missing = [column.source for column in contract.columns if column.required and column.source not in facts.columns]
    if missing:
        raise FileFormatError(
            "C360-211", f"{file.path.name} lacks the required columns {', '.join(missing)}",
            where=where, kept="nothing of this feed and day", next_step=retry,
        )  # fmt: skip
    sources = {column.source for column in contract.columns}
    taken = {name.casefold() for name in ("business_date", *contract.bronze_columns, *sources)}
    clashing = [
        str(place)
        for place, name in enumerate(facts.columns, start=1)
        if name not in sources and name.casefold() in taken
    ]
    if clashing:
        raise FileFormatError(
            "C360-217", f"{file.path.name} has names in columns {', '.join(clashing)} that bronze needs for others",
            where=where, kept="nothing of this feed and day", next_step=retry,
        )  # fmt: skip
    return facts.columns


def look_at_all(
    landing: Path, contracts: list[Contract], days: list[date]
) -> tuple[list[Delivery], dict[tuple[str, date], C360Error]]:
    """Every delivery of `contracts` × `days` that is expected: those that can be loaded, and for the others the reason."""
    found, faults = [], {}
    for day in days:
        for contract in contracts:
            if not contract.is_expected(day):
                continue
            try:
                found.append(find_delivery(landing, contract.read_by(contract.mapping_on(day)), day))
            except C360Error as error:
                faults[contract.feed, day] = error
    return found, faults
