"""`c360 period adjust` and `confirm`: an adjustment of pay by two people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.adjustments import (
    CONFIRMATIONS,
    CONFIRMATIONS_SCHEMA,
    KINDS,
    LINES,
    PROPOSALS,
    PROPOSALS_SCHEMA,
    decisions,
)  # fmt: skip
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.publish.meta import meta_table
from spark_jobs.publish.periods import LOCKS, LOCKS_SCHEMA, as_month
from spark_jobs.publish.revisions import next_revision

CENT, LARGEST = Decimal("0.01"), Decimal("1e15")


@dataclass(frozen=True)
class Proposal:
    """What a person wants adjusted. amount: CNY with at most two decimals, signed. origin: the day it is about, if it is about one."""

    employee_id: str
    branch_id: str
    business_line: str
    income_kind: str
    amount: str
    period: str
    reason: str
    who: str
    origin: date | None = None


def propose(run: Run, proposal: Proposal) -> int:
    """Keep a proposal; it counts for nothing until another person confirms it. Returns its number.

    Raises ConfigurationError C360-193 that names everything that is wrong with it, C360-192 for a month that no adjustment can count for.
    """
    root = local_lake(run.settings)
    with connect_delta() as connection:
        faults = _faults(connection, root, proposal)
        if faults:
            raise _refused(
                f"the adjustment cannot be proposed: {'; '.join(faults)}", "correct it, then propose it again"
            )
        must_be_open(connection, root, proposal.period)
        (number,) = connection.execute(
            f"select coalesce(max(number), 0) + 1 from {meta_table(root, PROPOSALS, PROPOSALS_SCHEMA)}"
        ).fetchone()
    row = (
        number, proposal.employee_id, proposal.branch_id, proposal.business_line, proposal.income_kind,
        Decimal(proposal.amount).quantize(CENT), proposal.period, proposal.origin, proposal.reason.strip(), proposal.who.strip(), run.number,
    )  # fmt: skip
    frame = run.spark.createDataFrame([row], PROPOSALS_SCHEMA).coalesce(1)
    run.lake.append(frame, "meta", PROPOSALS, {"run": run.number, "number": number})
    return number


def confirm(run: Run, number: int, by: str) -> int:
    """Make a proposal count from the next publication on. Returns the revision that will be the first to have it.

    Raises ConfigurationError C360-193 when there is no such proposal, it is confirmed, or the same person proposed it; C360-192 when its
    month was locked since.
    """
    root = local_lake(run.settings)
    with connect_delta() as connection:
        found = plain_rows(
            connection.execute(f"select * from {decisions(root)} as decisions where number = ?", [number])
        )
        if not found:
            raise _refused(f"nobody proposed an adjustment {number}", "c360 period list")
        proposal = found[0]
        if proposal["confirmed_by"] is not None:
            raise _refused(f"adjustment {number} is confirmed already", "c360 period list")
        if _person(proposal["who"]) == _person(by) or not by.strip():
            raise _refused(f"adjustment {number} must be confirmed by another person than the one who proposed it",
                           f"c360 period confirm {number} --by …")  # fmt: skip
        must_be_open(connection, root, proposal["period"])
    revision = next_revision(run)
    frame = run.spark.createDataFrame([(number, revision, by.strip(), run.number)], CONFIRMATIONS_SCHEMA).coalesce(1)
    run.lake.append(frame, "meta", CONFIRMATIONS, {"run": run.number, "number": number})
    return revision


def read_decisions(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[dict[str, Any]]:
    """All proposals in the order of their numbers, with who confirmed them and the first revision that has them."""
    return plain_rows(
        connection.execute(
            f"select * exclude (run) from {decisions(local_lake(settings))} as decisions order by number"
        )
    )


def must_be_open(connection: duckdb.DuckDBPyConnection, root: str, period: str) -> None:
    """Raises ConfigurationError C360-192 for a month that is locked or lies before one that is."""
    (last,) = connection.execute(f"select max(period) from {meta_table(root, LOCKS, LOCKS_SCHEMA)}").fetchone()
    if last and period <= last:
        raise ConfigurationError(
            "C360-192", f"{period} is locked, or a later month is", kept="nothing was changed",
            next_step=f"propose it for a month after {last}, with --origin for the day it is about",
        )  # fmt: skip


def _faults(connection: duckdb.DuckDBPyConnection, root: str, proposal: Proposal) -> list[str]:
    faults = []
    if as_month(proposal.period) is None:
        faults.append("its period is no month yyyy-mm")
    if proposal.business_line not in LINES:
        faults.append(f"its line is none of {', '.join(LINES)}")
    if proposal.income_kind not in KINDS:
        faults.append(f"its kind is none of {', '.join(KINDS)}")
    if not _is_amount(proposal.amount):
        faults.append("its amount is no number with at most two decimals, or 0")
    if not proposal.reason.strip():
        faults.append("it has no reason")
    if not proposal.who.strip():
        faults.append("nobody proposes it")
    if proposal.origin and f"{proposal.origin:%Y-%m}" > proposal.period:
        faults.append("the day it is about lies after its period")
    place = (proposal.employee_id, proposal.branch_id)
    query = f"select count(*) from delta_scan('{root}/gold/employees') where employee_id = ? and branch_id = ?"
    if place != ("unassigned", "unassigned") and not connection.execute(query, list(place)).fetchone()[0]:
        faults.append("no such employee was ever in that branch")
    return faults


def _is_amount(text: str) -> bool:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return False
    return amount.is_finite() and 0 < abs(amount) < LARGEST and amount == amount.quantize(CENT)


def _person(name: str) -> str:
    return " ".join(name.split()).casefold()


def _refused(what: str, next_step: str) -> ConfigurationError:
    return ConfigurationError("C360-193", what, kept="nothing was changed", next_step=next_step)
