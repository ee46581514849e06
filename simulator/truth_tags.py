"""What customers do, as tags: when each was earned first and last since the opening baseline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

from simulator import events
from simulator.truth_customers import CustomersOfDay
from simulator.truth_state import AccountKey

_OF_BUSINESS = {
    "financing_buy": "financing",
    "short_sell": "short_selling",
    "reverse_repo_lend": "reverse_repo",
}
_OF_EXCHANGE = {
    "BSE": "bse_trading",
    "HK_SH": "hk_connect_trading",
    "HK_SZ": "hk_connect_trading",
    "SSE_B": "b_share_trading",
    "SZSE_B": "b_share_trading",
}
_OF_FUND_BUSINESS = {"subscription": "fund_buying", "purchase": "fund_buying", "periodic_purchase": "fund_plan"}


class RunningTags:
    """(first, last) day of every tag of every customer."""

    def __init__(self) -> None:
        self._days: dict[str, dict[str, tuple[dt.date, dt.date]]] = defaultdict(dict)

    def add_day(self, event_log: events.EventLog, business_date: dt.date, customers: CustomersOfDay) -> None:
        for key, tag in _earned(event_log, business_date):
            if customer_id := customers.customer_of_account.get(key):
                first, _ = self._days[customer_id].get(tag, (business_date, business_date))
                self._days[customer_id][tag] = (first, business_date)

    def rows(self, business_date: dt.date, customers: CustomersOfDay) -> Iterator[tuple]:
        """For the customers of the day, sorted."""
        for customer_id in sorted(customers.profiles):
            for tag, (first, last) in sorted(self._days.get(customer_id, {}).items()):
                is_current_month = (last.year, last.month) == (business_date.year, business_date.month)
                yield (business_date, customer_id, tag, first, last, is_current_month)


def _earned(event_log: events.EventLog, business_date: dt.date) -> Iterator[tuple[AccountKey, str]]:
    """(account, tag) of everything that happened on a day."""
    for fill in event_log.events_of(business_date, events.TradeFilled):
        key = (fill.line, fill.account_id)
        if fill.line == "credit":
            yield key, "margin_trading"
        if fill.business in _OF_BUSINESS:
            yield key, _OF_BUSINESS[fill.business]
        if fill.exchange_code in _OF_EXCHANGE:
            yield key, _OF_EXCHANGE[fill.exchange_code]
        if fill.channel:
            yield key, f"{fill.channel}_ordering"
    for fill in event_log.events_of(business_date, events.OptionTradeFilled):
        yield ("option", fill.account_id), "option_trading"
        if fill.position_side == "covered":
            yield ("option", fill.account_id), "covered_options"
    for confirmed in event_log.events_of(business_date, events.FundConfirmed):
        if confirmed.business in _OF_FUND_BUSINESS and confirmed.confirmed_quantity > 0:
            yield ("fund", confirmed.account_id), _OF_FUND_BUSINESS[confirmed.business]
    for moved in event_log.events_of(business_date, events.CashMoved):
        if moved.business == "allotment_payment":
            yield (moved.line, moved.account_id), "ipo_paying"
