"""One load: land → bronze → verdicts → gate → silver → gold → gate → reconciliation → dbt candidate → audit → publish.

A range is one pass. Every step asks the ledger what is left to do, so a load that was stopped goes on where it ended and a load with
nothing new writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import DataFrame

from spark_jobs.context import Run
from spark_jobs.contracts import Contract
from spark_jobs.errors import DeliveryError
from spark_jobs.gold.build import build_gold, sightings
from spark_jobs.gold.calendar import build_calendar
from spark_jobs.gold.freshness import build_freshness
from spark_jobs.gold.merges import days_merged_alike
from spark_jobs.ingest.deliveries import look_at_all
from spark_jobs.ingest.feed import FeedRange, decide, plan_feed, read_and_judge, read_slices, settle
from spark_jobs.ingest.numbers import NumberMaps
from spark_jobs.ingest.quarantine import held_rows
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.mappings import is_number_map
from spark_jobs.publish import duckdb_store
from spark_jobs.publish.bonus import read_bonus_table
from spark_jobs.publish.cockpit import days_ahead, publish_ahead
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.publishing import publish
from spark_jobs.quality.approvals import SHRINK, WITHOUT, Request
from spark_jobs.quality.gates import broken_days, must_agree, run_gate
from spark_jobs.quality.judgement import judge_gold, stop_on_failure
from spark_jobs.quality.plausible import Finding
from spark_jobs.quality.rules import feed_rules
from spark_jobs.quality.totals import check_slices
from spark_jobs.reconcile.checks import Check, load_checks
from spark_jobs.reconcile.engine import reconcile
from spark_jobs.reconcile.notes import Hold, holds
from spark_jobs.silver.members import build_new_members


@dataclass
class Outcome:
    """What a load did. cockpit: days that are held and of which the cockpit is published nevertheless."""

    records: list[DeliveryRecord] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    built: list[date] = field(default_factory=list)
    published: list[date] = field(default_factory=list)
    cockpit: list[date] = field(default_factory=list)
    blocked: dict[date, list[str]] = field(default_factory=dict)
    unreconciled: list[Hold] = field(default_factory=list)
    revision: int | None = None


def load(
    run: Run,
    days: list[date],
    feeds: list[str] | None = None,
    accept: Request | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Outcome:
    """Load `days` (all feeds, or only `feeds`) and publish what is complete. `accept`: a person lets one shrunk delivery in, or one day
    go on without a feed.

    environment: whether and where a PostgreSQL is published to, besides the file.
    """
    outcome = Outcome()
    duckdb_store.check_lake(run.lake.root)
    checks = load_checks(run.catalogue)
    read_dictionary()
    bonus = read_bonus_table(run.settings.bonus_table)
    outcome.records, outcome.findings = take_in(run, days, feeds, accept)
    outcome.blocked = {day: feeds for day in run.ledger.days() if (feeds := run.ledger.blocking(day))}
    buildable = _until_first_blocked(run)
    with run.timed("gold"):
        outcome.built = [day for day in buildable if not run.ledger.is_done(day, "gold")]
        if outcome.built:
            outcome.findings += _build_gold(run, checks, outcome.built)
    unpublished = [
        day for day in buildable if day != run.ledger.opening_day() and not run.ledger.is_done(day, "published")
    ]
    outcome.unreconciled = holds(run, unpublished)
    if outcome.unreconciled:
        unpublished = [day for day in unpublished if day < outcome.unreconciled[0].business_date]
    for alike in days_merged_alike(run.lake, unpublished) if unpublished else ():
        outcome.revision = publish(run, alike, bonus, environment)
        outcome.published += alike
    outcome.cockpit = days_ahead(run, buildable)
    if outcome.cockpit:
        publish_ahead(run, outcome.cockpit, environment)
    return outcome


def take_in(
    run: Run, days: list[date], feeds: list[str] | None = None, accept: Request | None = None
) -> tuple[list[DeliveryRecord], list[Finding]]:
    """Landing to silver: what was delivered for `days`, judged and settled. Returns the ledger's new records and what the rules
    about figures found.

    Maps of numbers go first: what is delivered under new numbers is read with them.
    """
    contracts = [run.catalogue[feed] for feed in feeds] if feeds else run.catalogue.everything
    maps = [contract for contract in contracts if is_number_map(contract.feed)]
    others = [contract for contract in contracts if not is_number_map(contract.feed)]
    accepting = maps if accept and is_number_map(accept.feed) else others
    records, findings = [], []
    for some in (maps, others) if maps else (others,):
        taken, found = _take_in(run, days, some, accept if some is accepting else None)
        records += taken
        findings += found
    return records, findings


def _take_in(
    run: Run, days: list[date], contracts: list[Contract], accept: Request | None
) -> tuple[list[DeliveryRecord], list[Finding]]:
    with run.timed("land and bronze"):
        if accept and accept.kind == WITHOUT:
            _leave_out(run, accept)
        plans = _plan(run, days, contracts)
        if accept and accept.kind == SHRINK:
            _accept_shrink(run, accept, plans)
        judged = run.in_parallel(lambda work: read_and_judge(run, work), plans, "bronze and verdicts")
    with run.timed("gate silver"):
        records, findings = decide_all(run, judged)
        confirm(run, judged, findings)
        run.metrics.flush(run.number)
    settle_all(run, judged, records)
    return records, findings


def settle_all(run: Run, judged: list[FeedRange], records: list[DeliveryRecord]) -> None:
    """Write what `records` decided, and remember it."""
    by_feed: dict[str, list[DeliveryRecord]] = {}
    for record in records:
        by_feed.setdefault(record.feed, []).append(record)
    with run.timed("silver"):
        links = run.in_parallel(
            lambda work: settle(run, work, by_feed.get(work.contract.feed, [])), judged, "silver and changes"
        )
        run.ledger.append(records, [link for found in links for link in found])


def _plan(run: Run, days: list[date], contracts: list[Contract]) -> list[FeedRange]:
    delivered, faults = look_at_all(run.settings.landing, contracts, days)
    number_maps, found = NumberMaps(run.lake, run.ledger), []
    for delivery in delivered:
        try:
            found.append(number_maps.applied(delivery, run.catalogue[delivery.feed].read_by(delivery.mapping)))
        except DeliveryError as error:
            faults[delivery.feed, delivery.business_date] = error
    # A map that was delivered once goes on: that it does not come again is no fault.
    faults = {key: error for key, error in faults.items() if not (is_number_map(key[0]) and error.code == "C360-301")}
    plans = (
        plan_feed(
            run,
            contract,
            [delivery for delivery in found if delivery.feed == contract.feed],
            {day: error for (feed, day), error in faults.items() if feed == contract.feed},
        )
        for contract in contracts
    )
    return [plan for plan in plans if plan is not None]


def _accept_shrink(run: Run, accept: Request, plans: list[FeedRange]) -> None:
    digests = {
        (plan.contract.feed, delivery.business_date): delivery.digest for plan in plans for delivery, _ in plan.new
    }
    key = (accept.feed, accept.business_date)
    run.approvals.accept_shrink(accept, run.ledger.record(*key), digests.get(key), run.number)


def _leave_out(run: Run, accept: Request) -> None:
    feed, day = accept.feed, accept.business_date
    is_known = any(known < day for known in run.ledger.loaded_days(feed))
    run.approvals.leave_out(accept, run.catalogue[feed], run.ledger.record(feed, day), is_known, run.number)


def decide_all(run: Run, judged: list[FeedRange]) -> tuple[list[DeliveryRecord], list[Finding]]:
    """Decide over every feed-day; see `ingest.feed.decide`. Nothing is written."""
    records, findings = [], []
    for work in judged:
        decided, found = decide(run, work)
        records += decided
        findings += found
    return records, findings


def confirm(run: Run, judged: list[FeedRange], findings: list[Finding]) -> None:
    """Let Great Expectations confirm what the decisions rest on, before they count."""
    tables = {
        work.contract.feed: (work.verdicts, feed_rules(work.contract)) for work in judged if work.verdicts is not None
    }
    counted = broken_days(findings)
    for work in judged:
        for rule in feed_rules(work.contract):
            counted[work.contract.feed, rule.name] = sum(count[f"broken_{rule.name}"] for count in work.counts or [])
    must_agree(run_gate("silver", tables, run.settings.work / "data_docs" / "silver", findings), counted)


def _until_first_blocked(run: Run) -> list[date]:
    """Days in order up to the first that cannot be built: balances, averages and history have no hole behind them."""
    days = []
    for day in run.ledger.days():
        if run.ledger.blocking(day):
            break
        days.append(day)
    return days


def _build_gold(run: Run, checks: list[Check], days: list[date]) -> list[Finding]:
    with run.timed("gate slices"):
        check_slices(run, days)
    metadata = {"run": run.number, "days": [str(day) for day in days]}

    def silver(feed: str) -> DataFrame:
        return read_slices(run, feed, days)

    known = None
    if run.lake.exists("silver", "customer_members"):
        known = run.lake.read("silver", "customer_members").where(f"business_date < date'{min(days)}'")
    run.lake.replace_days(
        build_new_members(sightings(silver), known).coalesce(1), "silver", "customer_members", days, metadata
    )
    members = run.lake.read("silver", "customer_members")
    frames = build_gold(silver, members, held_rows(run, days), days, run.settings.margin_watch_line)
    frames["freshness"] = build_freshness(
        run.spark,
        {day: run.ledger.stale_feeds(day) for day in days},
        {contract.feed: contract.line for contract in run.catalogue},
    )
    run.in_parallel(
        lambda name: run.lake.replace_days(frames[name].coalesce(2), "gold", name, days, metadata), frames, "gold"
    )
    calendar = build_calendar(run.spark, run.calendar, run.ledger.days(), run.ledger.opening_day())
    run.lake.replace_all(calendar, "gold", "calendar", metadata)
    with run.timed("gate gold"):
        written = {name: run.lake.read("gold", name, days) for name in frames}
        findings = judge_gold(run, written, days)
        stop_on_failure(run, "gold", written, findings)
        run.metrics.flush(run.number)
    for frame in frames.values():
        frame.unpersist()
    with run.timed("reconcile"):
        reconcile(run, checks, days)
    run.ledger.mark_done(days, "gold", run.number)
    return findings
