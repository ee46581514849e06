"""What the readers share: facts about a file, slices of it, fixed-width columns, and the Spark side.

A format module offers `inspect`, `slices`, `read_columns` and `decode`; `FileSource` turns these into a Spark data
source. Values leave a reader as strings: types belong to the feed contract.
"""

from __future__ import annotations

import codecs
import glob
import itertools
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as T
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from spark_jobs.errors import ConfigurationError, FileFormatError

SLICE_BYTES = 32 * 1024 * 1024
BATCH_ROWS = 65_536
BATCH_BYTES = 16 * 1024 * 1024
# A file costs about as much as this many bytes to open, so a partition of tiny files stays short.
OPEN_COST_BYTES = 64 * 1024

SOURCE_FILE, SOURCE_PATH, SOURCE_ROW, PARSE_ERROR = "_source_file", "_source_path", "_source_row", "_parse_error"
ORIGIN_FIELDS = (
    T.StructField(SOURCE_FILE, T.StringType()),
    T.StructField(SOURCE_PATH, T.StringType()),
    T.StructField(SOURCE_ROW, T.LongType()),
    T.StructField(PARSE_ERROR, T.StringType()),
)

NOT_GB18030 = "not_gb18030"
NOT_UTF8 = "not_utf8"
NOT_A_NUMBER = "not_a_number"
WRONG_FIELD_COUNT = "wrong_field_count"

BLANKS = " \0"
# Ours begin with an underscore; the other signs no Delta table and no quoted name can hold.
_NOT_A_COLUMN = re.compile(r"^_|[\s,;{}()=`\x00-\x1f\x7f]")


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself, checked against its bytes.

    `rows` counts data records, deleted ones included. `record_length` is 0 where lines vary. `feed` is the feed of a
    delimited file or the file type of an OFD file. Empty text where the format has no such statement.
    """

    columns: tuple[str, ...]
    rows: int
    deleted_rows: int
    file_bytes: int
    data_start: int
    record_length: int = 0
    feed: str = ""
    stated_date: str = ""


@dataclass(frozen=True)
class Slice:
    """A part of one file: a byte range of delimited text, or a record range [start, stop) of fixed-width records."""

    path: str
    start: int
    stop: int
    first_row: int
    size: int


def fault(code: str, path: str, what: str, place: str = "") -> FileFormatError:
    """An error that names the file and the place in it, and never a value."""
    where = ", ".join(part for part in (f"file {os.path.basename(path)}", place) if part)
    return FileFormatError(code, what, where=where, next_step="Ask the sender for the file again, then load the day.")


def read_exactly(file: BinaryIO, size: int, code: str, path: str) -> bytes:
    """`size` bytes, or an error: a file that shrank after its inspection must not pass as a shorter one."""
    data = file.read(size)
    if len(data) != size:
        raise fault(code, path, f"the file became shorter while it was read: {size:,} bytes wanted, {len(data):,} left")
    return data


def unfinished_bytes(line: bytes) -> int:
    """How many bytes at the end of `line` begin a GB18030 character without finishing it."""
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    try:
        decoder.decode(line, final=False)
    except UnicodeDecodeError:
        return 0
    return len(decoder.getstate()[0])


def check_names(names: Sequence[str], code: str, path: str) -> None:
    """Column names must be present, distinct without regard to case (as in Spark), and such as a table can hold.

    The message names the place only: where the line of names is lost, a row of values stands in its stead.
    """
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name:
            raise fault(code, path, "a column has no name", f"column {position}")
        if _NOT_A_COLUMN.search(name):
            raise fault(code, path, "a column name is reserved or has a sign no table can hold", f"column {position}")
        if name.casefold() in seen:
            raise fault(code, path, "a column name is used twice", f"column {position}")
        seen.add(name.casefold())


def record_slices(path: str, rows: int, record_length: int, size: int) -> list[Slice]:
    """Equal record ranges of at most about `size` bytes each."""
    count = max(1, -(-rows * record_length // size))
    cuts = [rows * index // count for index in range(count + 1)]
    return [
        Slice(path, start, stop, start + 1, (stop - start) * record_length) for start, stop in itertools.pairwise(cuts)
    ]


def record_texts(path: str, facts: FileFacts, rows: Collection[int]) -> dict[int, str]:
    """Row number → a record as it was delivered, as text; a byte that is no character becomes an escape. Empty for a file without records in a row."""
    found: dict[int, bytes] = {}
    with open(path, "rb") as file:
        file.seek(facts.data_start)
        if facts.record_length:
            for row in rows:
                file.seek(facts.data_start + (row - 1) * facts.record_length)
                found[row] = file.read(facts.record_length)
        elif facts.data_start:
            lines = enumerate(itertools.islice(file, max(rows)), start=1)
            found = {row: line for row, line in lines if row in rows}
    return {row: raw.decode("gb18030", errors="backslashreplace").strip("\r\n") for row, raw in found.items()}


# ---- Fixed-width columns ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _even_offsets(rows: int, width: int) -> pa.Buffer:
    return pa.py_buffer(np.arange(rows + 1, dtype=np.int32) * np.int32(width))


def record_type(fields: Iterable[tuple[str, int, int]], record_length: int) -> np.dtype:
    """A structured type of raw bytes from (name, offset, width)."""
    names, offsets, widths = zip(*fields, strict=True)
    return np.dtype(
        {
            "names": list(names),
            "formats": [f"V{width}" for width in widths],
            "offsets": list(offsets),
            "itemsize": record_length,
        }
    )


def cells_of(records: np.ndarray, name: str) -> np.ndarray:
    """One field of all records as a dense (rows, width) matrix of bytes."""
    column = np.ascontiguousarray(records[name])
    return column.view(np.uint8).reshape(len(records), column.dtype.itemsize)


def text_column(cells: np.ndarray) -> tuple[pa.Array, np.ndarray | None]:
    """Trimmed strings, empty as null, and a mask of the rows that are not GB18030 (None when all are)."""
    rows, width = cells.shape
    if rows == 0:
        return pa.nulls(0, pa.string()), None
    if cells.max() >= 0x80:
        return _decoded_column(cells)
    column = pa.StringArray.from_buffers(rows, _even_offsets(rows, width), pa.py_buffer(cells))
    if (cells[:, 0] > 0x20).all() and (cells[:, -1] > 0x20).all():
        return column, None
    return _empty_as_null(pc.ascii_trim(column, BLANKS)), None


def _decoded_column(cells: np.ndarray) -> tuple[pa.Array, np.ndarray | None]:
    """Every cell in one call of the codec: a newline before each cell marks where it begins.

    0x0A, 0x20 and 0x00 are never part of a GB18030 character, so blanks may go before decoding, and a character cut
    by the end of its cell cannot borrow a byte from the next one.
    """
    rows, width = cells.shape
    marked = np.empty((rows, width + 1), dtype=np.uint8)
    marked[:, 0] = 0x0A
    marked[:, 1:] = cells
    padded = pa.StringArray.from_buffers(rows, _even_offsets(rows, width + 1), pa.py_buffer(marked))
    packed = pc.ascii_rtrim(padded, BLANKS).buffers()[2]
    try:
        utf8 = packed.to_pybytes().decode("gb18030").encode("utf-8")
    except UnicodeError:
        return _decoded_singly(cells)
    starts = np.flatnonzero(np.frombuffer(utf8, dtype=np.uint8) == 0x0A)
    if len(starts) != rows:
        return _decoded_singly(cells)
    offsets = np.append(starts, len(utf8)).astype(np.int32)
    column = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(utf8))
    return _empty_as_null(pc.ascii_ltrim(column, "\n" + BLANKS)), None


def _decoded_singly(cells: np.ndarray) -> tuple[pa.Array, np.ndarray | None]:
    wrong = np.zeros(len(cells), dtype=bool)
    values: list[str | None] = []
    for index, cell in enumerate(cells):
        try:
            text = cell.tobytes().decode("gb18030").strip(BLANKS)
            text.encode("utf-8")
        except UnicodeError:
            text, wrong[index] = "", True
        values.append(text or None)
    return pa.array(values, pa.string()), wrong if wrong.any() else None


def _empty_as_null(column: pa.Array) -> pa.Array:
    bounds = np.frombuffer(column.buffers()[1], dtype=np.int32)[: len(column) + 1]
    filled = bounds[1:] != bounds[:-1]
    return _with_validity(column, filled)


def _with_validity(column: pa.Array, valid: np.ndarray) -> pa.Array:
    if valid.all():
        return column
    if not valid.any():
        return pa.nulls(len(column), pa.string())
    _, offsets, data = column.buffers()
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(len(column), offsets, data, bits)


_ZERO, _MINUS, _DOT = ord("0"), ord("-"), ord(".")
# Stands for the zero before the decimal point, so that trimming the filling zeros stops there.
_UNITS_ZERO = ord("O")
_WHOLE_NUMBER = re.compile(rb" *(-?)(\d+)")


def number_column(cells: np.ndarray, scale: int) -> tuple[pa.Array, np.ndarray | None]:
    """Zero-filled digits with an implied scale as plain decimal text, and a mask of rows that are no number.

    "0000001234" of scale 2 is "12.34"; the first byte may be "-"; leading blanks count as filling zeros; a blank cell
    is null. The width must exceed the scale by two, which leaves room for a sign.
    """
    rows, width = cells.shape
    if rows == 0:
        return pa.nulls(0, pa.string()), None
    valid, wrong, negative = None, None, None
    if ((cells - _ZERO) > 9).any():
        cells, valid, wrong, negative = _plain_digits(cells)
    units = width - scale
    if scale:
        shown = np.empty((rows, width + 1), dtype=np.uint8)
        shown[:, :units] = cells[:, :units]
        shown[:, units] = _DOT
        shown[:, units + 1 :] = cells[:, units:]
    else:
        shown = cells.copy()
    last = shown[:, units - 1]
    last[last == _ZERO] = _UNITS_ZERO
    if negative is not None and len(negative):
        begins = (shown[negative, :units] != _ZERO).argmax(axis=1)
        shown[negative, begins - 1] = _MINUS
    column = pa.StringArray.from_buffers(rows, _even_offsets(rows, shown.shape[1]), pa.py_buffer(shown))
    trimmed = pc.ascii_ltrim(column, "0")
    data = np.frombuffer(trimmed.buffers()[2], dtype=np.uint8).copy()
    data[data == _UNITS_ZERO] = _ZERO
    column = pa.StringArray.from_buffers(rows, trimmed.buffers()[1], pa.py_buffer(data))
    return (column if valid is None else _with_validity(column, valid)), wrong


def _plain_digits(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Digits only, the rows that hold a number, the rows that hold nonsense, and the indices of negative rows."""
    digits = cells.copy()
    minus = digits[:, 0] == _MINUS
    digits[minus, 0] = _ZERO
    valid, wrong = np.ones(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    if ((digits - _ZERO) > 9).any():
        valid = ~(cells == 0x20).all(axis=1)
        digits[~valid] = _ZERO
        for index in np.flatnonzero(((digits - _ZERO) > 9).any(axis=1)):
            match = _WHOLE_NUMBER.fullmatch(cells[index].tobytes())
            number = match[2] if match else b"0"
            minus[index] = bool(match and match[1])
            wrong[index] = match is None
            digits[index] = np.frombuffer(number.rjust(cells.shape[1], b"0"), dtype=np.uint8)
        valid &= ~wrong
    return digits, valid, wrong if wrong.any() else None, np.flatnonzero(minus)


# ---- Batches ---------------------------------------------------------------------------------------------------------


def error_column(rows: int, masks: Iterable[tuple[str, np.ndarray | None]]) -> pa.Array:
    """One reason a row, null where it is fine; the first mask that names a row wins."""
    reasons: np.ndarray | None = None
    for reason, mask in masks:
        if mask is None:
            continue
        if reasons is None:
            reasons = np.full(rows, None, dtype=object)
        reasons[mask & np.equal(reasons, None)] = reason
    return pa.nulls(rows, pa.string()) if reasons is None else pa.array(reasons, pa.string())


def assemble(
    columns: Sequence[str], arrays: Mapping[str, pa.Array], row_numbers: np.ndarray, errors: pa.Array
) -> pa.RecordBatch:
    """The columns asked for (null where the file has none), then the row number and the parse error."""
    rows = len(row_numbers)
    absent = pa.nulls(rows, pa.string())
    return pa.RecordBatch.from_arrays(
        [*(arrays.get(name, absent) for name in columns), pa.array(row_numbers, pa.int64()), errors],
        names=[*columns, SOURCE_ROW, PARSE_ERROR],
    )


def gather(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join neighbouring small batches: each batch has a price of its own on its way to the JVM."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if rows and rows + batch.num_rows > BATCH_ROWS:
            yield _joined(waiting)
            waiting, rows = [], 0
        waiting.append(batch)
        rows += batch.num_rows
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0]


# ---- Spark -----------------------------------------------------------------------------------------------------------


def find_files(options: Mapping[str, str], is_data: Callable[[str], bool]) -> list[str]:
    """The files of `path` (a file, a folder or a pattern) or of `paths` (a JSON list of these), sorted by folder."""
    given = json.loads(options["paths"]) if "paths" in options else [options.get("path", "")]
    found: list[str] = []
    for path in (_local(item) for item in given):
        if os.path.isdir(path):
            names = sorted(name for name in os.listdir(path) if not name.startswith((".", "_")) and is_data(name))
            files = [os.path.join(path, name) for name in names]
            found += [file for file in files if os.path.isfile(file)]
        elif os.path.isfile(path):
            found.append(path)
        else:
            matches = [file for file in sorted(glob.glob(path)) if os.path.isfile(file)]
            if not matches:
                raise FileNotFoundError(f"no file matches {path or 'an empty path'}")
            found += [file for file in matches if is_data(os.path.basename(file))]
    return found


def _local(path: str) -> str:
    scheme, separator, rest = path.partition(":")
    if separator and scheme == "file":
        return "/" + rest.lstrip("/")
    if "://" in path:
        raise ConfigurationError("C360-120", f"files of scheme {scheme} cannot be read: give a path every worker sees")
    return path


@dataclass
class Slices(InputPartition):
    """Slices of one or many files that one task reads."""

    slices: list[Slice]


def group_slices(slices: Iterable[Slice], size: int = SLICE_BYTES) -> list[Slices]:
    """Fill partitions in order, so that many small files make few tasks."""
    groups: list[Slices] = []
    room = 0
    for part in slices:
        cost = part.size + OPEN_COST_BYTES
        if not groups or cost > room:
            groups.append(Slices([]))
            room = size + OPEN_COST_BYTES
        groups[-1].slices.append(part)
        room -= cost
    return groups


class FileSource(DataSource):
    """A Spark data source over one format module.

    Without a schema: all data columns as strings in file order (over many files, the union in order of appearance),
    then the origin columns. With `.schema(...)`: exactly its columns; one the files lack is null.
    """

    read_columns: ClassVar[Callable[[str], tuple[str, ...]]]
    slices: ClassVar[Callable[[str, int], list[Slice]]]
    decode: ClassVar[Callable[[Slice, Sequence[str]], Iterator[pa.RecordBatch]]]

    @staticmethod
    def is_data(name: str) -> bool:
        """Whether a file found in a folder holds data, as opposed to an index of others."""
        return True

    def schema(self) -> T.StructType:
        columns: dict[str, None] = {}
        for path in find_files(self.options, self.is_data):
            columns.update(dict.fromkeys(self.read_columns(path)))
        return T.StructType([*(T.StructField(name, T.StringType()) for name in columns), *ORIGIN_FIELDS])

    def reader(self, schema: T.StructType) -> FileReader:
        return FileReader(type(self), dict(self.options.items()), schema)


class FileReader(DataSourceReader):
    def __init__(self, source: type[FileSource], options: dict[str, str], schema: T.StructType) -> None:
        wrong = [
            field.name
            for field in schema
            if field.dataType != (T.LongType() if field.name == SOURCE_ROW else T.StringType())
        ]
        if wrong:
            raise ConfigurationError(
                "C360-121", f"a file is read as text ({SOURCE_ROW} as long): {', '.join(wrong)} ask for another type"
            )
        self.source, self.options, self.names = source, options, schema.fieldNames()

    def partitions(self) -> list[Slices]:
        size = int(self.options.get("slice_bytes", SLICE_BYTES))
        files = find_files(self.options, self.source.is_data)
        return group_slices((part for path in files for part in self.source.slices(path, size)), size)

    def read(self, partition: Slices | None) -> Iterator[pa.RecordBatch]:
        # Spark reads a source without partitions as one partition of None.
        return gather(self._batches(partition.slices if partition else []))

    def _batches(self, slices: list[Slice]) -> Iterator[pa.RecordBatch]:
        columns = [name for name in self.names if not name.startswith("_source_") and name != PARSE_ERROR]
        for part in slices:
            constants = {SOURCE_FILE: os.path.basename(part.path), SOURCE_PATH: part.path}
            for batch in self.source.decode(part, columns):
                arrays = [
                    pa.repeat(pa.scalar(constants[name]), batch.num_rows) if name in constants else batch.column(name)
                    for name in self.names
                ]
                yield pa.RecordBatch.from_arrays(arrays, names=self.names)
