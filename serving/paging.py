"""Opaque page tokens: where the last page ended, signed, for one caller, one question and one revision."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from serving.problems import PageGone

_MAC_BYTES = 16
_KINDS = {"date": date.fromisoformat, "decimal": Decimal, "plain": lambda value: value}


def _kind(value: Any) -> str:
    return "date" if isinstance(value, date) else "decimal" if isinstance(value, Decimal) else "plain"


class Pages:
    """key: known to every process of the service, so a page may be asked of any of them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, caller: str, question: str, revision: int, last: Sequence[Any]) -> str:
        values = [[_kind(value), value if _kind(value) == "plain" else str(value)] for value in last]
        plain = json.dumps([revision, values], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(caller, question, plain) + plain).decode().rstrip("=")

    def last(self, caller: str, question: str, revision: int, token: str) -> list[Any]:
        """The key of the last row shown. Raises PageGone C360-547 for any other caller, question or revision."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise PageGone from None
        mac, plain = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(caller, question, plain)):
            raise PageGone
        of_revision, values = json.loads(plain)
        if of_revision != revision:
            raise PageGone
        return [_KINDS[kind](value) for kind, value in values]

    def _mac(self, caller: str, question: str, plain: bytes) -> bytes:
        bound = json.dumps([caller, question]).encode() + b"\n" + plain
        return hmac.new(self._key, bound, hashlib.sha256).digest()[:_MAC_BYTES]
