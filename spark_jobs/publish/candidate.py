"""dbt builds the marts of the load's days into a candidate no reader sees."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.errors import GateError
from spark_jobs.gold.merges import register_gold
from spark_jobs.io import Lake
from spark_jobs.publish.dictionary import DBT_PROJECT

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult


def candidate_name(run: Run) -> str:
    return f"candidate_{run.number:06d}"


def run_dbt(
    spark: SparkSession,
    settings: Settings,
    command: list[str],
    variables: dict[str, object],
    project: Path = DBT_PROJECT,
) -> dbtRunnerResult:
    """One dbt command in this process and its session; its artefacts go to the work folder, its log to the logs."""
    # dbt and its adapter read the environment and the process' arguments at import.
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    from dbt.cli.main import dbtRunner

    places = {
        "--project-dir": project,
        "--profiles-dir": project,
        "--target-path": (settings.work / "dbt").resolve(),
        "--log-path": settings.logs.resolve() / "dbt",
    }
    ansi = spark.conf.get("spark.sql.ansi.enabled")
    try:
        return dbtRunner().invoke(
            [*command, *(str(part) for pair in places.items() for part in pair), "--vars", json.dumps(variables),
             "--threads", str(settings.threads), "--quiet", "--no-use-colors"]
        )  # fmt: skip
    finally:
        # dbt-spark switches it off for the whole shared session.
        spark.conf.set("spark.sql.ansi.enabled", ansi)


def build_candidate(run: Run, days: list[date], gold: Lake | None = None, select: str = "") -> dict[str, str]:
    """Run and test every model for `days`, on all of which the same customers are merged. Returns the SQL of every table that was built.

    gold: the lake whose gold is read, if it is another; select: which models, with the tests that need no others, if not all.
    Raises GateError C360-256 naming the models or tests that failed.
    """
    name = candidate_name(run)
    register_gold(gold or run.lake, max(days))
    run.spark.sql(f"create database if not exists {name} location '{run.lake.root}/candidate/{name}'")
    variables = {
        "candidate_schema": name,
        "first_date": min(days).isoformat(),
        "last_date": max(days).isoformat(),
        "opening_date": run.ledger.opening_day().isoformat(),
        "relation_lag_trading_days": run.settings.relation_lag_trading_days,
    }
    # Unit tests prove the models, not the day; they run with the project's own tests.
    command = ["build", "--exclude-resource-type", "unit_test"]
    if select:
        command += ["--select", select, "--indirect-selection", "cautious"]
    outcome = run_dbt(run.spark, run.settings, command, variables)
    if outcome.exception is not None:
        raise GateError(
            "C360-256", f"dbt could not run: {type(outcome.exception).__name__}", where=str(outcome.exception).partition("\n")[0][:300],
            kept="gold; yesterday stays published", next_step=f"read {run.settings.logs / 'dbt' / 'dbt.log'}",
        )  # fmt: skip
    failed = [
        item.node.name
        for item in outcome.result.results
        if item.status not in ("success", "pass", "warn", "skipped", "no-op")
    ]
    if not outcome.success or failed:
        raise GateError(
            "C360-256", f"{len(failed)} models or tests of the marts failed: {', '.join(failed[:6])}",
            where=f"business dates {min(days)} to {max(days)}", kept="gold; yesterday stays published",
            next_step=f"read {run.settings.logs / 'dbt' / 'dbt.log'}, then load again",
        )  # fmt: skip
    models = (item.node for item in outcome.result.results if item.node.resource_type == "model")
    return {node.name: node.compiled_code for node in models}


def drop_candidate(run: Run) -> None:
    """Forget the candidate and its files; what was published from it lives on in the marts."""
    name = candidate_name(run)
    run.spark.sql(f"drop database if exists {name} cascade")
    shutil.rmtree(Path(run.lake.path("candidate", name).removeprefix("file:")), ignore_errors=True)
