"""Would the model of `tests.history_model` notice? Five lines of the engine are broken one by one, and each time it must."""

from __future__ import annotations

import inspect
import itertools
import random
import textwrap
from datetime import date, timedelta
from types import ModuleType

import pytest

from spark_jobs import chronicle, history
from spark_jobs.chronicle import Loaded
from tests.history_model import Delivery, Event, Plan, check, facts, random_delivery

ONE, TWO, THREE, FOUR = (date(2026, 1, 5) + timedelta(days=place) for place in range(4))
# The third day comes last, so one edge is taken apart; the plan of the incremental feed needs no more than two days.
PLANS = {"full": [[ONE, TWO], [FOUR], [THREE]], "incremental": [[ONE], [TWO]]}


def plan_of(kind: str) -> Plan:
    """Only the second day has rows held back: no other slice hangs on the one before it."""
    chance = random.Random(kind)
    return Plan(kind, [[Event(day, delivery(chance, day == TWO)) for day in step] for step in PLANS[kind]])


def delivery(chance: random.Random, has_withheld: bool) -> Delivery:
    wanted = Loaded(has_withheld=has_withheld)
    return next(one for one in (random_delivery(chance, None) for _ in itertools.count()) if facts(one) == wanted)


BREAKS = {
    "a hash that forgets which column a value stood in": (
        "full", history, "row_hash",
        "F.when(F.col(name).isNotNull(), F.xxhash64(F.lit(name), F.col(name)))", "F.col(name)",
    ),
    "a row held back is a delete": (
        "full", chronicle, "_build",
        "has_withheld = any(day.has_withheld for day in facts.values())", "has_withheld = False",
    ),
    "an edge from an older day": (
        "full", chronicle, "_write_edges",
        "start = max((day for day in held if day < span[0]), default=None)", "start = min((day for day in held if day < span[0]), default=None)",
    ),
    "a late day leaves the edge behind it": (
        "full", chronicle, "relink",
        "before[day].edge != edge", "before[day].fingerprint != following",
    ),
    "an incremental feed carries nothing forward": (
        "incremental", history, "_next_position",
        "F.lead(\"_position\").over(Window.partitionBy(*key).orderBy(\"_position\"))", "F.col(\"_position\") + 1",
    ),
}  # fmt: skip


def break_line(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, right: str, wrong: str) -> None:
    source = textwrap.dedent(inspect.getsource(getattr(module, name)))
    assert source.count(right) == 1, f"{name} does not have the line that is to be broken"
    home = inspect.getmodule(getattr(module, name))
    scope = dict(vars(home))
    exec(compile(source.replace(right, wrong), home.__file__, "exec"), scope)
    monkeypatch.setattr(module, name, scope[name])


@pytest.mark.parametrize("kind", PLANS)
def test_the_engine_as_it_is_agrees_with_the_model(spark, kind):
    check(spark, plan_of(kind))


@pytest.mark.parametrize("name", BREAKS)
def test_the_model_notices(spark, monkeypatch, name):
    kind, *line = BREAKS[name]
    break_line(monkeypatch, *line)
    with pytest.raises(AssertionError, match="as known at"):
        check(spark, plan_of(kind))


def test_sums_that_spark_loses_are_taken_from_what_was_written(spark, monkeypatch):
    monkeypatch.setattr(history, "_PATIENCE", 0)
    check(spark, plan_of("incremental"))
