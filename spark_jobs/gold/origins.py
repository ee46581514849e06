"""Which feeds the rows of a gold table come from: where whoever explains a figure looks next."""

from __future__ import annotations

BY_PHONE = ("call_platform__consents", "call_platform__calls")
"""Feeds whose rows speak of a phone: they belong to whoever has it now, whichever client number stands beside it."""

_BALANCES = tuple(f"{line}_counter__cash_balances" for line in ("normal", "credit", "option"))
_POSITIONS = (
    "normal_counter__positions",
    "credit_counter__collateral_positions",
    "option_counter__positions",
    "fund_counter__holdings",
)
_ACCOUNTS = ("credit_counter__accounts", "option_counter__accounts", "fund_counter__accounts")
_ASSETS = (*_BALANCES, *_POSITIONS, "credit_counter__contracts", "repurchase_counter__contracts")

FEEDS: dict[str, tuple[str, ...]] = {
    "calendar": (),
    "customers": ("normal_counter__clients", *_ACCOUNTS),
    "customer_merges": ("operations__customer_links",),
    "customer_reviews": ("operations__customer_links", "normal_counter__clients", *_ACCOUNTS),
    "member_phones": ("normal_counter__clients", *_ACCOUNTS, "e_office__institutions"),
    "accounts": ("normal_counter__cash_accounts", *_ACCOUNTS),
    "quarantined_customers": (),
    "holdings": _POSITIONS,
    "trades": tuple(f"{line}_counter__trades" for line in ("normal", "credit", "option")),
    "fund_confirmations": ("fund_counter__confirmations",),
    "cash_flows": ("normal_counter__cash_journal", "credit_counter__cash_journal"),
    "account_assets": _ASSETS,
    "customer_assets": _ASSETS,
    "credit_risks": (
        "credit_counter__accounts",
        "credit_counter__cash_balances",
        "credit_counter__collateral_positions",
        "credit_counter__contracts",
        "credit_counter__asset_debt_summaries",
    ),
    "credit_contracts": ("credit_counter__contracts",),
    "option_risks": ("option_counter__cash_balances", "option_counter__positions"),
    "repurchase_contracts": ("repurchase_counter__contracts",),
    "advice_agreements": ("advice_counter__agreements", "fund_advice_counter__agreements"),
    "advice_fees": ("advice_counter__fees", "fund_advice_counter__fees"),
    "order_charges": ("normal_counter__trades", "credit_counter__trades", "reference__agreed_rates"),
    "agreed_rates": ("reference__agreed_rates", "reference__counter_rates"),
    "targets": ("performance_platform__targets",),
    "staff_relations": ("staff_platform__relations",),
    "branches": ("reference__branches",),
    "employees": ("reference__employees",),
    "offers_due": ("operations__allotments", "operations__subscription_quotas", "normal_counter__cash_balances"),
    "phone_consents": ("call_platform__consents",),
    "calls": ("call_platform__calls",),
    "open_complaints": ("call_platform__complaints",),
    "aml_grades": ("aml_system__grades",),
    "institutions": ("e_office__institutions",),
    "permissions": ("account_opening__permissions",),
    "applications": ("account_opening__applications",),
    "freshness": (),
}
"""Feeds of which rows belong to one customer, by gold table. Prices, rates, terms of instruments and the trading calendar are everybody's.
What tells how old or how complete a day is comes from the ledger and the quarantine, not from a feed."""
