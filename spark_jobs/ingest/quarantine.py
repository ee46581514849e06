"""The quarantine tables: what was held back of every delivery in force, why, and the row itself, sealed.

`quarantine.<feed>` has one row per row that was quarantined when its delivery was judged. `_state` is `held`; `kept` once it is not held
back any more, by its own release or because that of another row made it good; `left_out` when another row of its key was released: it
stays out, and nobody waits for it. `_payload` is one JSON text, sealed under the data key of the
row's client (`_subject`): `columns` by bronze name (plain texts, and what stands in place of personal values), and `record`, the delivered
bytes as text, where bronze could not take all of them. Client number, account and business line say whose row it is, if that can be read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.formats.common import record_texts
from spark_jobs.ingest.bronze import CUSTOMER_LINES, owner_of
from spark_jobs.ingest.deliveries import INSPECT, Delivery
from spark_jobs.io import DAY
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.verdicts import kept_rows, quarantined_rows

HELD_SCHEMA = "row_id string, business_date date, system_code string, client_number string, business_line string, account_id string"
_REASONS = "array<struct<rule:string,version:int,column:string,message:string>>"
SCHEMA = (
    f"business_date date, _row_id string, _delivery_number int, _source_file string, _source_row long, _errors {_REASONS}, "
    f"_warnings {_REASONS}, _subject string, _payload string, _key string, _client_number string, _account_id string, "
    "_business_line string, _state string"
)
_COLUMNS = [part.split()[0] for part in SCHEMA.replace(_REASONS, "array").split(", ")]


def write_quarantine(
    run: Run,
    contract: Contract,
    verdicts: DataFrame,
    counts: Iterable[dict[str, Any]],
    new: list[Delivery],
    again: Collection[date],
    records: Collection[DeliveryRecord],
) -> None:
    """Write what is held back of `new` deliveries, and of loaded days judged `again`; nothing is written when nothing was.

    Rows of a loaded day are sealed, on the driver: a limit keeps them few. A day that is held has no row to be released, and may have
    any number of bad ones: its payload is null, and bronze has the texts.
    """
    fresh = [delivery.business_date for delivery in new]
    days = [*fresh, *again]
    has_any = any(count["rows_quarantined"] for count in counts if count[DAY] in days)
    if not has_any and not run.lake.exists("quarantine", contract.feed):
        return
    loaded = {record.business_date for record in records if record.status == "loaded"}
    held_back = _with_left_out(verdicts, contract).where(F.col(DAY).isin(days))
    rows = _with_places(held_back, contract)
    sealed = (
        [row.asDict(recursive=True) for row in rows.where(F.col(DAY).isin(sorted(loaded))).collect()] if loaded else []
    )
    _seal(run, contract, sealed, new)
    known = _known_rows(run, contract, again)
    for row in sealed:
        if row["_row_id"] in known:
            row["_payload"], row["_subject"] = (known[row["_row_id"]][name] for name in ("_payload", "_subject"))
    now_held = {row["_row_id"] for row in sealed}
    gone = [row | {"_state": "kept"} for identity, row in known.items() if identity not in now_held]
    frame = run.spark.createDataFrame([tuple(row[name] for name in _COLUMNS) for row in [*sealed, *gone]], SCHEMA)
    if set(days) - loaded:
        held_days = rows.where(F.col(DAY).isin(sorted(set(days) - loaded)))
        frame = frame.unionByName(held_days.withColumn("_payload", F.lit(None).cast("string")).select(*_COLUMNS))
    run.lake.replace_days(frame.coalesce(1), "quarantine", contract.feed, days, {"run": run.number})


def _known_rows(run: Run, contract: Contract, days: Collection[date]) -> dict[str, dict[str, Any]]:
    """row id → what the table has of the days judged again: released rows stay in it, with the payload of their landing."""
    if not days or not run.lake.exists("quarantine", contract.feed):
        return {}
    rows = _with_ids(run.lake.read("quarantine", contract.feed, sorted(days)))
    return {row["_row_id"]: row.asDict(recursive=True) for row in rows.select(*_COLUMNS).collect()} if rows else {}


def _with_ids(rows: DataFrame) -> DataFrame | None:
    """The rows a version wrote that gave rows an id; older ones are known again when their day is judged again."""
    return rows.where("_row_id is not null") if "_row_id" in rows.columns else None


def _with_left_out(verdicts: DataFrame, contract: Contract) -> DataFrame:
    """Quarantined rows with `_is_left_out`: a person chose another row of the key."""
    rows = quarantined_rows(verdicts)
    if "_waived" not in verdicts.columns:
        return rows.withColumn("_is_left_out", F.lit(False))
    key = [DAY, *contract.key]
    chosen = kept_rows(verdicts).where(F.array_contains("_waived", "key_is_unique")).select(*key)
    return rows.join(F.broadcast(chosen.withColumn("_is_left_out", F.lit(True))), on=key, how="left")


def _with_places(rows: DataFrame, contract: Contract) -> DataFrame:
    """Quarantined rows in the columns of the table; `_payload` is still clear, and tokens stand in place of personal values."""
    names = {column.name for column in contract.columns}
    personal = {column.name for column in contract.personal_columns}
    key = [f"{name}_token" if name in personal else name for name in contract.key]
    system, owner = owner_of(contract)
    nobody = F.date_format(DAY, "yyyy-MM")
    client = F.col(owner) if owner in names else F.lit(None).cast("string")
    line = F.lit(contract.line if contract.line in CUSTOMER_LINES else None).cast("string")
    place = (F.col(name).cast("string") for name in (DAY, "_delivery_number", "_source_file", "_source_row"))
    return rows.select(
        DAY,
        # As `releases.row_id` names it.
        F.substring(F.sha2(F.concat_ws("|", F.lit(contract.feed), *place), 256), 1, 12).alias("_row_id"),
        "_delivery_number", "_source_file", "_source_row", "_parse_error", "_errors", "_warnings",
        # A row nobody can be named for is erased with its month.
        F.concat(F.lit(f"{system}/"), F.coalesce(client, F.concat(F.lit("row-less/"), nobody))).alias("_subject"),
        F.to_json("_raw").alias("_payload"),
        F.concat_ws("|", *(F.col(f"_raw.{name}") for name in key)).alias("_key"),
        (F.col("client_number") if "client_number" in names else F.lit(None).cast("string")).alias("_client_number"),
        (F.col("account_id") if "account_id" in names else F.lit(None).cast("string")).alias("_account_id"),
        (F.col("business_line") if "business_line" in names else line).alias("_business_line"),
        F.when(F.col("_is_left_out"), "left_out").otherwise("held").alias("_state"),
    )  # fmt: skip


def _seal(run: Run, contract: Contract, rows: list[dict[str, Any]], new: list[Delivery]) -> None:
    """Replace every row's clear payload by a sealed one; where a record could not be taken whole, with its delivered text."""
    unread: dict[Path, set[int]] = {}
    files = {(one.business_date, file.path.name): file.path.resolve() for one in new for file in one.files}
    formats = {file.path.resolve(): contract.read_by(one.mapping).format for one in new for file in one.files}
    for row in rows:
        path = files.get((row[DAY], row["_source_file"]))
        if row["_parse_error"] and path:
            unread.setdefault(path, set()).add(row["_source_row"])
    records = {
        (path, number): text
        for path, numbers in unread.items()
        for number, text in record_texts(str(path), INSPECT[formats[path]](str(path)), numbers).items()
    }
    clear = []
    for row in rows:
        record = records.get((files.get((row[DAY], row["_source_file"])), row["_source_row"]))
        text = json.dumps({"columns": json.loads(row["_payload"]), "record": record}, ensure_ascii=False)
        clear.append((row["_subject"], row["_row_id"], text))
    for row, payload in zip(rows, run.private.vault.seal(clear), strict=True):
        row["_payload"] = payload


def held_rows(run: Run, days: Collection[date]) -> DataFrame:
    """Rows held back on `days`, in feeds that are loaded then, with what they say of their owner.

    Grain: one row per quarantined row. system_code and business_line are null in feeds of no counter.
    """
    parts = []
    for contract in run.catalogue:
        records = (run.ledger.record(contract.feed, day) for day in days)
        loaded = [one.business_date for one in records if one and one.status == "loaded" and one.rows_quarantined]
        if not loaded:
            continue
        system = owner_of(contract)[0] if contract.line in CUSTOMER_LINES else None
        rows = _with_ids(run.lake.read("quarantine", contract.feed, loaded))
        if rows is None:
            continue
        parts.append(
            rows.where("_state = 'held'").select(
                F.col("_row_id").alias("row_id"),
                DAY,
                F.lit(system).cast("string").alias("system_code"),
                F.col("_client_number").alias("client_number"),
                F.col("_business_line").alias("business_line"),
                F.col("_account_id").alias("account_id"),
            )
        )
    return reduce(DataFrame.unionByName, parts) if parts else run.spark.createDataFrame([], HELD_SCHEMA)
