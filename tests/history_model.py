"""The history engine against a plain model that knows only which days there are and what was delivered on them.

A **plan** is what a feed lives through, step by step; its cases differ in their rows and run as one frame, with the case in the key, through
the planning and writing that a load does, on a store that keeps frames in memory.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from spark_jobs import chronicle, history
from spark_jobs.chains import Link, in_force
from spark_jobs.chronicle import Loaded, Rows
from spark_jobs.contracts import Column, Contract
from spark_jobs.history import DAY, intervals

CASES, KEYS = 40, "uvwxyz"
FIELDS = {"key": "string", "left": "string", "right": "string", "late": "string", "deleted": "boolean"}
SCHEMA = ", ".join([f"{DAY} date", *(f"{name} {kind}" for name, kind in (FIELDS | chronicle.ORIGIN).items())])
KINDS = {
    "full": ("full", "hold", None),
    "full, carried when missing": ("full", "carry", None),
    "full with a deleted flag": ("full", "hold", "deleted"),
    "incremental with a deleted flag": ("incremental", "carry", "deleted"),
    "incremental": ("incremental", "hold", None),
}


def contract_of(kind: str) -> Contract:
    mode, if_missing, flag = KINDS[kind]
    columns = [Column(name, name, "flag" if name == "deleted" else "string", name == "key") for name in FIELDS]
    return Contract(
        "feed", {}, "", "reference", "delimited", "", "", "", ("key",), mode, if_missing, tuple(columns), flag
    )


@dataclass(frozen=True)
class Delivery:
    """What one file of one day brought: (case, key) → values or None where the row is withheld."""

    rows: dict[tuple[int, str], dict | None]
    is_closing: bool = True
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """A day's delivery arrives, is withdrawn (None), or the day is only heard of: by this feed as missing, or by another feed."""

    day: date
    what: Delivery | None
    heard_by_another: bool = False


@dataclass
class Plan:
    kind: str
    steps: list[list[Event]]

    def __str__(self) -> str:
        def one(event: Event) -> str:
            what = event.what
            if what is None:
                return f"{event.day:%d} {'elsewhere' if event.heard_by_another else 'gone'}"
            held = sum(row is None for row in what.rows.values())
            return f"{event.day:%d} (withheld {held}, closing {what.is_closing}, absent {what.absent})"

        return f"{self.kind}: " + " | ".join(", ".join(map(one, step)) for step in self.steps)


# The model: no order of arrival, no edges, no fingerprints.


def model_states(kind: str, deliveries: dict[date, Delivery], known: set[date]) -> dict[date, dict]:
    """Day → (case, key) → values, from the set of what is there."""
    mode, if_missing, flag = KINDS[kind]
    states, state = {}, {}
    for day in sorted(known):
        if day in deliveries:
            delivery = deliveries[day]
            good = {key: row for key, row in delivery.rows.items() if row is not None}
            stays = mode == "incremental" or not delivery.is_closing
            kept = {key: row for key, row in state.items() if stays or (key in delivery.rows and key not in good)}
            for key, row in good.items():
                if flag and row["deleted"]:
                    kept.pop(key, None)
                else:
                    kept[key] = row | {name: state.get(key, {}).get(name) for name in delivery.absent}
            state = kept
        elif if_missing == "hold" or not states:
            continue
        states[day] = state
    return states


def model_intervals(kind: str, deliveries: dict[date, Delivery], known: set[date]) -> set[tuple]:
    states = model_states(kind, deliveries, known)
    found, open_since = set(), {}
    for day, state in [*states.items(), (None, {})]:
        for key, (start, row) in list(open_since.items()):
            if day is None or state.get(key) != row:
                found.add((*key, start, day, *row.values()))
                del open_since[key]
        open_since |= {key: (day, row) for key, row in state.items() if key not in open_since}
    return found


# Plans.


def random_delivery(chance: random.Random, flag: str | None) -> Delivery:
    absent = ("late",) if chance.random() < 0.2 else ()
    is_closing = chance.random() < 0.85
    withheld = 0.15 if chance.random() < 0.5 or not is_closing else 0.0
    rows: dict[tuple[int, str], dict | None] = {}
    for case, key in itertools.product(range(CASES), KEYS):
        if chance.random() < 0.3:
            continue
        values = {name: chance.choice(["a", "b", None]) for name in ("left", "right")}
        values["late"] = None if absent else chance.choice(["a", None])
        values["deleted"] = bool(flag) and chance.random() < 0.2
        rows[case, key] = None if chance.random() < withheld else values
    return Delivery(rows, is_closing, absent)


def make_plan(kind: str, order: tuple[int, ...], seed: int) -> Plan:
    """The days in `order`; in between some are corrected, withdrawn, heard of before or after they come. One to three events a step."""
    chance = random.Random(f"{kind} {order} {seed}")
    days = [date(2026, 1, 5) + timedelta(days=place) for place in order]
    flag = KINDS[kind][2]
    events = [Event(day, random_delivery(chance, flag)) for day in days]
    for day in days:
        place = chance.randrange(len(events) + 1)
        match chance.randrange(6):
            case 0:
                events.insert(place, Event(day, random_delivery(chance, flag)))
            case 1:
                events.insert(place, Event(day, None))
            case 2:
                events.insert(place, Event(day, None, heard_by_another=True))
    steps = []
    while events:
        size = chance.choice([1, 1, 2, 3])
        # A load takes one delivery a day.
        taken = list({event.day: event for event in reversed(events[:size])}.values())
        events = [event for event in events[:size] if event not in taken] + events[size:]
        steps.append(taken)
    return Plan(kind, steps)


# The engine on a store in memory.


@dataclass
class Frames:
    """Slices by day and changes by edge, in memory. Writing an edge twice, or a day that was not announced, fails."""

    spark: SparkSession
    slices: dict[date, pa.Table] = field(default_factory=dict)
    edges: dict[str, pa.Table] = field(default_factory=dict)

    def read(self, layer: str, name: str, days: list[date] | None = None) -> DataFrame:
        return self._frame(table for day, table in self.slices.items() if days is None or day in days)

    def replace_days(self, frame: DataFrame, layer: str, name: str, days: list[date], metadata: dict) -> None:
        self.slices |= _split(frame, DAY, days)

    def add_edges(self, frame: DataFrame, name: str, edges: list[str], metadata: dict) -> None:
        assert not self.edges.keys() & set(edges), "an edge is never written twice"
        self.edges |= _split(frame, "_edge", edges)

    def changes(self) -> DataFrame:
        return self._frame(self.edges.values())

    def _frame(self, tables: Iterable[pa.Table]) -> DataFrame:
        # One chunk: Spark reads an Arrow table up to its first empty chunk.
        return self.spark.createDataFrame(pa.concat_tables(tables, promote_options="default").combine_chunks())


def _split(frame: DataFrame, column: str, values: list) -> dict[Any, pa.Table]:
    table = frame.toArrow()
    assert set(table[column].to_pylist()) <= set(values), f"only what was announced may be written: {column}"
    return {value: table.filter(pc.field(column) == value) for value in values}


def local_frame(spark: SparkSession, rows: list[tuple], ddl: str) -> DataFrame:
    """A frame whose rows Spark knows: no worker is asked for them."""
    schema = to_arrow_schema(StructType.fromDDL(ddl))
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return spark.createDataFrame(pa.table(list(columns), schema=schema))


def frames_of(spark: SparkSession, deliveries: dict[date, Delivery], contract: Contract) -> Rows:
    good, withheld = [], []
    for day, delivery in deliveries.items():
        for (case, key), values in delivery.rows.items():
            name = f"{case}/{key}"
            if values is None:
                withheld.append((day, name))
            else:
                good.append((day, name, *values.values(), None, 1, "file", 1))
    frame = local_frame(spark, good, SCHEMA).withColumn("_row_hash", history.row_hash(contract.tracked_fields))
    return Rows(frame, local_frame(spark, withheld, f"{DAY} date, key string"))


def facts(delivery: Delivery) -> Loaded:
    return Loaded(None in delivery.rows.values(), delivery.is_closing, delivery.absent)


def live_through(spark: SparkSession, plan: Plan) -> tuple[dict[str, set[tuple]], dict[str, set[tuple]]]:
    """What the engine and the model say after each step: when it was known → intervals."""
    contract, store, links = contract_of(plan.kind), Frames(spark), []
    deliveries: dict[date, Delivery] = {}
    known: set[date] = set()
    expected: dict[str, set[tuple]] = {}
    for number, step in enumerate(plan.steps, start=1):
        known_at = f"2026-02-01T00:00:{number:02d}Z"
        loaded = {day: facts(delivery) for day, delivery in deliveries.items()}
        touched = {event.day for event in step if not event.heard_by_another}
        known |= {event.day for event in step}
        days = chronicle.days_to_build(contract, loaded, known, touched, in_force(links)) if touched else []
        for event in step:
            if event.what is not None:
                deliveries[event.day] = event.what
            elif not event.heard_by_another:
                deliveries.pop(event.day, None)
        if touched:
            rows = frames_of(spark, {day: deliveries[day] for day in days if day in deliveries}, contract)
            loaded = {day: facts(delivery) for day, delivery in deliveries.items()}
            links += chronicle.bring_in_line(
                store, contract, rows, loaded, known, days, links, run=number, known_at=known_at, metadata={}
            )
            expected[known_at] = model_intervals(plan.kind, deliveries, known)
    return read_intervals(spark, store, links, list(expected)), expected


def read_intervals(spark: SparkSession, store: Frames, links: list[Link], times: list[str]) -> dict[str, set[tuple]]:
    """As known at each time, all in one frame."""
    found: dict[str, set[tuple]] = {time: set() for time in times}
    chosen = [(time, link.edge) for time in times for link in in_force(links, time).values()]
    if not chosen:
        return found
    known = store.changes().join(local_frame(spark, chosen, "time string, _edge string"), "_edge")
    for row in intervals(known, key=["time", "key"]).collect():
        case, key = row.key.split("/")
        version = (int(case), key, row.valid_from, row.valid_to, row.left, row.right, row.late, row.deleted)
        assert version not in found[row.time], "a version stands twice"
        found[row.time].add(version)
    return found


def check(spark: SparkSession, plan: Plan) -> None:
    found, expected = live_through(spark, plan)
    for time, versions in expected.items():
        wrong = sorted(found[time] ^ versions, key=str)[:4]
        assert not wrong, f"{plan}\nas known at {time}: {wrong}"
    assert_sound(found[max(found)])


def assert_sound(versions: set[tuple]) -> None:
    """Versions of a key neither overlap nor repeat their neighbour."""
    ordered = sorted(versions, key=lambda version: version[:3])
    for earlier, later in itertools.pairwise(ordered):
        if earlier[:2] == later[:2]:
            assert earlier[3] is not None and earlier[3] <= later[2], "versions overlap"
            assert earlier[3] < later[2] or earlier[4:] != later[4:], "two neighbours are one version"
