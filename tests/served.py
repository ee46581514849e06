"""What the tests of the API and of the pages share: each test has a copy of the `built` home of its folder, and a service over it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.service import Service
from spark_jobs.config import Settings, load_settings


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "home"))


@pytest.fixture
def settings(home: Path) -> Settings:
    # A machine that is busy with another session answers late, not wrongly.
    return load_settings(home=home, serve_requests_per_minute=100_000, serve_timeout_seconds=120)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    opened = Service(settings, {})
    yield opened
    opened.close()
