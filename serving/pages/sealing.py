"""What a browser carries for us: encrypted and authenticated, so it says nothing to who reads it and cannot be made by who does not hold the key."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Seal:
    """key: 32 bytes, known to every process of the service. purpose and owner bind a text: it opens for no other."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, purpose: str, owner: str, fields: dict[str, Any]) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return (
            base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, _bound(purpose, owner)))
            .decode()
            .rstrip("=")
        )

    def open(self, purpose: str, owner: str, text: str) -> dict[str, Any] | None:
        """The fields; None for a text that was not closed here for this purpose and owner."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return json.loads(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(purpose, owner)))
        except (InvalidTag, ValueError, binascii.Error):
            return None


def _bound(purpose: str, owner: str) -> bytes:
    return json.dumps([purpose, owner]).encode()
