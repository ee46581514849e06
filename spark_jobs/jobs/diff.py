"""`c360 diff`: a feed through a mapping's shadow against the feed in force, by business date, without starting Spark.

Left is the slice in force, right the shadow's. Keys are printed, values of columns are not.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.contracts import Contract, load_catalogue
from spark_jobs.errors import ConfigurationError, DataStoppedError
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.status import local_lake
from spark_jobs.mappings import shadow_feed
from spark_jobs.publish.duckdb_store import connect_delta

# So many keys of one difference are listed; all are counted.
KEYS_LISTED = 20


def compare(settings: Settings, feed: str, mapping: str, first: date, last: date) -> list[dict[str, Any]]:
    """Every difference between `first` and `last`, one entry a day on which both are loaded.

    Each entry: business_date; `totals`, rows, rows in quarantine and every control total with left, right and signed difference;
    `only_left` and `only_right`, keys one side lacks; `columns`, those that differ; all three with `rows` and the first `keys`.
    Raises ConfigurationError C360-114 when the mapping does not map the feed, or no day can be compared.
    """
    contract = load_catalogue(settings.catalogue, settings.migrations)[feed]
    if mapping not in contract.mapped:
        known = ", ".join(contract.mapped) or "none"
        raise ConfigurationError(
            "C360-114", f"{feed} has no mapping {mapping}", where=f"mappings of the feed: {known}",
            next_step="c360 diff --feed FEED --mapping MAPPING",
        )  # fmt: skip
    root = local_lake(settings)
    with connect_delta() as connection:
        quarantined = _quarantined(connection, root, feed, shadow_feed(mapping, feed), first, last)
        if not quarantined:
            raise ConfigurationError(
                "C360-114", f"on no day are both {feed} and its shadow through {mapping} loaded",
                where=f"business dates {first} to {last}", next_step="c360 status shows what is loaded",
            )  # fmt: skip
        return [
            _compare_day(connection, root, contract, shadow_feed(mapping, feed), day, *counts)
            for day, counts in quarantined.items()
        ]


def _quarantined(
    connection: duckdb.DuckDBPyConnection, root: str, feed: str, shadow: str, first: date, last: date
) -> dict[date, tuple[int, int]]:
    """Rows in quarantine of the feed and its shadow, of every day on which both are loaded."""
    if not (Path(root) / "meta" / "deliveries").is_dir():
        return {}
    rows = connection.execute(
        f"""
        with in_force as (
            select feed, business_date, status, rows_quarantined from delta_scan('{root}/meta/deliveries')
            where feed in (?, ?) and business_date between ? and ?
            qualify row_number() over (partition by feed, business_date order by run desc, delivery_number desc) = 1
        )
        select feed_rows.business_date, feed_rows.rows_quarantined, shadow_rows.rows_quarantined
        from in_force as feed_rows inner join in_force as shadow_rows using (business_date)
        where feed_rows.feed = ? and shadow_rows.feed = ? and feed_rows.status = 'loaded' and shadow_rows.status = 'loaded'
        order by 1
        """,
        [feed, shadow, first, last, feed, shadow],
    ).fetchall()
    return {day: (left, right) for day, left, right in rows}


def _compare_day(
    connection: duckdb.DuckDBPyConnection,
    root: str,
    contract: Contract,
    shadow: str,
    day: date,
    left_quarantined: int,
    right_quarantined: int,
) -> dict[str, Any]:
    columns = ", ".join(f'"{name}"' for name in contract.fields)
    for side, table in (("left_rows", contract.feed), ("right_rows", shadow)):
        connection.execute(
            f"create or replace temp table {side} as select {columns} from delta_scan('{root}/silver/{table}') where business_date = ?",
            [day],
        )
    same_key = " and ".join(f'l."{name}" = r."{name}"' for name in contract.key)
    compared = [name for name in contract.fields if name not in contract.key]
    differing = {
        name: _listed(
            connection, contract, "l",
            f'left_rows l inner join right_rows r on {same_key} where l."{name}" is distinct from r."{name}"',
        )
        for name in compared
    }  # fmt: skip
    totals = [_total(connection, "rows", "count(*)")]
    totals.append(_line("rows in quarantine", left_quarantined, right_quarantined))
    totals += [_total(connection, f"sum({name})", f'coalesce(sum("{name}"), 0)') for name in contract.summed_columns]
    return {
        "business_date": day.isoformat(),
        "feed": contract.feed,
        "totals": totals,
        "only_left": _listed(connection, contract, "l", f"left_rows l anti join right_rows r on {same_key}"),
        "only_right": _listed(connection, contract, "r", f"right_rows r anti join left_rows l on {same_key}"),
        "columns": {name: found for name, found in differing.items() if found["rows"]},
    }


def _listed(connection: duckdb.DuckDBPyConnection, contract: Contract, side: str, rows: str) -> dict[str, Any]:
    """How many of `rows`, and the first keys among them, joined by `|`."""
    key = ", ".join(f'{side}."{name}"::varchar' for name in contract.key)
    count = connection.execute(f"select count(*) from {rows}").fetchone()[0]
    found = connection.execute(f"select concat_ws('|', {key}) from {rows} order by 1 limit {KEYS_LISTED}").fetchall()
    return {"rows": count, "keys": [one for (one,) in found]}


def _total(connection: duckdb.DuckDBPyConnection, name: str, amount: str) -> dict[str, Any]:
    row = plain_rows(
        connection.execute(
            f"select l.amount as left_amount, r.amount as right_amount, l.amount - r.amount as difference "
            f"from (select {amount} as amount from left_rows) l, (select {amount} as amount from right_rows) r"
        )
    )[0]
    return {"total": name, "left": row["left_amount"], "right": row["right_amount"], "difference": row["difference"]}


def _line(name: str, left: int, right: int) -> dict[str, Any]:
    return {"total": name, "left": left, "right": right, "difference": left - right}


def differs(entry: dict[str, Any]) -> bool:
    """Whether a day has any difference."""
    off = [line for line in entry["totals"] if Decimal(line["difference"]) != 0]
    return bool(entry["only_left"]["rows"] or entry["only_right"]["rows"] or entry["columns"] or off)


def exit_code(entries: list[dict[str, Any]]) -> int:
    return DataStoppedError.exit_code if any(map(differs, entries)) else 0


def show(entries: list[dict[str, Any]], console: Console) -> None:
    """The totals of every day, and what differs by key and column."""
    table = Table(title=f"{entries[0]['feed']}: in force (left) less shadow (right)")
    for name in ("date", "total"):
        table.add_column(name, no_wrap=True)
    for name in ("left", "right", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in entries:
        for line in entry["totals"]:
            table.add_row(
                entry["business_date"], line["total"], *(f"{line[name]}" for name in ("left", "right", "difference"))
            )
    console.print(table)
    found = [entry for entry in entries if differs(entry)]
    if not found:
        console.print("no key, no column and no total differs")
        return
    table = Table(title="What differs")
    for name in ("date", "what"):
        table.add_column(name, no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("keys")
    for entry in found:
        parts = {"only in force": entry["only_left"], "only in shadow": entry["only_right"]}
        parts |= {f"column {name}": part for name, part in entry["columns"].items()}
        for what, part in parts.items():
            if part["rows"]:
                more = f" … and {part['rows'] - len(part['keys']):,} more" if part["rows"] > len(part["keys"]) else ""
                table.add_row(entry["business_date"], what, f"{part['rows']:,}", ", ".join(part["keys"]) + more)
    console.print(table)
