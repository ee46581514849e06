"""Eleven histories that loads get wrong: taken in step by step on a real lake, read with Spark and without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from spark_jobs.config import Settings, load_settings
from spark_jobs.jobs.versions import read_versions
from tests.golden_history import Scenario, as_texts, read_scenarios, take_in_steps, versions_in_force

SCENARIOS = read_scenarios()
LAST_STEP = max(max(scenario.arrivals) for scenario in SCENARIOS)


@dataclass
class Taken:
    """All scenarios after their last step; files: data files of each feed after each step."""

    settings: Settings
    versions: dict[str, frozenset]
    files: list[dict[str, set[Path]]]


def data_files(lake: Path, feed: str) -> set[Path]:
    return {path for path in lake.glob(f"*/{feed}/**/*") if path.is_file()}


@pytest.fixture(scope="module")
def taken(spark, tmp_path_factory) -> Taken:
    home = tmp_path_factory.mktemp("golden")
    settings = load_settings(home=home, catalogue=home / "catalogue", spark_master="local[2]")
    files, versions = [], {}
    for run in take_in_steps(settings, SCENARIOS):
        files.append({scenario.feed: data_files(Path(settings.lake), scenario.feed) for scenario in SCENARIOS})
        if len(files) == LAST_STEP:
            versions = {scenario.feed: versions_in_force(run, scenario) for scenario in SCENARIOS}
    return Taken(settings, versions, files)


def test_there_are_eleven():
    assert len(SCENARIOS) == 11


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_versions_are_the_expected_ones(taken: Taken, scenario: Scenario):
    assert taken.versions[scenario.feed] == scenario.expected


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_reading_without_spark_gives_the_same(taken: Taken, scenario: Scenario):
    keys = {version[0] for version in scenario.expected}
    found = [version for key in keys for version in read_versions(taken.settings, scenario.feed, [key], None)]
    assert as_texts(found) == scenario.expected


def test_the_same_bytes_again_write_no_file(taken: Taken):
    first, second = taken.files[0]["golden__same_file_twice"], taken.files[1]["golden__same_file_twice"]
    assert first and second == first
