"""One request of a browser: its session, its caller, and how a page or a refusal goes back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from serving.access import ROUTES
from serving.callers import Caller
from serving.pages.rendering import HEADERS, page
from serving.pages.sessions import LANGUAGES, PATH, Session, Sessions
from serving.pages.texts import Words
from serving.problems import NotAuthenticated, NotValid, status_of
from serving.service import Service
from spark_jobs.errors import C360Error

_NAVIGATION = (("look_up", "lookup", "/look-up"), ("calls", "lists", "/calls"),
               ("commission", "commission_branches", "/branches"), ("performance", "performance_employees", "/performance"),
               ("rates", "rate_checks", "/rates"), ("institutions", "institutions", "/institutions"), ("status", "status", "/status"))  # fmt: skip


@dataclass
class Visit:
    """here: the address the language switch comes back to, without a query."""

    request: Request
    desk: Service
    sessions: Sessions
    session: Session
    here: str

    @property
    def words(self) -> Words:
        return Words(self.session.language)

    @property
    def switch(self) -> str:
        """Where the other language of this page is, up to its name: the same day or month and page of a list."""
        kept = {name: value for name, value in self.request.query_params.items() if name in ("day", "month", "page")}
        return f"{self.here}?{urlencode(kept | {'lang': ''} if self.here == self.request.url.path else {'lang': ''})}"

    @property
    def token(self) -> str:
        return self.sessions.token(self.session)

    def caller(self) -> Caller:
        return self.sessions.caller(self.session)

    def signed_in(self) -> Caller | None:
        try:
            return self.caller()
        except NotAuthenticated:
            return None

    def show(self, template: str, status: int = 200, **context: Any) -> Response:
        caller = self.signed_in()
        return self._keep(
            page(
                template, self.words, status, csrf=self.token, here=self.here, switch=self.switch, root=PATH, caller=caller,
                navigation=navigation(caller), **{"envelope": None, **context},
            )
        )  # fmt: skip

    def go(self, path: str) -> Response:
        return self._keep(RedirectResponse(PATH + path, 303, HEADERS))

    def _keep(self, response: Response) -> Response:
        self.sessions.keep(response, self.session, self.request.url.scheme == "https")
        return response


def navigation(caller: Caller | None) -> list[tuple[str, str]]:
    """Pages the role has, as word and path."""
    if caller is None:
        return []
    return [(word, path) for word, route, path in _NAVIGATION if may(caller, route)]


def may(caller: Caller, route: str) -> bool:
    """Whether to offer what this route answers; asking it is checked again by the service."""
    return route in caller.role.routes and ROUTES[route].scope in caller.scopes


def visit_of(request: Request) -> Visit:
    desk: Service = request.app.state.service
    sessions = Sessions(desk)
    session = sessions.of(request)
    if (language := request.query_params.get("lang")) in LANGUAGES:
        session = replace(session, language=language)
    return Visit(request, desk, sessions, session, request.url.path)


Visiting = Annotated[Visit, Depends(visit_of)]


async def form_of(request: Request, visit: Visiting) -> dict[str, str]:
    """The fields of a form of this session. Raises NotAllowed for a form that is not."""
    form: FormData = await request.form(max_files=0, max_fields=20)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    visit.sessions.check_token(visit.session, fields.get("csrf", ""))
    return fields


Form = Annotated[dict[str, str], Depends(form_of)]


class PageRoute(APIRoute):
    """A route whose errors are pages: who is not signed in is sent to do so, anything else is told in his language."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except NotAuthenticated:
                return visit_of(request).go("/sign-in")
            except RequestValidationError:
                return refusal(visit_of(request), NotValid("the request is not valid"))
            except C360Error as error:
                return refusal(visit_of(request), error)

        return handle_as_page


def refusal(visit: Visit, error: C360Error) -> Response:
    visit.here = PATH
    return visit.show("error.html", status_of(error), code_of_error=error.code, what=visit.words.error(error.code))
