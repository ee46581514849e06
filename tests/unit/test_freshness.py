"""Freshness of the blocks, from what the ledger knows of each feed."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from spark_jobs.gold.freshness import BLOCKS, build_freshness
from spark_jobs.gold.tables import TABLES

LINES = {
    "normal_counter__trades": "normal",
    "credit_counter__trades": "credit",
    "option_counter__accounts": "option",
    "option_counter__positions": "option",
    "fund_counter__holdings": "fund",
    "fund_counter__navs": "fund",
    "clearing__settlement_details": "reference",
}
MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)


def build(spark: SparkSession, stale_feeds: dict) -> dict:
    """{(block, business_date): (as_of_date, is_stale)}"""
    rows = build_freshness(spark, stale_feeds, LINES).collect()
    found = {(row.block, row.business_date): (row.as_of_date, row.is_stale) for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_block_of_every_day_has_one_row_of_the_declared_columns(spark: SparkSession):
    assert build_freshness(spark, {MONDAY: {}}, LINES).dtypes == [
        (field.name, field.dataType.simpleString()) for field in TABLES["freshness"].schema
    ]
    found = build(spark, {MONDAY: {}, TUESDAY: {}})
    assert found == {(block, day): (day, False) for block in BLOCKS for day in (MONDAY, TUESDAY)}


def test_a_block_is_as_old_as_its_oldest_feed_and_the_others_stay_fresh(spark: SparkSession):
    found = build(spark, {WEDNESDAY: {"option_counter__accounts": TUESDAY, "option_counter__positions": MONDAY}})
    assert found["option", WEDNESDAY] == (MONDAY, True)
    assert {found[block, WEDNESDAY] for block in ("normal", "credit", "fund")} == {(WEDNESDAY, False)}


def test_a_feed_never_delivered_leaves_its_block_without_a_date(spark: SparkSession):
    found = build(spark, {TUESDAY: {"fund_counter__holdings": MONDAY, "fund_counter__navs": None}})
    assert found["fund", TUESDAY] == (None, True)


def test_a_late_reference_feed_makes_no_block_stale(spark: SparkSession):
    found = build(spark, {TUESDAY: {"clearing__settlement_details": None}})
    assert set(found.values()) == {(TUESDAY, False)}


def test_each_day_is_judged_by_its_own_feeds(spark: SparkSession):
    found = build(
        spark, {MONDAY: {"fund_counter__navs": None}, TUESDAY: {}, WEDNESDAY: {"fund_counter__navs": TUESDAY}}
    )
    assert [found["fund", day] for day in (MONDAY, TUESDAY, WEDNESDAY)] == [
        (None, True),
        (TUESDAY, False),
        (TUESDAY, True),
    ]
