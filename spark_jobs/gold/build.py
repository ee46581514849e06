"""Silver → gold for a range of days: which builder makes which table from which slices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold import (
    advice,
    applications,
    assets,
    charges,
    contacts,
    customers,
    merges,
    offers,
    repurchases,
    standing,
    trades,
)
from spark_jobs.gold.money import build_rates
from spark_jobs.gold.tables import conform
from spark_jobs.silver.members import build_sightings

Slices = Callable[[str], DataFrame]


def sightings(silver: Slices) -> DataFrame:
    """Every member on every day; see `silver.members`."""
    return build_sightings(
        silver("normal_counter__clients"),
        {
            "CRD": silver("credit_counter__accounts"),
            "OPT": silver("option_counter__accounts"),
            "FND": silver("fund_counter__accounts"),
        },
    )


def build_gold(
    silver: Slices, members: DataFrame, held: DataFrame, days: list[date], watch_line: Decimal
) -> dict[str, DataFrame]:
    """The frames of every dated gold table for `days`. `silver(feed)` gives that feed's slices of exactly these days.

    held: rows in quarantine on these days; see `ingest.quarantine.held_rows`.
    """
    present = customers.build_members_present(sightings(silver), members).persist()
    account_frames = {
        "normal": silver("normal_counter__cash_accounts"),
        "credit": silver("credit_counter__accounts"),
        "option": silver("option_counter__accounts"),
        "fund": silver("fund_counter__accounts"),
    }
    accounts = customers.build_accounts(account_frames, present).persist()
    everybody = customers.build_customers(present).persist()
    links = merges.build_links(silver("operations__customer_links"), members, everybody)
    merged = merges.build_customer_merges(links, everybody)
    spark = members.sparkSession
    rates = build_rates(
        silver("reference__exchange_rates"), spark.createDataFrame([(day,) for day in days], "business_date date")
    ).persist()
    securities, prices = silver("reference__securities"), silver("reference__prices")

    normal = assets.value_positions(silver("normal_counter__positions"), "normal", securities, prices, rates)
    collateral = assets.value_positions(
        silver("credit_counter__collateral_positions"), "credit", securities, prices, rates
    )
    options = assets.value_options(silver("option_counter__positions"), silver("option_counter__contracts"))
    funds = assets.value_funds(
        silver("fund_counter__holdings"), silver("fund_counter__products"), silver("fund_counter__navs"), rates
    )
    everything = (
        normal.unionByName(collateral.select(*normal.columns))
        .unionByName(options.select(*normal.columns))
        .unionByName(funds.select(*normal.columns))
    )
    lent = repurchases.build_repurchase_contracts(
        silver("repurchase_counter__contracts"), accounts, securities, prices, rates
    )
    value = F.col("market_value_amount")
    parts = [
        normal.withColumn("securities_amount", value),
        collateral.drop("restricted_amount").withColumn("credit_asset_amount", value),
        options.drop("restricted_amount").withColumn("option_equity_amount", value),
        funds.drop("restricted_amount").withColumn("fund_amount", value),
        assets.value_cash(silver("normal_counter__cash_balances"), "normal", "cash_amount", rates),
        assets.value_cash(silver("credit_counter__cash_balances"), "credit", "credit_asset_amount", rates),
        assets.value_cash(silver("option_counter__cash_balances"), "option", "option_equity_amount", rates),
        assets.value_debts(silver("credit_counter__contracts"), prices),
        repurchases.part_of_assets(lent),
    ]
    account_assets = assets.build_account_assets(accounts, parts).persist()
    return {
        "customers": everybody,
        "customer_merges": merged,
        "member_phones": customers.build_member_phones(present, silver("e_office__institutions")),
        "customer_reviews": merges.build_customer_reviews(links, merged, present),
        "accounts": accounts,
        "quarantined_customers": customers.build_quarantined_customers(held, present, accounts),
        "holdings": assets.build_holdings(everything, accounts),
        "account_assets": account_assets,
        "customer_assets": assets.build_customer_assets(account_assets),
        "credit_risks": assets.build_credit_risks(
            account_assets,
            silver("credit_counter__accounts"),
            silver("credit_counter__asset_debt_summaries"),
            watch_line,
        ),
        "credit_contracts": assets.build_credit_contracts(silver("credit_counter__contracts"), accounts),
        "option_risks": assets.build_option_risks(
            account_assets, silver("option_counter__cash_balances"), silver("option_counter__positions")
        ),
        "repurchase_contracts": lent,
        "advice_agreements": advice.build_advice_agreements(
            {line: silver(f"{line}_counter__agreements") for line in advice.ADVISED_ACCOUNTS}, accounts
        ),
        "advice_fees": advice.build_advice_fees(
            {line: silver(f"{line}_counter__fees") for line in advice.ADVISED_ACCOUNTS}, accounts
        ),
        "trades": trades.build_trades(
            {
                "normal": silver("normal_counter__trades"),
                "credit": silver("credit_counter__trades"),
                "option": silver("option_counter__trades"),
            },
            accounts,
            securities,
            rates,
        ),
        "fund_confirmations": trades.build_fund_confirmations(silver("fund_counter__confirmations"), accounts),
        "cash_flows": trades.build_cash_flows(
            {"normal": silver("normal_counter__cash_journal"), "credit": silver("credit_counter__cash_journal")},
            accounts,
            rates,
        ),
        "offers_due": offers.build_offers_due(
            silver("operations__allotments"),
            silver("operations__subscription_quotas"),
            silver("normal_counter__cash_balances"),
            accounts,
        ),
        "phone_consents": contacts.build_phone_consents(silver("call_platform__consents")),
        "calls": contacts.build_calls(silver("call_platform__calls")),
        "aml_grades": standing.build_aml_grades(silver("aml_system__grades"), present),
        "institutions": standing.build_institutions(silver("e_office__institutions"), present),
        "permissions": standing.build_permissions(silver("account_opening__permissions"), present),
        "applications": applications.build_applications(silver("account_opening__applications"), present),
        "open_complaints": contacts.build_open_complaints(silver("call_platform__complaints"), present),
        "order_charges": charges.build_order_charges(
            {"normal": silver("normal_counter__trades"), "credit": silver("credit_counter__trades")},
            accounts,
            securities,
            silver("reference__agreed_rates"),
            silver("reference__statutory_rates"),
        ),
        "agreed_rates": charges.build_agreed_rates(
            silver("reference__agreed_rates"),
            silver("reference__counter_rates"),
            silver("reference__statutory_rates"),
            accounts,
        ),
        "targets": conform(silver("performance_platform__targets"), "targets"),
        "staff_relations": conform(silver("staff_platform__relations"), "staff_relations"),
        "branches": conform(silver("reference__branches"), "branches"),
        "employees": conform(silver("reference__employees"), "employees"),
    }
