"""What clients allow the call platform, whom it calls, and what they complain about."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.layouts import CODES
from simulator.randomness import picked
from simulator.state import of_normal_counter

CONSENT_KINDS = list(CODES["consent_kind"])
# Shares of the phones that have granted, refused, or want no call at all; the rest has said nothing.
CONSENT_WEIGHTS = np.array([0.6, 0.08, 0.04])
CHANGED_SHARE, CALLED_SHARE, COMPLAINING_SHARE = 0.002, 0.03, 0.001
RESULTS, RESULT_WEIGHTS = list(CODES["call_result"]), [0.6, 0.3, 0.1]
FIRST_COMPLAINTS, SETTLED_AFTER, FORGOTTEN_AFTER = 2, 2, 4


def open_contacts(day: Day) -> None:
    """The opening baseline: what most phones have said long ago, and complaints that are open."""
    generator = day.stream("contacts")
    clients = of_normal_counter(day.events(ev.ClientOpened))
    phones = _phones(clients)
    phones = phones[generator.random(len(phones)) < CONSENT_WEIGHTS.sum()]
    phones = phones.assign(consent_id=day.take("consent", len(phones)))
    kinds = picked(generator, CONSENT_KINDS, len(phones), CONSENT_WEIGHTS / CONSENT_WEIGHTS.sum())
    _declare(day, phones, kinds, np.datetime64(day.date) - generator.integers(10, 800, len(phones)))
    _complain(day, generator, clients, FIRST_COMPLAINTS)


def keep_contacts(day: Day) -> None:
    """A day of the call platform."""
    generator = day.stream("contacts")
    clients = of_normal_counter(day.state["clients"])
    _change_consents(day, generator)
    _call(day, generator, _phones(clients))
    _complain(day, generator, clients, max(1, round(len(clients) * COMPLAINING_SHARE)))


def _phones(clients: pd.DataFrame) -> pd.DataFrame:
    """Every phone once, as the call platform writes it: without the country's code; with the first client that has it."""
    known = clients.loc[clients["mobile_phone"].notna(), ["client_number", "mobile_phone"]].copy()
    known["mobile_phone"] = known["mobile_phone"].str.removeprefix("+86")
    return known.drop_duplicates("mobile_phone")


def _declare(day: Day, consents: pd.DataFrame, kinds: np.ndarray, recorded: object) -> None:
    named = {name: consents[name].to_numpy() for name in ("consent_id", "client_number", "mobile_phone")}
    day.emit(ev.ConsentSet, **named, consent_kind=kinds, recorded_date=recorded)


def _change_consents(day: Day, generator: np.random.Generator) -> None:
    """Some declarations are corrected, some phones make another one beside it, some are forgotten."""
    consents = day.state["consents"]
    count = max(1, round(len(consents) * CHANGED_SHARE))
    order = generator.permutation(len(consents))[: 3 * count]
    corrected, repeated, forgotten = (consents.iloc[order[place::3]] for place in range(3))
    repeated = repeated.assign(consent_id=day.take("consent", len(repeated)))
    for rows in (corrected, repeated):
        _declare(day, rows, picked(generator, CONSENT_KINDS, len(rows)), day.date)
    day.emit(ev.ConsentRemoved, consent_id=forgotten["consent_id"].to_numpy())


def _call(day: Day, generator: np.random.Generator, phones: pd.DataFrame) -> None:
    """Calls out, and every fourth one in."""
    called = phones.iloc[generator.integers(0, len(phones), max(2, round(len(phones) * CALLED_SHARE)))]
    day.emit(
        ev.CallMade,
        call_id=day.take_daily("CL", len(called)),
        client_number=called["client_number"].to_numpy(),
        mobile_phone=called["mobile_phone"].to_numpy(),
        call_direction=np.where(np.arange(len(called)) % 4 == 3, "in", "out").astype(object),
        call_result=picked(generator, RESULTS, len(called), RESULT_WEIGHTS),
    )


def _complain(day: Day, generator: np.random.Generator, clients: pd.DataFrame, count: int) -> None:
    """Clients complain today; each complaint is settled two sessions later and no longer delivered after four."""
    rows = {
        "complaint_id": day.take("complaint", count),
        "client_number": picked(generator, clients["client_number"].to_numpy(), count),
        "opened_date": day.date,
    }
    day.emit(ev.ComplaintSet, **rows, complaint_status="open", closed_date=None)
    day.later(
        SETTLED_AFTER,
        lambda later: later.emit(ev.ComplaintSet, **rows, complaint_status="settled", closed_date=later.date),
    )
    day.later(FORGOTTEN_AFTER, lambda later: later.emit(ev.ComplaintRemoved, complaint_id=rows["complaint_id"]))
