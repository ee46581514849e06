"""Reconciliation of a broker nobody has broken: it agrees with everybody, but for what its script acts out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from spark_jobs.contracts import load_catalogue
from spark_jobs.reconcile.checks import load_checks
from tests.loading import reconciliation_rows

STOPS = {check.name for check in load_checks(load_catalogue()) if check.severity == "stop"}


def test_a_clean_broker_agrees_in_every_stop_check(broker):
    found = reconciliation_rows(broker, "results")
    days = [date.fromisoformat(day) for day in broker.summary["days"]]
    status = {(row[0], row[1]): row[9] for row in found}
    assert {status[days[0], check] for check in STOPS} == {"not_applicable"}
    assert {status[day, check] for day in days[1:] for check in STOPS} == {"pass"}
    compared = {row[1] for row in found if row[3] > 0}
    assert compared >= STOPS - {"judicial_deductions"}
    assert ("judicial_deductions", 1) in {(row[1], row[3]) for row in found}, (
        "a deduction is carried out on the first day"
    )


def test_a_clean_broker_has_only_the_warnings_its_script_acts_out(broker):
    failed = {row[1] for row in reconciliation_rows(broker, "results") if row[9] == "fail"}
    assert failed - {"disk_space"} == {"overdraft", "repeated_identity"}
    overdrafts = [row for row in reconciliation_rows(broker, "differences") if row[1] == "overdraft"]
    assert {row[5] for row in overdrafts} == {Decimal("12.34")}
    assert len(overdrafts) > 1 and len({row[6] for row in overdrafts}) == 1, "seen first on the day it began"
