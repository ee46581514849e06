"""People who apply for an account on their phone: some are customers the next day, some stop half-way, some are refused."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.population import enrol
from simulator.randomness import picked

# One in so many customers applies on a day, and at least this many: one of each story.
CUSTOMERS_PER_APPLICANT, STORIES = 1_000, 3
# On the first of so many days some become customers; on the others they stall, or a long run would be a broker of newcomers.
OPENED_EVERY = 3
FORGOTTEN_AFTER = 2
DAY_MINUTES = 1_440


def open_applications(day: Day) -> None:
    """The opening baseline: applications that have been waiting since the session before."""
    waiting = _applicants(day, STORIES, day.date - dt.timedelta(days=3))
    _set(day, waiting, application_step="risk_tested", stalled_minutes=3 * DAY_MINUTES)
    day.later(1, lambda later: _withdraw(later, waiting))


def apply_for_accounts(day: Day, customers: int) -> None:
    """A day of new applications, told apart by their place: opened tomorrow, stalled and then begun anew, refused."""
    applicants = _applicants(day, max(STORIES, customers // CUSTOMERS_PER_APPLICANT), day.date)
    opened, stalled, refused = (applicants[place::STORIES] for place in range(STORIES))
    if day.index % OPENED_EVERY == 1:
        _set(day, opened, application_step="identity_uploaded", stalled_minutes=4)
        day.later(1, lambda later: _open(later, opened))
    else:
        stalled = pd.concat([opened, stalled])
    _set(day, stalled, application_step="risk_tested", stalled_minutes=45)
    day.later(1, lambda later: _wait(later, stalled))
    _set(day, refused, application_step="video_checked", stalled_minutes=18, aml_result="review")
    day.later(1, lambda later: _refuse(later, refused))


def _applicants(day: Day, count: int, started: dt.date) -> pd.DataFrame:
    """New people, each with a phone and an application."""
    # Some invented people have no phone.
    people = day.broker.people.persons(2 * count + STORIES)
    people = people[people["mobile_phone"].notna()][:count].reset_index(drop=True)
    generator = day.stream(f"applications {started}")
    branches = picked(generator, day.broker.organisation.branches, len(people))
    return _numbered(day, people.assign(branch_id=branches), started)


def _numbered(day: Day, people: pd.DataFrame, started: dt.date) -> pd.DataFrame:
    return people.assign(application_id=day.take("application", len(people)), started_date=np.datetime64(started))


def _set(day: Day, applicants: pd.DataFrame, **values: object) -> None:
    named = {
        name: applicants[name].to_numpy() for name in ("application_id", "mobile_phone", "branch_id", "started_date")
    }
    state = {"application_status": "in_progress", "aml_result": None, "client_number": None, **values}
    day.emit(ev.ApplicationSet, **named, applicant_name=applicants["client_name"].to_numpy(), **state)


def _forget(day: Day, applicants: pd.DataFrame) -> None:
    """What has ended is no longer delivered some sessions later."""
    ids = applicants["application_id"].to_numpy()
    day.later(FORGOTTEN_AFTER, lambda later: later.emit(ev.ApplicationRemoved, application_id=ids))


def _open(day: Day, applicants: pd.DataFrame) -> None:
    clients = enrol(day, applicants, "applicants")
    # Who gets a second client number applied once.
    numbers = clients["client_number"].to_numpy()[: len(applicants)]
    _set(
        day, applicants, application_step="account_opened", application_status="opened", stalled_minutes=0, aml_result="passed",
        client_number=numbers,
    )  # fmt: skip
    _forget(day, applicants)


def _wait(day: Day, applicants: pd.DataFrame) -> None:
    _set(
        day, applicants, application_step="risk_tested", stalled_minutes=45 + DAY_MINUTES * day.days_since_last_session
    )
    day.later(1, lambda later: _withdraw(later, applicants))


def _withdraw(day: Day, applicants: pd.DataFrame) -> None:
    """The old application ends; who made it begins another one with the same phone."""
    _set(day, applicants, application_step="risk_tested", application_status="withdrawn", stalled_minutes=0)
    _forget(day, applicants)
    again = _numbered(day, applicants, day.date)
    _set(day, again, application_step="phone_verified", stalled_minutes=20)
    day.later(1, lambda later: _refuse(later, again))


def _refuse(day: Day, applicants: pd.DataFrame) -> None:
    _set(
        day, applicants, application_step="video_checked", application_status="rejected", stalled_minutes=0, aml_result="rejected"
    )  # fmt: skip
    _forget(day, applicants)
