"""What employees, branches, regions and the firm are to reach in a month, as the performance office sets it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.organisation import LEAVING, MOVING, NEW, REMOVED

_KEY = ("target_month", "unit_level", "unit_id")
_AMOUNTS = ("target_income_amount", "target_inflow_amount", "target_new_customer_count")


def keep_targets(day: Day) -> None:
    """New targets in a new month, the old ones go; in the first days one is set later, one raised, one completed, one dropped."""
    targets = day.state["targets"]
    if not (targets["target_month"] == _month(day)).any():
        day.emit(ev.TargetRemoved, **{name: targets[name].to_numpy() for name in _KEY})
        _set_all(day)
    elif day.index == 1:
        _emit(day, "employee", np.array([NEW], dtype=object), [(1_000_000, None, None)])
    elif day.index == 2:
        _emit(
            day,
            "employee",
            np.array([MOVING, LEAVING], dtype=object),
            [(5_000_000, 100_000_000, 2), (100_000, 0, None)],
        )
    elif day.index == 4:
        day.emit(ev.TargetRemoved, target_month=_month(day), unit_level="employee", unit_id=REMOVED)


def _month(day: Day) -> str:
    return f"{day.date:%Y-%m}"


def _set_all(day: Day) -> None:
    employees = day.events(ev.EmployeeSet) if day.is_opening else day.state["employees"]
    branches = day.events(ev.BranchSet) if day.is_opening else day.state["branches"]
    employees = employees.drop_duplicates("employee_id", keep="last")[["employee_id", "branch_id"]]
    count, generator = len(employees), day.stream("targets")
    staff = employees.assign(
        target_income_amount=generator.integers(10, 200, count) * 10_000,
        target_inflow_amount=generator.integers(-5, 100, count) * 1_000_000,
        target_new_customer_count=generator.integers(0, 5, count),
    ).merge(branches.drop_duplicates("branch_id")[["branch_id", "region_name"]], on="branch_id", how="left")
    values = staff[list(_AMOUNTS)].astype(object)
    values.loc[staff["employee_id"] == MOVING, "target_inflow_amount"] = None
    _emit(day, "employee", staff["employee_id"].to_numpy(), values.to_numpy().tolist())
    for level, column in (("branch", "branch_id"), ("region", "region_name")):
        _emit_sums(day, level, staff.groupby(column)[list(_AMOUNTS)].sum())
    _emit_sums(day, "firm", staff.assign(firm="firm").groupby("firm")[list(_AMOUNTS)].sum())


def _emit_sums(day: Day, level: str, sums: pd.DataFrame) -> None:
    _emit(day, level, sums.index.to_numpy(dtype=object), sums.to_numpy().tolist())


def _emit(day: Day, level: str, units: np.ndarray, values: list) -> None:
    columns = {
        name: np.array(column, dtype=object) for name, column in zip(_AMOUNTS, zip(*values, strict=True), strict=True)
    }
    day.emit(ev.TargetSet, target_month=_month(day), unit_level=level, unit_id=units, **columns)
