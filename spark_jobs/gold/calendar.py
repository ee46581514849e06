"""The calendar dimension: one row per natural day around the loaded days."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession

from spark_jobs.gold.tables import TABLES
from spark_jobs.trading_calendar import TradingCalendar

# Trading days a list looks ahead for what expires.
CALL_HORIZON = 5


def build_calendar(
    spark: SparkSession, calendar: TradingCalendar, loaded: list[date], opening: date | None
) -> DataFrame:
    """From the first of the first loaded month to the end of the last loaded month.

    `trading_date`: the last trading day on or before the natural day. `call_horizon_date`: the trading day CALL_HORIZON after the day,
    up to which lists look ahead. Nulls: next_trading_date and call_horizon_date where the calendar ends before them.
    """
    first = min(loaded).replace(day=1)
    last = (max(loaded).replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    known = set(loaded)
    rows = [
        (
            day,
            calendar.is_trading_day(day),
            calendar.on_or_before(day),
            calendar.before(day),
            calendar.after(day),
            calendar.after(day, CALL_HORIZON),
            calendar.is_month_last(day),
            day == opening,
            day in known,
        )
        for day in days
    ]
    return spark.createDataFrame(rows, TABLES["calendar"].schema).coalesce(1)
