"""Delimited GB18030 text: what a row becomes, and what stops a file."""

from __future__ import annotations

import pytest

from spark_jobs.errors import FileFormatError
from spark_jobs.formats import delimited
from tests.format_builders import rows_of, write_delimited

COLUMNS = ("client_id", "client_name", "balance")


def read(path, size=delimited.SLICE_BYTES, columns=COLUMNS):
    return [
        row
        for part in delimited.slices(path, size)
        for row in rows_of(delimited.decode(path, part.start, part.stop, columns, part.first_row))
    ]


def values(rows):
    return [tuple(row[name] for name in COLUMNS) for row in rows]


def fault_of(path) -> FileFormatError:
    with pytest.raises(FileFormatError) as caught:
        delimited.inspect(path)
    assert "clients.txt" in caught.value.where
    assert "/" not in caught.value.where
    return caught.value


@pytest.fixture
def file(tmp_path):
    return tmp_path / "clients.txt"


def test_facts_state_header_and_rows(file):
    path = write_delimited(file, COLUMNS, ["1|甲|2.50", "2||"])
    facts = delimited.inspect(path)
    assert (facts.columns, facts.rows, facts.deleted_rows) == (COLUMNS, 2, 0)
    assert (facts.feed, facts.stated_date, facts.file_bytes) == ("fund__trades", "20260105", file.stat().st_size)


def test_empty_field_is_null_and_leading_zeros_and_blanks_stay(file):
    path = write_delimited(file, COLUMNS, ["000123| 甲 |", "||0.00"])
    assert values(read(path)) == [("000123", " 甲 ", None), (None, None, "0.00")]


def test_quote_and_backslash_are_ordinary_characters(file):
    path = write_delimited(file, COLUMNS, ['1|"甲|"2"', "2|乙\\|3"])
    assert values(read(path)) == [("1", '"甲', '"2"'), ("2", "乙\\", "3")]


def test_pipe_and_backslash_as_second_byte_of_a_character_do_not_split(file):
    names = [bytes([0x81, 0x7C]).decode("gb18030"), bytes([0x95, 0x5C]).decode("gb18030")]
    path = write_delimited(file, COLUMNS, [f"1|{names[0]}{names[0]}|5", f"2|{names[1]}|6"])
    assert all(b in file.read_bytes() for b in (b"\x81|\x81|", b"\x95\\"))
    assert values(read(path)) == [("1", names[0] * 2, "5"), ("2", names[1], "6")]


def test_rare_characters_of_four_bytes_are_read(file):
    path = write_delimited(file, COLUMNS, ["1|𠮷䶵|5"])
    assert len("𠮷䶵".encode("gb18030")) == 8
    assert values(read(path)) == [("1", "𠮷䶵", "5")]


@pytest.mark.parametrize("bad", ["1|甲", "1|甲|3|4", ""])
def test_row_of_wrong_width_keeps_its_number_and_loses_its_values(file, bad):
    path = write_delimited(file, COLUMNS, ["0|a|1", bad, "2|乙|3"])
    rows = read(path)
    assert values(rows) == [("0", "a", "1"), (None, None, None), ("2", "乙", "3")]
    assert [row["_source_row"] for row in rows] == [1, 2, 3]
    assert [row["_parse_error"] for row in rows] == [None, "wrong_field_count", None]


def test_line_that_is_not_gb18030_keeps_its_number_and_loses_its_values(file):
    path = write_delimited(file, COLUMNS, ["1|甲|1", b"2|\xff\xff|2", "3|乙|3", "4|丙"])
    rows = read(path)
    assert values(rows) == [("1", "甲", "1"), (None, None, None), ("3", "乙", "3"), (None, None, None)]
    assert [row["_source_row"] for row in rows] == [1, 2, 3, 4]
    assert [row["_parse_error"] for row in rows] == [None, "not_gb18030", None, "wrong_field_count"]


def test_half_a_character_at_the_end_of_a_line_does_not_swallow_the_next_line(file):
    path = write_delimited(file, COLUMNS, [b"1|x|\xb0", "2|乙|3"])
    assert [row["_parse_error"] for row in read(path)] == ["not_gb18030", None]
    assert values(read(path))[1] == ("2", "乙", "3")


def test_carriage_return_and_byte_order_mark_inside_a_value_stay(file):
    path = write_delimited(file, COLUMNS, ["\ufeff1|a\rb|1", "2|b|2"])
    assert values(read(path)) == [("\ufeff1", "a\rb", "1"), ("2", "b", "2")]
    path = write_delimited(file, COLUMNS, ["\ufeff1|a|1", "2|b|2"])
    assert values(read(path)) == [("\ufeff1", "a", "1"), ("2", "b", "2")]


def test_empty_line_is_a_null_row_where_there_is_one_column(file):
    path = write_delimited(file, ["client_id"], ["1", "", "3"])
    assert [row["client_id"] for row in read(path, columns=("client_id",))] == ["1", None, "3"]
    assert [row["_parse_error"] for row in read(path, columns=("client_id",))] == [None, None, None]


def test_any_cut_into_slices_reads_the_same_rows(file):
    lines = [f"{number}|{'甲' * (number % 7)}𠮷|{number}.00" for number in range(60)]
    lines[20], lines[41] = "short", "41|\r|1"
    path = write_delimited(file, COLUMNS, lines)
    whole = read(path)
    assert [row["_source_row"] for row in whole] == list(range(1, 61))
    for size in (1, 17, 100, 333, 10_000):
        parts = delimited.slices(path, size)
        assert (parts[0].start, parts[-1].stop) == (delimited.inspect(path).data_start, file.stat().st_size - 6)
        assert read(path, size) == whole


def test_small_chunks_read_the_same_rows(file, monkeypatch):
    path = write_delimited(file, COLUMNS, [f"{number}|{'甲' * (number % 7)}|{number}" for number in range(60)])
    whole = read(path)
    for chunk in (1, 5, 64):
        monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
        assert read(path) == whole


def test_long_chunks_become_batches_of_limited_rows(file, monkeypatch):
    monkeypatch.setattr(delimited, "BATCH_ROWS", 4)
    path = write_delimited(file, COLUMNS, [f"{number}|甲|" for number in range(9)] + ["x"])
    facts = delimited.inspect(path)
    batches = list(delimited.decode(path, facts.data_start, facts.file_bytes - 6, COLUMNS))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert [row["_source_row"] for row in rows_of(batches)] == list(range(1, 11))
    assert rows_of(batches)[-1]["_parse_error"] == "wrong_field_count"


def test_columns_come_as_asked_and_absent_ones_are_null(file):
    path = write_delimited(file, COLUMNS, ["1|甲|5", "2"])
    rows = read(path, columns=("balance", "unknown"))
    assert list(rows[0]) == ["balance", "unknown", "_source_row", "_parse_error"]
    assert [(row["balance"], row["unknown"]) for row in rows] == [("5", None), (None, None)]
    rows = read(path, columns=())
    assert [row["_parse_error"] for row in rows] == [None, "wrong_field_count"]


def test_file_without_rows_has_no_slices(file):
    path = write_delimited(file, COLUMNS, [])
    assert delimited.inspect(path).rows == 0
    assert read(path) == []


def test_trailer_mark_in_a_row_is_not_the_trailer(file):
    path = write_delimited(file, ("a", "b"), ["#T|1", "1|2"])
    assert delimited.inspect(path).rows == 2


@pytest.mark.parametrize("content", [b"", b"client_id|balance\n1|2\n", b"#H|feed|2026\na\n#T|0\n"])
def test_missing_header_line_stops_the_file(file, content):
    file.write_bytes(content)
    assert fault_of(str(file)).code == "C360-211"


@pytest.mark.parametrize(
    "names", [b"", b"a|b", b"a||b\n#T|0\n", b"a|A\n#T|0\n", b"_source_row|b\n#T|0\n", b"\xff\xff|b\n#T|0\n"]
)
def test_bad_column_line_stops_the_file(file, names):
    file.write_bytes(b"#H|feed|20260105\n" + names)
    assert fault_of(str(file)).code == "C360-212"


@pytest.mark.parametrize("row", ["1|张三|张三", "1|张 三|x", "1||张三"])
def test_a_row_of_values_where_the_names_should_be_is_not_told(file, row):
    file.write_bytes(b"#H|feed|20260105\n" + row.encode("gb18030") + b"\n#T|0\n")
    error = fault_of(str(file))
    assert (error.code, "column" in error.where, "张" in str(error)) == ("C360-212", True, False)


@pytest.mark.parametrize("cut", [1, 3, 5, 8])
def test_missing_trailer_stops_the_file(file, cut):
    path = write_delimited(file, COLUMNS, ["1|a|1", "2|b|2"])
    file.write_bytes(file.read_bytes()[:-cut])
    error = fault_of(path)
    assert error.code == "C360-213"
    assert f"byte {file.stat().st_size}" in error.where


def test_trailer_cut_at_a_line_end_counts_the_rows_left(file):
    path = write_delimited(file, COLUMNS, ["1|a|1", "2|b|2"])
    file.write_bytes(file.read_bytes().removesuffix(b"#T|2\n"))
    error = fault_of(path)
    assert (error.code, "after 2 whole rows" in error.what) == ("C360-213", True)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_cut_inside_a_character_names_its_byte(file, left):
    path = write_delimited(file, COLUMNS, ["1|a|1", "2|甲𠮷|2"])
    content = file.read_bytes()
    begin = content.index("𠮷".encode("gb18030"))
    file.write_bytes(content[: begin + left])
    error = fault_of(path)
    assert error.code == "C360-214"
    assert f"byte {begin}" in error.where
    assert "after 1 whole rows" in error.what


def test_trailer_that_disagrees_says_both_numbers(file):
    error = fault_of(write_delimited(file, COLUMNS, ["1|a|1", "2|b|2"], stated_rows=3))
    assert error.code == "C360-215"
    assert "states 3 rows" in error.what
    assert "has 2" in error.what


def test_lines_ended_by_cr_lf_stop_the_file(file):
    path = write_delimited(file, COLUMNS, ["1|a|1"])
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert fault_of(path).code == "C360-216"


def test_file_that_shrinks_after_inspection_stops_the_read(file):
    path = write_delimited(file, COLUMNS, ["1|a|1", "2|b|2"])
    parts = delimited.slices(path)
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(FileFormatError, match="C360-219"):
        rows_of(delimited.decode(path, parts[0].start, parts[0].stop, COLUMNS))
