"""The dbt project describes itself completely: read from its YAML, so no Spark and no dbt run is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from spark_jobs.gold.tables import TABLES
from spark_jobs.publish.marts import MARTS

PROJECT = Path(__file__).parents[2] / "dbt_project"
MODELS = PROJECT / "models"

PUBLIC_MARTS = set(MARTS)


def read_properties(kind: str) -> dict[str, dict]:
    """Every entry of `kind` (models, sources, exposures) in the project's YAML files by its name."""
    return {
        entry["name"]: entry
        for path in sorted(MODELS.rglob("*.yml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")).get(kind, [])
    }


MODEL_PATHS = {path.stem: path for path in sorted(MODELS.rglob("*.sql"))}
DESCRIBED = read_properties("models")
GOLD = {table["name"]: table for table in read_properties("sources")["gold"]["tables"]}


def meta_of(entry: dict) -> dict:
    return entry.get("config", {}).get("meta", {})


def test_every_model_is_described_beside_itself():
    assert set(DESCRIBED) == set(MODEL_PATHS)
    for name, path in MODEL_PATHS.items():
        assert path.with_suffix(".yml").exists(), f"{name} has no YAML beside it"


@pytest.mark.parametrize("name", sorted(MODEL_PATHS))
def test_model_states_description_grain_owner_and_unit(name: str):
    model = DESCRIBED[name]
    assert model.get("description", "").strip()
    assert {"grain", "owner", "unit"} <= {key for key, value in meta_of(model).items() if value}


@pytest.mark.parametrize("name", sorted(GOLD))
def test_source_repeats_the_key_of_the_gold_table(name: str):
    assert GOLD[name]["description"].strip()
    assert {"grain", "owner", "unit"} <= set(meta_of(GOLD[name]))
    assert tuple(meta_of(GOLD[name])["key"]) == TABLES[name].key


@pytest.mark.parametrize("name", sorted(GOLD))
def test_staging_reads_only_columns_the_gold_table_has(name: str):
    sql = (MODELS / "staging" / f"stg_gold__{name}.sql").read_text(encoding="utf-8")
    selected = re.search(r"final as \(\s+select\n(.*?)\n\s+from source", sql, re.DOTALL).group(1)
    columns = [column.strip() for column in selected.split(",")]
    assert set(columns) <= set(TABLES[name].names)


def test_marts_are_the_public_ones():
    assert {name for name in MODEL_PATHS if name.startswith("mart_")} == PUBLIC_MARTS


@pytest.mark.parametrize("name", sorted(PUBLIC_MARTS))
def test_mart_enforces_a_contract_of_typed_columns(name: str):
    assert DESCRIBED[name]["config"]["contract"] == {"enforced": True}
    for column in DESCRIBED[name]["columns"]:
        assert column.get("data_type"), f"{name}.{column['name']} has no data type"
        # dbt-spark writes the table before it adds constraints, and not_null fails even on clean data: tests instead
        assert "constraints" not in column


@pytest.mark.parametrize("name", sorted(PUBLIC_MARTS))
def test_mart_columns_are_described_in_english_and_chinese(name: str):
    for column in DESCRIBED[name]["columns"]:
        assert column.get("description", "").strip(), f"{name}.{column['name']} has no description"
        assert re.search(r"[\u4e00-\u9fff]", meta_of(column).get("zh", "")), f"{name}.{column['name']} has no zh"


@pytest.mark.parametrize("name", sorted(PUBLIC_MARTS))
def test_mart_proves_its_key(name: str):
    key = DESCRIBED[name]["data_tests"][0]["every_row_holds"]["arguments"]["key"]
    assert set(key) <= {column["name"] for column in DESCRIBED[name]["columns"]}
    for column in key:
        assert column in meta_of(DESCRIBED[name])["grain"]


def test_every_doc_block_in_use_exists():
    blocks = set(re.findall(r"{% docs (\w+) %}", (PROJECT / "docs" / "measures.md").read_text(encoding="utf-8")))
    used = {
        block
        for path in MODELS.rglob("*.yml")
        for block in re.findall(r"doc\('(\w+)'\)", path.read_text(encoding="utf-8"))
    }
    assert used <= blocks


def test_exposures_name_existing_models_and_use_every_mart():
    exposures = read_properties("exposures")
    assert set(exposures) == {"call_centre", "e_office", "institutional_cockpit", "performance_platform", "analysts"}
    used = {
        re.fullmatch(r"ref\('(\w+)'\)", reference).group(1)
        for exposure in exposures.values()
        for reference in exposure["depends_on"]
    }
    assert used <= set(MODEL_PATHS)
    assert used == PUBLIC_MARTS


def test_each_macro_has_a_file_of_its_name():
    for path in (PROJECT / "macros").glob("*.sql"):
        assert re.findall(r"{% macro (\w+)\(", path.read_text(encoding="utf-8")) == [path.stem]
