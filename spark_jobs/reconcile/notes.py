"""What is said about a difference, and which days it holds.

`reconciliation.notes` is append-only, one row per statement on a (business_date, check, key) and the signed difference it speaks of.
A difference is `open` until it is `explained`; it is `corrected` when a later delivery made it vanish. An explanation speaks of one
amount: a difference that grows is open again. While it stays the same on the business dates that follow, it stays explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError
from spark_jobs.io import DAY
from spark_jobs.reconcile.checks import AMOUNT

LAYER = "reconciliation"
KEY = [DAY, "check", "key"]
NOTES_SCHEMA = (
    f"business_date date, check string, key string, state string, difference {AMOUNT}, who string, why string, run int"
)


@dataclass(frozen=True)
class Hold:
    """A failed stop check with open differences: `keys` of them, `difference` their signed sum."""

    business_date: date
    check: str
    keys: int
    difference: Decimal


def with_states(run: Run, differences: DataFrame) -> DataFrame:
    """Adds state (open | explained), who and why; who and why are null while it is open."""
    if not run.lake.exists(LAYER, "notes"):
        nothing = F.lit(None).cast("string")
        return differences.select("*", F.lit("open").alias("state"), nothing.alias("who"), nothing.alias("why"))
    notes = run.lake.read(LAYER, "notes").select(
        F.col(DAY).alias("noted_date"),
        "check",
        "key",
        F.struct("run", "state", "difference", "who", "why").alias("note"),
    )
    in_force = (
        differences.join(notes, on=["check", "key"], how="inner")
        .where(F.col("noted_date").between(F.col("first_seen_date"), F.col(DAY)))
        .groupBy(*KEY)
        .agg(F.max("note").alias("note"))
    )
    is_explained = F.coalesce(
        (F.col("note.state") == "explained") & (F.col("note.difference") == F.col("difference")), F.lit(False)
    )
    return differences.join(in_force, on=KEY, how="left").select(
        *differences.columns,
        F.when(is_explained, "explained").otherwise("open").alias("state"),
        *(F.when(is_explained, F.col(f"note.{name}")).alias(name) for name in ("who", "why")),
    )


def holds(run: Run, days: list[date]) -> list[Hold]:
    """The stop checks that hold one of `days`, by day and name."""
    if not days or not run.lake.exists(LAYER, "differences"):
        return []
    stopping = run.lake.read(LAYER, "results", days).where("severity = 'stop' and status = 'fail'").select(DAY, "check")
    differences = run.lake.read(LAYER, "differences", days).join(F.broadcast(stopping), on=[DAY, "check"], how="inner")
    rows = (
        with_states(run, differences)
        .where("state = 'open'")
        .groupBy(DAY, "check")
        .agg(F.count(F.lit(1)).alias("keys"), F.sum("difference").alias("difference"))
        .orderBy(DAY, "check")
        .collect()
    )
    return [Hold(**row.asDict()) for row in rows]


def explain(run: Run, day: date, check: str, key: str, why: str, who: str) -> None:
    """Say why one difference is as it is. Raises ConfigurationError C360-162 when there is no such difference."""
    matches = (F.col("check") == check) & (F.col("key") == key)
    found = None
    if run.lake.exists(LAYER, "differences"):
        found = run.lake.read(LAYER, "differences", [day]).where(matches).first()
    if found is None:
        raise ConfigurationError(
            "C360-162",
            f"the check {check} has no such difference on {day}",
            next_step=f"c360 reconcile --date {day}, which lists keys and differences",
        )
    row = (day, check, key, "explained", found.difference, who, why, run.number)
    _append(run, run.spark.createDataFrame([row], NOTES_SCHEMA))


def note_corrections(run: Run, stored: DataFrame, found: DataFrame, applied: list[tuple[date, str]]) -> None:
    """What was stored for a day and check that apply now, and is not found any more, is corrected."""
    if not applied:
        return
    scope = run.spark.createDataFrame(applied, f"{DAY} date, check string")
    vanished = stored.join(F.broadcast(scope), on=[DAY, "check"], how="left_semi").join(found, on=KEY, how="left_anti")
    _append_some(run, _said(run, vanished, "corrected", "reconciliation", F.lit("a later delivery agrees")))


def note_quarantine(run: Run, found: DataFrame, held_back: list[tuple[date, str, int]]) -> None:
    """Differences that rows in quarantine account for, each row for one key: they wait for these rows, not for an explanation."""
    if not held_back:
        return
    scope = run.spark.createDataFrame(held_back, f"{DAY} date, check string, row_count int")
    why = F.concat(F.col("row_count").cast("string"), F.lit(" rows of its feeds were not kept: quarantine or copies"))
    said = _said(run, found.join(F.broadcast(scope), on=[DAY, "check"], how="inner"), "explained", "quarantine", why)
    if run.lake.exists(LAYER, "notes"):
        same = [*KEY, "state", "difference", "who"]
        said = said.join(run.lake.read(LAYER, "notes"), on=same, how="left_anti").select(*said.columns)
    _append_some(run, said)


def _said(run: Run, differences: DataFrame, state: str, who: str, why: Column) -> DataFrame:
    return differences.select(
        *KEY,
        F.lit(state).alias("state"),
        "difference",
        F.lit(who).alias("who"),
        why.alias("why"),
        F.lit(run.number).cast("int").alias("run"),
    )


def _append_some(run: Run, notes: DataFrame) -> None:
    """An empty commit would say that something was said."""
    if not notes.isEmpty():
        _append(run, notes)


def _append(run: Run, notes: DataFrame) -> None:
    run.lake.append(notes.coalesce(1), LAYER, "notes", {"run": run.number})
