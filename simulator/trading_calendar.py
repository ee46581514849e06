"""Sessions of the Shanghai exchange: the clock of the run."""

from __future__ import annotations

import datetime as dt
from functools import cache

import exchange_calendars

CALENDAR_START = "2015-01-01"


@cache
def _sessions() -> tuple[dt.date, ...]:
    calendar = exchange_calendars.get_calendar("XSHG", start=CALENDAR_START)
    return tuple(session.date() for session in calendar.sessions)


def sessions_from(start: dt.date, count: int) -> list[dt.date]:
    """The first `count` trading days on or after `start`."""
    found = [session for session in _sessions() if session >= start][:count]
    if len(found) < count or start < _sessions()[0]:
        raise ValueError(
            f"The XSHG calendar knows {_sessions()[0]} to {_sessions()[-1]}: "
            f"{count} trading days from {start} are not all inside it. Start earlier or simulate fewer days."
        )
    return found
