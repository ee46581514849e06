"""What strangers send: every request is answered in one shape, nothing breaks, nothing comes back that was sent."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
import uvicorn
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from serving.app import create_app
from serving.service import Service
from serving.store import EmbeddedStore
from spark_jobs.config import load_settings
from tests.api.builders import PEOPLE, build_home

INJECTIONS = ["' or '1'='1", "'; drop table mart_customer_profile; --", '" or ""="', "$as_of_date", "%(as_of_date)s", "${jndi:x}", "../../etc/passwd",
              "\\x00", "{{7*7}}", "C000000001' union select * from publication --", "%27%20or%201=1"]  # fmt: skip

FIRM = next(one for one in PEOPLE if one.kind == "institution")
# A call has to be known by list and customer, a version by its claim; test_work.py makes those.
MAY_STAY_REFUSED = {
    f"POST /v1/lists/{{name}}/calls/{{customer_id}}/{act}" for act in ("claim", "release", "result")
} | {"POST /v1/exports"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, list[dict[str, str]]]]:
    """An application in this process, and keys of the roles that together may ask everything."""
    home = build_home(tmp_path_factory.mktemp("http"))
    settings = load_settings(
        home=home, serve_requests_per_minute=10**6, serve_lookups_per_day=10**6, serve_export_rows_per_day=10**8
    )
    service = Service(settings, {})
    scopes = ("read", "write", "export", "reveal")
    keys = [
        {"X-API-Key": service.api_keys.create(role, 1, "B001", "E001", scopes)[0]}
        for role in ("agent", "branch_manager", "risk_control", "analyst")
    ]
    yield create_app(settings, service), keys
    service.close()


CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
EXAMPLES = hypothesis.settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


def test_whole_openapi_is_answered_as_described_and_never_with_a_server_error(everything) -> None:
    app, keys = everything
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    answered: dict[str, set[int]] = {}

    def check(case) -> None:
        # An id that exists, half of the time: else every answer would be that there is none.
        if "customer_id" in case.path_parameters and len(str(case.path_parameters["customer_id"])) % 2:
            is_of_institution = case.path.startswith("/v1/institutions")
            case.path_parameters["customer_id"] = (FIRM if is_of_institution else PEOPLE[3]).customer_id
        for headers in keys:
            answer = case.call(headers=headers)
            answered.setdefault(f"{case.method} {case.path}", set()).add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"code", "what", "next"}

    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        EXAMPLES(hypothesis.given(case=operation.as_strategy())(check))()
    assert len(answered) == len(operations)
    # Each was answered at least once, not only refused.
    assert {name for name, states in answered.items() if 200 not in states} <= MAY_STAY_REFUSED


@pytest.mark.parametrize("text", INJECTIONS)
def test_injection_finds_nobody_and_does_not_come_back(text: str, client, headers_of) -> None:
    headers = headers_of("risk_control")
    from urllib.parse import quote

    answers = [
        client.post("/v1/lookups", json={"by": by, "value": text}, headers=headers)
        for by in ("phone", "customer_number", "account")
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["data"]) == (200, [])
    for path in (
        f"/v1/customers/{quote(text, safe='')}",
        f"/v1/lists/{quote(text, safe='')}/calls",
        f"/v1/commission/employees?month={quote(text)}",
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (403, 404, 422)
        answers.append(answer)
    answers.append(client.post("/v1/lookups", json={"by": text, "value": "x", text: 1}, headers=headers))
    assert not [answer for answer in answers if text in answer.text and len(text) > 4]
    assert client.get("/v1/status", headers=headers).status_code == 200


def test_value_in_a_bad_request_does_not_come_back(client, headers_of) -> None:
    answer = client.post(
        "/v1/lookups",
        json={"by": "phone", "value": ["13900000005"], "13900000005": 1},
        headers=headers_of("risk_control"),
    )
    assert answer.status_code == 422 and "13900000005" not in answer.text


def test_fault_nobody_foresaw_has_the_one_shape_and_no_trace(
    client, headers_of, service, settings, monkeypatch
) -> None:
    monkeypatch.setattr(service.overlay, "of", lambda *_: 1 / 0)
    answer = client.get("/v1/status", headers=headers_of("analyst"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "C360-599")
    assert "ZeroDivision" not in answer.text and "Traceback" not in answer.text
    assert '"outcome":"C360-599"' in next(settings.audit.rglob("*.jsonl")).read_text()


def test_answers_are_not_kept_by_browser_or_proxy(client, headers_of) -> None:
    for path in ("/v1/status", "/v1/customers/none", "/v1/nothing"):
        assert client.get(path, headers=headers_of("analyst")).headers["cache-control"] == "no-store"


def test_caller_that_asks_too_often_is_told_when_to_come_back(home) -> None:
    from starlette.testclient import TestClient

    settings = load_settings(home=home, serve_requests_per_minute=3)
    service = Service(settings, {})
    one, other = ({"X-API-Key": service.api_keys.create("analyst", 1)[0]} for _ in range(2))
    with TestClient(create_app(settings, service)) as client:
        answers = [client.get("/v1/status", headers=one) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert client.get("/v1/status", headers=other).status_code == 200


def test_page_token_is_for_one_caller_question_and_revision(client, headers_of, settings, service) -> None:
    from tests.api.builders import publish

    one, other = headers_of("branch_manager", "B001"), headers_of("branch_manager", "B001")
    path = "/v1/lists/dormant/calls?limit=1"
    seen, page = [], None
    while True:
        answer = client.get(path + (f"&page={page}" if page else ""), headers=one).json()
        seen += [row["customer_id"] for row in answer["data"]]
        first = page or answer["next_page"]
        page = answer["next_page"]
        if not page:
            break
    assert seen == [p.customer_id for p in PEOPLE if p.branch == "B001" and p.list_name == "dormant" and p.phone]
    token = client.get(path, headers=one).json()["next_page"]
    assert client.get(f"{path}&page={token}", headers=one).status_code == 200
    altered = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    wrong = [
        (path, token, other),
        ("/v1/lists/margin_call/calls?limit=1", token, one),
        (path, altered, one),
        (path, "AAAA", one),
    ]
    for where, page_token, caller in wrong:
        assert client.get(f"{where}&page={page_token}", headers=caller).status_code == 410
    publish(settings.home, service.keys, 2)
    assert client.get(f"{path}&page={token}", headers=one).status_code == 410
    assert first


@pytest.fixture
def server(home) -> Iterator[tuple[int, Service]]:
    """A listening server whose requests may take three seconds."""
    settings = load_settings(home=home, serve_timeout_seconds=3, serve_body_bytes=2048)
    service = Service(settings, {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(create_app(settings, service), port=port, log_level="error", access_log=False)
    )
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield port, service
    running.should_exit = True
    thread.join()


def _raw(port: int, *parts: bytes, pause: float = 0.0) -> tuple[int, dict]:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def test_oversized_body_is_refused_declared_or_not(server) -> None:
    port, _ = server
    head = b"POST /v1/lookups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert _raw(port, head + b"Content-Length: 1000000000\r\n\r\n")[0] == 413
    chunk = b"800\r\n" + b"x" * 2048 + b"\r\n"
    status, answer = _raw(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk)
    assert (status, answer["error"]["code"]) == (413, "C360-544")


def test_slow_body_is_given_up(server) -> None:
    port, _ = server
    head = b"POST /v1/lookups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    begun = time.monotonic()
    status, answer = _raw(port, head, b"{", b'"', pause=0.1)
    assert (status, answer["error"]["code"]) == (503, "C360-548")
    assert time.monotonic() - begun < 60


def test_slow_question_is_given_up_and_others_are_answered(server, monkeypatch) -> None:
    port, service = server
    key, _ = service.api_keys.create("analyst", 1)
    assert isinstance(service.store, EmbeddedStore)
    monkeypatch.setattr("serving.service.freshness", lambda snapshot, mart: snapshot.rows(
        "select count(*) as c from range(1000000) a, range(1000000) b"))  # fmt: skip
    status, answer = _raw(port, f"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
    assert (status, answer["error"]["code"]) == (503, "C360-548")
    assert _raw(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
