"""What a seat writes: it takes a call, keeps its result, what the holder of a phone said, and a note. All of it counts at once for every seat."""

from __future__ import annotations

import secrets
from typing import Any

from serving.callers import Caller
from serving.overlay import RESULTS, WORDS
from serving.problems import NotFound, NotValid
from serving.service import STILL_ALLOWED, Question, Service

LONGEST_NOTE = 2000


def take(service: Service, caller: Caller, list_name: str, customer_id: str) -> dict[str, Any]:
    """Take a call of a list. Raises Conflict C360-546 when another seat has it, NotFound when it is not the caller's to make."""
    with service.asked(caller, "work", act="take", customer_id=customer_id) as question:
        _call(question, list_name, customer_id)
        day = question.snapshot.as_of_date
        version = service.overlay.claim(caller.id, caller.employee, day, list_name, customer_id)
        return question.answer({"state": "claimed", "version": version})


def give_back(service: Service, caller: Caller, list_name: str, customer_id: str, version: int) -> dict[str, Any]:
    """Give a call back to the queue. Raises Conflict C360-546 when it is not the caller's or has changed since `version`."""
    with service.asked(caller, "work", act="give_back", customer_id=customer_id) as question:
        _call(question, list_name, customer_id)
        service.overlay.release(caller.id, question.snapshot.as_of_date, customer_id, version)
        return question.answer({"state": "open", "version": 0})


def finish(
    service: Service, caller: Caller, list_name: str, customer_id: str, version: int, result: str
) -> dict[str, Any]:
    """Keep the result of a call that was taken. A refusal of a call that sells ends all calls that sell to that phone."""
    if result not in RESULTS:
        raise NotValid(f"result is none of {', '.join(RESULTS)}")
    with service.asked(caller, "work", act="finish", customer_id=customer_id, result=result) as question:
        call = _call(question, list_name, customer_id)
        version = service.overlay.finish(
            caller.id, caller.employee, question.snapshot.as_of_date, customer_id, call["mobile_phone_token"], version, result,
            is_marketing=call["purpose"] == "marketing",
        )  # fmt: skip
        return question.answer({"state": "done", "version": version})


def _call(question: Question, list_name: str, customer_id: str) -> dict[str, Any]:
    """The call of a customer on a list. One another seat has is found too: taking it is a conflict, not a blank."""
    own = customer_id in question.today.opened
    still = "true" if own else STILL_ALLOWED  # who has taken a call may end it, whatever was said meanwhile
    found = question.rows(
        "mart_outbound_call",
        f"customer_id = $customer and as_of_date = $as_of_date and is_call and list_name = $list and {still}",
        {"list": list_name, "customer": customer_id, "taken": []},
        ["mobile_phone_token", "purpose"],
    )
    if not found:
        raise NotFound("there is no such call, or not among those you may make")
    return found[0]


def say(service: Service, caller: Caller, customer_id: str, word: str) -> dict[str, Any]:
    """Keep what the holder of the customer's phone said: it holds for the phone, whoever else has it."""
    if word not in WORDS:
        raise NotValid(f"word is none of {', '.join(WORDS)}")
    with service.asked(caller, "work", act="say", customer_id=customer_id, word=word) as question:
        service.in_scope(question, customer_id, ["customer_id"])
        phone = service.phone_token(question.snapshot, customer_id)
        if phone is None:
            raise NotFound("no phone of the customer is known")
        service.overlay.say(customer_id, phone, word, caller.employee)
        return question.answer({"word": word})


def write_note(service: Service, caller: Caller, customer_id: str, text: str) -> dict[str, Any]:
    """Keep a note, sealed under the data key of the customer: erasing him erases it."""
    if not 1 <= len(text.strip()) <= LONGEST_NOTE:
        raise NotValid(f"a note has 1 to {LONGEST_NOTE} characters")
    with service.asked(caller, "work", act="note", customer_id=customer_id) as question:
        service.in_scope(question, customer_id, ["customer_id"])
        note = secrets.token_hex(8)
        for subject in service.subjects(question.snapshot, customer_id):
            (sealed,) = service.vault.seal([(subject, _place(note), text.strip())])
            if sealed is not None:
                service.overlay.note(note, customer_id, subject, sealed, caller.employee)
                return question.answer({"note_id": note})
        raise NotFound("the customer has no client number a note could be kept under")


def read_notes(service: Service, caller: Caller, customer_id: str) -> dict[str, Any]:
    """Notes written since the published day, newest first."""
    with service.asked(caller, "notes", customer_id=customer_id) as question:
        service.in_scope(question, customer_id, ["customer_id"])
        written = service.overlay.of_customer(customer_id, None, question.snapshot.as_of_date)["notes"]
        return question.answer(
            [
                {
                    "note_id": note["note_id"],
                    "text": service.vault.unseal(note["subject"], _place(note["note_id"]), note["sealed"]),
                    "written_at": note["written_at"],
                    "employee": note["employee"],
                }
                for note in written
            ]
        )


def _place(note: str) -> str:
    return f"call_note/{note}"
