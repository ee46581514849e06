"""`c360 period what-if TABLE --month YYYY-MM`: what a month would count under another table of ratios. Nothing is written or published."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.ask import plain_rows, show
from spark_jobs.publish.adjustments import KINDS, LINES
from spark_jobs.publish.bonus import EVERY_BRANCH, TABLE, BonusTable, Ratios, create_bonus_table, read_bonus_table
from spark_jobs.publish.duckdb_store import connect_published, in_force
from spark_jobs.publish.periods import ADJUSTMENT, ATTRIBUTION, as_month

GIVEN, WHOLE = "memory.main.given_ratio", "memory.main.whole_ratio"
SHOWN_GAPS = 10

# Everything the month counts: one row an employee, branch, day, line and kind. An adjustment has the day it is about, else the month's last.
_INCOMES = f"""
    create temp table incomes as
    with counted as (
        select employee_id, branch_id, business_date as day, business_line, income_kind, after_deductions_amount as amount
        from {ATTRIBUTION}
        where strftime(business_date, '%Y-%m') = $month
        union all
        select
            employee_id, branch_id, coalesce(origin_date, last_day(cast($month || '-01' as date))), business_line, income_kind,
            after_deductions_amount
        from {ADJUSTMENT}
        where period = $month
    )
    select row_number() over () as income, *
    from (select * exclude (amount), cast(sum(amount) as decimal(18, 2)) as amount from counted group by all)
"""
# Of the rows in force that day the branch's own go first, then the newest. What nobody earned earns no bonus and is not transferred.
_SPLIT = f"""
    create temp table {{name}}_split as
    with rated as (
        select
            incomes.*,
            if(employee_id = 'unassigned', 0.00000000, ratios.bonus_ratio) as bonus_ratio,
            if(employee_id = 'unassigned', 0.00000000, ratios.transfer_ratio) as transfer_ratio
        from incomes
        left join {{table}} as ratios
            on
                incomes.business_line = ratios.business_line
                and incomes.income_kind = ratios.income_kind
                and ratios.effective_from <= incomes.day
                and ratios.branch_id in (incomes.branch_id, '{EVERY_BRANCH}')
        qualify row_number() over (
            partition by income order by ratios.branch_id = '{EVERY_BRANCH}', ratios.effective_from desc
        ) = 1
    ),
    transferred as (
        select *, cast(round(amount * transfer_ratio, 2) as decimal(18, 2)) as transferred_amount from rated
    )
    select
        *,
        amount - transferred_amount as kept_amount,
        cast(round(kept_amount * bonus_ratio, 2) as decimal(18, 2)) as counted_amount
    from transferred
"""
_EMPLOYEES = """
    with figures as (
        select
            employee_id,
            max_by(branch_id, day) as branch_id,
            cast(sum(amount) as decimal(18, 2)) as income_amount,
            cast(sum(now_split.counted_amount) as decimal(18, 2)) as now_amount,
            cast(sum(then_split.counted_amount) as decimal(18, 2)) as then_amount
        from incomes
        inner join (select income, counted_amount from now_split) as now_split using (income)
        inner join (select income, counted_amount from then_split) as then_split using (income)
        group by employee_id
    )
    select
        *,
        cast(then_amount - now_amount as decimal(18, 2)) as difference_amount,
        if(employee_id = 'unassigned', null, rank() over (partition by employee_id = 'unassigned' order by now_amount desc)) as now_rank,
        if(employee_id = 'unassigned', null, rank() over (partition by employee_id = 'unassigned' order by then_amount desc)) as then_rank
    from figures
    order by employee_id = 'unassigned', then_rank, employee_id
"""


def what_if(settings: Settings, path: Path, month: str) -> dict[str, Any]:
    """The month under the published table and under the one in `path`: of every employee both figures, difference and ranks, and the firm's sums.

    A figure is Σ round((amount − round(amount × transfer_ratio)) × bonus_ratio) over the incomes after deductions of an employee by branch,
    day, line and kind, each rounded HALF_UP to the cent; without a published table every income counts whole. The firm's `difference` is
    its performance and adjustments of the month less what was split here; it is 0. Raises ConfigurationError C360-194 for a faulty
    table, or one without a ratio for an income of the month, C360-125 for a month that is not published.
    """
    given = read_bonus_table(path)
    now = in_force(settings.published)
    with connect_published(settings.published) as connection:
        connection.execute(_INCOMES, {"month": month})
        if as_month(month) is None or not connection.execute("select count(*) from incomes").fetchone()[0]:
            raise ConfigurationError(
                "C360-125", "no such month is published", where=f"month {month}", next_step="c360 period what-if TABLE --month 2026-10"
            )  # fmt: skip
        digest = _digest_of_published(connection)
        create_bonus_table(connection, given, GIVEN)
        create_bonus_table(connection, _whole(), WHOLE)
        _split(connection, "now", TABLE if digest else WHOLE)
        _split(connection, "then", GIVEN)
        return {
            "month": month, "revision": now.revision, "as_of_date": now.as_of_date.isoformat(), "now_table": digest or None,
            "then_table": given.digest, "firm": _firm(connection, month), "employees": plain_rows(connection.execute(_EMPLOYEES)),
        }  # fmt: skip


def _whole() -> BonusTable:
    """Every income counts whole: what holds as long as the firm has no table."""
    rows = (
        Ratios(date.min, line, kind, EVERY_BRANCH, Decimal(1), Decimal(0)) for line in LINES for kind in KINDS
    )  # fmt: skip
    return BonusTable(tuple(rows))


def _digest_of_published(connection: duckdb.DuckDBPyConnection) -> str:
    """The digest of the table in the published file; empty where it has none, or is from before there were any."""
    query = "select count(*) from duckdb_tables() where database_name = 'published' and table_name = ?"
    if not connection.execute(query, [TABLE]).fetchone()[0]:
        return ""
    return connection.execute(f"select any_value(table_digest) from {TABLE}").fetchone()[0] or ""


def _split(connection: duckdb.DuckDBPyConnection, name: str, table: str) -> None:
    """Create the temporary table `name`_split. Raises ConfigurationError C360-194 when an income has no ratio."""
    connection.execute(_SPLIT.format(name=name, table=table))
    gaps = connection.execute(
        f"select business_line, income_kind, branch_id, min(day) from {name}_split where counted_amount is null group by all order by all"
    ).fetchall()
    if gaps:
        listed = [f"{line} {kind}, branch {branch}, from {day}" for line, kind, branch, day in gaps[:SHOWN_GAPS]]
        raise ConfigurationError(
            "C360-194", f"the table of bonus ratios has no ratio for {len(gaps)} kinds of income of the month",
            where="\n         ".join(listed), kept="what is published", next_step=f"add them; branch {EVERY_BRANCH} is every branch",
        )  # fmt: skip


def _firm(connection: duckdb.DuckDBPyConnection, month: str) -> dict[str, Any]:
    """Incomes of the firm and how they are split now and then; income = kept + transferred under both."""
    query = f"""
        with sums as (
            select
                (select sum(amount) from incomes) as income_amount,
                (select sum(transferred_amount) from now_split) as now_transferred_amount,
                (select sum(counted_amount) from now_split) as now_amount,
                (select sum(transferred_amount) from then_split) as then_transferred_amount,
                (select sum(kept_amount) from then_split) as then_kept_amount,
                (select sum(counted_amount) from then_split) as then_amount,
                (select sum(after_deductions_amount) from mart_performance_employee_month where performance_month = $month) as performance,
                (select sum(after_deductions_amount) from {ADJUSTMENT} where period = $month) as adjusted
        )
        select
            * exclude (performance, adjusted),
            coalesce(performance, 0) + coalesce(adjusted, 0) - then_transferred_amount - then_kept_amount as difference
        from sums
    """
    return plain_rows(connection.execute(query, {"month": month}))[0]


def show_what_if(found: dict[str, Any], console: Console) -> None:
    console.print(
        f"{found['month']} as of {found['as_of_date']}, revision {found['revision']}; "
        f"now: table {(found['now_table'] or 'none, so every income counts whole')[:28]}, then: table {found['then_table'][:12]}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    show([found["firm"]], console)
    show(found["employees"], console)
