"""The HTTP service: routes, one shape for every error, limits of a request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving import pages
from serving.guard import Guard, body_of, headers_of
from serving.metrics import Measured
from serving.problems import NotFound, NotValid, ServingError, status_of
from serving.routes import health, v1
from serving.service import Service
from spark_jobs.config import Settings, load_settings
from spark_jobs.errors import C360Error

log = logging.getLogger("c360.serve")
_THEIRS = ("extra_forbidden", "json_invalid")


def _problem(_: Request, error: Exception) -> Response:
    if isinstance(error, C360Error):
        if not isinstance(error, ServingError):
            log.error("%s", error)
        return Response(body_of(error), status_of(error), headers_of(error))
    log.exception("unforeseen error", exc_info=error)
    unforeseen = ServingError("C360-599", "an error nobody foresaw", next_step="tell operations the time of it")
    return Response(body_of(unforeseen), 500, headers_of(unforeseen))


def _not_valid(_: Request, error: Exception) -> Response:
    """Which fields are wrong, without what stood in them; a field that is not ours has a name the client chose, so it is not named."""
    faults = error.errors()
    ours = {
        ".".join(str(part) for part in item["loc"] if isinstance(part, str))
        for item in faults
        if item["type"] not in _THEIRS
    }
    told = [
        *sorted(ours),
        *(["a field that is not known"] if any(item["type"] == "extra_forbidden" for item in faults) else []),
    ]
    problem = NotValid(f"the request is not valid: {', '.join(told) or 'the body'}")
    return Response(body_of(problem), problem.status, headers_of(problem))


def _http(_: Request, error: Exception) -> Response:
    problem = (
        NotFound("there is nothing at this address")
        if error.status_code == 404
        else NotValid("the request is not valid")
    )
    headers = {**headers_of(problem), **(error.headers or {})}
    return Response(body_of(problem), error.status_code, headers)


def create_app(settings: Settings | None = None, service: Service | None = None) -> FastAPI:
    """The application; without arguments from the environment, as uvicorn's workers make it."""
    settings = settings or load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service or Service(settings)
        yield
        app.state.service.close()

    app = FastAPI(
        title="Customer 360", version="1", description="Read API over the published marts.", lifespan=lifespan,
        docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json",
    )  # fmt: skip
    app.include_router(v1)
    app.include_router(health)
    pages.mount(app)
    app.add_exception_handler(C360Error, _problem)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _problem)
    app.add_middleware(Guard, body_bytes=settings.serve_body_bytes, timeout_seconds=settings.serve_timeout_seconds)
    # The outermost: what the guard refuses is counted, too.
    app.add_middleware(Measured)
    return app
