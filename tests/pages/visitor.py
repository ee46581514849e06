"""Somebody at a browser without a screen: he follows redirects, and gives back the token of the form he saw."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient


class Visitor:
    """addresses: of every page and of everything a page led to."""

    def __init__(self, client: TestClient) -> None:
        self._client, self.page, self.addresses = client, None, []
        client.cookies.clear()

    def get(self, path: str) -> str:
        return self._seen(self._client.get(path))

    def post(self, path: str, **fields: str) -> str:
        return self._seen(self._client.post(path, data={"csrf": self.token, **fields}))

    def sign_in(self, key: str, language: str = "zh") -> str:
        self.get(f"/pages/sign-in?lang={language}")
        return self.post("/pages/sign-in", key=key)

    def look_up(self, value: str | None, by: str = "phone", digits: str = "") -> str:
        self.get("/pages/look-up")
        return self.post("/pages/look-up", by=by, value=value or "", last_id_digits=digits)

    def check(self, name: str = "questions") -> str:
        return self.post(f"{self.path}/check", check=name)

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.page.text)
        return found[1] if found else ""

    @property
    def path(self) -> str:
        return self.page.url.path

    @property
    def status(self) -> int:
        return self.page.status_code

    def _seen(self, answer: Any) -> str:
        self.page = answer
        self.addresses += [str(one.url) for one in [*answer.history, answer]] + addresses_in(answer.text)
        refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
        return self.get(refresh[1]) if refresh else answer.text


def addresses_in(html: str) -> list[str]:
    return [value for tag in tags_in(html) for name, value in tag if name in ("href", "action", "src") and value]


def tags_in(html: str) -> list[list[tuple[str, str | None]]]:
    """Attributes of every tag; its name stands first, as attribute `tag`."""
    found: list[list[tuple[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.append([("tag", tag), *attributes])

    Reader().feed(html)
    return found
