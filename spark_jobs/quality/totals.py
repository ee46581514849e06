"""The sender's control totals behind the history engine: what stands in a slice is what was kept, and what was carried.

For every control total of a full feed, by feed-day: Σ slice = Σ as read (what the sender states) − Σ of rows held back + Σ of rows
carried. The three terms behind the equals sign are counted with the verdicts; the slices are summed in one Spark job for all feeds.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.errors import GateError
from spark_jobs.io import DAY
from spark_jobs.quality.metrics import table_figures

_CARRIED = "_carried_"


def check_slices(run: Run, days: list[date]) -> None:
    """Sum the slices of `days` and hold them against what was kept; notes `slice_sum(column)` and `carried_sum(column)`.

    A feed-day without a delivery in force has only carried rows; one that was judged before metrics were kept, or whose file lacked
    the column, is not compared. Nor is a feed with a delete flag: a row that deletes its key is kept and stands in no slice.
    Raises GateError C360-263 naming every feed-day that does not agree.
    """
    frames, wanted = {}, {}
    for contract in run.catalogue:
        if (
            not contract.delete_flag
            and contract.mode == "full"
            and contract.summed_columns
            and run.lake.exists("silver", contract.feed)
        ):
            is_carried = F.col("_as_of_date") < F.col(DAY)
            columns = {name: F.col(name) for name in contract.summed_columns}
            columns |= {f"{_CARRIED}{name}": F.when(is_carried, F.col(name)) for name in contract.summed_columns}
            slices = run.lake.read("silver", contract.feed, days)
            frames[contract.feed] = slices.select(DAY, *(value.alias(name) for name, value in columns.items()))
            wanted[contract.feed] = ["rows", *(f"sum({name})" for name in columns)]
    faults = []
    for feed, by_day in table_figures(frames, wanted, days, "silver").items():
        for day, values in by_day.items():
            for name in run.catalogue[feed].summed_columns:
                whole, carried = values[f"sum({name})"], values[f"sum({_CARRIED}{name})"]
                run.metrics.note("silver", feed, day, {f"slice_sum({name})": whole, f"carried_sum({name})": carried})
                kept = _kept(run, feed, day, name)
                if kept is not None and whole != kept + carried:
                    faults.append(
                        f"{feed} on {day}: Σ {name} is {whole:,f}, kept {kept:,f} and carried {carried:,f}: {whole - kept - carried:+,f}"
                    )
    if faults:
        raise GateError(
            "C360-263", f"{len(faults)} slices do not hold what was kept: {'; '.join(faults[:8])}", where="layer silver",
            kept="bronze and silver; yesterday stays published", next_step="report it: it is a fault of the project, not of the data",
        )  # fmt: skip


def _kept(run: Run, feed: str, day: date, column: str) -> Decimal | None:
    record = run.ledger.record(feed, day)
    if record is None or record.status != "loaded":
        return Decimal(0)
    if column in json.loads(record.detail).get("absent", ()):
        return None
    return run.metrics.history("silver", feed).get(day, {}).get(f"sum({column})")
