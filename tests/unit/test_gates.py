"""Findings about figures as expectations: Great Expectations must see what the rule saw, and say when it could not look."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest

from spark_jobs.errors import GateError
from spark_jobs.quality.gates import broken_days, must_agree, run_gate
from spark_jobs.quality.judgement import stop_on_failure
from spark_jobs.quality.plausible import Finding, PlausibleRule

MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
RULE = PlausibleRule(
    "rows_are_as_usual", "rows", "stop", "the rows are unusual", days=5, below=Decimal("0.2"), at_least=2
)


def finding(day: date, value: str, low: str | None = "80", table: str = "some__feed") -> Finding:
    median = None if low is None else Decimal(100)
    return Finding("silver", table, day, RULE, Decimal(value), 3, median, None if low is None else Decimal(low))


def test_days_out_of_their_band_are_counted_and_zeros_are_kept(tmp_path):
    findings = [
        finding(MONDAY, "79.99999999"), finding(TUESDAY, "80"), finding(WEDNESDAY, "1", low=None),
        finding(MONDAY, "100", table="other__feed"),
    ]  # fmt: skip
    results = run_gate("silver", {}, tmp_path, findings)
    assert {(result.table, result.unexpected) for result in results} == {("some__feed", 1), ("other__feed", 0)}
    must_agree(results, broken_days(findings))
    pages = " ".join(page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html"))
    assert "20% less than the median of 5 trading days" in pages
    assert "not enough history" in pages


def test_a_rule_that_cannot_be_evaluated_is_broken_not_the_data(tmp_path):
    class Unusable(Finding):
        outside = "not a number"

    bad = Unusable("silver", "some__feed", MONDAY, RULE, Decimal(1), 3, Decimal(100), Decimal(80))
    with pytest.raises(GateError, match="C360-251") as error:
        run_gate("silver", {}, tmp_path, [bad])
    assert "rows_are_as_usual" in str(error.value) and "silver.some__feed" in str(error.value)


def test_a_gate_that_counts_otherwise_breaks_the_rule(tmp_path):
    results = run_gate("silver", {}, tmp_path, [finding(MONDAY, "10")])
    with pytest.raises(GateError, match="C360-252"):
        must_agree(results, {("some__feed", "rows_are_as_usual"): 0})


def test_no_rules_and_no_figures_need_no_gate(tmp_path):
    assert run_gate("silver", {}, tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("severity", "stops"), [("stop", True), ("warn", False)])
def test_a_figure_of_gold_stops_the_load_only_if_its_rule_says_so(tmp_path, severity, stops):
    rule = replace(RULE, severity=severity)
    run = SimpleNamespace(settings=SimpleNamespace(work=tmp_path))
    bad = [replace(finding(MONDAY, "10"), rule=rule)]
    if not stops:
        stop_on_failure(run, "gold", {}, bad)
        return
    with pytest.raises(GateError, match="C360-262") as error:
        stop_on_failure(run, "gold", {}, bad)
    assert f"some__feed on {MONDAY}: the rows are unusual: rows is 10, 90.0% under the median 100" in str(error.value)
