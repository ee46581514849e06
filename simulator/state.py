"""The end-of-day state of the broker, folded from events alone. Feeds are read off these tables."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.events import Columns, EventLog, field_kinds

# table: (event classes that set a row, event class that removes it, key)
ABSOLUTE_TABLES: dict[str, tuple[tuple[type, ...], type | None, tuple[str, ...]]] = {
    "branches": ((ev.BranchSet,), ev.BranchRemoved, ("branch_id",)),
    "employees": ((ev.EmployeeSet,), ev.EmployeeRemoved, ("employee_id",)),
    "clients": ((ev.ClientOpened, ev.ClientChanged), ev.ClientRemoved, ("system", "client_number")),
    "accounts": ((ev.AccountOpened, ev.AccountChanged), ev.AccountRemoved, ("line", "account_id")),
    "securities_accounts": (
        (ev.SecuritiesAccountSet,),
        ev.SecuritiesAccountRemoved,
        ("securities_account_id", "exchange_code"),
    ),
    "relations": ((ev.RelationSet,), ev.RelationRemoved, ("account_id", "business_line", "employee_id")),
    "agreed_rates": (
        (ev.AgreedRateSet,),
        ev.AgreedRateRemoved,
        ("account_id", "product_class", "exchange_code", "effective_date"),
    ),
    "counter_rates": (
        (ev.CounterRateSet,),
        ev.CounterRateRemoved,
        ("account_id", "product_class", "exchange_code"),
    ),
    "targets": ((ev.TargetSet,), ev.TargetRemoved, ("target_month", "unit_level", "unit_id")),
    "frozen_cash": ((ev.CashFrozenSet,), None, ("line", "account_id", "currency_code")),
    "credit_contracts": ((ev.CreditContractSet,), ev.CreditContractRemoved, ("contract_id",)),
    "repurchase_contracts": ((ev.RepurchaseContractSet,), ev.RepurchaseContractRemoved, ("contract_id",)),
    "option_positions": ((ev.OptionPositionSet,), None, ("account_id", "contract_code", "position_side")),
    "option_margins": ((ev.OptionMarginSet,), None, ("account_id", "currency_code")),
    "fund_details": ((ev.FundHoldingDetailSet,), None, ("account_id", "product_code", "share_class")),
    "advice_agreements": ((ev.AdviceAgreementSet,), ev.AdviceAgreementRemoved, ("line", "agreement_id")),
    "case_elements": ((ev.CaseElementSet,), ev.CaseElementRemoved, ("case_id", "element_id")),
    "allotments": ((ev.AllotmentSet,), ev.AllotmentRemoved, ("account_id", "exchange_code", "security_code")),
    "subscription_quotas": (
        (ev.SubscriptionQuotaSet,),
        ev.SubscriptionQuotaRemoved,
        ("account_id", "exchange_code", "security_code"),
    ),
    "customer_links": ((ev.CustomerLinkSet,), ev.CustomerLinkRemoved, ("business_line", "client_number")),
    "institutions": ((ev.InstitutionSet,), ev.InstitutionRemoved, ("client_number",)),
    "consents": ((ev.ConsentSet,), ev.ConsentRemoved, ("consent_id",)),
    "complaints": ((ev.ComplaintSet,), ev.ComplaintRemoved, ("complaint_id",)),
    "aml_grades": ((ev.AmlGradeSet,), ev.AmlGradeRemoved, ("client_number",)),
    "permissions": ((ev.PermissionSet,), ev.PermissionRemoved, ("client_number", "permission_kind")),
    "applications": ((ev.ApplicationSet,), ev.ApplicationRemoved, ("application_id",)),
}

# table: (event class, key, columns summed)
MOVED_TABLES: dict[str, tuple[type, tuple[str, ...], tuple[str, ...]]] = {
    "cash": (ev.CashMoved, ("line", "account_id", "currency_code"), ("amount",)),
    "in_transit": (ev.InTransitMoved, ("account_id", "currency_code", "bucket"), ("amount",)),
    "positions": (
        ev.SecuritiesMoved,
        ("line", "account_id", "securities_account_id", "exchange_code", "security_code"),
        ("quantity", "restricted_quantity", "cost_amount"),
    ),
    "fund_holdings": (ev.FundHoldingMoved, ("account_id", "product_code", "share_class"), ("quantity",)),
}

PUBLISHED_TABLES: dict[str, type] = {
    "statutory_rates": ev.StatutoryRatePublished,
    "securities": ev.SecurityPublished,
    "prices": ev.PricePublished,
    "exchange_rates": ev.ExchangeRatePublished,
    "fund_products": ev.FundProductPublished,
    "navs": ev.NavPublished,
    "option_contracts": ev.OptionContractPublished,
}

HELD_BY_ACCOUNT = (
    "frozen_cash",
    "credit_contracts",
    "repurchase_contracts",
    "advice_agreements",
    "option_positions",
    "option_margins",
    "fund_details",
    "cash",
    "in_transit",
    "positions",
    "fund_holdings",
)


def of_normal_counter(clients: pd.DataFrame) -> pd.DataFrame:
    """Those clients that the normal counter knows."""
    return clients[clients["system"] == "NOR"]


def frame_of(chunks: list[Columns], event_class: type) -> pd.DataFrame:
    """Columnar events as one frame: amounts int64 in units of their scale, nullable ones as objects."""
    kinds = field_kinds(event_class)
    columns = {name: _joined([chunk.column(name) for chunk in chunks], kinds[name]) for name in event_class._fields}
    return pd.DataFrame(columns, copy=False)


def _joined(parts: list[np.ndarray], kind: ev.FieldKind) -> np.ndarray:
    if not parts:
        parts = [np.empty(0, dtype={"amount": np.int64, "date": "datetime64[D]", "flag": bool}.get(kind.kind, object))]
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return joined.astype("datetime64[s]") if kind.kind == "date" else joined


class BrokerState:
    """Tables of the last business date applied, by name."""

    def __init__(self) -> None:
        self.tables: dict[str, pd.DataFrame] = {}
        for name, (classes, _, _) in ABSOLUTE_TABLES.items():
            self.tables[name] = frame_of([], classes[0])
        for name, (event_class, key, summed) in MOVED_TABLES.items():
            self.tables[name] = frame_of([], event_class)[[*key, *summed]]
        for name, event_class in PUBLISHED_TABLES.items():
            self.tables[name] = frame_of([], event_class)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def apply(self, log: EventLog, business_date: dt.date) -> None:
        """Fold one day into the tables."""
        for name, (classes, removed, key) in ABSOLUTE_TABLES.items():
            self._set_rows(log, business_date, name, classes, removed, list(key))
        for name, (event_class, key, summed) in MOVED_TABLES.items():
            self._add_movements(log, business_date, name, event_class, list(key), list(summed))
        for name, event_class in PUBLISHED_TABLES.items():
            self.tables[name] = frame_of(log.chunks(business_date, event_class), event_class)
        self._drop_holdings_of_removed_accounts(log, business_date)

    def _set_rows(self, log, business_date, name, classes, removed, key) -> None:
        chunks = [chunk for event_class in classes for chunk in log.chunks(business_date, event_class)]
        gone = frame_of(log.chunks(business_date, removed) if removed else [], removed or classes[0])
        table = with_changes(self.tables[name], frame_of(chunks, classes[0]), gone, key)
        if name in ("clients", "accounts"):
            table = _without(table, gone, key)
        self.tables[name] = table

    def _add_movements(self, log, business_date, name, event_class, key, summed) -> None:
        chunks = log.chunks(business_date, event_class)
        if not chunks:
            return
        moved = frame_of(chunks, event_class)[[*key, *summed]]
        table = _stacked(self.tables[name], moved)
        # Only keys that moved need summing; the rest stay as they are.
        self.tables[name] = table.groupby(key, sort=False, as_index=False, observed=True)[summed].sum()

    def _drop_holdings_of_removed_accounts(self, log: EventLog, business_date: dt.date) -> None:
        chunks = log.chunks(business_date, ev.AccountRemoved)
        if not chunks:
            return
        gone = set(frame_of(chunks, ev.AccountRemoved)["account_id"])
        for name in HELD_BY_ACCOUNT:
            table = self.tables[name]
            self.tables[name] = table[~table["account_id"].isin(gone)].reset_index(drop=True)


def with_changes(table: pd.DataFrame, fresh: pd.DataFrame, gone: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """`table` a day later: first the keys that went are taken out, then rows are set; the last setting of a key on a day wins."""
    table = _without(table, gone, key)
    fresh = fresh.drop_duplicates(key, keep="last")
    return _stacked(_without(table, fresh, key), fresh) if len(fresh) else table


def row_keys(table: pd.DataFrame, key: list[str]) -> pd.Series:
    """One comparable value a row for a key of several columns."""
    joined = _as_text(table[key[0]])
    for name in key[1:]:
        joined = joined + "|" + _as_text(table[name])
    return joined


def _as_text(column: pd.Series) -> pd.Series:
    return column if column.dtype == object else column.astype(str).astype(object)


def _without(table: pd.DataFrame, rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    if table.empty or rows.empty:
        return table
    return table[~row_keys(table, key).isin(set(row_keys(rows, key)))].reset_index(drop=True)


def _stacked(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    if first.empty:
        return second.reset_index(drop=True)
    return second if second.empty else pd.concat([first, second], ignore_index=True)
