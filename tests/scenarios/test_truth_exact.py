"""Every published figure equals what the broker's events say, to the last digit."""

from __future__ import annotations

import pytest

from tests.truth_compare import CLAIMS, must_equal_truth


@pytest.mark.parametrize("file", CLAIMS)
def test_every_row_and_value_equals_truth(broker, file):
    must_equal_truth(broker.settings, file)
