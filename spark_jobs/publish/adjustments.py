"""Adjustments of pay that people decide: one proposes, another confirms, and the next published file has them in `adjustment`.

`meta.adjustment_proposals` and `meta.adjustment_confirmations` are append-only, one row a decision: nothing that was decided is changed or
taken away. Who wants one back proposes the same amount with the other sign. An appeal of an employee is an adjustment whose reason says so.
"""

from __future__ import annotations

from spark_jobs.publish.meta import meta_table

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


def decisions(root: str) -> str:
    """Every proposal with its confirmation, if any: `confirmed_by` and `revision` are null until then."""
    return (
        "(select proposals.*, confirmations.who as confirmed_by, confirmations.revision "
        f"from {meta_table(root, PROPOSALS, PROPOSALS_SCHEMA)} as proposals "
        f"left join {meta_table(root, CONFIRMATIONS, CONFIRMATIONS_SCHEMA)} as confirmations using (number))"
    )
