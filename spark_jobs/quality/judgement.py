"""Figures of days against their bands: which days a day is compared with, and what one Spark job counts for all gold tables; and layers
whose rules let everything go on or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from pyspark.sql import DataFrame

from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.errors import GateError
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.approvals import SHRINK
from spark_jobs.quality.gates import broken_days, must_agree, run_gate
from spark_jobs.quality.metrics import Metrics, day_rules, metrics_of, table_figures
from spark_jobs.quality.plausible import Figures, Finding, PlausibleRule, judge
from spark_jobs.quality.rules import Rule, plausible_rules, suite


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


def stop_on_failure(
    run: Run, layer: str, frames: Mapping[str, DataFrame], findings: Sequence[Finding] = (), docs: str = ""
) -> None:
    """Gate a layer whose rules only stop or warn. Raises GateError C360-257 naming every broken rule about rows, and C360-262
    naming every day whose figures are not plausible. docs: where its data docs go, if not under the layer's name."""
    tables = {}
    for name, frame in frames.items():
        rules = suite(layer, name)
        helpers = [helper for rule in rules if (helper := rule.helper()) is not None]
        tables[name] = (frame.select("*", *helpers), rules)
    results = run_gate(layer, tables, run.settings.work / "data_docs" / (docs or layer), findings)
    must_agree([result for result in results if isinstance(result.rule, PlausibleRule)], broken_days(findings))
    broken = [
        result
        for result in results
        if isinstance(result.rule, Rule) and result.unexpected and result.rule.severity == "stop"
    ]
    if broken:
        listed = "; ".join(
            f"{item.table}: {item.rule.message} in {item.unexpected:,} of {item.rows:,} rows" for item in broken[:8]
        )
        raise GateError(
            "C360-257", f"{len(broken)} rules of the {layer} layer are broken: {listed}", where=f"layer {layer}",
            kept="everything before; yesterday stays published", next_step="c360 status, correct the delivery, then load again",
        )  # fmt: skip
    doubted = [finding for finding in findings if finding.is_broken and finding.rule.severity == "stop"]
    if doubted:
        listed = "; ".join(f"{item.table} on {item.business_date}: {item.sentence()}" for item in doubted[:8])
        raise GateError(
            doubted[0].rule.code, f"{len(doubted)} figures of the {layer} layer are not plausible: {listed}", where=f"layer {layer}",
            kept="everything before; yesterday stays published",
            next_step="correct the delivery, or, if the figure is right, the rule under expectations/suites, then load again",
        )  # fmt: skip
