"""One feed's history brought in line with what is loaded of it: which days are built again, their slices, and the edges that are new.

All plans follow from what is known of each loaded day (`Loaded`) and from the chain in force, never from the order in which days arrived:
that is why every order of arrival ends in the same history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import pairwise
from typing import Any, Protocol

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs import history
from spark_jobs.chains import Link, in_force, relink
from spark_jobs.contracts import Contract
from spark_jobs.history import DAY

# Where a slice's row comes from; beside the contract's fields in every slice.
ORIGIN = {"_row_hash": "long", "_delivery_number": "int", "_source_file": "string", "_source_row": "long"}
# So many changes of one commit are sent to every worker, so that only their rows are read whole; more are joined where they lie.
FEW_CHANGES = 500_000
# The slices of so many days are summed while they are written; more are cheaper to sum afterwards.
OBSERVED_DAYS = 8


class Store(Protocol):
    """Where slices and changes lie; `spark_jobs.io.Lake` says what each method does."""

    def read(self, layer: str, name: str, days: Sequence[date] | None = None) -> DataFrame: ...

    def replace_days(
        self, frame: DataFrame, layer: str, name: str, days: Sequence[date], metadata: dict[str, Any]
    ) -> None: ...

    def add_edges(self, frame: DataFrame, name: str, edges: Sequence[str], metadata: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Loaded:
    """What history must know of one loaded day, or of one that is carried because a person said so.

    has_withheld: rows were quarantined, and their keys carry. is_closing: False when nobody can read whose row one of them is, so that
    absence proves nothing. absent: columns of the slice which the day's files lacked. is_carried: nothing counts as delivered that day.
    """

    has_withheld: bool = False
    is_closing: bool = True
    absent: tuple[str, ...] = ()
    is_carried: bool = False

    @property
    def is_whole(self) -> bool:
        """Nothing of the slice before is needed to build the day's own, if the feed is full."""
        return not (self.has_withheld or self.absent or self.is_carried)


@dataclass(frozen=True)
class Rows:
    """The judged rows of the loaded days among those to build: `good` with `slice_columns`, and `withheld` with business_date and key."""

    good: DataFrame
    withheld: DataFrame | None


def slice_columns(contract: Contract) -> list[str]:
    return list(dict.fromkeys([*contract.key, *contract.fields, *ORIGIN]))


def days_to_build(
    contract: Contract,
    loaded: Mapping[date, Loaded],
    known: Collection[date],
    touched: Collection[date],
    before: Collection[date],
) -> list[date]:
    """`touched`, days that should have a slice and have none, and after each the days that carry something from a slice built again.

    known: the business dates anybody knows of. before: the days of the chain in force.
    """
    if contract.mode == "event":
        return sorted(touched)
    everything = sorted({*known, *touched})
    # What comes in now is not judged yet; a day that is then not loaded has no slice and is passed over.
    chain = chain_days(contract, {*loaded, *touched}, everything)
    new = {*touched, *(day for day in chain if day not in before)}
    chosen, carries = [], False
    for day in everything:
        takes_over = contract.mode == "incremental" or day not in loaded or not loaded[day].is_whole
        carries = day in new or (carries and takes_over)
        if carries:
            chosen.append(day)
    return chosen


def chain_days(contract: Contract, loaded: Collection[date], known: Collection[date]) -> list[date]:
    """The days on which the feed has a slice: those loaded and, with `if_missing: carry`, every day anybody knows of after the first."""
    carries_from = min(loaded, default=date.max) if contract.if_missing == "carry" else date.max
    return [day for day in sorted(known) if day in loaded or day > carries_from]


def bring_in_line(
    store: Store,
    contract: Contract,
    rows: Rows,
    loaded: Mapping[date, Loaded],
    known: Collection[date],
    days: Collection[date],
    links: Sequence[Link],
    *,
    run: int,
    known_at: str,
    metadata: dict[str, Any],
) -> list[Link]:
    """Write the slices of `days` and the edges nobody has written before. Returns what the chain gains.

    links: every link the feed ever had. metadata goes with the last commit, with the new links: once that is there, the feed is done.
    """
    before = in_force(links)
    chain = chain_days(contract, loaded, known)
    built, gone = [day for day in chain if day in days], [day for day in before if day not in chain]
    if not built and not gone:
        return []
    blocks = [_build(store, contract, rows, loaded, start, block) for start, block in _blocks(chain, built)]
    slices = reduce(DataFrame.unionByName, blocks) if blocks else store.read("silver", contract.feed).limit(0)
    held = {day: before[day].fingerprint for day in chain if day in before}
    held |= _write_slices(store, contract, slices, built, gone, run)
    new = relink(contract.feed, before, held, run, known_at)
    written = {link.edge for link in links}
    edges = {link.business_date: link.edge for link in new if link.edge and link.edge not in written}
    if edges:
        _write_edges(store, contract, held, edges, metadata | {"links": [link.to_json() for link in new]})
    return new


def _write_slices(
    store: Store, contract: Contract, slices: DataFrame, built: Collection[date], gone: Collection[date], run: int
) -> dict[date, str]:
    """Write the slices of the days `built` and none for those `gone`. Returns the fingerprints of the former."""
    # What is read day by day is written day by day, too: no task has more days open than it must.
    few = slices.coalesce(2 * max(1, len(built)))
    observed, found = few, None
    if 0 < len(built) <= OBSERVED_DAYS:
        observed, found = history.observed_fingerprints(few, built)
    store.replace_days(observed, "silver", contract.feed, [*built, *gone], {"run": run})
    fingerprints = found() if found else {}
    if built and not fingerprints:
        fingerprints = history.fingerprints(store.read("silver", contract.feed, built), built)
    return fingerprints


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


def _build(
    store: Store,
    contract: Contract,
    rows: Rows,
    loaded: Mapping[date, Loaded],
    before: date | None,
    days: list[date],
) -> DataFrame:
    previous = store.read("silver", contract.feed, [before]) if before else None
    facts = {day: loaded[day] for day in days if day in loaded and not loaded[day].is_carried}
    has_withheld = any(day.has_withheld for day in facts.values())
    slices = history.build_slices(
        rows.good.where(F.col(DAY).isin(list(facts))),
        previous,
        rows.withheld.where(F.col(DAY).isin(list(facts))) if has_withheld else None,
        key=contract.key,
        days=days,
        delivered_days=list(facts),
        incremental=contract.mode == "incremental",
        delete_flag=contract.delete_flag,
        never_closing={day for day, fact in facts.items() if not fact.is_closing},
    )
    absent = {day: fact.absent for day, fact in facts.items() if fact.absent}
    if absent:
        slices = history.carry_columns(
            slices, previous, absent, key=contract.key, days=days, hashed=contract.tracked_fields
        )
    return slices.select(DAY, *slice_columns(contract), "_as_of_date")


def _write_edges(
    store: Store, contract: Contract, held: dict[date, str], edges: dict[date, str], metadata: dict[str, Any]
) -> None:
    """Write the changes of `edges`, day → edge. held: day → fingerprint of every slice of the chain."""
    span = [day for day in sorted(held) if min(edges) <= day <= max(edges)]
    start = max((day for day in held if day < span[0]), default=None)
    slices = store.read("silver", contract.feed, span)
    previous = store.read("silver", contract.feed, [start]) if start else None
    place = {"key": contract.key, "days": span, "previous_day": start}
    # The first slice ever, if it is among them, begins the span, so nothing but the edges wanted is fetched.
    found = history.find_changes(slices, previous, **place).where(F.col(DAY).isin(list(edges))).persist()
    # There are no more changes than rows, and a small feed need not count them.
    most = sum(history.rows_of(held[day]) for day in ([start] if start else []) + span)
    are_few = most <= FEW_CHANGES or found.count() <= FEW_CHANGES
    changes = history.fetch_changes(found, slices, **place, are_few=are_few)
    names = F.create_map(*(item for day, edge in edges.items() for item in (F.lit(day), F.lit(edge))))
    store.add_edges(
        changes.withColumn("_edge", names[F.col(DAY)]).coalesce(1), contract.feed, list(edges.values()), metadata
    )
    found.unpersist()
