"""`c360 explain --employee E --measure M --month YYYY-MM`: from a figure of performance to the shares it is the sum of, and to files. Without Spark."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.dictionary import Entry, read_dictionary
from spark_jobs.publish.duckdb_store import connect_published, in_force
from spark_jobs.publish.lineage import lineage_of

ATTRIBUTION, MONTH = "mart_income_attribution", "mart_performance_employee_month"
SHOWN = 20

_KEY = ("business_date", "account_line", "account_id", "business_line", "income_kind")
# Of each kind of income the feed it is in; {line} is the line of the account, or of advice.
_FEEDS = {
    "commission": "{line}_counter__trades",
    "margin_interest": "{line}_counter__cash_journal",
    "repurchase_interest": "{line}_counter__cash_journal",
    "product_fee": "fund_counter__confirmations",
}
_ADVICE_FEED = "{line}_counter__fees"
_RELATIONS = "staff_platform__relations"


def measures() -> list[str]:
    """What can be explained: the amounts both marts have."""
    return sorted(_entries())


def _entries() -> dict[str, Entry]:
    """Measure → what the dictionary says of it in the month's mart."""
    entries = [entry for entry in read_dictionary() if entry.column.endswith("_amount")]
    attributed = {entry.column for entry in entries if entry.mart == ATTRIBUTION}
    return {entry.column: entry for entry in entries if entry.mart == MONTH and entry.column in attributed}


def explain_employee(settings: Settings, employee_id: str, measure: str, month: str) -> dict[str, Any]:
    """Figure of an employee's month → shares by account, day and kind with ratio and relation → rows of the files.

    `difference` is the figure less the sum of its shares; it is 0. Raises ConfigurationError C360-118 for a measure that is not
    attributed, C360-125 for a month or employee that is not published.
    """
    entries = _entries()
    if measure not in entries:
        raise ConfigurationError(
            "C360-118", f"{measure} is not attributed to employees", where=f"one of {', '.join(sorted(entries))}",
            next_step=f"c360 explain --employee … --measure net_amount --month {month}",
        )  # fmt: skip
    now, root = in_force(settings.published), local_lake(settings)
    with connect_published(settings.published) as connection:
        found = plain_rows(
            connection.execute(
                f"select as_of_date, branch_id, {measure} as figure from {MONTH} where employee_id = ? and performance_month = ?",
                [employee_id, month],
            )
        )
        if not found:
            raise ConfigurationError(
                "C360-125", "no such employee has a figure in that month", where=f"month {month}",
                next_step=f'c360 sql "select performance_month, employee_id from {MONTH}"',
            )  # fmt: skip
        shares = _shares(connection, employee_id, measure, month)
        total = sum((Decimal(share["share"]) for share in shares), Decimal("0.00"))
        for share in shares[:SHOWN]:
            share["files"] = _files(connection, root, share)
            share["relation"] = _relation(connection, root, share, employee_id)
    entry = entries[measure]
    return {
        "employee_id": employee_id, "measure": measure, "month": month, **found[0], "difference": str(Decimal(found[0]["figure"]) - total),
        "chinese_name": entry.chinese_name, "unit": entry.unit, "definition": entry.definition, "owner": entry.owner,
        "revision": now.revision, "version": lineage_of(settings.published, now.revision).version(MONTH), "shares": shares,
    }  # fmt: skip


def _shares(connection: duckdb.DuckDBPyConnection, employee_id: str, measure: str, month: str) -> list[dict[str, Any]]:
    """Largest first. `amount`: of the whole income, of which `share` is the employee's."""
    key = ", ".join(_KEY)
    query = f"""
        with incomes as (
            select {key}, sum({measure}) as amount
            from {ATTRIBUTION}
            where strftime(business_date, '%Y-%m') = $month
            group by all
        )
        select {key}, customer_id, relation_date, pay_ratio, amount, {measure} as share
        from {ATTRIBUTION}
        inner join incomes using ({key})
        where employee_id = $employee
        order by abs({measure}) desc, {key}
    """
    return plain_rows(connection.execute(query, {"month": month, "employee": employee_id}))


def _files(connection: duckdb.DuckDBPyConnection, root: str, share: dict[str, Any]) -> list[dict[str, Any]]:
    """The delivered rows of the account that day in the feed the income is in."""
    is_advice = share["income_kind"].startswith("advice_")
    line = share["business_line"] if is_advice else share["account_line"]
    feed = (_ADVICE_FEED if is_advice else _FEEDS[share["income_kind"]]).format(line=line)
    query = f"""
        select _source_file as file, _source_row as row, _delivery_number as delivery
        from delta_scan('{root}/silver/{feed}')
        where account_id = ? and business_date = ?
        order by all
    """
    rows = plain_rows(connection.execute(query, [share["account_id"], share["business_date"]]))
    return [{"feed": feed, **row} for row in rows]


def _relation(
    connection: duckdb.DuckDBPyConnection, root: str, share: dict[str, Any], employee_id: str
) -> dict[str, Any] | None:
    """The delivered row of the relation that pays; None for 'unassigned'."""
    query = f"""
        select _source_file as file, _source_row as row, _delivery_number as delivery, effective_date
        from delta_scan('{root}/silver/{_RELATIONS}')
        where business_date = ? and business_line = ? and account_id = ? and employee_id = ?
    """
    values = [share["relation_date"], share["account_line"], share["account_id"], employee_id]
    return next(iter(plain_rows(connection.execute(query, values))), None)


def show_employee(found: dict[str, Any], console: Console) -> None:
    console.print(
        f"{found['measure']} ({found['chinese_name']}) of {found['employee_id']} in {found['month']} = {found['figure']}   "
        f"unit: {found['unit']}   as of {found['as_of_date']}, revision {found['revision']}, model {MONTH} {found['version']}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    console.print(f"{found['definition']} (owner: {found['owner']})", markup=False, soft_wrap=True)
    console.print(
        f"\n{len(found['shares']):,} shares, which add up with a difference of {found['difference']}; the largest:",
        markup=False,
    )
    table = Table()
    for name in ("date", "account", "customer", "kind", "relations of", "relation in row"):
        table.add_column(name, overflow="fold")
    for name in ("amount", "ratio", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rows of files", overflow="fold")
    for share in found["shares"][:SHOWN]:
        relation = share["relation"]
        table.add_row(
            share["business_date"], f"{share['account_line']} {share['account_id']}", share["customer_id"],
            f"{share['business_line']} {share['income_kind']}", share["relation_date"],
            f"{relation['file']}:{relation['row']}" if relation else "", share["amount"], share["pay_ratio"], share["share"],
            "\n".join(f"{row['file']}:{row['row']}" for row in share["files"]),
        )  # fmt: skip
    console.print(table)
