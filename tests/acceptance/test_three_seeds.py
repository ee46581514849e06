"""Sixty trading days in one pass, over month ends, a year end and Spring Festival, equal truth for three seeds."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

import simulator
from tests.loading import load_home
from tests.scenarios.test_mutants import UNCHANGED, Mutant, compile_mutants, find_differences
from tests.truth_compare import CLAIMS, must_equal_truth

SEEDS = (11, 12, 13)
CUSTOMERS, DAYS, START = 60, 60, date(2025, 12, 1)

_AVERAGED = "models/intermediate/customers/int_customers_averaged.sql"
_TURNED_OVER = "models/intermediate/customers/int_customers_turned_over.sql"
_PROFITED = "models/intermediate/customers/int_customers_profited.sql"
LONG_MUTANTS = (
    Mutant(
        "turnover_sums_31_days", _TURNED_OVER, "range between 29 preceding", "range between 30 preceding", "customers"
    ),
    Mutant(
        "profit_of_month_and_year_begins_a_month_early",
        _PROFITED,
        "trunc(loaded_days.trading_date, '{{ unit }}')",
        "add_months(trunc(loaded_days.trading_date, '{{ unit }}'), -1)",
        "customers",
    ),
    Mutant(
        "month_average_stops_at_the_last_trading_day",
        _AVERAGED,
        "case when is_month_last_trading_day then last_day(business_date) else business_date end",
        "business_date",
        "customers",
    ),
    Mutant(
        "last_trading_day_counts_once_in_its_month",
        _AVERAGED,
        "total_asset_amount * case when is_month_last_trading_day then natural_days else 1 end",
        "total_asset_amount",
        "customers",
    ),
    Mutant(
        "average_sums_21_trading_days",
        _AVERAGED,
        "range between 19 preceding",
        "range between 20 preceding",
        "customers",
    ),
    Mutant(
        "average_sums_the_last_20_rows",
        _AVERAGED,
        "range between 19 preceding",
        "rows between 19 preceding",
        "customers",
    ),
)
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
def statements(spark, loaded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants") / "dbt_project"
    return compile_mutants(spark, loaded.settings, folder, LONG_MUTANTS)


@pytest.mark.parametrize("mutant", LONG_MUTANTS, ids=lambda mutant: mutant.name)
def test_truth_notices_what_only_a_long_run_shows(spark, loaded, statements, mutant):
    found = find_differences(spark, loaded.settings, mutant.claim, statements[mutant.claim, mutant.name])
    assert found, f"{mutant.name} survives sixty days"


@pytest.mark.parametrize("claim", sorted({mutant.claim for mutant in LONG_MUTANTS}))
def test_the_unchanged_marts_equal_truth(spark, loaded, statements, claim):
    found = find_differences(spark, loaded.settings, claim, statements[claim, UNCHANGED])
    assert not found, "\n".join(found)
