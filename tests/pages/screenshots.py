"""The pictures of docs/pages.md: `python -m tests.pages.screenshots` makes every page again, in both languages, at 1366×768."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from serving.access import SCOPES, load_access
from serving.api_keys import ApiKeys
from spark_jobs.config import PROJECT, load_settings
from tests.api.builders import APPLICANT_PHONE, SHARED_PHONE
from tests.pages.browser import SIZE, chromium, serving
from tests.pages.day import BRANCH, RICH, SEAT, build_day

FOLDER = PROJECT / "docs" / "pages"
CHECKED = {"zh": "预留问题答对", "en": "Security questions answered"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        built = build_day(Path(folder) / "built")
        for language in ("zh", "en"):
            home = Path(shutil.copytree(built, Path(folder) / language))
            keys = ApiKeys(load_settings(home=home).access, load_access())
            key_of = {
                "agent": keys.create("agent", 1, **SEAT, scopes=SCOPES)[0],
                "e_office": keys.create("e_office", 1)[0],
                "branch_manager": keys.create("branch_manager", 1, branch=BRANCH)[0],
                "performance": keys.create("performance", 1)[0],
                "institution_desk": keys.create("institution_desk", 1)[0],
            }
            with serving(home) as address, chromium() as browser:
                for role, key in key_of.items():
                    context = browser.new_context(viewport=SIZE, locale="zh-CN")
                    _take(context.new_page(), address, role, key, language)
                    context.close()


def _take(page: Any, address: str, role: str, key: str, language: str) -> None:
    def picture(name: str, whole: bool = False) -> None:
        page.mouse.move(0, 0)
        page.screenshot(path=FOLDER / f"{name}.{language}.png", full_page=whole)

    page.goto(f"{address}/pages/sign-in?lang={language}")
    if role == "agent":
        picture("sign_in")
    page.fill("#key", key)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    walk = {
        "agent": _agent, "e_office": _e_office, "branch_manager": _manager, "performance": _performance_office,
        "institution_desk": _institution_desk,
    }[role]  # fmt: skip
    walk(page, address, key, picture, language)


def _look_up(page: Any, address: str, value: str) -> None:
    page.goto(f"{address}/pages/look-up")
    page.fill("#value", value)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _agent(page: Any, address: str, key: str, picture: Any, language: str) -> None:
    page.goto(f"{address}/pages/look-up")
    picture("look_up")
    _look_up(page, address, SHARED_PHONE)
    picture("choice")
    _look_up(page, address, APPLICANT_PHONE)
    picture("applicant")
    page.goto(address + ticket_path(address, key, RICH.phone))
    page.wait_for_url("**/pages/customer/*")
    picture("customer_unchecked")
    with page.expect_navigation():
        page.get_by_text(CHECKED[language]).click()
    picture("customer")
    with page.expect_navigation():
        page.locator("section.call button.main").click()
    page.fill(
        "#note",
        "下周二上午再打，想了解追保方式。"
        if language == "zh"
        else "Call again on Tuesday morning about the margin call.",
    )
    with page.expect_navigation():
        page.locator("#note ~ button").click()
    with page.expect_navigation():
        page.locator("button[value=marketing_refused]").click()
    page.fill("#reason", "回拨客户" if language == "zh" else "call back")
    with page.expect_navigation():
        page.locator("button[value=mobile_phone]").click()
    picture("revealed", whole=True)
    page.goto(f"{address}/pages/calls")
    picture("calls")
    page.goto(f"{address}/pages/status")
    picture("status")
    page.goto(f"{address}/pages/pop?ticket=used-before")
    picture("refused")


def _e_office(page: Any, address: str, key: str, picture: Any, language: str) -> None:
    _look_up(page, address, RICH.phone)
    picture("customer_e_office")
    with page.expect_navigation():
        page.locator("h1 a.button").click()
    picture("commission_customer")
    page.goto(f"{address}/pages/branches")
    picture("branches")


def _manager(page: Any, address: str, key: str, picture: Any, language: str) -> None:
    page.goto(f"{address}/pages/branches")
    with page.expect_navigation():
        page.get_by_role("link", name=BRANCH, exact=True).click()
    picture("employees")


def _performance_office(page: Any, address: str, key: str, picture: Any, language: str) -> None:
    page.goto(f"{address}/pages/performance")
    picture("performance")
    page.goto(f"{address}/pages/rates")
    picture("rates")


def _institution_desk(page: Any, address: str, key: str, picture: Any, language: str) -> None:
    page.goto(f"{address}/pages/institutions")
    picture("institutions")
    with page.expect_navigation():
        page.locator("tbody a").first.click()
    picture("institution")


def ticket_path(address: str, key: str, phone: str | None) -> str:
    """What the call platform does: a number goes in a body, the address of a page comes back."""
    body = json.dumps({"by": "phone", "value": phone}).encode()
    request = urllib.request.Request(
        f"{address}/v1/tickets", body, {"X-API-Key": key, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]["path"]


if __name__ == "__main__":
    main()
