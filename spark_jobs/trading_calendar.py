"""The trading calendar of the Shanghai exchange: which days the warehouse's clock ticks on.

Source: `exchange_calendars` XSHG, extended or corrected by an override file with `calendar_date,is_trading_day`.
An undefined day fails loudly: guessing a holiday would shift every average and due date.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pandas as pd

from spark_jobs.errors import ConfigurationError

FIRST_DAY = date(2015, 1, 1)
WARNING_DAYS = 30


class TradingCalendar:
    """Sessions between FIRST_DAY and `last_day`."""

    def __init__(self, sessions: list[date], last_day: date) -> None:
        self._sessions, self.last_day = sessions, last_day

    def _check(self, day: date) -> None:
        if not FIRST_DAY <= day <= self.last_day:
            raise ConfigurationError(
                "C360-110", f"the trading calendar does not know {day}: it ends on {self.last_day}",
                next_step="name a file with calendar_date,is_trading_day in C360_CALENDAR_OVERRIDES",
            )  # fmt: skip

    def is_trading_day(self, day: date) -> bool:
        self._check(day)
        position = bisect_left(self._sessions, day)
        return position < len(self._sessions) and self._sessions[position] == day

    def on_or_before(self, day: date) -> date:
        self._check(day)
        return self._sessions[bisect_right(self._sessions, day) - 1]

    def before(self, day: date) -> date:
        self._check(day)
        return self._sessions[bisect_left(self._sessions, day) - 1]

    def after(self, day: date, sessions: int = 1) -> date | None:
        """The next session, or the one so many sessions on; None where the calendar ends before it."""
        self._check(day)
        position = bisect_right(self._sessions, day) + sessions - 1
        return self._sessions[position] if position < len(self._sessions) else None

    def between(self, first: date, last: date) -> list[date]:
        self._check(first)
        self._check(last)
        return self._sessions[bisect_left(self._sessions, first) : bisect_right(self._sessions, last)]

    def is_month_last(self, day: date) -> bool:
        """True when no session of the same month follows. The month must be wholly known."""
        month_end = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        self._check(month_end)
        following = self.after(day)
        return self.is_trading_day(day) and (following is None or following > month_end)

    def days_left(self, day: date) -> int:
        return (self.last_day - day).days


@cache
def trading_calendar(overrides: Path | None = None) -> TradingCalendar:
    """The calendar in force. Importing the exchange's calendar is slow, so it happens here and once."""
    import exchange_calendars

    exchange = exchange_calendars.get_calendar("XSHG", start=pd.Timestamp(FIRST_DAY))
    known = {stamp.date(): True for stamp in exchange.sessions}
    last = exchange.last_session.date()
    # A calendar knows whole years: its last session need not be the year's last day.
    last = date(last.year, 12, 31) if last.month == 12 else last
    if overrides:
        with Path(overrides).open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                day = date.fromisoformat(row["calendar_date"])
                known[day] = row["is_trading_day"].strip().lower() in ("1", "true")
                last = max(last, day)
    return TradingCalendar(sorted(day for day, is_open in known.items() if is_open), last)
