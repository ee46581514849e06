"""The queue of a seat, commission by role, and the day's status."""

from __future__ import annotations

import re

from tests.api.builders import PEOPLE
from tests.pages.day import BRANCH, EMPLOYEE, RICH

LIST = RICH.list_name
BRANCH_OR_STAFF = {BRANCH, EMPLOYEE}
CALLS = [one for one in PEOPLE if one.branch == BRANCH and one.list_name == LIST and one.phone]


def _reference(visitor, customer_id: str) -> str:
    """The sealed reference behind a customer's link."""
    return re.search(rf'href="/pages/customer/([\w-]+)">{customer_id}<', visitor.page.text)[1]


def _colleague(visit, key_of):
    visitor = visit()
    visitor.sign_in(key_of("agent", employee="E002"))
    return visitor


def test_queue_shows_due_times_and_no_figure(agent) -> None:
    text = agent.get("/pages/calls")
    assert agent.path == f"/pages/calls/{LIST}"
    mine = {
        one.customer_id
        for one in PEOPLE
        if one.list_name == LIST and one.phone and BRANCH_OR_STAFF & {one.branch, one.employee}
    }
    assert set(re.findall(r">(C\d{9})</a>", text)) == mine and text.count("<td>14:00</td>") == len(mine) > 3
    assert "风险测评到期、休眠" in text and "200,000.00" not in text and "138.20%" not in text


def test_call_that_is_taken_leads_to_its_customer_and_leaves_the_other_queues(agent, visit, key_of) -> None:
    other = _colleague(visit, key_of)
    agent.get(f"/pages/calls/{LIST}")
    text = agent.post(f"/pages/calls/{LIST}/claim", reference=_reference(agent, RICH.customer_id))
    assert agent.path.startswith("/pages/customer/") and 'name="result" value="reached"' in text
    assert RICH.customer_id not in other.get(f"/pages/calls/{LIST}")


def test_call_two_seats_saw_goes_to_the_first(agent, visit, key_of) -> None:
    other = _colleague(visit, key_of)
    other.get(f"/pages/calls/{LIST}")
    reference = _reference(other, RICH.customer_id)
    agent.get(f"/pages/calls/{LIST}")
    agent.post(f"/pages/calls/{LIST}/claim", reference=_reference(agent, RICH.customer_id))
    text = other.post(f"/pages/calls/{LIST}/claim", reference=reference)
    assert other.status == 409 and "其他坐席已领取" in text


def test_result_ends_a_call_and_release_gives_it_back(agent, visit, key_of) -> None:
    first, second = CALLS[:2]
    for person in (first, second):
        agent.get(f"/pages/calls/{LIST}")
        agent.post(f"/pages/calls/{LIST}/claim", reference=_reference(agent, person.customer_id))
    agent.get(f"/pages/calls/{LIST}")
    text = agent.post(
        f"/pages/calls/{LIST}/result", reference=_reference(agent, first.customer_id), version="1", result="no_answer"
    )
    assert "已完成 · 无人接听" in text
    agent.post(f"/pages/calls/{LIST}/release", reference=_reference(agent, second.customer_id), version="1")
    offered = _colleague(visit, key_of).get(f"/pages/calls/{LIST}")
    assert second.customer_id in offered and first.customer_id not in offered


def test_result_with_a_version_nobody_saw_is_a_conflict(agent) -> None:
    agent.get(f"/pages/calls/{LIST}")
    reference = _reference(agent, RICH.customer_id)
    agent.post(f"/pages/calls/{LIST}/claim", reference=reference)
    for version, status in (("2", 409), ("", 422), ("one", 422)):
        agent.post(f"/pages/calls/{LIST}/result", reference=reference, version=version, result="reached")
        assert agent.status == status
        agent.get(f"/pages/calls/{LIST}")


def test_do_not_call_takes_a_call_that_is_not_mandatory_from_the_queue(agent) -> None:
    person = next(one for one in PEOPLE if one.branch == BRANCH and one.list_name == "dormant" and one.phone)
    assert person.customer_id in agent.get("/pages/calls/dormant")
    agent.look_up(person.phone)
    agent.post(f"{agent.path}/word", word="do_not_call")
    assert person.customer_id not in agent.get("/pages/calls/dormant")


def test_role_that_may_not_write_is_offered_no_button(visit, key_of) -> None:
    for role in ("branch_manager", "risk_control", "auditor"):
        visitor = visit()
        visitor.sign_in(key_of(role))
        text = visitor.get(f"/pages/calls/{LIST}")
        assert visitor.status == 200 and RICH.customer_id in text and "/claim" not in text
        visitor.post(f"/pages/calls/{LIST}/claim", reference=_reference(visitor, RICH.customer_id))
        assert visitor.status == 403


def test_auditor_sees_no_phone_in_a_list(visit, key_of) -> None:
    visitor = visit()
    visitor.sign_in(key_of("auditor"))
    assert "****" not in visitor.get(f"/pages/calls/{LIST}")


def test_commission_of_a_customer_is_by_day_and_line_with_its_sum(visit, key_of) -> None:
    office = visit()
    office.sign_in(key_of("e_office"))
    office.look_up(RICH.phone)
    text = office.get(office.path.replace("/customer/", "/commission/"))
    assert text.count("2026-09-29") == 3 and "信用" in text
    # six days of 54.60 + 49.20 + 31.20 and the published day's 3.10
    assert "813.10" in text


def test_branch_manager_sees_his_branch_and_its_employees(visit, key_of) -> None:
    manager = visit()
    manager.sign_in(key_of("branch_manager"))
    text = manager.get("/pages/branches")
    assert "营业部B001" in text and "营业部B002" not in text
    text = manager.get("/pages/branches/B001?month=2026-09")
    assert re.findall(r"<td class=\"\">(E\d{3})</td>", text) == ["E000", "E004"]
    assert "E005" not in manager.get("/pages/branches/B002?month=2026-09")


def test_employees_stand_by_their_place_with_sums_and_a_manager_sees_his_own(visit, key_of) -> None:
    office, manager, agent = visit(), visit(), visit()
    office.sign_in(key_of("performance"))
    text = office.get("/pages/performance")
    assert re.findall(r"<td class=\"\">(E\d{3})</td>", text) == [f"E{place:03d}" for place in range(8)]
    assert "307.20" in text and "288.32" in text, "eight times 38.40 and 36.04"
    assert "50.00" in text and "350.00" not in text, "targets are not added up"
    manager.sign_in(key_of("branch_manager"))
    assert re.findall(r"<td class=\"\">(E\d{3})</td>", manager.get("/pages/performance?month=2026-09")) == [
        "E000",
        "E004",
    ]
    agent.sign_in(key_of("agent"))
    agent.get("/pages/performance")
    assert agent.status == 403


def test_rates_to_look_at_and_orders_charged_wrongly_stand_on_one_page(visit, key_of) -> None:
    office, manager, agent = visit(), visit(), visit()
    office.sign_in(key_of("e_office"))
    text = office.get("/pages/rates")
    assert text.count("****") >= 16 and "万2.5" in text and "多收" in text and "股票" in text
    assert "万3" in text and "不一致" in text
    assert "2.5 bp" in office.get("/pages/rates?lang=en") and "overcharged" in office.page.text
    assert "A000" not in office.page.text.replace("****A000", "")
    assert office.get("/pages/rates?day=2000-01-03").count('class="notice"') == 2
    assert "/pages/rates?day=2000-01-03&amp;lang=zh" in office.page.text
    office.get("/pages/rates?day=yesterday")
    assert office.status == 422
    manager.sign_in(key_of("branch_manager"))
    assert 0 < manager.get("/pages/rates").count("<tr>") < text.count("<tr>")
    agent.sign_in(key_of("agent"))
    agent.get("/pages/rates")
    assert agent.status == 403


def test_months_are_walked_and_there_is_none_after_the_published_one(visit, key_of) -> None:
    office = visit()
    office.sign_in(key_of("performance"))
    assert "month=2026-08" in office.get("/pages/branches") and "month=2026-10" not in office.page.text
    text = office.get("/pages/branches?month=2025-12")
    assert "month=2025-11" in text and "month=2026-01" in text
    office.get("/pages/branches?month=2025-13")
    assert office.status == 422


def test_switching_the_language_stays_in_the_month(visit, key_of) -> None:
    office = visit()
    office.sign_in(key_of("performance"))
    assert "/pages/branches?month=2026-08&amp;lang=en" in office.get("/pages/branches?month=2026-08")
    assert "2026-08" in office.get("/pages/branches?month=2026-08&lang=en")


def test_status_says_which_block_is_current_older_or_missing(agent) -> None:
    text = agent.get("/pages/status")
    states = re.findall(r"<tr><td>(\S+?)</td><td>(\S+?)</td><td><mark[^>]*>(\S+?)</mark>", text)
    assert states[:4] == [
        ("普通", "2026-09-30", "最新"),
        ("信用", "2026-09-30", "最新"),
        ("期权", "2026-09-29", "沿用旧数据"),
        ("基金理财", "—", "未到数据"),
    ]
    assert "部分业务沿用旧数据" in text and "部分业务缺少数据" in text
