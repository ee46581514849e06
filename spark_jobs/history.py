"""Snapshots → slices → changes → intervals. Knows nothing of any feed.

A **slice** is the state of a source on one business date, typed, one row per key. A **change** belongs to the edge from one slice to
the next: `changes(P→D) = diff(slice(P), slice(D))`. Intervals `[valid_from, valid_to)` are a window over the changes. Nothing is merged:
the cost follows what a day brings, not how long history is.

Days are business dates of the source in order; all functions take a whole range in one pass and give what the days taken singly give.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

DAY, HASH = "business_date", "_row_hash"
CHANGE = ("insert", "update", "delete")


def build_slices(
    delivered: DataFrame,
    previous: DataFrame | None,
    withheld: DataFrame | None,
    *,
    key: Sequence[str],
    days: Sequence[date],
    delivered_days: Sequence[date],
    incremental: bool,
    delete_flag: str | None = None,
) -> DataFrame:
    """The effective state on each of `days`.

    Grain: one row per (business_date, key). `_as_of_date` is the business date the row was delivered on: older than business_date where it was carried.

    delivered: good rows of the range, unique by (business_date, key).
    previous:  the slice of the day before the range (any earlier date), None when there is none.
    withheld:  (business_date, key) of quarantined rows: not a delete, the key's last good state is carried.
    delivered_days: those of `days` on which the source delivered; on the others everything is carried.
    incremental: a key absent from a delivery is unchanged; in a full feed it is gone.
    delete_flag: a boolean column; a row in which it is true removes its key.
    """
    ordered = sorted(days)
    positions = _positions(ordered)
    good = delivered.withColumn("_as_of_date", F.col(DAY))
    if previous is not None:
        # The earlier slice stands just before the range, whatever its date.
        good = good.unionByName(previous.withColumn(DAY, F.lit(None).cast("date")), allowMissingColumns=True)
    states = good.select(
        *key,
        F.coalesce(positions[F.col(DAY)], F.lit(-1)).alias("_position"),
        F.lit(True).alias("_is_good"),
        F.struct(*(name for name in good.columns if name not in (*key, DAY))).alias("_state"),
    )
    absent = [position for position, day in enumerate(ordered) if day in set(delivered_days)]
    if not incremental and withheld is None and len(absent) == len(ordered):
        alive = states.where("_position >= 0").withColumn("_until", F.col("_position") + 1)
    elif incremental:
        alive = states.withColumn("_until", _next_position(key, len(ordered)))
    else:
        alive = _with_carried_full(states, withheld, key, positions, ordered, absent)
    if delete_flag:
        alive = alive.where(~F.coalesce(F.col(f"_state.{delete_flag}"), F.lit(False)))
    calendar = F.array(*(F.lit(day) for day in ordered))
    covered = F.explode(F.sequence(F.greatest(F.col("_position"), F.lit(0)), F.col("_until") - 1))
    return (
        alive.where(F.col("_until") > F.greatest(F.col("_position"), F.lit(0)))
        .select(*key, covered.alias("_position"), "_state")
        .select(F.element_at(calendar, F.col("_position") + 1).alias(DAY), *key, "_state.*")
    )


def _positions(days: Sequence[date]) -> SparkColumn:
    return F.create_map(*(item for position, day in enumerate(days) for item in (F.lit(day), F.lit(position))))


def _next_position(key: Sequence[str], end: int) -> SparkColumn:
    return F.coalesce(F.lead("_position").over(Window.partitionBy(*key).orderBy("_position")), F.lit(end))


def _with_carried_full(
    states: DataFrame,
    withheld: DataFrame | None,
    key: Sequence[str],
    positions: SparkColumn,
    days: list[date],
    delivered: list[int],
) -> DataFrame:
    """A full feed with gaps: days without a delivery and keys whose row was withheld keep the last good state.

    A key's record on position p speaks until the next delivered position; it is carried through a run of withheld records that
    follows it without a delivered day on which the key was absent.
    """
    following = [
        min((other for other in delivered if other > position), default=len(days)) for position in range(-1, len(days))
    ]
    speaks_until = F.element_at(F.array(*(F.lit(value) for value in following)), F.col("_position") + 2)
    records = states
    if withheld is not None:
        blank = withheld.select(
            *key, positions[F.col(DAY)].alias("_position"), F.lit(False).alias("_is_good")
        ).distinct()
        records = states.unionByName(blank, allowMissingColumns=True)
    timeline = Window.partitionBy(*key).orderBy("_position")
    linked = records.withColumn("_until", speaks_until).withColumn(
        "_breaks", F.coalesce(F.lag("_until").over(timeline) < F.col("_position"), F.lit(True)).cast("int")
    )
    runs = linked.withColumn("_run", F.sum("_breaks").over(timeline))
    in_run = Window.partitionBy(*key, "_run").orderBy("_position")
    filled = runs.withColumn("_state", F.last("_state", ignorenulls=True).over(in_run))
    return filled.where("_state is not null").select(*key, "_position", "_until", "_state")


def build_changes(
    slices: DataFrame,
    previous: DataFrame | None,
    *,
    key: Sequence[str],
    days: Sequence[date],
    previous_day: date | None,
) -> DataFrame:
    """What changed on each edge into `days`.

    Grain: one row per (business_date, key) that changed; business_date is the edge's end, `_from_date` its start (null for the first
    slice ever). `_change` is insert, update or delete; a delete carries the last state. Compare is by `_row_hash`, which treats null as a value.
    """
    ordered = sorted(days)
    calendar = ([previous_day] if previous_day else []) + ordered
    everything = (
        slices
        if previous is None
        else slices.unionByName(previous.withColumn(DAY, F.lit(previous_day)), allowMissingColumns=True)
    )
    position = _positions(calendar)[F.col(DAY)]
    timeline = Window.partitionBy(*key).orderBy("_position")
    placed = everything.withColumn("_position", position)
    compared = placed.select(
        "*",
        F.lag("_position").over(timeline).alias("_earlier"),
        F.lag(HASH).over(timeline).alias("_earlier_hash"),
        F.lead("_position").over(timeline).alias("_later"),
    )
    follows = F.col("_earlier") == F.col("_position") - 1
    opens = F.when(~F.coalesce(follows, F.lit(False)), "insert").when(F.col(HASH) != F.col("_earlier_hash"), "update")
    first_new = 1 if previous_day else 0
    arrivals = compared.where(F.col("_position") >= first_new).withColumn("_change", opens).where("_change is not null")
    vanishes = (F.col("_position") < len(calendar) - 1) & (
        F.col("_later").isNull() | (F.col("_later") > F.col("_position") + 1)
    )
    departures = compared.where(vanishes).select(
        *(column for column in compared.columns if column not in (DAY, "_position")),
        (F.col("_position") + 1).alias("_position"),
        F.element_at(F.array(*(F.lit(day) for day in calendar)), F.col("_position") + 2).alias(DAY),
        F.lit("delete").alias("_change"),
    )
    starts = F.array(*(F.lit(day).cast("date") for day in [None, *calendar]))
    return (
        arrivals.unionByName(departures)
        .withColumn("_from_date", F.element_at(starts, F.col("_position") + 1))
        .drop("_position", "_earlier", "_earlier_hash", "_later")
    )


def intervals(changes: DataFrame, *, key: Sequence[str]) -> DataFrame:
    """Validity of every version: `valid_from` inclusive, `valid_to` exclusive and null while in force.

    Grain: one row per (key, valid_from). A key that was absent for a while has a gap there.
    """
    timeline = Window.partitionBy(*key).orderBy(DAY)
    return (
        changes.withColumn("valid_from", F.col(DAY))
        .withColumn("valid_to", F.lead(DAY).over(timeline))
        .where("_change <> 'delete'")
        .drop(DAY, "_from_date", "_change")
    )
