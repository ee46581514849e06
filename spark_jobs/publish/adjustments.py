"""Adjustments of pay that people decide: one proposes, another confirms, and the next published file has them in `adjustment`.

`meta.adjustment_proposals` and `meta.adjustment_confirmations` are append-only, one row a decision: nothing that was decided is changed or
taken away. Who wants one back proposes the same amount with the other sign. An appeal of an employee is an adjustment whose reason says so.
"""

from __future__ import annotations

from pathlib import Path

PROPOSALS, CONFIRMATIONS = "adjustment_proposals", "adjustment_confirmations"
PROPOSALS_SCHEMA = (
    "number int, employee_id string, branch_id string, business_line string, income_kind string, amount decimal(18,2), period string, "
    "origin_date date, reason string, who string, run int"
)
# revision: the next one when it was confirmed, so the first that can have it.
CONFIRMATIONS_SCHEMA = "number int, revision int, who string, run int"

CORRECTION, MANUAL = "correction", "manual"
LINES = ("normal", "credit", "option", "fund", "advice", "fund_advice")
KINDS = (
    "commission", "margin_interest", "repurchase_interest", "product_fee",
    "advice_front", "advice_back", "advice_copy", "advice_portfolio",
)  # fmt: skip

_NONE = {PROPOSALS: PROPOSALS_SCHEMA, CONFIRMATIONS: CONFIRMATIONS_SCHEMA}


def table_of(root: str, name: str) -> str:
    """One of the two tables as DuckDB reads it: without rows where nobody has decided anything yet."""
    if (Path(root) / "meta" / name).is_dir():
        return f"delta_scan('{root}/meta/{name}')"
    columns = (column.rsplit(" ", 1) for column in _NONE[name].split(", "))
    return f"(select {', '.join(f'cast(null as {kind}) as {column}' for column, kind in columns)} where false)"


def decisions(root: str) -> str:
    """Every proposal with its confirmation, if any: `confirmed_by` and `revision` are null until then."""
    return (
        f"(select proposals.*, confirmations.who as confirmed_by, confirmations.revision from {table_of(root, PROPOSALS)} as proposals "
        f"left join {table_of(root, CONFIRMATIONS)} as confirmations using (number))"
    )
