"""Two published files side by side: which customers, employees and ranks one says something else about. Reads them and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from spark_jobs.jobs.ask import plain_rows
from spark_jobs.publish.periods import ADJUSTMENT

PROFILE, PERFORMANCE = "mart_customer_profile", "mart_performance_employee_month"
CHANGED, NEW, GONE = "changed", "new", "gone"

_STATE = f"case when before._known is null then '{NEW}' when after._known is null then '{GONE}' else '{CHANGED}' end"


def compare(before: Path, after: Path) -> dict[str, list[dict[str, Any]]]:
    """customers: one row a customer whose profile differs on any day, with the days and the columns that do. employees: one row an employee
    and month whose performance differs, with income after deductions, and adjustments that count for the month, before and after. ranks: those
    of `employees` with another place in the firm or the branch. What is in one file only is new or gone.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach '{before}' as one (read_only)")
        connection.execute(f"attach '{after}' as two (read_only)")
        _differences(connection, PROFILE, ("customer_id", "as_of_date"), "profiles")
        _differences(connection, PERFORMANCE, ("employee_id", "performance_month"), "months")
        customers = plain_rows(
            connection.execute("""
                select
                    customer_id,
                    min(as_of_date) as first_date,
                    max(as_of_date) as last_date,
                    count(*) as day_count,
                    string_agg(distinct state, ',' order by state) as state,
                    list_sort(list_distinct(flatten(list(columns)))) as columns
                from profiles
                group by customer_id
                order by customer_id
            """)
        )
        employees = plain_rows(connection.execute(_employees()))
    places = ("branch_rank", "firm_rank")
    ranks = [
        {name: row[name] for name in row if name in ("employee_id", "performance_month", "state") or name.startswith(places)}
        for row in employees
        if any(row[f"{place}_before"] != row[f"{place}_after"] for place in places)
    ]  # fmt: skip
    return {"customers": customers, "employees": employees, "ranks": ranks}


def _differences(connection: duckdb.DuckDBPyConnection, mart: str, key: tuple[str, ...], name: str) -> None:
    """The temporary table `name`: one row a key whose rows differ, with `state` and the `columns` that do; none where one side has no row."""
    sides = [
        {column for (column, *_) in connection.execute(f"describe {side}.{mart}").fetchall()} for side in ("one", "two")
    ]
    columns = sorted(sides[0] & sides[1] - set(key))
    differing = ", ".join(
        f"case when before.{column} is distinct from after.{column} then '{column}' end" for column in columns
    )
    connection.execute(f"""
        create temp table {name} as
        with compared as (
            select
                {", ".join(f"coalesce(before.{column}, after.{column}) as {column}" for column in key)},
                {_STATE} as state,
                case
                    when before._known and after._known then list_filter([{differing}], lambda name: name is not null)
                    else cast([] as varchar[])
                end as columns
            from (select *, true as _known from one.{mart}) as before
            full outer join (select *, true as _known from two.{mart}) as after using ({", ".join(key)})
        )
        select * from compared where state <> '{CHANGED}' or len(columns) > 0
    """)


def _employees() -> str:
    """Of months or adjustments that differ. What a locked month gains stands in the adjustments of another one."""
    adjusted = f"select period as performance_month, employee_id, sum(after_deductions_amount) as amount from {{side}}.{ADJUSTMENT} group by all"
    return f"""
        with adjusted as (
            select
                performance_month,
                employee_id,
                cast(coalesce(before.amount, 0) as decimal(18, 2)) as adjustment_amount_before,
                cast(coalesce(after.amount, 0) as decimal(18, 2)) as adjustment_amount_after
            from ({adjusted.format(side="one")}) as before
            full outer join ({adjusted.format(side="two")}) as after using (performance_month, employee_id)
        ),
        touched as (
            select performance_month, employee_id from months
            union
            select performance_month, employee_id from adjusted where adjustment_amount_before <> adjustment_amount_after
        )
        select
            touched.performance_month,
            touched.employee_id,
            coalesce(months.state, '{CHANGED}') as state,
            coalesce(months.columns, cast([] as varchar[])) as columns,
            before.after_deductions_amount as after_deductions_amount_before,
            after.after_deductions_amount as after_deductions_amount_after,
            cast(coalesce(adjustment_amount_before, 0) as decimal(18, 2)) as adjustment_amount_before,
            cast(coalesce(adjustment_amount_after, 0) as decimal(18, 2)) as adjustment_amount_after,
            before.branch_rank as branch_rank_before,
            after.branch_rank as branch_rank_after,
            before.firm_rank as firm_rank_before,
            after.firm_rank as firm_rank_after
        from touched
        left join months using (performance_month, employee_id)
        left join adjusted using (performance_month, employee_id)
        left join one.{PERFORMANCE} as before using (performance_month, employee_id)
        left join two.{PERFORMANCE} as after using (performance_month, employee_id)
        order by touched.performance_month, touched.employee_id
    """
