"""What a customer turned over and earned, kept as running sums."""

from __future__ import annotations

import datetime as dt
from collections import deque
from decimal import Decimal
from typing import NamedTuple

from simulator import events
from simulator.truth_market import Market, security_kinds
from simulator.truth_money import ZERO, total_of
from simulator.truth_state import AccountKey

TURNOVER_DAYS, PREFERENCE_DAYS = (30, 90, 365), 90

# Lower bound in CNY of each band of month-average assets, the lowest band without one.
ASSET_BANDS = (
    (None, "below 100"), ("100", "100 to 1k"), ("1000", "1k to 2k"), ("2000", "2k to 5k"), ("5000", "5k to 10k"),
    ("10000", "10k to 50k"), ("50000", "50k to 100k"), ("100000", "100k to 200k"), ("200000", "200k to 500k"),
    ("500000", "500k to 1m"), ("1000000", "1m to 2m"), ("2000000", "2m to 3m"), ("3000000", "3m to 5m"), ("5000000", "5m to 10m"),
    ("10000000", "10m to 30m"), ("30000000", "30m and more"),
)  # fmt: skip


def asset_band(amount: Decimal) -> str:
    return band_of(amount, ASSET_BANDS)


def band_of(value: Decimal | int, bands: tuple[tuple[str | int | None, str], ...]) -> str:
    """The name of the last of `bands` whose lower bound `value` reaches; the first has none."""
    return [name for bound, name in bands if bound is None or value >= Decimal(bound)][-1]


class RunningTurnover:
    """Turnover of every customer by natural days back from the date; fills of the opening baseline are none."""

    def __init__(self) -> None:
        self._days: deque[tuple[dt.date, dict[str, Decimal]]] = deque()

    def add_day(self, business_date: dt.date, turnover: dict[str, Decimal]) -> None:
        self._days.append((business_date, turnover))
        while (business_date - self._days[0][0]).days >= max(TURNOVER_DAYS):
            self._days.popleft()

    def of(self, customer_id: str) -> tuple[Decimal, ...]:
        """One sum for each of `TURNOVER_DAYS`."""
        today = self._days[-1][0]
        return tuple(
            total_of(
                turnover.get(customer_id, ZERO) for day, turnover in self._days if (today - day).days < natural_days
            )
            for natural_days in TURNOVER_DAYS
        )


class RunningPreferences:
    """What every customer turned over by kind of instrument and by channel, by natural days back from the date."""

    def __init__(self) -> None:
        self._days: deque[tuple[dt.date, dict[tuple[str, int, str], Decimal]]] = deque()

    def add_day(
        self,
        event_log: events.EventLog,
        business_date: dt.date,
        market: Market,
        customer_of_account: dict[AccountKey, str],
    ) -> None:
        """Days come in order; the opening baseline is none of them."""
        kinds = security_kinds(event_log, business_date)
        sums: dict[tuple[str, int, str], Decimal] = {}
        for key, names, fill in (
            *(((fill.line, fill.account_id), (kinds.get((fill.exchange_code, fill.security_code)), fill.channel), fill)
              for fill in event_log.events_of(business_date, events.TradeFilled)),
            *((("option", fill.account_id), ("option", None), fill)
              for fill in event_log.events_of(business_date, events.OptionTradeFilled)),
        ):  # fmt: skip
            for place, name in enumerate(names):
                if name and (customer_id := customer_of_account.get(key)):
                    turnover = market.to_cny(fill.turnover_amount, fill.currency_code)
                    sums[customer_id, place, name] = sums.get((customer_id, place, name), ZERO) + turnover
        self._days.append((business_date, sums))
        while (business_date - self._days[0][0]).days >= PREFERENCE_DAYS:
            self._days.popleft()

    def favourites(self) -> dict[str, list[str | None]]:
        """Customer → the kind and the channel with the most turnover, of two alike the first by name."""
        totals: dict[tuple[str, int, str], Decimal] = {}
        for _, sums in self._days:
            for key, amount in sums.items():
                totals[key] = totals.get(key, ZERO) + amount
        found: dict[str, list[str | None]] = {}
        # What is preferred comes last, and stays.
        for customer_id, place, name in sorted(totals, key=lambda key: (-totals[key], key[-1]), reverse=True):
            found.setdefault(customer_id, [None, None])[place] = name
        return found


class Profits(NamedTuple):
    """Profit of the day, of the month and of the year so far, and by how much net assets changed in the month."""

    day: Decimal
    month: Decimal
    year: Decimal
    month_change: Decimal


class _Base(NamedTuple):
    """Where a period starts: net assets and all that clients had brought by then, by customer."""

    net_assets: dict[str, Decimal]
    brought: dict[str, Decimal]


class RunningProfits:
    """Net assets less what the client brought in, counted from the last trading day before each period, or from the opening baseline.

    A customer without a row at the start of a period had nothing there.
    """

    def __init__(self) -> None:
        self._date: dt.date | None = None
        self._now = _Base({}, {})
        self._day = self._month = self._year = self._now

    def add_day(self, business_date: dt.date, net_assets: dict[str, Decimal], brought: dict[str, Decimal]) -> None:
        """`brought`: money in less money out on the day. Days come in order; the first is the opening baseline."""
        before, self._now = self._now, _Base(net_assets, dict(self._now.brought))
        for customer_id, amount in brought.items():
            self._now.brought[customer_id] = self._now.brought.get(customer_id, ZERO) + amount
        if self._date is None:
            self._day = self._month = self._year = self._now
        else:
            self._day = before
            if business_date.month != self._date.month:
                self._month = before
            if business_date.year != self._date.year:
                self._year = before
        self._date = business_date

    def of(self, customer_id: str) -> Profits:
        def change(base: _Base) -> Decimal:
            return self._now.net_assets.get(customer_id, ZERO) - base.net_assets.get(customer_id, ZERO)

        def profit(base: _Base) -> Decimal:
            return change(base) - (self._now.brought.get(customer_id, ZERO) - base.brought.get(customer_id, ZERO))

        return Profits(profit(self._day), profit(self._month), profit(self._year), change(self._month))

    def brought_in_month(self, customer_id: str) -> Decimal:
        """Money in less money out since the base of the month."""
        return self._now.brought.get(customer_id, ZERO) - self._month.brought.get(customer_id, ZERO)
