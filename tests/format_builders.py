"""Small files in the formats the readers know, written byte by byte and independently of the readers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa


def rows_of(batches) -> list[dict]:
    """All rows of a reader as dictionaries."""
    return [row for batch in batches for row in pa.Table.from_batches([batch]).to_pylist()]


def write_delimited(
    path: Path,
    columns: Sequence[str],
    lines: Sequence[str | bytes],
    *,
    stated_rows: int | None = None,
    header: bytes = b"#H|fund__trades|20260105\n",
) -> str:
    """Each line is text, or bytes where the line must not be valid GB18030."""
    body = b"".join((line if isinstance(line, bytes) else line.encode("gb18030")) + b"\n" for line in lines)
    names = "|".join(columns).encode("gb18030") + b"\n"
    count = len(lines) if stated_rows is None else stated_rows
    path.write_bytes(header + names + body + f"#T|{count}\n".encode())
    return str(path)


def write_dbf(
    path: Path,
    fields: Sequence[tuple[str, str, int]],
    records: Sequence[Sequence[str | bytes]],
    *,
    deleted: frozenset[int] = frozenset(),
    end: bytes = b"\x1a",
) -> str:
    """Fields are (name, type, width); `deleted` holds record positions counted from 0. N and F are right-aligned."""
    header_length, record_length = 32 + 32 * len(fields) + 1, 1 + sum(width for _, _, width in fields)
    content = struct.pack("<B3BIHH20x", 3, 126, 1, 5, len(records), header_length, record_length)
    for name, kind, width in fields:
        content += struct.pack("<11sc4xBB14x", name.encode("gb18030"), kind.encode(), width, 0)
    content += b"\r"
    for position, record in enumerate(records):
        content += b"*" if position in deleted else b" "
        for (_, kind, width), value in zip(fields, record, strict=True):
            raw = value if isinstance(value, bytes) else value.encode("gb18030")
            content += raw.rjust(width) if kind in "NF" else raw.ljust(width)
    path.write_bytes(content + end)
    return str(path)


def write_ofd(
    path: Path,
    names: Sequence[str],
    records: Sequence[bytes],
    *,
    field_count: str | None = None,
    record_count: str | None = None,
    version: str = "20",
    line_end: bytes = b"\n",
    end: bytes = b"OFDCFEND\n",
) -> str:
    """Records are given as the exact bytes of their lines."""
    head = ["OFDCFDAT", version, "98", "378", "20260105", "001", "04", "98", "378"]
    head += [field_count or f"{len(names):03d}", *names, record_count or f"{len(records):08d}"]
    lines = [*(line.encode("ascii") for line in head), *records]
    path.write_bytes(b"".join(line + line_end for line in lines) + end.replace(b"\n", line_end))
    return str(path)
