"""Decisions of people that let data pass a gate: who, why, and for exactly which bytes.

`meta.approvals` is append-only, one row per decision: kind, feed, business_date, digest of the delivery, reason, who, run. A decision
speaks of one delivery: other bytes for the same day need another one.
"""

from __future__ import annotations

import getpass
from dataclasses import astuple, dataclass
from datetime import date
from functools import cached_property

from spark_jobs.contracts import Contract
from spark_jobs.errors import ConfigurationError
from spark_jobs.io import Lake
from spark_jobs.ledger import WAITING, DeliveryRecord
from spark_jobs.quality.plausible import SHRANK

SHRINK, WITHOUT = "accept_shrink", "publish_without"
SCHEMA = "kind string, feed string, business_date date, digest string, reason string, who string, run int"


@dataclass(frozen=True)
class Request:
    """A decision as it is given on the command line, before it is known which delivery it meets. kind: SHRINK or WITHOUT."""

    feed: str
    business_date: date
    reason: str
    who: str
    kind: str = SHRINK


@dataclass(frozen=True)
class Approval:
    """A decision as it is kept."""

    kind: str
    feed: str
    business_date: date
    digest: str
    reason: str
    who: str
    run: int


def shrink_request(feed: str | None, day: date | None, reason: str | None, by: str | None) -> Request | None:
    """The request in the options of `c360 load`, or None. `by` empty: the login name. Raises ConfigurationError C360-131."""
    if feed is None and reason is None and by is None:
        return None
    if feed is None or day is None or not (reason or "").strip():
        raise ConfigurationError(
            "C360-131", "a shrunk delivery is accepted for one feed and one date, with a reason",
            kept="nothing was started", next_step='c360 load --date DATE --accept-shrink FEED --reason "…"',
        )  # fmt: skip
    return _request(feed, day, reason, by, SHRINK)


def without_request(feed: str, day: date, reason: str, by: str | None) -> Request:
    """The request in the options of `c360 publish`. Raises ConfigurationError C360-131 without a reason."""
    if not reason.strip():
        raise ConfigurationError(
            "C360-131", "a day is published without a feed for a reason", kept="nothing was started",
            next_step='c360 publish --date DATE --without FEED --reason "…"',
        )  # fmt: skip
    return _request(feed, day, reason, by, WITHOUT)


def _request(feed: str, day: date, reason: str, by: str | None, kind: str) -> Request:
    return Request(feed, day, reason.strip(), (by or "").strip() or getpass.getuser(), kind)


def nothing_to_leave_out(feed: str, day: date, why: str) -> ConfigurationError:
    return ConfigurationError(
        "C360-130", f"the day cannot go on without this feed: {why}", where=f"feed {feed}, business date {day}",
        kept="nothing was started", next_step="c360 status; ask the owner of the feed for the delivery",
    )  # fmt: skip


def nothing_to_accept(feed: str, day: date) -> ConfigurationError:
    return ConfigurationError(
        "C360-132", "there is nothing to accept: this delivery is not held because it shrank",
        where=f"feed {feed}, business date {day}", kept="nothing was started", next_step=f"c360 load --date {day}, then c360 status",
    )  # fmt: skip


class Approvals:
    """The decisions of one lake, read when first asked."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @cached_property
    def _known(self) -> dict[tuple[str, str, date, str], Approval]:
        rows = self._lake.read("meta", "approvals").collect() if self._lake.exists("meta", "approvals") else ()
        kept = sorted((Approval(**row.asDict()) for row in rows), key=lambda approval: approval.run)
        return {(one.kind, one.feed, one.business_date, one.digest): one for one in kept}

    def of(self, kind: str, feed: str, day: date, digest: str) -> Approval | None:
        """The newest decision about exactly this delivery."""
        return self._known.get((kind, feed, day, digest))

    def accept_shrink(self, request: Request, held: DeliveryRecord | None, digest: str | None, run: int) -> None:
        """Keep the decision, in one commit. `held`: the ledger's record in force; `digest`: what lies in landing now.

        Raises ConfigurationError C360-132 when that delivery is not held for its size: nobody accepts what nobody has seen.
        """
        if held is None or held.code != SHRANK or held.digest != digest:
            raise nothing_to_accept(request.feed, request.business_date)
        self._keep(request, digest, run)

    def leave_out(
        self, request: Request, contract: Contract, waiting: DeliveryRecord | None, is_known: bool, run: int
    ) -> None:
        """Keep the decision that a day goes on with the feed's state of the day before. `waiting`: the ledger's record in force.

        It speaks of what is held, or of nothing having come: another delivery is taken in as ever. Raises ConfigurationError C360-130
        for a feed of events, whose day would lack them, for one that is not waited for, and for one that was never loaded before.
        """
        why = ""
        if contract.mode == "event":
            why = "it brings events, and nothing stands in for them"
        elif waiting is None or waiting.status not in WAITING:
            why = "it is not held or missing"
        elif not is_known:
            why = "it has no earlier state"
        if why:
            raise nothing_to_leave_out(request.feed, request.business_date, why)
        self._keep(request, waiting.digest, run)

    def _keep(self, request: Request, digest: str, run: int) -> None:
        approval = Approval(request.kind, request.feed, request.business_date, digest, request.reason, request.who, run)
        frame = self._lake.spark.createDataFrame([astuple(approval)], SCHEMA)
        self._lake.append(frame.coalesce(1), "meta", "approvals", {"run": run})
        self._known[request.kind, request.feed, request.business_date, digest] = approval
