"""The files as the counters deliver them: columns, codes, scales and control totals of every feed.

One line of text a feed. A column is `name`, `name:type` or `name@DELIVERED:type`; a type that is a key of `CODES` is a
code column; a type ending in `*1000` is delivered as an integer in thousandths. No type means text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

DECIMALS = {"money": 2, "price": 4, "quantity": 0, "shares": 2, "ratio": 6, "rate": 8}

CODES: dict[str, dict[str, str]] = {
    "exchange": {"SSE": "1", "SZSE": "2", "BSE": "9", "SSE_B": "D", "SZSE_B": "H", "HK_SH": "G", "HK_SZ": "S"},
    "currency": {"CNY": "0", "USD": "1", "HKD": "2"},
    "option_currency": {"CNY": "0", "USD": "2", "HKD": "1"},
    "identity_kind": {
        "resident_id": "0",
        "passport": "1",
        "unified_social_credit_code": "2",
        "hk_macau_permit": "3",
        "taiwan_permit": "4",
        "foreign_permanent_card": "5",
        "product_filing": "6",
        "other": "9",
    },
    "client_kind": {"person": "0", "institution": "1", "product": "3"},
    "account_role": {"main": "1", "auxiliary": "0"},
    "account_status": {"active": "0", "frozen": "1", "dormant": "2", "closed": "3"},
    "risk_level": {"C1_MINIMUM": "0", "C1": "1", "C2": "2", "C3": "3", "C4": "4", "C5": "5"},
    "product_risk": {"R1": "1", "R2": "2", "R3": "3", "R4": "4", "R5": "5"},
    "product_kind": {
        "equity_fund": "1",
        "bond_fund": "2",
        "money_fund": "3",
        "private_fund": "4",
        "income_certificate": "5",
        "asset_management": "6",
    },
    "channel": {"counter": "1", "telephone": "2", "online": "3", "mobile": "4"},
    "branch_status": {"open": "0", "closed": "1"},
    "employee_status": {"active": "0", "left": "1"},
    "business_line": {"normal": "1", "credit": "2", "option": "3", "fund": "4"},
    "relation_kind": {"development": "1", "service": "2", "broker": "3"},
    "product_class": {"stock": "1", "fund": "2", "bond": "3", "option": "4", "hk_stock": "5", "b_share": "6"},
    "unit_level": {"employee": "1", "branch": "2", "region": "3", "firm": "4"},
    "fee_kind": {
        "stamp_duty": "1",
        "transfer": "2",
        "handling": "3",
        "regulatory": "4",
        "option_handling": "5",
        "option_settlement": "6",
    },
    "side": {"both": "B", "sell": "S"},
    "rate_kind": {"central_parity": "P", "settlement": "S"},
    "security_kind": {
        "stock": "1",
        "b_share": "2",
        "fund": "3",
        "bond": "4",
        "convertible_bond": "5",
        "repo": "6",
        "hk_stock": "7",
    },
    "contract_kind": {"financing": "0", "short": "1"},
    "repurchase_kind": {"agreed_repurchase": "1", "pledge": "2"},
    "option_kind": {"call": "C", "put": "P"},
    "position_side": {"long": "L", "short": "S", "covered": "C"},
    "consent_kind": {"marketing_granted": "1", "marketing_refused": "2", "do_not_call": "3"},
    "call_direction": {"out": "1", "in": "2"},
    "call_result": {"reached": "1", "no_answer": "2", "refused": "3"},
    "complaint_status": {"open": "0", "settled": "1"},
    "institution_kind": {
        "company": "1",
        "bank": "2",
        "securities_firm": "3",
        "fund_manager": "4",
        "private_fund_manager": "5",
        "insurer": "6",
        "trust_company": "7",
        "other": "9",
    },
    "investor_class": {"ordinary": "0", "professional_a": "1", "professional_b": "2", "professional_c": "3"},
    "link_reason": {"document_renewed": "1", "document_corrected": "2", "other": "9"},
    "aml_grade": {"low": "1", "medium": "2", "high": "3"},
    "permission_kind": {
        "chinext": "1",
        "star_market": "2",
        "bse": "3",
        "hk_connect": "4",
        "option": "5",
        "margin": "6",
    },
    "application_step": {
        "phone_verified": "1",
        "identity_uploaded": "2",
        "video_checked": "3",
        "risk_tested": "4",
        "agreement_signed": "5",
        "bank_bound": "6",
        "account_opened": "7",
    },
    "application_status": {"in_progress": "0", "opened": "1", "withdrawn": "2", "rejected": "3"},
    "aml_result": {"passed": "0", "review": "1", "rejected": "2"},
    "fee_model": {"front": "1", "back": "2", "copy": "3"},
    "advice_fee": {"front": "1", "back": "2", "copy": "3"},
    "agreement_status": {"active": "0", "ended": "1"},
    "share_class": {"A": "A", "C": "C"},
    "normal_trade": {"sell": "4001", "buy": "4002", "reverse_repo_lend": "3703", "reverse_repo_return": "3704"},
    "credit_trade": {
        "sell": "4001",
        "buy": "4002",
        "financing_buy": "4211",
        "sell_to_repay": "4212",
        "buy_to_return": "4213",
        "short_sell": "4214",
    },
    "option_trade": {
        "buy_open": "BO",
        "sell_close": "SC",
        "sell_open": "SO",
        "buy_close": "BC",
        "covered_open": "CO",
        "covered_close": "CC",
        "exercise": "EX",
        "assignment": "AS",
    },
    "fund_business": {
        "subscription": "120",
        "purchase": "122",
        "redemption": "124",
        "periodic_purchase": "139",
        "dividend": "143",
    },
    "normal_cash": {
        "bank_transfer_in": "2041",
        "bank_transfer_out": "2042",
        "securities_sell": "4001",
        "securities_buy": "4002",
        "reverse_repo_lend": "3703",
        "reverse_repo_return": "3704",
        "dividend": "4018",
        "dividend_tax": "4019",
        "interest": "2005",
        "allotment_payment": "4016",
        "fund_payment": "44022",
        "fund_redemption": "44024",
        "transfer_to_credit": "3001",
        "transfer_from_credit": "3002",
        "transfer_to_option": "3003",
        "transfer_from_option": "3004",
        "repurchase_drawn": "2851",
        "repurchase_repaid": "2852",
        "repurchase_interest_paid": "2853",
        "advice_fee": "2861",
    },
    "credit_cash": {
        "bank_transfer_in": "2041",
        "bank_transfer_out": "2042",
        "securities_sell": "4001",
        "securities_buy": "4002",
        "financing_buy": "4211",
        "sell_to_repay": "4212",
        "buy_to_return": "4213",
        "short_sell": "4214",
        "financing_interest_paid": "2219",
        "short_interest_paid": "2807",
        "interest": "2005",
        "transfer_from_normal": "3001",
        "transfer_to_normal": "3002",
        "financing_drawn": "2810",
        "financing_repaid": "2811",
    },
    "share_movement": {
        "allotment": "4016",
        "option_exercise": "4301",
        "collateral_in": "4101",
        "collateral_out": "4102",
        "restriction_released": "4020",
        "repurchase_out": "4103",
        "repurchase_in": "4104",
    },
    "custody_status": {"signed": "1", "cancelled": "0"},
    "direction": {"in": "1", "out": "2"},
    "transfer_status": {"success": "2", "failed": "3"},
    "figure_kind": {
        "open_fund_money": "11",
        "investor_protection_report": "12",
        "legal_person_result": "13",
        "settlement_account": "14",
        "bank_reconciliation": "15",
    },
    "case_kind": {"inheritance": "1", "judicial_deduction": "2"},
}

_STATE_FEED = "state"
_EVENT_FEED = "event"
_CHANGES_FEED = "changes"

_TRADE_FEES = (
    "commission_amount:money stamp_duty_amount:money transfer_fee_amount:money order_fee_amount:money "
    "other_fee_amount:money exchange_handling_fee_amount:money exchange_regulatory_fee_amount:money "
    "exchange_transfer_fee_amount:money exchange_settlement_fee_amount:money exchange_other_fee_amount:money "
    "settlement_amount:money settlement_date:date channel:channel"
)
_MEMBER = "account_id client_number client_name identity_kind:identity_kind identity_number mobile_phone"
_ACCOUNT_LIFE = "account_status:account_status open_date:date close_date:date"
_JOURNAL = "amount:money balance_after_amount:money trade_id bank_code"

# feed: (format, mode, file pattern, columns, columns summed in the control totals)
_SPECIFICATIONS: dict[str, tuple[str, str, str, str, str]] = {
    "reference__branches": (
        "delimited",
        _STATE_FEED,
        "branches_{date}.txt",
        "branch_id branch_name region_name branch_status:branch_status",
        "",
    ),
    "reference__employees": (
        "delimited",
        _STATE_FEED,
        "employees_{date}.txt",
        "employee_id employee_name branch_id employee_status:employee_status hired_date:date left_date:date",
        "",
    ),
    "staff_platform__relations": (
        "delimited",
        _STATE_FEED,
        "staff_relations_{date}.txt",
        "account_id business_line:business_line employee_id relation_kind:relation_kind is_main_service:flag "
        "pay_ratio:rate effective_date:date approved_date:date",
        "",
    ),
    "reference__agreed_rates": (
        "delimited",
        _STATE_FEED,
        "agreed_rates_{date}.txt",
        "account_id product_class:product_class exchange_code:exchange commission_rate:rate "
        "minimum_commission_amount:money includes_regulatory_fee:flag effective_date:date expiry_date:date",
        "",
    ),
    "reference__counter_rates": (
        "delimited",
        _STATE_FEED,
        "counter_rates_{date}.txt",
        "account_id product_class:product_class exchange_code:exchange commission_rate:rate "
        "minimum_commission_amount:money includes_regulatory_fee:flag",
        "",
    ),
    "performance_platform__targets": (
        "delimited",
        _STATE_FEED,
        "performance_targets_{date}.txt",
        "target_month unit_level:unit_level unit_id target_income_amount:money target_inflow_amount:money "
        "target_new_customer_count:quantity",
        "",
    ),
    "reference__statutory_rates": (
        "delimited",
        _STATE_FEED,
        "statutory_rates_{date}.txt",
        "fee_kind:fee_kind product_class:product_class exchange_code:exchange side:side effective_date:date rate:rate",
        "",
    ),
    "reference__securities": (
        "parquet",
        _STATE_FEED,
        "securities_{date}.parquet",
        "exchange_code:exchange security_code security_name security_kind:security_kind currency_code:currency "
        "listed_date:date",
        "",
    ),
    "reference__prices": (
        "parquet",
        _STATE_FEED,
        "prices_{date}.parquet",
        "exchange_code:exchange security_code close_price:price price_source",
        "",
    ),
    "reference__exchange_rates": (
        "parquet",
        _STATE_FEED,
        "exchange_rates_{date}.parquet",
        "currency_code:currency rate_kind:rate_kind exchange_rate:rate rate_date:date",
        "",
    ),
    "normal_counter__clients": (
        "delimited",
        _STATE_FEED,
        "normal_clients_{date}.txt",
        "client_number client_name client_kind:client_kind identity_kind:identity_kind identity_number mobile_phone "
        "identity_expiry_date:date manager_client_number pension_account_id branch_id risk_level:risk_level risk_test_expiry_date:date "
        "client_status:account_status open_date:date close_date:date",
        "",
    ),
    "normal_counter__cash_accounts": (
        "delimited",
        _STATE_FEED,
        "normal_cash_accounts_{date}.txt",
        f"account_id client_number account_role:account_role branch_id {_ACCOUNT_LIFE}",
        "",
    ),
    "normal_counter__securities_accounts": (
        "delimited",
        _STATE_FEED,
        "normal_securities_accounts_{date}.txt",
        f"securities_account_id exchange_code:exchange account_id {_ACCOUNT_LIFE}",
        "",
    ),
    "normal_counter__cash_balances": (
        "delimited",
        _STATE_FEED,
        "normal_cash_balances_{date}.txt",
        "account_id currency_code:currency balance_amount:money available_amount:money frozen_amount:money "
        "unsettled_repo_amount:money unsettled_fund_amount:money unsettled_allotment_amount:money "
        "unsettled_dividend_amount:money",
        "balance_amount",
    ),
    "normal_counter__positions": (
        "delimited",
        _STATE_FEED,
        "normal_positions_{date}.txt",
        "account_id securities_account_id exchange_code:exchange security_code quantity:quantity "
        "restricted_quantity:quantity cost_amount:money",
        "quantity",
    ),
    "normal_counter__trades": (
        "delimited",
        _EVENT_FEED,
        "normal_trades_{date}.txt",
        "trade_id order_id account_id securities_account_id exchange_code:exchange security_code "
        "business_code:normal_trade quantity:quantity price:price turnover_amount:money currency_code:currency "
        + _TRADE_FEES,
        "turnover_amount commission_amount",
    ),
    "normal_counter__cash_journal": (
        "delimited",
        _EVENT_FEED,
        "normal_cash_journal_{date}.txt",
        f"journal_id account_id currency_code:currency business_code:normal_cash {_JOURNAL}",
        "amount",
    ),
    "credit_counter__accounts": (
        "delimited",
        _STATE_FEED,
        "credit_accounts_{date}.txt",
        f"{_MEMBER} branch_id {_ACCOUNT_LIFE} call_line:ratio close_out_line:ratio",
        "",
    ),
    "credit_counter__cash_balances": (
        "delimited",
        _STATE_FEED,
        "credit_cash_balances_{date}.txt",
        "account_id currency_code:currency balance_amount:money available_amount:money frozen_amount:money",
        "balance_amount",
    ),
    "credit_counter__collateral_positions": (
        "delimited",
        _STATE_FEED,
        "credit_positions_{date}.txt",
        "account_id securities_account_id exchange_code:exchange security_code quantity:quantity cost_amount:money",
        "quantity",
    ),
    "credit_counter__contracts": (
        "delimited",
        _STATE_FEED,
        "credit_contracts_{date}.txt",
        "contract_id account_id contract_kind:contract_kind exchange_code:exchange security_code open_date:date "
        "due_date:date outstanding_principal_amount:money outstanding_quantity:quantity "
        "outstanding_fee_amount:money unpaid_interest_amount:money penalty_amount:money annual_rate:rate "
        "waived_interest_amount:money",
        "outstanding_principal_amount",
    ),
    "credit_counter__asset_debt_summaries": (
        "delimited",
        _STATE_FEED,
        "credit_asset_debt_{date}.txt",
        "account_id total_asset_amount:money cash_amount:money securities_amount:money financing_debt_amount:money "
        "short_debt_amount:money interest_amount:money fee_amount:money total_debt_amount:money "
        "net_asset_amount:money maintenance_ratio:ratio",
        "total_asset_amount total_debt_amount",
    ),
    "credit_counter__trades": (
        "delimited",
        _EVENT_FEED,
        "credit_trades_{date}.txt",
        "trade_id order_id account_id securities_account_id exchange_code:exchange security_code "
        "business_code:credit_trade quantity:quantity price:price turnover_amount:money currency_code:currency "
        + _TRADE_FEES
        + " contract_id",
        "turnover_amount commission_amount",
    ),
    "credit_counter__cash_journal": (
        "delimited",
        _EVENT_FEED,
        "credit_cash_journal_{date}.txt",
        f"journal_id account_id currency_code:currency business_code:credit_cash {_JOURNAL}",
        "amount",
    ),
    "repurchase_counter__contracts": (
        "delimited",
        _STATE_FEED,
        "repurchase_contracts_{date}.txt",
        "contract_id account_id contract_kind:repurchase_kind exchange_code:exchange security_code collateral_quantity:quantity "
        "principal_amount:money unpaid_interest_amount:money annual_rate:rate open_date:date repurchase_date:date "
        "watch_line:ratio warning_line:ratio disposal_line:ratio",
        "collateral_quantity principal_amount",
    ),
    "option_counter__accounts": (
        "delimited",
        _STATE_FEED,
        "option_accounts_{date}.txt",
        f"{_MEMBER} branch_id {_ACCOUNT_LIFE}",
        "",
    ),
    "option_counter__cash_balances": (
        "delimited",
        _STATE_FEED,
        "option_cash_balances_{date}.txt",
        "account_id currency_code:option_currency balance_amount:money*1000 available_amount:money*1000 "
        "frozen_amount:money*1000 occupied_margin_amount:money*1000 exchange_margin_amount:money*1000 "
        "counter_risk_degree:ratio",
        "balance_amount",
    ),
    "option_counter__contracts": (
        "delimited",
        _STATE_FEED,
        "option_contracts_{date}.txt",
        "contract_code contract_name exchange_code:exchange underlying_code option_kind:option_kind "
        "strike_price:price contract_unit:quantity expiry_date:date settlement_price:price",
        "",
    ),
    "option_counter__positions": (
        "delimited",
        _CHANGES_FEED,
        "option_positions_{date}.txt",
        "account_id contract_code position_side:position_side quantity:quantity margin_amount:money*1000 deleted:flag",
        "",
    ),
    "option_counter__trades": (
        "delimited",
        _EVENT_FEED,
        "option_trades_{date}.txt",
        "trade_id order_id account_id contract_code business_code:option_trade position_side:position_side "
        "quantity:quantity price:price turnover_amount:money*1000 currency_code:option_currency "
        "commission_amount:money*1000 exchange_handling_fee_amount:money*1000 "
        "exchange_settlement_fee_amount:money*1000 settlement_amount:money*1000",
        "commission_amount",
    ),
    "fund_counter__accounts": (
        "delimited",
        _STATE_FEED,
        "fund_accounts_{date}.txt",
        f"{_MEMBER} ta_account_id branch_id {_ACCOUNT_LIFE}",
        "",
    ),
    "fund_counter__products": (
        "delimited",
        _STATE_FEED,
        "fund_products_{date}.txt",
        "product_code product_name product_kind:product_kind risk_level:product_risk currency_code:currency "
        "manager_name management_fee_rate:rate maturity_date:date",
        "",
    ),
    "fund_counter__confirmations": (
        "ofd",
        _EVENT_FEED,
        "OFD_98_21C_{date}_04.TXT",
        "order_id@AppSheetSerialNo confirmed_date@TransactionCfmDate:date product_code@FundCode "
        "applied_date@TransactionDate:date return_code@ReturnCode account_id@TransactionAccountID "
        "applied_quantity@ApplicationVol:shares applied_amount@ApplicationAmount:money "
        "confirmed_quantity@ConfirmedVol:shares confirmed_amount@ConfirmedAmount:money "
        "business_code@BusinessCode:fund_business confirmation_id@TASerialNo charge_amount@Charge:money "
        "agency_fee_amount@AgencyFee:money nav@NAV:price share_class@ShareClass:share_class",
        "confirmed_amount",
    ),
    "fund_counter__holdings": (
        "ofd",
        _STATE_FEED,
        "OFD_98_21C_{date}_05.TXT",
        "available_quantity@AvailableVol:shares quantity@TotalVolOfDistributorInTA:shares product_code@FundCode "
        "account_id@TransactionAccountID ta_account_id@TAAccountID frozen_quantity@TotalFrozenVol:shares "
        "share_class@ShareClass:share_class undistributed_income_amount@UndistributeMonetaryIncome:money",
        "quantity",
    ),
    "fund_counter__navs": (
        "ofd",
        _STATE_FEED,
        "OFD_98_21C_{date}_07.TXT",
        "product_code@FundCode nav_date@NAVDate:date nav@NAV:price",
        "",
    ),
    "advice_counter__agreements": (
        "delimited",
        _STATE_FEED,
        "advice_agreements_{date}.txt",
        "agreement_id account_id product_code product_name adviser_employee_id fee_model:fee_model fee_rate:rate effective_date:date "
        "end_date:date agreement_status:agreement_status",
        "",
    ),
    "advice_counter__fees": (
        "delimited",
        _EVENT_FEED,
        "advice_fees_{date}.txt",
        "fee_id agreement_id account_id fee_kind:advice_fee amount:money",
        "amount",
    ),
    "fund_advice_counter__agreements": (
        "delimited",
        _STATE_FEED,
        "fund_advice_agreements_{date}.txt",
        "agreement_id account_id product_code product_name adviser_employee_id fee_rate:rate portfolio_amount:money effective_date:date "
        "end_date:date agreement_status:agreement_status",
        "portfolio_amount",
    ),
    "fund_advice_counter__fees": (
        "delimited",
        _EVENT_FEED,
        "fund_advice_fees_{date}.txt",
        "fee_id agreement_id account_id amount:money",
        "amount",
    ),
    "clearing__settlement_details": (
        "dbf",
        _EVENT_FEED,
        "SJSMX1_{date}.DBF",
        "settlement_id@MXYWLSH security_code@MXZQDM exchange_code@MXSCDM:exchange securities_account_id@MXZQZH "
        "order_id@MXDDBH branch_id@MXYYB business_code@MXYWLB settled_quantity@MXQSSL:quantity price@MXCJJG:price "
        "principal_amount@MXQSBJ:money stamp_duty_amount@MXYHS:money exchange_handling_fee_amount@MXJYJSF:money "
        "exchange_regulatory_fee_amount@MXJGGF:money exchange_transfer_fee_amount@MXGHF:money "
        "net_amount@MXSFJE:money clearing_date@MXQSRQ:date settlement_date@MXJSRQ:date",
        "net_amount",
    ),
    "clearing__securities_balances": (
        "dbf",
        _STATE_FEED,
        "SJSDZ_{date}.DBF",
        "securities_account_id@ZQZH exchange_code@SCDM:exchange security_code@ZQDM security_name@ZQMC "
        "quantity@CYSL:quantity frozen_quantity@DJSL:quantity",
        "quantity",
    ),
    "clearing__control_figures": (
        "delimited",
        _EVENT_FEED,
        "control_figures_{date}.txt",
        "figure_kind:figure_kind subject currency_code:currency amount:money finished_time",
        "amount",
    ),
    "normal_counter__share_movements": (
        "delimited",
        _EVENT_FEED,
        "share_movements_{date}.txt",
        "movement_id business_line:business_line account_id securities_account_id exchange_code:exchange security_code "
        "business_code:share_movement quantity:quantity restricted_quantity:quantity",
        "quantity",
    ),
    "bank__custody_balances": (
        "delimited",
        _STATE_FEED,
        "custody_balances_{date}.txt",
        "business_line:business_line account_id currency_code:currency bank_code custody_status:custody_status "
        "balance_amount:money",
        "balance_amount",
    ),
    "bank__transfers": (
        "delimited",
        _EVENT_FEED,
        "bank_transfers_{date}.txt",
        "transfer_id business_line:business_line account_id currency_code:currency bank_code direction:direction "
        "transfer_status:transfer_status amount:money requested_time completed_time",
        "amount",
    ),
    "operations__case_elements": (
        "delimited",
        _STATE_FEED,
        "case_elements_{date}.txt",
        "case_id element_id case_kind:case_kind account_id currency_code:currency amount:money exchange_code:exchange "
        "security_code quantity:quantity executed_date:date",
        "amount quantity",
    ),
    "operations__allotments": (
        "delimited",
        _STATE_FEED,
        "allotments_{date}.txt",
        "account_id exchange_code:exchange security_code won_quantity:quantity issue_price:price payable_amount:money "
        "paid_amount:money payment_due_date:date paid_date:date",
        "payable_amount paid_amount",
    ),
    "operations__subscription_quotas": (
        "delimited",
        _STATE_FEED,
        "subscription_quotas_{date}.txt",
        "account_id exchange_code:exchange security_code quota_quantity:quantity issue_price:price subscription_date:date",
        "quota_quantity",
    ),
    "operations__customer_links": (
        "delimited",
        _STATE_FEED,
        "customer_links_{date}.txt",
        "business_line:business_line client_number main_business_line:business_line main_client_number link_reason:link_reason "
        "decided_date:date",
        "",
    ),
    "call_platform__consents": (
        "delimited",
        _STATE_FEED,
        "consents_{date}.txt",
        "consent_id client_number mobile_phone consent_kind:consent_kind recorded_date:date",
        "",
    ),
    "call_platform__calls": (
        "delimited",
        _EVENT_FEED,
        "calls_{date}.txt",
        "call_id client_number mobile_phone call_direction:call_direction call_result:call_result",
        "",
    ),
    "call_platform__complaints": (
        "delimited",
        _STATE_FEED,
        "complaints_{date}.txt",
        "complaint_id client_number complaint_status:complaint_status opened_date:date closed_date:date",
        "",
    ),
    "account_opening__permissions": (
        "delimited",
        _STATE_FEED,
        "permissions_{date}.txt",
        "client_number permission_kind:permission_kind opened_date:date",
        "",
    ),
    "aml_system__grades": (
        "delimited",
        _STATE_FEED,
        "aml_grades_{date}.txt",
        "client_number aml_grade:aml_grade graded_date:date review_date:date",
        "",
    ),
    "e_office__institutions": (
        "delimited",
        _STATE_FEED,
        "institutions_{date}.txt",
        "client_number institution_kind:institution_kind investor_class:investor_class registered_capital_amount:money "
        "licence_expiry_date:date contact_name contact_phone updated_date:date",
        "",
    ),
    "account_opening__applications": (
        "delimited",
        _STATE_FEED,
        "applications_{date}.txt",
        "application_id mobile_phone applicant_name branch_id application_step:application_step "
        "application_status:application_status started_date:date stalled_minutes:quantity aml_result:aml_result client_number",
        "",
    ),
}

_COLUMN = re.compile(r"(?P<name>\w+)(@(?P<delivered>\w+))?(:(?P<kind>\w+))?(?P<thousandths>\*1000)?$")


@dataclass(frozen=True)
class Column:
    """One delivered column. kind: text, code, date, flag, or a key of `DECIMALS`."""

    name: str
    delivered_name: str
    kind: str
    codes: dict[str, str] | None
    in_thousandths: bool

    @property
    def decimals(self) -> int:
        return DECIMALS[self.kind]

    @property
    def is_amount(self) -> bool:
        return self.kind in DECIMALS


@dataclass(frozen=True)
class Layout:
    """One feed. mode: state (all rows every day), changes (changed rows), event (what happened that day)."""

    feed: str
    format: str
    mode: str
    file_pattern: str
    columns: tuple[Column, ...]
    summed: tuple[str, ...]

    def file_name(self, business_date) -> str:
        return self.file_pattern.format(date=f"{business_date:%Y%m%d}")

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _parse_column(text: str) -> Column:
    match = _COLUMN.match(text)
    kind = match["kind"] or "text"
    codes = CODES.get(kind)
    return Column(
        match["name"],
        match["delivered"] or match["name"],
        "code" if codes else kind,
        codes,
        match["thousandths"] is not None,
    )


@cache
def layouts() -> dict[str, Layout]:
    """Every feed's layout by feed name."""
    return {
        feed: Layout(feed, form, mode, pattern, tuple(map(_parse_column, columns.split())), tuple(summed.split()))
        for feed, (form, mode, pattern, columns, summed) in _SPECIFICATIONS.items()
    }
