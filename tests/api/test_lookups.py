"""Who is behind a phone, a number or an account: one, a choice, or nobody; never a guess, never a value in a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.builders import APPLICANT_PHONE, BRANCHES, DAY, ERASED, PEOPLE, SHARED_PHONE, SILENT_PHONE

SINGLE = PEOPLE[4]


def _ask(client, headers, by: str, value: str, **more):
    return client.post("/v1/lookups", json={"by": by, "value": value, **more}, headers=headers)


@pytest.mark.parametrize("spelling", ["{}", "+86 {}", "０{}", "{} ", "\u202a{}"])
def test_phone_is_found_however_it_is_spelled(spelling: str, client, headers_of) -> None:
    answer = _ask(client, headers_of("risk_control"), "phone", spelling.format(SINGLE.phone)).json()
    assert (answer["found"], [row["customer_id"] for row in answer["data"]]) == ("one", [SINGLE.customer_id])


@pytest.mark.parametrize("by", ["customer_number", "account"])
def test_number_and_account_find_their_customer(by: str, client, headers_of) -> None:
    numbers = [SINGLE.customer_id, SINGLE.client_number, f"{SINGLE.customer_id}0"]  # the last is part of the customer
    for value in {"customer_number": numbers, "account": [SINGLE.account_id]}[by]:
        answer = _ask(client, headers_of("risk_control"), by, value).json()
        assert [row["customer_id"] for row in answer["data"]] == [SINGLE.customer_id]


def test_any_phone_a_counter_has_finds_its_customer(client, headers_of) -> None:
    headers, second = headers_of("risk_control"), f"1360009{SINGLE.number:04d}"
    assert [row["customer_id"] for row in _ask(client, headers, "phone", second).json()["data"]] == [SINGLE.customer_id]
    shown = client.get(f"/v1/customers/{SINGLE.customer_id}/phones", headers=headers).json()["data"]
    assert [(row["phone_rank"], row["mobile_phone_masked"][:3]) for row in shown] == [(1, "139"), (2, "136")]


def test_shared_phone_is_a_masked_choice(client, headers_of) -> None:
    answer = _ask(client, headers_of("risk_control"), "phone", SHARED_PHONE).json()
    assert answer["found"] == "several"
    assert [set(row) for row in answer["data"]] == [{"customer_id", "customer_kind", "name_masked", "branch_name"}] * 2


def test_last_digits_of_the_document_narrow_a_choice(client, headers_of) -> None:
    headers = headers_of("risk_control")
    answer = _ask(client, headers, "phone", SHARED_PHONE, last_id_digits=PEOPLE[1].identity[-4:].lower()).json()
    assert (answer["found"], answer["data"][0]["customer_id"]) == ("one", PEOPLE[1].customer_id)
    assert _ask(client, headers, "phone", SHARED_PHONE, last_id_digits="0000").json()["found"] == "none"


def test_last_digits_of_an_erased_customer_fit_nothing(client, headers_of) -> None:
    digits = ERASED.identity[-4:]
    assert (
        _ask(client, headers_of("risk_control"), "phone", ERASED.phone, last_id_digits=digits).json()["found"] == "none"
    )


def test_last_digits_alone_find_nobody(client, headers_of) -> None:
    answer = client.post(
        "/v1/lookups", json={"last_id_digits": SINGLE.identity[-4:]}, headers=headers_of("risk_control")
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("value", ["13000000000", "无", "' or 1=1 --", "%", "-"])
def test_unknown_value_finds_nobody(value: str, client, headers_of) -> None:
    for by in ("phone", "customer_number", "account"):
        answer = _ask(client, headers_of("risk_control"), by, value)
        assert (answer.status_code, answer.json()["found"], answer.json()["data"]) == (200, "none", [])


def test_of_two_behind_a_phone_one_visible_is_still_several(client, headers_of) -> None:
    answer = _ask(client, headers_of("branch_manager", PEOPLE[0].branch), "phone", SHARED_PHONE).json()
    assert (answer["found"], len(answer["data"])) == ("several", 1)


def test_phone_of_an_applicant_finds_the_application_and_no_customer(client, headers_of) -> None:
    answer = _ask(client, headers_of("agent", "B004", "E001"), "phone", f"+86 {APPLICANT_PHONE}").json()
    assert (answer["found"], answer["data"]) == ("none", [])
    application = answer["application"]
    assert (application["application_step"], application["stalled_minutes"]) == ("risk_tested", 45)
    assert "aml_result" not in application and "mobile_phone_token" not in application
    assert (
        _ask(client, headers_of("risk_control"), "phone", APPLICANT_PHONE).json()["application"]["aml_result"]
        == "review"
    )


def test_application_is_for_roles_that_see_applications_of_its_branch(client, headers_of) -> None:
    mine, other = BRANCHES[1], BRANCHES[2]
    for branch, is_seen in ((mine, True), (other, False)):
        answer = _ask(client, headers_of("branch_manager", branch), "phone", APPLICANT_PHONE).json()
        assert (answer["application"] is not None) == is_seen, branch
    assert _ask(client, headers_of("e_office"), "phone", APPLICANT_PHONE).json()["application"] is None


def test_phone_of_a_customer_finds_no_application_whatever_the_digits(client, headers_of) -> None:
    answer = _ask(client, headers_of("agent", "B001", "E001"), "phone", SHARED_PHONE, last_id_digits="0000").json()
    assert (answer["found"], answer["application"]) == ("none", None)


def test_applicants_who_may_be_called_are_listed_by_branch(client, headers_of) -> None:
    found = client.get("/v1/prospects", headers=headers_of("risk_control")).json()["data"]
    assert [row["prospect_id"] for row in found] == ["PRO-1"], f"{SILENT_PHONE} forbids calls"
    for branch, ids in ((BRANCHES[1], ["PRO-1"]), (BRANCHES[2], [])):
        headers = headers_of("agent", branch, "E001")
        assert [row["prospect_id"] for row in client.get("/v1/prospects", headers=headers).json()["data"]] == ids


def test_phone_opens_its_customer_to_the_agent_who_looked_up_and_to_no_other(client, headers_of) -> None:
    outside = PEOPLE[1 + 4]
    mine, other = (headers_of("agent", "B001", "E999") for _ in range(2))
    path = f"/v1/customers/{outside.customer_id}"
    assert client.get(path, headers=mine).status_code == 404
    assert _ask(client, mine, "phone", outside.phone).json()["found"] == "one"
    assert client.get(path, headers=mine).status_code == 200
    assert client.get(path, headers=other).status_code == 404


def test_customer_number_opens_only_with_the_second_check(client, headers_of) -> None:
    outside, headers = PEOPLE[5], headers_of("agent", "B001", "E999")
    path = f"/v1/customers/{outside.customer_id}"
    _ask(client, headers, "customer_number", outside.customer_id)
    assert client.get(path, headers=headers).status_code == 404
    _ask(client, headers, "customer_number", outside.customer_id, last_id_digits=outside.identity[-4:])
    assert client.get(path, headers=headers).status_code == 200


def test_shared_phone_opens_nobody(client, headers_of) -> None:
    headers = headers_of("agent", "B001", "E999")
    _ask(client, headers, "phone", SHARED_PHONE)
    assert client.get(f"/v1/customers/{PEOPLE[1].customer_id}", headers=headers).status_code == 404


def test_every_answer_says_day_revision_and_freshness(client, headers_of) -> None:
    answer = _ask(client, headers_of("risk_control"), "phone", SINGLE.phone).json()
    assert (answer["as_of_date"], answer["revision"]) == (DAY.isoformat(), 1)
    assert answer["freshness"] == {
        "blocks": {"normal": "2026-09-30", "credit": "2026-09-30", "option": "2026-09-29", "fund": None, "advice": "2026-09-30",
                   "fund_advice": "2026-09-30"}, "is_stale": True, "is_partial": True,
    }  # fmt: skip


def test_enumeration_ends_at_the_limit_of_the_day(home: Path) -> None:
    from starlette.testclient import TestClient

    from serving.app import create_app
    from serving.service import Service
    from spark_jobs.config import load_settings

    settings = load_settings(home=home, serve_lookups_per_day=5)
    service = Service(settings, {})
    key, _ = service.api_keys.create("risk_control", 1)
    with TestClient(create_app(settings, service)) as client:
        states = [_ask(client, {"X-API-Key": key}, "phone", f"139000001{n:02d}").status_code for n in range(7)]
    assert states == [200] * 5 + [429] * 2


def test_no_value_reaches_the_audit_log(client, headers_of, service, settings) -> None:
    headers = headers_of("risk_control")
    for person in PEOPLE[:6]:
        for by, value in (("phone", person.phone), ("account", person.account_id)):
            if value:
                _ask(client, headers, by, value, last_id_digits=person.identity[-4:])
    service.audit.close()
    text = "".join(path.read_text() for path in settings.audit.rglob("*.jsonl"))
    assert text.count('"route":"lookup"') == 11
    for person in PEOPLE[:6]:
        for value in (person.phone, person.account_id, person.identity, f'"{person.identity[-4:]}"'):
            assert value is None or value not in text


def test_a_revision_with_tokens_of_another_key_answers_nothing_at_all(client, headers_of, service) -> None:
    """Nobody would be found, and nobody's word would be met: that is no answer."""
    service.keys = replace(service.keys, newer_token_keys=(b"u" * 32,))
    answer = _ask(client, headers_of("risk_control"), "phone", SINGLE.phone)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "C360-548")
    assert client.get(f"/v1/customers/{SINGLE.customer_id}", headers=headers_of("risk_control")).status_code == 503
