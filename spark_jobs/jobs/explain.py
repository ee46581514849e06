"""`c360 explain` and `c360 impact`: from a figure back to the lines of the files, and from a column on to whoever uses it. Without Spark."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import PROJECT, Settings
from spark_jobs.contracts import Catalogue, load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.gold.origins import BY_PHONE, FEEDS
from spark_jobs.gold.tables import TABLES
from spark_jobs.ingest.bronze import CUSTOMER_LINES
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.own_customers import own_customers
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import connect_published, in_force
from spark_jobs.publish.lineage import Source, lineage_of

PROFILE = "mart_customer_profile"
SHOWN = 5
NOTEBOOKS = PROJECT / "notebooks"


@dataclass(frozen=True)
class Customer:
    """Under which numbers the counters know a customer on a day. own_ids: the customers that are merged into it, itself among them."""

    customer_id: str
    own_ids: tuple[str, ...]
    business_date: date
    clients: tuple[tuple[str, str], ...]
    accounts: tuple[tuple[str, str], ...]
    phone_token: str | None
    branch_id: str | None
    employee_id: str | None


def explain(settings: Settings, customer_id: str, column: str, day: date | None) -> dict[str, Any]:
    """Value of a profile column → definition → columns and rows of gold → rows of silver and bronze → file and row.

    Raises ConfigurationError C360-118 for a column the profile has not, C360-119 for a customer the day does not know.
    """
    entry = next((item for item in read_dictionary() if (item.mart, item.column) == (PROFILE, column)), None)
    if entry is None:
        raise ConfigurationError(
            "C360-118", f"the profile has no column {column}", next_step=f"c360 dictionary --mart {PROFILE}"
        )
    now = in_force(settings.published)
    lineage = lineage_of(settings.published, now.revision)
    root, catalogue = local_lake(settings), load_catalogue(settings.catalogue, settings.migrations)
    with connect_published(settings.published) as connection:
        profile = _profile(connection, customer_id, day or now.as_of_date)
        customer = _customer(connection, root, profile)
        sources = sorted(lineage.gold_inputs(PROFILE, column))
        tables: dict[str, list[str]] = defaultdict(list)
        for source in sources:
            tables[source.table.removeprefix("gold.")].append(source.column)
        feeds = sorted({feed for table in tables for feed in FEEDS[table]})
        return {
            "customer_id": customer_id,
            "as_of_date": customer.business_date.isoformat(),
            "column": column,
            "value": profile[column],
            "chinese_name": entry.chinese_name,
            "unit": entry.unit,
            "definition": entry.definition,
            "owner": entry.owner,
            "revision": now.revision,
            "version": lineage.version(PROFILE),
            "gold": [_gold_rows(connection, root, table, names, customer) for table, names in tables.items()],
            "files": [row for feed in feeds for row in _file_rows(connection, root, catalogue, feed, customer)],
        }


def impact(settings: Settings, column: str) -> dict[str, Any]:
    """Columns of marts, lists and notebooks that depend on a column of gold or of a mart, `table.column` or `column` alone.

    Raises ConfigurationError C360-118 for a column nobody has.
    """
    found = lineage_of(settings.published, in_force(settings.published).revision)
    table, _, name = column.rpartition(".")
    known = {Source(f"gold.{gold.name}", field) for gold in TABLES.values() for field in gold.names}
    known |= {Source(model, field) for model in found.models for field in found.columns(model)}
    meant = {
        source
        for source in known
        if source.column == name and table in ("", source.table, source.table.removeprefix("gold."))
    }
    if not meant:
        raise ConfigurationError(
            "C360-118", f"no table of gold and no mart has a column {column}", next_step="c360 dictionary"
        )
    users = {user for user in found.users(meant) | meant if user.table.startswith("mart_")}
    profile = {user.column for user in users if user.table == PROFILE}
    return {
        "column": column,
        "meant": [f"{source.table}.{source.column}" for source in sorted(meant)],
        "marts": [f"{user.table}.{user.column}" for user in sorted(users)],
        "lists": found.lists(profile),
        "notebooks": _notebooks(users),
    }


def _profile(connection: duckdb.DuckDBPyConnection, customer_id: str, day: date) -> dict[str, Any]:
    """The profile's row of the last published day on or before `day`."""
    rows = plain_rows(connection.execute("from profile_at(?) where customer_id = ?", [day, customer_id]))
    if not rows:
        raise ConfigurationError(
            "C360-119", "the published day has no such customer", where=f"customer given, {day}",
            next_step=f"c360 sql \"select customer_id, as_of_date from {PROFILE}\"",
        )  # fmt: skip
    return rows[0]


def _customer(connection: duckdb.DuckDBPyConnection, root: str, profile: dict[str, Any]) -> Customer:
    day = date.fromisoformat(profile["as_of_date"])
    own = own_customers(connection, root, profile["customer_id"], day)
    members = connection.execute(
        f"select system_code, client_number from delta_scan('{root}/silver/customer_members') "
        "where list_contains(?, customer_id) and business_date <= ? order by all",
        [own, day],
    ).fetchall()
    accounts = connection.execute(
        f"select business_line, account_id from delta_scan('{root}/gold/accounts') "
        "where list_contains(?, customer_id) and business_date = ? order by all",
        [own, day],
    ).fetchall()
    return Customer(
        profile["customer_id"], tuple(own), day, tuple(members), tuple(accounts), profile["mobile_phone_token"], profile["branch_id"],
        profile["main_staff_employee_id"],
    )  # fmt: skip


def _whose(names: Iterable[str], customer: Customer, line: str) -> tuple[str, list[Any]]:
    """The condition under which a row with these columns belongs to the customer, and its values.

    line: the business line whose accounts are meant; where that is none, those of every line.
    """
    names = set(names)
    if "customer_id" in names:
        return "list_contains(?, customer_id)", [list(customer.own_ids)]
    if "account_id" in names:
        if "business_line" in names:
            pairs = [f"{of}|{account}" for of, account in customer.accounts]
            return "list_contains(?, business_line || '|' || account_id)", [pairs]
        meant = [account for of, account in customer.accounts if of == line or line not in CUSTOMER_LINES]
        return "list_contains(?, account_id)", [meant]
    if "client_number" in names:
        return "list_contains(?, client_number)", [[number for system, number in customer.clients if system == "NOR"]]
    if "mobile_phone_token" in names:
        return "mobile_phone_token = ?", [customer.phone_token]
    if "employee_id" in names:
        return "employee_id = ?", [customer.employee_id]
    if "branch_id" in names:
        return "branch_id = ?", [customer.branch_id]
    return "true", []


def _gold_rows(
    connection: duckdb.DuckDBPyConnection, root: str, table: str, columns: list[str], customer: Customer
) -> dict[str, Any]:
    """The newest rows of the customer up to the day, with the columns that count and the table's key."""
    declared = TABLES[table]
    day = "calendar_date" if table == "calendar" else "business_date"
    condition, values = _whose(declared.names, customer, "")
    shown = dict.fromkeys([*declared.key, *columns])
    where = f"from delta_scan('{root}/gold/{table}') where {condition} and {day} <= ?"
    values = [*values, customer.business_date]
    count = connection.execute(f"select count(*) {where}", values).fetchone()[0]
    names = ", ".join(f'"{name}"' for name in shown)
    # Of a day with many rows those that say something come first.
    emptiness = " + ".join(f'("{name}" is null)::int' for name in columns)
    rows = plain_rows(
        connection.execute(f"select {names} {where} order by {day} desc, {emptiness}, {names} limit {SHOWN}", values)
    )
    return {"table": f"gold.{table}", "columns": columns, "rows": rows, "row_count": count}


def _file_rows(
    connection: duckdb.DuckDBPyConnection, root: str, catalogue: Catalogue, feed: str, customer: Customer
) -> list[dict[str, Any]]:
    """Where the newest rows of a feed that are the customer's came from; `is_in_bronze` says that bronze has the row."""
    contract = catalogue[feed]
    if not (Path(root) / "silver" / feed).is_dir():
        return []
    names = ["mobile_phone_token"] if feed in BY_PHONE else contract.fields
    condition, values = _whose(names, customer, contract.line)
    origin = "_source_file, _source_row, _delivery_number"
    query = f"""
        with found as (
            select _as_of_date as day, {origin}
            from delta_scan('{root}/silver/{feed}')
            where {condition} and business_date <= ?
            qualify dense_rank() over (order by business_date desc) = 1
            order by all
            limit {SHOWN}
        ),
        bronze as (
            select business_date as day, {origin}, true as is_there
            from delta_scan('{root}/bronze/{feed}')
            where business_date in (select day from found)
        )
        select
            day as business_date, _source_file as file, _source_row as row, _delivery_number as delivery,
            coalesce(is_there, false) as is_in_bronze
        from found
        left join bronze using (day, {origin})
        order by all
    """
    rows = plain_rows(connection.execute(query, [*values, customer.business_date]))
    return [{"feed": feed, **row} for row in rows]


def _notebooks(users: set[Source]) -> list[str]:
    """Notebooks whose code names a column together with its mart."""
    found = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        words = set(
            re.findall(r"\w+", "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
        )
        if any({user.table, user.column} <= words for user in users):
            found.append(path.name)
    return found


def show_explanation(found: dict[str, Any], console: Console) -> None:
    value = "null" if found["value"] is None else found["value"]
    console.print(
        f"{found['column']} ({found['chinese_name']}) = {value}   unit: {found['unit']}   as of {found['as_of_date']}, "
        f"revision {found['revision']}, model {PROFILE} {found['version']}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    console.print(f"{found['definition']} (owner: {found['owner']})", markup=False, soft_wrap=True)
    for item in found["gold"]:
        console.print(f"\n{item['table']}: {len(item['rows'])} of {item['row_count']:,} rows", markup=False)
        table = Table()
        for name in item["rows"][0] if item["rows"] else []:
            table.add_column(name)
        for row in item["rows"]:
            table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
        console.print(table)
    console.print("\nrows of files", markup=False)
    table = Table()
    for name in ("feed", "business date", "file"):
        table.add_column(name, overflow="fold")
    for name in ("row", "delivery"):
        table.add_column(name, justify="right")
    table.add_column("in bronze")
    for row in found["files"]:
        table.add_row(
            row["feed"], row["business_date"], row["file"], str(row["row"]), str(row["delivery"]),
            "yes" if row["is_in_bronze"] else "no",
        )  # fmt: skip
    console.print(table)


def show_impact(found: dict[str, Any], console: Console) -> None:
    for name in ("meant", "marts", "lists", "notebooks"):
        items = found[name]
        console.print(f"{name}: {len(items)}", markup=False)
        for item in items:
            console.print(f"  {item}", markup=False, soft_wrap=True)
