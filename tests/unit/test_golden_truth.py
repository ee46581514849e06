"""The truth the marts are held against says what somebody worked out by hand, for every golden scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden_business import Expected, differences, read_scenarios, simulate
from tests.truth_compare import CLAIMS, read_truth

SCENARIOS = read_scenarios()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("golden")
    simulate(home)
    return home


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_truth_says_what_was_worked_out_by_hand(home, scenario):
    assert scenario.expected
    found = [
        sentence
        for expected in scenario.expected
        for sentence in differences(read_truth(home / "truth", CLAIMS[expected.file]), expected)
    ]
    assert not found, "\n".join(found)


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
