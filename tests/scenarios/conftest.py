"""The bad night, loaded once for the modules that follow it: its faults, then its halved files, then its rows and the good end."""

from __future__ import annotations

import pytest

from tests.night import Night, bad_night


@pytest.fixture(scope="session")
def night(spark, tmp_path_factory) -> Night:
    return bad_night(tmp_path_factory.mktemp("night"), tmp_path_factory.mktemp("good") / "landing")
