"""Texts on their way into a spreadsheet."""

from __future__ import annotations

# A spreadsheet takes a text that starts so for a formula; full-width signs become plain ones in some.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """The text, marked as one where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
