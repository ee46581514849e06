"""GB18030 text with `|` between the fields.

Line 1 is `#H|<feed>|<yyyymmdd>`, line 2 the column names, then the rows, and the last line is `#T|<row count>`. There
is no quoting, an empty field is null, and every line ends with a newline. The byte of `|` can be the second byte of a
Chinese character, so a line is decoded before it is split; the newline never is, so a file may be cut there.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from spark_jobs.formats.common import (
    BATCH_ROWS,
    NOT_GB18030,
    SLICE_BYTES,
    WRONG_FIELD_COUNT,
    FileFacts,
    FileSource,
    Slice,
    assemble,
    check_names,
    fault,
    read_exactly,
    unfinished_bytes,
)

CHUNK_BYTES = 8 * 1024 * 1024
LONGEST_LINE = 1024 * 1024

_HEADER = re.compile(rb"#H\|([^|]+)\|(\d{8})\n")
_TRAILER = re.compile(rb"#T\|(\d{1,18})\n")


@dataclass(frozen=True)
class _Head:
    columns: tuple[str, ...]
    feed: str
    stated_date: str
    data_start: int


def _read_head(path: str) -> _Head:
    with open(path, "rb") as file:
        first, second = file.readline(LONGEST_LINE), file.readline(LONGEST_LINE)
    if not first:
        raise fault("C360-211", path, "the file is empty: header line #H|feed|date expected", "byte 0")
    if first.endswith(b"\r\n") or second.endswith(b"\r\n"):
        raise fault("C360-216", path, "lines end with CR LF; a line feed alone is expected", "line 1")
    header = _HEADER.fullmatch(first)
    if header is None:
        raise fault("C360-211", path, "the header line is not #H|feed|yyyymmdd", "line 1")
    if not second.endswith(b"\n"):
        raise fault("C360-212", path, "the line of column names is missing or cut", "line 2")
    try:
        feed, columns = header[1].decode("gb18030"), tuple(second[:-1].decode("gb18030").split("|"))
    except UnicodeDecodeError as error:
        raise fault("C360-212", path, "the feed or a column name is not GB18030", "line 1 or 2") from error
    check_names(columns, "C360-212", path)
    return _Head(columns, feed, header[2].decode("ascii"), len(first) + len(second))


def read_columns(path: str) -> tuple[str, ...]:
    return _read_head(path).columns


def inspect(path: str) -> FileFacts:
    """Header, trailer and the number of lines; no row is decoded."""
    return _scan(path, SLICE_BYTES)[0]


def slices(path: str, size: int = SLICE_BYTES) -> list[Slice]:
    """Byte ranges of about `size` that begin and end at a newline, each with the number of its first row."""
    return _scan(path, size)[1]


def _scan(path: str, size: int) -> tuple[FileFacts, list[Slice]]:
    head = _read_head(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        data_stop, stated_rows = _read_trailer(path, content, head.data_start)
        parts, row, start = [], 1, head.data_start
        count = max(1, -(-(data_stop - start) // size))
        step = -(-(data_stop - start) // count)
        while start < data_stop:
            # The search starts one byte early: a cut right behind a newline is good as it is.
            wanted = min(start + step, data_stop) - 1
            stop = content.find(b"\n", wanted) + 1
            parts.append(Slice(path, start, stop, row, stop - start))
            row += _count_lines(content, start, stop)
            start = stop
    rows = row - 1
    if rows != stated_rows:
        raise fault("C360-215", path, f"the trailer states {stated_rows:,} rows, the file has {rows:,}", "last line")
    facts = FileFacts(
        columns=head.columns,
        rows=rows,
        deleted_rows=0,
        file_bytes=os.path.getsize(path),
        data_start=head.data_start,
        feed=head.feed,
        stated_date=head.stated_date,
    )
    return facts, parts


def _count_lines(content: mmap.mmap, start: int, stop: int) -> int:
    return sum(
        content[begin : min(begin + CHUNK_BYTES, stop)].count(b"\n") for begin in range(start, stop, CHUNK_BYTES)
    )


def _read_trailer(path: str, content: mmap.mmap, data_start: int) -> tuple[int, int]:
    """Where the data ends, and the row count the trailer states."""
    size = len(content)
    begin = content.rfind(b"\n", 0, size - 1) + 1
    last = content[begin:size]
    trailer = _TRAILER.fullmatch(last)
    if trailer and begin >= data_start:
        return begin, int(trailer[1])
    rows = _count_lines(content, data_start, size)
    if not last.endswith(b"\n") and (unfinished := unfinished_bytes(last)):
        raise fault(
            "C360-214",
            path,
            f"the file is cut: it ends inside a GB18030 character after {rows:,} whole rows",
            f"byte {size - unfinished}",
        )
    raise fault("C360-213", path, f"the file is cut: no trailer #T|count after {rows:,} whole rows", f"byte {size}")


def decode(path: str, start: int, stop: int, columns: Sequence[str], first_row: int = 1) -> Iterator[pa.RecordBatch]:
    """Rows of the byte range [start, stop), which begins and ends at a line.

    A row that cannot be read keeps its number; its data columns are null and `_parse_error` says why.
    """
    present = _read_head(path).columns
    with open(path, "rb") as file:
        file.seek(start)
        row = first_row
        for chunk in _whole_lines(file, stop - start, path):
            table, errors = _parse(chunk, present, columns)
            done = 0
            for part in table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS):
                arrays = dict(zip(part.schema.names, part.columns, strict=True))
                numbers = np.arange(row, row + part.num_rows)
                yield assemble(columns, arrays, numbers, errors.slice(done, part.num_rows))
                row, done = row + part.num_rows, done + part.num_rows


def _whole_lines(file: BinaryIO, size: int, path: str) -> Iterator[bytes]:
    """`size` bytes in chunks that end at a newline."""
    rest = b""
    while size:
        block = read_exactly(file, min(CHUNK_BYTES, size), "C360-219", path)
        size -= len(block)
        cut = block.rfind(b"\n") + 1 if size else len(block)
        if cut:
            yield rest + block[:cut] if rest else block[:cut]
            rest = block[cut:]
        else:
            rest += block


def _parse(chunk: bytes, present: tuple[str, ...], columns: Sequence[str]) -> tuple[pa.Table, pa.Array]:
    """The rows of a chunk and a reason per row."""
    # The CSV parser takes CR as the end of a line and lets an empty line pass as a row of nulls.
    if b"\r" in chunk or b"\n\n" in chunk or chunk.startswith(b"\n"):
        return _parse_lines(chunk, present)
    try:
        utf8 = chunk if chunk.isascii() else chunk.decode("gb18030").encode("utf-8")
    except UnicodeError:
        return _parse_lines(chunk, present)
    # It also drops a byte-order mark at the front, which here is the first character of a value.
    if utf8.startswith(b"\xef\xbb\xbf"):
        return _parse_lines(chunk, present)
    wrong: list[int] = []

    def note_wrong_width(row: pacsv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        return "skip"

    wanted = [name for name in present if name in set(columns)] or [present[0]]
    table = pacsv.read_csv(
        pa.py_buffer(utf8),
        read_options=pacsv.ReadOptions(use_threads=False, column_names=present, block_size=len(utf8) + 1),
        parse_options=pacsv.ParseOptions(
            delimiter="|",
            quote_char=False,
            double_quote=False,
            escape_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=note_wrong_width,
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(present, pa.string()),
            include_columns=wanted,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    if not wrong:
        return table, pa.nulls(table.num_rows, pa.string())
    is_wrong = np.zeros(table.num_rows + len(wrong), dtype=bool)
    is_wrong[wrong] = True
    places = np.cumsum(~is_wrong) - 1
    reasons = np.where(is_wrong, WRONG_FIELD_COUNT, None)
    return table.take(pa.array(places, mask=is_wrong)), pa.array(reasons, pa.string())


def _parse_lines(chunk: bytes, present: tuple[str, ...]) -> tuple[pa.Table, pa.Array]:
    """Line by line, for the rare chunk that the fast way cannot take."""
    empty: list[str | None] = [None] * len(present)
    rows: list[list[str | None]] = []
    errors: list[str | None] = []
    for line in chunk.removesuffix(b"\n").split(b"\n"):
        reason, cells = None, empty
        try:
            text = line.decode("gb18030")
            text.encode("utf-8")
        except UnicodeError:
            reason = NOT_GB18030
        else:
            fields = text.split("|")
            if len(fields) == len(present):
                cells = [field or None for field in fields]
            else:
                reason = WRONG_FIELD_COUNT
        rows.append(cells)
        errors.append(reason)
    arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(present)), pa.array(errors, pa.string())


class DelimitedSource(FileSource):
    """`spark.read.format("delimited")`."""

    read_columns = staticmethod(read_columns)
    slices = staticmethod(slices)

    @classmethod
    def name(cls) -> str:
        return "delimited"

    @staticmethod
    def decode(part: Slice, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return decode(part.path, part.start, part.stop, columns, part.first_row)
