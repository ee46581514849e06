"""Who is signed in, for how long, and what a form of somebody else is worth."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from serving.audit import lines
from serving.pages import sessions
from serving.pages.routes import router
from serving.pages.sessions import COOKIE, IDLE_SECONDS, LONGEST_SECONDS, seconds_now
from tests.pages.day import RICH
from tests.pages.visitor import tags_in

POSTS = sorted(route.path for route in router.routes if "POST" in route.methods)
GETS = sorted(
    route.path
    for route in router.routes
    if "GET" in route.methods and route.path not in ("/pages/sign-in", "/pages/pop")
)


def _filled(path: str) -> str:
    return (
        path.replace("{text}", "x").replace("{name}", "dormant").replace("{act}", "claim").replace("{branch}", "B001")
    )


def _audited(settings, **fields) -> list[dict]:
    today = date.today()
    found = lines(settings.audit, today - timedelta(days=1), today + timedelta(days=1))
    return [line for line in found if all(line.get(name) == value for name, value in fields.items())]


def test_page_without_a_session_leads_to_sign_in(visit) -> None:
    visitor = visit()
    assert len(GETS) > 7
    for path in GETS:
        visitor.get(_filled(path))
        assert visitor.path == "/pages/sign-in", path


def test_key_that_is_typed_opens_the_first_page_of_the_role(visit, key_of) -> None:
    for role, first in (
        ("agent", "look-up"),
        ("e_office", "look-up"),
        ("performance", "branches"),
        ("auditor", "calls/margin_call"),
    ):
        visitor = visit()
        visitor.sign_in(key_of(role))
        assert (visitor.status, visitor.path) == (200, f"/pages/{first}")


def test_cookie_is_for_this_site_alone_and_says_nothing(visit, key_of) -> None:
    visitor, key = visit(), key_of("agent")
    visitor.sign_in(key)
    said = visitor.page.history[0].headers["set-cookie"]
    assert "HttpOnly" in said and "SameSite=strict" in said and "Path=/pages" in said
    assert "Secure" not in said
    identity, secret = key.split("_")[1], key.split("_", 2)[2]
    assert identity not in said and secret not in said and secret not in visitor.page.text


def test_cookie_is_secure_where_the_page_came_by_tls(visit) -> None:
    visitor = visit()
    visitor.get("https://testserver/pages/sign-in")
    assert "Secure" in visitor.page.headers["set-cookie"]


def test_wrong_key_is_told_and_written_down(visit, settings) -> None:
    visitor = visit()
    text = visitor.sign_in("c360_00000000_" + "x" * 43)
    assert visitor.status == 401 and "密钥无效" in text
    visitor.get("/pages/look-up")
    assert visitor.path == "/pages/sign-in"
    assert [line["outcome"] for line in _audited(settings, route="sign_in")] == ["C360-540"]


def test_revoked_key_ends_its_session_at_the_next_request(agent, service) -> None:
    (identity,) = service.api_keys.entries()
    service.api_keys.revoke(identity)
    agent.get("/pages/look-up")
    assert agent.path == "/pages/sign-in"


@pytest.mark.parametrize(("seconds", "is_over"), [(IDLE_SECONDS - 5, False), (IDLE_SECONDS + 5, True)])
def test_session_ends_when_nobody_used_it(seconds: int, is_over: bool, agent, monkeypatch) -> None:
    later = seconds_now() + seconds
    monkeypatch.setattr(sessions, "seconds_now", lambda: later)
    agent.get("/pages/look-up")
    assert (agent.path == "/pages/sign-in") is is_over


def test_session_ends_after_a_shift_however_busy(agent, monkeypatch) -> None:
    start = seconds_now()
    for seconds in range(0, LONGEST_SECONDS + IDLE_SECONDS, IDLE_SECONDS // 2):
        monkeypatch.setattr(sessions, "seconds_now", lambda seconds=seconds: start + seconds)
        agent.get("/pages/look-up")
        if agent.path == "/pages/sign-in":
            break
    assert LONGEST_SECONDS <= seconds <= LONGEST_SECONDS + IDLE_SECONDS // 2


def test_altered_cookie_is_no_session(agent) -> None:
    value = agent._client.cookies[COOKIE]
    middle = len(value) // 2
    agent._client.cookies.clear()
    agent._client.cookies.set(COOKIE, value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :])
    agent.get("/pages/look-up")
    assert agent.path == "/pages/sign-in"


def test_form_without_the_token_of_the_session_is_refused(agent, visit) -> None:
    other = visit()
    other.get("/pages/sign-in")
    assert len(POSTS) > 7
    for path in POSTS:
        for token in ("", other.token):
            agent.post(_filled(path), csrf=token)
            assert agent.status == 403, path


def test_token_of_a_form_is_another_one_after_sign_in(visit, key_of) -> None:
    visitor = visit()
    visitor.get("/pages/sign-in")
    before = visitor.token
    visitor.post("/pages/sign-in", key=key_of("agent"))
    assert visitor.token != before


def test_who_signs_out_is_out(agent) -> None:
    agent.get("/pages/look-up")
    agent.post("/pages/sign-out")
    agent.get("/pages/status")
    assert agent.path == "/pages/sign-in"


def test_no_page_holds_a_script_a_style_or_anything_from_elsewhere(agent) -> None:
    agent.look_up(RICH.phone)
    agent.check()
    pages = [agent.page]
    for path in ("/pages/sign-in", "/pages/look-up", "/pages/calls", "/pages/status", "/pages/nowhere/x"):
        agent.get(path)
        pages.append(agent.page)
    for page in pages[:-1]:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
        assert page.headers["cache-control"] == "no-store"
        for tag in tags_in(page.text):
            names = dict(tag)
            assert (
                names["tag"] != "script"
                and "style" not in names
                and not [name for name in names if name.startswith("on")]
            )
            assert all((names.get(name) or "/").startswith(("/", "#")) for name in ("href", "src", "action"))
        forms = [tag for tag in tags_in(page.text) if tag[0][1] == "form"]
        assert page.text.count('name="csrf"') == len(forms) > 0


def test_language_is_chinese_until_switched_and_stays_switched(agent) -> None:
    assert "客户 360" in agent.get("/pages/look-up")
    assert 'lang="en"' in agent.get("/pages/look-up?lang=en")
    assert "Data status" in agent.get("/pages/status") and "数据状态" not in agent.page.text
    assert "数据状态" in agent.get("/pages/status?lang=zh")
    assert "数据状态" in agent.get("/pages/status?lang=fr")
