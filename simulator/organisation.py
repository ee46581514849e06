"""Branches and employees, and what happens to them in the first days."""

from __future__ import annotations

import numpy as np

from simulator import events as ev
from simulator.day import Day
from simulator.people import GIVEN, SURNAMES
from simulator.randomness import picked

REGIONS = ["华东", "华南", "华北", "西南", "华中"]
CITIES = ["江岭", "澜海", "云岫", "沧澜", "北屿", "青禾", "远川", "恒澈", "嘉屿", "明峤"]
NEW_BRANCH, RENAMED_BRANCH, CLOSED_BRANCH = "0901", "0002", "0902"
DUPLICATED_BRANCH = "0001"
MOVING, LEAVING, REMOVED, NEW = "E900001", "E900002", "E900003", "E900004"


class Organisation:
    """Who works where. Scripted employees have numbers from E900001."""

    def __init__(self, customers: int) -> None:
        self.branch_count = max(6, min(150, 6 + customers // 1500))
        self.employee_count = max(10, min(3000, 10 + customers // 60))
        self.branches = np.array([f"{number:04d}" for number in range(1, self.branch_count + 1)], dtype=object)
        self.employees = np.array([f"E{number:06d}" for number in range(1, self.employee_count + 1)], dtype=object)

    def open(self, day: Day) -> None:
        """Everybody as of the opening baseline."""
        for number, branch in enumerate(self.branches):
            _set_branch(day, branch, _branch_name(number), REGIONS[number % len(REGIONS)])
        _set_branch(day, CLOSED_BRANCH, "旧城营业部", "华北")
        generator = day.stream("employees")
        count = self.employee_count
        names = picked(generator, SURNAMES, count) + picked(generator, GIVEN, count)
        day.emit(
            ev.EmployeeSet,
            employee_id=self.employees,
            employee_name=names,
            branch_id=picked(generator, self.branches, count),
            status="active",
            hired_date=np.datetime64("2012-03-01") + generator.integers(0, 4_000, count),
            left_date=None,
        )
        for employee in (MOVING, LEAVING, REMOVED):
            _set_employee(day, employee, "0001")

    def change(self, day: Day) -> None:
        """A branch opens, one is renamed, one closes and goes; employees join, move, leave and go."""
        if day.index == 1:
            _set_branch(day, NEW_BRANCH, "新城营业部", "华东")
            _set_branch(day, CLOSED_BRANCH, "旧城营业部", "华北", "closed")
            _set_employee(day, NEW, NEW_BRANCH)
        if day.index == 2:
            _set_branch(day, RENAMED_BRANCH, _branch_name(1) + "（迁址）", REGIONS[1])
            _set_employee(day, MOVING, "0003")
        if day.index == 3:
            day.emit(ev.BranchRemoved, branch_id=CLOSED_BRANCH)
            _set_employee(day, LEAVING, "0001", "left", day.date)
            _set_employee(day, REMOVED, "0001", "left", day.date)
        if day.index == 4:
            day.emit(ev.EmployeeRemoved, employee_id=REMOVED)


def _branch_name(number: int) -> str:
    return f"{CITIES[number % len(CITIES)]}{'' if number < len(CITIES) else number}路营业部"


def _set_branch(day: Day, branch: str, name: str, region: str, status: str = "open") -> None:
    day.emit(ev.BranchSet, branch_id=branch, branch_name=name, region_name=region, status=status)


def _set_employee(day: Day, employee: str, branch: str, status: str = "active", left=None) -> None:
    day.emit(
        ev.EmployeeSet,
        employee_id=employee,
        employee_name=f"员工{employee[-2:]}",
        branch_id=branch,
        status=status,
        hired_date=np.datetime64("2018-07-02").astype(object),
        left_date=left,
    )
