"""The unit tests written beside the dbt models, run by dbt in the session of the loaded broker; and the documented way to add a feature."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from spark_jobs.config import PROJECT
from spark_jobs.gold.tables import TABLES
from spark_jobs.io import Lake
from spark_jobs.publish.candidate import DBT_PROJECT, run_dbt
from spark_jobs.publish.dictionary import read_dictionary

GUIDE = PROJECT / "docs" / "adding-a-feature.md"
FEATURE, ITS_TEST = "asset_trend_ratio", "assets_are_held_against_their_average"


def variables_of(broker) -> dict[str, str]:
    days = broker.summary["days"]
    return {"candidate_schema": "unit_tests", "first_date": days[1], "last_date": days[-1], "opening_date": days[0]}


def results_of(spark, broker, chosen: str, project: Path = DBT_PROJECT) -> list:
    Lake(spark, broker.settings.lake).register("gold", TABLES)
    spark.sql("create database if not exists unit_tests")
    outcome = run_dbt(spark, broker.settings, ["test", "--select", chosen], variables_of(broker), project)
    assert outcome.exception is None, outcome.exception
    return [item for item in outcome.result.results if item.node.resource_type == "unit_test"]


def test_every_unit_test_of_the_models_passes(spark, broker):
    written = [
        test["name"]
        for path in (DBT_PROJECT / "models").rglob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    ]
    results = results_of(spark, broker, "test_type:unit")
    failed = [(item.node.name, item.message) for item in results if item.status != "pass"]
    assert failed == []
    assert sorted(item.node.name for item in results) == sorted(written)


def with_feature(folder: Path) -> Path:
    """A copy of the project into which every block of the guide is put where the guide says."""
    project = folder / "dbt_project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    steps = re.findall(
        r'<!-- (\S+) (after|before|at the end)(?: "(.+?)")? -->\n```\w+\n(.*?)```',
        GUIDE.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert len(steps) == 3, "one entry, one column, one unit test"
    for name, where, text, block in steps:
        lines = (project / name).read_text(encoding="utf-8").splitlines(keepends=True)
        place = len(lines)
        if text:
            (place,) = (number for number, line in enumerate(lines) if line.strip() == text)
        lines.insert(place + (where == "after"), block)
        (project / name).write_text("".join(lines), encoding="utf-8")
    return project


def test_a_feature_is_added_as_the_guide_says(spark, broker, tmp_path):
    project = with_feature(tmp_path)
    (entry,) = (one for one in read_dictionary(project) if one.column == FEATURE)
    assert (entry.mart, entry.level, entry.unit) == ("mart_customer_profile", 3, "fraction")
    found = results_of(spark, broker, "mart_customer_profile,test_type:unit", project)
    assert {item.node.name: item.status for item in found} == {
        ITS_TEST: "pass",
        "the_first_rule_of_life_cycle_names_the_customer": "pass",
    }
    model = project / "models/marts/customers/mart_customer_profile.sql"
    model.write_text(
        model.read_text().replace("total_asset_amount / nullif", "month_average_asset_amount / nullif"), "utf-8"
    )
    (found,) = results_of(spark, broker, ITS_TEST, project)
    assert found.status == "fail", "the test of the feature does not notice another formula"
