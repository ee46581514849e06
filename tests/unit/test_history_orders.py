"""Any order of arrival gives the history of the model of `tests.history_model`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest

from tests.history_model import KINDS, check, make_plan

FOUR_DAYS = list(itertools.permutations(range(4)))


def random_orders(number: int, seed: int) -> Iterable[tuple[int, ...]]:
    chance = random.Random(seed)
    return [tuple(chance.sample(range(8), 8)) for _ in range(number)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_orders_gives_the_history_of_the_model(spark, kind):
    for order in [*random.Random(kind).sample(FOUR_DAYS, 1), *random_orders(1, seed=2)]:
        check(spark, make_plan(kind, order, seed=1))


@pytest.mark.acceptance
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_of_four_days_gives_the_history_of_the_model(spark, kind):
    for order in FOUR_DAYS:
        check(spark, make_plan(kind, order, seed=2))


@pytest.mark.acceptance
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_orders_of_eight_days_give_the_history_of_the_model(spark, kind):
    for order in random_orders(200 // len(KINDS), seed=len(kind)):
        check(spark, make_plan(kind, order, seed=3))
