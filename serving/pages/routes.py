"""The addresses under /pages. A customer stands in none of them: a sealed reference does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from serving import calls
from serving.callers import Caller
from serving.overlay import RESULTS, WORDS
from serving.pages import commission, customers, institutions
from serving.pages.customers import Reference, reference_of, reference_text
from serving.pages.sessions import seconds_now
from serving.pages.tickets import use_ticket
from serving.pages.visits import Form, PageRoute, Visit, Visiting, may, navigation
from serving.problems import NotAllowed, NotAuthenticated, NotFound, NotValid
from serving.reveal import reveal
from serving.routes import Day, Page
from serving.service import LOOKUP_BY

HELD_SECONDS = 10 * 60
Ref = Annotated[str, Path(max_length=400, pattern="^[A-Za-z0-9_-]+$")]
ListName = Annotated[str, Path(pattern="^[a-z][a-z_]{0,40}$")]
Month = Annotated[str | None, Query(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]

router = APIRouter(prefix="/pages", route_class=PageRoute, include_in_schema=False)


# who is there


@router.get("")
def home(visit: Visiting) -> Response:
    """The first page the role has."""
    pages = navigation(visit.caller())
    return visit.go(pages[0][1] if pages else "/status")


@router.get("/sign-in")
def sign_in_form(visit: Visiting) -> Response:
    return visit.show("sign_in.html", is_wrong=False)


@router.post("/sign-in")
def sign_in(visit: Visiting, form: Form) -> Response:
    """A session of the key that was typed; its id is new, so one somebody else knew is worth nothing."""
    try:
        caller = visit.desk.api_keys.authenticate(form.get("key", "").strip())
    except NotAuthenticated as error:
        visit.desk.refused("sign_in", error)
        return visit.show("sign_in.html", 401, is_wrong=True)
    _begin(visit, caller.id.removeprefix("key:"))
    visit.desk.write(caller, "sign_in", "answered", {})
    return visit.go("")


def _begin(visit: Visit, key: str) -> None:
    visit.session = visit.sessions.new(visit.session.language, key)


@router.post("/sign-out")
def sign_out(visit: Visiting, form: Form) -> Response:
    visit.session = visit.sessions.new(visit.session.language)
    return visit.go("/sign-in")


@router.get("/pop")
def pop(visit: Visiting, ticket: Annotated[str, Query(max_length=64, pattern="^[A-Za-z0-9_-]+$")]) -> Response:
    """What a ticket of the call platform opens: signed in with the key that made it, at the customer or the choice."""
    fields = use_ticket(visit.desk, ticket)
    key = fields.pop("key")
    if visit.session.key != key:
        _begin(visit, key)
    caller = visit.caller()
    # Not a redirect: a strict cookie is not sent along one that began on another site. The page goes on by itself.
    return _look_up(visit, caller, fields, lambda path: visit.show("opening.html", path=path))


# looking up


@router.get("/look-up")
def look_up_form(visit: Visiting) -> Response:
    caller = visit.caller()
    caller.role.check("lookup", caller.scopes)
    return visit.show("look_up.html", by="phone", message=None, application=None, **_kinds())


@router.post("/look-up")
def look_up(visit: Visiting, form: Form) -> Response:
    """The customer, a masked choice or nobody; the value stays in the body, and sealed in the form that narrows a choice."""
    caller = visit.caller()
    held = form.get("held")
    fields = _held(visit, caller, held) if held else {"by": form.get("by", ""), "value": form.get("value", "")}
    digits = form.get("last_id_digits", "").strip().upper()
    return _look_up(visit, caller, {**fields, "last_id_digits": digits or None}, visit.go)


def _hold(visit: Visit, caller: Caller, fields: dict[str, Any]) -> str:
    seal = visit.sessions.seal
    return seal.close("look-up", caller.id, {**fields, "until": seconds_now() + HELD_SECONDS})


def _held(visit: Visit, caller: Caller, text: str) -> dict[str, Any]:
    fields = visit.sessions.seal.open("look-up", caller.id, text)
    if fields is None or fields.pop("until") < seconds_now():
        raise NotFound("the look-up is too old")
    return fields


def _look_up(visit: Visit, caller: Caller, fields: dict[str, Any], onward: Callable[[str], Response]) -> Response:
    value, digits = fields["value"], fields.get("last_id_digits")
    if not value.strip() or len(value) > 64 or fields["by"] not in LOOKUP_BY or len(digits or "") > 6:
        raise NotValid("the look-up is not valid")
    answer = visit.desk.look_up(caller, fields["by"], value, digits)
    visit.here = "/pages/look-up"
    if answer["found"] == "none":
        application = answer["application"]
        message = "found_application" if application else "found_none"
        return visit.show(
            "look_up.html", by=fields["by"], message=message, application=application, envelope=answer, **_kinds()
        )
    choice = [(row, reference_text(visit.desk, caller, Reference(row["customer_id"]))) for row in answer["data"]]
    if answer["found"] == "one" and _is_open(visit, caller, answer["data"][0]["customer_id"]):
        return onward(f"/customer/{choice[0][1]}")
    return visit.show(
        "choice.html", choice=choice, can_open=not customers.needs_check(caller), envelope=answer, held=_hold(visit, caller, fields),
        message="found_several" if answer["found"] == "several" else "found_closed",
    )  # fmt: skip


def _is_open(visit: Visit, caller: Caller, customer_id: str) -> bool:
    """Whether the caller may see the customer now; a look-up by a number alone opens nobody for an agent."""
    try:
        visit.desk.profile(caller, customer_id, "page")
    except NotFound:
        return False
    return True


def _kinds() -> dict[str, Any]:
    return {"kinds": LOOKUP_BY}


# one customer


def _customer(visit: Visit, caller: Caller, text: str, reference: Reference, **more: Any) -> Response:
    visit.here = f"/pages/customer/{text}"
    shown = customers.screen(visit.desk, caller, reference, visit.words)
    return visit.show(
        "customer.html", **shown, reference=text, can_reveal=caller.role.reveal if may(caller, "reveal") else (),
        can_write=may(caller, "work"), has_commission=may(caller, "commission_customer"), checks=visit.words.values("identity_check"),
        results=RESULTS, sayings=WORDS, most_holdings=customers.MOST_HOLDINGS, holding_columns=customers.HOLDINGS,
        account_columns=customers.ACCOUNTS, **{"revealed": None, **more},
    )  # fmt: skip


@router.get("/customer/{text}")
def customer(visit: Visiting, text: Ref) -> Response:
    caller = visit.caller()
    return _customer(visit, caller, text, reference_of(visit.desk, caller, text))


@router.post("/customer/{text}/check")
def check(visit: Visiting, text: Ref, form: Form) -> Response:
    """Record which identity check passed; figures are on the page it leads to."""
    caller = visit.caller()
    reference = customers.record_check(
        visit.desk, caller, reference_of(visit.desk, caller, text), form.get("check", "")
    )
    return visit.go(f"/customer/{reference_text(visit.desk, caller, reference)}")


@router.post("/customer/{text}/reveal")
def reveal_value(visit: Visiting, text: Ref, form: Form) -> Response:
    """One value in clear, in this answer only: going back or loading again does not show it."""
    caller = visit.caller()
    reference, column = reference_of(visit.desk, caller, text), form.get("column", "")
    answer = reveal(visit.desk, caller, reference.customer, column, form.get("reason", ""))
    return _customer(visit, caller, text, reference, revealed=answer["data"])


@router.post("/customer/{text}/word")
def say(visit: Visiting, text: Ref, form: Form) -> Response:
    caller = visit.caller()
    calls.say(visit.desk, caller, reference_of(visit.desk, caller, text).customer, form.get("word", ""))
    return visit.go(f"/customer/{text}")


@router.post("/customer/{text}/note")
def note(visit: Visiting, text: Ref, form: Form) -> Response:
    caller = visit.caller()
    calls.write_note(visit.desk, caller, reference_of(visit.desk, caller, text).customer, form.get("text", ""))
    return visit.go(f"/customer/{text}")


# calls


@router.get("/calls")
def lists(visit: Visiting) -> Response:
    """The first list of the day, by priority."""
    caller = visit.caller()
    answer = visit.desk.lists(caller)
    if answer["data"] and may(caller, "list_calls"):
        return visit.go(f"/calls/{answer['data'][0]['list_name']}")
    return visit.show(
        "calls.html", envelope=answer, lists=answer["data"], name=None, rows=[], following=None, can_write=False
    )


@router.get("/calls/{name}")
def list_calls(visit: Visiting, name: ListName, page: Page = None) -> Response:
    caller = visit.caller()
    overview, answer = visit.desk.lists(caller), visit.desk.list_calls(caller, name, page=page)
    rows = [(row, reference_text(visit.desk, caller, Reference(row["customer_id"]))) for row in answer["data"]]
    return visit.show(
        "calls.html", envelope=answer, lists=overview["data"], name=name, rows=rows, following=answer["next_page"],
        can_write=may(caller, "work"), results=RESULTS,
    )  # fmt: skip


def _version(form: dict[str, str]) -> int:
    version = form.get("version", "")
    if not version.isdigit() or len(version) > 6:
        raise NotValid("version is not a number")
    return int(version)


@router.post("/calls/{name}/{act}")
def work(visit: Visiting, name: ListName, act: str, form: Form) -> Response:
    """Take a call, give it back, or keep its result; a call that is taken leads to its customer."""
    caller = visit.caller()
    text = form.get("reference", "")
    customer_id = reference_of(visit.desk, caller, text).customer
    if act == "claim":
        calls.take(visit.desk, caller, name, customer_id)
        return visit.go(f"/customer/{text}")
    if act == "release":
        calls.give_back(visit.desk, caller, name, customer_id, _version(form))
    elif act == "result":
        calls.finish(visit.desk, caller, name, customer_id, _version(form), form.get("result", ""))
    else:
        raise NotFound("there is nothing at this address")
    return visit.go(f"/calls/{name}")


# commission


@router.get("/commission/{text}")
def commission_customer(visit: Visiting, text: Ref) -> Response:
    caller = visit.caller()
    reference = reference_of(visit.desk, caller, text)
    answer = visit.desk.commission_customer(caller, reference.customer)
    if customers.needs_check(caller) and not reference.is_checked():
        raise NotAllowed("no identity check was recorded")
    return visit.show(
        "commission_customer.html", envelope=answer, customer_id=reference.customer, reference=text, **commission.of_customer(answer["data"])
    )  # fmt: skip


@router.get("/branches")
def branches(visit: Visiting, month: Month = None) -> Response:
    caller = visit.caller()
    answer, rows = commission.whole(visit.desk.commission_branches, caller, month)
    return visit.show("branches.html", **commission.of_month(answer, rows, month), branch=None,
                      has_employees=may(caller, "commission_employees"))  # fmt: skip


@router.get("/branches/{branch}")
def employees(visit: Visiting, branch: Annotated[str, Path(pattern=r"^[\w-]{1,40}$")], month: Month = None) -> Response:
    caller = visit.caller()
    answer, rows = commission.whole(visit.desk.commission_employees, caller, month)
    rows = [row for row in rows if row["branch_id"] == branch]
    return visit.show("branches.html", **commission.of_month(answer, rows, month), branch=branch, has_employees=False)


@router.get("/performance")
def performance(visit: Visiting, month: Month = None) -> Response:
    caller = visit.caller()
    answer, rows = commission.whole(visit.desk.performance_employees, caller, month)
    return visit.show("performance.html", **commission.of_employees(answer, rows, month))


@router.get("/rates")
def rates(visit: Visiting, day: Day = None) -> Response:
    return visit.show("rates.html", **commission.of_rates(visit.desk, visit.caller(), day))


# institutions


@router.get("/institutions")
def institutions_page(visit: Visiting) -> Response:
    caller = visit.caller()
    shown = institutions.overview(visit.desk, caller)
    references = [reference_text(visit.desk, caller, Reference(row["customer_id"])) for row in shown["rows"]]
    return visit.show("institutions.html", **shown, references=references, most=institutions.MOST_SHOWN)


@router.get("/institutions/{text}")
def institution(visit: Visiting, text: Ref) -> Response:
    caller = visit.caller()
    shown = institutions.screen(visit.desk, caller, reference_of(visit.desk, caller, text).customer)
    references = [reference_text(visit.desk, caller, Reference(row["customer_id"])) for row in shown["under"]]
    return visit.show(
        "institution.html", **shown, references=references, under_columns=institutions.UNDER, holding_columns=institutions.HELD,
        most_holdings=institutions.MOST_HOLDINGS,
    )  # fmt: skip


# the day


@router.get("/status")
def status(visit: Visiting) -> Response:
    answer = visit.desk.status(visit.caller())
    return visit.show("status.html", envelope=answer, days=answer["data"][:15])
