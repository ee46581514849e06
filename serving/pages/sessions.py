"""Who sits at the browser: a short session in a sealed cookie, and the token every form gives back.

Nothing of it is kept in a process, so any process of the service answers. A session names a key, not its secret: a revoked or expired key ends
its sessions at their next request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from serving.audit import derived_key
from serving.callers import Caller
from serving.pages.sealing import Seal
from serving.problems import NotAllowed
from serving.service import Service

COOKIE = "c360_pages"
PATH = "/pages"
IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 10 * 60 * 60
LANGUAGES = ("zh", "en")


def seconds_now() -> int:
    return int(datetime.now(UTC).timestamp())


@dataclass(frozen=True)
class Session:
    """key: id of the API key, None before sign-in; since and seen: seconds; id: new at each sign-in."""

    id: str
    language: str
    since: int
    seen: int
    key: str | None = None


class Sessions:
    def __init__(self, service: Service) -> None:
        self._service = service
        self.seal = Seal(derived_key(service.keys, "pages cookie"))
        self._csrf = derived_key(service.keys, "pages form")

    def new(self, language: str = LANGUAGES[0], key: str | None = None) -> Session:
        now = seconds_now()
        return Session(secrets.token_hex(16), language, now, now, key)

    def of(self, request: Request) -> Session:
        """The session of the request; a new one without a key where there is none, or where it has ended."""
        fields = self.seal.open("session", "", request.cookies.get(COOKIE, ""))
        if fields is None:
            return self.new()
        session, now = Session(**fields), seconds_now()
        if now - session.seen > IDLE_SECONDS or now - session.since > LONGEST_SECONDS:
            return self.new(session.language)
        return replace(session, seen=now)

    def keep(self, response: Response, session: Session, is_secure: bool) -> None:
        value = self.seal.close("session", "", asdict(session))
        response.set_cookie(COOKIE, value, path=PATH, httponly=True, samesite="strict", secure=is_secure)

    def caller(self, session: Session) -> Caller:
        """The caller whose key signed in. Raises NotAuthenticated without one, and for a key that is revoked or has expired."""
        return self._service.api_keys.caller(session.key)

    def token(self, session: Session) -> str:
        """What a form of this session has to give back."""
        return hmac.new(self._csrf, session.id.encode(), hashlib.sha256).hexdigest()

    def check_token(self, session: Session, given: str) -> None:
        if not hmac.compare_digest(self.token(session).encode(), given.encode()):
            raise NotAllowed("the form is not of this session")
