"""What the warehouse's marts must say, worked out from the events alone by the definitions of docs/measures.md.

The opening baseline counts in averages and as the first relation slice; no row of it is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

from simulator.events import EventLog
from simulator.truth_accruals import RunningAccruals
from simulator.truth_applications import ApplicationBook
from simulator.truth_assets import (
    Assets,
    Holding,
    collateral_value,
    guarantee_ratio,
    guarantee_tier,
    maintenance_ratio,
    margin_tier,
    owed_on,
    risk_degree,
    value_account,
)
from simulator.truth_averages import RunningAverages
from simulator.truth_behaviour import RunningPreferences, RunningProfits, RunningTurnover, asset_band
from simulator.truth_charges import ChargeBook
from simulator.truth_commission import CommissionMonths, Fees, fees_by_account, pay_ratios
from simulator.truth_contact import ContactBook, phone_rows
from simulator.truth_customers import CustomerRegistry, CustomersOfDay, Profile
from simulator.truth_files import TruthFiles
from simulator.truth_flows import CLIENT_CLASSES, cash_flow_rows, client_flows_by_account
from simulator.truth_income import RunningAdviceFees, incomes_by_account, sum_agreements
from simulator.truth_institutions import Institution, InstitutionBook, institution_rows
from simulator.truth_market import Market, read_market
from simulator.truth_merges import MergeBook, Merges, merge_rows, review_rows
from simulator.truth_money import CENT, ZERO
from simulator.truth_movements import RunningMovements
from simulator.truth_performance import PerformanceMonths, Served, customer_rows
from simulator.truth_products import product_rows
from simulator.truth_service import CustomerDay, Risks, Standing, age_cells, list_rows, stand, sum_holdings, sum_offers
from simulator.truth_standing import StandingBook
from simulator.truth_state import AccountKey, BrokerState
from simulator.truth_tags import RunningTags
from simulator.truth_views import view_ratios, view_rows

DECIMAL_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
NO_CUSTOMER = ""
# Personal pension accounts are not live yet.
NOBODY_HAS_A_PENSION = False


def write(event_log: EventLog, folder: Path) -> None:
    """Write one CSV file for each name in `truth_files.FILES` into `folder`, replacing what is there."""
    with localcontext(DECIMAL_CONTEXT), TruthFiles(folder) as files:
        book = MergeBook()
        merges = {business_date: book.day(event_log, business_date) for business_date in event_log.dates}
        for _, days in groupby(event_log.dates, lambda business_date: merges[business_date].into):
            _TruthRun(event_log, _FilesOfDays(files), {day: merges[day] for day in days}).write_all()


class _FilesOfDays:
    """Truth files that take rows only while `is_open`."""

    def __init__(self, files: TruthFiles) -> None:
        self._files, self.is_open = files, False

    def add(self, name: str, rows: Iterable[Iterable[Any]]) -> None:
        # What makes the rows may keep something of the day, whether they are taken or not.
        taken = list(rows)
        if self.is_open:
            self._files.add(name, taken)


class _TruthRun:
    """One pass over all days up to the last of `merges`, with the customers merged as they are on those days, whose rows alone are written;
    state, links and averages run along."""

    def __init__(self, event_log: EventLog, files: _FilesOfDays, merges: dict[dt.date, Merges]) -> None:
        self._log = event_log
        self._files = files
        self._merges = merges
        self._state = BrokerState()
        self._registry = CustomerRegistry(merges[min(merges)].into)
        self._averages = RunningAverages(event_log.dates)
        self._turnover = RunningTurnover()
        self._preferences = RunningPreferences()
        self._profits = RunningProfits()
        self._months = CommissionMonths()
        self._performance = PerformanceMonths()
        self._contacts = ContactBook()
        self._applications = ApplicationBook()
        self._grades_and_permissions = StandingBook()
        self._institutions = InstitutionBook()
        self._charges = ChargeBook()
        self._tags = RunningTags()
        self._accruals = RunningAccruals()
        self._movements = RunningMovements()
        self._advice_fees = RunningAdviceFees()
        self._last_trade_dates: dict[str, dt.date] = {}

    def write_all(self) -> None:
        previous_date = None
        for business_date in self._log.dates:
            if business_date > max(self._merges):
                break
            self._files.is_open = business_date in self._merges
            self._do_day(business_date, previous_date)
            previous_date = business_date
        last_days = {f"{business_date:%Y-%m}": business_date for business_date in self._log.dates}
        ended = {month for month, last_day in last_days.items() if last_day in self._merges}
        for name, rows in (
            ("commission_employee_month", self._months.employee_rows()),
            ("commission_branch_month", self._months.branch_rows()),
            ("performance_employee_month", self._performance.month_rows()),
            ("performance_branch_month", self._performance.unit_rows()),
        ):
            self._files.add(name, [row for row in rows if row[0] in ended])

    def _do_day(self, business_date: dt.date, previous_date: dt.date | None) -> None:
        state = self._state
        market = read_market(self._log, business_date)
        fees = fees_by_account(self._log, business_date, market) if previous_date else {}
        # The state is still at the end of the previous trading day: its relations are the ones that pay.
        incomes = incomes_by_account(self._log, business_date, market, fees) if previous_date else {}
        ratios = pay_ratios(state, {account for account, *_ in incomes}, previous_date) if previous_date else {}
        views = view_ratios(state, ratios, previous_date) if previous_date else {}
        state.apply(self._log, business_date)
        customers = self._registry.link_day(state, business_date)
        assets, holdings = _value_accounts(state, market)
        assets_of_customer = _sum_by_customer(customers, assets)
        totals = {customer_id: sums.total for customer_id, sums in assets_of_customer.items()}
        self._averages.add_day(business_date, totals)
        turnover = {key: amounts.turnover for key, amounts in fees.items()}
        self._turnover.add_day(business_date, _amounts_by_customer(customers, turnover))
        flows = (
            self._client_flows(business_date, market, customers)
            if previous_date
            else {name: {} for name in CLIENT_CLASSES}
        )
        net_assets = {customer_id: sums.net for customer_id, sums in assets_of_customer.items()}
        self._profits.add_day(business_date, net_assets, _sum_both(*flows.values()))
        self._contacts.apply(self._log, business_date)
        self._applications.apply(self._log, business_date)
        self._grades_and_permissions.apply(self._log, business_date)
        self._institutions.apply(self._log, business_date)
        self._charges.apply(self._log, business_date)
        if previous_date:
            self._note_last_trades(business_date, customers, fees)
        standings = {
            customer_id: self._standing(business_date, customer_id, profile, assets_of_customer[customer_id])
            for customer_id, profile in customers.profiles.items()
        }
        accruals = self._accruals.rows_of_day(self._log, business_date, previous_date, state, market, customers)
        self._files.add("income_accruals", accruals)
        movements = self._movements.rows_of_day(business_date, customers, standings, flows)
        self._files.add("customer_movements", movements)
        if previous_date:
            contacts = self._institutions.contact_phones()
            phones = phone_rows(business_date, state, customers, self._registry.order_of, contacts)
            self._files.add("customer_phones", phones)
            if merges := self._merges.get(business_date):
                self._files.add("customer_merges", merge_rows(business_date, merges))
                self._files.add("customer_reviews", review_rows(business_date, state, customers, merges))
            self._months.add_day(business_date, state, fees, ratios)
            self._write_commission(business_date, customers, fees)
            self._files.add("income_customer_day", customer_rows(incomes, business_date, customers))
            shares, of_employees, of_branches = self._performance.add_day(
                business_date, previous_date, state, customers, incomes, ratios
            )
            self._files.add("income_attribution", shares)
            self._files.add("income_employee_day", of_employees)
            self._files.add("income_branch_day", of_branches)
            self._files.add("income_view_day", view_rows(business_date, state, incomes, views))
            products = product_rows(self._log, business_date, market, state, incomes)
            self._files.add("income_product_day", products)
            self._files.add("charge_check", self._charges.rows(self._log, business_date, customers))
            self._files.add("rate_check", self._charges.rate_rows(self._log, business_date, customers))
            self._advice_fees.add_day(self._log, business_date, customers)
            self._preferences.add_day(self._log, business_date, market, customers.customer_of_account)
            risks = self._account_risks(market, assets)
            self._write_customers(business_date, customers, assets_of_customer, holdings, risks, standings)
            self._write_accounts(business_date, customers, assets)
            self._write_holdings(business_date, holdings)
            self._write_risks(business_date, assets, risks)
            self._write_repurchases(business_date, market)
            self._files.add("cash_flows", cash_flow_rows(self._log, business_date))
            self._files.add("prospects", self._applications.rows(business_date, customers, self._contacts.words))
            self._tags.add_day(self._log, business_date, customers)
            self._files.add("tags", self._tags.rows(business_date, customers))

    def _client_flows(
        self, business_date: dt.date, market: Market, customers: CustomersOfDay
    ) -> dict[str, dict[str, Decimal]]:
        """Of each class what customers moved, money out negative."""
        by_class = client_flows_by_account(self._log, business_date, market)
        return {name: _amounts_by_customer(customers, amounts) for name, amounts in by_class.items()}

    def _note_last_trades(
        self, business_date: dt.date, customers: CustomersOfDay, fees: dict[AccountKey, Fees]
    ) -> None:
        for key in fees:
            if customer_id := customers.customer_of_account.get(key):
                self._last_trade_dates[customer_id] = business_date

    def _standing(self, business_date: dt.date, customer_id: str, profile: Profile, assets: Assets) -> Standing:
        return stand(
            business_date, self._log.opening_date, profile, self._last_trade_dates.get(customer_id),
            self._turnover.of(customer_id)[-1], assets, self._averages.of_20_days(customer_id).amount,
            self._averages.of_month(customer_id).amount, self._profits.of(customer_id),
        )  # fmt: skip

    def _write_commission(
        self, business_date: dt.date, customers: CustomersOfDay, fees: dict[AccountKey, Fees]
    ) -> None:
        sums: dict[tuple[str, str], Fees] = {}
        for (line, account_id), amounts in fees.items():
            customer_id = customers.customer_of_account.get((line, account_id), NO_CUSTOMER)
            sums[customer_id, line] = sums.get((customer_id, line), Fees()).plus(amounts)
        rows = ((business_date, *key, *amounts) for key, amounts in sorted(sums.items()))
        self._files.add("commission_customer_day", rows)

    def _write_customers(
        self,
        business_date: dt.date,
        customers: CustomersOfDay,
        assets_of_customer: dict[str, Assets],
        holdings: dict[AccountKey, list[Holding]],
        risks: dict[AccountKey, Risks],
        standings: dict[str, Standing],
    ) -> None:
        accounts_of_customer: dict[str, list[AccountKey]] = {}
        for key, customer_id in customers.customer_of_account.items():
            accounts_of_customer.setdefault(customer_id, []).append(key)
        contacts = self._contacts.contacts(customers)
        grades_and_permissions = self._grades_and_permissions.standings(customers)
        institutions = self._institutions.institutions(customers)
        under = institution_rows(business_date, customers, assets_of_customer, institutions)
        self._files.add("institutions", under)
        favourites = self._preferences.favourites()
        days, served = [], []
        for customer_id, profile in sorted(customers.profiles.items()):
            accounts = accounts_of_customer.get(customer_id, [])
            held_by_account = [(key[0], holding) for key in accounts for holding in holdings[key]]
            held = sum_holdings(held_by_account, profile.risk_level, business_date)
            assets, turnover = assets_of_customer[customer_id], self._turnover.of(customer_id)
            of_20_days, of_month = self._averages.of_20_days(customer_id), self._averages.of_month(customer_id)
            profits, last_trade_date = self._profits.of(customer_id), self._last_trade_dates.get(customer_id)
            standing = standings[customer_id]
            worst = reduce(Risks.worse, (risks[key] for key in accounts if key in risks), Risks())
            offers = sum_offers(self._state, accounts, business_date)
            advice = (*sum_agreements(self._state, accounts), self._advice_fees.of_year(customer_id))
            contact = contacts[customer_id]
            row = (
                business_date, customer_id, *profile.cells(), *age_cells(profile.birth_date, business_date), last_trade_date,
                *turnover, *favourites.get(customer_id, (None, None)), *profits, asset_band(of_month.amount), *worst, *advice, *held, *offers, *contact, *grades_and_permissions[customer_id],
                *institutions.get(customer_id, Institution()), NOBODY_HAS_A_PENSION, *standing, *assets.cells(), *of_20_days,
                *of_month,
            )  # fmt: skip
            self._files.add("customers", [row])
            days.append(
                CustomerDay(
                    business_date,
                    customer_id,
                    profile,
                    assets,
                    of_20_days.amount,
                    worst,
                    held,
                    offers,
                    contact,
                    standing,
                )
            )
            served.append(Served(days[-1], of_month.amount, self._profits.brought_in_month(customer_id)))
        self._performance.close_day(business_date, self._state, served)
        calls, suppressed = list_rows(days)
        self._files.add("outbound_calls", calls)
        self._files.add("outbound_suppressed", suppressed)

    def _write_accounts(
        self, business_date: dt.date, customers: CustomersOfDay, assets: dict[AccountKey, Assets]
    ) -> None:
        customer_of_account = customers.customer_of_account
        rows = ((business_date, *key, customer_of_account.get(key), *assets[key].cells()) for key in sorted(assets))
        self._files.add("accounts", rows)

    def _write_holdings(self, business_date: dt.date, holdings: dict[AccountKey, list[Holding]]) -> None:
        rows = (
            (business_date, *key, *holding._replace(quantity=_with_two_decimals(holding.quantity)))
            for key in sorted(holdings)
            for holding in holdings[key]
        )
        self._files.add("holdings", rows)

    def _account_risks(self, market: Market, assets: dict[AccountKey, Assets]) -> dict[AccountKey, Risks]:
        """Of every credit and option account, and of those with repurchase contracts."""
        risks = {key: self._repurchase_risks(market, key) for key, held in self._state.repurchases.items() if held}
        for key, amounts in assets.items():
            if key[0] == "credit":
                account, ratio = self._state.accounts[key], maintenance_ratio(amounts)
                risks[key] = Risks(ratio, margin_tier(ratio, account.call_line, account.close_out_line))
            elif key[0] == "option":
                risks[key] = Risks(maximum_degree=risk_degree(self._state, market, key))
        return risks

    def _repurchase_risks(self, market: Market, key: AccountKey) -> Risks:
        worst = Risks()
        for contract in self._state.repurchases[key].values():
            ratio = guarantee_ratio(market, contract)
            risk = Risks(
                minimum_guarantee_ratio=ratio,
                guarantee_tier=guarantee_tier(ratio, contract),
                next_repurchase_date=contract.repurchase_date,
            )
            worst = worst.worse(risk)
        return worst

    def _write_repurchases(self, business_date: dt.date, market: Market) -> None:
        contracts = (contract for held in self._state.repurchases.values() for contract in held.values())
        for contract in sorted(contracts, key=lambda contract: contract.contract_id):
            ratio = guarantee_ratio(market, contract)
            figures = (collateral_value(market, contract), owed_on(contract), ratio, guarantee_tier(ratio, contract))
            self._files.add("repurchase_contracts", [(business_date, contract.contract_id, *figures)])

    def _write_risks(
        self, business_date: dt.date, assets: dict[AccountKey, Assets], risks: dict[AccountKey, Risks]
    ) -> None:
        for key in sorted(risks):
            (line, account_id), amounts, risk = key, assets[key], risks[key]
            if line == "credit":
                row = (business_date, account_id, amounts.credit_asset, amounts.credit_debt, *risk[:2])
                self._files.add("credit_risks", [row])
            elif line == "option":
                row = (business_date, account_id, amounts.option_equity, risk.maximum_degree)
                self._files.add("option_risks", [row])


def _value_accounts(
    state: BrokerState, market: Market
) -> tuple[dict[AccountKey, Assets], dict[AccountKey, list[Holding]]]:
    assets: dict[AccountKey, Assets] = {}
    holdings: dict[AccountKey, list[Holding]] = {}
    for key in state.accounts:
        assets[key], holdings[key] = value_account(state, market, key)
    return assets, holdings


def _sum_by_customer(customers: CustomersOfDay, assets: dict[AccountKey, Assets]) -> dict[str, Assets]:
    """Every customer of the day, those without an account with zeros; accounts without a customer are left out."""
    sums = dict.fromkeys(customers.profiles, Assets())
    for key, customer_id in customers.customer_of_account.items():
        sums[customer_id] = sums[customer_id].plus(assets[key])
    return sums


def _amounts_by_customer(customers: CustomersOfDay, amounts: dict[AccountKey, Decimal]) -> dict[str, Decimal]:
    """Sums over the accounts of a customer; accounts without a customer are left out."""
    sums: dict[str, Decimal] = {}
    for key, amount in amounts.items():
        if customer_id := customers.customer_of_account.get(key):
            sums[customer_id] = sums.get(customer_id, ZERO) + amount
    return sums


def _sum_both(ones: dict[str, Decimal], others: dict[str, Decimal]) -> dict[str, Decimal]:
    return {name: ones.get(name, ZERO) + others.get(name, ZERO) for name in {*ones, *others}}


def _with_two_decimals(quantity: Decimal) -> Decimal:
    """One scale for the column: fund shares have two decimals, securities and options are whole."""
    return quantity.quantize(CENT)
