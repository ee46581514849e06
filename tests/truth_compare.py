"""Hold what the warehouse says against what the invented broker's events say: exactly, in both directions."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb

from spark_jobs.config import Settings
from spark_jobs.publish.duckdb_store import connect_published

SHOWN = 20


@dataclass(frozen=True)
class Claim:
    """One truth file and the query that must give the same rows. `query` may use {gold}, the folder of the gold tables."""

    file: str
    key: tuple[str, ...]
    query: str
    drop_zero: tuple[str, ...] = ()
    """Amounts; a row in which all of them are zero says nothing and may be absent on either side."""


_ASSETS = (
    "cash_amount, securities_amount, restricted_amount, in_transit_amount, fund_amount, credit_asset_amount, credit_debt_amount, "
    "credit_net_amount, option_equity_amount, repurchase_asset_amount, repurchase_debt_amount, pledge_debt_amount, total_asset_amount, "
    "net_asset_amount"
)
_FEES = (
    "turnover_amount, gross_commission_amount, stamp_duty_amount, transfer_fee_amount, handling_fee_amount, regulatory_fee_amount, "
    "other_fee_amount, net_commission_amount"
)
_INCOMES = (
    "turnover_amount, gross_amount, net_amount, vat_amount, protection_fund_amount, funding_cost_amount, "
    "after_deductions_amount"
)

CLAIMS = {
    claim.file: claim
    for claim in (
        Claim(
            "customers",
            ("business_date", "customer_id"),
            "select as_of_date as business_date, customer_id, customer_kind, branch_id, main_staff_employee_id, risk_level, "
            "risk_test_expiry_date, identity_expiry_date, last_trade_date, turnover_30d_amount, turnover_90d_amount, turnover_365d_amount, favourite_instrument_kind, favourite_channel, "
            "day_profit_amount, month_profit_amount, year_profit_amount, month_net_asset_change_amount, asset_band, "
            "customer_status, birth_date, open_date, age_years, age_band, minimum_maintenance_ratio, margin_tier, "
            "maximum_option_risk_degree, minimum_guarantee_ratio, guarantee_tier, next_repurchase_date, advice_agreement_count, "
            "next_advice_end_date, fund_advice_amount, year_advice_fee_amount, holding_count, mismatched_holding_count, next_option_expiry_date, next_product_maturity_date, "
            "ipo_payment_due_date, ipo_unpaid_amount, ipo_short_amount, ipo_subscription_date, ipo_subscription_amount, ipo_subscription_short_amount, has_marketing_consent, is_do_not_call, last_call_date, "
            "last_call_result, last_reached_date, open_complaint_count, aml_grade, aml_review_date, permissions, institution_kind, investor_class, registered_capital_amount, licence_expiry_date, has_pension_account, inactive_days, life_cycle, "
            "is_valid_customer, "
            f"{_ASSETS}, average_20d_sum_amount, average_20d_days, average_20d_asset_amount, month_average_sum_amount, "
            "month_average_days, month_average_asset_amount from mart_customer_profile",
        ),
        Claim(
            "institutions",
            ("business_date", "customer_id"),
            "select as_of_date as business_date, customer_id, parent_customer_id, customer_kind, institution_kind, investor_class, registered_capital_amount, "
            "licence_expiry_date, product_count, total_asset_amount, net_asset_amount, group_total_asset_amount, group_net_asset_amount from mart_institution",
        ),
        Claim(
            "accounts",
            ("business_date", "business_line", "account_id"),
            f"select as_of_date as business_date, business_line, account_id, customer_id, {_ASSETS} from mart_customer_account",
        ),
        Claim(
            "holdings",
            ("business_date", "business_line", "account_id", "instrument_id", "position_side"),
            "select as_of_date as business_date, business_line, account_id, instrument_id, position_side, quantity, market_value_amount, "
            "product_risk_level, maturity_date from mart_customer_holding",
        ),
        Claim(
            "tags",
            ("business_date", "customer_id", "tag_name"),
            "select as_of_date as business_date, customer_id, tag_name, first_date, last_date, is_current_month from mart_customer_tag",
        ),
        Claim(
            "customer_movements",
            ("business_date", "customer_id", "movement_kind"),
            "select business_date, customer_id, movement_kind, movement_amount, branch_id, main_staff_employee_id from mart_customer_movement",
        ),
        Claim(
            "customer_phones",
            ("business_date", "customer_id", "phone_rank"),
            "select as_of_date as business_date, customer_id, phone_rank, client_count from mart_customer_phone",
        ),
        Claim(
            "customer_merges",
            ("business_date", "alias_customer_id"),
            "select as_of_date as business_date, customer_id, alias_customer_id, decided_date from mart_customer_merge",
        ),
        Claim(
            "customer_reviews",
            ("business_date", "customer_id", "other_customer_id", "review_reason"),
            "select as_of_date as business_date, customer_id, other_customer_id, review_reason from mart_customer_review",
        ),
        Claim(
            "outbound_calls",
            ("business_date", "customer_id", "list_name"),
            "select as_of_date as business_date, customer_id, list_name, reason_code, purpose, priority, is_call, call_date, due_time, "
            "call_channel, escalation_channel, script_id, reason_text, notes from mart_outbound_call",
        ),
        Claim(
            "outbound_suppressed",
            ("business_date", "customer_id", "list_name"),
            "select as_of_date as business_date, customer_id, list_name, reason_code, purpose, suppressed_by from mart_outbound_suppressed",
        ),
        Claim(
            "prospects",
            ("business_date", "application_id"),
            "select as_of_date as business_date, application_id, branch_id, application_status, application_step, started_date, "
            "stalled_minutes, aml_result, customer_id, application_count, has_marketing_consent, is_do_not_call, is_broken_off, is_call "
            "from mart_prospect",
        ),
        Claim(
            "commission_customer_day",
            ("business_date", "customer_id", "business_line"),
            f"select business_date, nullif(customer_id, 'unlinked') as customer_id, business_line, {_FEES} from mart_commission_customer_day",
        ),
        Claim(
            "income_customer_day",
            ("business_date", "customer_id", "business_line", "income_kind"),
            f"select business_date, nullif(customer_id, 'unlinked') as customer_id, business_line, income_kind, {_INCOMES} "
            "from mart_income_customer_day",
        ),
        Claim(
            "income_accruals",
            ("business_date", "accrual_date", "business_line", "account_id", "accrual_kind", "product_kind"),
            "select business_date, accrual_date, business_line, account_id, accrual_kind, product_kind, "
            "nullif(customer_id, 'unlinked') as customer_id, accrued_amount, collected_amount, unpaid_amount from mart_income_accrual",
        ),
        Claim(
            "income_attribution",
            (
                "business_date",
                "employee_id",
                "branch_id",
                "account_line",
                "account_id",
                "customer_id",
                "business_line",
                "income_kind",
            ),
            "select business_date, employee_id, branch_id, account_line, account_id, nullif(customer_id, 'unlinked') as customer_id, "
            f"business_line, income_kind, relation_date, pay_ratio, {_INCOMES} from mart_income_attribution",
        ),
        Claim(
            "income_employee_day",
            ("business_date", "employee_id", "branch_id", "business_line", "income_kind"),
            f"select business_date, employee_id, branch_id, business_line, income_kind, {_INCOMES} from mart_income_employee_day",
        ),
        Claim(
            "income_view_day",
            ("business_date", "relation_view", "employee_id", "business_line", "income_kind"),
            f"select business_date, relation_view, employee_id, branch_id, business_line, income_kind, {_INCOMES} from mart_income_view_day",
        ),
        Claim(
            "income_branch_day",
            ("business_date", "branch_id", "business_line", "income_kind"),
            f"select business_date, branch_id, business_line, income_kind, {_INCOMES}, account_branch_net_amount "
            "from mart_income_branch_day",
        ),
        Claim(
            "income_product_day",
            ("business_date", "branch_id", "product_kind"),
            "select business_date, branch_id, product_kind, turnover_amount, gross_amount, net_amount from mart_income_product_day",
        ),
        Claim(
            "performance_employee_month",
            ("performance_month", "employee_id"),
            "select performance_month, employee_id, branch_id, turnover_amount, gross_amount, net_amount, commission_net_amount, "
            "interest_net_amount, product_net_amount, advice_net_amount, vat_amount, protection_fund_amount, funding_cost_amount, "
            "after_deductions_amount, day_after_deductions_amount, branch_rank, firm_rank, day_branch_rank, day_firm_rank, customer_count, new_customer_count, valid_customer_count, "
            "lost_customer_count, customer_asset_amount, month_average_asset_amount, net_inflow_amount, target_income_amount, "
            "target_inflow_amount, target_new_customer_count from mart_performance_employee_month",
        ),
        Claim(
            "performance_branch_month",
            ("performance_month", "unit_level", "unit_id"),
            "select performance_month, unit_level, unit_id, turnover_amount, gross_amount, net_amount, commission_net_amount, "
            "interest_net_amount, product_net_amount, advice_net_amount, vat_amount, protection_fund_amount, funding_cost_amount, "
            "after_deductions_amount, customer_count, new_customer_count, valid_customer_count, lost_customer_count, "
            "covered_customer_count, customer_asset_amount, month_average_asset_amount, net_inflow_amount, target_income_amount, "
            "target_inflow_amount, target_new_customer_count "
            "from mart_performance_branch_month",
        ),
        Claim(
            "charge_check",
            ("business_date", "business_line", "account_id", "order_id"),
            "select business_date, business_line, account_id, order_id, nullif(customer_id, 'unlinked') as customer_id, charge_status, "
            "turnover_amount, charged_commission_amount, expected_commission_amount, charged_fee_amount, expected_fee_amount "
            "from mart_charge_check",
        ),
        Claim(
            "rate_check",
            ("business_date", "account_id", "product_class", "exchange_code", "effective_date"),
            "select business_date, account_id, product_class, exchange_code, effective_date, expiry_date, "
            "nullif(customer_id, 'unlinked') as customer_id, commission_rate, counter_commission_rate, regulatory_rate, rate_status, "
            "counter_rate_status, is_ending_soon, "
            "is_below_regulatory_fee from mart_rate_check",
        ),
        Claim(
            "commission_employee_month",
            ("commission_month", "employee_id"),
            "select commission_month, employee_id, gross_commission_amount, net_commission_amount, turnover_amount "
            "from mart_commission_employee_month",
            drop_zero=("gross_commission_amount", "net_commission_amount", "turnover_amount"),
        ),
        Claim(
            "commission_branch_month",
            ("commission_month", "branch_id"),
            "select commission_month, branch_id, net_commission_amount, account_branch_net_commission_amount "
            "from mart_commission_branch_month",
            drop_zero=("net_commission_amount", "account_branch_net_commission_amount"),
        ),
        Claim(
            "credit_risks",
            ("business_date", "account_id"),
            "select business_date, account_id, credit_asset_amount, credit_debt_amount, maintenance_ratio, margin_tier "
            "from delta_scan('{gold}/credit_risks') where business_date in (select business_date from publication)",
        ),
        Claim(
            "option_risks",
            ("business_date", "account_id"),
            "select business_date, account_id, option_equity_amount, risk_degree from delta_scan('{gold}/option_risks') "
            "where business_date in (select business_date from publication)",
        ),
        Claim(
            "repurchase_contracts",
            ("business_date", "contract_id"),
            "select business_date, contract_id, collateral_amount, owed_amount, guarantee_ratio, guarantee_tier "
            "from delta_scan('{gold}/repurchase_contracts') where business_date in (select business_date from publication)",
        ),
        Claim(
            "cash_flows",
            ("business_date", "business_line", "account_id", "currency_code", "flow_class"),
            "select business_date, business_line, account_id, currency_code, flow_class, sum(amount) as amount "
            "from delta_scan('{gold}/cash_flows') where business_date in (select business_date from publication) group by all",
        ),
    )
}


def plain(value: object) -> object:
    """Comparable values: decimals as Decimal, everything else as text, empty as None."""
    if value is None or value == "":
        return None
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value)
    text = str(value)
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def _keyed(rows: Iterable[dict], claim: Claim) -> dict[tuple, dict]:
    keyed = {}
    for row in rows:
        values = {name: plain(value) for name, value in row.items()}
        if claim.drop_zero and not any(values[name] for name in claim.drop_zero):
            continue
        key = tuple(str(row[name] or "") for name in claim.key)
        assert key not in keyed, f"{claim.file} has {key} twice"
        keyed[key] = values
    return keyed


def read_truth(truth: Path, claim: Claim) -> dict[tuple, dict]:
    with (truth / f"{claim.file}.csv").open(encoding="utf-8", newline="") as stream:
        return _keyed(csv.DictReader(stream), claim)


def read_answer(connection: duckdb.DuckDBPyConnection, lake: str, claim: Claim) -> dict[tuple, dict]:
    cursor = connection.execute(claim.query.replace("{gold}", f"{lake}/gold"))
    names = [column[0] for column in cursor.description]
    return _keyed((dict(zip(names, row, strict=True)) for row in cursor.fetchall()), claim)


class Difference(NamedTuple):
    """`column` that is not exactly the same, or `rows` for a row that is on one side only."""

    column: str
    sentence: str


def differences(truth: dict[tuple, dict], answer: dict[tuple, dict]) -> Iterator[Difference]:
    """Every row on one side only, then every value that differs."""
    for key in sorted(truth.keys() - answer.keys()):
        yield Difference("rows", f"{key} is in truth only")
    for key in sorted(answer.keys() - truth.keys()):
        yield Difference("rows", f"{key} is in the warehouse only")
    for key in sorted(truth.keys() & answer.keys()):
        for name, expected in truth[key].items():
            if answer[key][name] != expected:
                yield Difference(name, f"{key} {name}: truth {expected}, warehouse {answer[key][name]}")


def differences_from_truth(
    settings: Settings, file: str, connection: duckdb.DuckDBPyConnection, since: str = ""
) -> Iterator[Difference]:
    """Differences between the truth of a broker and what the claim `file` gives on `connection`. since: the first day, or month, that counts."""
    claim = CLAIMS[file]
    truth, answer = (
        {key: row for key, row in rows.items() if key[0] >= since[: len(key[0])]}
        for rows in (read_truth(settings.home / "truth", claim), read_answer(connection, settings.lake, claim))
    )
    assert truth, f"an empty truth proves nothing: {file}"
    return differences(truth, answer)


def first_differences(
    settings: Settings, file: str, connection: duckdb.DuckDBPyConnection, since: str = ""
) -> list[str]:
    """The first of them, as sentences."""
    found = differences_from_truth(settings, file, connection, since)
    return [difference.sentence for difference in itertools.islice(found, SHOWN)]


def must_equal_truth(settings: Settings, file: str) -> None:
    """Every row and value that the claim `file` speaks of is what the broker's events say; names the first that are not."""
    with connect_published(settings.published) as connection:
        found = first_differences(settings, file, connection)
    assert not found, "\n".join([file, *found])
