"""One feed through a range of days: files → bronze → verdicts → (gate) → quarantine, silver slices and changes.

The gate stands between the two halves: `read_and_judge` writes bronze and counts verdicts, `decide` turns counts and the gate's
results into the ledger's records, `settle` writes what may go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs import history
from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.errors import C360Error
from spark_jobs.ingest.bronze import read_feed
from spark_jobs.ingest.deliveries import Delivery
from spark_jobs.io import DAY
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.approvals import SHRINK
from spark_jobs.quality.judgement import judge_feed_day, note_feed_day
from spark_jobs.quality.metrics import feed_metrics, figures
from spark_jobs.quality.plausible import SHRANK, Finding
from spark_jobs.quality.rules import Rule, feed_rules
from spark_jobs.quality.verdicts import contract_fields, count_verdicts, kept_rows, quarantined_rows, with_verdicts


@dataclass
class FeedRange:
    """What a load has to do for one feed.

    new: deliveries to take in, with their delivery numbers. faults: days of the range on which nothing loadable lies there.
    days: every day whose slice must be built: the new ones and all known later ones, whose carried state and edges may change.
    """

    contract: Contract
    new: list[tuple[Delivery, int]]
    faults: dict[date, C360Error]
    days: list[date]
    verdicts: DataFrame | None = None
    counts: list[dict[str, Any]] | None = None


def plan_feed(run: Run, contract: Contract, found: list[Delivery], faults: dict[date, C360Error]) -> FeedRange | None:
    """The work for one feed, or None when every delivery is the one already loaded."""
    new = []
    for delivery in found:
        known = run.ledger.record(contract.feed, delivery.business_date)
        if known is None or known.digest != delivery.digest or known.status != "loaded":
            # The same bytes judged once more, after a rule was corrected, are the same delivery.
            is_same = known is not None and known.digest == delivery.digest
            new.append((delivery, (known.delivery_number if known else 0) + (0 if is_same else 1)))
    # A delivery that was good once is not undone by a file that is unreadable now.
    unknown = {
        day: error
        for day, error in faults.items()
        if (known := run.ledger.record(contract.feed, day)) is None
        or (known.status == "missing" and known.what != error.what)
    }
    touched = {delivery.business_date for delivery, _ in new} | set(unknown)
    if not touched:
        return None
    later = {day for day in run.ledger.days() if day > min(touched)}
    return FeedRange(contract, new, unknown, sorted(touched | later))


def read_and_judge(run: Run, work: FeedRange) -> FeedRange:
    """Write bronze for the new days and judge every row of the days to build."""
    contract = work.contract
    if work.new:
        bronze = read_feed(run.spark, contract, work.new, run.private)
        days = [delivery.business_date for delivery, _ in work.new]
        metadata = {"run": run.number, "deliveries": {str(d.business_date): d.digest for d, _ in work.new}}
        run.lake.replace_days(bronze.coalesce(2), "bronze", contract.feed, days, metadata)
    loaded = {day for day in run.ledger.loaded_days(contract.feed) if day in work.days} | {
        d.business_date for d, _ in work.new
    }
    if not loaded:
        return work
    rows = run.lake.read("bronze", contract.feed, sorted(loaded))
    work.verdicts = with_verdicts(rows, contract).persist()
    work.counts = [row.asDict() for row in count_verdicts(work.verdicts, contract).collect()]
    return work


def decide(run: Run, work: FeedRange) -> tuple[list[DeliveryRecord], list[Finding]]:
    """The ledger's records for the new days and faults, `loaded` or `held`, and what the rules about figures say of the new days.

    Days are judged in order: a day that is held is no measure for those after it. The figures are noted as metrics.
    """
    contract = work.contract
    records = [
        DeliveryRecord(contract.feed, day, _next_number(run, contract, day), run.number, "missing", code=error.code, what=error.what,
                       detail=json.dumps({"where": error.where, "next": error.next_step}))
        for day, error in sorted(work.faults.items())
    ]  # fmt: skip
    new = {delivery.business_date for delivery, _ in work.new}
    known = {day: run.ledger.record(contract.feed, day).digest for day in run.ledger.loaded_days(contract.feed)}
    loaded = {day: digest for day, digest in known.items() if day not in new}
    findings = []
    for delivery, number in sorted(work.new, key=lambda pair: pair[0].business_date):
        day = delivery.business_date
        counts = [count for count in work.counts or [] if count[DAY] == day]
        values = figures(feed_metrics(contract), counts)
        found = judge_feed_day(run, contract, day, values, loaded)
        record = _judge_day(run, contract, delivery, number, counts, found)
        if record.status == "loaded":
            loaded[day] = record.digest
        note_feed_day(run.metrics, record, values)
        records.append(record)
        findings += found
    return records, findings


def _next_number(run: Run, contract: Contract, day: date) -> int:
    known = run.ledger.record(contract.feed, day)
    return known.delivery_number if known else 0


def _judge_day(
    run: Run, contract: Contract, delivery: Delivery, number: int, counts: list[dict], findings: list[Finding]
) -> DeliveryRecord:
    def total(name: str) -> int:
        return sum(count[name] for count in counts)

    read = total("rows_read")
    sums = {
        name: sum((count[f"total_{name}"] or Decimal(0) for count in counts), Decimal(0))
        for name in contract.summed_columns
    }
    broken = {rule.name: total(f"broken_{rule.name}") for rule in feed_rules(contract)}
    detail = {
        "files": [
            {
                name: count[name]
                for name in ("_source_file", "rows_read", "rows_kept", "rows_quarantined", "rows_duplicate")
            }
            for count in counts
        ],
        "broken": broken,
        "totals": {name: str(value) for name, value in sums.items()},
        "stated": {name: str(value) for name, value in delivery.control_totals.items()},
        "where": "file " + ", ".join(file.path.name for file in delivery.files),
        "next": f"ask the sender ({contract.owner}) for a correct file, then: c360 load --date {delivery.business_date} --feed {contract.feed}",
        "figures": [finding.sentence() for finding in findings if finding.is_broken or finding.is_silent],
    }
    accepted = run.approvals.of(SHRINK, contract.feed, delivery.business_date, delivery.digest)
    if accepted:
        detail["accepted"] = {"who": accepted.who, "reason": accepted.reason, "run": accepted.run}
    stops = [finding for finding in findings if not (accepted and finding.rule.code == SHRANK)]
    code, what = _first_stop(contract, delivery, counts, read, sums, broken, stops)
    if code == SHRANK:
        detail["next"] += (
            f', or, if it is right: c360 load --date {delivery.business_date} --accept-shrink {contract.feed} --reason "…"'
        )
    return DeliveryRecord(
        contract.feed, delivery.business_date, number, run.number, "held" if code else "loaded", delivery.digest, delivery.is_opening,
        read, total("rows_kept"), total("rows_quarantined"), total("rows_duplicate"), code, what, json.dumps(detail, sort_keys=True),
    )  # fmt: skip


def _first_stop(
    contract: Contract,
    delivery: Delivery,
    counts: list[dict],
    read: int,
    sums: dict[str, Decimal],
    broken: dict[str, int],
    findings: list[Finding],
) -> tuple[str, str]:
    if read != delivery.rows:
        return "C360-254", f"{read:,} rows read, {delivery.rows:,} delivered: {read - delivery.rows:+,}"
    for name, value in sums.items():
        stated = delivery.control_totals.get(f"sum({name})")
        unreadable = sum(count[f"unreadable_{name}"] for count in counts)
        if stated is not None and stated != value and not unreadable:
            return "C360-304", f"Σ {name} is {value:,f}, the sender states {stated:,f}: {value - stated:+,f}"
    for rule in feed_rules(contract):
        if rule.severity == "stop" and broken[rule.name]:
            return "C360-253", f"{rule.message} in {broken[rule.name]:,} of {read:,} rows (rule {rule.name})"
        if rule.severity == "quarantine" and _over_limit(rule, broken[rule.name], read):
            return (
                "C360-255",
                f"{rule.message} in {broken[rule.name]:,} of {read:,} rows: more than {rule.limit:%} (rule {rule.name})",
            )
    for finding in findings:
        if finding.is_broken and finding.rule.severity == "stop":
            return finding.rule.code, finding.sentence()
    return "", ""


# Under so few rows a share says nothing: one bad row of ten is not a bad file.
_ROWS_ALWAYS_ALLOWED = 5


def silver_schema(contract: Contract) -> str:
    """The slice of a feed as DDL, for one that has never been delivered."""
    typed = [f"{column.name} {column.spark_type}" for column in contract.plain_columns]
    derived = [f"{name} string" for column in contract.personal_columns for name in column.derived_names]
    return ", ".join(["business_date date", *typed, *derived])


def _over_limit(rule: Rule, broken: int, read: int) -> bool:
    return broken > _ROWS_ALWAYS_ALLOWED and broken > rule.limit * read


def settle(run: Run, work: FeedRange, records: list[DeliveryRecord]) -> None:
    """Write quarantine, silver slices and changes of the days that may go on."""
    contract = work.contract
    status = {record.business_date: record.status for record in records}
    loaded = {day for day in run.ledger.loaded_days(contract.feed) if day in work.days} - set(status)
    loaded |= {day for day, value in status.items() if value == "loaded"}
    state_days = [
        day
        for day in work.days
        if day in loaded or (contract.if_missing == "carry" and _has_state(run, work, day, loaded))
    ]
    if work.verdicts is not None and work.new:
        _write_quarantine(run, work)
    if state_days:
        _write_silver(run, work, state_days, sorted(loaded), records)
    if work.verdicts is not None:
        work.verdicts.unpersist()


def _has_state(run: Run, work: FeedRange, day: date, loaded: set[date]) -> bool:
    return any(known < day for known in [*run.ledger.loaded_days(work.contract.feed), *loaded])


def _write_quarantine(run: Run, work: FeedRange) -> None:
    """Rows held back, with reasons and their delivered text, personal values as tokens; nothing is written when nothing was."""
    days = [delivery.business_date for delivery, _ in work.new]
    held_back = any(count["rows_quarantined"] for count in work.counts or [] if count[DAY] in days)
    if not held_back and not run.lake.exists("quarantine", work.contract.feed):
        return
    rows = quarantined_rows(work.verdicts).where(F.col(DAY).isin(days))
    frame = rows.select(
        DAY, "_delivery_number", "_source_file", "_source_row", "_errors", "_warnings", F.to_json("_raw").alias("_payload"),
        F.concat_ws("|", *(F.col(f"_raw.{name}") for name in _raw_key(work.contract))).alias("_key"),
    )  # fmt: skip
    run.lake.replace_days(frame.coalesce(1), "quarantine", work.contract.feed, days, {"run": run.number})


def _raw_key(contract: Contract) -> list[str]:
    personal = {column.name for column in contract.personal_columns}
    return [f"{name}_token" if name in personal else name for name in contract.key]


def _write_silver(
    run: Run, work: FeedRange, days: list[date], loaded: list[date], records: list[DeliveryRecord]
) -> None:
    contract, lake = work.contract, run.lake
    # Goes with the feed's last commit: once that is there, the feed is done, whatever happens to this process.
    metadata = {"run": run.number, "deliveries": [record.to_json() for record in records]}
    origin = ["_row_hash", "_delivery_number", "_source_file", "_source_row"]
    names = list(dict.fromkeys([*contract.key, *contract_fields(contract), *origin]))
    good = kept_rows(work.verdicts).where(F.col(DAY).isin(loaded)) if work.verdicts is not None else None
    if contract.mode == "event":
        if good is None:
            return
        slices = good.select(DAY, *names).withColumn("_as_of_date", F.col(DAY))
        lake.replace_days(slices.coalesce(2), "silver", contract.feed, days, metadata)
        return
    previous_day = max(
        (day for day in run.ledger.days() if day < days[0] and _in_silver(run, contract, day)), default=None
    )
    previous = lake.read("silver", contract.feed, [previous_day]) if previous_day else None
    if good is None:
        good = previous.drop("_as_of_date").limit(0)
    has_withheld = any(count["rows_quarantined"] for count in work.counts or [])
    withheld = (
        quarantined_rows(work.verdicts).where(F.col(DAY).isin(loaded)).select(DAY, *contract.key)
        if has_withheld
        else None
    )
    slices = history.build_slices(
        good.select(DAY, *names), previous, withheld, key=contract.key, days=days, delivered_days=loaded,
        incremental=contract.mode == "incremental", delete_flag=contract.delete_flag,
    )  # fmt: skip
    slices = slices.select(DAY, *names, "_as_of_date").coalesce(2)
    lake.replace_days(slices, "silver", contract.feed, days, {"run": run.number})
    written = lake.read("silver", contract.feed, days)
    changes = history.build_changes(written, previous, key=contract.key, days=days, previous_day=previous_day)
    lake.replace_days(changes.coalesce(1), "changes", contract.feed, days, metadata)


def _in_silver(run: Run, contract: Contract, day: date) -> bool:
    record = run.ledger.record(contract.feed, day)
    if record is None:
        return False
    return record.status == "loaded" or (
        contract.if_missing == "carry" and any(known < day for known in run.ledger.loaded_days(contract.feed))
    )
