"""Brokers that are loaded once for the modules that follow them: the bad night, and the one whose counter is replaced."""

from __future__ import annotations

import pytest

from tests.moved import Moved, moved_broker
from tests.night import Night, bad_night


@pytest.fixture(scope="session")
def night(spark, tmp_path_factory) -> Night:
    return bad_night(tmp_path_factory.mktemp("night"), tmp_path_factory.mktemp("good") / "landing")


@pytest.fixture(scope="session")
def moved(spark, tmp_path_factory) -> Moved:
    return moved_broker(tmp_path_factory.mktemp("moved"), tmp_path_factory.mktemp("stayed"))
