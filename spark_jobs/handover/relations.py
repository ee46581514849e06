"""`c360 handover import`: the performance platform's relations of a day become a delivery of `staff_platform__relations`.

What the platform derives comes from extracts of this warehouse, and what it sends decides later extracts. The circle is broken by date:
incomes of a day are split by the relations of `relation_lag_trading_days` before, so relations of a day may rest on figures of that day or
earlier ones (of earlier ones only, when the lag is 0), never on figures that they decide themselves.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from spark_jobs.config import Settings
from spark_jobs.contracts import Contract, load_catalogue
from spark_jobs.errors import C360Error, ConfigurationError
from spark_jobs.formats import delimited
from spark_jobs.formats.common import PARSE_ERROR, SOURCE_ROW
from spark_jobs.ingest.deliveries import Delivery, find_delivery
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.sending import is_of_another, send

FEEDS = Path(__file__).parent / "feeds"
PLATFORM, FEED = "performance_platform__relations", "staff_platform__relations"
SENDER = "c360 handover import"
SHOWN_ROWS = 10

_NEXT = "ask the performance platform for the delivery, then: c360 handover import --date {day}"

# What is wrong with a row, and the condition. `effective` is the date a row is effective from.
_RULES = {
    "cannot be read": PARSE_ERROR + " is not null",
    "have a ratio that is no fraction from 0 to 1 with at most eight decimals":
        r"not coalesce(regexp_full_match(pay_ratio, '0(\.[0-9]{1,8})?|1(\.0{1,8})?'), true)",
    "have a main service that is neither 1 nor 0": "is_main_service not in ('0', '1')",
    "have a date that is none": "effective is null or try_strptime(approved_date, '%Y%m%d') is null",
    "stand twice for account, line and employee": "count(*) over (partition by account_id, business_line, employee_id) > 1",
    "name an employee the staff list of that day does not have": "employee_id not in (select employee_id from staff)",
    "belong to an account whose ratios in force do not add up to one":
        "effective <= $day and coalesce(sum(ratio) filter (effective <= $day) over (partition by account_id, business_line) <> 1, false)",
}  # fmt: skip


def import_relations(settings: Settings, day: date, source: Path, replace: bool = False) -> tuple[int, bool]:
    """Check the platform's delivery of `day` below `source` and put it into landing. Returns its rows, and whether anything was written.

    Raises DeliveryError C360-301 to C360-305 and FileFormatError for what is not as its manifest says; ConfigurationError C360-199 for relations
    that rest on figures they decide, break a rule (every broken rule with its lines), or would replace a delivery of another sender without
    `replace`. Landing stays as it was then. The load that takes it in is `c360 load --date`.
    """
    platform, feed = load_catalogue(FEEDS)[PLATFORM], load_catalogue(settings.catalogue)[FEED]
    try:
        delivery = find_delivery(source, platform, day)
    except C360Error as error:
        raise type(error)(
            error.code, error.what, where=error.where, kept="what lies in landing", next_step=_NEXT.format(day=day)
        ) from None
    _check_circle(source / day.isoformat() / PLATFORM, day, settings.relation_lag_trading_days)
    with connect_delta() as connection:
        _read(connection, delivery, platform)
        _check_rows(connection, settings, delivery, platform)
        lines = _lines(connection, platform, feed)
    if is_of_another(settings.landing, day, FEED, SENDER) and not replace:
        raise _refused(
            f"a delivery of another sender lies in landing for {FEED} of {day}", day, "give --replace if this one is right"
        )  # fmt: skip
    return delivery.rows, send(settings.landing, day, feed, lines, SENDER, delivery.is_opening)


def _check_circle(folder: Path, day: date, lag: int) -> None:
    try:
        stated = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["based_on"]["as_of_date"]
        based_on = date.fromisoformat(stated)
    except (ValueError, KeyError, TypeError):
        raise _refused(
            "the manifest does not say on which extract the relations rest (based_on.as_of_date)", day
        ) from None
    if based_on > day or (based_on == day and lag == 0):
        raise _refused(f"relations of {day} rest on the extract of {based_on}, whose figures they decide", day)


def _read(connection: duckdb.DuckDBPyConnection, delivery: Delivery, platform: Contract) -> None:
    """The table `delivered`: our names, all text, with the row of the file and why it cannot be read."""
    sources = [column.source for column in platform.columns]
    batches = [
        batch
        for file in delivery.files
        for part in delimited.slices(str(file.path))
        for batch in delimited.decode(part.path, part.start, part.stop, sources, part.first_row)
    ]
    names = [*(column.name for column in platform.columns), SOURCE_ROW, PARSE_ERROR]
    schema = pa.schema([(name, pa.int64() if name == SOURCE_ROW else pa.string()) for name in names])
    table = pa.Table.from_batches(batches).rename_columns(names) if batches else schema.empty_table()
    connection.register("arrived", table)
    connection.execute("""
        create temp table delivered as
        select
            *,
            cast(try_strptime(effective_date, '%Y%m%d') as date) as effective,
            try_cast(pay_ratio as decimal(12, 8)) as ratio
        from arrived
    """)


def _check_rows(
    connection: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery, platform: Contract
) -> None:
    """Raises ConfigurationError C360-199 naming every broken rule with its lines, and a control total that does not agree."""
    day, employees = delivery.business_date, f"delta_scan('{local_lake(settings)}/gold/employees')"
    connection.execute(
        f"create temp table staff as select distinct employee_id from {employees} "
        f"where business_date = (select max(business_date) from {employees} where business_date <= $day)",
        {"day": day},
    )
    of_layout = {
        "lack a value": " or ".join(f"{column.name} is null" for column in platform.columns if column.required),
        "have a code the layout does not know": " or ".join(
            f"{column.name} not in ({', '.join(repr(code) for code in column.codes)})"
            for column in platform.columns
            if column.codes
        ),
    }
    faults = []
    for what, condition in {**of_layout, **_RULES}.items():
        values = {"day": day} if "$day" in condition else {}
        broken = f"select {SOURCE_ROW} from (select {SOURCE_ROW}, {condition} as is_broken from delivered) where is_broken order by 1"
        rows = [row for (row,) in connection.execute(broken, values).fetchall()]
        if rows:
            more = f" and {len(rows) - SHOWN_ROWS:,} more" if len(rows) > SHOWN_ROWS else ""
            faults.append(f"{len(rows):,} rows {what}: rows {', '.join(map(str, rows[:SHOWN_ROWS]))}{more}")
    found = connection.execute("select coalesce(sum(ratio), 0) from delivered").fetchone()[0]
    stated = delivery.control_totals.get("sum(pay_ratio)")
    if stated is None:
        faults.append("the manifest has no control total sum(pay_ratio)")
    elif stated != found:
        faults.append(f"the control total sum(pay_ratio) is {stated:f}, the file holds {found:f}: {found - stated:+f}")
    if faults:
        raise _refused("the relations of the performance platform cannot be taken in", day, "\n         ".join(faults))


def _lines(connection: duckdb.DuckDBPyConnection, platform: Contract, feed: Contract) -> list[str]:
    """The rows as the feed is delivered: its columns in its order, its codes in place of the platform's."""
    theirs = {column.name: column.codes or {} for column in platform.columns}
    codes = {
        column.name: {
            said: next(code for code, value in column.codes.items() if value == meant)
            for said, meant in theirs[column.name].items()
        }
        for column in feed.columns
        if column.codes and column.name in theirs
    }
    names = [column.name for column in feed.columns]
    rows = connection.execute(f"select {', '.join(names)} from delivered order by {SOURCE_ROW}").fetchall()
    return [
        "|".join(codes.get(name, {}).get(cell, cell) or "" for name, cell in zip(names, row, strict=True))
        for row in rows
    ]


def _refused(what: str, day: date, where: str = "") -> ConfigurationError:
    return ConfigurationError(
        "C360-199", what, where=where, kept="what lies in landing", next_step=_NEXT.format(day=day)
    )
