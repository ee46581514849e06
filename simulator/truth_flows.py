"""Cash journal entries by class: whose money moved, and why."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

from simulator import events
from simulator.truth_market import Market
from simulator.truth_money import ZERO
from simulator.truth_state import AccountKey

# The option counter delivers balances and fills but no cash journal.
LINES_WITH_JOURNAL = ("normal", "credit")

UNCLASSIFIED = "unclassified"

_BUSINESSES_OF_CLASS = {
    "client_in": ("bank_transfer_in",),
    "client_out": ("bank_transfer_out",),
    "internal": (
        "securities_sell",
        "securities_buy",
        "financing_buy",
        "sell_to_repay",
        "buy_to_return",
        "short_sell",
        "transfer_to_credit",
        "transfer_from_credit",
        "transfer_to_option",
        "transfer_from_option",
        "transfer_to_normal",
        "transfer_from_normal",
        "financing_drawn",
        "financing_repaid",
        "repurchase_drawn",
        "repurchase_repaid",
    ),
    "profit": (
        "dividend",
        "dividend_tax",
        "interest",
        "financing_interest_paid",
        "short_interest_paid",
        "repurchase_interest_paid",
        "advice_fee",
    ),
    "in_transit": (
        "reverse_repo_lend",
        "reverse_repo_return",
        "fund_payment",
        "fund_redemption",
        "allotment_payment",
    ),
}
FLOW_CLASS = {business: name for name, businesses in _BUSINESSES_OF_CLASS.items() for business in businesses}

CLIENT_CLASSES = ("client_in", "client_out")


def client_flows_by_account(
    event_log: events.EventLog, business_date: dt.date, market: Market
) -> dict[str, dict[AccountKey, Decimal]]:
    """Of each of `CLIENT_CLASSES` what accounts moved, in CNY, money out negative; every movement is converted on its own."""
    sums: dict[str, dict[AccountKey, Decimal]] = {name: defaultdict(lambda: ZERO) for name in CLIENT_CLASSES}
    for event in event_log.events_of(business_date, events.CashMoved):
        flow_class = FLOW_CLASS.get(event.business)
        if event.line in LINES_WITH_JOURNAL and flow_class in CLIENT_CLASSES:
            sums[flow_class][event.line, event.account_id] += market.to_cny(event.amount, event.currency_code)
    return sums


def cash_flow_rows(event_log: events.EventLog, business_date: dt.date) -> list[tuple]:
    """(date, line, account, currency, class, amount in that currency), sorted; a business not known is unclassified."""
    sums: dict[tuple[str, str, str, str], Decimal] = defaultdict(lambda: ZERO)
    for event in event_log.events_of(business_date, events.CashMoved):
        if event.line in LINES_WITH_JOURNAL:
            flow_class = FLOW_CLASS.get(event.business, UNCLASSIFIED)
            sums[event.line, event.account_id, event.currency_code, flow_class] += event.amount
    return [(business_date, *key, amount) for key, amount in sorted(sums.items())]
