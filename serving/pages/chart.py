"""One curve as SVG, drawn on the server: the page needs no script for it, and the charting libraries that are installed at run time need one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

WIDTH, HEIGHT = 340, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 4, 8, 20


@dataclass(frozen=True)
class Curve:
    """points: of a polyline, in pixels; marks: (y, amount) of the axis; days: (x, anchor, date) below it."""

    points: str
    marks: list[tuple[float, Decimal]]
    days: list[tuple[float, str, date]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def curve(rows: Sequence[tuple[date, Decimal]]) -> Curve | None:
    """Amounts by day, oldest first; days lie where the calendar has them. None for fewer than two days."""
    if len(rows) < 2:
        return None
    first, last = rows[0][0], rows[-1][0]
    low, high = min(amount for _, amount in rows), max(amount for _, amount in rows)
    # A flat line lies in the middle of an axis around it, not on its edge.
    room = (high - low) * Decimal("0.08") or max(abs(high) * Decimal("0.05"), Decimal(1))
    low, high = low - room, high + room

    def x(day: date) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (day - first).days / (last - first).days, 1)

    def y(amount: Decimal) -> float:
        return round(float(_TOP + (HEIGHT - _TOP - _BOTTOM) * (high - amount) / (high - low)), 1)

    marks = [low + (high - low) * part / 4 for part in (0, 2, 4)]
    return Curve(
        points=" ".join(f"{x(day)},{y(amount)}" for day, amount in rows),
        marks=[(y(amount), amount) for amount in marks],
        days=[(x(first), "start", first), (x(last), "end", last)],
    )
