"""Candidate → marts: every published revision of a day is kept, keyed (day, revision); a correction adds one.

`meta.publications` has one row per (business_date, revision) in the order of publication: the newest revision of a day is in force. Every publication has
revisions and such a table of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.io import in_days
from spark_jobs.publish.candidate import candidate_name
from spark_jobs.publish.marts import WHOLE, Publication

PUBLICATIONS_SCHEMA = "business_date date, revision int, run int, digest string, stale_feeds string"


def next_revision(run: Run, publication: Publication = WHOLE) -> int:
    if not run.lake.exists("meta", publication.record):
        return 1
    return (run.lake.read("meta", publication.record).agg(F.max("revision")).first()[0] or 0) + 1


def add_revision(run: Run, publication: Publication, days: list[date], revision: int) -> None:
    """Append the candidate's days to the marts. Repeating it after a crash replaces exactly the same rows."""
    name = candidate_name(run)

    def one(mart: str) -> None:
        column = publication.marts[mart].day
        frame = run.spark.table(f"{name}.{mart}").where(in_days(days, column)).withColumn("revision", F.lit(revision))
        (
            frame.coalesce(1)
            .write.format("delta")
            .mode("overwrite")
            .partitionBy(column, "revision")
            .option("replaceWhere", f"revision = {revision}")
            .option("mergeSchema", "true")
            .option("userMetadata", json.dumps({"run": run.number, "revision": revision}))
            .save(run.lake.path(publication.layer, mart))
        )

    run.in_parallel(one, publication.marts, f"publish {publication.layer}")


def expected_rows(run: Run, publication: Publication, days: list[date]) -> dict[str, int]:
    """Rows of every mart for `days`, counted in the candidate by a scan: what the store must hold of this revision."""
    name, marts = candidate_name(run), publication.marts
    frames = {mart: run.spark.table(f"{name}.{mart}").where(in_days(days, marts[mart].day)) for mart in marts}
    # A sum over a column reads the files; a bare count would be answered from statistics.
    return {
        mart: frame.agg(F.count_if(F.col(marts[mart].day).isNotNull())).first()[0] for mart, frame in frames.items()
    }


def record_publication(
    run: Run,
    publication: Publication,
    days: list[date],
    revision: int,
    stale: Mapping[date, Mapping[str, date | None]],
    **more: Any,
) -> None:
    """The commit that makes the revision count. stale: day → feed that is not of that day → the day its state comes from; more: what the commit says besides."""
    rows = [
        (day, revision, run.number, run.ledger.digest(day),
         json.dumps({feed: known.isoformat() if known else None for feed, known in stale[day].items()}))
        for day in days
    ]  # fmt: skip
    frame = run.spark.createDataFrame(rows, PUBLICATIONS_SCHEMA).coalesce(1)
    run.lake.append(frame, "meta", publication.record, {"run": run.number, "revision": revision, **more})
