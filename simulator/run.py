"""The run: live the days one after another, fold each into the state, deliver each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from simulator import (
    activity_advice,
    activity_contact,
    activity_credit,
    activity_fund,
    activity_institutions,
    activity_links,
    activity_normal,
    activity_opening,
    activity_option,
    activity_rates,
    activity_repurchase,
    activity_standing,
    housekeeping,
    migration,
    targets,
)
from simulator.cast import Cast
from simulator.day import Broker, Day
from simulator.delivery import deliver_day, make_private
from simulator.events import EventLog
from simulator.feeds import EndOfDay
from simulator.market import Market
from simulator.migration import Migration
from simulator.organisation import Organisation
from simulator.population import join_customers, open_population
from simulator.state import BrokerState
from simulator.trading_calendar import sessions_from

# Sessions after the run that settlement dates and maturities may point to.
LOOK_AHEAD_SESSIONS = 3
JOINERS_PER_CUSTOMER = 1_000


@dataclass(frozen=True)
class SimulationSummary:
    """What a run produced. `rows` by business date and feed; `events` is what truth is computed from; `migration`: of the normal counter."""

    root: Path
    dates: list[dt.date]
    customers: int
    rows: dict[dt.date, dict[str, int]]
    events: EventLog = field(repr=False)
    has_truth: bool = False
    migration: Migration | None = field(default=None, repr=False)

    @property
    def landing(self) -> Path:
        return self.root / "landing"


def run(
    root: Path, customers: int, days: int, seed: int, start: dt.date, migrate_after: int | None = None
) -> SimulationSummary:
    """Write root/landing for the opening baseline and `days` trading days after it."""
    if migrate_after is not None and not 1 <= migrate_after < days:
        raise ValueError(
            f"a migration after {migrate_after} of {days} trading days has no day before or none behind it"
        )
    sessions = sessions_from(start, days + 1 + LOOK_AHEAD_SESSIONS)
    log = EventLog()
    broker = Broker(seed, sessions, log, BrokerState(), Market(seed, customers, sessions), Organisation(customers))
    cast = Cast(broker)
    landing = root / "landing"
    make_private(landing)
    moving = None if migrate_after is None else migration.plan(sessions, migrate_after)
    rows = {}
    for index in range(days + 1):
        day = Day(broker, index)
        log.open_day(day.date)
        opening_cash = broker.state["cash"]
        if day.is_opening:
            _open(day, cast, max(0, customers - cast.size))
        else:
            _live(day, cast, customers)
        broker.state.apply(log, day.date)
        end = EndOfDay(day.date, day.is_opening, log, broker.state, opening_cash)
        rows[day.date] = migration.deliver_day(landing, end, moving) if moving else deliver_day(landing, end)
    return SimulationSummary(root, log.dates, customers, rows, log, migration=moving)


def _open(day: Day, cast: Cast, ordinary: int) -> None:
    day.market.publish(day.broker.log, day.date)
    day.broker.organisation.open(day)
    cast.open(day)
    open_population(day, ordinary)
    activity_repurchase.open_pledges(day)
    activity_advice.open_agreements(day)
    activity_contact.open_contacts(day)
    activity_opening.open_applications(day)
    activity_standing.open_standing(day)
    activity_links.open_links(day)
    activity_institutions.open_institutions(day)
    _close(day)


def _live(day: Day, cast: Cast, customers: int) -> None:
    day.market.advance()
    day.market.publish(day.broker.log, day.date)
    day.broker.organisation.change(day)
    for action in day.broker.agenda.pop(day.index, []):
        action(day)
    cast.act(day)
    join_customers(day, max(1, customers // JOINERS_PER_CUSTOMER))
    activity_opening.apply_for_accounts(day, customers)
    housekeeping.keep_house(day)
    activity_normal.transfer_cash(day)
    activity_normal.trade_securities(day)
    activity_normal.lend_overnight(day)
    activity_normal.pay_dividend(day)
    activity_normal.pay_interest(day)
    activity_fund.order_funds(day)
    activity_fund.accrue_money_funds(day)
    activity_credit.trade_on_margin(day)
    activity_credit.transfer_between_lines(day)
    activity_credit.accrue_interest(day)
    activity_repurchase.accrue_interest(day)
    activity_advice.advise(day)
    activity_option.expire_positions(day)
    activity_option.settle_margins(day)
    activity_option.trade_options(day)
    activity_contact.keep_contacts(day)
    activity_standing.keep_standing(day)
    activity_links.keep_links(day)
    activity_institutions.keep_institutions(day)
    _close(day)


def _close(day: Day) -> None:
    """What is settled when all else of the day has been agreed."""
    activity_rates.keep_counter_rates(day)
    targets.keep_targets(day)
