"""One feed through a range of days: files → bronze → verdicts → (gate) → quarantine, silver slices and changes.

The gate stands between the two halves: `read_and_judge` writes bronze and counts verdicts, `decide` turns counts and the gate's
results into the ledger's records, `settle` writes what may go on.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs import history
from spark_jobs.chains import Link, relink
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
from spark_jobs.quality.unknown_codes import count_unknown_codes
from spark_jobs.quality.verdicts import count_verdicts, kept_rows, quarantined_rows, with_verdicts


@dataclass
class FeedRange:
    """What a load has to do for one feed.

    new: deliveries to take in, with their delivery numbers. faults: days of the range on which nothing loadable lies there.
    days: the days touched, and the later ones whose slice takes something over from them.
    """

    contract: Contract
    new: list[tuple[Delivery, int]]
    faults: dict[date, C360Error]
    days: list[date]
    verdicts: DataFrame | None = None
    counts: list[dict[str, Any]] | None = None
    unknown_codes: dict[date, list[dict[str, Any]]] = field(default_factory=dict)


def plan_feed(run: Run, contract: Contract, found: list[Delivery], faults: dict[date, C360Error]) -> FeedRange | None:
    """The work for one feed, or None when every delivery is the one already loaded."""
    new = []
    for delivery in found:
        known = run.ledger.record(contract.feed, delivery.business_date)
        is_same = known is not None and known.digest == delivery.digest
        if is_same and known.status in ("loaded", "withdrawn"):
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
    touched = {delivery.business_date for delivery, _ in new} | set(unknown)
    if not touched:
        return None
    return FeedRange(contract, new, unknown, days_to_build(run, contract, touched))


def days_to_build(run: Run, contract: Contract, touched: Collection[date]) -> list[date]:
    """`touched`, and after each the days that carry something from a slice that is built again: nothing else can have changed."""
    chosen, carries = [], False
    for day in sorted({*run.ledger.days(), *touched}):
        carries = day in touched or (carries and _takes_over(run, contract, day))
        if carries:
            chosen.append(day)
    return chosen


def _takes_over(run: Run, contract: Contract, day: date) -> bool:
    """Whether the day's slice holds anything of the slice before it."""
    if contract.mode == "event":
        return False
    record = run.ledger.record(contract.feed, day)
    is_whole = record is not None and record.status == "loaded" and record.rows_quarantined == 0
    return contract.mode == "incremental" or not is_whole or bool(json.loads(record.detail).get("absent"))


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
    work.unknown_codes = count_unknown_codes(work.verdicts, contract, work.counts)
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
        record = _judge_day(run, contract, delivery, number, counts, found, work.unknown_codes.get(day, []))
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


def settle(run: Run, work: FeedRange, records: list[DeliveryRecord]) -> list[Link]:
    """Write quarantine, silver slices and changes of what may go on. Returns what the feed's chain gains."""
    if work.verdicts is not None and work.new:
        _write_quarantine(run, work)
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


_ORIGIN = ("_row_hash", "_delivery_number", "_source_file", "_source_row")


def _slice_columns(contract: Contract) -> list[str]:
    return list(dict.fromkeys([*contract.key, *contract.fields, *_ORIGIN]))


def _write_events(
    run: Run, work: FeedRange, records: list[DeliveryRecord], loaded: set[date], metadata: dict[str, Any]
) -> list[Link]:
    """Events have no state: a day's rows are those of its delivery."""
    contract = work.contract
    if work.verdicts is not None:
        rows = kept_rows(work.verdicts).where(F.col(DAY).isin(sorted(loaded)))
        events = rows.select(DAY, *_slice_columns(contract)).withColumn("_as_of_date", F.col(DAY))
        run.lake.replace_days(events.coalesce(2), "silver", contract.feed, work.days, metadata)
    elif run.lake.exists("silver", contract.feed):
        nothing = run.lake.read("silver", contract.feed).limit(0)
        run.lake.replace_days(nothing, "silver", contract.feed, work.days, metadata)
    return []


def _write_states(
    run: Run, work: FeedRange, records: list[DeliveryRecord], loaded: set[date], metadata: dict[str, Any]
) -> list[Link]:
    """Slices of the days to build, and the edges that are new because of them."""
    contract, lake, feed = work.contract, run.lake, work.contract.feed
    before = run.ledger.chain(feed)
    known = sorted({*run.ledger.days(), *(record.business_date for record in records)})
    carried_from = min(loaded, default=date.max) if contract.if_missing == "carry" else date.max
    chain = [day for day in known if day in loaded or day > carried_from]
    built, gone = [day for day in work.days if day in chain], [day for day in before if day not in chain]
    if not built and not gone:
        return []
    fingerprints = {day: before[day].fingerprint for day in chain if day in before}
    frames = [_block(run, work, records, loaded, start, days) for start, days in _blocks(chain, built)]
    slices = reduce(DataFrame.unionByName, frames) if frames else lake.read("silver", feed).limit(0)
    lake.replace_days(slices.coalesce(2), "silver", feed, [*built, *gone], {"run": run.number})
    if built:
        fingerprints |= _fingerprints(lake.read("silver", feed, built), built)
    links = relink(feed, before, fingerprints, run.number, run.started_at)
    _write_edges(run, contract, chain, links, metadata)
    return links


def _blocks(chain: list[date], built: list[date]) -> list[tuple[date | None, list[date]]]:
    """The days to build as runs of neighbours in the chain, each with the day before it, whose slice stands."""
    blocks: list[tuple[date | None, list[date]]] = []
    for before, day in pairwise([None, *chain]):
        if day not in built:
            continue
        if blocks and blocks[-1][1][-1] == before:
            blocks[-1][1].append(day)
        else:
            blocks.append((before, [day]))
    return blocks


def _block(
    run: Run, work: FeedRange, records: list[DeliveryRecord], loaded: set[date], before: date | None, days: list[date]
) -> DataFrame:
    contract, lake = work.contract, run.lake
    names = _slice_columns(contract)
    delivered = [day for day in days if day in loaded]
    counts = [count for count in work.counts or [] if count[DAY] in delivered]
    previous = lake.read("silver", contract.feed, [before]) if before else None
    if work.verdicts is None:
        good, withheld = previous.select(DAY, *names).limit(0), None
    else:
        good = kept_rows(work.verdicts).where(F.col(DAY).isin(delivered)).select(DAY, *names)
        withheld = quarantined_rows(work.verdicts).where(F.col(DAY).isin(delivered)).select(DAY, *contract.key)
    slices = history.build_slices(
        good, previous, withheld if any(count["rows_quarantined"] for count in counts) else None, key=contract.key, days=days,
        delivered_days=delivered, incremental=contract.mode == "incremental", delete_flag=contract.delete_flag,
        never_closing={count[DAY] for count in counts if count["rows_without_key"]},
    )  # fmt: skip
    absent = _absent_columns(run, contract, records, delivered)
    if absent:
        slices = history.carry_columns(
            slices, previous, absent, key=contract.key, days=days, hashed=contract.tracked_fields
        )
    return slices.select(DAY, *names, "_as_of_date")


def _absent_columns(
    run: Run, contract: Contract, records: list[DeliveryRecord], days: list[date]
) -> dict[date, list[str]]:
    """Day → columns of a slice which that day's files did not have."""
    decided = {record.business_date: record for record in records}
    derived = {column.name: column.derived_names or (column.name,) for column in contract.columns}
    absent = {}
    for day in days:
        record = decided.get(day) or run.ledger.record(contract.feed, day)
        names = [name for column in json.loads(record.detail).get("absent", ()) for name in derived.get(column, ())]
        if names:
            absent[day] = names
    return absent


def _fingerprints(slices: DataFrame, days: list[date]) -> dict[date, str]:
    """Day → what its slice holds, whatever the order of its rows."""
    sums = F.sum(F.col("_row_hash").cast("decimal(38,0)"))
    rows = slices.groupBy(DAY).agg(F.count(F.lit(1)).alias("rows"), sums.alias("hashes")).collect()
    return dict.fromkeys(days, "0:0") | {row[DAY]: f"{row.rows}:{row.hashes}" for row in rows}


def _write_edges(run: Run, contract: Contract, chain: list[date], links: list[Link], metadata: dict[str, Any]) -> None:
    """The changes of edges nobody has written before; an edge that is back in force is there already."""
    written = {link.edge for link in run.ledger.links(contract.feed)}
    edges = {link.business_date: link.edge for link in links if link.edge and link.edge not in written}
    if not edges:
        return
    span = [day for day in chain if min(edges) <= day <= max(edges)]
    start = max((day for day in chain if day < span[0]), default=None)
    changes = history.build_changes(
        run.lake.read("silver", contract.feed, span),
        run.lake.read("silver", contract.feed, [start]) if start else None,
        key=contract.key,
        days=span,
        previous_day=start,
    )
    names = F.create_map(*(item for day, edge in edges.items() for item in (F.lit(day), F.lit(edge))))
    found = changes.withColumn("_edge", names[F.col(DAY)]).where("_edge is not null")
    metadata = metadata | {"links": [link.to_json() for link in links]}
    run.lake.add_edges(found.coalesce(1), contract.feed, list(edges.values()), metadata)
