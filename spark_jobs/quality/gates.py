"""Gates: Great Expectations decides whether a layer may go on.

A gate takes frames before the split, makes native expectations from the same rules that split the rows, and compares: where
GX counts other rows than the Spark verdict did, the rule is broken, not the data. Results and data docs hold counts and never a
customer's value (`partial_unexpected_count` is 0).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame

from spark_jobs.errors import GateError
from spark_jobs.quality.rules import Rule

# Counts only: examples would be customer values, and cost 40 Spark jobs more.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class GateResult:
    """What one rule met in one table. `unexpected`: rows that broke it, of `rows`."""

    layer: str
    table: str
    rule: Rule
    rows: int
    unexpected: int


def run_gate(
    layer: str, tables: Mapping[str, tuple[DataFrame, list[Rule]]], docs_folder: Path, threads: int = 2
) -> list[GateResult]:
    """Validate every table of a layer and build its data docs once.

    Frames carry the helper columns of their rules. Raises GateError C360-251 when a rule cannot be evaluated.
    """
    chosen = {name: pair for name, pair in tables.items() if pair[1]}
    if not chosen:
        return []
    import great_expectations as gx

    context = _context(docs_folder)
    lanes: list[list[str]] = [[] for _ in range(min(threads, len(chosen)))]
    for position, name in enumerate(sorted(chosen)):
        lanes[position % len(lanes)].append(name)
    definitions = {}
    for number, names in enumerate(lanes):
        # An execution engine belongs to its data source and knows one active batch: a lane of work has its own.
        source = context.data_sources.add_spark(name=f"{layer} {number}", persist=False)
        for name in names:
            suite = gx.ExpectationSuite(name=f"{layer}.{name}")
            for rule in chosen[name][1]:
                suite.add_expectation(_expectation(rule))
            batch = source.add_dataframe_asset(name=name).add_batch_definition_whole_dataframe("range")
            definition = gx.ValidationDefinition(name=f"{layer}.{name}", data=batch, suite=context.suites.add(suite))
            definitions[name] = context.validation_definitions.add(definition)

    def run_lane(names: list[str]) -> list[GateResult]:
        found = []
        for name in names:
            frame, table_rules = chosen[name]
            rules = {rule.name: rule for rule in table_rules}
            outcome = definitions[name].run(batch_parameters={"dataframe": frame}, result_format=_RESULT_FORMAT)
            found += [_read(layer, name, rules[item.expectation_config.meta["rule"]], item) for item in outcome.results]
        return found

    with ThreadPoolExecutor(len(lanes)) as pool:
        results = [result for found in pool.map(run_lane, lanes) for result in found]
    context.build_data_docs()
    return results


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
    import great_expectations.expectations as gxe

    meta = {"rule": rule.name, "version": rule.version, "severity": rule.severity, "message": rule.message}
    shared = {"column": rule.tested_column, "meta": meta}
    match rule.kind:
        case "not_null":
            return gxe.ExpectColumnValuesToNotBeNull(**shared)
        case "holds":
            return gxe.ExpectColumnValuesToBeInSet(**shared, value_set=[True])
        case "in_set":
            return gxe.ExpectColumnValuesToBeInSet(**shared, value_set=rule.arguments["values"])
        case "matches":
            return gxe.ExpectColumnValuesToMatchRegex(**shared, regex=rule.arguments["pattern"])
        case _:
            return gxe.ExpectColumnValuesToBeBetween(
                **shared, min_value=rule.arguments.get("min"), max_value=rule.arguments.get("max")
            )


def _read(layer: str, table: str, rule: Rule, item) -> GateResult:
    """`success` alone is not enough: a checkpoint that could not evaluate an expectation does not raise."""
    exception = item.exception_info or {}
    raised = exception.get("raised_exception") or any(
        isinstance(value, dict) and value.get("raised_exception") for value in exception.values()
    )
    if raised or "unexpected_count" not in item.result:
        raise GateError(
            "C360-251",
            f"the rule {rule.name} could not be evaluated: the rule is broken, not the data",
            where=f"{layer}.{table}, column {rule.column}",
            kept="the layer before it; nothing was published",
            next_step="correct the rule under expectations/suites, then load again",
        )
    rows = int(item.result["element_count"])
    # Of no rows Great Expectations counts none as null; of any rows a null would be a rule that did not run.
    unexpected = 0 if rows == 0 else int(item.result["unexpected_count"])
    return GateResult(layer, table, rule, rows, unexpected)
