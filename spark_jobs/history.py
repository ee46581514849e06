"""Snapshots → slices → changes → intervals. Knows nothing of any feed.

A **slice** is the state of a source on one business date, typed, one row per key. A **change** belongs to the edge from one slice to
the next: `changes(P→D) = diff(slice(P), slice(D))`. Intervals `[valid_from, valid_to)` are a window over the changes. Nothing is merged:
the cost follows what a day brings, not how long history is. Which edges make the history in force is said by `spark_jobs.chains`.

A key is never null. Days are business dates of the source in order; all functions take a whole range in one pass and give what the days taken singly give.

    rows = rows.withColumn(HASH, row_hash(names))
    slices = build_slices(rows, previous, withheld, key=key, days=days, delivered_days=days, incremental=False)
    found = find_changes(slices, previous, key=key, days=days, previous_day=before)
    changes = fetch_changes(found, slices, key=key, days=days, previous_day=before)
    versions = intervals(changes, key=key)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import reduce
from itertools import pairwise
from threading import Thread

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

DAY, HASH = "business_date", "_row_hash"


def row_hash(names: Sequence[str]) -> SparkColumn:
    """What two rows are compared by: a 64-bit hash of every value together with its column's name.

    A null contributes nothing, so a value that becomes null, or moves to the column beside it, changes the hash, and a column that
    is new and empty does not. Values must be canonical before: equal is equal by type, not by look.
    """
    return F.xxhash64(*(F.when(F.col(name).isNotNull(), F.xxhash64(F.lit(name), F.col(name))) for name in names))


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
    never_closing: Collection[date] = (),
) -> DataFrame:
    """The effective state on each of `days`.

    Grain: one row per (business_date, key). `_as_of_date` is the business date the row was delivered on: older than business_date where it was carried.

    delivered: good rows of the range, unique by (business_date, key).
    previous:  the slice of the day before the range (any earlier date), None when there is none.
    withheld:  (business_date, key) of quarantined rows: not a delete, the key's last good state is carried.
    delivered_days: those of `days` on which the source delivered; on the others everything is carried.
    incremental: a key absent from a delivery is unchanged; in a full feed it is gone.
    delete_flag: a boolean column; a row in which it is true removes its key.
    never_closing: delivered days on which absence proves nothing, because a row's key could not be read.
    """
    ordered = sorted(days)
    positions = _positions(ordered)
    good = delivered.withColumn("_as_of_date", F.col(DAY))
    closing = [
        position for position, day in enumerate(ordered) if day in set(delivered_days) and day not in never_closing
    ]
    if not incremental and withheld is None and len(closing) == len(ordered):
        # Every day is what was delivered: nothing is carried, so nothing has to be placed in time.
        return good.where(~F.coalesce(F.col(delete_flag), F.lit(False))) if delete_flag else good
    if previous is not None:
        # The earlier slice stands just before the range, whatever its date.
        good = good.unionByName(previous.withColumn(DAY, F.lit(None).cast("date")), allowMissingColumns=True)
    states = good.select(
        *key,
        F.coalesce(positions[F.col(DAY)], F.lit(-1)).alias("_position"),
        F.lit(True).alias("_is_good"),
        F.struct(*(name for name in good.columns if name not in (*key, DAY))).alias("_state"),
    )
    if incremental:
        alive = states.withColumn("_until", _next_position(key, len(ordered)))
    else:
        alive = _with_carried_full(states, withheld, key, positions, len(ordered), closing)
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
    end: int,
    closing: list[int],
) -> DataFrame:
    """A full feed with gaps: keys whose row was withheld, and every key on days that close nothing, keep the last good state.

    A key's record on position p speaks until its next record, or until the next closing position if it has none there; its state is
    carried through the withheld records that follow without a closing day on which the key was absent.
    """
    following = [min((other for other in closing if other > position), default=end) for position in range(-1, end)]
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
    runs = linked.withColumn("_run", F.sum("_breaks").over(timeline)).withColumn(
        "_until", F.least("_until", F.coalesce(F.lead("_position").over(timeline), F.lit(end)))
    )
    in_run = Window.partitionBy(*key, "_run").orderBy("_position")
    filled = runs.withColumn("_state", F.last("_state", ignorenulls=True).over(in_run))
    return filled.where("_state is not null").select(*key, "_position", "_until", "_state")


def carry_columns(
    slices: DataFrame,
    previous: DataFrame | None,
    absent: Mapping[date, Collection[str]],
    *,
    key: Sequence[str],
    days: Sequence[date],
    hashed: Sequence[str],
) -> DataFrame:
    """Slices in which a column its file lacked that day keeps the key's last value, and the hash over `hashed` that follows from it.

    Grain: that of `slices`. absent: day → columns the file of that day did not have. What a source stops sending has not become
    null; a key that was gone in between starts anew.
    """
    ordered = sorted(days)
    known = slices.withColumn("_position", _positions(ordered)[F.col(DAY)])
    if previous is not None:
        known = known.unionByName(previous.withColumn("_position", F.lit(-1)), allowMissingColumns=True)
    timeline = Window.partitionBy(*key).orderBy("_position")
    broken = F.coalesce(F.lag("_position").over(timeline) < F.col("_position") - 1, F.lit(True)).cast("int")
    placed = known.withColumn("_breaks", broken).withColumn("_run", F.sum("_breaks").over(timeline))
    in_run = Window.partitionBy(*key, "_run").orderBy("_position")
    for name in sorted({column for columns in absent.values() for column in columns}):
        lacking = F.col("_as_of_date").isin([day for day, columns in absent.items() if name in columns])
        stated = F.when(~lacking, F.struct(F.col(name).alias("value")))
        placed = placed.withColumn(name, F.last(stated, ignorenulls=True).over(in_run)["value"])
    return placed.where("_position >= 0").drop("_position", "_breaks", "_run").withColumn(HASH, row_hash(hashed))


def fingerprints(slices: DataFrame, days: Iterable[date]) -> dict[date, str]:
    """Day → what its slice holds, whatever the order of its rows: `<rows>:<Σ low halves>:<Σ high halves>` of the row hashes."""
    sums = slices.groupBy(DAY).agg(*(total.alias(name) for name, total in _sums().items()))
    return dict.fromkeys(days, _NOTHING) | {row[DAY]: f"{row.rows}:{row.low}:{row.high}" for row in sums.collect()}


def observed_fingerprints(slices: DataFrame, days: Collection[date]) -> tuple[DataFrame, Callable[[], dict[date, str]]]:
    """`slices` to be written instead, and what gives their fingerprints once they are: they are counted on the way, so nothing is read again.

    The second gives {} when Spark lost the figures, as it may under load: then `fingerprints` of what was written says the same.
    """
    observation = Observation()
    sums = [
        total.alias(f"{name}_{place}")
        for place, day in enumerate(days)
        for name, total in _sums(F.col(DAY) == day).items()
    ]

    def read() -> dict[date, str]:
        found: dict[str, int | None] = {}
        # Observation.get waits for ever if the figures never come.
        waiting = Thread(target=lambda: found.update(observation.get), daemon=True)
        waiting.start()
        waiting.join(_PATIENCE)
        if not found:
            return {}
        parts = ([found[f"{name}_{place}"] or 0 for name in _sums()] for place, _ in enumerate(days))
        return {day: ":".join(map(str, part)) for day, part in zip(days, parts, strict=True)}

    return slices.observe(observation, *sums), read


def rows_of(fingerprint: str) -> int:
    """How many rows the slice with this fingerprint has."""
    return int(fingerprint.split(":")[0])


_NOTHING, _PATIENCE = "0:0:0", 30


def _sums(among: SparkColumn | None = None) -> dict[str, SparkColumn]:
    low, high = F.col(HASH).bitwiseAND(F.lit(0xFFFFFFFF)), F.shiftright(HASH, 32)
    terms = {"rows": F.lit(1), "low": low, "high": high}
    return {name: F.sum(term if among is None else F.when(among, term)) for name, term in terms.items()}


def find_changes(
    slices: DataFrame,
    previous: DataFrame | None,
    *,
    key: Sequence[str],
    days: Sequence[date],
    previous_day: date | None,
) -> DataFrame:
    """Which keys changed on each edge into `days`; the first slice ever, which is all inserts, is left out.

    Grain: one row per (business_date, key) that changed; business_date is the edge's end, `_from_date` its start, `_change` is insert,
    update or delete. Compare is by `_row_hash`, and only it and the key are read. One edge is one join; of a longer range nothing is sorted:
    each state of a key becomes one number whose bits are the days on which it stood, and only states that did not stand on all days go on.
    """
    narrow = slices.select(*key, DAY, HASH)
    if previous is not None and len(days) == 1:
        return _found_on_edge(previous, narrow, key, previous_day, *days)
    calendar = ([previous_day] if previous_day else []) + sorted(days)
    if previous is not None:
        narrow = narrow.unionByName(previous.select(*key, F.lit(previous_day).alias(DAY), HASH))
    # A number has 64 bits, so a longer range is looked at in pieces that share a day.
    parts = [calendar[first : first + _PIECE + 1] for first in range(0, max(len(calendar) - 1, 1), _PIECE)]
    return reduce(DataFrame.unionByName, (_found_in(narrow, key, part) for part in parts))


_PIECE = 60


def _found_on_edge(before: DataFrame, after: DataFrame, key: Sequence[str], start: date, end: date) -> DataFrame:
    old, new = before.select(*key, F.col(HASH).alias("_old")), after.select(*key, F.col(HASH).alias("_new"))
    change = (
        F.when(F.col("_old").isNull(), "insert")
        .when(F.col("_new").isNull(), "delete")
        .when(F.col("_old") != F.col("_new"), "update")
    )
    return (
        old.join(new, list(key), "full")
        .select(*key, F.lit(end).alias(DAY), F.lit(start).alias("_from_date"), change.alias("_change"))
        .where("_change is not null")
    )


def _found_in(narrow: DataFrame, key: Sequence[str], calendar: Sequence[date]) -> DataFrame:
    bits = F.create_map(*(item for place, day in enumerate(calendar) for item in (F.lit(day), _bit(place))))
    # Brought together by key once, for the states and for what is known of each key.
    rows = narrow.where(F.col(DAY).isin(list(calendar))).repartition(*key)
    states = rows.groupBy(*key, HASH).agg(F.bit_or(bits[F.col(DAY)]).alias("_stood"))
    after = F.shiftleft("_stood", 1)
    # The first day of the calendar is what the others are compared with: nothing opens on it.
    opens = F.col("_stood").bitwiseAND(F.bitwise_not(after)).bitwiseAND(F.lit(~1))
    ends = after.bitwiseAND(F.bitwise_not(F.col("_stood"))).bitwiseAND(F.lit((1 << len(calendar)) - 1))
    changed = states.select(*key, opens.alias("_opens"), ends.alias("_ends"), "_stood").where(
        "_opens <> 0 or _ends <> 0"
    )
    known = changed.withColumn("_known", F.bit_or("_stood").over(Window.partitionBy(*key)))
    edges = F.array(
        *(
            F.struct(_bit(place).alias("bit"), F.lit(before).alias("start"), F.lit(day).alias("end"))
            for place, (before, day) in enumerate(pairwise(calendar), start=1)
        )
    )
    # A calendar of one day has no edge, and an empty array no type.
    edges = edges.cast("array<struct<bit:bigint,start:date,end:date>>")

    def has(column: str, bit: SparkColumn) -> SparkColumn:
        return F.col(column).bitwiseAND(bit) != 0

    bit, start, end = (F.col(f"_edge.{name}") for name in ("bit", "start", "end"))
    change = F.when(has("_opens", bit), F.when(has("_known", F.shiftright(bit, 1)), "update").otherwise("insert")).when(
        has("_ends", bit) & ~has("_known", bit), "delete"
    )
    return (
        known.withColumn("_edge", F.explode(edges))
        .select(*key, end.alias(DAY), start.alias("_from_date"), change.alias("_change"))
        .where("_change is not null")
    )


def _bit(place: int) -> SparkColumn:
    return F.lit(1 << place).cast("long")


def fetch_changes(
    found: DataFrame,
    slices: DataFrame,
    *,
    key: Sequence[str],
    days: Sequence[date],
    previous_day: date | None,
    are_few: bool = False,
) -> DataFrame:
    """What changed on each edge into `days`: the rows of what `find_changes` found, and the first slice ever as inserts.

    Grain: one row per (business_date, key) that changed; business_date is the edge's end, `_from_date` its start (null for the first
    slice ever). `_change` is insert, update or delete; a delete has a key and no state, its other columns are null.
    are_few: `found` fits into memory everywhere.
    """
    stated, gone = found.where("_change <> 'delete'"), found.where("_change = 'delete'")
    states = slices.join(F.broadcast(stated) if are_few else stated, [*key, DAY])
    changes = states.unionByName(gone, allowMissingColumns=True)
    if previous_day:
        return changes
    first = slices.where(F.col(DAY) == min(days))
    inserts = first.withColumn("_from_date", F.lit(None).cast("date")).withColumn("_change", F.lit("insert"))
    return inserts if len(days) == 1 else inserts.unionByName(changes)


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
