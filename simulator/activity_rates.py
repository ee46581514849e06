"""The counters' own tables of rates: what was agreed, once the counter has heard of it."""

from __future__ import annotations

import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.state import row_keys, with_changes
from simulator.trading import RATE_KEY, newest_in_force

_KEY = list(RATE_KEY)
_AGREED_KEY = [*_KEY, "effective_date"]
_TERMS = ["commission_rate", "minimum_commission_amount", "includes_regulatory_fee"]


def keep_counter_rates(day: Day) -> None:
    """Bring tonight's rates into the counters' tables, except for the accounts in `rates_not_heard`, whose row stays as it is."""
    agreed = with_changes(
        day.state["agreed_rates"], day.events(ev.AgreedRateSet), day.events(ev.AgreedRateRemoved), _AGREED_KEY
    )
    wanted = newest_in_force(agreed, pd.Timestamp(day.date))
    known = day.state["counter_rates"]
    not_heard = day.broker.rates_not_heard
    wanted = pd.concat(
        [
            wanted.loc[~wanted["account_id"].isin(not_heard), _KEY + _TERMS],
            known.loc[known["account_id"].isin(not_heard), _KEY + _TERMS],
        ],
        ignore_index=True,
    )
    unchanged = set(row_keys(known, _KEY + _TERMS))
    changed = wanted[~row_keys(wanted, _KEY + _TERMS).isin(unchanged)]
    gone = known[~row_keys(known, _KEY).isin(set(row_keys(wanted, _KEY)))]
    day.emit(ev.CounterRateSet, **{name: changed[name].to_numpy() for name in ev.CounterRateSet._fields})
    day.emit(ev.CounterRateRemoved, **{name: gone[name].to_numpy() for name in _KEY})
