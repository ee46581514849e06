"""Every published figure equals what the broker's events say, to the last digit."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from spark_jobs.publish.duckdb_store import connect_delta, current
from tests.loading import LoadedBroker
from tests.truth_compare import CLAIMS, differences, read_answer, read_truth


@pytest.fixture(scope="module")
def published(broker: LoadedBroker) -> duckdb.DuckDBPyConnection:
    connection = connect_delta()
    connection.execute(f"attach '{current(broker.settings.published).file}' as published (read_only)")
    connection.execute("use published")
    return connection


@pytest.mark.parametrize("file", CLAIMS)
def test_every_row_and_value_equals_truth(broker, published, file):
    claim = CLAIMS[file]
    truth = read_truth(broker.settings.home / "truth", claim)
    assert truth, "an empty truth proves nothing"
    found = list(itertools.islice(differences(truth, read_answer(published, broker.settings.lake, claim)), 20))
    assert not found, "\n".join(found)
