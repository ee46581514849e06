"""One business date while it is being lived: what actors may look at and where they record events."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simulator.events import EventLog
from simulator.numbering import Numbering
from simulator.people import People
from simulator.randomness import stream
from simulator.state import BrokerState, frame_of

if TYPE_CHECKING:
    from simulator.market import Market
    from simulator.organisation import Organisation


@dataclass
class Broker:
    """What lasts from day to day. `scripted` are the accounts no random actor may touch, `rates_not_heard` those of which the counter
    does not learn that another rate was agreed."""

    seed: int
    sessions: list[dt.date]
    log: EventLog
    state: BrokerState
    market: Market
    organisation: Organisation
    numbering: Numbering = field(default_factory=Numbering)
    scripted: set[str] = field(default_factory=set)
    rates_not_heard: set[str] = field(default_factory=set)
    agenda: dict[int, list[Callable[[Day], None]]] = field(default_factory=lambda: defaultdict(list))
    rates_by_day: dict[int, Any] = field(default_factory=dict)
    people: People | None = None

    def __post_init__(self) -> None:
        self.people = self.people or People(self.seed)


@dataclass(frozen=True)
class Day:
    """`state` is as of the end of the previous day; on the opening baseline it is empty."""

    broker: Broker
    index: int

    @property
    def date(self) -> dt.date:
        return self.broker.sessions[self.index]

    @property
    def compact(self) -> str:
        return f"{self.date:%Y%m%d}"

    @property
    def is_opening(self) -> bool:
        return self.index == 0

    @property
    def market(self) -> Market:
        return self.broker.market

    @property
    def state(self) -> BrokerState:
        return self.broker.state

    def session_in(self, trading_days: int) -> dt.date:
        return self.broker.sessions[self.index + trading_days]

    def emit(self, event_class: type, **fields: Any) -> None:
        self.broker.log.emit(self.date, event_class, **fields)

    def events(self, event_class: type) -> pd.DataFrame:
        """What was emitted of a class today. On the opening baseline it stands in for the state, which is empty until the day is applied."""
        return frame_of(self.broker.log.chunks(self.date, event_class), event_class)

    def stream(self, name: str) -> np.random.Generator:
        return stream(self.broker.seed, name, self.index)

    def later(self, trading_days: int, action: Callable[[Day], None]) -> None:
        """Do it that many sessions from now; a due day after the run never comes."""
        self.broker.agenda[self.index + trading_days].append(action)

    def untouched(self, table: str, *event_classes: type) -> pd.DataFrame:
        """Contracts of a state's table that none of these events of today names, of accounts that are still delivered."""
        touched = {
            contract
            for event_class in event_classes
            for chunk in self.broker.log.chunks(self.date, event_class)
            for contract in chunk.column("contract_id")
        }
        contracts = self.state[table]
        contracts = contracts[~contracts["contract_id"].isin(touched)]
        return contracts[contracts["account_id"].isin(self.state["accounts"]["account_id"])].copy()

    @property
    def days_since_last_session(self) -> int:
        """Natural days, for interest."""
        return (self.date - self.broker.sessions[self.index - 1]).days

    def take(self, series: str, count: int) -> np.ndarray:
        return self.broker.numbering.take(series, count)

    def take_daily(self, kind: str, count: int) -> np.ndarray:
        return self.broker.numbering.take_daily(kind, self.compact, count)
