"""The truth files: their columns, and how a value becomes text."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ASSET_COLUMNS = (
    "cash_amount",
    "securities_amount",
    "restricted_amount",
    "in_transit_amount",
    "fund_amount",
    "credit_asset_amount",
    "credit_debt_amount",
    "credit_net_amount",
    "option_equity_amount",
    "repurchase_asset_amount",
    "repurchase_debt_amount",
    "pledge_debt_amount",
    "total_asset_amount",
    "net_asset_amount",
)

FEE_COLUMNS = (
    "turnover_amount",
    "gross_commission_amount",
    "stamp_duty_amount",
    "transfer_fee_amount",
    "handling_fee_amount",
    "regulatory_fee_amount",
    "other_fee_amount",
    "net_commission_amount",
)

INCOME_COLUMNS = (
    "turnover_amount",
    "gross_amount",
    "net_amount",
    "vat_amount",
    "protection_fund_amount",
    "funding_cost_amount",
    "after_deductions_amount",
)

PERFORMANCE_COLUMNS = (
    *INCOME_COLUMNS[:3],
    "commission_net_amount",
    "interest_net_amount",
    "product_net_amount",
    "advice_net_amount",
    *INCOME_COLUMNS[3:],
)

# The leading columns of each file, up to the first figure, are its key; rows come sorted by it.
FILES: dict[str, tuple[str, ...]] = {
    "customers": (
        "business_date",
        "customer_id",
        "customer_kind",
        "branch_id",
        "main_staff_employee_id",
        "risk_level",
        "risk_test_expiry_date",
        "identity_expiry_date",
        "customer_status",
        "birth_date",
        "open_date",
        "age_years",
        "age_band",
        "last_trade_date",
        "turnover_30d_amount",
        "turnover_90d_amount",
        "turnover_365d_amount",
        "day_profit_amount",
        "month_profit_amount",
        "year_profit_amount",
        "month_net_asset_change_amount",
        "asset_band",
        "minimum_maintenance_ratio",
        "margin_tier",
        "maximum_option_risk_degree",
        "minimum_guarantee_ratio",
        "guarantee_tier",
        "next_repurchase_date",
        "advice_agreement_count",
        "next_advice_end_date",
        "fund_advice_amount",
        "year_advice_fee_amount",
        "holding_count",
        "mismatched_holding_count",
        "next_option_expiry_date",
        "next_product_maturity_date",
        "ipo_payment_due_date",
        "ipo_unpaid_amount",
        "ipo_short_amount",
        "has_marketing_consent",
        "is_do_not_call",
        "last_call_date",
        "last_call_result",
        "last_reached_date",
        "open_complaint_count",
        "aml_grade",
        "aml_review_date",
        "permissions",
        "inactive_days",
        "life_cycle",
        "is_valid_customer",
        *ASSET_COLUMNS,
        "average_20d_sum_amount",
        "average_20d_days",
        "average_20d_asset_amount",
        "month_average_sum_amount",
        "month_average_days",
        "month_average_asset_amount",
    ),
    "accounts": ("business_date", "business_line", "account_id", "customer_id", *ASSET_COLUMNS),
    "holdings": (
        "business_date",
        "business_line",
        "account_id",
        "instrument_id",
        "position_side",
        "quantity",
        "market_value_amount",
        "product_risk_level",
        "maturity_date",
    ),
    "customer_movements": (
        "business_date",
        "customer_id",
        "movement_kind",
        "movement_amount",
        "branch_id",
        "main_staff_employee_id",
    ),
    "tags": ("business_date", "customer_id", "tag_name", "first_date", "last_date", "is_current_month"),
    "outbound_calls": (
        "business_date",
        "customer_id",
        "list_name",
        "reason_code",
        "purpose",
        "priority",
        "is_call",
        "call_date",
        "due_time",
        "call_channel",
        "escalation_channel",
        "script_id",
        "reason_text",
        "notes",
    ),
    "prospects": (
        "business_date",
        "application_id",
        "branch_id",
        "application_status",
        "application_step",
        "started_date",
        "stalled_minutes",
        "aml_result",
        "customer_id",
        "application_count",
        "has_marketing_consent",
        "is_do_not_call",
        "is_broken_off",
        "is_call",
    ),
    "outbound_suppressed": (
        "business_date",
        "customer_id",
        "list_name",
        "reason_code",
        "purpose",
        "suppressed_by",
    ),
    "commission_customer_day": ("business_date", "customer_id", "business_line", *FEE_COLUMNS),
    "income_customer_day": (
        "business_date",
        "customer_id",
        "business_line",
        "income_kind",
        *INCOME_COLUMNS,
    ),
    "income_attribution": (
        "business_date",
        "employee_id",
        "branch_id",
        "account_line",
        "account_id",
        "customer_id",
        "business_line",
        "income_kind",
        "relation_date",
        "pay_ratio",
        *INCOME_COLUMNS,
    ),
    "income_employee_day": (
        "business_date",
        "employee_id",
        "branch_id",
        "business_line",
        "income_kind",
        *INCOME_COLUMNS,
    ),
    "income_branch_day": (
        "business_date",
        "branch_id",
        "business_line",
        "income_kind",
        *INCOME_COLUMNS,
        "account_branch_net_amount",
    ),
    "income_product_day": (
        "business_date",
        "branch_id",
        "product_kind",
        "turnover_amount",
        "gross_amount",
        "net_amount",
    ),
    "performance_employee_month": (
        "performance_month",
        "employee_id",
        "branch_id",
        *PERFORMANCE_COLUMNS,
        "branch_rank",
        "firm_rank",
        "customer_count",
        "new_customer_count",
        "valid_customer_count",
        "lost_customer_count",
        "customer_asset_amount",
        "month_average_asset_amount",
        "net_inflow_amount",
    ),
    "performance_branch_month": (
        "performance_month",
        "unit_level",
        "unit_id",
        *PERFORMANCE_COLUMNS,
        "customer_count",
        "new_customer_count",
        "valid_customer_count",
        "lost_customer_count",
        "covered_customer_count",
        "customer_asset_amount",
        "month_average_asset_amount",
        "net_inflow_amount",
    ),
    "charge_check": (
        "business_date",
        "business_line",
        "account_id",
        "order_id",
        "customer_id",
        "charge_status",
        "turnover_amount",
        "charged_commission_amount",
        "expected_commission_amount",
        "charged_fee_amount",
        "expected_fee_amount",
    ),
    "rate_check": (
        "business_date",
        "account_id",
        "product_class",
        "exchange_code",
        "effective_date",
        "expiry_date",
        "customer_id",
        "commission_rate",
        "regulatory_rate",
        "rate_status",
        "is_ending_soon",
        "is_below_regulatory_fee",
    ),
    "commission_employee_month": (
        "commission_month",
        "employee_id",
        "gross_commission_amount",
        "net_commission_amount",
        "turnover_amount",
    ),
    "commission_branch_month": (
        "commission_month",
        "branch_id",
        "net_commission_amount",
        "account_branch_net_commission_amount",
    ),
    "credit_risks": (
        "business_date",
        "account_id",
        "credit_asset_amount",
        "credit_debt_amount",
        "maintenance_ratio",
        "margin_tier",
    ),
    "option_risks": ("business_date", "account_id", "option_equity_amount", "risk_degree"),
    "repurchase_contracts": (
        "business_date",
        "contract_id",
        "collateral_amount",
        "owed_amount",
        "guarantee_ratio",
        "guarantee_tier",
    ),
    "cash_flows": ("business_date", "business_line", "account_id", "currency_code", "flow_class", "amount"),
}


class TruthFiles:
    """Open CSV files of one folder: UTF-8, a header, empty for null, ISO dates, decimals with their full scale."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> TruthFiles:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, columns in FILES.items():
            path = self._folder / f"{name}.csv"
            stream = self._stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._writers[name] = csv.writer(stream, lineterminator="\n")
            self._writers[name].writerow(columns)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, name: str, rows: Iterable[tuple]) -> None:
        """Rows in the order of the file's columns, already sorted. None is written empty, a Decimal as it stands."""
        self._writers[name].writerows(rows)
