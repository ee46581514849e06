"""The golden scenarios through the whole load: the marts say what somebody worked out by hand, and all else that truth says."""

from __future__ import annotations

import pytest

from spark_jobs.publish.duckdb_store import connect_published
from tests.golden_business import DAYS, faults, files_spoken_of, read_scenarios, simulate
from tests.loading import load_home
from tests.truth_compare import CLAIMS, must_equal_truth, read_answer, read_truth

SCENARIOS = read_scenarios()


@pytest.fixture(scope="module")
def loaded(spark, tmp_path_factory):
    home = tmp_path_factory.mktemp("golden")
    simulate(home)
    return load_home(home)


@pytest.fixture(scope="module")
def answers(loaded):
    """Rows of the marts by truth file, as far as a scenario speaks of them."""
    with connect_published(loaded.settings.published) as connection:
        return {
            file: read_answer(connection, loaded.settings.lake, CLAIMS[file]) for file in files_spoken_of(SCENARIOS)
        }


def test_every_day_is_published(loaded):
    assert len(loaded.outcome.published) == DAYS - 1 and not loaded.outcome.blocked


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_marts_say_what_was_worked_out_by_hand(answers, scenario):
    found = faults(scenario, answers)
    assert not found, found


@pytest.mark.parametrize("file", CLAIMS)
def test_every_row_and_value_equals_truth(loaded, file):
    if read_truth(loaded.settings.home / "truth", CLAIMS[file]):
        must_equal_truth(loaded.settings, file)
