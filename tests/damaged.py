"""Damaged deliveries, and what a damaged file holds: read slowly and independently of the readers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.damage import Damage
from simulator.delivery import describe, write_manifest
from spark_jobs.formats.ofd import field_specs


@dataclass(frozen=True)
class Record:
    """Cells by delivered name, empty and unreadable ones null; `is_whole` when all of it could be read."""

    cells: dict[str, str | None]
    is_whole: bool


def deliver_damaged(
    folder: Path, file_format: str, spoil: Damage, generator: np.random.Generator, *, counts_follow: bool
) -> bytes:
    """Damage the delivered file in `folder` and let its manifest describe the bytes; the new content.

    counts_follow: the file's own count and the rows in the manifest are made to agree with what is left of the file; otherwise both
    stay as they were, so that the counts disagree too.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entry = manifest["files"][0]
    content, rows = spoil((folder / entry["name"]).read_bytes(), generator), entry["rows"]
    if counts_follow:
        content = recounted(file_format, content)
        counted = count_of(file_format, content)
        rows = rows if counted is None else counted
        manifest["control_totals"]["rows"] = str(rows)
    (folder / entry["name"]).write_bytes(content)
    manifest["files"][0] = describe(entry["name"], content, rows)
    write_manifest(folder, manifest)
    return content


def records_of(file_format: str, content: bytes) -> list[Record]:
    """The records of a file whose frame (header, trailer, footer) is sound."""
    return _RECORDS[file_format](content)


def count_of(file_format: str, content: bytes) -> int | None:
    """How many records the file holds; null when its frame is so broken that nobody can say."""
    try:
        return len(records_of(file_format, content))
    except (ValueError, LookupError, OSError, pa.ArrowException):
        return None


def recounted(file_format: str, content: bytes) -> bytes:
    """The file with its own count made to agree with its records, where it still has a count to correct."""
    return _RECOUNT.get(file_format, lambda same: same)(content)


def _text(raw: bytes) -> str:
    text = raw.decode("gb18030")
    text.encode("utf-8")
    return text


def _cells(raw: dict[str, Any], read: Callable[[str, Any], str | None]) -> Record:
    cells, is_whole = {}, True
    for name, value in raw.items():
        try:
            cells[name] = read(name, value)
        except ValueError:
            cells[name], is_whole = None, False
    return Record(cells, is_whole)


def _delimited(content: bytes) -> list[Record]:
    lines = content.split(b"\n")
    names = _text(lines[1]).split("|")
    records = []
    for line in lines[2:-2]:
        try:
            fields = _text(line).split("|")
        except UnicodeError:
            fields = []
        is_whole = len(fields) == len(names)
        records.append(Record({n: (fields[i] or None) if is_whole else None for i, n in enumerate(names)}, is_whole))
    return records


def _dbf(content: bytes) -> list[Record]:
    rows, header, length = (
        int.from_bytes(content[at : at + width], "little") for at, width in ((4, 4), (8, 2), (10, 2))
    )
    fields, at = [], 32
    while content[at] != 0x0D:
        fields.append((content[at : at + 11].split(b"\0")[0].decode("gb18030").strip(), content[at + 16]))
        at += 32
    records = []
    for start in range(header, header + rows * length, length):
        if content[start : start + 1] == b"*":
            continue
        raw, place = {}, start + 1
        for name, width in fields:
            raw[name] = content[place : place + width]
            place += width
        records.append(_cells(raw, lambda name, value: _text(value).strip(" \0") or None))
    return records


def _ofd(content: bytes) -> list[Record]:
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    count = int(lines[9])
    names = [line.decode("ascii").strip() for line in lines[10 : 10 + count]]
    records = []
    for line in lines[11 + count : 11 + count + int(lines[10 + count])]:
        raw, place = {}, 0
        for name in names:
            raw[name] = line[place : place + field_specs()[name].width]
            place += field_specs()[name].width
        records.append(_cells(raw, _ofd_value))
    return records


def _ofd_value(name: str, raw: bytes) -> str | None:
    spec = field_specs()[name]
    if spec.type != "N":
        return _text(raw).strip(" \0") or None
    if not raw.strip(b" "):
        return None
    if not re.fullmatch(rb" *-?\d+", raw):
        raise ValueError(name)
    return f"{Decimal(raw.decode().strip()).scaleb(-spec.scale):f}"


def _parquet(content: bytes) -> list[Record]:
    table = pq.read_table(io.BytesIO(content))
    kinds = {name: pa.binary() if table.schema.field(name).type == pa.string() else None for name in table.column_names}
    raw = {name: (table[name].cast(kind) if kind else table[name]).to_pylist() for name, kind in kinds.items()}
    rows = ({name: values[row] for name, values in raw.items()} for row in range(table.num_rows))
    return [_cells(row, _parquet_value) for row in rows]


def _parquet_value(name: str, value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def _recount_delimited(content: bytes) -> bytes:
    rows = content.count(b"\n") - 3
    return re.sub(rb"#T\|\d+\n\Z", b"#T|%d\n" % max(0, rows), content)


def _recount_dbf(content: bytes) -> bytes:
    header, length = (int.from_bytes(content[at : at + 2], "little") for at in (8, 10))
    if len(content) < 32 or not length:
        return content
    return content[:4] + (max(0, len(content) - header) // length).to_bytes(4, "little") + content[8:]


def _recount_ofd(content: bytes) -> bytes:
    lines = content.split(b"\n")
    place = 10 + int(lines[9]) if len(lines) > 10 and lines[9].strip().isdigit() else len(lines)
    if place < len(lines):
        end = b"\r" if lines[place].endswith(b"\r") else b""
        lines[place] = f"{max(0, len(lines) - place - 3):08d}".encode() + end
    return b"\n".join(lines)


_RECORDS = {"delimited": _delimited, "dbf": _dbf, "ofd": _ofd, "parquet": _parquet}
_RECOUNT = {"delimited": _recount_delimited, "dbf": _recount_dbf, "ofd": _recount_ofd}
