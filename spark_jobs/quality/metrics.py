"""Figures of feed-days and gold table-days, and their history in `meta.metrics`.

A metric is written `rows`, `sum(column)`, `share_null(column)` or `share(expression)`: a sum of one term a row, and for a share that
sum divided by the rows.

`meta.metrics` is append-only, one row per (layer, table, business_date, metric, run); the newest run's row is in force.
Layer `bronze`: rows and control totals as read, rows quarantined and dropped. Layer `silver`: the rows kept and `broken(rule)`, zeros
included; `slice_sum(column)` and `carried_sum(column)` of the slice itself. Layer `gold`: what the written rules look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cached_property, reduce
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.contracts import Contract
from spark_jobs.errors import GateError
from spark_jobs.io import DAY, Lake
from spark_jobs.quality.plausible import METRIC, SCALE, Figures, PlausibleRule
from spark_jobs.quality.rules import plausible_rules

VALUE = "decimal(38,8)"
SCHEMA = f"layer string, table string, business_date date, metric string, value {VALUE}, run int"


def term(metric: str) -> SparkColumn:
    """What one row adds to a metric."""
    kind, argument = METRIC.match(metric).groups()
    if metric == "rows":
        return F.lit(1)
    if kind == "sum":
        return F.col(argument)
    counted = F.col(argument).isNull() if kind == "share_null" else F.expr(argument)
    return F.when(counted, 1).otherwise(0)


def metrics_of(rules: Iterable[PlausibleRule]) -> list[str]:
    """The metrics `rules` look at, each once, and always the rows."""
    return list(dict.fromkeys(["rows", *(rule.metric for rule in rules)]))


def feed_metrics(contract: Contract) -> list[str]:
    """The metrics of a feed-day: its control totals and what its rules look at."""
    totals = [f"sum({name})" for name in contract.summed_columns]
    return list(dict.fromkeys(["rows", *totals, *metrics_of(day_rules(contract))]))


def day_rules(contract: Contract) -> list[PlausibleRule]:
    """All rules about figures of a feed-day: the contract's shrink limit and what its suite adds."""
    return [*contract.shrink_limit, *plausible_rules("silver", contract.meant_feed)]


def sums(frame: DataFrame, metrics: Iterable[str], where: str, among: SparkColumn | None = None) -> list[SparkColumn]:
    """One aggregate a metric, named as the metric, over the rows for which `among` is true (null: all).

    Raises GateError C360-251 for a metric that `frame` cannot give.
    """
    columns = []
    for metric in metrics:
        try:
            frame.select(term(metric).cast(VALUE))
        except AnalysisException:
            raise GateError(
                "C360-251",
                f"the metric {metric} could not be evaluated: the rule is broken, not the data",
                where=where,
                kept="the layer before it; nothing was published",
                next_step="correct the rule under expectations/suites, then load again",
            ) from None
        value = term(metric) if among is None else F.when(among, term(metric))
        columns.append(F.coalesce(F.sum(value), F.lit(0)).cast(VALUE).alias(metric))
    return columns


def figures(metrics: Iterable[str], sums_by_metric: Iterable[Mapping[str, Any]]) -> Figures:
    """The figures of one day from its sums, which may come in parts. A share of no rows is null."""
    parts = list(sums_by_metric)
    with localcontext(prec=76):
        totals = {metric: sum((Decimal(part[metric]) for part in parts), Decimal(0)) for metric in metrics}
        return {metric: _figure(metric, total, totals["rows"]) for metric, total in totals.items()}


def _figure(metric: str, total: Decimal, rows: Decimal) -> Decimal | None:
    if not metric.startswith("share"):
        return total
    return (total / rows).quantize(SCALE, ROUND_HALF_UP) if rows else None


def table_figures(
    frames: Mapping[str, DataFrame], metrics: Mapping[str, list[str]], days: Iterable[date], layer: str
) -> dict[str, dict[date, Figures]]:
    """The figures of several tables on each of `days`, all in one Spark job. A day without rows has zeros."""
    grouped = []
    for name, wanted in metrics.items():
        pairs = [F.struct(F.lit(metric).alias("metric"), F.col(f"`{metric}`").alias("value")) for metric in wanted]
        counted = frames[name].groupBy(DAY).agg(*sums(frames[name], wanted, f"{layer}.{name}"))
        grouped.append(counted.select(F.lit(name).alias("table"), DAY, F.inline(F.array(*pairs))))
    found: dict[tuple[str, date], dict[str, Decimal]] = {}
    for row in reduce(DataFrame.unionByName, grouped).collect() if grouped else ():
        found.setdefault((row.table, row[DAY]), {})[row.metric] = row.value
    return {
        name: {day: figures(wanted, [part] if (part := found.get((name, day))) else []) for day in days}
        for name, wanted in metrics.items()
    }


class Metrics:
    """The metrics of one lake: read when first asked, noted in memory, written in one commit a `flush`."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._new: list[tuple[str, str, date, str, Decimal]] = []

    @cached_property
    def _known(self) -> dict[tuple[str, str], dict[date, dict[str, Decimal]]]:
        known: dict[tuple[str, str], dict[date, dict[str, Decimal]]] = {}
        if self._lake.exists("meta", "metrics"):
            # What nothing is compared with stays in the table: it is most of it.
            rows = (
                self._lake.read("meta", "metrics").where("layer <> 'bronze' and metric not like 'broken(%'").collect()
            )
            for row in sorted(rows, key=lambda row: row.run):
                known.setdefault((row.layer, row.table), {}).setdefault(row[DAY], {})[row.metric] = row.value
        return known

    def history(self, layer: str, table: str) -> dict[date, dict[str, Decimal]]:
        """business_date → metric → value in force, of a table. What was noted counts at once."""
        return self._known.get((layer, table), {})

    def note(self, layer: str, table: str, day: date, values: Figures) -> None:
        """Add figures of a day; a null one is left out."""
        present = {metric: value for metric, value in values.items() if value is not None}
        self._known.setdefault((layer, table), {}).setdefault(day, {}).update(present)
        self._new += [(layer, table, day, metric, value) for metric, value in present.items()]

    def flush(self, run: int) -> None:
        """Write what was noted in one commit; nothing noted writes nothing."""
        if self._new:
            rows = [(*new, run) for new in self._new]
            frame = self._lake.spark.createDataFrame(rows, SCHEMA)
            self._lake.append(frame.coalesce(1), "meta", "metrics", {"run": run})
            self._new = []
