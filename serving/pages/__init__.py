"""Pages for people over the read API's questions: server-rendered, without a script, in Chinese with an English switch."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")


def mount(app: FastAPI) -> None:
    """Put the pages, their style sheet and the route for tickets on the application. Refuses texts that lack a language."""
    from serving.pages import routes, tickets
    from serving.pages.texts import texts

    texts()
    app.include_router(tickets.router)
    app.mount("/pages/static", StaticFiles(directory=STATIC), name="pages static")
    app.include_router(routes.router)
