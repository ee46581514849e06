"""The candidate becomes what is read: Delta first, then the stores, then the pointers.

The cockpit is served before everything else is: a load that ends between the two publishes the day again, the cockpit with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from spark_jobs.context import Run
from spark_jobs.io import in_days
from spark_jobs.publish import duckdb_store
from spark_jobs.publish.bonus import BonusTable
from spark_jobs.publish.candidate import build_candidate, candidate_name, drop_candidate
from spark_jobs.publish.ciphertexts import write_ciphertexts
from spark_jobs.publish.marts import COCKPIT, WHOLE, Publication
from spark_jobs.publish.postgres_store import PostgresStore
from spark_jobs.publish.revisions import add_revision, expected_rows, next_revision, record_publication
from spark_jobs.quality.judgement import stop_on_failure


def publish(run: Run, days: list[date], bonus: BonusTable, environment: Mapping[str, str]) -> int:
    """Build the marts of `days`, on all of which the same customers are merged, and serve them. Returns the revision."""
    with run.timed("dbt"):
        statements = build_candidate(run, days)
    stale = {day: run.ledger.stale_feeds(day) for day in days}
    gate_marts(run, WHOLE, days)
    publish_cockpit(run, days, stale, environment)
    with run.timed("publish"):
        revision = next_revision(run)
        add_revision(run, WHOLE, days, revision)
        record_publication(run, WHOLE, days, revision, stale, bonus_table=bonus.digest)
        expected = expected_rows(run, WHOLE, days)
        file = duckdb_store.write_revision(run.lake.root, run.settings.published, revision, expected, bonus)
        duckdb_store.keep_statements(run.settings.published, revision, statements, candidate_name(run))
        # Both are whole before either is served: what is read all day first, the analysts' file with it.
        if serving := PostgresStore.of(environment):
            ciphertexts = run.private.staging / "ciphertexts.duckdb"
            write_ciphertexts(run.private.vault, file, ciphertexts)
            serving.write_revision(file, revision, ciphertexts)
            serving.point_at(revision, run.settings.revisions_kept)
        duckdb_store.point_at(run.settings.published, revision, run.settings.revisions_kept)
        run.ledger.mark_done(days, WHOLE.step, run.number)
        drop_candidate(run)
    return revision


def gate_marts(run: Run, publication: Publication, days: list[date]) -> None:
    """Let the rules of the publication's marts decide whether the candidate may go on. Raises GateError C360-257."""
    with run.timed("gate marts"):
        name = candidate_name(run)
        frames = {
            mart.name: run.spark.table(f"{name}.{mart.name}").where(in_days(days, mart.day))
            for mart in publication.marts.values()
        }
        stop_on_failure(run, "marts", frames, docs="" if publication is WHOLE else f"{publication.name}_marts")


def publish_cockpit(
    run: Run, days: list[date], stale: Mapping[date, Mapping[str, date | None]], environment: Mapping[str, str]
) -> int:
    """Serve the cockpit's marts of the candidate behind their own pointer. stale: as `record_publication` has it. Returns the cockpit's revision."""
    with run.timed("publish cockpit"):
        revision = next_revision(run, COCKPIT)
        add_revision(run, COCKPIT, days, revision)
        record_publication(run, COCKPIT, days, revision, stale)
        expected = expected_rows(run, COCKPIT, days)
        file = duckdb_store.write_cockpit(run.lake.root, run.settings.published, revision, expected)
        if serving := PostgresStore.of(environment, COCKPIT):
            serving.write_revision(file, revision)
            serving.point_at(revision, run.settings.revisions_kept)
        duckdb_store.point_at(COCKPIT.folder(run.settings.published), revision, run.settings.revisions_kept)
        run.ledger.mark_done(days, COCKPIT.step, run.number)
    return revision
