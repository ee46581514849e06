"""How old each block is: from which business date the state of every business line comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from spark_jobs.gold.tables import TABLES, conform

BLOCKS = ("normal", "credit", "option", "fund", "advice", "fund_advice")


def build_freshness(
    spark: SparkSession, stale_feeds: Mapping[date, Mapping[str, date | None]], lines: Mapping[str, str]
) -> DataFrame:
    """The oldest state in each block on each day of `stale_feeds`.

    Grain:  one row per (block, business_date).
    Source: the ledger: per day the feeds not loaded and the day their state comes from; `lines` is feed → line.
    Nulls:  as_of_date is null when a feed of the block has never been delivered; the block is then stale too.
    """
    rows = []
    for day, carried in stale_feeds.items():
        for block in BLOCKS:
            known = [as_of for feed, as_of in carried.items() if lines[feed] == block]
            oldest = None if None in known else min([day, *known])
            rows.append((block, day, oldest, oldest != day))
    return conform(spark.createDataFrame(rows, TABLES["freshness"].schema).coalesce(1), "freshness")
