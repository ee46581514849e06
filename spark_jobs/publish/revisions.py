"""Candidate → marts: every published revision of a day is kept, keyed (day, revision); a correction adds one.

`meta.publications` has one row per (business_date, revision) in the order of publication: the newest revision of a day is in force.
"""

from __future__ import annotations

import json
from datetime import date

from pyspark.sql import functions as F

from spark_jobs.context import Run
from spark_jobs.io import in_days
from spark_jobs.publish.candidate import candidate_name
from spark_jobs.publish.marts import MARTS

PUBLICATIONS_SCHEMA = "business_date date, revision int, run int, digest string, stale_feeds string"


def next_revision(run: Run) -> int:
    if not run.lake.exists("meta", "publications"):
        return 1
    return (run.lake.read("meta", "publications").agg(F.max("revision")).first()[0] or 0) + 1


def add_revision(run: Run, days: list[date], revision: int) -> None:
    """Append the candidate's days to the marts. Repeating it after a crash replaces exactly the same rows."""
    name = candidate_name(run)

    def one(mart: str) -> None:
        column = MARTS[mart].day
        frame = run.spark.table(f"{name}.{mart}").where(in_days(days, column)).withColumn("revision", F.lit(revision))
        (
            frame.coalesce(1)
            .write.format("delta")
            .mode("overwrite")
            .partitionBy(column, "revision")
            .option("replaceWhere", f"revision = {revision}")
            .option("mergeSchema", "true")
            .option("userMetadata", json.dumps({"run": run.number, "revision": revision}))
            .save(run.lake.path("marts", mart))
        )

    run.in_parallel(one, MARTS, "publish marts")


def expected_rows(run: Run, days: list[date]) -> dict[str, int]:
    """Rows of every mart for `days`, counted in the candidate by a scan: what the store must hold of this revision."""
    name = candidate_name(run)
    frames = {mart: run.spark.table(f"{name}.{mart}").where(in_days(days, MARTS[mart].day)) for mart in MARTS}
    # A sum over a column reads the files; a bare count would be answered from statistics.
    return {
        mart: frame.agg(F.count_if(F.col(MARTS[mart].day).isNotNull())).first()[0] for mart, frame in frames.items()
    }


def record_publication(run: Run, days: list[date], revision: int, bonus_digest: str) -> None:
    """The commit that makes the revision count; it names the table of bonus ratios that goes with it, if there is one."""
    rows = [
        (day, revision, run.number, run.ledger.digest(day),
         json.dumps({feed: known.isoformat() if known else None for feed, known in run.ledger.stale_feeds(day).items()}))
        for day in days
    ]  # fmt: skip
    frame = run.spark.createDataFrame(rows, PUBLICATIONS_SCHEMA).coalesce(1)
    metadata = {"run": run.number, "revision": revision, "bonus_table": bonus_digest}
    run.lake.append(frame, "meta", "publications", metadata)
