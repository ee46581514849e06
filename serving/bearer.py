"""Bearer tokens of the firm's identity provider (OpenID Connect), checked strictly.

Only RS256 and ES256, only keys of the configured set and of the kind the algorithm needs; issuer, audience, expiry and subject must be there.
The caller's role, branch and employee come from the claims `c360_role`, `c360_branch`, `c360_employee`; its scopes from `scope`, as `c360:read`.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import Any

import jwt

from serving.access import Access
from serving.callers import Caller, caller_of
from serving.problems import NotAuthenticated, NotAvailable
from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError

LONGEST_TOKEN = 8192
LEEWAY_SECONDS = 30
KEEP_SECONDS = 300
# A stranger who sends unknown key ids must not make this service ask the provider each time.
ASK_AGAIN_SECONDS = 60
FETCH_SECONDS = 5
_KIND_OF = {"RS256": "RSA", "ES256": "EC"}
_REQUIRED = ["exp", "iss", "aud", "sub"]
_SCOPE = "c360:"


class Bearers:
    """The tokens of one issuer; without one configured none is accepted."""

    def __init__(self, settings: Settings, access: Access) -> None:
        given = [bool(text) for text in (settings.oidc_issuer, settings.oidc_audience, settings.oidc_keys)]
        if any(given) and not all(given):
            raise ConfigurationError(
                "C360-185", "issuer, audience and keys of bearer tokens come together",
                next_step="set C360_OIDC_ISSUER, C360_OIDC_AUDIENCE and C360_OIDC_KEYS, or none of them",
            )  # fmt: skip
        if "://" in settings.oidc_keys and not settings.oidc_keys.startswith("https://"):
            raise ConfigurationError(
                "C360-185", "keys of bearer tokens are fetched over https only", next_step="correct C360_OIDC_KEYS"
            )
        self._issuer, self._audience, self._source = settings.oidc_issuer, settings.oidc_audience, settings.oidc_keys
        self._access, self._lock = access, threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")

    def authenticate(self, token: str) -> Caller:
        """The caller of a token. Raises NotAuthenticated C360-540, the same for every fault."""
        if not self._issuer or len(token) > LONGEST_TOKEN:
            raise NotAuthenticated
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            key = self._key(header.get("kid"))
            # A public key taken for a shared secret would let anybody sign: the key's own kind decides.
            if key is None or algorithm not in _KIND_OF or key.key_type != _KIND_OF[algorithm] or "crit" in header:
                raise NotAuthenticated
            claims = jwt.decode(
                token, key.key, algorithms=[algorithm], issuer=self._issuer, audience=self._audience, leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED, "strict_aud": False},
            )  # fmt: skip
        except jwt.PyJWTError:
            raise NotAuthenticated from None
        return caller_of(f"token:{claims['sub']}", _ours(claims), self._access)

    def _key(self, identity: Any) -> jwt.PyJWK | None:
        if not isinstance(identity, str):
            return None
        with self._lock:
            age = time.monotonic() - self._read_at
            if age > KEEP_SECONDS or (identity not in self._keys and age > ASK_AGAIN_SECONDS):
                self._read()
            return self._keys.get(identity)

    def _read(self) -> None:
        """The keys now; when the provider is away, those known before go on, and without any nobody can be known."""
        try:
            if self._source.startswith("https://"):
                with urllib.request.urlopen(self._source, timeout=FETCH_SECONDS) as answer:
                    text = answer.read(1_000_000)
            else:
                with open(self._source, "rb") as stream:
                    text = stream.read()
            found = jwt.PyJWKSet.from_dict(json.loads(text)).keys
            self._keys = {key.key_id: key for key in found if key.key_id and key.public_key_use in (None, "sig")}
            self._read_at = time.monotonic()
        except (OSError, ValueError, TypeError, jwt.PyJWTError):
            if not self._keys:
                raise NotAvailable("the keys of bearer tokens cannot be read", "look at C360_OIDC_KEYS") from None
            self._read_at = time.monotonic() - KEEP_SECONDS + ASK_AGAIN_SECONDS


def _ours(claims: dict[str, Any]) -> dict[str, Any]:
    scope = claims.get("scope", "")
    words = scope.split() if isinstance(scope, str) else []
    return {
        "role": claims.get("c360_role"),
        "branch": claims.get("c360_branch"),
        "employee": claims.get("c360_employee"),
        "scopes": [word.removeprefix(_SCOPE) for word in words if word.startswith(_SCOPE)],
    }
