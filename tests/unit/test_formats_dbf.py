"""dBase III tables: what a record becomes, and what stops a file."""

from __future__ import annotations

import pytest

from spark_jobs.errors import FileFormatError
from spark_jobs.formats import common, dbf
from tests.format_builders import rows_of, write_dbf

FIELDS = (("MXZQDM", "C", 6), ("MXJYMC", "C", 12), ("MXCJSL", "N", 10), ("MXCJRQ", "D", 8), ("MXBZ", "L", 1))
COLUMNS = tuple(name for name, _, _ in FIELDS)


def read(path, size=dbf.SLICE_BYTES, columns=COLUMNS):
    return [row for part in dbf.slices(path, size) for row in rows_of(dbf.decode(path, part.start, part.stop, columns))]


def values(rows, columns=COLUMNS):
    return [tuple(row[name] for name in columns) for row in rows]


def record(code="000001", name="平安银行", quantity="100", date="20260105", flag="T"):
    return (code, name, quantity, date, flag)


def fault_of(path) -> FileFormatError:
    with pytest.raises(FileFormatError) as caught:
        dbf.inspect(path)
    assert "SJSMX1.DBF" in caught.value.where
    assert "/" not in caught.value.where
    return caught.value


@pytest.fixture
def file(tmp_path):
    return tmp_path / "SJSMX1.DBF"


def change(file, offset: int, content: bytes) -> str:
    old = file.read_bytes()
    file.write_bytes(old[:offset] + content + old[offset + len(content) :])
    return str(file)


def test_values_are_as_in_the_file_but_trimmed(file):
    path = write_dbf(file, FIELDS, [record(), record(" 01 ", "ST  A ", "-12.50", "", "?")])
    assert values(read(path)) == [
        ("000001", "平安银行", "100", "20260105", "T"),
        ("01", "ST  A", "-12.50", None, "?"),
    ]


def test_plain_column_is_trimmed_where_only_one_end_has_blanks(file):
    path = write_dbf(file, (("CODE", "C", 4), ("QTY", "N", 4)), [("1", "1"), ("1234", "1234")])
    assert values(read(path, columns=("CODE", "QTY")), ("CODE", "QTY")) == [("1", "1"), ("1234", "1234")]


def test_blank_and_zero_bytes_are_null(file):
    path = write_dbf(file, FIELDS, [record(name="", quantity=""), record(name=b"\0" * 12), record(name=b"A\0\0")])
    assert [row["MXJYMC"] for row in read(path)] == [None, None, "A"]
    assert read(path)[0]["MXCJSL"] is None


def test_column_blank_in_every_record_is_null(file):
    assert values(read(write_dbf(file, FIELDS, [("",) * 5] * 3))) == [(None,) * 5] * 3


def test_second_bytes_that_look_like_pipe_or_backslash_are_read(file):
    names = [bytes([0x81, 0x7C]).decode("gb18030"), bytes([0x95, 0x5C]).decode("gb18030")]
    path = write_dbf(file, FIELDS, [record(name=names[0]), record(name=names[1] * 6), record(name="abc")])
    assert [row["MXJYMC"] for row in read(path)] == [names[0], names[1] * 6, "abc"]


def test_rare_characters_of_four_bytes_are_read(file):
    path = write_dbf(file, FIELDS, [record(name="𠮷䶵𠮷"), record(name="  𠮷")])
    assert [row["MXJYMC"] for row in read(path)] == ["𠮷䶵𠮷", "𠮷"]


def test_sound_chinese_columns_are_decoded_in_one_call(file, monkeypatch):
    monkeypatch.setattr(common, "_decoded_singly", lambda cells: pytest.fail("decoded cell by cell"))
    path = write_dbf(file, FIELDS, [record(), record(name=""), record(name=" 乙")])
    assert [row["MXJYMC"] for row in read(path)] == ["平安银行", None, "乙"]


def test_newline_inside_a_chinese_column_stays(file):
    path = write_dbf(file, FIELDS, [record(name="甲\n乙"), record(name="丙")])
    assert [row["MXJYMC"] for row in read(path)] == ["甲\n乙", "丙"]


def test_field_of_any_type_may_hold_chinese_text(file):
    assert read(write_dbf(file, FIELDS, [record(date="无")]))[0]["MXCJRQ"] == "无"


def test_deleted_records_are_skipped_but_keep_their_number(file):
    path = write_dbf(file, FIELDS, [record(code=f"{n:06d}") for n in range(5)], deleted=frozenset({0, 3}))
    facts = dbf.inspect(path)
    assert (facts.rows, facts.deleted_rows) == (5, 2)
    assert [(row["_source_row"], row["MXZQDM"]) for row in read(path)] == [
        (2, "000001"),
        (3, "000002"),
        (5, "000004"),
    ]


def test_file_of_deleted_records_only_has_no_rows(file):
    assert read(write_dbf(file, FIELDS, [record()], deleted=frozenset({0}))) == []


def test_text_that_is_not_gb18030_is_null_and_the_key_stays(file):
    path = write_dbf(file, FIELDS, [record(name="甲"), record(name=b"\xb0" * 11 + b"\xff"), record(name="乙")])
    rows = read(path)
    assert [row["_parse_error"] for row in rows] == [None, "not_gb18030", None]
    assert [row["MXJYMC"] for row in rows] == ["甲", None, "乙"]
    assert [row["MXZQDM"] for row in rows] == ["000001"] * 3


def test_character_cut_by_its_field_does_not_borrow_from_the_next_record(file):
    path = write_dbf(file, (("NAME", "C", 3),), [("甲".encode("gb18030") + b"\xd2",), ("abc",)])
    rows = read(path, columns=("NAME",))
    assert [(row["NAME"], row["_parse_error"]) for row in rows] == [(None, "not_gb18030"), ("abc", None)]


def test_any_cut_into_slices_reads_the_same_rows(file, monkeypatch):
    records = [record(code=f"{n:06d}", name="甲" * (n % 7)) for n in range(40)]
    records[11] = record(name=b"\xff\xff")
    path = write_dbf(file, FIELDS, records, deleted=frozenset({7, 8, 30}))
    whole = read(path)
    assert len(whole) == 37
    for size in (1, 100, 500):
        assert read(path, size) == whole
    monkeypatch.setattr(dbf, "BATCH_ROWS", 3)
    assert read(path) == whole


def test_columns_come_as_asked_and_absent_ones_are_null(file):
    path = write_dbf(file, FIELDS, [record()])
    assert list(read(path, columns=("MXCJSL", "NEW"))[0].items())[:2] == [("MXCJSL", "100"), ("NEW", None)]
    assert [row["_source_row"] for row in read(path, columns=())] == [1]


def test_facts_state_columns_and_sizes(file):
    path = write_dbf(file, FIELDS, [record()])
    facts = dbf.inspect(path)
    assert (facts.columns, facts.record_length, facts.data_start) == (COLUMNS, 38, 193)
    assert facts.file_bytes == 193 + 38 + 1


def test_missing_end_mark_loses_no_record(file):
    assert len(read(write_dbf(file, FIELDS, [record()], end=b""))) == 1


def test_file_without_records_has_no_rows(file):
    assert read(write_dbf(file, FIELDS, [])) == []


@pytest.mark.parametrize("content", [b"", b"\x03short", b"PK\x03\x04" + b"\0" * 60])
def test_other_kinds_of_file_are_refused(file, content):
    file.write_bytes(content)
    assert fault_of(str(file)).code == "C360-221"


def test_header_longer_than_the_file_says_both(file):
    write_dbf(file, FIELDS, [])
    error = fault_of(change(file, 8, (5000).to_bytes(2, "little")))
    assert error.code == "C360-222"
    assert "5000" in error.what
    assert "194" in error.what


def test_header_without_end_of_descriptors_is_refused(file):
    write_dbf(file, FIELDS, [record()])
    assert fault_of(change(file, 192, b"\0")).code == "C360-222"


def test_record_length_that_disagrees_with_the_fields_says_both(file):
    write_dbf(file, FIELDS, [record()])
    error = fault_of(change(file, 10, (40).to_bytes(2, "little")))
    assert error.code == "C360-223"
    assert "40" in error.what
    assert "38" in error.what


def test_field_without_width_is_refused(file):
    write_dbf(file, FIELDS, [record()])
    assert fault_of(change(file, 32 + 16, b"\0")).code == "C360-223"


def test_field_type_outside_the_format_is_refused(file):
    write_dbf(file, FIELDS, [record()])
    error = fault_of(change(file, 64 + 11, b"M"))
    assert error.code == "C360-224"
    assert "field 2" in error.where


@pytest.mark.parametrize("rows", [2, 4])
def test_size_that_disagrees_with_the_header_says_both(file, rows):
    write_dbf(file, FIELDS, [record()] * 3)
    error = fault_of(change(file, 4, rows.to_bytes(4, "little")))
    assert error.code == "C360-225"
    assert f"{193 + rows * 38:,}" in error.what
    assert "308" in error.what


def test_file_cut_inside_a_record_counts_the_whole_ones(file):
    path = write_dbf(file, FIELDS, [record()] * 3)
    file.write_bytes(file.read_bytes()[:-20])
    error = fault_of(path)
    assert error.code == "C360-225"
    assert "2 whole records" in error.what


def test_byte_after_the_records_must_be_the_end_mark(file):
    assert fault_of(write_dbf(file, FIELDS, [record()], end=b"x")).code == "C360-225"


def test_delete_flag_out_of_step_names_the_record(file):
    write_dbf(file, FIELDS, [record()] * 3)
    error = fault_of(change(file, 193 + 38, b"9"))
    assert error.code == "C360-226"
    assert "record 2, byte 231" in error.where


@pytest.mark.parametrize("names", [("A", "a"), ("", "B"), ("_source_row", "B")])
def test_bad_field_names_are_refused(file, names):
    path = write_dbf(file, [(name, "C", 2) for name in names], [("1", "2")])
    # A dBase name has eleven bytes, just enough for one of ours.
    assert fault_of(path).code == "C360-227"


def test_field_name_that_is_not_gb18030_is_refused(file):
    write_dbf(file, FIELDS, [record()])
    assert fault_of(change(file, 32, b"\xff\xff\0")).code == "C360-227"


def test_file_that_shrinks_after_inspection_stops_the_read(file):
    path = write_dbf(file, FIELDS, [record()] * 3)
    dbf.inspect(path)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="C360-229"):
        rows_of(dbf.decode(path, 0, 3, COLUMNS))
