"""Parquet read as text: types, row numbers, text that is not UTF-8, and damage behind a sound footer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_jobs.errors import FileFormatError
from spark_jobs.formats import parquet
from tests.format_builders import rows_of


def write(path: Path, **columns: pa.Array) -> str:
    pq.write_table(pa.table(columns), path, row_group_size=2, compression="none")
    return str(path)


def read(path: str, *columns: str) -> list[dict]:
    return [
        row
        for part in parquet.slices(path)
        for row in rows_of(parquet.decode(path, part.start, part.stop, columns, part.first_row))
    ]


def fault_of(path: str) -> FileFormatError:
    with pytest.raises(FileFormatError) as caught:
        parquet.inspect(path)
    return caught.value


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([Decimal("12.3400")], pa.decimal128(18, 4)), "12.3400"),
        (pa.array([Decimal("0.00000012")], pa.decimal128(18, 8)), "0.00000012"),
        (pa.array([dt.date(2026, 1, 5)]), "2026-01-05"),
        (pa.array([True]), "true"),
        (pa.array([7], pa.int32()), "7"),
        (pa.array(["张"]).dictionary_encode(), "张"),
        (pa.array(["张".encode()], pa.binary()), "张"),
        (pa.array([[1, 2]]), "[1, 2]"),
        (pa.array([None], pa.int32()), None),
    ],
)
def test_every_type_is_read_as_plain_text(tmp_path, values, text):
    (row,) = read(write(tmp_path / "a.parquet", value=values), "value")
    assert (row["value"], row["_parse_error"]) == (text, None)


def test_row_numbers_go_on_over_row_groups_and_an_absent_column_is_null(tmp_path):
    path = write(tmp_path / "a.parquet", id=pa.array(["a", "b", "c", "d", "e"]))
    assert [(row["id"], row["other"], row["_source_row"]) for row in read(path, "id", "other")] == [
        ("a", None, 1), ("b", None, 2), ("c", None, 3), ("d", None, 4), ("e", None, 5),
    ]  # fmt: skip
    assert (parquet.inspect(path).rows, parquet.inspect(path).columns) == (5, ("id",))


def test_text_that_is_not_utf8_is_null_and_its_row_says_so(tmp_path):
    path = write(tmp_path / "a.parquet", id=pa.array(["1", "2"]), name=pa.array([b"\xd5\xc5", b"ok"], pa.binary()))
    assert [(row["id"], row["name"], row["_parse_error"]) for row in read(path, "id", "name")] == [
        ("1", None, "not_utf8"),
        ("2", "ok", None),
    ]


def test_a_damaged_page_behind_a_sound_footer_stops_the_file(tmp_path):
    path = tmp_path / "a.parquet"
    write(path, id=pa.array(["a" * 40, "b" * 40]))
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(40) + content[44:])
    assert pq.read_metadata(path).num_rows == 2
    assert fault_of(str(path)).code == "C360-241"


@pytest.mark.parametrize("name", ["_source_row", "two words", "a;b", ""])
def test_a_name_no_table_can_hold_stops_the_file_without_being_told(tmp_path, name):
    error = fault_of(write(tmp_path / "a.parquet", **{"id": pa.array(["1"]), name: pa.array(["1"])}))
    assert (error.code, error.where) == ("C360-242", "file a.parquet, column 2")
    assert not name or name not in str(error)
