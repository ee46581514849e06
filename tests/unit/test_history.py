"""The history engine against a plain model: what the slices must be is said in a few lines of Python."""

from __future__ import annotations

import itertools
import random
import textwrap
from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_jobs import history
from spark_jobs.history import build_slices, carry_columns, fetch_changes, find_changes, intervals, row_hash
from spark_jobs.io import Lake

DAYS = [date(2026, 1, 5) + timedelta(days=offset) for offset in range(4)]
SCHEMA = "business_date date, key string, value string, deleted boolean"


def model(deliveries: dict, withheld: set, incremental: bool) -> dict:
    """{day: {key: value}} from {day: {key: (value, deleted)} or None where nothing was delivered}."""
    state, states = {}, {}
    for day, rows in deliveries.items():
        if rows is not None:
            kept_back = {key: state[key] for key in state if (day, key) in withheld}
            good = {key: pair for key, pair in rows.items() if (day, key) not in withheld}
            base = dict(state) if incremental else kept_back
            base.update({key: value for key, (value, _) in good.items()})
            state = {key: value for key, value in base.items() if not (key in good and good[key][1])}
        states[day] = dict(state)
    return states


def run_engine(spark: SparkSession, cases: list[dict]) -> dict:
    """All cases as one frame, with the case in the key, like feeds of one mode and one set of delivered days."""
    rows = [
        (day, f"{number}/{key}", value, deleted)
        for number, case in enumerate(cases)
        for day, delivered in case["deliveries"].items()
        for key, (value, deleted) in (delivered or {}).items()
        if (day, key) not in case["withheld"]
    ]
    held = [(day, f"{number}/{key}") for number, case in enumerate(cases) for day, key in case["withheld"]]
    frame = spark.createDataFrame(rows, SCHEMA).withColumn("_row_hash", row_hash(["value", "deleted"]))
    delivered_days = [day for day, delivered in cases[0]["deliveries"].items() if delivered is not None]
    slices = build_slices(
        frame,
        None,
        spark.createDataFrame(held, "business_date date, key string") if held else None,
        key=["key"],
        days=DAYS,
        delivered_days=delivered_days,
        incremental=cases[0]["incremental"],
        delete_flag="deleted",
    )
    found: dict = {number: {day: {} for day in DAYS} for number in range(len(cases))}
    for row in slices.collect():
        number, key = row.key.split("/")
        assert key not in found[int(number)][row.business_date], "a key stands twice on one day"
        found[int(number)][row.business_date][key] = row.value
    return found


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("silent_day", [None, 1, 2])
def test_slices_equal_the_plain_model_for_random_deliveries(spark, incremental, silent_day):
    chance = random.Random(7)
    cases = []
    for _ in range(150):
        deliveries = {
            day: None
            if position == silent_day
            else {
                key: (chance.choice(["a", "b", None]), chance.random() < 0.15) for key in "xyz" if chance.random() < 0.7
            }
            for position, day in enumerate(DAYS)
        }
        withheld = {(day, key) for day, rows in deliveries.items() for key in rows or {} if chance.random() < 0.2}
        cases.append({"deliveries": deliveries, "withheld": withheld, "incremental": incremental})
    found = run_engine(spark, cases)
    for number, case in enumerate(cases):
        assert found[number] == model(case["deliveries"], case["withheld"], incremental), case


def slices_of(spark, states):
    rows = [(day, key, value, False) for day, state in states.items() for key, value in state.items()]
    return spark.createDataFrame(rows, SCHEMA).withColumn("_row_hash", row_hash(["value"]))


def build_changes(slices, previous=None, **range_of_days):
    return fetch_changes(find_changes(slices, previous, **range_of_days), slices, **range_of_days)


def test_a_null_that_becomes_a_value_and_back_is_a_change(spark):
    states = dict(zip(DAYS, [{"x": None}, {"x": "a"}, {"x": None}, {"x": None}], strict=True))
    changes = build_changes(slices_of(spark, states), key=["key"], days=DAYS, previous_day=None)
    found = [(row.business_date, row._change, row.value) for row in changes.orderBy("business_date").collect()]
    assert found == [(DAYS[0], "insert", None), (DAYS[1], "update", "a"), (DAYS[2], "update", None)]


def test_a_key_that_goes_and_comes_back_has_a_gap(spark):
    states = dict(zip(DAYS, [{"x": "a"}, {}, {"x": "a"}, {"x": "b"}], strict=True))
    changes = build_changes(slices_of(spark, states), key=["key"], days=DAYS, previous_day=None)
    found = [
        (row.valid_from, row.valid_to, row.value)
        for row in intervals(changes, key=["key"]).orderBy("valid_from").collect()
    ]
    assert found == [(DAYS[0], DAYS[1], "a"), (DAYS[2], DAYS[3], "a"), (DAYS[3], None, "b")]


def test_a_range_gives_the_changes_of_its_days_taken_singly(spark):
    chance = random.Random(3)
    states = {day: {key: chance.choice("ab") for key in "uvwxyz" if chance.random() < 0.7} for day in DAYS}
    slices = slices_of(spark, states).persist()
    at_once = build_changes(slices, key=["key"], days=DAYS, previous_day=None)
    singly = [
        build_changes(
            slices.where(F.col("business_date") == day),
            slices.where(F.col("business_date") == before) if before else None,
            key=["key"],
            days=[day],
            previous_day=before,
        )
        for before, day in itertools.pairwise([None, *DAYS])
    ]

    def plain(frames):
        return sorted(
            (row.business_date, row.key, row._change, str(row.value), str(row._from_date))
            for frame in frames
            for row in frame.collect()
        )

    assert plain([at_once]) == plain(singly)
    assert {row[2] for row in plain([at_once])} == {"insert", "update", "delete"}


def test_a_range_longer_than_a_number_has_bits_gives_the_same_changes(spark):
    days = [DAYS[0] + timedelta(days=offset) for offset in range(130)]
    states = {day: {"always": "a", "odd": str(position % 2)} for position, day in enumerate(days)}
    del states[days[61]]["always"]
    changes = build_changes(slices_of(spark, states), key=["key"], days=days, previous_day=None).collect()
    found = {(row.business_date, row.key, row._change) for row in changes}
    expected = {(day, "odd", "update") for day in days[1:]} | {(days[0], key, "insert") for key in ("always", "odd")}
    assert found == expected | {(days[61], "always", "delete"), (days[62], "always", "insert")}
    assert len(changes) == len(found)


def test_the_example_of_the_module_runs(spark):
    """On two days: x changes, y goes, and z only in a column that is not compared, so its version keeps what it began with."""
    rows = spark.createDataFrame(
        [(DAYS[0], "x", "a", "1"), (DAYS[0], "y", None, "1"), (DAYS[0], "z", None, "1"), (DAYS[1], "x", "b", "2"), (DAYS[1], "z", None, "2")],
        "business_date date, key string, value string, seen string",
    )  # fmt: skip
    example = textwrap.dedent(history.__doc__[history.__doc__.index("    rows =") :])
    given = {"rows": rows, "previous": None, "withheld": None, "key": ["key"], "names": ["key", "value"], "days": DAYS[:2], "before": None}  # fmt: skip
    scope = vars(history) | given
    exec(example, scope)
    found = {(row.key, row.value, row.seen, row.valid_from, row.valid_to) for row in scope["versions"].collect()}
    assert found == {
        ("x", "a", "1", DAYS[0], DAYS[1]), ("x", "b", "2", DAYS[1], None), ("y", None, "1", DAYS[0], DAYS[1]), ("z", None, "1", DAYS[0], None),
    }  # fmt: skip


def test_a_column_that_is_no_longer_sent_is_no_change(spark):
    """The second day's file lacks the column; on the third it is back, with another value for y."""
    rows = spark.createDataFrame(
        [(day, key, value) for day, values in zip(DAYS, ["aa", [None, None], "ab"], strict=False) for key, value in zip("xy", values, strict=True)],
        "business_date date, key string, value string",
    ).withColumn("_row_hash", row_hash(["key", "value"])).withColumn("_as_of_date", F.col("business_date"))  # fmt: skip
    place = {"key": ["key"], "days": DAYS[:3]}
    slices = carry_columns(rows, None, {DAYS[1]: ["value"]}, hashed=["key", "value"], **place)
    changes = find_changes(slices, None, previous_day=None, **place).collect()
    assert [(row.business_date, row.key, row._change) for row in changes] == [(DAYS[2], "y", "update")]


def test_a_column_that_is_new_and_empty_is_no_change(spark):
    old, new = (row_hash(["key"]), row_hash(["key", "value"]))
    (row,) = spark.createDataFrame([("x", None)], "key string, value string").select(old.alias("old"), new.alias("new")).collect()  # fmt: skip
    assert row.old == row.new


def test_the_sums_taken_while_slices_are_written_are_those_of_what_was_written(spark, tmp_path, monkeypatch):
    """The third day is empty; before anything is written there are no sums, and nobody waits for them for ever."""
    slices = slices_of(spark, {DAYS[0]: {"x": "a", "y": None}, DAYS[1]: {"x": "b"}})
    observed, sums = history.observed_fingerprints(slices, DAYS[:3])
    with monkeypatch.context() as patience:
        patience.setattr(history, "_PATIENCE", 0.1)
        assert sums() == {}
    lake = Lake(spark, str(tmp_path))
    lake.replace_days(observed, "silver", "things", DAYS[:3], {})
    found = sums()
    assert found == history.fingerprints(lake.read("silver", "things"), DAYS[:3])
    assert [history.rows_of(found[day]) for day in DAYS[:3]] == [2, 1, 0]
