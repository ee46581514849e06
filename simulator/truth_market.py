"""Prices, rates and contract terms of one business date, and the value of one thing in CNY."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from simulator import events
from simulator.truth_money import ZERO, round_to_cent

CERTIFICATE_NAV = Decimal("1.0000")


@dataclass(frozen=True)
class Market:
    """What was published on one day; yesterday's figures are not carried.

    settlement_values: CNY for one option contract, before rounding (settlement price times contract unit).
    maturities: of products and option contracts that have a last day.
    """

    business_date: dt.date
    parities: dict[str, Decimal]
    prices: dict[tuple[str, str], Decimal]
    currencies: dict[tuple[str, str], str]
    navs: dict[str, Decimal]
    product_currencies: dict[str, str]
    product_risks: dict[str, str]
    maturities: dict[str, dt.date | None]
    settlement_values: dict[str, Decimal]

    def to_cny(self, amount: Decimal, currency_code: str) -> Decimal:
        """`amount` in cents of its currency, rounded to the cent again at the central parity of the day."""
        if currency_code == "CNY" or not amount:
            return amount
        if currency_code not in self.parities:
            raise ValueError(f"Truth: no central parity of {currency_code} is published on {self.business_date}.")
        return round_to_cent(amount * self.parities[currency_code])

    def value_of_security(self, exchange_code: str, security_code: str, quantity: Decimal) -> Decimal:
        """CNY value: rounded in the security's own currency first, then again after conversion. 0 without a price."""
        security = (exchange_code, security_code)
        price = self.prices.get(security)
        if price is None or not quantity:
            return ZERO
        if security not in self.currencies:
            raise ValueError(f"Truth: {security} has a price but no securities master row on {self.business_date}.")
        return self.to_cny(round_to_cent(quantity * price), self.currencies[security])

    def value_of_fund(self, product_code: str, quantity: Decimal, undistributed_income: Decimal) -> Decimal:
        """CNY value of a holding with its undistributed income; the whole holding is 0 without a NAV."""
        nav = self.navs.get(product_code)
        if nav is None:
            return ZERO
        if product_code not in self.product_currencies:
            raise ValueError(f"Truth: product {product_code} has a NAV but no master row on {self.business_date}.")
        return self.to_cny(round_to_cent(quantity * nav) + undistributed_income, self.product_currencies[product_code])

    def value_of_option(self, contract_code: str, position_side: str, quantity: Decimal) -> Decimal:
        """Signed CNY value: long above zero, short below, covered nothing (the shares count in the normal account)."""
        if position_side == "covered":
            return ZERO
        value = round_to_cent(quantity * self.settlement_values.get(contract_code, ZERO))
        return value if position_side == "long" else ZERO - value


def security_kinds(event_log: events.EventLog, business_date: dt.date) -> dict[tuple[str, str], str]:
    """(exchange, code) → kind, as the master of the day says it."""
    published = event_log.events_of(business_date, events.SecurityPublished)
    return {security[:2]: security.security_kind for security in published}


def read_market(event_log: events.EventLog, business_date: dt.date) -> Market:
    """Collect the `...Published` events of the day. Fund certificates have NAV 1.0000 whatever is published."""
    of_day = {
        event_class: list(event_log.events_of(business_date, event_class))
        for event_class in (
            events.ExchangeRatePublished,
            events.PricePublished,
            events.SecurityPublished,
            events.NavPublished,
            events.FundProductPublished,
            events.OptionContractPublished,
        )
    }
    products = of_day[events.FundProductPublished]
    navs = {event.product_code: event.nav for event in of_day[events.NavPublished]}
    navs |= {event.product_code: CERTIFICATE_NAV for event in products if event.product_kind == "income_certificate"}
    return Market(
        business_date,
        parities={
            event.currency_code: event.exchange_rate
            for event in of_day[events.ExchangeRatePublished]
            if event.rate_kind == "central_parity"
        },
        prices={
            (event.exchange_code, event.security_code): event.close_price for event in of_day[events.PricePublished]
        },
        currencies={
            (event.exchange_code, event.security_code): event.currency_code
            for event in of_day[events.SecurityPublished]
        },
        navs=navs,
        product_currencies={event.product_code: event.currency_code for event in products},
        product_risks={event.product_code: event.risk_level for event in products},
        maturities={event.product_code: event.maturity_date for event in products}
        | {event.contract_code: event.expiry_date for event in of_day[events.OptionContractPublished]},
        settlement_values={
            event.contract_code: event.settlement_price * event.contract_unit
            for event in of_day[events.OptionContractPublished]
        },
    )
