"""`c360 quarantine list | show | release`: what is held back, what a held row says, and the way back into the day it belongs to.

`list` and `show` read the tables without starting Spark. `release` judges the day anew with the row in it; nothing is written unless
every rule, the sender's totals and the gate agree.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from spark_jobs.config import Settings
from spark_jobs.context import Run
from spark_jobs.contracts import Catalogue, Contract, load_catalogue
from spark_jobs.errors import ConfigurationError, GateError
from spark_jobs.ingest.bronze import CUSTOMER_LINES, owner_of, replace_personal
from spark_jobs.ingest.feed import FeedRange, days_to_build, deliveries_again, read_and_judge
from spark_jobs.ingest.vault import Vault, load_keys
from spark_jobs.io import DAY
from spark_jobs.jobs.load import confirm, decide_all, settle_all
from spark_jobs.jobs.status import local_lake
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.quality.releases import ACCEPTED, REPAIRED, Release, can_be_waived, seal_texts
from spark_jobs.quality.rules import feed_rules
from spark_jobs.quality.verdicts import kept_rows, states
from spark_jobs.trading_calendar import trading_calendar

Row = dict[str, Any]


# ---------------------------------------------------------------- list and show


def read_quarantine(settings: Settings, feed: str | None = None, day: date | None = None) -> list[Row]:
    """Every row that was quarantined of a delivery in force, the oldest first.

    id, feed, business_date, rules (each with rule, column, message), owner, age_trading_days (as of the newest business date known),
    state (`held`, `released`, `left_out`: another row of its key was released, `kept`: the release of another row made it good),
    released_by, reason, customer_id (null when nobody can say whose it is), source_file, source_row. Rows of a version that gave them no id are left out.
    """
    return [
        _public(row) for row in _read_rows(settings, load_catalogue(settings.catalogue, settings.migrations), feed, day)
    ]


def read_row(settings: Settings, identity: str) -> Row:
    """One row as `read_quarantine` gives it, with `columns` (column, text, is_personal) and `record`.

    A personal value is shown masked. `record` is the shape of a record that could not be taken as it was: 9 for a digit, a for a letter,
    文 for any other character. Both are null for a row of a delivery that is held as a whole. Raises ConfigurationError C360-141;
    VaultError C360-520 when its client was erased.
    """
    catalogue = load_catalogue(settings.catalogue, settings.migrations)
    row = _one(_read_rows(settings, catalogue), identity)
    shown = _public(row) | {"columns": None, "record": None}
    if row["_payload"]:
        vault = Vault(settings.vault, load_keys(settings.vault, os.environ))
        payload = _open(vault, row)
        vault.close()
        shown["columns"] = [
            {
                "column": column.name,
                "text": payload["columns"].get(f"{column.name}_masked" if column.personal else column.name),
                "is_personal": bool(column.personal),
            }
            for column in catalogue[row["feed"]].columns
        ]
        shown["record"] = payload["record"] and shape(payload["record"])
    return shown


def shape(text: str) -> str:
    """What kind of character stands where: enough to see a shifted or missing field, and nobody's value."""
    return "".join(
        "9" if char.isdigit() else "a" if char.isascii() and char.isalpha() else char if char.isascii() else "文"
        for char in text
    )


def _open(vault: Vault, row: Row) -> dict[str, Any]:
    return json.loads(vault.unseal(row["_subject"], row["id"], row["_payload"]))


def _public(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _one(rows: Iterable[Row], identity: str) -> Row:
    found = next((row for row in rows if row["id"] == identity), None)
    if found is None:
        raise ConfigurationError(
            "C360-141",
            f"no row {identity} is in quarantine",
            kept="nothing was started",
            next_step="c360 quarantine list",
        )
    return found


def _read_rows(settings: Settings, catalogue: Catalogue, feed: str | None = None, day: date | None = None) -> list[Row]:
    root = Path(local_lake(settings))
    contracts = [catalogue[feed]] if feed else catalogue.everything
    rows: list[Row] = []
    if not (root / "meta" / "deliveries").is_dir():
        return rows
    calendar = trading_calendar(settings.calendar_overrides)
    with connect_delta() as connection:
        known = connection.execute(f"select max(business_date) from delta_scan('{root}/meta/deliveries')")
        (newest,) = known.fetchone()
        releases = _releases(connection, root)
        for contract in contracts:
            if not (root / "quarantine" / contract.feed).is_dir():
                continue
            for row in _rows_of_feed(connection, root, contract):
                if day and row["business_date"] != day:
                    continue
                release = releases.get(row["id"])
                state = "released" if release else row["_state"]
                row |= {
                    "owner": contract.owner,
                    "age_trading_days": len(calendar.between(row["business_date"], newest)) - 1,
                    "state": state,
                    "released_by": release and release["who"],
                    "reason": release and release["reason"],
                    "business_date": row["business_date"].isoformat(),
                }
                rows.append(row)
    return sorted(rows, key=lambda row: (row["business_date"], row["feed"], row["source_file"], row["source_row"]))


def _releases(connection: duckdb.DuckDBPyConnection, root: Path) -> dict[str, Row]:
    if not (root / "meta" / "releases").is_dir():
        return {}
    cursor = connection.execute(f"select row_id, who, reason from delta_scan('{root}/meta/releases')")
    return {identity: {"who": who, "reason": reason} for identity, who, reason in cursor.fetchall()}


# Before gold is built for the first time nobody can be named.
_NOBODY = (
    "(select null::varchar as customer_id, null::varchar as system_code, null::varchar as client_number, null::date as business_date, "
    "null::varchar as business_line, null::varchar as account_id where false)"
)


def _rows_of_feed(connection: duckdb.DuckDBPyConnection, root: Path, contract: Contract) -> Iterable[Row]:
    """Rows of the deliveries in force, with their customer. A row names it by its client number first, then by its account."""
    table = f"delta_scan('{root}/quarantine/{contract.feed}')"
    names = {name for name, *_ in connection.execute(f"describe select * from {table}").fetchall()}
    if "_row_id" not in names:
        return
    system = owner_of(contract)[0] if contract.line in CUSTOMER_LINES else None
    members, accounts = (
        f"delta_scan('{root}/{path}')" if (root / path).is_dir() else _NOBODY
        for path in ("silver/customer_members", "gold/accounts")
    )
    cursor = connection.execute(
        f"""
        select
            held._row_id as id, ? as feed, held.business_date,
            [{{'rule': error.rule, 'column': error."column", 'message': error.message}} for error in held._errors] as rules,
            coalesce(members.customer_id, accounts.customer_id) as customer_id,
            held._source_file as source_file, held._source_row as source_row, held._delivery_number as _delivery_number,
            delivery.status as _status, held._state, held._subject, held._payload
        from {table} as held
        inner join (
            from delta_scan('{root}/meta/deliveries') where feed = ?
            qualify row_number() over (partition by business_date order by run desc, delivery_number desc) = 1
        ) as delivery on held.business_date = delivery.business_date and held._delivery_number = delivery.delivery_number
        left join {members} as members on members.system_code = ? and members.client_number = held._client_number
        left join {accounts} as accounts
            on accounts.business_date = held.business_date and accounts.business_line = held._business_line
            and accounts.account_id = held._account_id
        where held._row_id is not null and delivery.status in ('loaded', 'held')
        """,
        [contract.feed, contract.feed, system],
    )
    columns = [column[0] for column in cursor.description]
    for values in cursor.fetchall():
        yield dict(zip(columns, values, strict=True))


def show_list(rows: list[Row], console: Console) -> None:
    if not rows:
        console.print("no row is in quarantine")
        return
    table = Table(title="Quarantine")
    for name in ("id", "feed", "date", "broken rules", "owner", "age", "state", "customer"):
        table.add_column(name, no_wrap=name in ("id", "date", "age"), justify="right" if name == "age" else "left")
    for row in rows:
        state = f"released by {row['released_by']}" if row["state"] == "released" else row["state"]
        rules = "; ".join(f"{rule['rule']}: {rule['message']}" for rule in row["rules"])
        age = f"{row['age_trading_days']} d"
        cells = (
            row["id"],
            row["feed"],
            row["business_date"],
            rules,
            row["owner"],
            age,
            state,
            row["customer_id"] or "",
        )
        table.add_row(*cells)
    console.print(table)


def show_row(row: Row, console: Console) -> None:
    lines = [
        f"{row['feed']} of {row['business_date']}, file {row['source_file']}, row {row['source_row']}",
        f"owner: {row['owner']}, age: {row['age_trading_days']} trading days, customer: {row['customer_id'] or 'unknown'}",
        f"state: {row['state']}" + (f" by {row['released_by']}: {row['reason']}" if row["released_by"] else ""),
        *(f"broken: {rule['rule']}: {rule['message']}" for rule in row["rules"]),
        *([f"record: {row['record']}"] if row["record"] else []),
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    if row["columns"] is not None:
        table = Table()
        table.add_column("column")
        table.add_column("delivered text; * masked")
        for cell in row["columns"]:
            table.add_row(f"{cell['column']}{' *' if cell['is_personal'] else ''}", cell["text"] or "")
        console.print(table)


# ---------------------------------------------------------------- release


def release(
    run: Run,
    identities: list[str],
    reason: str,
    who: str,
    *,
    accept: bool = False,
    texts: Mapping[str, str] | None = None,
) -> list[Release]:
    """Bring rows back into the days they belong to, all of them or none.

    accept: the rules they break and a person may waive do not count for them. texts: column → text as the sender should have delivered
    it, empty for no value; the repaired row is judged by every rule. Gold and marts follow with the next load.

    Errors: ConfigurationError C360-141 no such row, C360-142 not held (any more), C360-143 nothing or not enough is given, C360-144 a
    rule nobody may waive, C360-145 the delivery is held as a whole; GateError C360-281 a row still breaks a rule, C360-282 the day would be
    held, C360-283 two kept rows of one key. Nothing is written then.
    """
    if not reason.strip() or not (accept or texts) or not identities:
        raise _incomplete("a release needs rows, a reason, and --accept, --set or both")
    rows = _read_rows(run.settings, run.catalogue)
    chosen = [_releasable(_one(rows, identity)) for identity in dict.fromkeys(identities)]
    releases = [_release_of(run, row, reason.strip(), who, accept, dict(texts or {})) for row in chosen]
    run.releases.propose(releases)
    try:
        judged = [_judged(run, run.catalogue[feed], days) for feed, days in _days_by_feed(releases).items()]
        for work in judged:
            _check_rows(work, [one for one in releases if one.feed == work.contract.feed])
        records, findings = decide_all(run, judged)
        _check_days(records)
        confirm(run, judged, findings)
    except Exception:
        run.releases.take_back(releases)
        raise
    run.releases.keep(releases)
    run.metrics.flush(run.number)
    settle_all(run, judged, records)
    return releases


def releasable(settings: Settings, identities: list[str]) -> list[Row]:
    """The rows as `read_quarantine` gives them, if all can be released. Raises ConfigurationError C360-141, C360-142, C360-145."""
    rows = _read_rows(settings, load_catalogue(settings.catalogue, settings.migrations))
    return [_public(_releasable(_one(rows, identity))) for identity in dict.fromkeys(identities)]


def _releasable(row: Row) -> Row:
    if row["state"] != "held":
        by = f" by {row['released_by']}" if row["released_by"] else ""
        raise ConfigurationError(
            "C360-142", f"row {row['id']} is not held any more: it is {row['state']}{by}",
            where=_place(row), kept="everything as it was", next_step="c360 quarantine list",
        )  # fmt: skip
    if row["_status"] != "loaded":
        raise ConfigurationError(
            "C360-145", f"row {row['id']} belongs to a delivery that is held as a whole",
            where=_place(row), kept="everything as it was",
            next_step=f"c360 status; a corrected delivery, then: c360 load --date {row['business_date']} --feed {row['feed']}",
        )  # fmt: skip
    return row


def _place(row: Row) -> str:
    return (
        f"feed {row['feed']}, business date {row['business_date']}, file {row['source_file']}, row {row['source_row']}"
    )


def _incomplete(what: str, where: str = "") -> ConfigurationError:
    return ConfigurationError(
        "C360-143",
        what,
        where=where,
        kept="everything as it was",
        next_step="c360 quarantine show ID; c360 quarantine release --help",
    )


def _release_of(run: Run, row: Row, reason: str, who: str, accept: bool, texts: dict[str, str]) -> Release:
    record = run.ledger.record(row["feed"], date.fromisoformat(row["business_date"]))
    contract = run.catalogue[row["feed"]].read_by(record.mapping)
    waived = _waived(contract, row, bool(texts)) if accept else []
    landed = _landed_texts(run, contract, row, texts) if texts else {}
    return Release(
        row["id"], row["feed"], date.fromisoformat(row["business_date"]), row["_delivery_number"], row["source_file"], row["source_row"],
        REPAIRED if texts else ACCEPTED, ",".join(waived), ",".join(sorted(texts)),
        seal_texts(run.private.vault, row["id"], landed) if texts else "", reason, who, run.number,
    )  # fmt: skip


def _waived(contract: Contract, row: Row, is_repaired: bool) -> list[str]:
    """The broken rules a person may waive; what else is broken must have been repaired."""
    may = {rule.name for rule in feed_rules(contract) if can_be_waived(rule)}
    broken = [rule["rule"] for rule in row["rules"]]
    if not is_repaired and (fixed := [name for name in broken if name not in may]):
        raise ConfigurationError(
            "C360-144", f"row {row['id']} breaks rules nobody can waive: {', '.join(fixed)}", where=_place(row),
            kept="everything as it was", next_step=f"c360 quarantine release {row['id']} --reason … --set COLUMN=TEXT",
        )  # fmt: skip
    return [name for name in broken if name in may]


def _landed_texts(run: Run, contract: Contract, row: Row, texts: dict[str, str]) -> dict[str, str | None]:
    """What bronze would hold of the new texts, had they been delivered, by bronze column; personal values go to the vault.

    Where the record could not be taken whole, every column it left empty must be given: nobody guesses what was lost.
    """
    columns = {column.name: column for column in contract.columns}
    where = _place(row)
    if unknown := sorted(texts.keys() - columns.keys()):
        raise _incomplete(f"{contract.feed} has no column {', '.join(unknown)}", where)
    kinds = {column.kind_column: column.name for column in contract.personal_columns if column.kind_column}
    if alone := [name for kind, name in kinds.items() if kind in texts and name not in texts]:
        raise _incomplete(f"{', '.join(alone)} must be given too: what stands for it depends on its kind", where)
    if not row["_payload"]:
        raise _incomplete("the row's client was erased: nobody can complete it", where)
    known = _open(run.private.vault, row)["columns"]
    if any(rule["rule"] == "record_is_whole" for rule in row["rules"]):
        lost = [
            column.name
            for column in contract.columns
            if column.name not in texts and not any(known.get(name) for name in column.landed_names)
        ]
        if lost:
            raise _incomplete(
                f"the record could not be taken whole: give {', '.join(lost)} too, empty for no value", where
            )
    values = {name: texts.get(name, None if column.personal else known.get(name)) for name, column in columns.items()}
    batch = pa.table({name: pa.array([value or None], pa.string()) for name, value in values.items()} | _NO_ERROR)
    if contract.personal_columns:
        batch = replace_personal(contract, date.fromisoformat(row["business_date"]), batch, run.private)
    if batch["_parse_error"][0].as_py():
        raise _incomplete("a text does not look like what its column holds, or like somebody's value", where)
    given = (column for name, column in columns.items() if name in texts)
    return {name: batch[name][0].as_py() for column in given for name in column.landed_names}


_NO_ERROR = {"_parse_error": pa.nulls(1, pa.string())}


def _days_by_feed(releases: list[Release]) -> dict[str, set[date]]:
    days: dict[str, set[date]] = {}
    for one in releases:
        days.setdefault(one.feed, set()).add(one.business_date)
    return days


def _judged(run: Run, contract: Contract, days: set[date]) -> FeedRange:
    again = deliveries_again(run, contract, days)
    return read_and_judge(run, FeedRange(contract, [], {}, days_to_build(run, contract, days), again))


def _check_rows(work: FeedRange, releases: list[Release]) -> None:
    """Every released row breaks no rule that counts for it, and no key has two kept rows."""
    days = sorted({one.business_date for one in releases})
    places = {(one.business_date, one.source_file, one.source_row): one for one in releases}
    of_days = work.verdicts.where(F.col(DAY).isin(days))
    found = of_days.where(
        F.col("_source_file").isin([one.source_file for one in releases])
        & F.col("_source_row").isin([one.source_row for one in releases])
    ).select(DAY, "_source_file", "_source_row", F.col("_errors.rule").alias("broken"))
    broken = {}
    for row in found.collect():
        one = places.get((row[DAY], row["_source_file"], row["_source_row"]))
        if one and row.broken:
            broken[one.row_id] = row.broken
    if broken:
        told = "; ".join(f"row {identity}: {', '.join(rules)}" for identity, rules in sorted(broken.items()))
        raise GateError(
            "C360-281", f"the rows would still break rules: {told}", where=f"feed {work.contract.feed}", kept="everything as it was",
            next_step="c360 quarantine show ID, then release it with other texts, or with --accept",
        )  # fmt: skip
    doubled = (
        states(kept_rows(of_days))
        .groupBy(DAY, *work.contract.key)
        .count()
        .where("count > 1")
        .groupBy(DAY)
        .count()
        .collect()
    )
    if doubled:
        told = ", ".join(f"{row['count']:,} on {row[DAY]}" for row in sorted(doubled, key=lambda row: row[DAY]))
        raise GateError(
            "C360-283", f"keys would have two rows: {told}", where=f"feed {work.contract.feed}", kept="everything as it was",
            next_step="release one row of a key; the others stay out",
        )  # fmt: skip


def _check_days(records: list[DeliveryRecord]) -> None:
    for record in records:
        if record.status != "loaded":
            raise GateError(
                "C360-282", f"the day would be held: {record.code}, {record.what}",
                where=f"feed {record.feed}, business date {record.business_date}", kept="everything as it was",
                next_step="release the row with other texts, or ask the sender for a corrected delivery",
            )  # fmt: skip
