"""The committed description is the one in force, and every answer is as it describes."""

from __future__ import annotations

from serving.openapi import FILE, document


def test_committed_openapi_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "python -m serving.openapi writes it again"
