"""The routes under /v1: each reads its request, asks, and answers; what may be asked is not decided here."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.responses import JSONResponse, Response, StreamingResponse

from serving import calls, exports, institutions, shapes
from serving.callers import Caller
from serving.metrics import CONTENT_TYPE, metrics_text
from serving.problems import NotAuthenticated
from serving.reveal import reveal
from serving.service import MOST_A_PAGE, PAGE, Service

_API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="a key of `c360 api-key create`")
_BEARER = HTTPBearer(auto_error=False, description="a token of the firm's identity provider")

CustomerId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[\w.:-]+$", description="customer_id")]
ListName = Annotated[str, Path(pattern="^[a-z][a-z_]{0,40}$", description="name of a list, as in docs/lists.md")]
Month = Annotated[str | None, Query(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", description="yyyy-MM")]
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="rows of a page")]
Page = Annotated[
    str | None, Query(max_length=2000, pattern="^[A-Za-z0-9_-]+$", description="next_page of the page before")
]
First = Annotated[dt.date | None, Query(description="first day, inclusive")]
Last = Annotated[dt.date | None, Query(description="last day, inclusive")]
Day = Annotated[dt.date | None, Query(description="the day; without it, the published one")]
Purpose = Annotated[
    str | None, Header(alias="X-Purpose", pattern="^[a-z][a-z_]{0,40}$", description="why it is asked, one word for the audit log")
]  # fmt: skip

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.ProblemAnswer, "description": text}
    for status, text in {
        401: "The key or token is missing or not valid.",
        403: "The role or scope does not have this.",
        404: "There is none, or not among the rows the caller may see.",
        413: "The request is too large.",
        422: "The request is not as described.",
        429: "More than the caller may ask.",
        503: "Nothing can be answered now.",
    }.items()
}
CONFLICT = {409: {"model": shapes.ProblemAnswer, "description": "Another seat was first, or it has changed since."}}
GONE = {410: {"model": shapes.ProblemAnswer, "description": "The page belongs to another question or revision."}}


ERASED = {410: {"model": shapes.ProblemAnswer, "description": "The customer was erased."}}
CSV = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "The rows, in UTF-8 with a byte order mark.",
    }
}


def encoded(data: Any) -> bytes:
    """JSON in which a decimal keeps its scale as a string."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


class Answer(JSONResponse):
    """What the service answered. Never kept by a browser or proxy: it is one caller's."""

    def __init__(self, data: Any = None, status_code: int = 200) -> None:
        super().__init__(data, status_code, {"cache-control": "no-store"})

    def render(self, content: Any) -> bytes:
        return encoded(content)


async def service_of(request: Request) -> Service:
    return request.app.state.service


async def caller_of_request(
    request: Request, key: Annotated[str | None, Security(_API_KEY)], bearer: Annotated[Any, Security(_BEARER)]
) -> Caller:
    """The caller. Both at once is neither: it would not be clear who is written down.

    A key is looked up in memory, where going to a thread and back would take longer; for a token the keys of its issuer may have to be fetched.
    """
    service: Service = request.app.state.service
    try:
        if (key is None) == (bearer is None):
            raise NotAuthenticated
        if key is not None:
            return service.api_keys.authenticate(key)
        return await run_in_threadpool(service.bearers.authenticate, bearer.credentials)
    except NotAuthenticated as error:
        await run_in_threadpool(service.refused, request.scope["route"].name, error)
        raise


Desk = Annotated[Service, Depends(service_of)]
Asking = Annotated[Caller, Depends(caller_of_request)]

v1 = APIRouter(prefix="/v1", responses=PROBLEMS, default_response_class=Answer)


@v1.post("/lookups", response_model=shapes.LookUpAnswer, tags=["customers"])
def look_up(body: shapes.LookUp, desk: Desk, caller: Asking) -> Answer:
    """Find customers by phone, customer number or account. Several are a masked choice; nothing is guessed."""
    return Answer(desk.look_up(caller, body.by, body.value, body.last_id_digits))


@v1.get("/customers/{customer_id}", response_model=shapes.ProfileAnswer, tags=["customers"])
def profile(customer_id: CustomerId, desk: Desk, caller: Asking, purpose: Purpose = None) -> Answer:
    """The profile of the published day, and what was written since."""
    return Answer(desk.profile(caller, customer_id, purpose))


@v1.get("/customers/{customer_id}/accounts", response_model=shapes.AccountsAnswer, tags=["customers"])
def accounts(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """His accounts and their parts of his assets."""
    return Answer(desk.accounts(caller, customer_id))


@v1.get("/customers/{customer_id}/holdings", response_model=shapes.HoldingsAnswer, tags=["customers"])
def holdings(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """What he holds."""
    return Answer(desk.holdings(caller, customer_id))


@v1.get("/customers/{customer_id}/asset-history", response_model=shapes.AssetHistoryAnswer, tags=["customers"])
def asset_history(
    customer_id: CustomerId, desk: Desk, caller: Asking, first: First = None, last: Last = None
) -> Answer:
    """His assets on every published day, oldest first."""
    return Answer(desk.asset_history(caller, customer_id, first, last))


@v1.get("/customers/{customer_id}/tags", response_model=shapes.TagsAnswer, tags=["customers"])
def tags(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """What he does, this month and ever."""
    return Answer(desk.tags(caller, customer_id))


@v1.get("/customers/{customer_id}/phones", response_model=shapes.PhonesAnswer, tags=["customers"])
def phones(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """Every phone a counter has for him, masked, in the order in which one would try them."""
    return Answer(desk.phones(caller, customer_id))


@v1.get("/customers/{customer_id}/open-items", response_model=shapes.OpenItemsAnswer, tags=["customers"])
def open_items(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """What is due: payments, expiries, margin, complaints."""
    return Answer(desk.open_items(caller, customer_id))


@v1.get("/prospects", response_model=shapes.ProspectsAnswer, responses=GONE, tags=["lists"])
def prospects(desk: Desk, caller: Asking, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Applicants whose application for an account has broken off, oldest first, without those today's words forbid to call."""
    return Answer(desk.prospects(caller, limit, page))


@v1.get("/lists", response_model=shapes.ListsAnswer, tags=["lists"])
def lists(desk: Desk, caller: Asking) -> Answer:
    """The lists of calls of the day."""
    return Answer(desk.lists(caller))


@v1.get("/lists/{name}/calls", response_model=shapes.CallsAnswer, responses=GONE, tags=["lists"])
def list_calls(name: ListName, desk: Desk, caller: Asking, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Calls of a list by due time, without those today's words forbid or another seat has taken."""
    return Answer(desk.list_calls(caller, name, limit, page))


@v1.get("/lists/{name}/suppressed", response_model=shapes.SuppressedAnswer, responses=GONE, tags=["lists"])
def list_suppressed(name: ListName, desk: Desk, caller: Asking, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Who is on a list and not called, and why."""
    return Answer(desk.list_suppressed(caller, name, limit, page))


@v1.get("/commission/customers/{customer_id}", response_model=shapes.CustomerCommissionAnswer, tags=["commission"])
def commission_customer(
    customer_id: CustomerId, desk: Desk, caller: Asking, first: First = None, last: Last = None
) -> Answer:
    """Commission of a customer by trade date and business line."""
    return Answer(desk.commission_customer(caller, customer_id, first, last))


@v1.get("/incomes/customers/{customer_id}", response_model=shapes.CustomerIncomeAnswer, tags=["commission"])
def income_customer(
    customer_id: CustomerId, desk: Desk, caller: Asking, first: First = None, last: Last = None
) -> Answer:
    """What was earned from a customer by day, business line and kind."""
    return Answer(desk.income_customer(caller, customer_id, first, last))


@v1.get("/accruals/customers/{customer_id}", response_model=shapes.CustomerAccrualAnswer, tags=["commission"])
def accruals_customer(
    customer_id: CustomerId, desk: Desk, caller: Asking, first: First = None, last: Last = None
) -> Answer:
    """Interest and trailing fees earned from a customer by natural day."""
    return Answer(desk.accruals_customer(caller, customer_id, first, last))


@v1.get("/commission/employees", response_model=shapes.EmployeeCommissionAnswer, responses=GONE, tags=["commission"])
def commission_employees(
    desk: Desk, caller: Asking, month: Month = None, limit: Limit = PAGE, page: Page = None
) -> Answer:
    """What is attributed to employees in a month."""
    return Answer(desk.commission_employees(caller, month, limit, page))


@v1.get("/commission/branches", response_model=shapes.BranchCommissionAnswer, responses=GONE, tags=["commission"])
def commission_branches(
    desk: Desk, caller: Asking, month: Month = None, limit: Limit = PAGE, page: Page = None
) -> Answer:
    """Commission of branches in a month."""
    return Answer(desk.commission_branches(caller, month, limit, page))


@v1.get("/performance/employees", response_model=shapes.EmployeePerformanceAnswer, responses=GONE, tags=["commission"])
def performance_employees(
    desk: Desk, caller: Asking, month: Month = None, limit: Limit = PAGE, page: Page = None
) -> Answer:
    """Incomes, customers and ranks of employees in a month."""
    return Answer(desk.performance_employees(caller, month, limit, page))


@v1.get("/performance/branches", response_model=shapes.BranchPerformanceAnswer, responses=GONE, tags=["commission"])
def performance_branches(
    desk: Desk, caller: Asking, month: Month = None, limit: Limit = PAGE, page: Page = None
) -> Answer:
    """Performance of branches, regions and the firm in a month; rows of one `unit_level` add up to the firm."""
    return Answer(desk.performance_branches(caller, month, limit, page))


@v1.get("/performance/charges", response_model=shapes.ChargeCheckAnswer, responses=GONE, tags=["commission"])
def charge_checks(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Orders of a day that were not charged what was agreed."""
    return Answer(desk.charge_checks(caller, day, limit, page))


@v1.get("/performance/rates", response_model=shapes.RateCheckAnswer, responses=GONE, tags=["commission"])
def rate_checks(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Agreed rates to look at on a day: pending, not applied, ending soon or below the regulatory fees."""
    return Answer(desk.rate_checks(caller, day, limit, page))


@v1.get("/incomes/products", response_model=shapes.ProductIncomeAnswer, responses=GONE, tags=["commission"])
def income_products(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Income of a day by branch and kind of product."""
    return Answer(desk.income_products(caller, day, limit, page))


@v1.get("/movements", response_model=shapes.MovementAnswer, responses=GONE, tags=["commission"])
def movements(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """What moved among customers on a day: large transfers, opened, closed, lost, newly valid."""
    return Answer(desk.movements(caller, day, limit, page))


@v1.get("/merges", response_model=shapes.MergeAnswer, responses=GONE, tags=["customers"])
def merges(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Customers that are part of another one on a day, because somebody decided so."""
    return Answer(desk.merges(caller, day, limit, page))


@v1.get("/reviews", response_model=shapes.ReviewAnswer, responses=GONE, tags=["customers"])
def reviews(desk: Desk, caller: Asking, day: Day = None, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Pairs of customers somebody should look at: the same document, or a refused decision."""
    return Answer(desk.reviews(caller, day, limit, page))


@v1.get("/institutions", response_model=shapes.InstitutionsAnswer, responses=GONE, tags=["institutions"])
def list_institutions(desk: Desk, caller: Asking, limit: Limit = PAGE, page: Page = None) -> Answer:
    """Institutions and products that stand under nobody. As all of the cockpit it has a revision of its own, which may be of a later day."""
    return Answer(institutions.institutions(desk, caller, limit, page))


@v1.get("/institutions/{customer_id}", response_model=shapes.InstitutionAnswer, tags=["institutions"])
def institution(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """One institution or product, then the products under it."""
    return Answer(institutions.institution(desk, caller, customer_id))


@v1.get("/institutions/{customer_id}/holdings", response_model=shapes.InstitutionHoldingsAnswer, tags=["institutions"])
def institution_holdings(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """What it and the products under it hold."""
    return Answer(institutions.holdings(desk, caller, customer_id))


@v1.get("/institutions/{customer_id}/asset-history", response_model=shapes.InstitutionAnswer, tags=["institutions"])
def institution_history(
    customer_id: CustomerId, desk: Desk, caller: Asking, first: First = None, last: Last = None
) -> Answer:
    """Its assets on every day of the cockpit, oldest first."""
    return Answer(institutions.asset_history(desk, caller, customer_id, first, last))


@v1.post("/customers/{customer_id}/words", response_model=shapes.SaidAnswer, tags=["work"])
def say(customer_id: CustomerId, body: shapes.Said, desk: Desk, caller: Asking) -> Answer:
    """Keep what the holder of his phone said about calls; it counts at once."""
    return Answer(calls.say(desk, caller, customer_id, body.word))


@v1.post("/customers/{customer_id}/notes", response_model=shapes.NoteKeptAnswer, tags=["work"])
def write_note(customer_id: CustomerId, body: shapes.NewNote, desk: Desk, caller: Asking) -> Answer:
    """Keep a note on him."""
    return Answer(calls.write_note(desk, caller, customer_id, body.text))


@v1.get("/customers/{customer_id}/notes", response_model=shapes.NotesAnswer, responses=ERASED, tags=["work"])
def read_notes(customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """Notes on him since the published day."""
    return Answer(calls.read_notes(desk, caller, customer_id))


@v1.post("/customers/{customer_id}/reveal", response_model=shapes.RevealAnswer, responses=ERASED, tags=["customers"])
def reveal_value(customer_id: CustomerId, body: shapes.Reveal, desk: Desk, caller: Asking) -> Answer:
    """One personal value in clear, with a reason, after an audit line."""
    return Answer(reveal(desk, caller, customer_id, body.column, body.reason))


@v1.post(
    "/lists/{name}/calls/{customer_id}/claim", response_model=shapes.CallStateAnswer, responses=CONFLICT, tags=["work"]
)
def take_call(name: ListName, customer_id: CustomerId, desk: Desk, caller: Asking) -> Answer:
    """Take a call: it is not offered to another seat."""
    return Answer(calls.take(desk, caller, name, customer_id))


@v1.post(
    "/lists/{name}/calls/{customer_id}/release",
    response_model=shapes.CallStateAnswer,
    responses=CONFLICT,
    tags=["work"],
)
def give_call_back(name: ListName, customer_id: CustomerId, body: shapes.Release, desk: Desk, caller: Asking) -> Answer:
    """Give a call back to the queue."""
    return Answer(calls.give_back(desk, caller, name, customer_id, body.version))


@v1.post(
    "/lists/{name}/calls/{customer_id}/result", response_model=shapes.CallStateAnswer, responses=CONFLICT, tags=["work"]
)
def finish_call(name: ListName, customer_id: CustomerId, body: shapes.Result, desk: Desk, caller: Asking) -> Answer:
    """Keep the result of a call that was taken."""
    return Answer(calls.finish(desk, caller, name, customer_id, body.version, body.result))


@v1.post("/exports", response_class=StreamingResponse, responses=CSV, tags=["exports"])
def export(body: shapes.Export, desk: Desk, caller: Asking) -> StreamingResponse:
    """Rows of a mart as CSV, with who exported them in every row."""
    file, found = exports.export(desk, caller, body.mart, body.columns, body.month)
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{body.mart}_{found["as_of_date"]:%Y%m%d}_r{found["revision"]}.csv"',
        "x-as-of-date": found["as_of_date"].isoformat(),
        "x-revision": str(found["revision"]),
        "x-rows": str(found["rows"]),
    }
    return StreamingResponse(_chunks(file), media_type="text/csv; charset=utf-8", headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(65536):
            yield chunk


@v1.get("/status", response_model=shapes.StatusAnswer, tags=["service"])
def status(desk: Desk, caller: Asking) -> Answer:
    """Which days are published, and how fresh they are."""
    return Answer(desk.status(caller))


health = APIRouter(tags=["service"])


@health.get("/healthz", responses={503: PROBLEMS[503]})
def healthz(desk: Desk) -> dict[str, str]:
    """Whether this process can answer; for the load balancer."""
    desk.is_ready()
    return {"status": "ready"}


@health.get("/metrics", include_in_schema=False)
def metrics(desk: Desk, caller: Asking) -> Response:
    """How many requests, how long they took, and what is served, in the format of Prometheus."""
    caller.role.check("metrics", caller.scopes)
    return Response(metrics_text(desk), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})


@health.get("/livez", responses={})
def livez() -> dict[str, str]:
    """Whether this process answers at all, whatever its store does; for whoever restarts processes."""
    return {"status": "alive"}
