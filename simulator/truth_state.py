"""What is in force at the end of a business date: the events folded into running balances."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

from simulator import events
from simulator.truth_money import ZERO

AccountKey = tuple[str, str]
"""(business line, account id)"""

LINE_OF_ADVISED_ACCOUNT = {"advice": "normal", "fund_advice": "fund"}
SYSTEM_OF_LINE = {"normal": "NOR", "credit": "CRD", "option": "OPT", "fund": "FND"}


class BrokerState:
    """The broker at the end of the last applied day; a removed key is gone from every table.

    Balances are kept per account: `table[account key][part key]`. Nothing is replayed.
    """

    def __init__(self) -> None:
        self.branch_regions: dict[str, str] = {}
        self.employee_branches: dict[str, str] = {}
        self.clients: dict[tuple[str, str], events.ClientOpened | events.ClientChanged] = {}
        self.accounts: dict[AccountKey, events.AccountOpened | events.AccountChanged] = {}
        self.targets: dict[tuple[str, str, str], events.TargetSet] = {}
        self.relations: dict[AccountKey, dict[str, events.RelationSet]] = defaultdict(dict)
        self.cash: dict[AccountKey, dict[str, Decimal]] = {}
        self.in_transit: dict[AccountKey, dict[str, Decimal]] = {}
        self.positions: dict[AccountKey, dict[tuple[str, str, str], tuple[Decimal, Decimal]]] = {}
        self.contracts: dict[AccountKey, dict[str, events.CreditContractSet]] = {}
        self.repurchases: dict[AccountKey, dict[str, events.RepurchaseContractSet]] = {}
        self.agreements: dict[AccountKey, dict[tuple[str, str], events.AdviceAgreementSet]] = {}
        self.option_positions: dict[AccountKey, dict[tuple[str, str], Decimal]] = {}
        self.occupied_margins: dict[AccountKey, dict[str, Decimal]] = {}
        self.frozen_cash: dict[AccountKey, dict[str, Decimal]] = {}
        self.quotas: dict[AccountKey, dict[tuple[str, str], events.SubscriptionQuotaSet]] = {}
        self.allotments: dict[AccountKey, dict[tuple[str, str], events.AllotmentSet]] = {}
        self.fund_quantities: dict[AccountKey, dict[tuple[str, str], Decimal]] = {}
        self.fund_incomes: dict[AccountKey, dict[tuple[str, str], Decimal]] = {}
        self._account_of_contract: dict[str, AccountKey] = {}
        self._account_of_repurchase: dict[str, AccountKey] = {}
        # In the order of EVENT_ORDER: what replaces comes after what it replaces, accounts and clients leave last.
        self._folds = {
            events.BranchSet: self._set_branch,
            events.BranchRemoved: lambda event: self.branch_regions.pop(event.branch_id, None),
            events.EmployeeSet: self._set_employee,
            events.EmployeeRemoved: lambda event: self.employee_branches.pop(event.employee_id, None),
            events.ClientOpened: self._set_client,
            events.ClientChanged: self._set_client,
            events.AccountOpened: self._set_account,
            events.AccountChanged: self._set_account,
            events.RelationRemoved: self._remove_relation,
            events.RelationSet: self._set_relation,
            events.TargetRemoved: lambda event: self.targets.pop(tuple(event), None),
            events.TargetSet: self._set_target,
            events.CashMoved: self._move_cash,
            events.CashFrozenSet: self._set_frozen,
            events.InTransitMoved: self._move_in_transit,
            events.SecuritiesMoved: self._move_securities,
            events.CreditContractSet: self._set_contract,
            events.CreditContractRemoved: self._remove_contract,
            events.RepurchaseContractSet: self._set_repurchase,
            events.RepurchaseContractRemoved: self._remove_repurchase,
            events.OptionPositionSet: self._set_option_position,
            events.OptionMarginSet: self._set_option_margin,
            events.FundHoldingMoved: self._move_fund_holding,
            events.FundHoldingDetailSet: self._set_fund_holding_detail,
            events.AdviceAgreementSet: self._set_agreement,
            events.AdviceAgreementRemoved: self._remove_agreement,
            events.AllotmentSet: self._set_allotment,
            events.AllotmentRemoved: lambda event: self.allotments.get(("normal", event.account_id), {}).pop(
                (event.exchange_code, event.security_code), None
            ),
            events.SubscriptionQuotaSet: self._set_quota,
            events.SubscriptionQuotaRemoved: lambda event: self.quotas.get(("normal", event.account_id), {}).pop(
                (event.exchange_code, event.security_code), None
            ),
            events.AccountRemoved: self._remove_account,
            events.ClientRemoved: lambda event: self.clients.pop((event.system, event.client_number), None),
        }

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        """Fold one day in."""
        for event_class, fold in self._folds.items():
            for event in event_log.events_of(business_date, event_class):
                fold(event)
        self._check_owners(business_date)

    def branch_of_account(self, key: AccountKey) -> str | None:
        account = self.accounts.get(key)
        return account.branch_id if account else None

    def _balance_tables(self) -> tuple[dict[AccountKey, Any], ...]:
        return (
            self.cash,
            self.in_transit,
            self.positions,
            self.contracts,
            self.repurchases,
            self.agreements,
            self.option_positions,
            self.occupied_margins,
            self.frozen_cash,
            self.allotments,
            self.quotas,
            self.fund_quantities,
            self.fund_incomes,
        )

    def _check_owners(self, business_date: dt.date) -> None:
        for table in self._balance_tables():
            strangers = table.keys() - self.accounts.keys()
            if strangers:
                raise ValueError(
                    f"Truth: on {business_date} {len(strangers)} accounts have a balance but are not delivered, "
                    f"first {min(strangers)}. Open the account first, or move nothing after AccountRemoved."
                )

    def _set_branch(self, event: events.BranchSet) -> None:
        self.branch_regions[event.branch_id] = event.region_name

    def _set_employee(self, event: events.EmployeeSet) -> None:
        self.employee_branches[event.employee_id] = event.branch_id

    def _set_client(self, event: events.ClientOpened | events.ClientChanged) -> None:
        self.clients[event.system, event.client_number] = event

    def _set_account(self, event: events.AccountOpened | events.AccountChanged) -> None:
        self.accounts[event.line, event.account_id] = event

    def _set_relation(self, event: events.RelationSet) -> None:
        self.relations[event.business_line, event.account_id][event.employee_id] = event

    def _remove_relation(self, event: events.RelationRemoved) -> None:
        self.relations[event.business_line, event.account_id].pop(event.employee_id, None)

    def _set_target(self, event: events.TargetSet) -> None:
        self.targets[event[:3]] = event

    def _move_cash(self, event: events.CashMoved) -> None:
        _add(self.cash, (event.line, event.account_id), event.currency_code, event.amount)

    def _set_frozen(self, event: events.CashFrozenSet) -> None:
        self.frozen_cash.setdefault((event.line, event.account_id), {})[event.currency_code] = event.frozen_amount

    def _set_allotment(self, event: events.AllotmentSet) -> None:
        wins = self.allotments.setdefault(("normal", event.account_id), {})
        wins[event.exchange_code, event.security_code] = event

    def _set_quota(self, event: events.SubscriptionQuotaSet) -> None:
        quotas = self.quotas.setdefault(("normal", event.account_id), {})
        quotas[event.exchange_code, event.security_code] = event

    def _move_in_transit(self, event: events.InTransitMoved) -> None:
        """The four buckets are added before any conversion, so they are kept as one."""
        _add(self.in_transit, ("normal", event.account_id), event.currency_code, event.amount)

    def _move_securities(self, event: events.SecuritiesMoved) -> None:
        positions = self.positions.setdefault((event.line, event.account_id), {})
        key = (event.securities_account_id, event.exchange_code, event.security_code)
        quantity, restricted = positions.get(key, (ZERO, ZERO))
        positions[key] = (quantity + event.quantity, restricted + event.restricted_quantity)

    def _set_contract(self, event: events.CreditContractSet) -> None:
        self._remove_contract(event)
        key = ("credit", event.account_id)
        self._account_of_contract[event.contract_id] = key
        self.contracts.setdefault(key, {})[event.contract_id] = event

    def _remove_contract(self, event: events.CreditContractSet | events.CreditContractRemoved) -> None:
        key = self._account_of_contract.pop(event.contract_id, None)
        self.contracts.get(key, {}).pop(event.contract_id, None)

    def _set_repurchase(self, event: events.RepurchaseContractSet) -> None:
        self._remove_repurchase(event)
        key = ("normal", event.account_id)
        self._account_of_repurchase[event.contract_id] = key
        self.repurchases.setdefault(key, {})[event.contract_id] = event

    def _remove_repurchase(self, event: events.RepurchaseContractSet | events.RepurchaseContractRemoved) -> None:
        key = self._account_of_repurchase.pop(event.contract_id, None)
        self.repurchases.get(key, {}).pop(event.contract_id, None)

    def _set_agreement(self, event: events.AdviceAgreementSet) -> None:
        key = (LINE_OF_ADVISED_ACCOUNT[event.line], event.account_id)
        self.agreements.setdefault(key, {})[event.line, event.agreement_id] = event

    def _remove_agreement(self, event: events.AdviceAgreementRemoved) -> None:
        for held in self.agreements.values():
            held.pop((event.line, event.agreement_id), None)

    def _set_option_position(self, event: events.OptionPositionSet) -> None:
        key = (event.contract_code, event.position_side)
        self.option_positions.setdefault(("option", event.account_id), {})[key] = event.quantity

    def _set_option_margin(self, event: events.OptionMarginSet) -> None:
        margins = self.occupied_margins.setdefault(("option", event.account_id), {})
        margins[event.currency_code] = event.occupied_margin_amount

    def _move_fund_holding(self, event: events.FundHoldingMoved) -> None:
        _add(self.fund_quantities, ("fund", event.account_id), (event.product_code, event.share_class), event.quantity)

    def _set_fund_holding_detail(self, event: events.FundHoldingDetailSet) -> None:
        incomes = self.fund_incomes.setdefault(("fund", event.account_id), {})
        incomes[event.product_code, event.share_class] = event.undistributed_income_amount

    def _remove_account(self, event: events.AccountRemoved) -> None:
        key = (event.line, event.account_id)
        self.accounts.pop(key, None)
        for table in self._balance_tables():
            table.pop(key, None)


def _add(table: dict[AccountKey, dict[Any, Decimal]], key: AccountKey, part: Any, amount: Decimal) -> None:
    parts = table.setdefault(key, {})
    parts[part] = parts.get(part, ZERO) + amount
