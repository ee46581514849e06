"""Counts the situations that occurred in a run, from its events and the feed rows they lead to."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from simulator import events as ev
from simulator.events import EventLog
from simulator.feeds import FEEDS, EndOfDay
from simulator.layouts import CODES, layouts
from simulator.state import BrokerState, of_normal_counter, row_keys

KEYS: dict[str, tuple[str, ...]] = {
    "account_opening__applications": ("application_id",),
    "account_opening__permissions": ("client_number", "permission_kind"),
    "advice_counter__agreements": ("agreement_id",),
    "aml_system__grades": ("client_number",),
    "bank__custody_balances": ("account_id", "currency_code"),
    "call_platform__complaints": ("complaint_id",),
    "call_platform__consents": ("consent_id",),
    "clearing__securities_balances": ("securities_account_id", "exchange_code", "security_code"),
    "credit_counter__accounts": ("account_id",),
    "credit_counter__asset_debt_summaries": ("account_id",),
    "credit_counter__cash_balances": ("account_id", "currency_code"),
    "credit_counter__collateral_positions": (
        "account_id",
        "securities_account_id",
        "exchange_code",
        "security_code",
    ),
    "credit_counter__contracts": ("contract_id",),
    "e_office__institutions": ("client_number",),
    "fund_advice_counter__agreements": ("agreement_id",),
    "fund_counter__accounts": ("account_id",),
    "fund_counter__holdings": ("account_id", "product_code", "share_class"),
    "fund_counter__navs": ("product_code",),
    "fund_counter__products": ("product_code",),
    "normal_counter__cash_accounts": ("account_id",),
    "normal_counter__cash_balances": ("account_id", "currency_code"),
    "normal_counter__clients": ("client_number",),
    "normal_counter__positions": ("account_id", "securities_account_id", "exchange_code", "security_code"),
    "normal_counter__securities_accounts": ("securities_account_id", "exchange_code"),
    "operations__allotments": ("account_id", "exchange_code", "security_code"),
    "operations__case_elements": ("case_id", "element_id"),
    "operations__customer_links": ("business_line", "client_number"),
    "operations__subscription_quotas": ("account_id", "exchange_code", "security_code"),
    "option_counter__accounts": ("account_id",),
    "option_counter__cash_balances": ("account_id", "currency_code"),
    "option_counter__contracts": ("contract_code",),
    "reference__agreed_rates": ("account_id", "product_class", "exchange_code", "effective_date"),
    "performance_platform__targets": ("target_month", "unit_level", "unit_id"),
    "reference__branches": ("branch_id",),
    "reference__counter_rates": ("account_id", "product_class", "exchange_code"),
    "reference__employees": ("employee_id",),
    "reference__exchange_rates": ("currency_code", "rate_kind"),
    "reference__prices": ("exchange_code", "security_code"),
    "reference__securities": ("exchange_code", "security_code"),
    "reference__statutory_rates": ("fee_kind", "product_class", "exchange_code", "side", "effective_date"),
    "repurchase_counter__contracts": ("contract_id",),
    "staff_platform__relations": ("account_id", "business_line", "employee_id"),
}
# Feeds in which no column may ever be empty.
WITHOUT_NULLS = (
    "account_opening__permissions",
    "bank__custody_balances",
    "call_platform__consents",
    "credit_counter__cash_balances",
    "credit_counter__collateral_positions",
    "credit_counter__contracts",
    "fund_counter__navs",
    "normal_counter__cash_balances",
    "normal_counter__positions",
    "operations__customer_links",
    "operations__subscription_quotas",
    "option_counter__contracts",
    "reference__branches",
    "reference__counter_rates",
    "reference__exchange_rates",
    "reference__statutory_rates",
)
FEE_COLUMNS = (
    "commission_amount",
    "stamp_duty_amount",
    "transfer_fee_amount",
    "other_fee_amount",
    "exchange_handling_fee_amount",
    "exchange_regulatory_fee_amount",
    "exchange_transfer_fee_amount",
    "exchange_settlement_fee_amount",
)
CODED_EVENTS = (
    (ev.CashMoved, "normal cash", "normal_cash", {"line": "normal"}),
    (ev.CashMoved, "credit cash", "credit_cash", {"line": "credit"}),
    (ev.TradeFilled, "normal trade", "normal_trade", {"line": "normal"}),
    (ev.TradeFilled, "credit trade", "credit_trade", {"line": "credit"}),
    (ev.OptionTradeFilled, "option trade", "option_trade", {}),
    (ev.FundConfirmed, "fund", "fund_business", {}),
    (ev.SecuritiesMoved, "share movement", "share_movement", {}),
)
BUCKETS = ("repo", "fund", "allotment", "dividend")
TIERS = ("watch", "call", "close_out")
REPURCHASES = ("agreed_repurchase", "pledge")
ADVICE_FEES = ("front", "back", "copy", "portfolio")


def expected_situations() -> set[str]:
    """Every situation a default run must contain."""
    expected = {
        f"{feed}: {change}"
        for feed in KEYS
        for change in ("insert", "update", "delete", "null filled")
        if change != "null filled" or feed not in WITHOUT_NULLS
    }
    for _, title, codes, _ in CODED_EVENTS:
        expected |= {f"{title}: {business}" for business in CODES[codes]}
    expected |= {f"fee: {column}" for column in FEE_COLUMNS}
    expected |= {f"order: {quote} {floor}" for quote in ("includes", "excludes") for floor in ("floor", "no floor")}
    expected |= {f"order: {count} fills" for count in (1, 2, 3)}
    expected |= {f"option side: {side}" for side in CODES["position_side"]}
    expected |= {f"in transit: {bucket} {way}" for bucket in BUCKETS for way in ("out", "back")}
    expected |= {f"margin tier: {tier}" for tier in TIERS}
    expected |= {f"repurchase: {kind}" for kind in REPURCHASES}
    expected |= {f"advice fee: {kind}" for kind in ADVICE_FEES}
    expected |= {f"aml grade: {grade}" for grade in CODES["aml_grade"]}
    expected |= {f"permission: {kind}" for kind in CODES["permission_kind"]}
    expected |= {f"application: {status}" for status in CODES["application_status"]}
    expected |= {f"agreed rate: {state}" for state in ("ended", "pending", "preferential")}
    expected |= {f"identity: {kind}" for kind in CODES["identity_kind"]}
    expected |= {"identity: invalid check digit", "identity: 15 digits"}
    expected |= {"relation: sum one", "relation: sum below one", "relation: sum above one", "relation: none"}
    expected |= {"option position: deleted", "overdraft", "account without client", "position without price"}
    return expected | {f"currency: {code}" for code in CODES["currency"]}


def count_situations(log: EventLog) -> Counter[str]:
    """How often each situation occurred after the opening baseline."""
    counts: Counter[str] = Counter()
    state = BrokerState()
    before: dict[str, pd.DataFrame] = {}
    for business_date in log.dates:
        is_opening = business_date == log.opening_date
        cash = state["cash"]
        state.apply(log, business_date)
        day = EndOfDay(business_date, is_opening, log, state, cash)
        rows = {feed: FEEDS[feed](day) for feed in KEYS}
        if not is_opening:
            for feed in KEYS:
                counts.update(_changes(feed, before[feed], rows[feed]))
            counts.update(_coded_events(day))
            counts.update(_fees_and_orders(day))
            counts.update(_in_transit(day))
            counts.update("advice fee: " + day.events(ev.AdviceFeeConfirmed)["fee_kind"])
        counts.update(_standing(day, rows))
        before = rows
    return counts


def missing_situations(log: EventLog) -> list[str]:
    """Expected situations that did not occur."""
    counts = count_situations(log)
    return sorted(name for name in expected_situations() if not counts[name])


def _changes(feed: str, before: pd.DataFrame, after: pd.DataFrame) -> Counter[str]:
    """Inserts, updates, deletes and nulls filled from one delivery to the next."""
    names = [column.name for column in layouts()[feed].columns]
    key = list(KEYS[feed])
    first, second = (_keyed(table[names], key) for table in (before, after))
    common = first.index.intersection(second.index)
    old, new = first.loc[common], second.loc[common]
    differs = old.ne(new) & ~(old.isna() & new.isna())
    return Counter(
        {
            f"{feed}: insert": len(second.index.difference(first.index)),
            f"{feed}: delete": len(first.index.difference(second.index)),
            f"{feed}: update": int(differs.any(axis=1).sum()),
            f"{feed}: null filled": int((old.isna() & new.notna()).to_numpy().sum()),
        }
    )


def _keyed(table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    return table.drop_duplicates().set_index(row_keys(table.drop_duplicates(), key)).astype(object)


def _coded_events(day: EndOfDay) -> Counter[str]:
    counts: Counter[str] = Counter()
    for event_class, title, _, only in CODED_EVENTS:
        events = day.events(event_class)
        for name, value in only.items():
            events = events[events[name] == value]
        counts.update(f"{title}: {business}" for business in events["business"])
    return counts


def _fees_and_orders(day: EndOfDay) -> Counter[str]:
    fills = day.events(ev.TradeFilled)
    counts = Counter({f"fee: {column}": int((fills[column] > 0).sum()) for column in FEE_COLUMNS})
    counts.update(f"currency: {code}" for code in fills["currency_code"])
    stocks = fills[fills["business"].isin(["buy", "sell"]) & (fills["exchange_regulatory_fee_amount"] > 0)]
    orders = stocks.groupby("order_id").agg(
        fills=("trade_id", "size"), commission=("commission_amount", "sum"), other=("other_fee_amount", "sum")
    )
    counts.update(f"order: {count} fills" for count in orders["fills"])
    quote = orders["other"].gt(0).map({True: "excludes", False: "includes"})
    floor = orders["commission"].eq(500).map({True: "floor", False: "no floor"})
    counts.update("order: " + quote + " " + floor)
    return counts


def _in_transit(day: EndOfDay) -> Counter[str]:
    moved = day.events(ev.InTransitMoved)
    way = moved["amount"].gt(0).map({True: "out", False: "back"})
    return Counter("in transit: " + moved["bucket"] + " " + way)


def _standing(day: EndOfDay, rows: dict[str, pd.DataFrame]) -> Counter[str]:
    """Situations of the end of a day rather than of a change."""
    counts: Counter[str] = Counter()
    clients = day.state["clients"]
    counts.update("identity: " + clients["identity_kind"])
    counts["identity: invalid check digit"] += int((~clients["identity_is_valid"]).sum())
    lengths = clients.loc[clients["identity_kind"] == "resident_id", "delivered_identity_number"].str.len()
    counts["identity: 15 digits"] += int((lengths == 15).sum())
    counts.update(_relation_sums(day))
    counts.update(_tiers(day, rows["credit_counter__asset_debt_summaries"]))
    positions = day.events(ev.OptionPositionSet)
    counts.update("option side: " + positions["position_side"])
    counts["option position: deleted"] += int((positions["quantity"] == 0).sum())
    counts.update("repurchase: " + day.state["repurchase_contracts"]["contract_kind"])
    counts.update("aml grade: " + day.state["aml_grades"]["aml_grade"])
    counts.update("permission: " + day.state["permissions"]["permission_kind"])
    counts.update("application: " + day.state["applications"]["application_status"])
    counts.update(_rate_states(day))
    counts["overdraft"] += int((day.state["cash"]["amount"] < 0).sum())
    numbers = set(of_normal_counter(clients)["client_number"])
    normal = day.state["accounts"][day.state["accounts"]["line"] == "normal"]
    counts["account without client"] += int((~normal["client_number"].isin(numbers)).sum())
    key = ["exchange_code", "security_code"]
    priced = set(row_keys(day.state["prices"], key))
    counts["position without price"] += int((~row_keys(rows["normal_counter__positions"], key).isin(priced)).sum())
    return counts


def _rate_states(day: EndOfDay) -> Counter[str]:
    rates, today = day.state["agreed_rates"], pd.Timestamp(day.date)
    has_ended = rates["expiry_date"] < today
    is_pending = rates["effective_date"] > today
    return Counter(
        {
            "agreed rate: ended": int(has_ended.sum()),
            "agreed rate: pending": int(is_pending.sum()),
            "agreed rate: preferential": int((rates["expiry_date"].notna() & ~has_ended & ~is_pending).sum()),
        }
    )


def _relation_sums(day: EndOfDay) -> Counter[str]:
    sums = day.state["relations"].groupby(["account_id", "business_line"])["pay_ratio"].sum()
    accounts = day.state["accounts"]
    return Counter(
        {
            "relation: sum one": int((sums == 100_000_000).sum()),
            "relation: sum below one": int((sums < 100_000_000).sum()),
            "relation: sum above one": int((sums > 100_000_000).sum()),
            "relation: none": len(set(accounts["account_id"]) - set(sums.index.get_level_values(0))),
        }
    )


def _tiers(day: EndOfDay, summaries: pd.DataFrame) -> Counter[str]:
    accounts = day.state["accounts"].set_index("account_id")
    indebted = summaries[summaries["maintenance_ratio"].notna()]
    counts: Counter[str] = Counter()
    for account, ratio in zip(indebted["account_id"], indebted["maintenance_ratio"], strict=True):
        lines = accounts.loc[account]
        if ratio < lines["close_out_line"]:
            counts["margin tier: close_out"] += 1
        elif ratio < lines["call_line"]:
            counts["margin tier: call"] += 1
        elif ratio < 1_500_000:
            counts["margin tier: watch"] += 1
    return counts
