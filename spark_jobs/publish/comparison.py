"""A month beside the one before, the same month of the year before, the year so far and its target: made of the published months.

Every figure is one that is published, so a locked month is compared as it was locked.
"""

from __future__ import annotations

import duckdb

TABLE = "performance_comparison"
FLOWS = (
    "turnover_amount", "gross_amount", "net_amount", "commission_net_amount", "interest_net_amount", "product_net_amount",
    "advice_net_amount", "after_deductions_amount", "new_customer_count", "net_inflow_amount",
)  # fmt: skip
"""Measures of what happened in a month: those of a year add up."""

STOCKS = (
    "customer_count", "valid_customer_count", "lost_customer_count", "covered_customer_count", "customer_asset_amount",
    "month_average_asset_amount",
)  # fmt: skip
"""Measures of what was there at its end."""

TARGETS = {
    "after_deductions_amount": "target_income_amount",
    "net_inflow_amount": "target_inflow_amount",
    "new_customer_count": "target_new_customer_count",
}


def create_comparison(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `performance_comparison` beside the month marts of a file that is being published.

    Grain: performance_month, unit_level (employee, branch, region, firm), unit_id, measure. Amounts are CNY, counts customers; null where the
    other month is not published, where a measure does not add up over a year, and where nothing is asked of the unit.
    """
    measures = [*FLOWS, *STOCKS]

    def typed(but: str = "") -> str:
        return ", ".join(
            f"cast({name} as decimal(18, 2)) as {name}" for name in [*measures, *TARGETS.values()] if name != but
        )

    asked = " ".join(f"when '{measure}' then {target}" for measure, target in TARGETS.items())
    year = "partition by unit_level, unit_id, measure, performance_month[:4] order by performance_month"
    place = (
        "case when unit_level = 'employee' and unit_id <> 'unassigned' and year_to_date_amount is not null "
        "then rank() over (partition by {} order by year_to_date_amount desc) end"
    )
    among = "unit_level, unit_id = 'unassigned', performance_month, measure"
    connection.execute(f"""
        create table {TABLE} as
        with units as (
            select 'employee' as unit_level, employee_id as unit_id, branch_id, performance_month, as_of_date, {typed(but="covered_customer_count")}
            from mart_performance_employee_month
            union all by name
            select unit_level, unit_id, case when unit_level = 'branch' then unit_id end as branch_id, performance_month, as_of_date, {typed()}
            from mart_performance_branch_month
        ),
        amounts as (
            select unit_level, unit_id, branch_id, performance_month, as_of_date, measure, amount, case measure {asked} end as target_amount
            from (unpivot units on {", ".join(measures)} into name measure value amount)
        ),
        compared as (
            select
                amounts.* exclude (target_amount),
                month_before.amount as previous_month_amount,
                year_before.amount as previous_year_amount,
                case
                    when measure in ({", ".join(f"'{name}'" for name in FLOWS)})
                        then cast(sum(amounts.amount) over ({year}) as decimal(18, 2))
                end as year_to_date_amount,
                amounts.target_amount
            from amounts
            left join (select unit_level, unit_id, measure, {_later("1 month")} as performance_month, amount from amounts) as month_before
                using (unit_level, unit_id, measure, performance_month)
            left join (select unit_level, unit_id, measure, {_later("1 year")} as performance_month, amount from amounts) as year_before
                using (unit_level, unit_id, measure, performance_month)
        )
        select
            performance_month, as_of_date, unit_level, unit_id, branch_id, measure, amount, previous_month_amount, previous_year_amount,
            year_to_date_amount, target_amount,
            {place.format(f"{among}, branch_id")} as year_branch_rank,
            {place.format(among)} as year_firm_rank
        from compared
        order by unit_level, unit_id, performance_month, measure
    """)


def _later(span: str) -> str:
    return f"strftime(cast(performance_month || '-01' as date) + interval {span}, '%Y-%m')"
