"""Eleven histories through this engine and through the textbook MERGE: `python -m benchmarks.differential [--write]`.

Both get the same files in the same order in one session; right means exactly the versions of `tests/golden/history/<scenario>/expected.csv`.
"""

from __future__ import annotations

from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from benchmarks import textbook
from benchmarks.command_line import run_benchmark, when_and_where
from spark_jobs.config import load_settings
from spark_jobs.contracts import load_catalogue
from tests.golden_history import COLUMNS, Scenario, as_texts, read_scenarios, take_in_steps, versions_in_force

STATE = COLUMNS[:-2]


def read_file(spark: SparkSession, path: Path, types: dict[str, str]) -> DataFrame:
    """A delivered file, typed; a column it lacks is null."""
    _, names, *rows, _ = path.read_bytes().decode("gb18030").split("\n")[:-1]
    values = [dict(zip(names.split("|"), row.split("|"), strict=True)) for row in rows]
    texts = [tuple(row.get(name) or None for name in STATE) for row in values]
    frame = spark.createDataFrame(texts, ", ".join(f"{name} string" for name in STATE))
    return frame.selectExpr(*(f"cast({name} as {types[name]}) as {name}" for name in STATE))


def merge_all(spark: SparkSession, scenario: Scenario, types: dict[str, str], path: str) -> str:
    """right, wrong, or stopped when the MERGE refused a file."""
    textbook.create(path, spark.createDataFrame([], ", ".join(f"{name} {types[name]}" for name in STATE)), None)
    for step in sorted(scenario.arrivals):
        for day, file in sorted(scenario.arrivals[step].items()):
            try:
                textbook.merge(spark, path, read_file(spark, file, types), "account_id", day)
            except (PySparkException, Py4JJavaError) as error:
                if "MULTIPLE_SOURCE_ROW_MATCHING" not in str(error):
                    raise
                return "stops: two rows of one key"
    rows = spark.read.format("delta").load(path).select(*COLUMNS).collect()
    return verdict(
        as_texts([row.asDict() for row in rows]) == scenario.expected and len(rows) == len(scenario.expected)
    )


def verdict(is_right: bool) -> str:
    return "right" if is_right else "wrong"


def compare(home: Path) -> list[str]:
    """The Markdown table."""
    scenarios = read_scenarios()
    settings = load_settings(home=home, catalogue=home / "catalogue")
    *_, last = take_in_steps(settings, scenarios)
    ours = {scenario.name: verdict(versions_in_force(last, scenario) == scenario.expected) for scenario in scenarios}
    contract = load_catalogue(settings.catalogue)[scenarios[0].feed]
    types = {column.name: column.spark_type for column in contract.columns}
    theirs = {
        scenario.name: merge_all(last.spark, scenario, types, str(home / "textbook" / scenario.name))
        for scenario in scenarios
    }
    last.spark.stop()
    lines = [
        "## Eleven histories",
        "",
        f"{when_and_where()}. The same files in the same order of arrival, in one session. The textbook MERGE is the recipe",
        "of the Delta documentation, with a comparison that knows nulls and with absent keys closed (`benchmarks/textbook.py`). Right means exactly the expected versions.",
        "",
        "| scenario | this engine | textbook MERGE |",
        "|---|---|---|",
        *(f"| {name.replace('_', ' ')} | {ours[name]} | {theirs[name]} |" for name in ours),
        f"| **right** | **{[*ours.values()].count('right')}** | **{[*theirs.values()].count('right')}** |",
    ]
    return lines


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, compare)
