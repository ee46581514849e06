"""Numbers of a new counter become the numbers history knows, at landing: before tokens are made, and before anything has a key.

The map is a feed, taken in before the feeds that need it. A number that is not in it stays what it is: an account opened after the migration.
A number that is not in it as a new one, but as an old one, is somebody else's: its row is told in `_parse_error` and goes to quarantine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.contracts import FULL_WIDTH, PLAIN, Contract
from spark_jobs.errors import DeliveryError
from spark_jobs.ingest.deliveries import Delivery
from spark_jobs.io import Lake
from spark_jobs.ledger import DeliveryRecord, Ledger
from spark_jobs.mappings import numbers_feed

REUSED = "number_of_the_old_counter"


@dataclass(frozen=True)
class Numbers:
    """The map of one counter as known on a day. fingerprint: equal for equal content.

    by_kind: kind of number → table (number, known_number); known_number is null for a number that only the old counter has.
    """

    fingerprint: str
    by_kind: Mapping[str, pa.Table]


EMPTY = pa.table({"number": pa.array([], pa.string()), "known_number": pa.array([], pa.string())})


class NumberMaps:
    """The maps of one lake, each day's read once."""

    def __init__(self, lake: Lake, ledger: Ledger) -> None:
        self._lake, self._ledger = lake, ledger
        self._read: dict[tuple[str, date], Numbers] = {}

    def applied(self, delivery: Delivery, contract: Contract) -> Delivery:
        """The delivery with the numbers it is read with; its digest names them too, so that another map makes it another delivery.

        contract: as the delivery is read. Raises DeliveryError C360-306 where the map cannot be relied on.
        """
        if not contract.number_columns:
            return delivery
        numbers = self._on(contract.mapping, delivery.business_date)
        digest = hashlib.sha256(f"{delivery.digest}|{numbers.fingerprint}".encode()).hexdigest()
        return replace(delivery, numbers=numbers, digest=digest)

    def _on(self, mapping: str, day: date) -> Numbers:
        feed = numbers_feed(mapping)
        records = [
            record
            for record in self._ledger.records()
            if record.feed == feed and record.business_date <= day and record.status != "withdrawn"
        ]
        if not records:
            raise _unusable(feed, day, f"no map {feed} has been loaded for this day or an earlier one")
        newest = records[-1]
        if (feed, newest.business_date) not in self._read:
            self._read[feed, newest.business_date] = self._numbers(newest, day)
        return self._read[feed, newest.business_date]

    def _numbers(self, record: DeliveryRecord, day: date) -> Numbers:
        feed, known_on = record.feed, record.business_date
        if record.status != "loaded":
            raise _unusable(feed, day, f"the map {feed} of {known_on} was not accepted ({record.code})")
        if record.rows_quarantined:
            fault = f"{record.rows_quarantined:,} rows of the map {feed} of {known_on} are in quarantine"
            raise _unusable(feed, day, fault)
        rows = self._lake.read("silver", feed, [known_on]).select("number_kind", "new_number", "old_number").toArrow()
        if unknown := pc.sum(pc.starts_with(rows["number_kind"], "@")).as_py():
            raise _unusable(feed, day, f"{unknown:,} rows of the map {feed} of {known_on} have a kind nobody knows")
        by_kind = {}
        for kind in pc.unique(rows["number_kind"]).to_pylist():
            of_kind = rows.filter(pc.equal(rows["number_kind"], kind))
            if again := repeated(of_kind["old_number"]):
                fault = f"{again:,} old numbers of kind {kind} have several new ones in the map {feed} of {known_on}"
                raise _unusable(feed, day, fault)
            by_kind[kind] = lookup(of_kind["new_number"], of_kind["old_number"])
        return Numbers(self._ledger.chain(feed)[known_on].fingerprint, by_kind)


def _unusable(feed: str, day: date, fault: str) -> DeliveryError:
    return DeliveryError(
        "C360-306", fault, where=f"business date {day}", kept="nothing of this feed and day",
        next_step=f"ask for a correct delivery of {feed}, then: c360 load",
    )  # fmt: skip


def repeated(values: pa.ChunkedArray) -> int:
    """How many values stand there more than once."""
    return pc.sum(pc.greater(pc.value_counts(values).field("counts"), 1)).as_py() or 0


def lookup(new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.Table:
    """(number, known_number): every new number with the old one, and with null every old number that is not a new one too."""
    only_old = old.filter(pc.invert(pc.is_in(old, value_set=pc.unique(new))))
    # In one piece: Spark takes a table over only as far as its first empty chunk.
    return pa.table(
        {
            "number": pa.chunked_array([*new.chunks, *only_old.chunks], pa.string()),
            "known_number": pa.chunked_array([*old.chunks, pa.nulls(len(only_old), pa.string())], pa.string()),
        }
    ).combine_chunks()


def translate(batch: pa.Table, kinds: Mapping[str, str], numbers: Numbers | None) -> pa.Table:
    """A batch under our names, text, with every number of `kinds` (column → kind) as history knows it."""
    for column, kind in kinds.items() if numbers else ():
        known = numbers.by_kind.get(kind, EMPTY)
        values = batch[column].cast(pa.string())
        places = pc.index_in(_plain(values), value_set=known["number"].combine_chunks())
        found = pc.take(known["known_number"].combine_chunks(), places)
        is_reused = pc.and_(pc.is_valid(places), pc.is_null(found))
        batch = batch.set_column(batch.column_names.index(column), column, pc.coalesce(found, values))
        if pc.any(is_reused).as_py():
            errors = pc.if_else(is_reused, REUSED, batch["_parse_error"])
            batch = batch.set_column(batch.column_names.index("_parse_error"), "_parse_error", errors)
    return batch


def translate_frame(frame: DataFrame, kinds: Mapping[str, str], numbers: Numbers | None) -> DataFrame:
    """`translate` for rows that Spark's workers read."""
    for column, kind in kinds.items() if numbers else ():
        known = frame.sparkSession.createDataFrame(numbers.by_kind.get(kind, EMPTY)).toDF("_number", "_known_number")
        is_reused = F.col("_number").isNotNull() & F.col("_known_number").isNull()
        changed = {
            column: F.coalesce("_known_number", F.col(column)),
            "_parse_error": F.when(is_reused, F.lit(REUSED)).otherwise(F.col("_parse_error")),
        }
        # A number stands in the map once, so no row is doubled.
        frame = frame.join(F.broadcast(known), plain_column(F.col(column)) == F.col("_number"), how="left").select(
            *(changed[name].alias(name) if name in changed else F.col(f"`{name}`") for name in frame.columns)
        )
    return frame


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """As silver makes text plain: a number with blanks or full-width digits is the same number."""
    if not pc.all(pc.string_is_ascii(values)).as_py():
        for wide, plain in zip(FULL_WIDTH, PLAIN, strict=True):
            values = pc.replace_substring(values, wide, plain)
    return pc.utf8_trim(values, " ")


def plain_column(text: SparkColumn) -> SparkColumn:
    """A text with plain digits and spaces in place of full-width ones, and without those around it."""
    return F.trim(F.translate(text, FULL_WIDTH, PLAIN))
