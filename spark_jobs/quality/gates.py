"""Gates: Great Expectations decides whether a layer may go on.

A gate takes frames before the split, makes native expectations from the same rules that split the rows, and compares: where
GX counts other rows than the Spark verdict did, the rule is broken, not the data. Results and data docs hold counts and never a
customer's value (`partial_unexpected_count` is 0).

Findings about figures are expectations too, all of a layer on one small frame that Spark never sees: one row a business date, one
column a rule, the value being how far the figure lies outside its band; 0 is expected, null is a rule that is silent.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame

from spark_jobs.errors import GateError
from spark_jobs.io import DAY
from spark_jobs.quality.plausible import Finding, PlausibleRule
from spark_jobs.quality.rules import Rule

# Counts only: examples would be customer values.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class GateResult:
    """What one rule met in one table. `unexpected`: rows (for a plausible rule: days) that broke it, of `rows`."""

    layer: str
    table: str
    rule: Rule | PlausibleRule
    rows: int
    unexpected: int


def run_gate(
    layer: str,
    tables: Mapping[str, tuple[DataFrame, list[Rule]]],
    docs_folder: Path,
    findings: Sequence[Finding] = (),
    threads: int = 2,
) -> list[GateResult]:
    """Validate every table of a layer and the findings about its figures, and build its data docs once.

    Frames carry the helper columns of their rules. Raises GateError C360-251 when a rule cannot be evaluated.
    """
    chosen = {name: pair for name, pair in tables.items() if pair[1]}
    if not chosen and not findings:
        return []
    context = _context(docs_folder)
    lanes: list[list[str]] = [[] for _ in range(min(threads, len(chosen)))]
    for position, name in enumerate(sorted(chosen)):
        lanes[position % len(lanes)].append(name)
    definitions = {}
    for number, names in enumerate(lanes):
        # An execution engine belongs to its data source and knows one active batch: a lane of work has its own.
        source = context.data_sources.add_spark(name=f"{layer} {number}", persist=False)
        for name in names:
            definitions[name] = _define(context, source, f"{layer}.{name}", map(_expectation, chosen[name][1]))

    def run_lane(names: list[str]) -> list[GateResult]:
        found = []
        for name in names:
            frame, table_rules = chosen[name]
            rules = {rule.name: rule for rule in table_rules}
            for item in _outcome(definitions[name], frame):
                rule = rules[item.expectation_config.meta["rule"]]
                found.append(_read(layer, name, rule, f"column {rule.column}", item))
        return found

    with ThreadPoolExecutor(max(1, len(lanes))) as pool:
        results = [result for found in pool.map(run_lane, lanes) for result in found]
    if findings:
        results += _gate_figures(context, layer, findings)
    context.build_data_docs()
    return results


def must_agree(results: Sequence[GateResult], counted: Mapping[tuple[str, str], int]) -> None:
    """Raises GateError C360-252 where the gate counted otherwise than we did: the rule is broken, and nothing it says counts.

    counted: (table, rule) → rows that broke it; for a plausible rule, days.
    """
    for result in results:
        ours = counted[result.table, result.rule.name]
        if result.unexpected != ours:
            raise GateError(
                "C360-252",
                f"the rule {result.rule.name} counts {result.unexpected:,} in Great Expectations and {ours:,} in Spark",
                where=f"{result.layer}.{result.table}",
                kept="the layer before it; nothing went on",
                next_step="correct the rule under expectations/suites, then load again",
            )


def broken_days(findings: Iterable[Finding]) -> dict[tuple[str, str], int]:
    """(table, rule) → days on which the rule is broken, zeros kept."""
    counted: dict[tuple[str, str], int] = {}
    for finding in findings:
        key = (finding.table, finding.rule.name)
        counted[key] = counted.get(key, 0) + finding.is_broken
    return counted


def _define(context, source, name: str, expectations: Iterable):
    import great_expectations as gx

    suite = gx.ExpectationSuite(name=name)
    for expectation in expectations:
        suite.add_expectation(expectation)
    batch = source.add_dataframe_asset(name=name.partition(".")[2]).add_batch_definition_whole_dataframe("range")
    definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(suite))
    return context.validation_definitions.add(definition)


def _outcome(definition, frame) -> list:
    return definition.run(batch_parameters={"dataframe": frame}, result_format=_RESULT_FORMAT).results


def _gate_figures(context, layer: str, findings: Sequence[Finding]) -> list[GateResult]:
    """One expectation a rule, on a frame with one row a business date."""
    columns: dict[str, dict[date, Finding]] = {}
    for finding in findings:
        columns.setdefault(f"{finding.table}: {finding.rule.name}", {})[finding.business_date] = finding
    days = sorted({finding.business_date for finding in findings})
    frame = pd.DataFrame(
        {name: [by_day[day].outside if day in by_day else None for day in days] for name, by_day in columns.items()},
        index=pd.Index(days, name=DAY),
        dtype=object,
    )
    expectations = [_figure_expectation(name, by_day[max(by_day)]) for name, by_day in columns.items()]
    source = context.data_sources.add_pandas(name=f"{layer} figures")
    found = _outcome(_define(context, source, f"{layer}.figures_of_days", expectations), frame)
    results = []
    for item in found:
        name = item.expectation_config.kwargs["column"]
        newest = columns[name][max(columns[name])]
        results.append(_read(layer, newest.table, newest.rule, newest.rule.metric, item))
    return results


def _figure_expectation(column: str, newest: Finding):
    import great_expectations.expectations as gxe

    rule = newest.rule
    return gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=0,
        max_value=0,
        description=f"{newest.table}: {rule.metric} lies 0 outside its band ({rule.band}). {newest.business_date}: {newest.sentence()}",
        meta=_meta(rule),
    )


def _context(docs_folder: Path):
    import great_expectations as gx

    # The second speaks at a level of its own, whatever its parent says.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.add_data_docs_site(
        "local",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(docs_folder.resolve()),
            },
        },
    )
    for site in list(context.get_site_names()):
        if site != "local":
            context.delete_data_docs_site(site)
    return context


def _expectation(rule: Rule):
    shared = {"column": rule.tested_column, "meta": _meta(rule)}
    match rule.kind:
        case "not_null":
            return _counting("ExpectColumnValuesToNotBeNull")(**shared)
        case "holds":
            return _counting("ExpectColumnValuesToBeInSet")(**shared, value_set=[True])
        case "in_set":
            return _counting("ExpectColumnValuesToBeInSet")(**shared, value_set=rule.arguments["values"])
        case "matches":
            return _counting("ExpectColumnValuesToMatchRegex")(**shared, regex=rule.arguments["pattern"])
        case _:
            return _counting("ExpectColumnValuesToBeBetween")(
                **shared, min_value=rule.arguments.get("min"), max_value=rule.arguments.get("max")
            )


@cache
def _counting(name: str) -> type:
    """The native expectation of that name, but for the query that fetches examples: of no examples it asks Spark all the same."""
    import great_expectations.expectations as gxe

    native = getattr(gxe, name)

    def get_validation_dependencies(self, *arguments, **named):
        dependencies = native.get_validation_dependencies(self, *arguments, **named)
        dependencies.remove_metric_configuration(f"{self.map_metric}.unexpected_values")
        return dependencies

    return type(name, (native,), {"get_validation_dependencies": get_validation_dependencies})


def _meta(rule: Rule | PlausibleRule) -> dict[str, str | int]:
    return {
        "rule": rule.name, "version": rule.version, "nature": rule.nature, "severity": rule.severity, "message": rule.message
    }  # fmt: skip


def _read(layer: str, table: str, rule: Rule | PlausibleRule, place: str, item) -> GateResult:
    """`success` alone is not enough: a checkpoint that could not evaluate an expectation does not raise."""
    exception = item.exception_info or {}
    raised = exception.get("raised_exception") or any(
        isinstance(value, dict) and value.get("raised_exception") for value in exception.values()
    )
    if raised or "unexpected_count" not in item.result:
        raise GateError(
            "C360-251",
            f"the rule {rule.name} could not be evaluated: the rule is broken, not the data",
            where=f"{layer}.{table}, {place}",
            kept="the layer before it; nothing was published",
            next_step="correct the rule under expectations/suites, then load again",
        )
    rows = int(item.result["element_count"])
    # Of no rows Great Expectations counts none as null; of any rows a null would be a rule that did not run.
    unexpected = 0 if rows == 0 else int(item.result["unexpected_count"])
    return GateResult(layer, table, rule, rows, unexpected)
