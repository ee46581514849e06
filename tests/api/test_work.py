"""What people write today counts today: for every seat, beside the published day, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from serving.access import SCOPES
from serving.app import create_app
from serving.service import Service
from tests.api.builders import PEOPLE, SHARED_PHONE, publish

BRANCH = "B001"
MINE = [person for person in PEOPLE if person.branch == BRANCH and person.phone]
SERVICE_CALL = next(person for person in MINE if person.list_name == "first_call_back")
MARKETING_CALL = next(person for person in MINE if person.list_name == "dormant")
MANDATORY_CALL = next(person for person in MINE if person.list_name == "margin_call")


@pytest.fixture
def seats(headers_of) -> tuple[dict[str, str], dict[str, str]]:
    """Two agents of one branch who serve nobody."""
    return headers_of("agent", BRANCH, "E900"), headers_of("agent", BRANCH, "E901")


def _queue(client, seat, name: str) -> dict[str, dict]:
    rows = client.get(f"/v1/lists/{name}/calls", headers=seat).json()["data"]
    return {row["customer_id"]: row for row in rows}


def _post(client, seat, person, act: str, **body):
    path = f"/v1/lists/{person.list_name}/calls/{person.customer_id}/{act}"
    return client.post(path, json=body or None, headers=seat)


def test_call_that_is_taken_is_not_offered_to_another_seat(client, seats) -> None:
    first, second = seats
    assert _post(client, first, SERVICE_CALL, "claim").json()["data"] == {"state": "claimed", "version": 1}
    assert SERVICE_CALL.customer_id not in _queue(client, second, "first_call_back")
    mine = _queue(client, first, "first_call_back")[SERVICE_CALL.customer_id]["work"]
    assert (mine["state"], mine["is_mine"], mine["employee"]) == ("claimed", True, "E900")


def test_second_claim_of_a_call_is_a_conflict_and_a_repeated_one_is_not(client, seats) -> None:
    first, second = seats
    assert [_post(client, seat, SERVICE_CALL, "claim").status_code for seat in (first, second, first)] == [
        200,
        409,
        200,
    ]


def test_of_many_seats_at_once_one_gets_the_call(client, headers_of) -> None:
    seats = [headers_of("agent", BRANCH, f"E9{number:02d}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda seat: _post(client, seat, SERVICE_CALL, "claim").status_code, seats))
    assert sorted(states) == [200] + [409] * 7


def test_result_needs_the_claim_and_the_version_that_was_seen(client, seats) -> None:
    first, second = seats
    assert _post(client, first, SERVICE_CALL, "result", version=1, result="reached").status_code == 409
    _post(client, first, SERVICE_CALL, "claim")
    assert _post(client, second, SERVICE_CALL, "result", version=1, result="reached").status_code == 409
    assert _post(client, first, SERVICE_CALL, "result", version=2, result="reached").status_code == 409
    assert _post(client, first, SERVICE_CALL, "result", version=1, result="sold").status_code == 422
    done = _post(client, first, SERVICE_CALL, "result", version=1, result="reached")
    assert done.json()["data"] == {"state": "done", "version": 2}
    assert _post(client, first, SERVICE_CALL, "result", version=2, result="refused").status_code == 409


def test_call_that_is_given_back_is_offered_again(client, seats) -> None:
    first, second = seats
    _post(client, first, SERVICE_CALL, "claim")
    assert _post(client, first, SERVICE_CALL, "release", version=1).status_code == 200
    assert SERVICE_CALL.customer_id in _queue(client, second, "first_call_back")


def test_call_of_another_branch_cannot_be_taken(client, seats) -> None:
    other = next(one for one in PEOPLE if one.branch != BRANCH and one.phone)
    assert _post(client, seats[0], other, "claim").status_code == 404


def test_do_not_call_takes_the_row_from_the_queue_for_every_seat_but_not_a_mandatory_one(client, seats) -> None:
    first, second = seats
    for person in (SERVICE_CALL, MANDATORY_CALL):
        said = client.post(f"/v1/customers/{person.customer_id}/words", json={"word": "do_not_call"}, headers=first)
        assert said.status_code == 200
    for seat in seats:
        assert SERVICE_CALL.customer_id not in _queue(client, seat, "first_call_back")
        assert MANDATORY_CALL.customer_id in _queue(client, seat, "margin_call")
    assert _post(client, second, SERVICE_CALL, "claim").status_code == 404
    today = client.get(f"/v1/customers/{MANDATORY_CALL.customer_id}", headers=second).json()
    assert (today["today"]["is_do_not_call"], today["data"]["is_do_not_call"]) == (True, False)


def test_last_word_counts(client, seats) -> None:
    path = f"/v1/customers/{MARKETING_CALL.customer_id}/words"
    for word, is_offered in (("marketing_refused", False), ("marketing_granted", True), ("do_not_call", False)):
        client.post(path, json={"word": word}, headers=seats[0])
        assert (MARKETING_CALL.customer_id in _queue(client, seats[1], "dormant")) is is_offered, word


def test_word_of_a_phone_holds_for_whoever_else_has_it(client, headers_of) -> None:
    one, two = (person for person in PEOPLE if person.phone == SHARED_PHONE)
    client.post(f"/v1/customers/{one.customer_id}/words", json={"word": "do_not_call"},
                headers=headers_of("agent", one.branch, one.employee))  # fmt: skip
    other = client.get(f"/v1/customers/{two.customer_id}", headers=headers_of("risk_control")).json()
    assert other["today"]["is_do_not_call"] is True


def test_refusal_of_a_call_that_sells_is_a_word_and_of_another_is_not(client, seats) -> None:
    for person, word in ((MARKETING_CALL, "marketing_refused"), (SERVICE_CALL, None)):
        _post(client, seats[0], person, "claim")
        _post(client, seats[0], person, "result", version=1, result="refused")
        today = client.get(f"/v1/customers/{person.customer_id}", headers=seats[0]).json()["today"]
        assert (today["last_word"], today["calls"][0]["result"]) == (word, "refused")


def test_note_is_read_by_another_seat_and_sealed_on_disk(client, headers_of, service, settings) -> None:
    one, two = headers_of("agent", BRANCH, "E900"), headers_of("agent", BRANCH, "E901")
    path = f"/v1/customers/{SERVICE_CALL.customer_id}/notes"
    client.post(path, json={"text": "下周二上午再打，说到孩子上学的事"}, headers=one)
    (note,) = client.get(path, headers=two).json()["data"]
    assert (note["text"], note["employee"]) == ("下周二上午再打，说到孩子上学的事", "E900")
    kept = b"".join(path.read_bytes() for path in settings.written.iterdir())
    assert "孩子".encode() not in kept
    # Erasing the customer erases the note.
    from spark_jobs.ingest.vault import source_subject

    service.vault.destroy([source_subject("NOR", SERVICE_CALL.client_number)])
    assert client.get(path, headers=two).status_code == 410


def test_what_was_written_is_there_after_a_restart_and_for_another_process(client, seats, settings) -> None:
    _post(client, seats[0], SERVICE_CALL, "claim")
    second = Service(settings, {})
    with TestClient(create_app(settings, second)) as other:
        assert _post(other, seats[1], SERVICE_CALL, "claim").status_code == 409


def test_overlay_ends_where_the_published_day_has_it(client, seats, service, settings) -> None:
    """A word of a day counts beside the days before it; once its own day is published, the marts have it."""
    from serving.overlay import today

    client.post(f"/v1/customers/{SERVICE_CALL.customer_id}/words", json={"word": "do_not_call"}, headers=seats[0])
    publish(settings.home, service.keys, 2, day=today())
    assert SERVICE_CALL.customer_id in _queue(client, seats[1], "first_call_back")


@pytest.mark.parametrize("act", ["claim", "release", "result"])
def test_writing_needs_the_scope(act: str, client, headers_of) -> None:
    reader = headers_of("agent", BRANCH, "E900", tuple(scope for scope in SCOPES if scope != "write"))
    body = {"claim": {}, "release": {"version": 1}, "result": {"version": 1, "result": "reached"}}[act]
    assert _post(client, reader, SERVICE_CALL, act, **body).status_code == 403
