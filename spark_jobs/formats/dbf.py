"""dBase III tables, as exchanges and clearing houses send them.

A header of 32 bytes, a descriptor of 32 bytes a field, 0x0D, then records of one width, each behind a delete flag, and
0x1A. Values come out as the file has them, trimmed; text is GB18030. Deleted records are left out but keep their
number, so `_source_row` is the record's place in the file.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from spark_jobs.formats.common import (
    BATCH_BYTES,
    BATCH_ROWS,
    NOT_GB18030,
    SLICE_BYTES,
    FileFacts,
    FileSource,
    Slice,
    assemble,
    cells_of,
    check_names,
    error_column,
    fault,
    read_exactly,
    record_slices,
    record_type,
    text_column,
)

LIVE, DELETED, END = 0x20, 0x2A, 0x1A
FIELD_TYPES = "CNDLF"


@dataclass(frozen=True)
class _Field:
    name: str
    offset: int
    width: int


@dataclass(frozen=True)
class _Head:
    fields: tuple[_Field, ...]
    rows: int
    header_length: int
    record_length: int

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)


def _read_head(path: str) -> _Head:
    with open(path, "rb") as file:
        start = file.read(32)
        if len(start) < 32 or start[0] & 0x07 != 0x03:
            raise fault("C360-221", path, "this is not a dBase III file: its first 32 bytes are no header", "byte 0")
        rows, header_length, record_length = struct.unpack_from("<IHH", start, 4)
        rest = file.read(max(0, header_length - 32))
    if len(rest) != header_length - 32:
        raise fault(
            "C360-222",
            path,
            f"the header states a length of {header_length} bytes, the file has {32 + len(rest)}",
            "byte 8",
        )
    end = next((at for at in range(0, len(rest), 32) if rest[at] == 0x0D), None)
    if not end:
        raise fault("C360-222", path, "no 0x0D ends the field descriptors inside the header", f"byte {header_length}")
    fields = _read_fields(path, rest[:end])
    check_names([field.name for field in fields], "C360-227", path)
    width = 1 + sum(field.width for field in fields)
    if width != record_length:
        raise fault(
            "C360-223",
            path,
            f"the header states records of {record_length} bytes, the fields with the delete flag need {width}",
            "byte 10",
        )
    return _Head(fields, rows, header_length, record_length)


def _read_fields(path: str, descriptors: bytes) -> tuple[_Field, ...]:
    fields: list[_Field] = []
    offset = 1
    for at in range(0, len(descriptors), 32):
        raw_name, kind, width = descriptors[at : at + 11].split(b"\0")[0], descriptors[at + 11], descriptors[at + 16]
        place = f"field {len(fields) + 1}, byte {32 + at}"
        try:
            name = raw_name.decode("gb18030").strip()
        except UnicodeDecodeError as error:
            raise fault("C360-227", path, "a field name is not GB18030", place) from error
        if chr(kind) not in FIELD_TYPES:
            raise fault("C360-224", path, f"field type 0x{kind:02X} is none of {', '.join(FIELD_TYPES)}", place)
        if width == 0:
            raise fault("C360-223", path, "a field has no width", place)
        fields.append(_Field(name, offset, width))
        offset += width
    return tuple(fields)


def read_columns(path: str) -> tuple[str, ...]:
    return _read_head(path).columns


def inspect(path: str) -> FileFacts:
    """Header, file size and delete flags; no value is read."""
    head, size = _read_head(path), os.path.getsize(path)
    expected = head.header_length + head.rows * head.record_length
    # The end mark carries no data: a writer that omits it loses nothing.
    if size not in (expected, expected + 1) or (size > expected and _byte_at(path, expected) != END):
        raise fault(
            "C360-225",
            path,
            f"the header promises {head.header_length} + {head.rows:,} records x {head.record_length} = {expected:,} "
            f"bytes and an end mark, the file has {size:,}: {max(0, size - head.header_length) // head.record_length:,}"
            " whole records",
            f"byte {min(size, expected)}",
        )
    return FileFacts(
        columns=head.columns,
        rows=head.rows,
        deleted_rows=_count_deleted(path, head),
        file_bytes=size,
        data_start=head.header_length,
        record_length=head.record_length,
    )


def _byte_at(path: str, offset: int) -> int:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(1)[0]


def _count_deleted(path: str, head: _Head) -> int:
    if not head.rows:
        return 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # The copy lets the map close.
        flags = np.ndarray(head.rows, np.uint8, content, head.header_length, (head.record_length,)).copy()
    deleted = flags == DELETED
    unknown = ~deleted & (flags != LIVE)
    if unknown.any():
        record = int(unknown.argmax())
        raise fault(
            "C360-226",
            path,
            f"the delete flag is 0x{flags[record]:02X}, neither 0x20 nor 0x2A: the records are out of step",
            f"record {record + 1}, byte {head.header_length + record * head.record_length}",
        )
    return int(deleted.sum())


def slices(path: str, size: int = SLICE_BYTES) -> list[Slice]:
    facts = inspect(path)
    return record_slices(path, facts.rows, facts.record_length, size)


def decode(path: str, start: int, stop: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Live records of the range [start, stop), counted from 0.

    A value that is not GB18030 is null and its row says so in `_parse_error`; the row's other columns stay, so that
    its key can still be read. Only the columns asked for are looked at.
    """
    head = _read_head(path)
    wanted = [field for field in head.fields if field.name in set(columns)]
    layout = record_type([("", 0, 1), *((f.name, f.offset, f.width) for f in wanted)], head.record_length)
    step = max(1, min(BATCH_ROWS, BATCH_BYTES // head.record_length))
    with open(path, "rb") as file:
        file.seek(head.header_length + start * head.record_length)
        for first in range(start, stop, step):
            rows = min(step, stop - first)
            data = read_exactly(file, rows * head.record_length, "C360-229", path)
            records = np.frombuffer(data, dtype=layout)
            numbers = np.arange(first + 1, first + 1 + rows)
            live = np.frombuffer(data, dtype=np.uint8)[:: head.record_length] != DELETED
            if not live.all():
                records, numbers = records[live], numbers[live]
            arrays, wrong = {}, []
            for field in wanted:
                arrays[field.name], mask = text_column(cells_of(records, field.name))
                wrong.append((NOT_GB18030, mask))
            yield assemble(columns, arrays, numbers, error_column(len(numbers), wrong))


class DbfSource(FileSource):
    """`spark.read.format("dbf")`."""

    read_columns = staticmethod(read_columns)
    slices = staticmethod(slices)

    @classmethod
    def name(cls) -> str:
        return "dbf"

    @staticmethod
    def decode(part: Slice, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return decode(part.path, part.start, part.stop, columns)
