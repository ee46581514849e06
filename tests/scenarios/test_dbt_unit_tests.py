"""The unit tests written beside the dbt models, run by dbt in the session of the loaded broker."""

from __future__ import annotations

import yaml

from spark_jobs.gold.tables import TABLES
from spark_jobs.io import Lake
from spark_jobs.publish.candidate import DBT_PROJECT, run_dbt


def test_every_unit_test_of_the_models_passes(spark, broker):
    written = [
        test["name"]
        for path in (DBT_PROJECT / "models").rglob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    ]
    Lake(spark, broker.settings.lake).register("gold", TABLES)
    spark.sql("create database if not exists unit_tests")
    days = broker.summary["days"]
    variables = {
        "candidate_schema": "unit_tests",
        "first_date": days[1],
        "last_date": days[-1],
        "opening_date": days[0],
    }
    outcome = run_dbt(spark, broker.settings, ["test", "--select", "test_type:unit"], variables)
    assert outcome.exception is None, outcome.exception
    results = [item for item in outcome.result.results if item.node.resource_type == "unit_test"]
    failed = [(item.node.name, item.message) for item in results if item.status != "pass"]
    assert failed == []
    assert sorted(item.node.name for item in results) == sorted(written)
