"""Figures counted by Spark, and their history in a lake."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from spark_jobs.errors import GateError
from spark_jobs.io import Lake
from spark_jobs.quality.metrics import Metrics, table_figures

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


@pytest.fixture(scope="module")
def trades(spark: SparkSession):
    rows = [(MONDAY, "a", Decimal("10.05")), (MONDAY, None, Decimal("-0.05")), (MONDAY, "b", None)]
    return spark.createDataFrame(rows, "business_date date, branch_id string, amount decimal(18,2)")


def test_each_kind_of_metric_is_counted_by_day_in_one_go(trades):
    wanted = {"trades": ["rows", "sum(amount)", "share_null(branch_id)", "share(amount > 0)"], "again": ["rows"]}
    found = table_figures({"trades": trades, "again": trades}, wanted, [MONDAY, TUESDAY], "gold")
    third = Decimal("0.33333333")
    assert found["trades"][MONDAY] == {
        "rows": 3, "sum(amount)": 10, "share_null(branch_id)": third, "share(amount > 0)": third,
    }  # fmt: skip
    assert found["trades"][TUESDAY] == {
        "rows": 0, "sum(amount)": 0, "share_null(branch_id)": None, "share(amount > 0)": None,
    }  # fmt: skip
    assert found["again"][MONDAY] == {"rows": 3}


@pytest.mark.parametrize("metric", ["sum(nothing)", "share(amount >)", "share_null(nothing)"])
def test_a_metric_that_cannot_be_evaluated_is_broken_not_the_data(trades, metric):
    with pytest.raises(GateError, match="C360-251") as error:
        table_figures({"trades": trades}, {"trades": ["rows", metric]}, [MONDAY], "gold")
    assert "gold.trades" in str(error.value)


def test_the_newest_run_is_in_force_and_zeros_are_kept(spark, tmp_path):
    lake = Lake(spark, str(tmp_path))
    metrics = Metrics(lake)
    assert metrics.history("silver", "feed") == {}
    metrics.flush(1)
    assert not lake.exists("meta", "metrics"), "nothing noted writes nothing"
    metrics.note("silver", "feed", MONDAY, {"rows": Decimal(5), "sum(a)": Decimal("1.00000001"), "share(b)": None})
    metrics.note("silver", "feed", TUESDAY, {"rows": Decimal(0)})
    metrics.flush(2)
    metrics.note("silver", "feed", MONDAY, {"rows": Decimal(4)})
    metrics.flush(1)
    read = Metrics(lake).history("silver", "feed")
    assert read == {MONDAY: {"rows": 5, "sum(a)": Decimal("1.00000001")}, TUESDAY: {"rows": 0}}
    assert len(lake.commits("meta", "metrics")) == 2
