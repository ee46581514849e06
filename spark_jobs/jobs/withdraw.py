"""`c360 withdraw`: a delivery that should never have been accepted is taken back, and history is as if it had not come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

from spark_jobs.context import Run
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.feed import FeedRange, days_to_build, read_and_judge
from spark_jobs.jobs.load import settle_all
from spark_jobs.ledger import DeliveryRecord


def withdraw(run: Run, feed: str, day: date, reason: str, by: str) -> DeliveryRecord:
    """Take the feed's delivery of `day` out of its history; who and why stay in the ledger, the rows in bronze.

    The same bytes are not taken in again; other bytes for that day are a new delivery. Gold and marts follow with the next load.
    Raises ConfigurationError C360-109 when nothing is loaded there.
    """
    contract = run.catalogue[feed]
    known = run.ledger.record(feed, day)
    if known is None or known.status != "loaded":
        raise ConfigurationError(
            "C360-109",
            f"nothing of {feed} is loaded on {day}",
            next_step="c360 status shows what is",
        )
    detail = json.loads(known.detail) | {"by": by, "reason": reason}
    record = replace(
        known,
        run=run.number,
        status="withdrawn",
        code="",
        what=f"withdrawn: {reason}",
        detail=json.dumps(detail, sort_keys=True),
    )
    work = read_and_judge(run, FeedRange(contract, [], {}, days_to_build(run, contract, {day})))
    settle_all(run, [work], [record])
    return record
