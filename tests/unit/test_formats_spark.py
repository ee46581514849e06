"""The formats as Spark data sources: schemas, origin columns, many files, errors."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_jobs.errors import ConfigurationError
from spark_jobs.formats import common, register
from spark_jobs.formats.dbf import DbfSource
from spark_jobs.formats.delimited import DelimitedSource
from tests.format_builders import write_dbf, write_delimited, write_ofd

FIELDS = (("CODE", "C", 6), ("NAME", "C", 12))
ORIGIN = ["_source_file", "_source_path", "_source_row", "_parse_error"]


@pytest.fixture(scope="module", autouse=True)
def formats(spark):
    register(spark)


def test_dbf_schema_comes_from_the_header_and_rows_carry_their_origin(spark, tmp_path):
    path = write_dbf(tmp_path / "a.dbf", FIELDS, [("1", "甲"), ("2", "乙"), ("3", b"\xff")], deleted=frozenset({0}))
    frame = spark.read.format("dbf").load(path)
    assert frame.columns == ["CODE", "NAME", *ORIGIN]
    assert {field.name: field.dataType for field in frame.schema}["_source_row"] == T.LongType()
    assert [tuple(row) for row in frame.orderBy("_source_row").collect()] == [
        ("2", "乙", "a.dbf", path, 2, None),
        ("3", None, "a.dbf", path, 3, "not_gb18030"),
    ]


def test_slices_of_one_file_keep_row_numbers(spark, tmp_path):
    lines = [f"{number}|{'甲' * (number % 5)}" for number in range(1, 201)]
    lines[99] = "short"
    path = write_delimited(tmp_path / "a.txt", ["id", "name"], lines)
    frame = spark.read.format("delimited").option("slice_bytes", 500).load(path)
    assert frame.rdd.getNumPartitions() > 2
    rows = frame.orderBy("_source_row").collect()
    assert [row["_source_row"] for row in rows] == list(range(1, 201))
    assert [row["id"] for row in rows] == [str(n) if n != 100 else None for n in range(1, 201)]
    assert [row["_source_row"] for row in rows if row["_parse_error"] == "wrong_field_count"] == [100]


def test_ofd_folder_is_read_without_its_index(spark, tmp_path):
    write_ofd(tmp_path / "OFD_98_378_20260105_04.TXT", ["FundCode", "NAV"], [b"0000010012345"])
    write_ofd(tmp_path / "OFD_98_378_20260106_04.TXT", ["FundCode", "NAV"], [b"000002-000005"])
    (tmp_path / "OFI_98_378_20260105.TXT").write_text("OFDCFIDX\n", encoding="ascii")
    (tmp_path / "_done").write_text("", encoding="ascii")
    frame = spark.read.format("ofd").load(str(tmp_path))
    rows = frame.orderBy("FundCode").collect()
    assert [(row["FundCode"], row["NAV"]) for row in rows] == [("000001", "1.2345"), ("000002", "-0.0005")]
    pattern = spark.read.format("ofd").load(str(tmp_path / "OFD_*_20260106_*.TXT"))
    assert [row["FundCode"] for row in pattern.collect()] == ["000002"]


def test_parquet_files_whose_column_changed_its_type_are_read_together_as_text(spark, tmp_path):
    for name, prices in (("1", pa.array([Decimal("1.50"), None, Decimal("3.00")])), ("2", pa.array(["4.25"]))):
        pq.write_table(pa.table({"price": prices}), tmp_path / f"{name}.parquet", row_group_size=2)
    frame = spark.read.format("parquet_text").load(str(tmp_path))
    assert frame.columns == ["price", *ORIGIN]
    assert [(row[0], row[1], row[3], row[4]) for row in frame.orderBy("_source_file", "_source_row").collect()] == [
        ("1.50", "1.parquet", 1, None),
        (None, "1.parquet", 2, None),
        ("3.00", "1.parquet", 3, None),
        ("4.25", "2.parquet", 1, None),
    ]


def test_many_small_files_share_few_partitions(spark, tmp_path):
    paths = [write_dbf(tmp_path / f"{n:03d}.dbf", FIELDS, [(str(n), "甲")]) for n in range(100)]
    frame = spark.read.format("dbf").option("paths", json.dumps(paths)).load()
    assert frame.rdd.getNumPartitions() == 1
    assert frame.agg(F.count("*"), F.countDistinct("_source_file", "CODE")).first() == (100, 100)


def test_list_of_paths_and_files_with_different_columns_give_the_union(spark, tmp_path):
    old = write_delimited(tmp_path / "1.txt", ["id", "name"], ["1|甲"])
    new = write_delimited(tmp_path / "2.txt", ["id", "level", "name"], ["2|A|乙"])
    frame = spark.read.format("delimited").load([old, new])
    assert frame.columns == ["id", "name", "level", *ORIGIN]
    assert [tuple(row)[:3] for row in frame.orderBy("id").collect()] == [("1", "甲", None), ("2", "乙", "A")]


def test_schema_given_by_the_caller_decides_columns_and_order(spark, tmp_path):
    path = write_dbf(tmp_path / "a.dbf", FIELDS, [("1", "甲")])
    frame = spark.read.format("dbf").schema("_source_row long, NAME string, absent string").load(path)
    assert frame.columns == ["_source_row", "NAME", "absent"]
    assert tuple(frame.first()) == (1, "甲", None)
    assert spark.read.format("dbf").load(f"file://{path}").count() == 1


def test_file_without_rows_gives_an_empty_frame(spark, tmp_path):
    path = write_delimited(tmp_path / "a.txt", ["id"], [])
    assert spark.read.format("delimited").load(path).collect() == []


def test_broken_file_stops_the_read_with_its_code(spark, tmp_path):
    path = write_dbf(tmp_path / "a.dbf", FIELDS, [("1", "甲")])
    (tmp_path / "a.dbf").write_bytes((tmp_path / "a.dbf").read_bytes()[:-5])
    with pytest.raises(Exception, match=r"C360-225(.|\n)*a\.dbf"):
        spark.read.format("dbf").load(path).collect()


def test_schema_with_other_types_is_refused():
    schema = T.StructType([T.StructField("CODE", T.IntegerType())])
    with pytest.raises(ConfigurationError, match="C360-121"):
        DbfSource({"path": "a.dbf"}).reader(schema)


def test_path_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        DbfSource({"path": str(tmp_path / "*.dbf")}).schema()


def test_path_of_a_remote_store_is_refused():
    with pytest.raises(ConfigurationError, match="C360-120"):
        DbfSource({"path": "s3a://bucket/a.dbf"}).schema()


def test_partitions_fill_up_to_their_size_in_order():
    parts = [common.Slice(f"{n}", 0, 1, 1, size) for n, size in enumerate([900_000, 200_000, 10, 10, 2_000_000])]
    groups = common.group_slices(parts, 1_000_000)
    assert [[part.path for part in group.slices] for group in groups] == [["0"], ["1", "2", "3"], ["4"]]


def test_small_batches_of_many_files_are_joined(tmp_path):
    paths = [write_delimited(tmp_path / f"{n}.txt", ["id"], [str(n)]) for n in range(5)]
    source = DelimitedSource({"paths": json.dumps(paths)})
    reader = source.reader(source.schema())
    (partition,) = reader.partitions()
    (batch,) = reader.read(partition)
    assert batch.column("id").to_pylist() == ["0", "1", "2", "3", "4"]
    assert batch.column("_source_file").to_pylist() == [f"{n}.txt" for n in range(5)]
