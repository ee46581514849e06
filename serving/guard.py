"""Before a request is read: how large and how slow it may be, and one shape for whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from serving.problems import NotAvailable, ServingError, TooLarge, TooMany
from spark_jobs.errors import C360Error

Scope = dict[str, Any]


def body_of(error: C360Error) -> bytes:
    shape = {"error": {"code": error.code, "what": error.what, "next": error.next_step}}
    return json.dumps(shape, ensure_ascii=False).encode()


def headers_of(error: C360Error) -> dict[str, str]:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.seconds)
    if getattr(error, "status", 0) == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


class Guard:
    """ASGI: a body that is too large is refused before it is read whole, and a request that takes too long is given up."""

    def __init__(self, app: Any, body_bytes: int, timeout_seconds: float) -> None:
        self._app, self._body_bytes, self._timeout = app, body_bytes, timeout_seconds

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_started = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            async with asyncio.timeout(self._timeout):
                body = await self._body(scope, receive)
                await self._app(scope, _replay(body, receive), sending)
        except ServingError as error:
            await _refuse(send, error)
        except TimeoutError:
            # The answer has begun: all that is left is to end the connection.
            if is_started:
                raise
            await _refuse(send, NotAvailable("the request took too long", "ask for less at once"))

    async def _body(self, scope: Scope, receive: Any) -> bytes:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._body_bytes:
            raise TooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._body_bytes:
                raise TooLarge
            if not message.get("more_body"):
                return bytes(body)


def _replay(body: bytes, receive: Any) -> Any:
    is_given = False

    async def replay() -> dict[str, Any]:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Any, error: ServingError) -> None:
    headers = [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body_of(error)})
