"""Control totals behind the history engine: Σ slice = Σ kept + Σ carried, by feed-day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import GateError
from spark_jobs.io import Lake
from spark_jobs.quality.metrics import Metrics
from spark_jobs.quality.totals import check_slices

FEED = "normal_counter__cash_balances"
MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
# Tuesday: one row kept, one carried because its own was withheld. Wednesday: nothing delivered, all carried.
SLICES = [
    (MONDAY, MONDAY, "100.00"), (MONDAY, MONDAY, "-0.01"), (TUESDAY, TUESDAY, "70.10"), (TUESDAY, MONDAY, "-0.01"),
    (WEDNESDAY, TUESDAY, "70.10"), (WEDNESDAY, MONDAY, "-0.01"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("slices")))
    rows = [(day, as_of, Decimal(amount)) for day, as_of, amount in SLICES]
    frame = spark.createDataFrame(rows, "business_date date, _as_of_date date, balance_amount decimal(18,2)")
    lake.replace_days(frame.coalesce(1), "silver", FEED, [MONDAY, TUESDAY, WEDNESDAY], {})
    return lake


@pytest.fixture
def checked(lake: Lake) -> Callable[[dict[date, str]], Metrics]:
    """Runs the check with these sums of the rows kept; Monday and Tuesday are loaded, Wednesday was not delivered."""

    def check(kept: dict[date, str], detail: str = "{}") -> Metrics:
        metrics = Metrics(lake)
        for day, amount in kept.items():
            metrics.note("silver", FEED, day, {"sum(balance_amount)": Decimal(amount)})
        status = {MONDAY: "loaded", TUESDAY: "loaded", WEDNESDAY: "missing"}
        ledger = SimpleNamespace(record=lambda feed, day: SimpleNamespace(status=status[day], detail=detail))
        run = SimpleNamespace(catalogue=load_catalogue(), lake=lake, metrics=metrics, ledger=ledger)
        check_slices(run, [MONDAY, TUESDAY, WEDNESDAY])
        return metrics

    return check


def test_slices_that_hold_what_was_kept_and_carried_are_noted(checked):
    found = checked({MONDAY: "99.99", TUESDAY: "70.10"}).history("silver", FEED)
    sums = [
        (found[day]["slice_sum(balance_amount)"], found[day]["carried_sum(balance_amount)"]) for day in sorted(found)
    ]
    assert sums == [
        (Decimal("99.99"), 0), (Decimal("70.09"), Decimal("-0.01")), (Decimal("70.09"), Decimal("70.09")),
    ]  # fmt: skip


def test_a_cent_that_got_lost_on_the_way_stops_gold(checked):
    with pytest.raises(GateError, match="C360-263") as error:
        checked({MONDAY: "99.99", TUESDAY: "70.11"})
    assert f"1 slices do not hold what was kept: {FEED} on {TUESDAY}" in str(error.value)
    assert "Σ balance_amount is 70.09" in str(error.value) and "-0.01" in str(error.value)


def test_a_day_judged_before_metrics_were_kept_is_not_compared(checked):
    checked({TUESDAY: "70.10"})


def test_a_column_the_file_lacked_is_carried_and_not_compared(checked):
    checked({MONDAY: "99.99", TUESDAY: "0.00"}, '{"absent": ["balance_amount"]}')
