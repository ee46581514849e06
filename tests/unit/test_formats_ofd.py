"""Open-ended fund exchange files: what a record becomes, and what stops a file."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from spark_jobs.errors import FileFormatError
from spark_jobs.formats import ofd
from spark_jobs.formats.common import number_column
from tests.format_builders import rows_of, write_ofd

COLUMNS = ("FundCode", "FundName", "NAV", "ConfirmedAmount")


def record(code="000001", name="华夏成长", nav=b"0012345", amount=b"0000000000001234"):
    raw = name if isinstance(name, bytes) else name.encode("gb18030")
    return code.encode("ascii").ljust(6) + raw.ljust(40) + nav + amount


def read(path, size=ofd.SLICE_BYTES, columns=COLUMNS):
    return [row for part in ofd.slices(path, size) for row in rows_of(ofd.decode(path, part.start, part.stop, columns))]


def column(path, name):
    return [row[name] for row in read(path)]


def fault_of(path) -> FileFormatError:
    with pytest.raises(FileFormatError) as caught:
        ofd.inspect(path)
    assert "OFD_98_378_20260105_04.TXT" in caught.value.where
    assert "/" not in caught.value.where
    return caught.value


@pytest.fixture
def file(tmp_path):
    return tmp_path / "OFD_98_378_20260105_04.TXT"


def test_text_is_trimmed_and_numbers_get_their_decimal_point(file):
    path = write_ofd(file, COLUMNS, [record(), record(code="", name="")])
    rows = read(path)
    assert [rows[0][name] for name in COLUMNS] == ["000001", "华夏成长", "1.2345", "12.34"]
    assert [rows[1][name] for name in COLUMNS] == [None, None, "1.2345", "12.34"]
    assert [row["_source_row"] for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"0000000000000000", "0.00"),
        (b"0000000000000005", "0.05"),
        (b"0000000000000100", "1.00"),
        (b"0000000000010000", "100.00"),
        (b"9999999999999999", "99999999999999.99"),
        (b"-000000000001234", "-12.34"),
        (b"-000000000000005", "-0.05"),
        (b"-999999999999999", "-9999999999999.99"),
        (b"            1234", "12.34"),
        (b"           -1234", "-12.34"),
        (b"                ", None),
    ],
)
def test_number_of_scale_two(file, raw, value):
    path = write_ofd(file, COLUMNS, [record(), record(amount=raw), record()])
    assert column(path, "ConfirmedAmount") == ["12.34", value, "12.34"]
    assert column(path, "_parse_error") == [None, None, None]


@pytest.mark.parametrize("raw", [b"0000000000012.34", b"1234            ", b"00000000000012O4", b"+000000000001234"])
def test_what_is_no_number_is_null_and_says_so(file, raw):
    path = write_ofd(file, COLUMNS, [record(), record(amount=raw)])
    rows = read(path)
    assert [(row["ConfirmedAmount"], row["_parse_error"]) for row in rows] == [("12.34", None), (None, "not_a_number")]
    assert rows[1]["FundCode"] == "000001"


@pytest.mark.parametrize("scale", [0, 2, 4])
def test_numbers_agree_with_exact_arithmetic(scale):
    numbers = [0, 1, -1, 9, 10, -10, 99, 100, 12345, -12345, 10**9 - 1, -(10**8) + 1]
    raw = b"".join(f"{number:010d}".encode() for number in numbers)
    got, wrong = number_column(np.frombuffer(raw, np.uint8).reshape(len(numbers), 10), scale)
    assert wrong is None
    assert got.to_pylist() == [
        str(Decimal(number).scaleb(-scale).quantize(Decimal(1).scaleb(-scale))) for number in numbers
    ]


def test_second_bytes_that_look_like_pipe_or_backslash_and_rare_characters_are_read(file):
    names = [bytes([0x81, 0x7C]).decode("gb18030"), bytes([0x95, 0x5C]).decode("gb18030") * 20, "𠮷䶵"]
    path = write_ofd(file, COLUMNS, [record(name=name) for name in names])
    assert column(path, "FundName") == names


def test_text_that_is_not_gb18030_is_null_and_the_key_stays(file):
    path = write_ofd(file, COLUMNS, [record(), record(name=b"\xff\xff"), record(name="乙")])
    assert column(path, "_parse_error") == [None, "not_gb18030", None]
    assert column(path, "FundName") == ["华夏成长", None, "乙"]
    assert column(path, "FundCode") == ["000001"] * 3


def test_lines_ended_by_cr_lf_read_the_same(file):
    records = [record(), record(amount=b"0000000000000001")]
    plain = read(write_ofd(file, COLUMNS, records))
    assert read(write_ofd(file, COLUMNS, records, line_end=b"\r\n")) == plain


def test_end_mark_needs_no_line_end(file):
    assert len(read(write_ofd(file, COLUMNS, [record()], end=b"OFDCFEND"))) == 1


def test_any_cut_into_slices_reads_the_same_rows(file, monkeypatch):
    records = [record(name="甲" * (n % 20), amount=f"{n * 37:016d}".encode()) for n in range(40)]
    records[11] = record(name=b"\xff\xff")
    path = write_ofd(file, COLUMNS, records)
    whole = read(path)
    assert [row["_source_row"] for row in whole] == list(range(1, 41))
    for size in (1, 100, 500):
        assert read(path, size) == whole
    monkeypatch.setattr(ofd, "BATCH_ROWS", 3)
    monkeypatch.setattr(ofd, "BATCH_BYTES", 200)
    assert read(path) == whole


def test_columns_come_as_asked_and_absent_ones_are_null(file):
    path = write_ofd(file, COLUMNS, [record()])
    assert list(read(path, columns=("NAV", "New"))[0].items())[:2] == [("NAV", "1.2345"), ("New", None)]
    assert [row["_source_row"] for row in read(path, columns=())] == [1]


def test_facts_state_header(file):
    facts = ofd.inspect(write_ofd(file, COLUMNS, [record()] * 3))
    assert (facts.columns, facts.rows, facts.record_length) == (COLUMNS, 3, 70)
    assert (facts.feed, facts.stated_date) == ("04", "20260105")


def test_file_without_records_has_no_rows(file):
    assert read(write_ofd(file, COLUMNS, [])) == []


def test_every_number_in_the_spec_leaves_room_for_its_sign():
    for name, spec in ofd.field_specs().items():
        assert spec.type in ("C", "A", "N"), name
        assert spec.type == "N" or spec.scale == 0, name
        assert spec.type != "N" or spec.width >= spec.scale + 2, name


@pytest.mark.parametrize(
    ("line", "content"), [(0, b"OFDCFIDX"), (1, b"21"), (4, b"2026-1-5"), (5, b"002"), (2, b"\xff\xff")]
)
def test_wrong_header_line_is_named(file, line, content):
    path = write_ofd(file, COLUMNS, [record()])
    lines = file.read_bytes().split(b"\n")
    lines[line] = content
    file.write_bytes(b"\n".join(lines))
    error = fault_of(path)
    assert error.code == "C360-231"
    assert error.where.endswith(f"line {line + 1}")


def test_field_outside_the_spec_is_refused(file):
    error = fault_of(write_ofd(file, ["FundCode", "Unheard"], [b"000001x"]))
    assert error.code == "C360-232"
    assert "line 12" in error.where


@pytest.mark.parametrize("cut", [1, 5, 9, 30])
def test_missing_end_mark_counts_the_records_left(file, cut):
    path = write_ofd(file, COLUMNS, [record(name="abc")] * 3, end=b"OFDCFEND")
    file.write_bytes(file.read_bytes()[:-cut])
    error = fault_of(path)
    assert error.code == "C360-233"
    assert "of 3 records" in error.what


def test_file_cut_in_its_header_is_refused(file):
    path = write_ofd(file, COLUMNS, [record()])
    file.write_bytes(file.read_bytes()[:20])
    assert fault_of(path).code == "C360-233"


@pytest.mark.parametrize("more", [b"more\n", b"\n\n"])
def test_bytes_after_the_end_mark_are_refused(file, more):
    assert fault_of(write_ofd(file, COLUMNS, [record()], end=b"OFDCFEND\n" + more)).code == "C360-233"


def test_line_end_inside_a_record_is_found(file):
    assert fault_of(write_ofd(file, COLUMNS, [record(), record(name=b"a\nb")])).code == "C360-236"


def test_cut_inside_a_character_names_its_byte(file):
    path = write_ofd(file, COLUMNS, [record(name="abc"), record(name="甲乙")])
    content = file.read_bytes()
    begin = content.index("乙".encode("gb18030"))
    file.write_bytes(content[: begin + 1])
    error = fault_of(path)
    assert error.code == "C360-234"
    assert f"byte {begin}" in error.where
    assert "after 1 of 2 records" in error.what


@pytest.mark.parametrize("stated", ["00000001", "00000003", "00000000"])
def test_record_count_that_disagrees_says_both(file, stated):
    error = fault_of(write_ofd(file, COLUMNS, [record(), record()], record_count=stated))
    assert error.code == "C360-235"
    assert f"states {int(stated)} records" in error.what
    assert "has 2" in error.what


def test_record_count_must_have_eight_digits(file):
    assert fault_of(write_ofd(file, COLUMNS, [record()], record_count="1")).code == "C360-235"


@pytest.mark.parametrize("bad", [record() + b"0", record()[:-1], b""])
def test_record_of_wrong_width_is_named(file, bad):
    error = fault_of(write_ofd(file, COLUMNS, [record(), bad, record()]))
    assert error.code == "C360-236"
    assert "line 17, record 2" in error.where
    assert f"has {len(bad)} bytes" in error.what


def test_two_wrong_widths_that_add_up_are_found(file):
    assert fault_of(write_ofd(file, COLUMNS, [record() + b"0", record()[:-1]])).code == "C360-236"


@pytest.mark.parametrize("stated", ["003", "005", "4"])
def test_field_count_that_disagrees_is_refused(file, stated):
    assert fault_of(write_ofd(file, COLUMNS, [record()], field_count=stated)).code == "C360-237"


def test_field_named_twice_is_refused(file):
    assert fault_of(write_ofd(file, ["FundCode", "FundCode"], [b"000001000001"])).code == "C360-237"


def test_file_that_shrinks_after_inspection_stops_the_read(file):
    path = write_ofd(file, COLUMNS, [record()] * 3)
    ofd.inspect(path)
    file.write_bytes(file.read_bytes()[:-90])
    with pytest.raises(FileFormatError, match="C360-239"):
        rows_of(ofd.decode(path, 0, 3, COLUMNS))


def write_index(path, *, count="2", end="OFDCFEND\n", mark="OFDCFIDX"):
    names = ["OFD_98_378_20260105_04.TXT", "OFD_98_378_20260105_05.TXT"]
    path.write_text("\n".join([mark, "20", "98", "378", "20260105", count, *names, end]), encoding="ascii")
    return str(path)


def test_index_lists_its_files(tmp_path):
    path = write_index(tmp_path / "OFI_98_378_20260105.TXT")
    assert ofd.read_index(path) == ["OFD_98_378_20260105_04.TXT", "OFD_98_378_20260105_05.TXT"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": "3"}, "C360-238"),
        ({"count": "x"}, "C360-238"),
        ({"mark": "OFDCFDAT"}, "C360-238"),
        ({"end": ""}, "C360-233"),
    ],
)
def test_index_that_is_wrong_is_refused(tmp_path, change, code):
    with pytest.raises(FileFormatError, match=code):
        ofd.read_index(write_index(tmp_path / "OFI_98_378_20260105.TXT", **change))
