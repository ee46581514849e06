"""The gold tables: grain, key and declared types, in one place.

Every builder in this package ends in `conform`, so a table has exactly these columns and decimals; dbt's sources, the
reconciliation and the gates read the same declaration. Amounts are CNY unless a `currency_code` stands beside them. Every table but
`calendar` is replaced by `business_date`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

MONEY = "decimal(18,2)"
QUANTITY = "decimal(18,2)"
PRICE = "decimal(18,4)"
RATE = "decimal(12,8)"
RATIO = "decimal(18,6)"

_ASSETS = f"""
    cash_amount {MONEY}, securities_amount {MONEY}, restricted_amount {MONEY}, in_transit_amount {MONEY}, fund_amount {MONEY},
    credit_asset_amount {MONEY}, credit_debt_amount {MONEY}, credit_net_amount {MONEY}, option_equity_amount {MONEY},
    repurchase_asset_amount {MONEY}, repurchase_debt_amount {MONEY}, pledge_debt_amount {MONEY}, total_asset_amount {MONEY},
    net_asset_amount {MONEY}"""


@dataclass(frozen=True)
class GoldTable:
    """One gold table: `key` is unique, `columns` is a DDL string."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, without Spark; the commas inside `decimal(18,2)` separate nothing."""
        return tuple(part.split()[0] for part in re.sub(r"\([^)]*\)", "", self.columns).split(","))

    @property
    def figures(self) -> tuple[str, ...]:
        """The columns that are no part of the key."""
        return tuple(name for name in self.names if name not in self.key)

    @property
    def schema(self) -> T.StructType:
        return T.StructType.fromDDL(self.columns)


TABLES: dict[str, GoldTable] = {
    table.name: table
    for table in (
        GoldTable(
            "calendar",
            "one natural day",
            ("calendar_date",),
            "calendar_date date, is_trading_day boolean, trading_date date, previous_trading_date date, "
            "next_trading_date date, call_horizon_date date, is_month_last_trading_day boolean, is_opening boolean, is_loaded boolean",
        ),
        GoldTable(
            "customers",
            "customer and business date",
            ("customer_id", "business_date"),
            "customer_id string, business_date date, customer_kind string, branch_id string, name_token string, name_masked string, "
            "identity_kind string, identity_token string, identity_masked string, identity_check string, birth_date date, gender string, "
            "mobile_phone_token string, mobile_phone_masked string, risk_level string, risk_test_expiry_date date, "
            "identity_expiry_date date, manager_customer_id string, customer_status string, open_date date, member_count int, "
            "has_pension_account boolean",
        ),
        GoldTable(
            "customer_merges",
            "customer merged with others and business date",
            ("customer_id", "business_date"),
            "customer_id string, business_date date, merged_customer_id string, merge_rank int, decided_date date",
        ),
        GoldTable(
            "customer_reviews",
            "two customers, why they are to be looked at, and business date",
            ("customer_id", "other_customer_id", "review_reason", "business_date"),
            "customer_id string, other_customer_id string, business_date date, review_reason string",
        ),
        GoldTable(
            "member_phones",
            "client number with a phone and business date",
            ("system_code", "client_number", "business_date"),
            "system_code string, client_number string, business_date date, customer_id string, mobile_phone_token string, "
            "mobile_phone_masked string, first_seen_date date, first_open_date date",
        ),
        GoldTable(
            "accounts",
            "account and business date",
            ("business_line", "account_id", "business_date"),
            "business_line string, account_id string, business_date date, customer_id string, system_code string, client_number string, "
            "account_role string, branch_id string, account_status string, open_date date, close_date date",
        ),
        GoldTable(
            "quarantined_customers",
            "customer with rows in quarantine and business date",
            ("customer_id", "business_date"),
            "customer_id string, business_date date, held_row_count int",
        ),
        GoldTable(
            "holdings",
            "account, instrument, side and business date",
            ("business_line", "account_id", "instrument_id", "position_side", "business_date"),
            "business_line string, account_id string, instrument_id string, position_side string, business_date date, customer_id string, "
            f"instrument_name string, instrument_kind string, quantity {QUANTITY}, restricted_quantity {QUANTITY}, price {PRICE}, "
            f"currency_code string, market_value_amount {MONEY}, product_risk_level string, maturity_date date, "
            f"management_fee_rate {RATE}",
        ),
        GoldTable(
            "trades",
            "fill",
            ("business_line", "trade_id", "business_date"),
            "business_line string, trade_id string, business_date date, order_id string, account_id string, customer_id string, "
            "branch_id string, instrument_id string, instrument_kind string, business_code string, position_side string, channel string, "
            f"quantity {QUANTITY}, price {PRICE}, currency_code string, exchange_rate {RATE}, exchange_rate_date date, "
            f"turnover_amount {MONEY}, gross_commission_amount {MONEY}, stamp_duty_amount {MONEY}, transfer_fee_amount {MONEY}, "
            f"handling_fee_amount {MONEY}, regulatory_fee_amount {MONEY}, other_fee_amount {MONEY}, net_commission_amount {MONEY}",
        ),
        GoldTable(
            "fund_confirmations",
            "confirmation",
            ("confirmation_id", "business_date"),
            "confirmation_id string, business_date date, account_id string, customer_id string, product_code string, share_class string, "
            f"business_code string, applied_date date, confirmed_amount {MONEY}, confirmed_quantity {QUANTITY}, nav {PRICE}, "
            f"charge_amount {MONEY}, agency_fee_amount {MONEY}",
        ),
        GoldTable(
            "cash_flows",
            "journal entry",
            ("business_line", "journal_id", "business_date"),
            "business_line string, journal_id string, business_date date, account_id string, customer_id string, currency_code string, "
            f"business_code string, flow_class string, amount {MONEY}, exchange_rate {RATE}, amount_cny {MONEY}",
        ),
        GoldTable(
            "account_assets",
            "account and business date",
            ("business_line", "account_id", "business_date"),
            f"business_line string, account_id string, business_date date, customer_id string, {_ASSETS}",
        ),
        GoldTable(
            "customer_assets",
            "customer and business date",
            ("customer_id", "business_date"),
            f"customer_id string, business_date date, {_ASSETS}",
        ),
        GoldTable(
            "credit_risks",
            "credit account and business date",
            ("account_id", "business_date"),
            f"account_id string, business_date date, customer_id string, credit_asset_amount {MONEY}, credit_debt_amount {MONEY}, "
            f"maintenance_ratio {RATIO}, counter_maintenance_ratio {RATIO}, call_line {RATIO}, close_out_line {RATIO}, margin_tier string",
        ),
        GoldTable(
            "credit_contracts",
            "financing or short contract and business date",
            ("contract_id", "business_date"),
            "contract_id string, business_date date, account_id string, customer_id string, contract_kind string, instrument_id string, "
            f"open_date date, due_date date, outstanding_principal_amount {MONEY}, outstanding_quantity {QUANTITY}, "
            f"outstanding_fee_amount {MONEY}, unpaid_interest_amount {MONEY}, waived_interest_amount {MONEY}, penalty_amount {MONEY}, "
            f"annual_rate {RATE}",
        ),
        GoldTable(
            "option_risks",
            "option account and business date",
            ("account_id", "business_date"),
            f"account_id string, business_date date, customer_id string, option_equity_amount {MONEY}, occupied_margin_amount {MONEY}, "
            f"margin_funds_amount {MONEY}, risk_degree {RATIO}, counter_risk_degree {RATIO}",
        ),
        GoldTable(
            "repurchase_contracts",
            "contract and business date",
            ("contract_id", "business_date"),
            "contract_id string, business_date date, account_id string, customer_id string, contract_kind string, instrument_id string, "
            f"collateral_quantity {QUANTITY}, collateral_amount {MONEY}, owed_amount {MONEY}, unpaid_interest_amount {MONEY}, "
            f"guarantee_ratio {RATIO}, guarantee_tier string, watch_line {RATIO}, warning_line {RATIO}, disposal_line {RATIO}, open_date date, repurchase_date date",
        ),
        GoldTable(
            "advice_agreements",
            "agreement and business date",
            ("business_line", "agreement_id", "business_date"),
            "business_line string, agreement_id string, business_date date, account_id string, customer_id string, product_code string, "
            f"product_name string, adviser_employee_id string, fee_model string, fee_rate {RATE}, portfolio_amount {MONEY}, "
            "effective_date date, end_date date, agreement_status string",
        ),
        GoldTable(
            "advice_fees",
            "fee",
            ("business_line", "fee_id", "business_date"),
            "business_line string, fee_id string, business_date date, agreement_id string, account_id string, customer_id string, "
            f"branch_id string, fee_kind string, amount {MONEY}",
        ),
        GoldTable(
            "order_charges",
            "order and business date",
            ("business_line", "account_id", "order_id", "business_date"),
            "business_line string, account_id string, order_id string, business_date date, customer_id string, branch_id string, "
            f"product_class string, exchange_code string, currency_code string, fill_count int, turnover_amount {MONEY}, "
            f"commission_rate {RATE}, minimum_commission_amount {MONEY}, includes_regulatory_fee boolean, rate_effective_date date, "
            f"charged_commission_amount {MONEY}, expected_commission_amount {MONEY}, previous_commission_amount {MONEY}, "
            f"charged_fee_amount {MONEY}, expected_fee_amount {MONEY}",
        ),
        GoldTable(
            "agreed_rates",
            "agreed rate and business date",
            ("account_id", "product_class", "exchange_code", "effective_date", "business_date"),
            "account_id string, product_class string, exchange_code string, effective_date date, business_date date, customer_id string, "
            f"branch_id string, expiry_date date, commission_rate {RATE}, minimum_commission_amount {MONEY}, includes_regulatory_fee boolean, "
            f"regulatory_rate {RATE}, is_in_force boolean, counter_commission_rate {RATE}, counter_rate_status string",
        ),
        GoldTable(
            "targets",
            "month, unit and business date",
            ("target_month", "unit_level", "unit_id", "business_date"),
            "target_month string, unit_level string, unit_id string, business_date date, "
            f"target_income_amount {MONEY}, target_inflow_amount {MONEY}, target_new_customer_count int",
        ),
        GoldTable(
            "staff_relations",
            "account, business line, employee and business date (of the relation slice)",
            ("business_line", "account_id", "employee_id", "business_date"),
            "business_line string, account_id string, employee_id string, business_date date, relation_kind string, "
            f"is_main_service boolean, pay_ratio {RATE}, effective_date date",
        ),
        GoldTable(
            "branches",
            "branch and business date",
            ("branch_id", "business_date"),
            "branch_id string, business_date date, branch_name string, region_name string, branch_status string",
        ),
        GoldTable(
            "employees",
            "employee and business date",
            ("employee_id", "business_date"),
            "employee_id string, business_date date, employee_name_masked string, branch_id string, employee_status string, "
            "hired_date date, left_date date",
        ),
        GoldTable(
            "offers_due",
            "cash account that needs money for a public offer and business date",
            ("account_id", "business_date"),
            f"account_id string, business_date date, customer_id string, payment_due_date date, unpaid_amount {MONEY}, "
            f"available_cash_amount {MONEY}, short_amount {MONEY}, subscription_date date, subscription_amount {MONEY}, "
            f"subscription_short_amount {MONEY}",
        ),
        GoldTable(
            "phone_consents",
            "phone and business date",
            ("mobile_phone_token", "business_date"),
            "mobile_phone_token string, business_date date, consent_kind string, recorded_date date",
        ),
        GoldTable(
            "calls",
            "call",
            ("call_id", "business_date"),
            "call_id string, business_date date, mobile_phone_token string, call_direction string, call_result string",
        ),
        GoldTable(
            "open_complaints",
            "customer with open complaints and business date",
            ("customer_id", "business_date"),
            "customer_id string, business_date date, open_complaint_count int, first_opened_date date",
        ),
        GoldTable(
            "aml_grades",
            "customer with a grade and business date",
            ("customer_id", "business_date"),
            "customer_id string, business_date date, aml_grade string, aml_graded_date date, aml_review_date date",
        ),
        GoldTable(
            "institutions",
            "client number of an institution e-office describes and business date",
            ("client_number", "business_date"),
            "client_number string, business_date date, customer_id string, institution_kind string, investor_class string, "
            f"registered_capital_amount {MONEY}, licence_expiry_date date, contact_name_masked string, contact_phone_token string, "
            "contact_phone_masked string, updated_date date",
        ),
        GoldTable(
            "permissions",
            "customer, permission and business date",
            ("customer_id", "permission_kind", "business_date"),
            "customer_id string, permission_kind string, business_date date, opened_date date",
        ),
        GoldTable(
            "applications",
            "application for an account and business date",
            ("application_id", "business_date"),
            "application_id string, business_date date, prospect_id string, mobile_phone_token string, mobile_phone_masked string, "
            "name_masked string, branch_id string, application_step string, application_status string, started_date date, "
            "stalled_minutes int, aml_result string, client_number string, customer_id string",
        ),
        GoldTable(
            "freshness",
            "block and business date",
            ("block", "business_date"),
            "block string, business_date date, as_of_date date, is_stale boolean",
        ),
    )
}


def conform(frame: DataFrame, name: str) -> DataFrame:
    """`frame` with the declared columns of gold table `name`, in order and type; a missing column is an analysis error."""
    return frame.select(*(F.col(field.name).cast(field.dataType).alias(field.name) for field in TABLES[name].schema))
