"""The dictionary lists every column of every mart, refuses what is not described, and goes into a workbook as it is."""

from __future__ import annotations

import shutil
from dataclasses import astuple
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from spark_jobs.cli import app
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.dictionary import export, of_mart
from spark_jobs.publish.dictionary import DBT_PROJECT, HEADINGS, read_dictionary, read_tables
from spark_jobs.publish.marts import MARTS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The YAML and the texts of the project, to be spoiled."""
    for folder in ("docs", "models/marts"):
        shutil.copytree(DBT_PROJECT / folder, tmp_path / folder)
    return tmp_path


def spoil(project: Path, old: str, new: str) -> ConfigurationError:
    path = project / "models/marts/commissions/mart_commission_branch_month.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_dictionary(project)
    return caught.value


def test_every_mart_is_in_it_and_shared_texts_are_written_out():
    entries = read_dictionary()
    assert {entry.mart for entry in entries} == set(MARTS)
    net = next(entry for entry in entries if entry.column == "net_commission_amount")
    assert (net.chinese_name, net.unit, net.default, net.owner) == ("净佣金", "CNY", "0", "performance office")
    assert "fees paid on" in net.definition
    assert not [entry for entry in entries if "doc(" in entry.definition]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("zh: 业绩月份", "zh: month", "commission_month has no Chinese name"),
        ("unit: CNY", "unit: ''", "turnover_amount has no unit"),
        ('default: "0"', "default: zero", "turnover_amount has default zero"),
        ("level: 1", "level: 5", "commission_month has level 5"),
        ("Month as yyyy-MM.", "", "commission_month has no definition"),
        ("doc('turnover_amount')", "doc('no_such_text')", "turnover_amount refers to the text no_such_text"),
        ("data_type: string", "description_zh: x", "commission_month has no data_type"),
        ("owner: performance office", "owner: ''", "commission_month has no owner"),
    ],
)
def test_a_column_that_lacks_something_is_refused(project, old, new, fault):
    error = spoil(project, old, new)
    assert error.code == "C360-115" and f"mart_commission_branch_month.{fault}" in error.where


def test_all_faults_are_told_together(project):
    spoil(project, "zh: 业绩月份", "zh: month")
    error = spoil(project, "level: 1", "level: 5")
    assert error.what.startswith("2 columns")
    assert "no Chinese name" in error.where and "has level 5" in error.where


def test_the_workbook_holds_what_the_dictionary_says(tmp_path):
    path = tmp_path / "dictionary.xlsx"
    result = CliRunner().invoke(app, ["dictionary", "--xlsx", str(path)])
    assert result.exit_code == 0, result.output
    rows = list(load_workbook(path).active.iter_rows(values_only=True))
    assert rows[0] == tuple(HEADINGS.values())
    assert rows[1:] == [astuple(entry) for entry in [*read_dictionary(), *read_tables()]]


def test_a_place_or_a_mart_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="C360-116"):
        export(read_dictionary(), tmp_path / "nowhere" / "dictionary.xlsx", None)
    with pytest.raises(ConfigurationError, match="C360-117"):
        of_mart(read_dictionary(), "mart_of_nobody")
