"""Attribution of incomes for many customers and days in one pass: `python -m benchmarks.attribution [--customers 100000] [--write]`.

The gold tables it reads are invented: a normal account a customer, two fills a day of every fifth, and of some interest, fund orders and
advice. Seven accounts of ten have one employee, two have three, one has none. dbt then builds incomes, shares and sums of all days together,
with the tests that hold employees, branches, customers and the views of relations against the firm.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.cost import Cost
from spark_jobs.config import load_settings
from spark_jobs.gold.calendar import build_calendar
from spark_jobs.gold.tables import TABLES, conform
from spark_jobs.io import Lake
from spark_jobs.publish.candidate import run_dbt
from spark_jobs.session import build_session
from spark_jobs.trading_calendar import trading_calendar

DAYS, OPENING, EMPLOYEES, BRANCHES = 20, date(2026, 3, 2), 2_000, 150
MARTS = (
    "mart_income_attribution", "mart_income_employee_day", "mart_income_branch_day", "mart_income_customer_day",
    "mart_income_product_day", "mart_income_view_day", "assert_income_sums_agree",
)  # fmt: skip
_ACCOUNT = "lpad(cast(i as string), 12, '0') as account_id, concat('C', i) as customer_id"
_MONEY = (
    "cast(((i * 7919 + n * 131 + datediff(business_date, date'2026-01-01') * 17) % 9000 + 100) / 100 as decimal(18, 2))"
)
# gold table → columns, which of the accounts i have a row on a day, and how many rows n each has
_ROWS: dict[str, tuple[str, str, str]] = {
    "accounts": (f"'normal' as business_line, {_ACCOUNT}, concat('B', i % {BRANCHES}) as branch_id", "true", "1"),
    "trades": (
        f"'normal' as business_line, concat('T', i, '-', n) as trade_id, concat('O', i) as order_id, {_ACCOUNT}, 'buy' as business_code, "
        f"{_MONEY} * 1000 as turnover_amount, {_MONEY} as gross_commission_amount, {_MONEY} / 2 as net_commission_amount",
        "(i + datediff(business_date, date'2026-01-01')) % 5 = 0", "2",
    ),
    "cash_flows": (
        f"'normal' as business_line, concat('J', i) as journal_id, {_ACCOUNT}, 'repurchase_interest_paid' as business_code, "
        f"'profit' as flow_class, -{_MONEY} as amount_cny", "(i + datediff(business_date, date'2026-01-01')) % 50 = 0", "1",
    ),
    "fund_confirmations": (
        f"concat('F', i) as confirmation_id, {_ACCOUNT}, 'purchase' as business_code, {_MONEY} as charge_amount, "
        f"{_MONEY} * 0.8 as agency_fee_amount", "(i + datediff(business_date, date'2026-01-01')) % 40 = 0", "1",
    ),
    "advice_fees": (
        f"'advice' as business_line, concat('A', i) as fee_id, {_ACCOUNT}, 'back' as fee_kind, {_MONEY} as amount",
        "(i + datediff(business_date, date'2026-01-01')) % 100 = 0", "1",
    ),
    "staff_relations": (
        f"'normal' as business_line, {_ACCOUNT}, concat('E', (i * 3 + n) % {EMPLOYEES}) as employee_id, "
        "element_at(array('development', 'service', 'broker'), n) as relation_kind, n = 1 as is_main_service, "
        "case when i % 10 < 7 then 1 else 0.33333333 end as pay_ratio, date'2024-01-02' as effective_date",
        "i % 10 < 9", "case when i % 10 < 7 then 1 else 3 end",
    ),
    "employees": (
        f"concat('E', i) as employee_id, '员**' as employee_name_masked, concat('B', i % {BRANCHES}) as branch_id", f"i < {EMPLOYEES}", "1",
    ),
    "branches": ("concat('B', i) as branch_id, concat('营业部', i) as branch_name, '华东' as region_name", f"i < {BRANCHES}", "1"),
}  # fmt: skip


def invent(spark: SparkSession, name: str, customers: int, days: list[date]) -> DataFrame:
    """The rows of a gold table; what is not said is null, and a table nobody speaks of is empty."""
    table = TABLES[name]
    columns, condition, count = _ROWS.get(name, ("", "false", "0"))
    some = ", ".join(f"date'{day}'" for day in days)
    said = f"select i, n, business_date{', ' if columns else ''}{columns} from (select i, business_date, explode(sequence(1, {count})) as n "
    rows = spark.sql(
        f"{said} from (select id as i, explode(array({some})) as business_date from range({customers})) where {condition})"
    )
    missing = {field.name: f"cast(null as {field.dataType.simpleString()})" for field in table.schema}
    return conform(
        rows.selectExpr(
            *(column if column in rows.columns else f"{missing[column]} as {column}" for column in table.names)
        ),
        name,
    )


def measure(customers: int, folder: Path) -> list[str]:
    settings = load_settings(home=folder)
    spark = build_session(settings, "benchmark: attribution")
    calendar, lake = trading_calendar(None), Lake(spark, settings.lake)
    sessions = [
        day for day in (OPENING + timedelta(days=passed) for passed in range(3 * DAYS)) if calendar.is_trading_day(day)
    ][: DAYS + 1]
    for name in TABLES:
        if name != "calendar":
            lake.replace_days(invent(spark, name, customers, sessions), "gold", name, sessions, {})
    lake.replace_all(build_calendar(spark, calendar, sessions, sessions[0]), "gold", "calendar", {})
    lake.register("gold", TABLES)
    spark.sql("create database if not exists attribution")
    variables = {
        "candidate_schema": "attribution", "first_date": str(sessions[1]), "last_date": str(sessions[-1]), "opening_date": str(sessions[0]),
    }  # fmt: skip
    # Of the tests those that speak of nothing else.
    chosen = [
        "build",
        "--exclude-resource-type",
        "unit_test",
        "--indirect-selection",
        "cautious",
        "--select",
        *(f"+{name}" for name in MARTS),
    ]
    cost = Cost()
    outcome = cost.measure(lambda: run_dbt(spark, settings, chosen, variables))
    if outcome.exception is not None or not outcome.success:
        failed = (
            [item.node.name for item in outcome.result.results if item.status not in ("success", "pass")]
            if outcome.result
            else []
        )
        raise SystemExit(f"dbt did not build: {outcome.exception or failed}")
    incomes = spark.table("attribution.int_incomes_summed_to_account_day").count()
    shares = spark.table("attribution.int_incomes_attributed").count()
    seconds = sorted(((item.execution_time, item.node.name) for item in outcome.result.results), reverse=True)
    spark.stop()
    return [
        f"# Attribution of {DAYS} days for {customers:,} customers",
        "",
        f"{when_and_where()}, master {settings.spark_master}. {incomes:,} incomes of an account, day and kind become {shares:,} shares; all days are one",
        "statement a model, and the tests hold customers, employees, branches and each view of relations against the firm, to the cent.",
        "",
        "| what | wall s | CPU s |",
        "|---|---:|---:|",
        f"| **all models and tests** | **{cost.seconds[0]:.1f}** | **{cost.cpu[0]:.1f}** |",
        *(f"| {name} | {took:.1f} | |" for took, name in seconds if took >= 1),
        "",
        f"That is {incomes / cost.seconds[0]:,.0f} incomes a second. Models run {settings.threads} at a time, so their seconds add up to more.",
    ]


if __name__ == "__main__":
    started = time.perf_counter()
    run_benchmark(__file__, __doc__, measure, customers=100_000)
    print(f"with the invented tables {time.perf_counter() - started:.0f} s")
