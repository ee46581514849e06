"""One service over one invented day, and a client that asks as any role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.access import SCOPES
from serving.app import create_app
from serving.service import Service
from spark_jobs.config import Settings
from tests.api.builders import build_home
from tests.served import home, service, settings

__all__ = ["home", "service", "settings"]

Ask = Callable[..., TestClient]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published home that nobody writes to; each test has a copy."""
    return build_home(tmp_path_factory.mktemp("built"))


@pytest.fixture
def client(service: Service, settings: Settings) -> Iterator[TestClient]:
    # The fixture's service closes itself, and closing twice is no fault.
    with TestClient(create_app(settings, service), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def headers_of(service: Service) -> Callable[..., dict[str, str]]:
    """Headers of a new key of a role, with all scopes unless some are named."""

    def make(
        role: str, branch: str = "B001", employee: str = "E001", scopes: tuple[str, ...] = SCOPES
    ) -> dict[str, str]:
        key, _ = service.api_keys.create(role, 1, branch, employee, scopes)
        return {"X-API-Key": key}

    return make
