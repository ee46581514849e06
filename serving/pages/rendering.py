"""From an answer to HTML: how a figure, a date, a code is written, and the headers every page has."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from serving.overlay import CHINA
from serving.pages.texts import Words

TEMPLATES = Path(__file__).with_name("templates")
# No script, no frame, nothing from elsewhere: what a value says can then not run, and no address leaves the firm.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
_PERCENT = ("_ratio", "_degree", "_rate")
# Rates of commission are spoken of by the ten thousand.
_PER_TEN_THOUSAND = ("commission_rate", "counter_commission_rate", "regulatory_rate")


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    made.filters |= {"clock": clock, "short": short}
    return made


def page(template: str, words: Words, status: int = 200, **context: Any) -> HTMLResponse:
    def value(column: str, found: Any) -> str:
        return written(column, found, words)

    html = environment().get_template(template).render(
        t=words.word, column=words.column, code=words.code, value=value, words=words, language=words.language, **context
    )  # fmt: skip
    return HTMLResponse(html, status, HEADERS)


def written(column: str, value: Any, words: Words) -> str:
    """A value as a reader expects it; nothing is a dash. The name of the column says what kind it is."""
    if value is None or value == "":
        return words.word("unknown")
    if isinstance(value, bool):
        return words.word("yes" if value else "no")
    if column in ("account_id", "client_number"):
        return masked_number(value)
    if column == "quantity":
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, Decimal):
        if column in _PER_TEN_THOUSAND:
            return words.word("per_ten_thousand").format(f"{value * 10_000:,.4f}".rstrip("0").rstrip("."))
        if column.endswith(_PERCENT):
            return f"{value * 100:,.2f}%"
        return f"{value:,.2f}" if column.endswith("_amount") else f"{value:,f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return f"{value:,}"
    if column == "permissions":
        return words.word("comma").join(words.code(column, part) for part in value.split(", "))
    return words.code(column, value)


def clock(moment: str) -> str:
    """When it was written, as the clock on the wall in China shows it."""
    return datetime.fromisoformat(moment).astimezone(CHINA).strftime("%m-%d %H:%M")


def short(amount: Decimal, language: str) -> str:
    """An amount of an axis: units of ten thousand in Chinese, of thousands in English."""
    unit, name = (Decimal(10_000), "万") if language == "zh" else (Decimal(1000), "k")
    return f"{amount:,.0f}" if abs(amount) < unit else f"{amount / unit:,.1f}{name}"


def masked_number(number: str) -> str:
    return f"****{number[-4:]}"


def reason_parts(text: str | None, words: Words) -> list[tuple[str, str]]:
    """`column value, column value`, as the lists write why somebody is on them, as pairs of name and value."""
    found = []
    for part in (text or "").split(", "):
        name, _, rest = part.partition(" ")
        if not rest:
            continue
        value: Any = rest
        if name.endswith(("_amount", *_PERCENT)):
            value = Decimal(rest)
        found.append((words.column(name), written(name, value, words)))
    return found
