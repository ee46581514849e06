"""One formula of the marts changed at a time: the truth must notice every one, and must find nothing where nothing is changed.

A copied dbt project holds every variant beside the others, its models and macros under names of their own, so one dbt compile gives
the SQL of all of them; each mart is then computed over the loaded broker's gold tables and held against truth.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from spark_jobs.config import Settings
from spark_jobs.gold.tables import TABLES
from spark_jobs.io import Lake
from spark_jobs.publish.candidate import DBT_PROJECT, MONTH_MARTS, run_dbt
from spark_jobs.publish.duckdb_store import open_published
from tests.truth_compare import CLAIMS, first_differences

COMMISSIONS, CUSTOMERS = "models/intermediate/commissions", "models/intermediate/customers"
MARTS_FOLDER = "models/marts"


@dataclass(frozen=True)
class Mutant:
    """One wrong formula: `text`, found exactly once in `file`, becomes `replacement`; `claim` must then differ from truth."""

    name: str
    file: str
    text: str
    replacement: str
    claim: str


_MAIN_ACCOUNTS_ONLY = """
    select
        account_assets.customer_id,
        account_assets.business_date,
        {% for block in ['cash', 'securities', 'restricted', 'in_transit', 'fund', 'credit_asset', 'credit_debt', 'credit_net',
            'option_equity', 'total_asset', 'net_asset'] %}
        cast(sum(account_assets.{{ block }}_amount) as decimal(18, 2)) as {{ block }}_amount{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_gold__account_assets') }} as account_assets
    inner join {{ ref('stg_gold__accounts') }} as accounts
        on
            account_assets.business_line = accounts.business_line
            and account_assets.account_id = accounts.account_id
            and account_assets.business_date = accounts.business_date
    where accounts.account_role = 'main'
    group by account_assets.customer_id, account_assets.business_date
"""

MUTANTS = (
    Mutant(
        "what_was_taken_out_is_a_loss",
        "models/intermediate/customers/int_customers_profited.sql",
        "flow_class in ('client_in', 'client_out')",
        "flow_class = 'client_in'",
        "customers",
    ),
    Mutant(
        "net_commission_leaves_out_other_fees",
        f"{MARTS_FOLDER}/commissions/mart_commission_customer_day.sql",
        "sum(net_commission_amount)",
        "sum(net_commission_amount - other_fee_amount)",
        "commission_customer_day",
    ),
    Mutant(
        "unassigned_is_dropped",
        f"{MARTS_FOLDER}/commissions/mart_commission_employee_month.sql",
        "    from attributed\n",
        "    from attributed\n    where employee_id != 'unassigned'\n",
        "commission_employee_month",
    ),
    Mutant(
        "ratios_of_the_trade_date_pay",
        "models/intermediate/calendar/int_trading_days_numbered.sql",
        "lag(trading_date, {{ var('relation_lag_trading_days') }})",
        "lag(trading_date, 0)",
        "commission_employee_month",
    ),
    Mutant(
        "relations_pay_before_they_are_effective",
        f"{COMMISSIONS}/int_relations_in_force.sql",
        "and recent_relations.effective_date <= recent_relations.business_date",
        "",
        "commission_employee_month",
    ),
    Mutant(
        "smallest_remainder_gets_the_cent",
        f"{COMMISSIONS}/int_commissions_attributed.sql",
        "{{ measure }}_share_cents - {{ measure }}_floor_cents desc",
        "{{ measure }}_share_cents - {{ measure }}_floor_cents asc",
        "commission_employee_month",
    ),
    Mutant(
        "ratios_above_one_are_paid",
        f"{COMMISSIONS}/int_commissions_attributed.sql",
        "when ratio_sum = 1 then staff",
        "when ratio_sum >= 1 then staff",
        "commission_employee_month",
    ),
    Mutant(
        "share_is_rounded_to_whole_cents",
        "macros/share_in_cents.sql",
        "cast(abs({{ amount }}) * 100 as decimal(20, 0)) * {{ ratio }}",
        "round(cast(abs({{ amount }}) * 100 as decimal(20, 0)) * {{ ratio }}, 0)",
        "commission_employee_month",
    ),
    Mutant(
        "account_branch_view_uses_gross",
        f"{MARTS_FOLDER}/commissions/mart_commission_branch_month.sql",
        "        net_commission_amount as account_branch_net_commission_amount",
        "        gross_commission_amount as account_branch_net_commission_amount",
        "commission_branch_month",
    ),
    Mutant(
        "average_divides_by_twenty",
        f"{CUSTOMERS}/int_customers_averaged.sql",
        "average_20d_sum_amount / cast(average_20d_days as decimal(3, 0))",
        "average_20d_sum_amount / cast(20 as decimal(3, 0))",
        "customers",
    ),
    Mutant(
        "month_average_counts_trading_days_only",
        "models/intermediate/calendar/int_calendar_counted_by_month.sql",
        "cast(count(*) as int) as natural_days",
        "1 as natural_days",
        "customers",
    ),
    Mutant(
        "total_asset_leaves_out_in_transit",
        f"{CUSTOMERS}/int_customers_with_assets.sql",
        "coalesce(customer_assets.total_asset_amount, cast(0 as decimal(18, 2)))",
        "coalesce(customer_assets.total_asset_amount - customer_assets.in_transit_amount, cast(0 as decimal(18, 2)))",
        "customers",
    ),
    Mutant(
        "customer_sum_misses_auxiliary_accounts",
        f"{CUSTOMERS}/int_customers_with_assets.sql",
        "select * from {{ ref('stg_gold__customer_assets') }}",
        _MAIN_ACCOUNTS_ONLY,
        "customers",
    ),
    Mutant(
        "first_trade_date_is_called_last",
        f"{CUSTOMERS}/int_customers_last_traded.sql",
        "max(trade_date) over",
        "min(trade_date) over",
        "customers",
    ),
    Mutant(
        "main_staff_need_not_be_main_service",
        f"{CUSTOMERS}/int_main_staff_chosen.sql",
        "        is_main_service\n        and effective_date",
        "        effective_date",
        "customers",
    ),
    Mutant(
        "restricted_shares_count_twice",
        f"{MARTS_FOLDER}/customers/mart_customer_account.sql",
        "account_assets.securities_amount,",
        "account_assets.securities_amount + account_assets.restricted_amount as securities_amount,",
        "accounts",
    ),
    Mutant(
        "fills_without_customer_are_dropped",
        f"{MARTS_FOLDER}/commissions/mart_commission_customer_day.sql",
        "where {{ is_loaded_date('business_date') }}",
        "where {{ is_loaded_date('business_date') }} and customer_id is not null",
        "commission_customer_day",
    ),
    Mutant(
        "unassigned_wins_a_tie",
        f"{COMMISSIONS}/int_commissions_attributed.sql",
        "is_unassigned asc",
        "is_unassigned desc",
        "commission_employee_month",
    ),
)
UNCHANGED = "unchanged"


def mart_of(claim: str) -> str:
    """The one mart a claim's query reads."""
    return re.search(r"from (mart_\w+)", CLAIMS[claim].query).group(1)


def write_variants(folder: Path, mutants: Iterable[Mutant]) -> None:
    """A copy of the dbt project with every model and macro once per mutant, named `<name>__<mutant>`, and once unchanged."""
    shutil.copytree(
        DBT_PROJECT, folder, ignore=shutil.ignore_patterns("models", "macros", "data_tests", "target", "logs")
    )
    sources = DBT_PROJECT / "models/staging/sources.yml"
    files = sorted(file for part in ("models", "macros") for file in (DBT_PROJECT / part).rglob("*.sql"))
    # dbt itself calls these two by name.
    shared = {"generate_schema_name", "switch_ansi_on"}
    names = "|".join(file.stem for file in files if file.stem not in shared)
    for variant in (None, *mutants):
        suffix = variant.name if variant else UNCHANGED
        for file in files:
            place, content = str(file.relative_to(DBT_PROJECT)), file.read_text(encoding="utf-8")
            target = folder / place
            if file.stem not in shared:
                target = target.with_name(f"{file.stem}__{suffix}.sql")
            if variant and place == variant.file:
                times = content.count(variant.text)
                assert times == 1, f"{variant.name}: its text is in {place} {times} times, not once"
                content = content.replace(variant.text, variant.replacement)
            if file.stem not in shared:
                content = re.sub(rf"\b({names})\b", rf"\1__{suffix}", content)
                # One statement per mart: what dbt would keep as a table in between is computed where it is used.
                if "/intermediate/" in place and "config(" not in content:
                    content = "{{ config(materialized='ephemeral') }}\n" + content
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        assert variant is None or (DBT_PROJECT / variant.file) in files, f"{variant.name}: there is no {variant.file}"
    shutil.copy(sources, folder / "models/staging/sources.yml")


def compile_marts(spark: SparkSession, folder: Path, settings: Settings, marts: Iterable[str]) -> dict[str, str]:
    """SQL of `marts` (with their variant's suffix), for every published day of the home, through one dbt compile."""
    with open_published(settings.published) as connection:
        first, last = connection.execute("select min(business_date), max(business_date) from publication").fetchone()
    opening = min(day.name for day in settings.landing.iterdir())
    variables = {
        "candidate_schema": "mutants",
        "first_date": first.isoformat(),
        "last_date": last.isoformat(),
        "opening_date": opening,
        "relation_lag_trading_days": settings.relation_lag_trading_days,
    }
    command = ["compile", "--select", *sorted(marts), "--no-introspect", "--no-populate-cache", "--no-partial-parse"]
    outcome = run_dbt(spark, settings, command, variables, folder)
    assert outcome.success, outcome.exception or [item.message for item in outcome.result.results]
    return {item.node.name: item.node.compiled_code for item in outcome.result.results}


def find_differences(spark: SparkSession, settings: Settings, claim_file: str, statement: str) -> list[str]:
    """How the mart that `statement` computes differs from truth; the first twenty."""
    mart = mart_of(claim_file)
    newest = "qualify as_of_date = max(as_of_date) over (partition by commission_month)" if mart in MONTH_MARTS else ""
    with duckdb.connect() as connection:
        connection.register("computed", spark.sql(statement).toArrow())
        connection.execute(f"create view {mart} as select * from computed {newest}")
        return first_differences(settings, claim_file, connection)


def compile_mutants(
    spark: SparkSession, settings: Settings, folder: Path, mutants: Iterable[Mutant]
) -> dict[tuple[str, str], str]:
    """(claim, mutant or `unchanged`) → SQL of the claim's mart, with gold registered for it."""
    mutants = tuple(mutants)
    write_variants(folder, mutants)
    wanted = {
        (mutant.claim, name): f"{mart_of(mutant.claim)}__{name}"
        for mutant in mutants
        for name in (mutant.name, UNCHANGED)
    }
    compiled = compile_marts(spark, folder, settings, set(wanted.values()))
    Lake(spark, settings.lake).register("gold", TABLES)
    return {key: compiled[model] for key, model in wanted.items()}


@pytest.fixture(scope="module")
def statements(spark, broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants") / "dbt_project"
    return compile_mutants(spark, broker.settings, folder, MUTANTS)


@pytest.mark.parametrize("claim", sorted({mutant.claim for mutant in MUTANTS}))
def test_the_unchanged_marts_equal_truth(spark, broker, statements, claim):
    found = find_differences(spark, broker.settings, claim, statements[claim, UNCHANGED])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_truth_notices_the_wrong_formula(spark, broker, statements, mutant):
    found = find_differences(spark, broker.settings, mutant.claim, statements[mutant.claim, mutant.name])
    assert found, f"{mutant.name}: neither truth nor the invented broker's events tell it from the right formula"
