"""Sixty trading days in one pass, over month ends, a year end and Spring Festival, equal truth for three seeds."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

import simulator
from tests.loading import load_home
from tests.scenarios.test_mutants import Mutant, Variants
from tests.truth_compare import CLAIMS, must_equal_truth

SEEDS = (11, 12, 13)
CUSTOMERS, DAYS, START = 60, 60, date(2025, 12, 1)

_AVERAGED = "models/intermediate/customers/int_customers_averaged.sql"
_TURNED_OVER = "models/intermediate/customers/int_customers_turned_over.sql"
_PROFITED = "models/intermediate/customers/int_customers_profited.sql"
# Mutants of one group are made together: each shows in a column that no other of its group touches.
LONG_GROUPS = (
    (
        Mutant(
            "turnover_sums_31_days",
            _TURNED_OVER,
            "range between 29 preceding",
            "range between 30 preceding",
            "customers",
            "turnover_30d_amount",
        ),
        Mutant(
            "profit_of_month_and_year_begins_a_month_early",
            _PROFITED,
            "trunc(loaded_days.trading_date, '{{ unit }}')",
            "add_months(trunc(loaded_days.trading_date, '{{ unit }}'), -1)",
            "customers",
            "month_profit_amount",
        ),
        Mutant(
            "month_average_stops_at_the_last_trading_day",
            _AVERAGED,
            "case when is_month_last_trading_day then last_day(business_date) else business_date end",
            "business_date",
            "customers",
            "month_average_days",
        ),
        Mutant(
            "average_sums_21_trading_days",
            _AVERAGED,
            "range between 19 preceding",
            "range between 20 preceding",
            "customers",
            "average_20d_sum_amount",
        ),
        Mutant(
            "nobody_is_dormant",
            "models/marts/customers/mart_customer_profile.sql",
            "when inactive_days >= {{ var('dormant_days') }}",
            "when inactive_days > 1000 + {{ var('dormant_days') }}",
            "customers",
            "life_cycle",
        ),
    ),
    (
        Mutant(
            "last_trading_day_counts_once_in_its_month",
            _AVERAGED,
            "total_asset_amount * case when is_month_last_trading_day then natural_days else 1 end",
            "total_asset_amount",
            "customers",
            "month_average_sum_amount",
        ),
        Mutant(
            "average_sums_the_last_20_rows",
            _AVERAGED,
            "range between 19 preceding",
            "rows between 19 preceding",
            "customers",
            "average_20d_sum_amount",
        ),
    ),
)
LONG_MUTANTS = tuple(mutant for group in LONG_GROUPS for mutant in group)
"""Wrong formulas that show only behind twenty trading days, or in a month that ends on a holiday."""

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed-{seed}")
def loaded(request, spark, tmp_path_factory):
    """One seed's broker after a single load of everything delivered."""
    home = tmp_path_factory.mktemp(f"seed_{request.param}")
    simulator.simulate(home, customers=CUSTOMERS, days=DAYS, seed=request.param, start=START)
    return load_home(home)


def test_every_day_is_published_across_the_boundaries(loaded):
    days = loaded.outcome.published
    assert len(days) == DAYS and not loaded.outcome.blocked
    assert {(day.year, day.month) for day in days} >= {(2025, 12), (2026, 1), (2026, 2)}
    assert max(later - earlier for earlier, later in itertools.pairwise(days)).days > 7, "no long holiday was crossed"


@pytest.mark.parametrize("file", CLAIMS)
def test_every_row_and_value_equals_truth(loaded, file):
    must_equal_truth(loaded.settings, file)


@pytest.fixture(scope="module")
def variants(spark, loaded, tmp_path_factory) -> Variants:
    return Variants(spark, loaded.settings, tmp_path_factory.mktemp("mutants") / "dbt_project", LONG_GROUPS)


@pytest.mark.parametrize("mutant", LONG_MUTANTS, ids=lambda mutant: mutant.name)
def test_truth_notices_what_only_a_long_run_shows(variants, mutant):
    assert variants.is_noticed(mutant), f"{mutant.name} survives sixty days"


def test_the_unchanged_marts_equal_truth(variants):
    found = variants.unchanged_differences("customers")
    assert not found, "\n".join(found)
