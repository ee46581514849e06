"""What became of the calls: of every row of the lists whether the thing asked for had happened when its time was over.

Made of the published days, the profile of the day a row is judged on beside the profile that put the customer on the list. The warehouse knows
days, not hours: what happened on the day of the due time counts, whenever it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

TABLE = "outbound_outcome"
DONE, NOT_DONE, UNKNOWN, OPEN = "done", "not_done", "unknown", "open"
LASTING_DAYS = 30
"""Natural days after the call that a customer has for what cannot be done at once: a new document, a test, the next trade."""

_REACHED = "coalesce(then_profile.last_reached_date >= calls.call_date, false)"
_SOON = f"calls.call_date + {LASTING_DAYS}"


@dataclass(frozen=True)
class Goal:
    """deadline: the day it must have happened by; done: whether it has, in `now_profile` (of the list) and `then_profile` (of the judging day)."""

    done: str
    deadline: str = "calls.call_date"


def _better(column: str, *worse_first: str) -> str:
    """The tier is a better one than it was, or there is none any more."""
    tiers = ", ".join(f"'{tier}'" for tier in worse_first)
    place = f"list_position([{tiers}], {{}}.{column})"
    return f"coalesce({place.format('then_profile')}, {len(worse_first) + 1}) > {place.format('now_profile')}"


_MARGIN = Goal(_better("margin_tier", "close_out", "call", "watch"))
_GUARANTEE = Goal(_better("guarantee_tier", "disposal", "warning", "watch"))
_NOTICE = Goal(_REACHED)

GOALS: dict[str, Goal] = {
    "margin_close_out": _MARGIN,
    "margin_call": _MARGIN,
    "margin_watch": _MARGIN,
    "guarantee_disposal": _GUARANTEE,
    "guarantee_warning": _GUARANTEE,
    "guarantee_watch": _GUARANTEE,
    "option_risk": Goal(
        "then_profile.maximum_option_risk_degree is null "
        "or then_profile.maximum_option_risk_degree < now_profile.maximum_option_risk_degree"
    ),
    "ipo_payment": Goal(
        "exists (from mart_customer_tag as tags where tags.customer_id = calls.customer_id and tags.as_of_date = then_profile.as_of_date "
        "and tags.tag_name = 'ipo_paying' and tags.last_date >= calls.call_date)",
        "greatest(calls.call_date, now_profile.ipo_payment_due_date)",
    ),
    "repurchase_due": Goal(
        "then_profile.next_repurchase_date is null or then_profile.next_repurchase_date > now_profile.next_repurchase_date",
        "greatest(calls.call_date, now_profile.next_repurchase_date)",
    ),
    # These tell the customer something: it is done when the call reached him.
    "option_expiring": _NOTICE,
    "ipo_subscription": _NOTICE,
    "product_maturing": _NOTICE,
    "suitability_mismatch": _NOTICE,
    "first_call_back": _NOTICE,
    "identity_expiring": Goal("then_profile.identity_expiry_date > now_profile.identity_expiry_date", _SOON),
    "risk_test_expiring": Goal("then_profile.risk_test_expiry_date > now_profile.risk_test_expiry_date", _SOON),
    "leaving": Goal("then_profile.life_cycle not in ('at_risk', 'lost')", _SOON),
    "dormant": Goal("then_profile.last_trade_date >= calls.call_date", _SOON),
}  # fmt: skip
"""List → what is asked for on it."""


def create_outcomes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `outbound_outcome` beside the marts of a file that is being published.

    Grain: customer_id, list_name, as_of_date, as in `mart_outbound_call`. A row is judged on the first published day on or after its deadline;
    until there is one its outcome is `open` and outcome_date null. `unknown`: the customer has no profile on that day.
    """
    deadlines = " ".join(f"when '{name}' then {goal.deadline}" for name, goal in GOALS.items())
    goals = " ".join(f"when '{name}' then {goal.done}" for name, goal in GOALS.items())
    connection.execute(f"""
        create table {TABLE} as
        with due as (
            select
                calls.*,
                cast(case list_name {deadlines} end as date) as deadline_date
            from mart_outbound_call as calls
            inner join mart_customer_profile as now_profile using (customer_id, as_of_date)
        ),
        judged as (
            select due.*, (select min(business_date) from publication where business_date >= due.deadline_date) as outcome_date
            from due
        )
        select
            calls.as_of_date,
            calls.customer_id,
            calls.list_name,
            calls.script_id,
            calls.is_call,
            calls.call_date,
            calls.deadline_date,
            calls.outcome_date,
            case
                when calls.outcome_date is null then '{OPEN}'
                when then_profile.customer_id is null then '{UNKNOWN}'
                when coalesce(case calls.list_name {goals} end, false) then '{DONE}'
                else '{NOT_DONE}'
            end as outcome,
            case when then_profile.customer_id is not null then {_REACHED} end as is_reached,
            calls.branch_id,
            calls.main_staff_employee_id
        from judged as calls
        inner join mart_customer_profile as now_profile
            on calls.customer_id = now_profile.customer_id and calls.as_of_date = now_profile.as_of_date
        left join mart_customer_profile as then_profile
            on calls.customer_id = then_profile.customer_id and calls.outcome_date = then_profile.as_of_date
        order by calls.customer_id, calls.as_of_date, calls.list_name
    """)
