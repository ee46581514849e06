"""What was earned by the kind of product and the branch of the account."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

from simulator import events
from simulator.truth_charges import REVERSE_REPO, product_classes
from simulator.truth_commission import UNASSIGNED, fees_of_option_trade, fees_of_trade
from simulator.truth_market import Market
from simulator.truth_money import ZERO
from simulator.truth_performance import Income, IncomeKey
from simulator.truth_state import AccountKey, BrokerState

CLASSES = ("stock", "b_share", "fund", "bond", "hk_stock")


def product_rows(
    event_log: events.EventLog,
    business_date: dt.date,
    market: Market,
    state: BrokerState,
    incomes: dict[IncomeKey, Income],
) -> list[tuple]:
    """(date, branch, product kind, turnover, gross, net), sorted. `incomes`: all but commission is taken from them."""
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO] * 3)

    def add(account: AccountKey, kind: str, *amounts: Decimal) -> None:
        of_branch = sums[state.branch_of_account(account) or UNASSIGNED, kind]
        of_branch[:] = [total + amount for total, amount in zip(of_branch, amounts, strict=True)]

    kinds = product_classes(event_log, business_date)
    for fill in event_log.events_of(business_date, events.TradeFilled):
        kind = kinds.get((fill.exchange_code, fill.security_code))
        if fill.business in REVERSE_REPO:
            kind = "reverse_repo"
        elif kind not in CLASSES:
            kind = "unknown"
        fees = fees_of_trade(fill, market)
        add((fill.line, fill.account_id), kind, fees.turnover, fees.gross_commission, fees.net_commission)
    for fill in event_log.events_of(business_date, events.OptionTradeFilled):
        fees = fees_of_option_trade(fill, market)
        add(("option", fill.account_id), "option", fees.turnover, fees.gross_commission, fees.net_commission)
    for (account, _, income_kind), income in incomes.items():
        if income_kind == "product_fee":
            add(account, "off_exchange_fund", *income[:3])
        elif income_kind.startswith("advice_"):
            add(account, "advice", *income[:3])
        elif income_kind != "commission":
            add(account, "lent_money", *income[:3])
    return [(business_date, *key, *amounts) for key, amounts in sorted(sums.items())]
