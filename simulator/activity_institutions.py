"""What e-office knows of institutions: of which kind they are, how they count as investors, and whom to call there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.layouts import CODES
from simulator.people import new_contacts
from simulator.randomness import chosen, picked
from simulator.state import of_normal_counter

KINDS, KIND_WEIGHTS = list(CODES["institution_kind"]), [0.6, 0.04, 0.04, 0.06, 0.12, 0.04, 0.04, 0.06]
# Financial institutions are professional investors by what they are.
FINANCIAL = ("bank", "securities_firm", "fund_manager", "private_fund_manager", "insurer", "trust_company")
OTHER_CLASSES, CLASS_WEIGHTS = ["ordinary", "professional_b", "professional_c"], [0.7, 0.25, 0.05]
WITH_CONTACT_SHARE, WITH_TERM_SHARE, WITH_CAPITAL_SHARE = 0.8, 0.7, 0.9
# Cents.
CAPITALS = [100_000_000, 500_000_000, 1_000_000_000, 5_000_000_000, 100_000_000_000]
FORGOTTEN_EVERY_DAYS = 2


def open_institutions(day: Day) -> None:
    """The opening baseline: all but the first are known, and nobody knows whom to call at the next."""
    numbers = _institutions(day.events(ev.ClientOpened))[1:]
    _describe(day, numbers[:1], with_contact=0)
    _describe(day, numbers[1:])


def keep_institutions(day: Day) -> None:
    """A day: one more is known, one that had no contact has one, one is described anew, and now and then one is forgotten."""
    known = day.state["institutions"]
    numbers = _institutions(day.state["clients"])
    _describe(day, numbers[~np.isin(numbers, known["client_number"])][:1])
    without = known[known["contact_phone"].isna()].head(1)
    _describe(day, without["client_number"].to_numpy(), with_contact=1)
    others = known[~known["client_number"].isin(without["client_number"])]
    _describe(day, others["client_number"].head(1).to_numpy())
    if day.index % FORGOTTEN_EVERY_DAYS == 0:
        day.emit(ev.InstitutionRemoved, client_number=others["client_number"].iloc[1:].tail(1).to_numpy())


def _institutions(clients: pd.DataFrame) -> np.ndarray:
    clients = of_normal_counter(clients)
    return np.sort(clients.loc[clients["client_kind"] == "institution", "client_number"].to_numpy())


def _describe(day: Day, numbers: np.ndarray, with_contact: float = WITH_CONTACT_SHARE) -> None:
    generator = day.stream(f"institutions {' '.join(numbers)}")
    count = len(numbers)
    kinds = picked(generator, KINDS, count, KIND_WEIGHTS)
    classes = picked(generator, OTHER_CLASSES, count, CLASS_WEIGHTS)
    names, phones = new_contacts(generator, count)
    silent = ~chosen(generator, count, with_contact)
    ends = np.datetime64(day.date) + generator.integers(-20, 3_000, count)
    ends[~chosen(generator, count, WITH_TERM_SHARE)] = np.datetime64("NaT")
    capitals = np.where(chosen(generator, count, WITH_CAPITAL_SHARE), picked(generator, CAPITALS, count), None)
    day.emit(
        ev.InstitutionSet,
        client_number=numbers,
        institution_kind=kinds,
        investor_class=np.where(np.isin(kinds, FINANCIAL), "professional_a", classes),
        registered_capital_amount=capitals,
        licence_expiry_date=ends,
        contact_name=np.where(silent, None, names),
        contact_phone=np.where(silent, None, phones),
        updated_date=day.date,
    )
