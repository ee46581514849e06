"""Open-ended fund exchange files in the layout of GB/T 39595-2020.

Ten header lines (`OFDCFDAT`, version, creator, receiver, date, `001`, file type, sender, receiver, field count), a line
a field name, the record count, records of one width in bytes, and `OFDCFEND`. Widths and scales are in
`ofd_fields.yml`. Numbers carry an implied scale there, so the reader returns them with their decimal point.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from spark_jobs.errors import FileFormatError
from spark_jobs.formats.common import (
    BATCH_BYTES,
    BATCH_ROWS,
    NOT_A_NUMBER,
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
    number_column,
    read_exactly,
    record_slices,
    record_type,
    text_column,
    unfinished_bytes,
)

VERSION = "20"
DATA_MARK, INDEX_MARK, END_MARK = "OFDCFDAT", "OFDCFIDX", "OFDCFEND"
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class FieldSpec:
    """Width in bytes; type C text, A letters and digits, N number with `scale` implied decimals."""

    width: int
    type: str
    scale: int = 0


@cache
def field_specs() -> dict[str, FieldSpec]:
    """The fields of `ofd_fields.yml`."""
    import yaml

    text = Path(__file__).with_name("ofd_fields.yml").read_text(encoding="utf-8")
    return {name: FieldSpec(**spec) for name, spec in yaml.safe_load(text).items()}


@dataclass(frozen=True)
class _Head:
    columns: tuple[str, ...]
    rows: int
    file_type: str
    date: str
    data_start: int
    width: int
    line_end: bytes
    data_line: int

    @property
    def record_length(self) -> int:
        return self.width + len(self.line_end)


class _Lines:
    """Header lines of a file, one at a time, each with its number for the error."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.file, self.path, self.number, self.line_end = file, path, 0, b"\n"

    def next(self, meaning: str) -> str:
        self.number += 1
        line = self.file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise fault(
                "C360-233", self.path, f"the file is cut: {meaning} expected", f"line {self.number}, byte {self.at}"
            )
        if self.number == 1:
            self.line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        try:
            return line.removesuffix(self.line_end).decode("gb18030").strip()
        except UnicodeDecodeError as error:
            raise self.wrong("C360-231", f"{meaning} is not GB18030") from error

    def expect(self, code: str, meaning: str, wanted: str) -> None:
        if self.next(meaning) != wanted:
            raise self.wrong(code, f"{meaning} must be {wanted}")

    def next_number(self, code: str, meaning: str, digits: int) -> int:
        text = self.next(meaning)
        if len(text) != digits or not (text.isascii() and text.isdigit()):
            raise self.wrong(code, f"{meaning} must have {digits} digits")
        return int(text)

    def wrong(self, code: str, what: str) -> FileFormatError:
        return fault(code, self.path, what, f"line {self.number}")

    @property
    def at(self) -> int:
        return self.file.tell()


def _read_head(path: str) -> _Head:
    specs = field_specs()
    with open(path, "rb") as file:
        lines = _Lines(file, path)
        lines.expect("C360-231", "the first line", DATA_MARK)
        lines.expect("C360-231", "the version", VERSION)
        lines.next("the creator")
        lines.next("the receiver")
        date = f"{lines.next_number('C360-231', 'the date', 8):08d}"
        lines.expect("C360-231", "the sixth line", "001")
        file_type = lines.next("the file type")
        lines.next("the sender")
        lines.next("the receiver")
        count = lines.next_number("C360-237", "the field count", 3)
        names: list[str] = []
        for _ in range(count):
            name = lines.next("a field name")
            if name not in specs:
                if name.isdigit() and len(name) == 8:
                    raise lines.wrong("C360-237", f"{count} field names are promised, the file has {len(names)}")
                raise lines.wrong("C360-232", f"field {len(names) + 1} is not in ofd_fields.yml: its width is unknown")
            names.append(name)
        check_names(names, "C360-237", path)
        rows_text = lines.next("the record count")
        if rows_text in specs:
            raise lines.wrong("C360-237", f"{count} field names are promised, the file has more")
        if len(rows_text) != 8 or not (rows_text.isascii() and rows_text.isdigit()):
            raise lines.wrong("C360-235", "the record count must have 8 digits")
        width = sum(specs[name].width for name in names)
        return _Head(tuple(names), int(rows_text), file_type, date, lines.at, width, lines.line_end, lines.number + 1)


def read_columns(path: str) -> tuple[str, ...]:
    return _read_head(path).columns


def inspect(path: str) -> FileFacts:
    """Header, widths of all records, their count and the end mark; no value is read."""
    head = _read_head(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if not _is_regular(content, head):
            raise _diagnose(path, content, head)
        size = len(content)
    return FileFacts(
        columns=head.columns,
        rows=head.rows,
        deleted_rows=0,
        file_bytes=size,
        data_start=head.data_start,
        record_length=head.record_length,
        feed=head.file_type,
        stated_date=head.date,
    )


def _is_regular(content: mmap.mmap, head: _Head) -> bool:
    """Whether each line end is where the widths and the record count put it, and nowhere else."""
    stop = head.data_start + head.rows * head.record_length
    if content[stop : stop + 64].rstrip(b"\r\n") != END_MARK.encode() or len(content) > stop + 10:
        return False
    step = head.record_length * max(1, BATCH_BYTES // head.record_length)
    for start in range(head.data_start, stop, step):
        block = np.frombuffer(content[start : min(start + step, stop)], dtype=np.uint8)
        for place, byte in enumerate(head.line_end, start=head.width):
            if (block[place :: head.record_length] != byte).any():
                return False
        if np.count_nonzero(block == 0x0A) != len(block) // head.record_length:
            return False
    return True


def _diagnose(path: str, content: mmap.mmap, head: _Head) -> FileFormatError:
    """The first thing wrong in a file that is not regular."""
    size, rows, line, wrong_line = len(content), 0, head.data_line, None
    content.seek(head.data_start)
    while (text := content.readline()) and text.rstrip(b"\r\n") != END_MARK.encode():
        if not text.endswith(b"\n"):
            unfinished = unfinished_bytes(text)
            code, what = ("C360-234", "inside a GB18030 character") if unfinished else ("C360-233", "inside a record")
            return fault(
                code,
                path,
                f"the file is cut: it ends {what} after {rows:,} of {head.rows:,} records",
                f"line {line}, byte {size - unfinished}",
            )
        if wrong_line is None and (len(text) != head.record_length or not text.endswith(head.line_end)):
            wrong_line = (line, len(text.removesuffix(head.line_end)))
        rows += 1
        line += 1
    if not text:
        what = f"the file is cut: no {END_MARK} after {rows:,} of {head.rows:,} records"
        return fault("C360-233", path, what, f"line {line}, byte {size}")
    if wrong_line:
        what = f"a record has {wrong_line[1]} bytes, the fields need {head.width}"
        return fault("C360-236", path, what, f"line {wrong_line[0]}, record {wrong_line[0] - head.data_line + 1}")
    if rows != head.rows:
        what = f"the header states {head.rows:,} records, the file has {rows:,}"
        return fault("C360-235", path, what, f"line {head.data_line - 1}")
    return fault("C360-233", path, f"something follows {END_MARK}", f"line {line}, byte {content.tell()}")


def slices(path: str, size: int = SLICE_BYTES) -> list[Slice]:
    facts = inspect(path)
    return record_slices(path, facts.rows, facts.record_length, size)


def decode(path: str, start: int, stop: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Records of the range [start, stop), counted from 0.

    A value that cannot be read is null and its row says why in `_parse_error` (`not_gb18030`, `not_a_number`); the
    row's other columns stay, so that its key can still be read. Only the columns asked for are looked at.
    """
    head, specs = _read_head(path), field_specs()
    fields, offset, asked = [], 0, set(columns)
    for name in head.columns:
        if name in asked:
            fields.append((name, offset, specs[name].width))
        offset += specs[name].width
    layout = record_type(fields or [("", 0, 1)], head.record_length)
    step = max(1, min(BATCH_ROWS, BATCH_BYTES // head.record_length))
    with open(path, "rb") as file:
        file.seek(head.data_start + start * head.record_length)
        for first in range(start, stop, step):
            rows = min(step, stop - first)
            data = read_exactly(file, rows * head.record_length, "C360-239", path)
            records = np.frombuffer(data, dtype=layout)
            arrays, wrong = {}, []
            for name, _, _ in fields:
                cells, spec = cells_of(records, name), specs[name]
                if spec.type == "N":
                    arrays[name], mask = number_column(cells, spec.scale)
                    wrong.append((NOT_A_NUMBER, mask))
                else:
                    arrays[name], mask = text_column(cells)
                    wrong.append((NOT_GB18030, mask))
            numbers = np.arange(first + 1, first + 1 + rows)
            yield assemble(columns, arrays, numbers, error_column(rows, wrong))


def read_index(path: str) -> list[str]:
    """The file names an index file `OFI_<sender>_<receiver>_<yyyymmdd>.TXT` announces."""
    with open(path, "rb") as file:
        lines = _Lines(file, path)
        lines.expect("C360-238", "the first line", INDEX_MARK)
        lines.expect("C360-238", "the version", VERSION)
        lines.next("the creator")
        lines.next("the receiver")
        lines.next_number("C360-238", "the date", 8)
        text = lines.next("the file count")
        if not (text.isascii() and text.isdigit()):
            raise lines.wrong("C360-238", "the file count must be a number")
        names: list[str] = []
        for line in file.read().decode("gb18030", errors="replace").splitlines():
            lines.number += 1
            if line.strip() == END_MARK:
                break
            names.append(line.strip())
        else:
            raise fault("C360-233", path, f"the file is cut: no {END_MARK}", f"line {lines.number}, byte {lines.at}")
    if len(names) != int(text):
        raise lines.wrong("C360-238", f"the index states {int(text)} files and names {len(names)}")
    return names


class OfdSource(FileSource):
    """`spark.read.format("ofd")`."""

    read_columns = staticmethod(read_columns)
    slices = staticmethod(slices)

    @classmethod
    def name(cls) -> str:
        return "ofd"

    @staticmethod
    def is_data(name: str) -> bool:
        return not name.upper().startswith("OFI_")

    @staticmethod
    def decode(part: Slice, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return decode(part.path, part.start, part.stop, columns)
