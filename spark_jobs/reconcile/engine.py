"""All checks of a range of days in one pass: one comparison, one commit of results, one of differences.

`reconciliation.results` has one row per (business_date, check): what was compared and how it ended.
`reconciliation.differences` has one row per (business_date, check, key) that differs by more than the tolerance.
Both are replaced by business date, so a repeated run gives the same rows; what people say of a difference is kept apart, in `notes`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.errors import GateError
from spark_jobs.io import DAY, in_days, local_folder
from spark_jobs.reconcile.checks import AMOUNT, REFERENCE, Check
from spark_jobs.reconcile.notes import LAYER, note_corrections, note_quarantine

RESULTS_SCHEMA = (
    f"business_date date, check string, severity string, keys_compared long, keys_different long, left_total {AMOUNT}, "
    f"right_total {AMOUNT}, difference {AMOUNT}, tolerance {AMOUNT}, status string, run int"
)
ZERO = Decimal("0.000000")
Windows = dict[date, date | None]


def reconcile(run: Run, checks: list[Check], days: list[date]) -> None:
    """Compare both sides of every check on every one of `days` and store what came out.

    status: `pass`, `fail` (keys differ by more than the tolerance) or `not_applicable`: a feed the check rests on is not
    loaded, there is no day before to look back to, or the day is the opening baseline. Raises GateError C360-272 for a check
    that cannot be evaluated.
    """
    windows = {check.name: _windows_of(run, check, days) for check in checks}
    compared = _compare(run, [check for check in checks if windows[check.name]], windows)
    totals = {}
    if compared is not None:
        compared = compared.persist()
        totals = {(row[DAY], row["check"]): row for row in _summed(compared).collect()}
    rows = [
        _result(run, check, day, totals.get((day, check.name)), day in windows[check.name])
        for day in days
        for check in checks
    ]
    found = compared.where("differs").drop("differs") if compared is not None else None
    if found is not None and (any(row["keys_different"] for row in rows) or run.lake.exists(LAYER, "differences")):
        _store_differences(run, found, checks, windows, rows, days)
    results = run.spark.createDataFrame(rows, RESULTS_SCHEMA).coalesce(1)
    run.lake.replace_days(results, LAYER, "results", days, {"run": run.number})
    if compared is not None:
        compared.unpersist()


def applicable_days(
    check: Check, known: list[date], days: list[date], loaded: Callable[[str], set[date]], events: frozenset[str]
) -> Windows:
    """The days of `days` a check applies to, each with the day it looks back to (None: it does not look back).

    It looks back to the last day on which all its states were loaded. Where days lie between, what happened on them counts
    too, so its event feeds must be loaded for each; a hole in them leaves nothing to compare with.
    """

    def is_loaded(day: date, feeds: frozenset[str]) -> bool:
        return all(day in loaded(feed) for feed in feeds)

    found: Windows = {}
    for day in days:
        if not is_loaded(day, check.feeds):
            continue
        if not check.looks_back:
            found[day] = None
            continue
        before = max((other for other in known if other < day and is_loaded(other, check.feeds - events)), default=None)
        if before and all(is_loaded(other, check.feeds & events) for other in known if before < other < day):
            found[day] = before
    return found


def _windows_of(run: Run, check: Check, days: list[date]) -> Windows:
    loaded = {feed: set(run.ledger.loaded_days(feed)) for feed in check.feeds}
    compared = [day for day in days if day != run.ledger.opening_day()]
    return applicable_days(check, run.ledger.days(), compared, loaded.__getitem__, _events(run))


def _events(run: Run) -> frozenset[str]:
    return frozenset(contract.feed for contract in run.catalogue if contract.mode == "event")


# ---------------------------------------------------------------- comparing


def _compare(run: Run, checks: list[Check], windows: dict[str, Windows]) -> DataFrame | None:
    """Grain: (check, business_date, key): left, right and signed difference of every key, and whether it `differs`."""
    views: dict[Any, str] = {}
    try:
        parts = [part for check in checks for part in _sides(run, check, windows[check.name], views)]
        if not parts:
            return None
        sides = reduce(DataFrame.union, parts)
        summed = sides.groupBy("check", DAY, "key", "tolerance", "limit").agg(
            *(F.coalesce(F.sum(name), F.lit(ZERO)).cast(AMOUNT).alias(name) for name in ("left_amount", "right_amount"))
        )
        allowed = F.when(F.col("limit").isNull(), F.col("right_amount")).otherwise(F.least("left_amount", "limit"))
        return (
            summed.withColumn("right_amount", allowed.cast(AMOUNT))
            .withColumn("difference", (F.col("left_amount") - F.col("right_amount")).cast(AMOUNT))
            .withColumn("differs", F.abs("difference") > F.col("tolerance"))
            .drop("tolerance", "limit")
        )
    finally:
        for view in views.values():
            run.spark.catalog.dropTempView(view)


def _sides(run: Run, check: Check, windows: Windows, views: dict[Any, str]) -> list[DataFrame]:
    key = F.concat_ws("|", *(F.coalesce(F.col(name).cast("string"), F.lit("")) for name in check.grain))
    sides = [("left_amount", check.left), ("right_amount", check.right)]

    def one(name: str, sql: str) -> DataFrame:
        rows = run.spark.sql(REFERENCE.sub(lambda match: _view(run, check, match[1], match[2], windows, views), sql))
        return rows.select(
            F.lit(check.name).alias("check"),
            DAY,
            key.alias("key"),
            F.lit(check.tolerance).cast(AMOUNT).alias("tolerance"),
            F.lit(check.limit).cast(AMOUNT).alias("limit"),
            *(
                (F.col("amount") if side == name else F.lit(None)).cast(AMOUNT).alias(side)
                for side in ("left_amount", "right_amount")
            ),
        )

    try:
        return [one(name, sql) for name, sql in sides if sql is not None]
    except AnalysisException as error:
        raise GateError(
            "C360-272", f"the check {check.name} cannot be evaluated: {error.getCondition()}", where=f"{check.name}.yml",
            kept="gold; yesterday stays published", next_step="correct the file under expectations/reconciliation, then load again",
        ) from error  # fmt: skip


def _view(run: Run, check: Check, space: str, name: str, windows: Windows, views: dict[Any, str]) -> str:
    """The temporary view of one table for these windows; checks with the same windows share it."""
    if space == "load":
        dates = {day: day for day in windows}
    elif space == "previous":
        dates = {before: day for day, before in windows.items()}
    elif check.looks_back and name in _events(run):
        # What happened since the day looked back to counts to the day compared.
        dates = {other: day for day, before in windows.items() for other in run.ledger.days() if before < other <= day}
    else:
        dates = {day: day for day in windows}
    identity = (space, name, tuple(sorted(dates.items())))
    if identity not in views:
        views[identity] = f"reconcile_{len(views)}_{name}"
        _frame(run, space, name, dates).createOrReplaceTempView(views[identity])
    return views[identity]


def _frame(run: Run, space: str, name: str, dates: dict[date, date]) -> DataFrame:
    if space == "load":
        return _LOAD_FACTS[name](run, sorted(dates))
    frame = run.lake.read("gold" if space == "gold" else "silver", name, sorted(dates))
    if all(source == target for source, target in dates.items()):
        return frame
    pairs = F.create_map(*(F.lit(day) for pair in dates.items() for day in pair))
    return frame.withColumn(DAY, F.element_at(pairs, F.col(DAY)))


def _stated_totals(run: Run, days: list[date]) -> DataFrame:
    """The sums the senders state in the manifests in force. Grain: (business_date, feed, total)."""
    rows = [
        (record.business_date, record.feed, name.removeprefix("sum(").rstrip(")"), Decimal(value))
        for day in days
        for record in run.ledger.records(day)
        for name, value in json.loads(record.detail).get("stated", {}).items()
        if record.status == "loaded" and name.startswith("sum(")
    ]
    return run.spark.createDataFrame(rows, f"business_date date, feed string, total string, amount {AMOUNT}")


def _disk_usage(run: Run, days: list[date]) -> DataFrame:
    """How full the lake's file system is while the days are loaded; no row for a lake on another machine."""
    root = local_folder(run.lake.root)
    rows = []
    if root is not None:
        usage = shutil.disk_usage(root)
        percent = (Decimal(usage.used) * 100 / Decimal(usage.used + usage.free)).quantize(Decimal("0.01"))
        rows = [(day, "lake", percent) for day in days]
    return run.spark.createDataFrame(rows, "business_date date, file_system string, used_percent decimal(5,2)")


_LOAD_FACTS = {"stated_totals": _stated_totals, "disk_usage": _disk_usage}


# ---------------------------------------------------------------- storing


def _summed(compared: DataFrame) -> DataFrame:
    sums = ("left_amount", "right_amount", "difference")
    return compared.groupBy(DAY, "check").agg(
        F.count(F.lit(1)).alias("keys_compared"),
        F.count_if(F.col("differs")).alias("keys_different"),
        *(F.sum(name).cast(AMOUNT).alias(name) for name in sums),
    )


def _result(run: Run, check: Check, day: date, found: Any, applies: bool) -> dict[str, Any]:
    """One row of results; both sides empty is agreement about nothing, and passes."""
    different = found["keys_different"] if found else 0
    return {
        "business_date": day,
        "check": check.name,
        "severity": check.severity,
        "keys_compared": found["keys_compared"] if found else 0,
        "keys_different": different,
        "left_total": found["left_amount"] if found else ZERO,
        "right_total": found["right_amount"] if found else ZERO,
        "difference": found["difference"] if found else ZERO,
        "tolerance": check.tolerance,
        "status": ("fail" if different else "pass") if applies else "not_applicable",
        "run": run.number,
    }


def _store_differences(
    run: Run, found: DataFrame, checks: list[Check], windows: dict[str, Windows], rows: list[dict], days: list[date]
) -> None:
    numbers = {day: number for number, day in enumerate(run.ledger.days())}
    earlier = [day for day in numbers if day < min(days)]
    stored = run.lake.read(LAYER, "differences") if run.lake.exists(LAYER, "differences") else None
    before = stored.where(in_days(earlier[-1:])) if stored is not None and earlier else None
    differences = with_first_seen(found, before, numbers).where(in_days(days)).persist()
    if stored is not None:
        applied = [(day, check.name) for check in checks for day in windows[check.name]]
        note_corrections(run, stored.where(in_days(days)), differences, applied)
    by_name = {check.name: check for check in checks}
    held_back = [
        (row[DAY], row["check"], count)
        for row in rows
        if row["keys_different"]
        and row["keys_different"]
        <= (count := _rows_not_kept(run, by_name[row["check"]], row[DAY], windows[row["check"]][row[DAY]]))
    ]
    note_quarantine(run, differences, held_back)
    run.lake.replace_days(differences.coalesce(1), LAYER, "differences", days, {"run": run.number})
    differences.unpersist()


def with_first_seen(found: DataFrame, before: DataFrame | None, numbers: dict[date, int]) -> DataFrame:
    """Adds first_seen_date: the first of the business dates in a row on which the key differs.

    `before`: the differences stored for the day before, which a row of days may have begun with; they stay in the result.
    """
    columns = [DAY, "check", "key", "left_amount", "right_amount", "difference", "first_seen_date"]
    rows = found.withColumn("first_seen_date", F.lit(None).cast("date")).select(*columns)
    if before is not None:
        rows = rows.unionByName(before.select(*columns))
    place = F.element_at(F.create_map(*(F.lit(item) for pair in numbers.items() for item in pair)), F.col(DAY))
    by_key = Window.partitionBy("check", "key").orderBy(DAY)
    goes_on: Column = F.coalesce(place - F.lag(place).over(by_key) == 1, F.lit(False))
    start = F.when(~goes_on, F.coalesce("first_seen_date", DAY))
    first = F.last("start", ignorenulls=True).over(by_key.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return rows.withColumn("start", start).withColumn("first_seen_date", first).drop("start")


def _rows_not_kept(run: Run, check: Check, day: date, before: date | None) -> int:
    """Rows in quarantine, of the feeds and days a check rests on: each can put one key out."""
    records = [run.ledger.record(feed, one) for feed in check.feeds for one in {day, before or day}]
    return sum(
        record.rows_quarantined + (record.rows_duplicate if check.counts_copies else 0) for record in records if record
    )
