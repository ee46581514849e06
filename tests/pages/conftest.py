"""The pages over one invented day: a visitor for what they say, a server and a Chromium for how they are used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.access import SCOPES
from serving.api_keys import ApiKeys
from serving.app import create_app
from serving.service import Service
from spark_jobs.config import load_settings
from tests.pages import browser
from tests.pages.day import BRANCH, EMPLOYEE, build_day
from tests.pages.visitor import Visitor
from tests.served import home, service, settings

__all__ = ["home", "service", "settings"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published home that nobody writes to; each test has a copy."""
    return build_day(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def key_of(service: Service) -> Callable[..., str]:
    return _maker(service.api_keys)


def _maker(keys: ApiKeys) -> Callable[..., str]:
    def make(role: str, branch: str = BRANCH, employee: str = EMPLOYEE, scopes: tuple[str, ...] = SCOPES) -> str:
        return keys.create(role, 1, branch, employee, scopes)[0]

    return make


@pytest.fixture(scope="session")
def app(built: Path) -> Any:
    """Made once, for it takes longer than a test; each test puts its own service behind it."""
    return create_app(load_settings(home=built))


@pytest.fixture
def visit(service: Service, app: Any) -> Callable[[], Visitor]:
    """Makes visitors, each with cookies of his own."""
    app.state.service = service
    return lambda: Visitor(TestClient(app, raise_server_exceptions=False))


@pytest.fixture
def agent(visit: Callable[[], Visitor], key_of: Callable[..., str]) -> Visitor:
    """A seat that has signed in."""
    visitor = visit()
    visitor.sign_in(key_of("agent"))
    return visitor


@pytest.fixture(scope="module")
def site(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[..., str]]]:
    """The address of a real server, and what makes keys for it. Its tests share one day, so each has customers of its own."""
    _need_chromium()
    home = Path(shutil.copytree(built, tmp_path_factory.mktemp("site") / "home"))
    from serving.access import load_access

    with browser.serving(home) as address:
        yield address, _maker(ApiKeys(load_settings(home=home).access, load_access()))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    _need_chromium()
    with browser.chromium() as opened:
        yield opened


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A tab of a fresh profile. It fails the test for whatever the page asks of another host, and for what the policy refused."""
    context = chromium.new_context(viewport=browser.SIZE, locale="zh-CN")
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.set_default_timeout(120_000)
    yield page
    context.close()
    assert {url.split("/")[2].split(":")[0] for url in asked if "//" in url} <= {"127.0.0.1", "localhost"}
    assert not [text for text in said if "Content Security Policy" in text]


def _need_chromium() -> None:
    if not Path(browser.CHROMIUM).exists():
        if os.environ.get("C360_REQUIRE_ALL") == "1":
            pytest.fail(f"{browser.CHROMIUM} is not installed")
        pytest.skip("Chromium is not installed", allow_module_level=True)
