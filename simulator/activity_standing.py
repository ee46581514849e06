"""What clients may trade beyond common shares, and how the money-laundering check grades them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.layouts import CODES
from simulator.randomness import chosen, picked
from simulator.state import of_normal_counter

GRADES, GRADE_WEIGHTS = list(CODES["aml_grade"]), [0.85, 0.12, 0.03]
GRADED_SHARE, REVIEWED_SHARE, REGRADED_SHARE, FORGOTTEN_SHARE = 0.95, 0.9, 0.005, 0.002
PERMISSIONS, PERMITTED_SHARE, CHANGED_SHARE = list(CODES["permission_kind"]), 0.2, 0.003
REVIEW_DAYS = {"low": 1095, "medium": 730, "high": 180}


def open_standing(day: Day) -> None:
    """The opening baseline: most clients are graded, some have permissions."""
    generator = day.stream("standing")
    numbers = of_normal_counter(day.events(ev.ClientOpened))["client_number"].to_numpy()
    graded = numbers[chosen(generator, len(numbers), GRADED_SHARE)]
    dates = np.datetime64(day.date) - generator.integers(1, 600, len(graded))
    _grade(day, generator, graded, picked(generator, GRADES, len(graded), GRADE_WEIGHTS), dates)
    for kind in PERMISSIONS:
        permitted = numbers[chosen(generator, len(numbers), PERMITTED_SHARE)]
        _permit(day, permitted, kind, np.datetime64(day.date) - generator.integers(1, 2_000, len(permitted)))


def keep_standing(day: Day) -> None:
    """A day: who came yesterday is graded, some are graded anew and some no longer, permissions are opened, opened anew and taken back."""
    generator = day.stream("standing")
    grades, permissions = day.state["aml_grades"], day.state["permissions"]
    numbers = of_normal_counter(day.state["clients"])["client_number"]
    ungraded = numbers[~numbers.isin(grades["client_number"])].to_numpy()
    new = ungraded[: max(1, len(ungraded) // 2)]
    _grade(day, generator, new, picked(generator, GRADES, len(new), GRADE_WEIGHTS), day.date)
    regraded, forgotten = _some(generator, grades, REGRADED_SHARE), _some(generator, grades, FORGOTTEN_SHARE)
    regraded = regraded[~regraded["client_number"].isin(forgotten["client_number"])]
    unreviewed = grades[grades["review_date"].isna()].head(1)
    again = pd.concat([regraded, unreviewed[~unreviewed["client_number"].isin(forgotten["client_number"])]])
    again = again.drop_duplicates("client_number")["client_number"].to_numpy()
    _grade(day, generator, again, picked(generator, GRADES, len(again)), day.date, are_reviewed=True)
    day.emit(ev.AmlGradeRemoved, client_number=forgotten["client_number"].to_numpy())
    anew, closed = _some(generator, permissions, CHANGED_SHARE), _some(generator, permissions, CHANGED_SHARE)
    key = ["client_number", "permission_kind"]
    anew = anew[~pd.MultiIndex.from_frame(anew[key]).isin(pd.MultiIndex.from_frame(closed[key]))]
    day.emit(ev.PermissionSet, **{name: anew[name].to_numpy() for name in key}, opened_date=day.date)
    day.emit(ev.PermissionRemoved, **{name: closed[name].to_numpy() for name in key})
    kind = picked(generator, PERMISSIONS, 1)[0]
    without = numbers[
        ~numbers.isin(permissions.loc[permissions["permission_kind"] == kind, "client_number"])
    ].to_numpy()
    _permit(day, picked(generator, without, min(1, len(without))), kind, day.date)


def _some(generator: np.random.Generator, table: pd.DataFrame, share: float) -> pd.DataFrame:
    """A share of the rows, and at least one."""
    count = min(len(table), max(1, round(len(table) * share)))
    return table.iloc[generator.permutation(len(table))[:count]]


def _grade(
    day: Day, generator: np.random.Generator, numbers: np.ndarray, grades: np.ndarray, graded: object, are_reviewed: bool = False
) -> None:  # fmt: skip
    """Nine of ten grades say when they are looked at again; those made anew all do."""
    reviews = np.array([day.date + dt.timedelta(days=REVIEW_DAYS[grade]) for grade in grades], dtype="datetime64[D]")
    if not are_reviewed:
        reviews[~chosen(generator, len(numbers), REVIEWED_SHARE)] = np.datetime64("NaT")
    day.emit(ev.AmlGradeSet, client_number=numbers, aml_grade=grades, graded_date=graded, review_date=reviews)


def _permit(day: Day, numbers: np.ndarray, kind: str, opened: object) -> None:
    day.emit(ev.PermissionSet, client_number=numbers, permission_kind=kind, opened_date=opened)
