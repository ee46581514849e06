"""The institutional cockpit on a day that is held: what it needs is there, the rest is as it was last known.

What such a day shows is worked out by the builders and models of every other day, from the slices of the day and, for feeds that are late, from the last
slice before it. Nothing of it goes into gold or the marts: once the day is whole it is built and published again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.gold.build import build_gold, sightings
from spark_jobs.gold.calendar import build_calendar
from spark_jobs.gold.freshness import build_freshness
from spark_jobs.gold.origins import FEEDS
from spark_jobs.ingest.feed import read_slices
from spark_jobs.ingest.quarantine import held_rows
from spark_jobs.io import DAY, Lake, local_folder
from spark_jobs.publish.candidate import build_candidate, drop_candidate
from spark_jobs.publish.marts import COCKPIT
from spark_jobs.publish.publishing import gate_marts, publish_cockpit
from spark_jobs.quality.judgement import stop_on_failure
from spark_jobs.silver.members import build_new_members

# Who is there and what it has with us; all else may be a day older.
NEEDED = (
    "normal_counter__clients",
    "normal_counter__cash_accounts",
    "normal_counter__cash_balances",
    "normal_counter__positions",
    "reference__branches",
    "reference__exchange_rates",
    "reference__prices",
    "reference__securities",
)
# The tables of gold its models read.
GOLD = ("customers", "customer_merges", "customer_assets", "holdings", "institutions", "branches", "freshness")
MODELS = "+tag:cockpit"
# What it shows comes from these: that another feed is late makes nothing of it older.
_SHOWN = frozenset(feed for table in GOLD for feed in FEEDS[table])


def days_ahead(run: Run, buildable: list[date]) -> list[date]:
    """Days that wait, for a feed of their own or of a day before, none of which the cockpit needs on them, and whose cockpit is not published
    as they are now. buildable: the days that do not wait."""
    return [
        day
        for day in run.ledger.days()
        if day > max(buildable, default=date.max)
        and not set(run.ledger.blocking(day)) & set(NEEDED)
        and not run.ledger.is_done(day, COCKPIT.step)
    ]


def publish_ahead(run: Run, days: list[date], environment: Mapping[str, str]) -> None:
    """Publish the cockpit of days that are held, each as old as its parts are.

    Raises GateError C360-257 and C360-256, as for every other day.
    """
    stale = {day: run.ledger.stale_feeds(day) | _late(run, day) for day in days}
    lake = Lake(run.spark, f"{run.lake.root}/candidate/ahead_{run.number:06d}")
    try:
        # One by one: the same customers may not be merged on all of them.
        for day in days:
            with run.timed("cockpit gold"):
                _build_gold(run, lake, day, stale[day])
            with run.timed("dbt"):
                build_candidate(run, [day], lake, MODELS)
            gate_marts(run, COCKPIT, [day])
            publish_cockpit(run, [day], stale, environment)
            drop_candidate(run)
    finally:
        if folder := local_folder(lake.root):
            shutil.rmtree(Path(folder), ignore_errors=True)


def _late(run: Run, day: date) -> dict[str, date | None]:
    """Feeds the day waits for, with the day their state comes from."""
    return {
        feed: max((known for known in run.ledger.loaded_days(feed) if known < day), default=None)
        for feed in run.ledger.blocking(day)
    }


def _last_slice(run: Run, feed: str, day: date) -> date | None:
    return max((known for known in run.ledger.chain(feed) if known <= day), default=None)


def _build_gold(run: Run, lake: Lake, day: date, stale: Mapping[str, date | None]) -> None:
    metadata = {"run": run.number}
    known = run.lake.read("silver", "customer_members").where(f"{DAY} < date'{day}'")

    def slices(feed: str) -> DataFrame:
        """The slice of the day, or the last before it; of events only those of the day."""
        last = day if run.catalogue[feed].mode == "event" else _last_slice(run, feed, day)
        return read_slices(run, feed, [last or day]).withColumn(DAY, F.lit(day))

    new = build_new_members(sightings(slices), known)
    members = known.unionByName(new.select(*known.columns))
    frames = build_gold(slices, members, held_rows(run, [day]), [day], run.settings.margin_watch_line)
    frames["freshness"] = build_freshness(
        run.spark,
        {day: {feed: known for feed, known in stale.items() if feed in _SHOWN}},
        {contract.feed: contract.line for contract in run.catalogue},
    )
    for name in GOLD:
        lake.replace_days(frames[name].coalesce(2), "gold", name, [day], metadata)
    calendar = build_calendar(run.spark, run.calendar, run.ledger.days(), run.ledger.opening_day())
    lake.replace_all(calendar, "gold", "calendar", metadata)
    stop_on_failure(run, "gold", {name: lake.read("gold", name, [day]) for name in GOLD}, docs="cockpit_gold")
    for frame in frames.values():
        frame.unpersist()
