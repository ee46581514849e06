"""Since when a key has differed: an unbroken row of business dates, across the edge of what is reconciled now."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import SparkSession

from spark_jobs.reconcile.checks import AMOUNT
from spark_jobs.reconcile.engine import with_first_seen

SCHEMA = (
    f"business_date date, check string, key string, left_amount {AMOUNT}, right_amount {AMOUNT}, difference {AMOUNT}"
)
# A weekend lies between the third and the fourth.
DAYS = [date(2026, 1, 7), date(2026, 1, 8), date(2026, 1, 9), date(2026, 1, 12)]
NUMBERS = {day: number for number, day in enumerate(DAYS)}


def row(day: int, key: str, *more) -> tuple:
    return DAYS[day], "cash", key, Decimal(1), Decimal(0), Decimal(1), *more


def test_a_difference_is_seen_first_where_its_row_of_days_began(spark: SparkSession):
    long_ago = date(2025, 12, 30)
    before = spark.createDataFrame(
        [row(0, "from before", long_ago), row(0, "gone", long_ago)], f"{SCHEMA}, first_seen_date date"
    )
    found = spark.createDataFrame(
        [row(1, "from before"), row(2, "from before"), row(2, "over a weekend"), row(3, "over a weekend"),
         row(1, "comes again"), row(3, "comes again"), row(2, "gone")],
        SCHEMA,
    )  # fmt: skip
    seen = {
        (item.business_date, item.key): item.first_seen_date
        for item in with_first_seen(found, before, NUMBERS).collect()
        if item.business_date > DAYS[0]
    }
    assert seen == {
        (DAYS[1], "from before"): long_ago,
        (DAYS[2], "from before"): long_ago,
        (DAYS[2], "over a weekend"): DAYS[2],
        (DAYS[3], "over a weekend"): DAYS[2],
        (DAYS[1], "comes again"): DAYS[1],
        (DAYS[3], "comes again"): DAYS[3],
        (DAYS[2], "gone"): DAYS[2],
    }
