"""The truth the marts are held against says what somebody worked out by hand, for every golden scenario."""

from __future__ import annotations

import pytest

from tests.golden_business import Expected, differences, faults, files_spoken_of, read_scenarios, simulate
from tests.truth_compare import CLAIMS, read_truth

SCENARIOS = read_scenarios()


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Rows by truth file."""
    home = tmp_path_factory.mktemp("golden")
    simulate(home)
    return {file: read_truth(home / "truth", CLAIMS[file]) for file in files_spoken_of(SCENARIOS)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_truth_says_what_was_worked_out_by_hand(truth, scenario):
    assert scenario.expected
    found = faults(scenario, truth)
    assert not found, found


ROWS = {("1",): {"business_date": "2026-10-08", "customer_id": "NOR-1", "net_asset_amount": 7}}
KEY = {"business_date": "2026-10-08", "customer_id": "NOR-1"}


@pytest.mark.parametrize(
    ("expected", "count"),
    [
        (Expected("customers", KEY, {"net_asset_amount": "7.00"}, False), 0),
        (Expected("customers", KEY, {"net_asset_amount": "7.01"}, False), 1),
        (Expected("customers", KEY | {"customer_id": "NOR-2"}, {}, False), 1),
        (Expected("customers", KEY | {"customer_id": "NOR-2"}, {}, True), 0),
        (Expected("customers", KEY, {}, True), 1),
    ],
)
def test_a_row_that_is_otherwise_or_not_there_is_told(expected, count):
    assert len(list(differences(ROWS, expected))) == count
