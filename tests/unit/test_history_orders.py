"""Any order of arrival gives the history of the model of `tests.history_model`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.sql import SparkSession

from tests.history_model import KINDS, check, make_plan

FOUR_DAYS = list(itertools.permutations(range(4)))
# What a plan costs is the making of its queries: some hundred rows need no second partition.
SMALL = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}


@pytest.fixture
def small(spark: SparkSession) -> Iterator[SparkSession]:
    before = {name: spark.conf.get(name) for name in SMALL}
    for name, value in SMALL.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.set(name, value)


def check_all(spark: SparkSession, kind: str, orders: Iterable[tuple[int, ...]], seed: int) -> None:
    with ThreadPoolExecutor(max_workers=3) as threads:
        list(threads.map(lambda order: check(spark, make_plan(kind, order, seed)), orders))


def random_orders(number: int, seed: int) -> Iterable[tuple[int, ...]]:
    chance = random.Random(seed)
    return [tuple(chance.sample(range(8), 8)) for _ in range(number)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_orders_gives_the_history_of_the_model(spark, kind):
    for order in [*random.Random(kind).sample(FOUR_DAYS, 1), *random_orders(1, seed=2)]:
        check(spark, make_plan(kind, order, seed=1))


@pytest.mark.acceptance
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_of_four_days_gives_the_history_of_the_model(small, kind):
    check_all(small, kind, FOUR_DAYS, seed=2)


@pytest.mark.acceptance
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_orders_of_eight_days_give_the_history_of_the_model(small, kind):
    check_all(small, kind, random_orders(200 // len(KINDS), seed=len(kind)), seed=3)
