"""Average assets of customers over trading days and over natural days, kept as running sums."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import deque
from decimal import Decimal
from typing import NamedTuple

import exchange_calendars

from simulator.truth_money import ZERO, round_to_cent

TRADING_DAYS_OF_AVERAGE = 20
ONE_DAY = dt.timedelta(days=1)


class Average(NamedTuple):
    """`amount` = `sum_amount` divided by `days`, to the cent."""

    sum_amount: Decimal
    days: int
    amount: Decimal


class RunningAverages:
    """Sums of the total assets of every customer seen so far; a trading day without a row of the customer counts 0.

    `dates` are all dates of the run, the opening baseline first; no trading day may be left out between them.
    """

    def __init__(self, dates: list[dt.date]) -> None:
        self._opening_date = dates[0]
        self._sessions = _trading_days(dates[0], _month_end(dates[-1]))
        expected = [session for session in self._sessions if session <= dates[-1]]
        if dates != expected:
            odd = min(set(dates) ^ set(expected))
            raise ValueError(
                f"Truth: the dates of the run are not the XSHG trading days from {dates[0]} to {dates[-1]}, "
                f"first difference {odd}. Open every trading day of the range in the event log."
            )
        self._date: dt.date | None = None
        self._month_days = self._days_after = 0
        self._last_20_days: deque[dict[str, Decimal]] = deque()
        self._sums_20d: dict[str, Decimal] = {}
        self._month_sums: dict[str, Decimal] = {}

    def add_day(self, business_date: dt.date, totals: dict[str, Decimal]) -> None:
        """`totals`: total assets by customer id. Days come in order, without gaps."""
        self._add_to_month(business_date, totals)
        self._last_20_days.append(totals)
        _add_to(self._sums_20d, totals)
        if len(self._last_20_days) > TRADING_DAYS_OF_AVERAGE:
            _add_to(self._sums_20d, self._last_20_days.popleft(), times=-1)
        self._date = business_date
        self._days_after = self._natural_days_after(business_date)
        first_day = max(business_date.replace(day=1), self._opening_date)
        self._month_days = (business_date - first_day).days + 1 + self._days_after

    def of_20_days(self, customer_id: str) -> Average:
        """Over the last 20 trading days, or as many as there are since the opening baseline."""
        return _average(self._sums_20d[customer_id], len(self._last_20_days))

    def of_month(self, customer_id: str) -> Average:
        """Over natural days; the last trading day of a month also stands for the days after it."""
        value_today = self._last_20_days[-1].get(customer_id, ZERO)
        return _average(self._month_sums[customer_id] + self._days_after * value_today, self._month_days)

    def _natural_days_after(self, business_date: dt.date) -> int:
        """Days of the month that no later trading day of it stands for: 0 but on its last trading day."""
        month_end = _month_end(business_date)
        trades_again = any(business_date < session <= month_end for session in self._sessions)
        return 0 if trades_again else (month_end - business_date).days

    def _add_to_month(self, business_date: dt.date, totals: dict[str, Decimal]) -> None:
        """The natural days since the last trading day have its value, as far as they lie in this month."""
        first_of_month = business_date.replace(day=1)
        if self._date is None or self._date < first_of_month:
            self._month_sums = {}
        if self._date is not None:
            filled_days = (business_date - max(self._date + ONE_DAY, first_of_month)).days
            _add_to(self._month_sums, self._last_20_days[-1], times=filled_days)
        _add_to(self._month_sums, totals)


def _average(sum_amount: Decimal, days: int) -> Average:
    return Average(sum_amount, days, round_to_cent(sum_amount / days))


def _add_to(sums: dict[str, Decimal], amounts: dict[str, Decimal], times: int = 1) -> None:
    for customer_id, amount in amounts.items():
        sums[customer_id] = sums.get(customer_id, ZERO) + times * amount


def _month_end(day: dt.date) -> dt.date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _trading_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Sessions of the Shanghai exchange; fails for a year the calendar does not know."""
    # From the month's first day: a calendar of a single day is refused.
    sessions = exchange_calendars.get_calendar("XSHG", start=f"{first.replace(day=1)}", end=f"{last}").sessions
    return [session.date() for session in sessions if session.date() >= first]
