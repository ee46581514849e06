"""One-time tickets: the call platform gives a number in a body, the browser opens what it found with a word that means nothing else.

Kept in the work store, so that a ticket of one process opens at another, once. The number is sealed there and gone when the ticket is used.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel

from serving import shapes
from serving.audit import derived_key
from serving.callers import Caller
from serving.pages.sealing import Seal
from serving.pages.sessions import PATH, seconds_now
from serving.problems import NotAllowed, NotFound
from serving.routes import PROBLEMS, Answer, Asking, Desk
from serving.service import Service

TICKET_SECONDS = 60


def make_ticket(service: Service, caller: Caller, value: dict[str, Any]) -> str:
    """A ticket for one look-up by the caller, good for a minute. Raises NotAllowed where the caller may not look up, or is no API key."""
    with service.asked(caller, "lookup", act="ticket", by=value["by"]):
        if not caller.id.startswith("key:"):
            raise NotAllowed("a ticket opens a page session, and that is a key's")
        ticket, now = secrets.token_urlsafe(32), seconds_now()
        sealed = _seal(service).close("ticket", _hash(ticket), {**value, "key": caller.id.removeprefix("key:")})
        with service.work.writing() as work:
            work.change("delete from page_ticket where until_seconds < $now", {"now": now})
            work.change(
                "insert into page_ticket (ticket_hash, sealed, until_seconds) values ($ticket, $sealed, $until)",
                {"ticket": _hash(ticket), "sealed": sealed, "until": now + TICKET_SECONDS},
            )
        return ticket


def use_ticket(service: Service, ticket: str) -> dict[str, Any]:
    """by, value, last_id_digits and key of a ticket; it is gone afterwards. Raises NotFound for one that is used, too old or unknown."""
    bound = {"ticket": _hash(ticket), "now": seconds_now()}
    with service.work.writing() as work:
        found = work.rows("select sealed from page_ticket where ticket_hash = $ticket and until_seconds >= $now", bound)
        # Who deletes it has it: of two requests at once one is told there is none.
        is_ours = work.change("delete from page_ticket where ticket_hash = $ticket", bound) == 1
    fields = _seal(service).open("ticket", bound["ticket"], found[0]["sealed"]) if found and is_ours else None
    if fields is None:
        raise NotFound("the ticket was used, or is older than a minute")
    return fields


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _seal(service: Service) -> Seal:
    return Seal(derived_key(service.keys, "pages ticket"))


class Ticket(BaseModel):
    """path: opens the screen pop in the browser of the seat, once, and signs it in with the key that made the ticket."""

    path: str
    seconds: int


class TicketAnswer(BaseModel):
    data: Ticket


router = APIRouter(prefix="/v1", responses=PROBLEMS, default_response_class=Answer)


@router.post("/tickets", response_model=TicketAnswer, tags=["customers"])
def ticket(body: Annotated[shapes.LookUp, Body()], desk: Desk, caller: Asking) -> Answer:
    """A one-time ticket for the screen pop: the value stays here, the address of the page has none."""
    made = make_ticket(desk, caller, body.model_dump())
    return Answer({"data": {"path": f"{PATH}/pop?ticket={made}", "seconds": TICKET_SECONDS}})
