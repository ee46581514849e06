"""Figures of days against their bands: which days a day is compared with, and what one Spark job counts for all gold tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from pyspark.sql import DataFrame

from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.approvals import SHRINK
from spark_jobs.quality.metrics import Metrics, day_rules, metrics_of, table_figures
from spark_jobs.quality.plausible import Figures, Finding, judge
from spark_jobs.quality.rules import plausible_rules


def judge_feed_day(
    run: Run, contract: Contract, day: date, figures: Figures, loaded: Mapping[date, str]
) -> list[Finding]:
    """What the rules about figures say of one feed-day. `loaded`: digest of every delivery that counts as known, by its day.

    A shrunk delivery that was accepted starts a new level: older days are no measure any more.
    """
    accepted = [
        one for one, digest in loaded.items() if one < day and run.approvals.of(SHRINK, contract.feed, one, digest)
    ]
    since = max(accepted, default=date.min)
    known = run.metrics.history("silver", contract.feed)
    history = {one: values for one, values in known.items() if one in loaded and one >= since}
    return [
        judge(rule, "silver", contract.feed, day, figures, history, run.calendar.is_month_last)
        for rule in day_rules(contract)
    ]


def note_feed_day(metrics: Metrics, record: DeliveryRecord, values: Figures) -> None:
    """Note what was counted of a feed-day: as read in layer bronze, the rows kept and every rule, zeros included, in silver."""
    detail = json.loads(record.detail)
    read = {
        "rows": record.rows_read,
        "rows_quarantined": record.rows_quarantined,
        "rows_duplicate": record.rows_duplicate,
    }
    read |= {f"sum({name})": total for name, total in detail["totals"].items()}
    broken = {f"broken({rule})": rows for rule, rows in detail["broken"].items()}
    for layer, counted in (("bronze", read), ("silver", broken)):
        metrics.note(
            layer, record.feed, record.business_date, {name: Decimal(value) for name, value in counted.items()}
        )
    metrics.note("silver", record.feed, record.business_date, values)


def judge_gold(run: Run, frames: Mapping[str, DataFrame], days: list[date]) -> list[Finding]:
    """What the rules about figures say of `days` of the gold tables; the figures are noted. `frames`: exactly these days."""
    rules = {name: found for name in frames if (found := plausible_rules("gold", name))}
    counted = table_figures(frames, {name: metrics_of(found) for name, found in rules.items()}, days, "gold")
    findings = []
    for name, found in rules.items():
        history = {day: values for day, values in run.metrics.history("gold", name).items() if day not in days}
        history |= counted[name]
        for day in days:
            run.metrics.note("gold", name, day, counted[name][day])
            findings += [
                judge(rule, "gold", name, day, counted[name][day], history, run.calendar.is_month_last)
                for rule in found
            ]
    return findings
