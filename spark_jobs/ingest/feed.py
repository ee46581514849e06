"""One feed through a range of days: files → bronze → verdicts → (gate) → quarantine, silver slices and changes.

The gate stands between the two halves: `read_and_judge` writes bronze and counts verdicts, `decide` turns counts and the gate's
results into the ledger's records, `settle` writes what may go on.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs import chronicle
from spark_jobs.chains import Link
from spark_jobs.chronicle import Loaded, Rows, slice_columns
from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.errors import C360Error
from spark_jobs.ingest.bronze import read_feed
from spark_jobs.ingest.deliveries import DeliveredFile, Delivery, Drift
from spark_jobs.ingest.quarantine import write_quarantine
from spark_jobs.io import DAY, in_days
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.approvals import SHRINK, WITHOUT
from spark_jobs.quality.judgement import judge_feed_day, note_feed_day
from spark_jobs.quality.metrics import feed_metrics, figures
from spark_jobs.quality.plausible import SHRANK, Finding
from spark_jobs.quality.rules import Rule, feed_rules
from spark_jobs.quality.unknown_codes import count_unknown_codes
from spark_jobs.quality.verdicts import count_verdicts, kept_rows, quarantined_rows, states, with_verdicts


@dataclass
class FeedRange:
    """What a load has to do for one feed.

    new: deliveries to take in, with their delivery numbers. faults: days of the range on which nothing loadable lies there.
    days: the days touched, and the later ones whose slice takes something over from them. again: loaded deliveries that are judged once
    more, because rows were released into them. left_out: days that go on without what is held or missing on them.
    """

    contract: Contract
    new: list[tuple[Delivery, int]]
    faults: dict[date, C360Error]
    days: list[date]
    again: list[tuple[Delivery, int]] = field(default_factory=list)
    left_out: list[date] = field(default_factory=list)
    verdicts: DataFrame | None = None
    counts: list[dict[str, Any]] | None = None
    unknown_codes: dict[date, list[dict[str, Any]]] = field(default_factory=dict)


def plan_feed(run: Run, contract: Contract, found: list[Delivery], faults: dict[date, C360Error]) -> FeedRange | None:
    """The work for one feed, or None when every delivery is the one already loaded."""
    new, left_out = [], _days_left_out(run, contract)
    for delivery in found:
        known = run.ledger.record(contract.feed, delivery.business_date)
        is_same = known is not None and known.digest == delivery.digest
        if is_same and (known.status in ("loaded", "carried", "withdrawn") or delivery.business_date in left_out):
            continue
        # The same bytes judged once more, after a rule was corrected, are the same delivery.
        new.append((delivery, (known.delivery_number if known else 0) + (0 if is_same else 1)))
    # A delivery that was good once is not undone by a file that is unreadable now.
    unknown = {
        day: error
        for day, error in faults.items()
        if (known := run.ledger.record(contract.feed, day)) is None
        or (known.status == "missing" and known.what != error.what)
    }
    # A release that was kept, by a run that ended before it took effect.
    due = [
        day
        for day in run.ledger.loaded_days(contract.feed)
        if (record := run.ledger.record(contract.feed, day)).releases
        != run.releases.digest(contract.feed, day, record.delivery_number)
    ]
    due = [day for day in due if day not in {delivery.business_date for delivery, _ in new}]
    arrived = {delivery.business_date for delivery, _ in new}
    left_out = [day for day in left_out if day not in arrived]
    unknown = {day: error for day, error in unknown.items() if day not in left_out}
    touched = arrived | set(unknown) | set(due) | set(left_out)
    if not touched:
        return None
    again = deliveries_again(run, contract, due)
    return FeedRange(contract, new, unknown, days_to_build(run, contract, touched), again, left_out)


def _days_left_out(run: Run, contract: Contract) -> list[date]:
    """Days on which a person decided to go on without exactly what is held or missing, and which do not yet."""
    return [
        day
        for day in run.ledger.waiting_days(contract.feed)
        if run.approvals.of(WITHOUT, contract.feed, day, run.ledger.record(contract.feed, day).digest)
    ]


def deliveries_again(run: Run, contract: Contract, days: Collection[date]) -> list[tuple[Delivery, int]]:
    """The deliveries in force on loaded `days` with their numbers, as the ledger knows them: their files may be gone."""
    return [(_known_delivery(run.ledger.record(contract.feed, day)), run.ledger.record(contract.feed, day).delivery_number)
            for day in sorted(days)]  # fmt: skip


def _known_delivery(record: DeliveryRecord) -> Delivery:
    detail = json.loads(record.detail)
    return Delivery(
        record.feed,
        record.business_date,
        record.is_opening,
        tuple(DeliveredFile(Path(file["_source_file"]), file["rows_read"]) for file in detail["files"]),
        {name: Decimal(value) for name, value in detail["stated"].items()},
        record.digest,
        Drift(tuple(detail["absent"]), tuple(detail["added"])),
        record.mapping,
    )


def days_to_build(run: Run, contract: Contract, touched: Collection[date]) -> list[date]:
    """`touched`, and every other day whose slice is another one because of them; see `spark_jobs.chronicle`."""
    loaded = {
        day: _loaded(contract, run.ledger.record(contract.feed, day)) for day in run.ledger.loaded_days(contract.feed)
    } | {day: Loaded(is_carried=True) for day in run.ledger.carried_days(contract.feed)}
    return chronicle.days_to_build(contract, loaded, run.ledger.days(), touched, run.ledger.chain(contract.feed))


def _loaded(contract: Contract, record: DeliveryRecord, counts: list[dict[str, Any]] | None = None) -> Loaded:
    """What history must know of a loaded day: as it was recorded or, with `counts`, as it was judged just now."""
    lacking = json.loads(record.detail).get("absent", ())
    absent = [name for column in contract.columns if column.name in lacking for name in column.landed_names]
    if counts is None:
        return Loaded(record.rows_quarantined > 0, absent=tuple(absent))
    has_withheld, is_unreadable = (
        any(count[name] for count in counts) for name in ("rows_quarantined", "rows_without_key")
    )
    return Loaded(has_withheld, not is_unreadable, tuple(absent))


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
    work.verdicts = _judged(run, work, loaded).persist()
    work.counts = [row.asDict() for row in count_verdicts(work.verdicts, contract).collect()]
    work.unknown_codes = count_unknown_codes(work.verdicts, contract, work.counts)
    return work


def _judged(run: Run, work: FeedRange, days: set[date]) -> DataFrame:
    """The bronze rows of `days` with their verdicts: each day by the codes and scales of the mapping it was read through."""
    contract = work.contract
    new = {delivery.business_date: delivery.mapping for delivery, _ in work.new}
    by_mapping: dict[str, list[date]] = {}
    for day in sorted(days):
        mapping = new[day] if day in new else run.ledger.record(contract.feed, day).mapping
        by_mapping.setdefault(mapping, []).append(day)
    bronze = run.lake.read("bronze", contract.feed, sorted(days))
    rows = run.releases.lay_over(bronze, contract.feed, run.private.vault)
    parts = [
        with_verdicts(rows.where(in_days(alike)), contract.read_by(mapping)) for mapping, alike in by_mapping.items()
    ]
    return reduce(DataFrame.unionByName, parts)


def decide(run: Run, work: FeedRange) -> tuple[list[DeliveryRecord], list[Finding]]:
    """The ledger's records for the days judged and faults, `loaded` or `held`, and what the rules about figures say of the days judged.

    Days are judged in order: a day that is held is no measure for those after it. The figures are noted as metrics.
    """
    contract = work.contract
    records = [
        DeliveryRecord(contract.feed, day, _next_number(run, contract, day), run.number, "missing", code=error.code, what=error.what,
                       detail=json.dumps({"where": error.where, "next": error.next_step}))
        for day, error in sorted(work.faults.items())
    ]  # fmt: skip
    records += [_carried(run, contract, day) for day in work.left_out]
    judged = sorted([*work.new, *work.again], key=lambda pair: pair[0].business_date)
    new = {delivery.business_date for delivery, _ in judged}
    known = {day: run.ledger.record(contract.feed, day).digest for day in run.ledger.loaded_days(contract.feed)}
    loaded = {day: digest for day, digest in known.items() if day not in new}
    findings = []
    for delivery, number in judged:
        day = delivery.business_date
        counts = [count for count in work.counts or [] if count[DAY] == day]
        values = figures(feed_metrics(contract), counts)
        found = judge_feed_day(run, contract, day, values, loaded)
        record = _judge_day(run, contract, delivery, number, counts, found, work.unknown_codes.get(day, []))
        if record.status == "loaded":
            loaded[day] = record.digest
        note_feed_day(run.metrics, record, values)
        records.append(record)
        findings += found
    return records, findings


def _carried(run: Run, contract: Contract, day: date) -> DeliveryRecord:
    """The record of a day that goes on without the feed; it names what it is without, and who said so."""
    waiting = run.ledger.record(contract.feed, day)
    decision = run.approvals.of(WITHOUT, contract.feed, day, waiting.digest)
    detail = json.loads(waiting.detail) | {
        "without": {"who": decision.who, "reason": decision.reason, "run": decision.run}
    }
    return replace(
        waiting, run=run.number, status="carried", what=f"published without it, the state before counts; {waiting.what}",
        detail=json.dumps(detail, sort_keys=True),
    )  # fmt: skip


def _next_number(run: Run, contract: Contract, day: date) -> int:
    known = run.ledger.record(contract.feed, day)
    return known.delivery_number if known else 0


def _judge_day(
    run: Run,
    contract: Contract,
    delivery: Delivery,
    number: int,
    counts: list[dict],
    findings: list[Finding],
    unknown_codes: list[dict],
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
        "unknown_codes": unknown_codes,
        "totals": {name: str(value) for name, value in sums.items()},
        "stated": {name: str(value) for name, value in delivery.control_totals.items()},
        "absent": list(delivery.drift.absent),
        "added": list(delivery.drift.added),
        "mapping": delivery.mapping,
        "where": "file " + ", ".join(file.path.name for file in delivery.files),
        "next": f"ask the sender ({contract.read_by(delivery.mapping).owner}) for a correct file, then: c360 load --date {delivery.business_date} --feed {contract.feed}",
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
        run.releases.digest(contract.feed, delivery.business_date, number),
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


def read_slices(run: Run, feed: str, days: list[date]) -> DataFrame:
    """The slices of exactly `days`; of a feed that was never delivered an empty frame of its contract's columns."""
    if run.lake.exists("silver", feed):
        return run.lake.read("silver", feed, days)
    return run.spark.createDataFrame([], silver_schema(run.catalogue[feed]))


def _over_limit(rule: Rule, broken: int, read: int) -> bool:
    return broken > _ROWS_ALWAYS_ALLOWED and broken > rule.limit * read


def settle(run: Run, work: FeedRange, records: list[DeliveryRecord]) -> list[Link]:
    """Write quarantine, silver slices and changes of what may go on. Returns what the feed's chain gains."""
    if work.verdicts is not None and (work.new or work.again):
        again = [delivery.business_date for delivery, _ in work.again]
        new = [delivery for delivery, _ in work.new]
        write_quarantine(run, work.contract, work.verdicts, work.counts or [], new, again, records)
    decided = {record.business_date: record for record in records}
    loaded = set(run.ledger.loaded_days(work.contract.feed)) - set(decided)
    loaded |= {day for day, record in decided.items() if record.status == "loaded"}
    # Goes with the feed's last commit: once that is there, the feed is done, whatever happens to this process.
    metadata = {"run": run.number, "deliveries": [record.to_json() for record in records]}
    write = _write_events if work.contract.mode == "event" else _write_states
    links = write(run, work, records, loaded, metadata)
    if work.verdicts is not None:
        work.verdicts.unpersist()
    return links


def _write_events(
    run: Run, work: FeedRange, records: list[DeliveryRecord], loaded: set[date], metadata: dict[str, Any]
) -> list[Link]:
    """Events have no state: a day's rows are those of its delivery."""
    contract = work.contract
    if work.verdicts is not None:
        rows = kept_rows(work.verdicts).where(F.col(DAY).isin(sorted(loaded)))
        events = rows.select(DAY, *slice_columns(contract)).withColumn("_as_of_date", F.col(DAY))
        run.lake.replace_days(events.coalesce(2), "silver", contract.feed, work.days, metadata)
    elif run.lake.exists("silver", contract.feed):
        nothing = run.lake.read("silver", contract.feed).limit(0)
        run.lake.replace_days(nothing, "silver", contract.feed, work.days, metadata)
    return []


def _write_states(
    run: Run, work: FeedRange, records: list[DeliveryRecord], loaded: set[date], metadata: dict[str, Any]
) -> list[Link]:
    """Slices of the days to build, and the edges that are new because of them."""
    contract = work.contract
    decided = {record.business_date: record for record in records}
    carried = {day for day, record in decided.items() if record.status == "carried"}
    carried |= set(run.ledger.carried_days(contract.feed)) - set(decided)
    facts = {day: Loaded(is_carried=True) for day in carried} | {
        day: _loaded(
            contract,
            decided.get(day) or run.ledger.record(contract.feed, day),
            [count for count in work.counts or [] if count[DAY] == day] if day in work.days else None,
        )
        for day in loaded
    }
    if work.verdicts is None:
        schema = ", ".join([silver_schema(contract), *(f"{name} {kind}" for name, kind in chronicle.ORIGIN.items())])
        rows = Rows(run.spark.createDataFrame([], schema), None)
    else:
        good = states(kept_rows(work.verdicts)).select(DAY, *slice_columns(contract))
        withheld = states(quarantined_rows(work.verdicts)).select(DAY, *contract.key)
        if "_waived" in work.verdicts.columns:
            # Of several rows of one key a person chose one: the key is not withheld.
            withheld = withheld.join(good.select(DAY, *contract.key), on=[DAY, *contract.key], how="left_anti")
        rows = Rows(good, withheld)
    return chronicle.bring_in_line(
        run.lake, contract, rows, facts, {*run.ledger.days(), *decided}, work.days, run.ledger.links(contract.feed),
        run=run.number, known_at=run.started_at, metadata=metadata,
    )  # fmt: skip
