"""Parquet read as text, like every other format.

Types belong to the feed contract, so a sender who changes the type of a column changes nothing here. Every page is decoded once
before a row counts: a footer can be whole while a page behind it is damaged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spark_jobs.formats.common import (
    BATCH_ROWS,
    NOT_UTF8,
    SLICE_BYTES,
    FileFacts,
    FileSource,
    Slice,
    assemble,
    check_names,
    error_column,
    fault,
)


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    """The file, its checksums verified where it has them; whatever the library meets in damaged bytes is C360-241."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        # The library's own message may quote what it stumbled over.
        raise fault("C360-241", path, "the file is not Parquet, or a part of it is damaged") from None


def read_columns(path: str) -> tuple[str, ...]:
    with _opened(path) as file:
        names = tuple(file.schema_arrow.names)
    check_names(names, "C360-242", path)
    return names


def inspect(path: str) -> FileFacts:
    """Column names, and the rows of all pages, which must be as many as the footer states."""
    columns = read_columns(path)
    with _opened(path) as file:
        stated, rows = file.metadata.num_rows, sum(batch.num_rows for batch in file.iter_batches(BATCH_ROWS))
    if rows != stated:
        raise fault("C360-243", path, f"the footer states {stated:,} rows, the file has {rows:,}")
    return FileFacts(columns, rows, 0, os.path.getsize(path), 0)


def slices(path: str, size: int = SLICE_BYTES) -> list[Slice]:
    """One slice a row group: the smallest part that can be read alone."""
    found, first_row = [], 1
    with _opened(path) as file:
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            found.append(Slice(path, number, number + 1, first_row, group.total_byte_size))
            first_row += group.num_rows
    return found


def decode(path: str, start: int, stop: int, columns: Sequence[str], first_row: int = 1) -> Iterator[pa.RecordBatch]:
    """Rows of the row groups [start, stop), of which the first row has the number `first_row`.

    Text that is not UTF-8 is null and its row says so in `_parse_error`; the row's other columns stay.
    """
    row = first_row
    with _opened(path) as file:
        wanted = [name for name in file.schema_arrow.names if name in set(columns)]
        for batch in file.iter_batches(BATCH_ROWS, row_groups=range(start, stop), columns=wanted):
            texts = {name: _text(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
            arrays = {name: array for name, (array, _) in texts.items()}
            errors = error_column(batch.num_rows, [(NOT_UTF8, wrong) for _, wrong in texts.values()])
            yield assemble(columns, arrays, np.arange(row, row + batch.num_rows), errors)
            row += batch.num_rows


def _text(column: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
    """A column as text, and a mask of the rows that are not UTF-8 (None when all are)."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.dictionary_decode())
    if pa.types.is_decimal(kind):
        # Arrow would write a small number as 1.2E-7.
        return _by_value(column, "{:f}".format), None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return _decoded(column.cast(pa.binary()))
    try:
        return column.cast(pa.string()), None
    except pa.ArrowNotImplementedError:
        return _by_value(column, str), None


def _by_value(column: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    return pa.array([None if value is None else text(value) for value in column.to_pylist()], pa.string())


def _decoded(column: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
    try:
        return column.cast(pa.string()), None
    except pa.ArrowInvalid:
        values, wrong = [], np.zeros(len(column), dtype=bool)
        for row, value in enumerate(column.to_pylist()):
            try:
                values.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                values.append(None)
                wrong[row] = True
        return pa.array(values, pa.string()), wrong


class ParquetSource(FileSource):
    """`spark.read.format("parquet_text")`: Spark's own `parquet` is typed, and one damaged page there ends the load."""

    read_columns = staticmethod(read_columns)
    slices = staticmethod(slices)

    @classmethod
    def name(cls) -> str:
        return "parquet_text"

    @staticmethod
    def decode(part: Slice, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return decode(part.path, part.start, part.stop, columns, part.first_row)
