"""One value in clear, or many rows at once: by role and scope, with a reason or a mark, and written down first."""

from __future__ import annotations

import csv
import io
import json

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.exports import _cell
from serving.service import Service
from spark_jobs.config import load_settings
from tests.api.builders import ERASED, PEOPLE

PERSON = PEOPLE[4]
REASON = "customer asks us to call back"


def _reveal(client, headers, person=PERSON, column: str = "mobile_phone", reason: str = REASON):
    body = {"column": column, "reason": reason}
    return client.post(f"/v1/customers/{person.customer_id}/reveal", json=body, headers=headers)


def _lines(settings) -> list[dict]:
    return [
        json.loads(line)["body"] for path in settings.audit.rglob("*.jsonl") for line in path.read_text().splitlines()
    ]


@pytest.mark.parametrize(("column", "value"), [("mobile_phone", PERSON.phone), ("identity", PERSON.identity)])
def test_risk_control_reveals_phone_and_identity(column: str, value: str, client, headers_of) -> None:
    assert _reveal(client, headers_of("risk_control"), column=column).json()["data"] == {column: value}


def test_agent_reveals_the_phone_to_dial_and_not_the_identity(client, headers_of) -> None:
    mine = next(one for one in PEOPLE if one.branch == "B001" and one.phone and one is not ERASED)
    agent = headers_of("agent", "B001", "E900")
    assert _reveal(client, agent, mine).json()["data"] == {"mobile_phone": mine.phone}
    assert _reveal(client, agent, mine, column="identity").status_code == 403


@pytest.mark.parametrize("role", ["branch_manager", "e_office", "performance", "analyst", "auditor"])
def test_no_other_role_reveals(role: str, client, headers_of) -> None:
    assert _reveal(client, headers_of(role, PERSON.branch)).status_code == 403


def test_customer_of_another_branch_is_not_revealed(client, headers_of) -> None:
    assert _reveal(client, headers_of("agent", "B001", "E900"), PEOPLE[5]).status_code == 404


def test_erased_customer_is_gone(client, headers_of) -> None:
    answer = _reveal(client, headers_of("risk_control"), ERASED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "C360-520")


@pytest.mark.parametrize(
    "reason", ["", "abc", "x" * 201, "call 13900000005 back", "证件 １１０１０１１９９０", "tel 139 0000 0005"]
)
def test_reason_must_say_something_and_hold_no_number(reason: str, client, headers_of) -> None:
    assert _reveal(client, headers_of("risk_control"), reason=reason).status_code == 422


def test_audit_line_comes_before_the_value(client, headers_of, service, settings, monkeypatch) -> None:
    seen: list[list[dict]] = []
    real = service.vault.reveal

    def watched(*arguments: str) -> str:
        seen.append(_lines(settings))
        return real(*arguments)

    monkeypatch.setattr(service.vault, "reveal", watched)
    _reveal(client, headers_of("risk_control"))
    last = seen[0][-1]
    assert (last["outcome"], last["customer_id"], last["column"]) == (
        "about to be revealed",
        PERSON.customer_id,
        "mobile_phone",
    )
    assert last["reason"] == REASON
    assert PERSON.phone not in json.dumps(_lines(settings))


def _export(client, headers, **body):
    return client.post("/v1/exports", json={"mart": "mart_customer_profile", **body}, headers=headers)


def _rows(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


def test_export_has_every_row_of_the_branch_and_the_mark_in_each(client, headers_of) -> None:
    answer = _export(client, headers_of("branch_manager", "B002"))
    rows = _rows(answer)
    assert [row["customer_id"] for row in rows] == [one.customer_id for one in PEOPLE if one.branch == "B002"]
    assert answer.headers["x-rows"] == str(len(rows)) and "attachment" in answer.headers["content-disposition"]
    assert all(row["exported_by"].startswith("key:") and row["exported_by"].endswith("revision 1") for row in rows)
    assert not {"mobile_phone_token", "identity_token"} & set(rows[0])


def test_export_of_some_columns_has_no_other_and_a_hidden_one_is_refused(client, headers_of) -> None:
    manager = headers_of("branch_manager", "B002")
    assert list(_rows(_export(client, manager, columns=["cash_amount"]))[0]) == ["cash_amount", "exported_by"]
    for columns in (["identity_token"], ["cash_amount; drop table x"], []):
        assert _export(client, manager, columns=columns).status_code == 403


def test_mart_the_role_does_not_see_is_not_exported(client, headers_of) -> None:
    assert _export(client, headers_of("performance")).status_code == 403
    assert _export(client, headers_of("analyst"), mart="mart_nothing").status_code == 403


def test_export_of_more_rows_than_a_page_at_once_is_whole(client, headers_of, monkeypatch) -> None:
    monkeypatch.setattr("serving.exports._AT_ONCE", 7)
    for mart in (
        "mart_customer_profile",
        "mart_customer_holding",
        "mart_commission_customer_day",
        "mart_commission_branch_month",
    ):
        rows = _rows(_export(client, headers_of("analyst"), mart=mart))
        assert len(rows) == len({tuple(row.values()) for row in rows}) == (4 if mart.endswith("month") else len(PEOPLE))


def test_quota_of_rows_ends_exports_of_the_day_before_a_row_leaves(home) -> None:
    settings = load_settings(home=home, serve_export_rows_per_day=80)
    service = Service(settings, {})
    key, _ = service.api_keys.create("analyst", 1, scopes=("export",))
    with TestClient(create_app(settings, service)) as client:
        states = [_export(client, {"X-API-Key": key}).status_code for _ in range(3)]
    assert states == [200, 429, 429]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＠x"])
def test_text_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert _cell(text) == f"'{text}"


def test_negative_amount_stays_a_number() -> None:
    from decimal import Decimal

    assert (_cell(Decimal("-5.00")), _cell(-5), _cell(None), _cell(True)) == ("-5.00", "-5", "", "true")
