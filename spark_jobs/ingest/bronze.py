"""Files → bronze: every record as text, personal values already replaced, with its origin.

Grain: one row per record of a delivered file. Beside the contract's columns stand `business_date`, `_delivery_number`,
`_source_file`, `_source_row` (1-based record number) and `_parse_error` (null when the record could be split into its fields).
A column the contract does not know stays in bronze under its own name; a contract column the file lacks is null. Numbers of a new
counter are those history knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.contracts import Column, Contract
from spark_jobs.formats.common import SLICE_BYTES
from spark_jobs.formats.dbf import DbfSource
from spark_jobs.formats.delimited import DelimitedSource
from spark_jobs.formats.ofd import OfdSource
from spark_jobs.formats.parquet import ParquetSource
from spark_jobs.ingest.deliveries import Delivery
from spark_jobs.ingest.numbers import Numbers, translate, translate_frame
from spark_jobs.ingest.privacy import PersonalColumn, tokenise, withhold_misplaced
from spark_jobs.ingest.vault import Keys, Vault

ORIGIN = ("_source_file", "_source_row", "_parse_error")
# Below this many bytes a feed is read by the driver: a Python worker takes about a second to start.
WORKER_BYTES = 64 * 1024 * 1024
_READERS = {"delimited": DelimitedSource, "dbf": DbfSource, "ofd": OfdSource, "parquet": ParquetSource}
CUSTOMER_LINES = {"normal": "NOR", "credit": "CRD", "option": "OPT", "fund": "FND"}
"""The system code of every business line whose feeds have customers."""
APPLICANTS = "APP"
"""The system code of applications for an account: each is a subject of its own in the vault."""
_OTHER_OWNERS = {
    "reference__employees": ("EMP", "employee_id"),
    "account_opening__applications": (APPLICANTS, "application_id"),
}


@dataclass(frozen=True)
class PrivateMeans:
    """What landing needs to replace personal values; never leaves the driver."""

    keys: Keys
    vault: Vault
    staging: Path


def read_feed(
    spark: SparkSession, contract: Contract, deliveries: list[tuple[Delivery, int]], private: PrivateMeans
) -> DataFrame:
    """All records of one feed's deliveries (each with its delivery number) as one bronze frame.

    Deliveries of several counters are read apart, each through its mapping and with its numbers.
    """
    alike: dict[tuple[str, str], list[tuple[Delivery, int]]] = {}
    for delivery, number in deliveries:
        numbers = delivery.numbers.fingerprint if delivery.numbers else ""
        alike.setdefault((delivery.mapping, numbers), []).append((delivery, number))
    parts = [_read_alike(spark, contract.read_by(mapping), part, private) for (mapping, _), part in alike.items()]
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)


def _read_alike(
    spark: SparkSession, contract: Contract, deliveries: list[tuple[Delivery, int]], private: PrivateMeans
) -> DataFrame:
    """Deliveries that are read the same way.

    Personal feeds pass the driver, where tokens are made; small ones too, because starting a worker costs more than reading them.
    """
    size = sum(path.stat().st_size for path in _paths(deliveries))
    through_driver = contract.personal_columns or size < WORKER_BYTES
    frame = (
        _read_staged(spark, contract, deliveries, private)
        if through_driver
        else _read_by_workers(spark, contract, deliveries)
    )
    # What the driver staged carries our names already; the workers' readers give the delivered ones.
    delivered = {column.name: column.name if through_driver else column.source for column in contract.plain_columns}
    columns = [
        (F.col(f"`{source}`") if source in frame.columns else F.lit(None)).cast("string").alias(name)
        for name, source in delivered.items()
    ]
    known = set(delivered.values())
    derived = [F.col(name) for column in contract.personal_columns for name in column.derived_names]
    extra = [
        F.col(f"`{name}`").cast("string").alias(name)
        for name in frame.columns
        if name not in known and name not in contract.bronze_columns and not name.startswith("_")
    ]
    origins = [
        (F.lit(str(file.path.resolve())), F.struct(F.lit(delivery.business_date), F.lit(number)))
        for delivery, number in deliveries
        for file in delivery.files
    ]
    origin = F.element_at(F.create_map(*(item for pair in origins for item in pair)), F.col("_source_path"))
    bronze = frame.withColumn("_origin", origin).select(
        F.col("_origin").getField("col1").alias("business_date"),
        F.col("_origin").getField("col2").alias("_delivery_number"),
        *ORIGIN,
        *columns,
        *derived,
        *extra,
    )
    # What the driver read has been translated there, before tokens were made.
    return bronze if through_driver else translate_frame(bronze, contract.number_columns, deliveries[0][0].numbers)


def _paths(deliveries: list[tuple[Delivery, int]]) -> list[Path]:
    return [file.path.resolve() for delivery, _ in deliveries for file in delivery.files]


def _read_by_workers(spark: SparkSession, contract: Contract, deliveries: list[tuple[Delivery, int]]) -> DataFrame:
    paths = json.dumps([str(path) for path in _paths(deliveries)])
    return spark.read.format(_READERS[contract.format].name()).option("paths", paths).load()


def _read_staged(
    spark: SparkSession, contract: Contract, deliveries: list[tuple[Delivery, int]], private: PrivateMeans
) -> DataFrame:
    """Decode on the driver; only tokens, masks and derived facts of personal values are written where Spark reads them."""
    folder = private.staging / contract.feed
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{deliveries[0][0].business_date}.parquet"
    batches = [
        _tokenised(contract, delivery.business_date, batch, private, delivery.numbers)
        for delivery, _ in deliveries
        for batch in _decoded(contract, delivery)
    ]
    pq.write_table(pa.concat_tables(batches, promote_options="default"), path)
    return spark.read.parquet(str(path.resolve()))


def _decoded(contract: Contract, delivery: Delivery) -> Iterator[pa.Table]:
    """The records of a delivery, with the origin columns Spark's readers would give; at least one, perhaps empty, table."""
    reader = _READERS[contract.format]
    for file in delivery.files:
        path = str(file.path.resolve())
        columns = reader.read_columns(path)
        for part in reader.slices(path, SLICE_BYTES):
            for batch in reader.decode(part, columns):
                rows = batch.num_rows
                yield (
                    pa.Table.from_batches([batch])
                    .append_column("_source_file", pa.array([file.path.name] * rows, pa.string()))
                    .append_column("_source_path", pa.array([path] * rows, pa.string()))
                )
        yield pa.table(
            {name: pa.array([], pa.string()) for name in (*columns, "_parse_error", "_source_file", "_source_path")}
            | {"_source_row": pa.array([], pa.int64())}
        )


def _tokenised(
    contract: Contract, as_of: date, batch: pa.Table, private: PrivateMeans, numbers: Numbers | None = None
) -> pa.Table:
    """The batch under our names, numbers as history knows them, personal values replaced.

    A column the contract does not know stays, but not in a personal feed: nobody has said that it is not personal.
    """
    names = {column.source: column.name for column in contract.columns}
    if not contract.personal_columns:
        batch = batch.rename_columns([names.get(name, name) for name in batch.column_names])
        held = {column: kind for column, kind in contract.number_columns.items() if column in batch.column_names}
        return translate(batch, held, numbers)
    batch = batch.select([name for name in batch.column_names if name in names or name.startswith("_")])
    batch = batch.rename_columns([names.get(name, name) for name in batch.column_names])
    for column in contract.columns:
        if column.name not in batch.column_names:
            batch = batch.append_column(column.name, pa.nulls(batch.num_rows, pa.string()))
    return replace_personal(contract, as_of, translate(batch, contract.number_columns, numbers), private)


def replace_personal(contract: Contract, as_of: date, batch: pa.Table, private: PrivateMeans) -> pa.Table:
    """A batch of all the contract's columns and `_parse_error`, personal values replaced by what bronze may hold."""
    system, subject = owner_of(contract)
    personal = [_personal_column(contract, column) for column in contract.personal_columns]
    keys = {*contract.key, subject}
    kinds = {column.name: "key" if column.name in keys else column.type for column in contract.plain_columns}
    batch = withhold_misplaced(batch, kinds)
    return tokenise(batch, personal, (system, subject), private.keys, private.vault, as_of)


def owner_of(contract: Contract) -> tuple[str, str]:
    """The system code of a feed, and the column that says whose a row is: client number, but where a row speaks of somebody without one."""
    # Who is on no counter of its own names its clients by the numbers of the normal counter.
    return _OTHER_OWNERS.get(contract.meant_feed) or (CUSTOMER_LINES.get(contract.line, "NOR"), "client_number")


def _personal_column(contract: Contract, column: Column) -> PersonalColumn:
    kinds = next((other.codes for other in contract.columns if other.name == column.kind_column), None)
    return PersonalColumn(column.name, column.personal, column.kind_column, kinds or {})
