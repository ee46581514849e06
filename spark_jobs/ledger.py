"""The run ledger: what was delivered, what became of it, and how far each day has come.

`meta.deliveries` has one row per (feed, business_date, delivery_number); the newest row of a feed and day is in force.
`meta.days` has one row per (business_date, step, run): the step is done for the inputs named by `digest`.
`meta.chain` has the links of `spark_jobs.chains`.
A feed's rows are also in the metadata of the commit that ended its work (the changes of a state, the slice of events), so after a
crash the tables are completed from the log.

A day's digest covers every delivery in force on it and the digest of the day before: a correction of Tuesday makes Wednesday's gold
stale too, which is what averages and carried states need. Shadows and maps of numbers stand in the ledger and no day rests on them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from pyspark.sql import DataFrame

from spark_jobs.chains import CHAIN_SCHEMA, Link, in_force
from spark_jobs.contracts import Catalogue
from spark_jobs.io import Lake
from spark_jobs.mappings import counts

DELIVERIES_SCHEMA = (
    "feed string, business_date date, delivery_number int, run int, status string, digest string, is_opening boolean, rows_read long, "
    "rows_kept long, rows_quarantined long, rows_duplicate long, code string, what string, detail string, releases string"
)
# What a day may rest on, and what it waits for.
_SETTLED, WAITING = ("loaded", "carried"), ("held", "missing")
DAYS_SCHEMA = "business_date date, step string, digest string, run int"


@dataclass(frozen=True)
class DeliveryRecord:
    """One feed on one day. status: `loaded`, `held` (a gate stopped it), `missing` (not delivered, or not readable), `carried` (held or
    missing, and a person let the day go on with the state before) or `withdrawn`.

    `detail` is JSON: the counts per file and rule, the control totals, unknown codes with the amounts they carry, and columns the file
    lacked; of a withdrawn day who and why. `releases` names the set of quarantined rows that were released into the day; empty: none.
    """

    feed: str
    business_date: date
    delivery_number: int
    run: int
    status: str
    digest: str = ""
    is_opening: bool = False
    rows_read: int = 0
    rows_kept: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    code: str = ""
    what: str = ""
    detail: str = field(default="{}", repr=False)
    releases: str = ""

    @property
    def content(self) -> str:
        """Names what the day rests on: the delivered bytes, and what people released into them."""
        return f"{self.digest}+{self.releases}" if self.releases else self.digest

    @property
    def mapping(self) -> str:
        """Through which mapping the day was read; empty for the contract's own columns."""
        return json.loads(self.detail).get("mapping", "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"business_date": self.business_date.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DeliveryRecord:
        return cls(**(values | {"business_date": date.fromisoformat(values["business_date"])}))


class Ledger:
    """The ledger of one lake, read once and kept in step by this process."""

    def __init__(self, lake: Lake, catalogue: Catalogue) -> None:
        self._lake, self._catalogue = lake, catalogue
        self._records: dict[tuple[str, date], DeliveryRecord] = {}
        self._days: dict[tuple[date, str], str] = {}
        self._links: dict[str, list[Link]] = {}
        self.last_run = self._last_recorded = 0
        if lake.exists("meta", "deliveries"):
            rows = lake.read("meta", "deliveries").collect()
            for row in sorted(rows, key=lambda row: (row.run, row.delivery_number)):
                # A column that is younger than the row is null in it.
                self._remember(DeliveryRecord(**{k: v for k, v in row.asDict().items() if v is not None}))
        if lake.exists("meta", "days"):
            for row in sorted(lake.read("meta", "days").collect(), key=lambda row: row.run):
                self._days[row.business_date, row.step] = row.digest
                self.last_run = max(self.last_run, row.run)
        if lake.exists("meta", "chain"):
            self._remember_links(Link(**row.asDict()) for row in lake.read("meta", "chain").collect())

    def _remember_links(self, links: Iterable[Link]) -> None:
        for link in links:
            self._links.setdefault(link.feed, []).append(link)
            self.last_run = max(self.last_run, link.run)

    def links(self, feed: str) -> list[Link]:
        """Every link a feed ever had."""
        return list(self._links.get(feed, ()))

    def chain(self, feed: str) -> dict[date, Link]:
        """Day → link in force, in order of days: the days on which the feed has a slice."""
        return in_force(self.links(feed))

    def _remember(self, record: DeliveryRecord) -> None:
        self._records[record.feed, record.business_date] = record
        self._last_recorded = max(self._last_recorded, record.run)
        self.last_run = max(self.last_run, record.run)

    def record(self, feed: str, day: date) -> DeliveryRecord | None:
        return self._records.get((feed, day))

    def records(self, day: date | None = None) -> list[DeliveryRecord]:
        chosen = [record for record in self._records.values() if day is None or record.business_date == day]
        return sorted(chosen, key=lambda record: (record.business_date, record.feed))

    def days(self) -> list[date]:
        """The business dates anybody knows of; what only a shadow was delivered for is none."""
        return sorted({day for feed, day in self._records if counts(feed)})

    def loaded_days(self, feed: str) -> list[date]:
        return self._days_with(feed, "loaded")

    def carried_days(self, feed: str) -> list[date]:
        return self._days_with(feed, "carried")

    def waiting_days(self, feed: str) -> list[date]:
        """Days on which the feed is held or missing."""
        return self._days_with(feed, *WAITING)

    def _days_with(self, feed: str, *statuses: str) -> list[date]:
        return sorted(
            day for (name, day), record in self._records.items() if name == feed and record.status in statuses
        )

    def opening_day(self) -> date | None:
        """The baseline, never published: the day delivered as such, otherwise the first one known."""
        flagged = min(
            (day for (feed, day), record in self._records.items() if record.is_opening and counts(feed)), default=None
        )
        return flagged or min(self.days(), default=None)

    def append(self, records: list[DeliveryRecord], links: list[Link]) -> None:
        """Add links and records, a commit each. Records equal to those in force are left out, so a re-run writes nothing."""
        known = {(link.feed, link.business_date, link.run) for feed in self._links.values() for link in feed}
        links = [link for link in links if (link.feed, link.business_date, link.run) not in known]
        if links:
            self._lake.append(self._frame_of(links), "meta", "chain", {"run": max(link.run for link in links)})
            self._remember_links(links)
        new = [record for record in records if self._differs(record)]
        if not new:
            return
        frame = self._lake.spark.createDataFrame([tuple(asdict(record).values()) for record in new], DELIVERIES_SCHEMA)
        self._lake.append(frame.coalesce(1), "meta", "deliveries", {"run": max(record.run for record in new)})
        for record in new:
            self._remember(record)

    def replace_links(self, changed: Callable[[Link], Link], metadata: dict[str, Any]) -> None:
        """Put in the place of every link what `changed` makes of it, in one commit."""
        links = [changed(link) for feed in self._links.values() for link in feed]
        self._lake.rewrite(self._frame_of(links), "meta", "chain", metadata)
        self._links.clear()
        self._remember_links(links)

    def _frame_of(self, links: Iterable[Link]) -> DataFrame:
        rows = [tuple(asdict(link).values()) for link in links]
        return self._lake.spark.createDataFrame(rows, CHAIN_SCHEMA).coalesce(1)

    def _differs(self, record: DeliveryRecord) -> bool:
        known = self.record(record.feed, record.business_date)
        return known is None or (known.status, known.content, known.what) != (
            record.status,
            record.content,
            record.what,
        )

    def recover(self) -> int:
        """Complete the table from the feeds' own commits, after a run that ended between the two. Returns rows added."""
        found, links = [], []
        for contract in self._catalogue.everything:
            layer = "silver" if contract.mode == "event" else "changes"
            if self._lake.exists(layer, contract.feed):
                for _, metadata in self._lake.commits(layer, contract.feed, last=3):
                    # A run records what it took in twice, maps of numbers first: its last commits may miss although it is known.
                    if metadata.get("run", 0) >= self._last_recorded:
                        found += [DeliveryRecord.from_json(values) for values in metadata.get("deliveries", [])]
                        links += [Link.from_json(values) for values in metadata.get("links", [])]
        self.append(found, links)
        return len(found)

    def digest(self, day: date) -> str:
        """Names everything day `day` rests on; changes when any delivery up to it changes, or a row is released into one."""
        text = ""
        for known in (other for other in self.days() if other <= day):
            inputs = [
                (record.feed, record.status, record.content)
                for record in self.records(known)
                if record.status in _SETTLED and counts(record.feed)
            ]
            text = hashlib.sha256(json.dumps([text, known.isoformat(), inputs]).encode()).hexdigest()
        return text

    def is_done(self, day: date, step: str) -> bool:
        return self._days.get((day, step)) == self.digest(day)

    def mark_done(self, days: list[date], step: str, run: int) -> None:
        """Record in one commit that `step` is done for `days` and their present inputs."""
        rows = [(day, step, self.digest(day), run) for day in days]
        frame = self._lake.spark.createDataFrame(rows, DAYS_SCHEMA).coalesce(1)
        self._lake.append(frame, "meta", "days", {"run": run, "step": step})
        self._days.update({(day, step): digest for day, _, digest, _ in rows})
        self.last_run = max(self.last_run, run)

    def blocking(self, day: date) -> list[str]:
        """Feeds with `if_missing: hold` that are neither loaded nor carried on `day`: while there are any, the day cannot be built."""
        settled = {record.feed for record in self.records(day) if record.status in _SETTLED}
        return [
            contract.feed
            for contract in self._catalogue
            if contract.if_missing == "hold" and contract.feed not in settled
        ]

    def stale_feeds(self, day: date) -> dict[str, date | None]:
        """Feeds carried on `day`, by their contract or by a person's decision, with the day their state comes from (None: never loaded)."""
        states = {record.feed: record.status for record in self.records(day)}
        return {
            contract.feed: max((known for known in self.loaded_days(contract.feed) if known < day), default=None)
            for contract in self._catalogue
            if (state := states.get(contract.feed)) == "carried"
            or (contract.if_missing == "carry" and state != "loaded")
        }


def totals(records: list[DeliveryRecord]) -> dict[str, int]:
    return {
        name: sum(getattr(record, name) for record in records)
        for name in ("rows_read", "rows_kept", "rows_quarantined", "rows_duplicate")
    }
