"""The screen pop: opened once, masked, without a figure before the check, without a value in an address."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from serving.pages import customers, sessions, tickets
from serving.pages.sessions import seconds_now
from serving.problems import NotFound
from spark_jobs.ingest.vault import load_keys, source_subject
from tests.api.builders import APPLICANT_PHONE, PEOPLE, SHARED_PHONE, publish
from tests.pages.day import BRANCH, RICH
from tests.pages.test_sessions import _audited

TOTAL, ACCOUNT = "1,286,540.27", ">****0012<"
STRANGER = next(one for one in PEOPLE if one.branch != BRANCH and one.phone and one.phone != SHARED_PHONE)
SHARED = [one for one in PEOPLE if one.phone == SHARED_PHONE]


def _ticket(visitor, key: str, value: str | None, by: str = "phone") -> tuple[int, str]:
    answer = visitor._client.post("/v1/tickets", json={"by": by, "value": value}, headers={"X-API-Key": key})
    return answer.status_code, answer.json()["data"]["path"] if answer.status_code == 200 else ""


def test_ticket_opens_the_customer_in_a_browser_nobody_signed_in(visit, key_of) -> None:
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), STRANGER.phone)
    text = visitor.get(path)
    assert visitor.status == 200 and visitor.path.startswith("/pages/customer/") and STRANGER.customer_id in text


def test_ticket_of_an_applicant_shows_the_application(visit, key_of) -> None:
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), APPLICANT_PHONE)
    text = visitor.get(path)
    assert visitor.status == 200 and "开户申请" in text and "风险测评" in text and "review" not in text


def test_ticket_opens_once(visit, key_of) -> None:
    first, second = visit(), visit()
    _, path = _ticket(first, key_of("agent"), RICH.phone)
    first.get(path)
    for visitor in (first, second):
        assert RICH.customer_id not in visitor.get(path)
        assert visitor.status == 404


def test_ticket_is_too_old_after_a_minute(visit, key_of, monkeypatch) -> None:
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), RICH.phone)
    later = seconds_now() + 61
    monkeypatch.setattr(tickets, "seconds_now", lambda: later)
    visitor.get(path)
    assert visitor.status == 404


def test_ticket_is_for_who_may_look_up(visit, key_of) -> None:
    for role in ("performance", "auditor", "analyst"):
        assert _ticket(visit(), key_of(role), RICH.phone)[0] == 403
    assert _ticket(visit(), key_of("agent", scopes=("write",)), RICH.phone)[0] == 403
    assert _ticket(visit(), "c360_00000000_" + "x" * 43, RICH.phone)[0] == 401


def test_value_of_a_ticket_is_not_in_its_address_and_not_in_clear_on_disk(visit, key_of, settings) -> None:
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), RICH.phone)
    assert RICH.phone not in path
    kept = b"".join(file.read_bytes() for file in settings.written.iterdir())
    assert b"page_ticket" in kept and RICH.phone.encode() not in kept


def test_ticket_of_a_key_that_was_revoked_meanwhile_opens_nothing(visit, key_of, service) -> None:
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), RICH.phone)
    service.api_keys.revoke(next(iter(service.api_keys.entries())))
    visitor.get(path)
    assert visitor.path == "/pages/sign-in"


def test_figures_are_on_the_page_only_after_a_check_that_is_written_down(agent, settings) -> None:
    text = agent.look_up(RICH.phone)
    for figure in (TOTAL, "138.20%", "600519.SSE", "200,000.00", ACCOUNT, "2026-11-20", "<svg"):
        assert figure not in text, figure
    assert not _audited(settings, act="identity_check")
    text = agent.check("telephone_password")
    for figure in (TOTAL, "138.20%", "600519.SSE", "200,000.00", ACCOUNT, "2026-11-20", "<svg"):
        assert figure in text, figure
    assert [line["outcome"] for line in _audited(settings, act="identity_check", check="telephone_password",
                                                customer_id=RICH.customer_id)] == ["identity check passed", "answered"]  # fmt: skip


def test_check_nobody_knows_is_refused(agent) -> None:
    agent.look_up(RICH.phone)
    assert TOTAL not in agent.check("he_sounds_right")
    assert agent.status == 422


def test_check_is_forgotten_after_half_an_hour(agent, monkeypatch) -> None:
    agent.look_up(RICH.phone)
    agent.check()
    path, later = agent.path, seconds_now() + customers.CHECKED_SECONDS + 5
    assert TOTAL in agent.get(path)
    monkeypatch.setattr(customers, "seconds_now", lambda: later)
    assert TOTAL not in agent.get(path)


def test_check_holds_for_the_call_it_was_made_in(agent) -> None:
    agent.look_up(RICH.phone)
    agent.check()
    assert TOTAL not in agent.look_up(RICH.phone)


def test_reference_of_one_caller_opens_nothing_for_another(agent, visit, key_of) -> None:
    agent.look_up(RICH.phone)
    agent.check()
    colleague = visit()
    colleague.sign_in(key_of("agent", employee="E002"))
    assert RICH.customer_id not in colleague.get(agent.path)
    assert colleague.status == 404


def test_commission_of_the_page_waits_for_the_check_too(agent) -> None:
    agent.look_up(RICH.phone)
    path = agent.path.replace("/customer/", "/commission/")
    agent.get(path)
    assert agent.status == 403
    agent.look_up(RICH.phone)
    agent.check()
    agent.get(agent.path.replace("/customer/", "/commission/"))
    assert agent.status == 200 and "123,000.00" in agent.page.text


def test_phone_of_several_is_a_masked_choice_and_the_document_decides(agent) -> None:
    text = agent.look_up(SHARED_PHONE)
    assert text.count("王**") == 2 and agent.path == "/pages/look-up"
    for person in SHARED:
        assert person.customer_id not in text and person.identity not in text
    held = (
        next(tag for tag in agent.page.text.split("<input") if 'name="held"' in tag).split('value="')[1].split('"')[0]
    )
    text = agent.post("/pages/look-up", held=held, last_id_digits=SHARED[1].identity[-4:])
    assert agent.path.startswith("/pages/customer/") and SHARED[1].customer_id in text


def test_phone_of_nobody_says_so(agent) -> None:
    assert "没有找到客户" in agent.look_up("13700000000")


def test_number_alone_opens_nobody_for_an_agent_and_with_the_document_it_does(agent) -> None:
    text = agent.look_up(STRANGER.account_id, "account")
    assert "须核对证件后四位" in text and STRANGER.customer_id not in text
    text = agent.look_up(STRANGER.account_id, "account", STRANGER.identity[-4:])
    assert STRANGER.customer_id in text


def test_no_address_holds_a_value_of_a_customer(agent) -> None:
    agent.look_up(RICH.phone)
    agent.check()
    agent.post(f"{agent.path}/reveal", column="mobile_phone", reason="回拨客户")
    agent.get("/pages/calls")
    agent.look_up(SHARED_PHONE)
    values = {
        value
        for one in PEOPLE
        for value in (one.customer_id, one.phone, one.account_id, one.client_number, one.identity)
        if value
    }
    assert len(agent.addresses) > 40
    assert not [address for address in agent.addresses if any(value in address for value in values)]


def test_page_is_masked_and_reveal_shows_one_value_in_one_answer(agent, settings) -> None:
    agent.look_up(RICH.phone)
    text = agent.check()
    for value in (RICH.phone, RICH.identity, RICH.account_id, RICH.client_number):
        assert value not in text
    path = agent.path
    text = agent.post(f"{path}/reveal", column="mobile_phone", reason="回拨客户")
    assert RICH.phone in text and RICH.identity not in text
    assert [line["outcome"] for line in _audited(settings, route="reveal", reason="回拨客户")] == [
        "about to be revealed",
        "answered",
    ]
    assert RICH.phone not in agent.get(path)


@pytest.mark.parametrize(
    ("column", "reason", "status"),
    [("identity", "核对证件", 403), ("mobile_phone", "x", 422), ("name", "核对姓名", 422)],
)
def test_reveal_is_refused_without_a_reason_or_the_right(column: str, reason: str, status: int, agent) -> None:
    agent.look_up(RICH.phone)
    assert 'value="identity"' not in agent.page.text
    text = agent.post(f"{agent.path}/reveal", column=column, reason=reason)
    assert agent.status == status and RICH.identity not in text


def test_word_of_today_stands_beside_consent_for_every_seat(agent, visit, key_of) -> None:
    agent.look_up(RICH.phone)
    text = agent.post(f"{agent.path}/word", word="do_not_call")
    assert '<mark class="stop">免打扰</mark>' in text and "不要再打电话" in text
    colleague = visit()
    colleague.sign_in(key_of("agent", employee="E002"))
    assert '<mark class="stop">免打扰</mark>' in colleague.look_up(RICH.phone)


def test_note_is_escaped_and_erased_with_the_customer(agent, service) -> None:
    agent.look_up(RICH.phone)
    text = agent.post(f"{agent.path}/note", text="<script>alert(1)</script> 周二再打")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 周二再打" in text
    service.vault.destroy([source_subject("NOR", RICH.client_number)])
    text = agent.get(agent.path)
    assert agent.status == 200 and "个人数据已删除" in text and "周二再打" not in text


@pytest.mark.parametrize("role", ["e_office", "branch_manager", "risk_control"])
def test_role_sees_what_it_may_and_no_more(role: str, visit, key_of, service) -> None:
    """Each part of the page is there if, and only if, the role has its column or its question."""
    visitor, may = visit(), service.access.roles[role]
    visitor.sign_in(key_of(role))
    text = visitor.look_up(RICH.phone)
    columns = may.columns["mart_customer_profile"]
    for shown, is_theirs in (
        (TOTAL, "total_asset_amount" in columns),
        ("138.20%", "minimum_maintenance_ratio" in columns),
        ("139****0012", "mobile_phone_masked" in columns),
        ("同意营销外呼", "has_marketing_consent" in columns),
        ("今日已登记", "has_marketing_consent" in columns),
        ("600519.SSE", "holdings" in may.routes),
        ("<svg", "asset_history" in may.routes and "total_asset_amount" in columns),
        ("基金定投", "tags" in may.routes),
        ("本次外呼", "list_calls" in may.routes),
        ("新备注", "work" in may.routes),
        ('value="identity"', "identity" in may.reveal),
        ("客户业绩", "commission_customer" in may.routes),
        ("/check", False),
    ):
        assert (shown in text) is is_theirs, shown


def test_page_is_of_one_revision_though_a_day_is_published_while_it_is_read(
    agent, service, settings, monkeypatch
) -> None:
    agent.look_up(RICH.phone)
    asked = service.__class__.holdings

    def publish_first(self, caller, customer_id):
        monkeypatch.undo()
        publish(settings.home, load_keys(settings.home / "vault", {}), 2, shift=5)
        return asked(self, caller, customer_id)

    monkeypatch.setattr(service.__class__, "holdings", publish_first)
    text = agent.check()
    assert "版本 2" in text and "版本 1" not in text
    assert f"{1000 * RICH.number + 5:,}.00" in text and TOTAL not in text


def test_session_of_a_ticket_ends_like_any_other(visit, key_of, monkeypatch) -> None:
    visitor = visit()
    visitor.get(_ticket(visitor, key_of("agent"), RICH.phone)[1])
    later = seconds_now() + sessions.IDLE_SECONDS + 5
    monkeypatch.setattr(sessions, "seconds_now", lambda: later)
    visitor.get("/pages/status")
    assert visitor.path == "/pages/sign-in"


def test_of_two_requests_with_one_ticket_who_deletes_it_has_it(visit, key_of, service, monkeypatch) -> None:
    """Where a store lets both read it, as PostgreSQL does, the second deletes nothing."""
    visitor = visit()
    _, path = _ticket(visitor, key_of("agent"), RICH.phone)
    ticket = path.split("ticket=")[1]
    other = service.work.writing

    @contextmanager
    def late():
        with other() as work:
            yield SimpleNamespace(rows=work.rows, change=lambda statement, bound: 0)

    monkeypatch.setattr(service.work, "writing", late)
    with pytest.raises(NotFound):
        tickets.use_ticket(service, ticket)
    monkeypatch.undo()
    assert tickets.use_ticket(service, ticket)["value"] == RICH.phone
