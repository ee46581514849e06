"""Which edges make the history of a feed, now and as known at any earlier time.

A **link** is one day of a feed's chain: the fingerprint of its slice and the edge that leads to it. An edge is named by the content of
the two slices it lies between, so the same two slices always have the same edge, whatever happened in between: a correction, a late
day or a withdrawn one adds links, and no edge is ever rewritten. `meta.chain` is append-only; the newest link of a feed and day is in force,
and a link without an edge says that the day is out of the chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

CHAIN_SCHEMA = (
    "feed string, business_date date, fingerprint string, from_date date, edge string, run int, known_at string"
)


@dataclass(frozen=True)
class Link:
    """One day of one feed's chain as known from `known_at` on (UTC, yyyy-mm-ddThh:mm:ssZ), written by `run`.

    fingerprint: of the day's slice, by `history.fingerprints`. from_date: where the edge starts, None for the first slice.
    edge: its name in the changes table; empty when the day is out of the chain.
    """

    feed: str
    business_date: date
    fingerprint: str
    from_date: date | None
    edge: str
    run: int
    known_at: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "business_date": self.business_date.isoformat(),
            "from_date": self.from_date and self.from_date.isoformat(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Link:
        start = values["from_date"]
        return cls(
            **{
                **values,
                "business_date": date.fromisoformat(values["business_date"]),
                "from_date": date.fromisoformat(start) if start else None,
            }
        )


def in_force(links: Iterable[Link], known_at: str | None = None) -> dict[date, Link]:
    """Day → link of one feed's chain, as known at a time (None: now), in order of days."""
    newest: dict[date, Link] = {}
    for link in sorted(links, key=lambda link: link.run):
        if known_at is None or link.known_at <= known_at:
            newest[link.business_date] = link
    return {day: newest[day] for day in sorted(newest) if newest[day].edge}


def relink(
    feed: str, before: Mapping[date, Link], fingerprints: Mapping[date, str], run: int, known_at: str
) -> list[Link]:
    """The links to add so that the chain goes through exactly the days of `fingerprints`; none when it does already."""
    new, start, fingerprint = [], None, ""
    for day, following in sorted(fingerprints.items()):
        edge = _edge(start, fingerprint, day, following)
        if day not in before or before[day].edge != edge:
            new.append(Link(feed, day, following, start, edge, run, known_at))
        start, fingerprint = day, following
    gone = [Link(feed, day, "", None, "", run, known_at) for day in before if day not in fingerprints]
    return new + gone


def _edge(start: date | None, from_fingerprint: str, end: date, to_fingerprint: str) -> str:
    content = f"{start}|{from_fingerprint}|{end}|{to_fingerprint}"
    return f"{end:%Y%m%d}_{hashlib.sha256(content.encode()).hexdigest()[:16]}"
