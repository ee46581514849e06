"""Months that are locked: their pay figures do not change any more; what is corrected later is an adjustment in an open month.

`meta.period_locks` has one row per locked month: the revision whose figures count for it. Nothing is taken out of the marts for it: a
published file takes the pay marts of a locked month from that revision, and has the difference to every later one in `adjustment`, beside
the adjustments people decided (see `adjustments`).
"""

from __future__ import annotations

import re

import duckdb

from spark_jobs.publish.adjustments import CORRECTION, MANUAL, decisions
from spark_jobs.publish.meta import meta_table

LOCKS, LOCKS_SCHEMA = "period_locks", "period string, revision int, run int, who string, reason string"
ADJUSTMENT, PAY_PUBLICATION = "adjustment", "pay_publication"
ATTRIBUTION = "mart_income_attribution"
# What a person decides is what counts: it is no turnover, nothing a customer paid, and nothing more is deducted from it.
MANUAL_AMOUNTS = ("net_amount", "after_deductions_amount")

_KEY = "employee_id, branch_id, business_line, income_kind"


def as_month(text: str) -> str | None:
    """A month as it is written everywhere, yyyy-mm; None for any other text."""
    return text if re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text) else None


def create_periods(connection: duckdb.DuckDBPyConnection, root: str) -> None:
    """Create the temporary table `pay_publication` and the table `adjustment` of a file that is being published.

    pay_publication: business_date → the revision its pay marts are taken from. adjustment: one row per origin_date, revision, employee,
    branch, line and kind whose figures a later revision changed: by how much, and the `period` it counts for: the month published last
    when the revision came, and in any case one after those locked by then. Amounts are CNY. The same table has one row per confirmed
    decision of people, `adjustment_source` says which is which: its revision is the next one when it was confirmed, its period the one it was
    decided for, or, where that was locked before the revision came, the month after. Its amount is of net and after deductions.
    """
    connection.execute(
        f"create temp table locks as select period, revision from {meta_table(root, LOCKS, LOCKS_SCHEMA)}"
    )
    connection.execute(
        f"create temp table published as select business_date, revision from delta_scan('{root}/meta/publications')"
    )
    connection.execute(
        f"create temp table {PAY_PUBLICATION} as select business_date, max(published.revision) as revision from published "
        "left join locks on locks.period = strftime(business_date, '%Y-%m') "
        "where locks.revision is null or published.revision <= locks.revision group by business_date"
    )
    marts = f"delta_scan('{root}/marts/{ATTRIBUTION}')"
    amounts = [
        name for name, kind, *_ in connection.execute(f"describe select * from {marts}").fetchall()
        if name.endswith("_amount") and kind.startswith("DECIMAL")
    ]  # fmt: skip
    signed = ", ".join(f"sign * {name} as {name}" for name in amounts)
    sums = ", ".join(f"cast(sum({name}) as decimal(18, 2)) as {name}" for name in amounts)
    connection.execute(f"""
        create table {ADJUSTMENT} as
        with steps as (
            select business_date as origin_date, published.revision,
                lag(published.revision) over (partition by business_date order by published.revision) as before
            from published
            inner join locks on locks.period = strftime(business_date, '%Y-%m')
            inner join {PAY_PUBLICATION} as paid using (business_date)
            where published.revision >= paid.revision
        ),
        sides as (
            select *, revision as side, 1 as sign from steps where before is not null
            union all
            select *, before as side, -1 as sign from steps where before is not null
        ),
        summed as (
            select origin_date, revision, {_KEY}, {sums}
            from (
                select origin_date, sides.revision, {_KEY}, {signed}
                from sides
                inner join {marts} as marts on marts.business_date = origin_date and marts.revision = side
            ) as signed
            group by all
        ),
        corrections as (
            select
                (select strftime(max(business_date), '%Y-%m') from published where published.revision <= summed.revision) as decided_period,
                *,
                '{CORRECTION}' as adjustment_source,
                cast(null as integer) as decision_number
            from summed
            where {" or ".join(f"{name} <> 0" for name in amounts)}
        ),
        decided as (
            select
                period as decided_period,
                origin_date,
                revision,
                {_KEY},
                {", ".join(f"{'amount' if name in MANUAL_AMOUNTS else 'cast(0 as decimal(18, 2))'} as {name}" for name in amounts)},
                '{MANUAL}' as adjustment_source,
                number as decision_number
            from {decisions(root)} as decisions
            where revision is not null
        )
        select
            greatest(
                decided_period,
                (select strftime(max(cast(period || '-01' as date)) + interval 1 month, '%Y-%m') from locks where locks.revision < everything.revision)
            ) as period,
            * exclude (decided_period)
        from (select * from corrections union all by name select * from decided) as everything
        order by origin_date, revision, {_KEY}, decision_number
    """)
