"""Formulas of the marts changed, one at a time in what they touch: the truth must notice every one, and nothing where nothing is changed.

A copied dbt project holds every variant beside the others, its models and macros under names of their own, so one dbt compile gives
the SQL of all of them; each mart is then computed over the loaded broker's gold tables and held against truth. Mutants that touch different
columns share a variant.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from spark_jobs.config import Settings
from spark_jobs.gold.merges import days_merged_alike, register_gold
from spark_jobs.io import Lake
from spark_jobs.publish.candidate import DBT_PROJECT, run_dbt
from spark_jobs.publish.duckdb_store import open_published
from spark_jobs.publish.marts import MARTS
from tests.truth_compare import CLAIMS, differences_from_truth, first_differences

# Many minutes of a machine with two cores.
pytestmark = pytest.mark.acceptance

INCOMES, CUSTOMERS = "models/intermediate/incomes", "models/intermediate/customers"
OUTBOUND = "models/intermediate/outbound"
MARTS_FOLDER = "models/marts"


@dataclass(frozen=True)
class Mutant:
    """One wrong formula: `text`, found exactly once in `file`, becomes `replacement`; `column` of `claim` must then differ from truth.

    `rows` as a column means: a row is missing, or one too many.
    """

    name: str
    file: str
    text: str
    replacement: str
    claim: str
    column: str


Groups = tuple[tuple[Mutant, ...], ...]

_MAIN_ACCOUNTS_ONLY = """
    select
        account_assets.customer_id,
        account_assets.business_date,
        {% for block in ['cash', 'securities', 'restricted', 'in_transit', 'fund', 'credit_asset', 'credit_debt', 'credit_net',
            'option_equity', 'repurchase_asset', 'repurchase_debt', 'pledge_debt', 'total_asset', 'net_asset'] %}
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

# Mutants of one group are made together: each shows in a column that no other of its group touches.
GROUPS = (
    (
        Mutant(
            "what_was_taken_out_is_a_loss",
            "models/intermediate/customers/int_customers_profited.sql",
            "flow_class in ('client_in', 'client_out')",
            "flow_class = 'client_in'",
            "customers",
            "day_profit_amount",
        ),
        Mutant(
            "average_divides_by_twenty",
            f"{CUSTOMERS}/int_customers_averaged.sql",
            "average_20d_sum_amount / cast(average_20d_days as decimal(3, 0))",
            "average_20d_sum_amount / cast(20 as decimal(3, 0))",
            "customers",
            "average_20d_asset_amount",
        ),
        Mutant(
            "month_average_counts_trading_days_only",
            "models/intermediate/calendar/int_calendar_counted_by_month.sql",
            "cast(count(*) as int) as natural_days",
            "1 as natural_days",
            "customers",
            "month_average_sum_amount",
        ),
        Mutant(
            "first_trade_date_is_called_last",
            f"{CUSTOMERS}/int_customers_last_traded.sql",
            "max(trade_date) over",
            "min(trade_date) over",
            "customers",
            "last_trade_date",
        ),
        Mutant(
            "main_staff_need_not_be_main_service",
            f"{CUSTOMERS}/int_main_staff_chosen.sql",
            "        is_main_service\n        and effective_date",
            "        effective_date",
            "customers",
            "main_staff_employee_id",
        ),
        Mutant(
            "the_best_guarantee_tier_is_called_the_worst",
            f"{CUSTOMERS}/int_repurchases_worst_by_customer.sql",
            "case min(\n",
            "case max(\n",
            "customers",
            "guarantee_tier",
        ),
        Mutant(
            "an_ended_agreement_goes_on",
            f"{CUSTOMERS}/int_customers_advised.sql",
            "where agreement_status = 'active' and customer_id is not null",
            "where customer_id is not null",
            "customers",
            "advice_agreement_count",
        ),
        Mutant(
            "reverse_repo_is_told_as_a_bond",
            f"{MARTS_FOLDER}/incomes/mart_income_product_day.sql",
            "then 'reverse_repo'",
            "then 'bond'",
            "income_product_day",
            "rows",
        ),
        Mutant(
            "a_redemption_fee_stays_income",
            f"{INCOMES}/int_incomes_summed_to_account_day.sql",
            "business_code = 'redemption'\n",
            "business_code = 'redeemed'\n",
            "income_customer_day",
            "net_amount",
        ),
        Mutant(
            "net_commission_leaves_out_other_fees",
            f"{MARTS_FOLDER}/commissions/mart_commission_customer_day.sql",
            "sum(net_commission_amount)",
            "sum(net_commission_amount - other_fee_amount)",
            "commission_customer_day",
            "net_commission_amount",
        ),
        Mutant(
            "restricted_shares_count_twice",
            f"{MARTS_FOLDER}/customers/mart_customer_account.sql",
            "account_assets.securities_amount,",
            "account_assets.securities_amount + account_assets.restricted_amount as securities_amount,",
            "accounts",
            "securities_amount",
        ),
        Mutant(
            "account_branch_view_uses_gross",
            f"{MARTS_FOLDER}/commissions/mart_commission_branch_month.sql",
            "        net_amount as account_branch_net_commission_amount",
            "        gross_amount as account_branch_net_commission_amount",
            "commission_branch_month",
            "account_branch_net_commission_amount",
        ),
        Mutant(
            "unassigned_is_dropped",
            f"{MARTS_FOLDER}/commissions/mart_commission_employee_month.sql",
            "    from attributed\n",
            "    from attributed\n    where employee_id != 'unassigned'\n",
            "commission_employee_month",
            "rows",
        ),
    ),
    (
        Mutant(
            "total_asset_leaves_out_in_transit",
            f"{CUSTOMERS}/int_customers_with_assets.sql",
            "coalesce(customer_assets.total_asset_amount, cast(0 as decimal(18, 2)))",
            "coalesce(customer_assets.total_asset_amount - customer_assets.in_transit_amount, cast(0 as decimal(18, 2)))",
            "customers",
            "total_asset_amount",
        ),
        Mutant(
            "fills_without_customer_are_dropped",
            f"{MARTS_FOLDER}/commissions/mart_commission_customer_day.sql",
            "where {{ is_loaded_date('business_date') }}",
            "where {{ is_loaded_date('business_date') }} and customer_id is not null",
            "commission_customer_day",
            "rows",
        ),
        Mutant(
            "ratios_of_the_trade_date_pay",
            "models/intermediate/calendar/int_trading_days_numbered.sql",
            "lag(trading_date, {{ var('relation_lag_trading_days') }})",
            "lag(trading_date, 0)",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "customer_sum_misses_auxiliary_accounts",
            f"{CUSTOMERS}/int_customers_with_assets.sql",
            "select * from {{ ref('stg_gold__customer_assets') }}",
            _MAIN_ACCOUNTS_ONLY,
            "customers",
            "cash_amount",
        ),
        Mutant(
            "relations_pay_before_they_are_effective",
            f"{INCOMES}/int_relations_in_force.sql",
            "and recent_relations.effective_date <= recent_relations.business_date",
            "",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "every_list_calls",
            f"{MARTS_FOLDER}/outbound/mart_outbound_call.sql",
            "list_rank = 1 as is_call",
            "true as is_call",
            "outbound_calls",
            "is_call",
        ),
        Mutant(
            "do_not_call_stops_mandatory_notices",
            f"{OUTBOUND}/int_customers_listed.sql",
            "when outbound_lists.purpose = 'mandatory' then null",
            "when outbound_lists.purpose = 'nothing' then null",
            "outbound_suppressed",
            "rows",
        ),
        Mutant(
            "smallest_remainder_gets_the_cent",
            "macros/attributed_amounts.sql",
            "{{ measure }}_share_cents - {{ measure }}_floor_cents desc",
            "{{ measure }}_share_cents - {{ measure }}_floor_cents asc",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "cool_down_counts_from_the_date",
            f"{OUTBOUND}/int_customers_listed.sql",
            "datediff(with_reasons.call_date, with_reasons.last_call_date)",
            "datediff(with_reasons.as_of_date, with_reasons.last_call_date)",
            "outbound_suppressed",
            "rows",
        ),
        Mutant(
            "ratios_above_one_are_paid",
            "macros/attributed_amounts.sql",
            "when ratio_sum = 1 then staff",
            "when ratio_sum >= 1 then staff",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "what_the_lowest_level_may_hold",
            f"{CUSTOMERS}/int_holdings_summed_to_customer.sql",
            "> cast(substr(customers.risk_level, 2, 1) as int)",
            ">= cast(substr(customers.risk_level, 2, 1) as int)",
            "customers",
            "mismatched_holding_count",
        ),
        Mutant(
            "share_is_rounded_to_whole_cents",
            "macros/share_in_cents.sql",
            "cast(abs({{ amount }}) * 100 as decimal(20, 0)) * {{ ratio }}",
            "round(cast(abs({{ amount }}) * 100 as decimal(20, 0)) * {{ ratio }}, 0)",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "a_tag_is_first_earned_when_it_was_last_earned",
            f"{MARTS_FOLDER}/customers/mart_customer_tag.sql",
            "min(tags_by_day.business_date) as first_date",
            "max(tags_by_day.business_date) as first_date",
            "tags",
            "first_date",
        ),
        Mutant(
            "who_was_valid_before_is_newly_valid",
            f"{MARTS_FOLDER}/customers/mart_customer_movement.sql",
            "when is_valid_customer and not was_valid_customer then",
            "when is_valid_customer then",
            "customer_movements",
            "rows",
        ),
        Mutant(
            "every_customer_is_covered",
            f"{MARTS_FOLDER}/performance/mart_performance_branch_month.sql",
            "count_if(main_staff_employee_id is not null)",
            "count(*)",
            "performance_branch_month",
            "covered_customer_count",
        ),
        Mutant(
            "fills_of_options_earn_no_tag",
            f"{CUSTOMERS}/int_customer_tags_by_day.sql",
            "case when business_line = 'option' then 'option_trading' end",
            "case when business_line = 'options' then 'option_trading' end",
            "tags",
            "rows",
        ),
        Mutant(
            "the_first_application_of_a_phone_speaks",
            f"{MARTS_FOLDER}/customers/mart_prospect.sql",
            "order by started_date desc, application_id desc",
            "order by started_date, application_id",
            "prospects",
            "rows",
        ),
        Mutant(
            "vat_is_added_to_what_it_lies_within",
            "macros/deducted_amount.sql",
            "net_amount - round(net_amount / cast(1 + {{ rule['rate'] }} as decimal(6, 4)), 2)",
            "round(net_amount * {{ rule['rate'] }}, 2)",
            "income_customer_day",
            "vat_amount",
        ),
        Mutant(
            "advice_belongs_to_staff_of_its_own_line",
            f"{INCOMES}/int_incomes_summed_to_account_day.sql",
            "case business_line when 'fund_advice' then 'fund' else 'normal' end as account_line",
            "business_line as account_line",
            "performance_employee_month",
            "advice_net_amount",
        ),
        Mutant(
            "unassigned_wins_a_tie",
            "macros/attributed_amounts.sql",
            "is_unassigned asc",
            "is_unassigned desc",
            "commission_employee_month",
            "net_commission_amount",
        ),
    ),
    (
        Mutant(
            "what_was_let_off_was_never_earned",
            f"{INCOMES}/int_interest_accrued.sql",
            "contracts.unpaid_interest_amount + contracts.waived_interest_amount as accrued_amount",
            "contracts.unpaid_interest_amount as accrued_amount",
            "income_accruals",
            "accrued_amount",
        ),
        Mutant(
            "who_brought_an_account_shares_it_with_who_serves_it",
            f"{INCOMES}/int_relations_by_view.sql",
            "when ratio_sum > 0 then pay_ratio * 100000000 / ratio_sum",
            "when ratio_sum > 0 then pay_ratio * 100000000",
            "income_view_day",
            "net_amount",
        ),
        Mutant(
            "a_rate_the_counter_lacks_is_applied",
            f"{MARTS_FOLDER}/performance/mart_rate_check.sql",
            "in ('different', 'missing')",
            "in ('different')",
            "rate_check",
            "rate_status",
        ),
        Mutant(
            "the_day_has_what_the_month_has",
            f"{MARTS_FOLDER}/performance/mart_performance_employee_month.sql",
            "when trading_days.trading_date = by_day.business_date",
            "when trading_days.trading_date >= by_day.business_date",
            "performance_employee_month",
            "day_after_deductions_amount",
        ),
    ),
)
MUTANTS = tuple(mutant for group in GROUPS for mutant in group)
UNCHANGED = "unchanged"
DATABASE = "mutants"


def mart_of(claim: str) -> str:
    """The one mart a claim's query reads."""
    return re.search(r"from (mart_\w+)", CLAIMS[claim].query).group(1)


def variants_of(groups: Groups) -> dict[str, tuple[Mutant, ...]]:
    """Suffix of a variant's models → the mutants in it."""
    return {UNCHANGED: (), **{f"group_{place}": group for place, group in enumerate(groups)}}


def write_variants(folder: Path, groups: Groups) -> None:
    """A copy of the dbt project with every model and macro once a variant, named `<name>__<variant>`."""
    shutil.copytree(
        DBT_PROJECT, folder, ignore=shutil.ignore_patterns("models", "macros", "data_tests", "target", "logs")
    )
    files = sorted(file for part in ("models", "macros") for file in (DBT_PROJECT / part).rglob("*.sql"))
    # dbt itself calls these two by name.
    shared = {"generate_schema_name", "switch_ansi_on"}
    names = "|".join(file.stem for file in files if file.stem not in shared)
    for suffix, mutants in variants_of(groups).items():
        for mutant in mutants:
            assert DBT_PROJECT / mutant.file in files, f"{mutant.name}: there is no {mutant.file}"
        for file in files:
            place, content = str(file.relative_to(DBT_PROJECT)), file.read_text(encoding="utf-8")
            target = folder / place
            for mutant in mutants:
                if place == mutant.file:
                    times = content.count(mutant.text)
                    assert times == 1, f"{mutant.name}: its text is in {place} {times} times, not once"
                    content = content.replace(mutant.text, mutant.replacement)
            if file.stem not in shared:
                target = target.with_name(f"{file.stem}__{suffix}.sql")
                content = re.sub(rf"\b({names})\b", rf"\1__{suffix}", content)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
    shutil.copy(DBT_PROJECT / "models/staging/sources.yml", folder / "models/staging/sources.yml")


class Variants:
    """Marts of every variant, computed over the gold tables of one loaded broker when they are asked for.

    One build knows one state of who is merged with whom, so the days are the last on which that is the same.
    """

    def __init__(self, spark: SparkSession, settings: Settings, folder: Path, groups: Groups) -> None:
        self._spark, self._settings = spark, settings
        self._variant_of = {mutant: suffix for suffix, mutants in variants_of(groups).items() for mutant in mutants}
        write_variants(folder, groups)
        claims = {mutant.claim for mutant in self._variant_of}
        wanted = {f"{mart_of(mutant.claim)}__{suffix}" for mutant, suffix in self._variant_of.items()}
        wanted |= {f"{mart_of(claim)}__{UNCHANGED}" for claim in claims}
        lake = Lake(spark, settings.lake)
        with open_published(settings.published) as connection:
            published = connection.execute("select distinct business_date from publication").fetchall()
        days = days_merged_alike(lake, [day for (day,) in published])[-1]
        self._since = min(days).isoformat()
        self._statements = self._compile(folder, wanted, days)
        register_gold(lake, max(days))
        spark.sql(f"drop database if exists {DATABASE} cascade")
        spark.sql(f"create database {DATABASE}")
        self._built: set[str] = set()
        self._differing: dict[tuple[str, str], set[str]] = {}

    def _compile(self, folder: Path, models: set[str], days: list[dt.date]) -> dict[str, str]:
        """SQL of `models` and of the tables they are made of, for `days`, through one dbt compile."""
        variables = {
            "candidate_schema": DATABASE,
            "first_date": min(days).isoformat(),
            "last_date": max(days).isoformat(),
            "opening_date": min(day.name for day in self._settings.landing.iterdir()),
            "relation_lag_trading_days": self._settings.relation_lag_trading_days,
        }
        command = ["compile", "--select", *(f"+{model}" for model in sorted(models))]
        command += ["--no-introspect", "--no-populate-cache", "--no-partial-parse"]
        outcome = run_dbt(self._spark, self._settings, command, variables, folder)
        assert outcome.success, outcome.exception or [item.message for item in outcome.result.results]
        return {item.node.name: item.node.compiled_code for item in outcome.result.results}

    def _statement(self, model: str) -> str:
        """The SQL of a model; the tables it reads are there afterwards."""
        statement = self._statements[model]
        for needed in sorted(set(re.findall(rf"`?{DATABASE}`?\.`?(\w+)", statement))):
            if needed not in self._built:
                self._spark.sql(f"create table {DATABASE}.{needed} using parquet as {self._statement(needed)}")
                self._built.add(needed)
        return statement

    def _computed(self, claim: str, suffix: str, connection: duckdb.DuckDBPyConnection) -> None:
        """The mart of a claim, under its own name on `connection`."""
        mart = mart_of(claim)
        newest = (
            f"qualify as_of_date = max(as_of_date) over (partition by {month})" if (month := MARTS[mart].month) else ""
        )
        connection.register("computed", self._spark.sql(self._statement(f"{mart}__{suffix}")).toArrow())
        connection.execute(f"create view {mart} as select * from computed {newest}")

    def unchanged_differences(self, claim: str) -> list[str]:
        """The first differences from truth where nothing is changed."""
        with duckdb.connect() as connection:
            self._computed(claim, UNCHANGED, connection)
            return first_differences(self._settings, claim, connection, self._since)

    def is_noticed(self, mutant: Mutant) -> bool:
        """Whether the mutant's column differs from truth."""
        key = mutant.claim, self._variant_of[mutant]
        if key not in self._differing:
            with duckdb.connect() as connection:
                self._computed(*key, connection)
                found = differences_from_truth(self._settings, mutant.claim, connection, self._since)
                self._differing[key] = {difference.column for difference in found}
        return mutant.column in self._differing[key]


@pytest.fixture(scope="module")
def variants(spark, broker, tmp_path_factory) -> Variants:
    return Variants(spark, broker.settings, tmp_path_factory.mktemp("mutants") / "dbt_project", GROUPS)


@pytest.mark.parametrize("claim", sorted({mutant.claim for mutant in MUTANTS}))
def test_the_unchanged_marts_equal_truth(variants, claim):
    found = variants.unchanged_differences(claim)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_truth_notices_the_wrong_formula(variants, mutant):
    assert variants.is_noticed(mutant), (
        f"{mutant.name}: neither truth nor the invented broker's events tell it from the right formula"
    )
