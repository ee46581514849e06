"""Orders that were not charged what was agreed with their account, and agreed rates somebody should look at."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import ROUND_CEILING, Decimal

from simulator import events
from simulator.truth_customers import CustomersOfDay
from simulator.truth_market import security_kinds
from simulator.truth_money import ZERO, round_to_cent

SELLS = ("sell", "sell_to_repay", "short_sell")
REVERSE_REPO = ("reverse_repo_lend", "reverse_repo_return")
CLASS_OF_KIND = {"convertible_bond": "bond"}
# A rate of which several orders tell is told by the first of these.
TOLD_FIRST = ("not_applied", "overcharged", "undercharged")
RATE_NOTICE = dt.timedelta(days=30)


class ChargeBook:
    """Rates agreed with accounts and fixed by law, as of the last applied day."""

    def __init__(self) -> None:
        self._agreed: dict[tuple[str, str, str], dict[dt.date, events.AgreedRateSet]] = defaultdict(dict)
        self._charged: dict[tuple[str, str, str], events.CounterRateSet] = {}
        self._statuses: dict[tuple[str, str, str], set[str]] = {}

    def apply(self, event_log: events.EventLog, business_date: dt.date) -> None:
        for removed in event_log.events_of(business_date, events.AgreedRateRemoved):
            self._agreed[removed[:3]].pop(removed.effective_date, None)
        for agreed in event_log.events_of(business_date, events.AgreedRateSet):
            self._agreed[agreed[:3]][agreed.effective_date] = agreed
        for removed in event_log.events_of(business_date, events.CounterRateRemoved):
            self._charged.pop(removed[:3], None)
        for charged in event_log.events_of(business_date, events.CounterRateSet):
            self._charged[charged[:3]] = charged

    def rows(self, event_log: events.EventLog, business_date: dt.date, customers: CustomersOfDay) -> list[tuple]:
        """(date, line, account, order, customer, status, turnover, charged and expected commission, charged and expected fees), sorted."""
        statutory = list(event_log.events_of(business_date, events.StatutoryRatePublished))
        classes = product_classes(event_log, business_date)
        orders: dict[tuple[str, str, str], list[events.TradeFilled]] = defaultdict(list)
        for fill in event_log.events_of(business_date, events.TradeFilled):
            if fill.business not in REVERSE_REPO:
                orders[fill.line, fill.account_id, fill.order_id].append(fill)
        rows = []
        self._statuses = defaultdict(set)
        for key, fills in sorted(orders.items()):
            # Of a security that is not in the master nothing is agreed or fixed.
            place = (classes.get((fills[0].exchange_code, fills[0].security_code), ""), fills[0].exchange_code)
            status, figures = self._judge(business_date, fills, place, statutory)
            self._statuses[key[1], *place].add(status)
            if status:
                rows.append((business_date, *key, customers.customer_of_account.get(key[:2]), status, *figures))
        return rows

    def rate_rows(self, event_log: events.EventLog, business_date: dt.date, customers: CustomersOfDay) -> list[tuple]:
        """(date, account, class, exchange, effective and expiry date, customer, rate, the counter's, regulatory rate, status, the counter's,
        ends soon, too low), sorted.

        Call it after `rows` of the same day, which says how orders were charged.
        """
        statutory = list(event_log.events_of(business_date, events.StatutoryRatePublished))
        rows = []
        fixed: dict[tuple[str, ...], Decimal] = {}
        for (account, product_class, exchange), known in sorted(self._agreed.items()):
            place = (product_class, exchange)
            in_force, _ = _now_and_before(known, business_date)
            if place not in fixed:
                rates = (_rate_of(kind, place, statutory, business_date) for kind in ("handling", "regulatory"))
                fixed[place] = sum(rates, ZERO)
            regulatory = fixed[place]
            for _, terms in sorted(known.items()):
                status, ends_soon, is_too_low = "effective", False, False
                charged = self._charged.get((account, *place))
                at_counter = _at_counter(terms, charged)
                if terms.effective_date > business_date:
                    status = "pending"
                elif terms is in_force:
                    told = self._statuses.get((account, *place), set())
                    if at_counter != "same":
                        told = {*told, "not_applied"}
                    status = next((one for one in TOLD_FIRST if one in told), "effective")
                    ends_soon = terms.expiry_date is not None and terms.expiry_date <= business_date + RATE_NOTICE
                    is_too_low = terms.includes_regulatory_fee and terms.commission_rate < regulatory
                if status == "effective" and not (ends_soon or is_too_low):
                    continue
                lines = (customers.customer_of_account.get((line, account)) for line in ("normal", "credit", "option"))
                rows.append(
                    (
                        business_date, account, *place, terms.effective_date, terms.expiry_date, next(filter(None, lines), None),
                        terms.commission_rate, charged and charged.commission_rate, regulatory, status, at_counter, ends_soon, is_too_low,
                    )
                )  # fmt: skip
        return rows

    def _judge(
        self,
        business_date: dt.date,
        fills: list[events.TradeFilled],
        place: tuple[str, str],
        statutory: list[events.StatutoryRatePublished],
    ) -> tuple[str, tuple[Decimal | None, ...]]:
        """Status, empty where all is as agreed, and the amounts."""
        turnover = sum(fill.turnover_amount for fill in fills)
        known = self._agreed[fills[0].account_id, *place]
        terms_known = [terms for terms in _now_and_before(known, business_date) if terms]
        by_rate = [
            max(round_to_cent(turnover * terms.commission_rate), terms.minimum_commission_amount)
            for terms in terms_known
        ]
        commission = sum(fill.commission_amount for fill in fills)
        fees = sum(
            fill.stamp_duty_amount + fill.transfer_fee_amount + fill.order_fee_amount + fill.other_fee_amount
            for fill in fills
        )
        is_inside = not terms_known or terms_known[0].includes_regulatory_fee
        expected_fees = sum((_fees_of(fill, place, statutory, business_date, is_inside) for fill in fills), ZERO)
        expected = by_rate[0] if by_rate else None
        return _status(commission, by_rate, fees == expected_fees), (
            turnover,
            commission,
            expected,
            fees,
            expected_fees,
        )


def product_classes(event_log: events.EventLog, business_date: dt.date) -> dict[tuple[str, str], str]:
    """(exchange, code) → the class rates are agreed by."""
    kinds = security_kinds(event_log, business_date)
    return {security: CLASS_OF_KIND.get(kind, kind) for security, kind in kinds.items()}


def _at_counter(terms: events.AgreedRateSet, charged: events.CounterRateSet | None) -> str:
    if charged is None:
        return "missing"
    agreed = (terms.commission_rate, terms.minimum_commission_amount, terms.includes_regulatory_fee)
    return "same" if charged[3:] == agreed else "different"


def _now_and_before(
    known: dict[dt.date, events.AgreedRateSet], business_date: dt.date
) -> tuple[events.AgreedRateSet | None, events.AgreedRateSet | None]:
    """What is in force, and the newest of what else was agreed until then, ended or not; neither where nothing is in force."""
    begun = [known[day] for day in sorted(known, reverse=True) if day <= business_date]
    in_force = next((terms for terms in begun if terms.expiry_date is None or terms.expiry_date >= business_date), None)
    if in_force is None:
        return None, None
    return in_force, next((terms for terms in begun if terms is not in_force), None)


def _rate_of(
    kind: str,
    place: tuple[str, ...],
    statutory: list[events.StatutoryRatePublished],
    business_date: dt.date,
    is_sell: bool = False,
) -> Decimal:
    """The rate of a fee in force: what both sides pay, or a seller."""
    rates = [
        (rate.effective_date, rate.rate)
        for rate in statutory
        if (rate.fee_kind, rate.product_class, rate.exchange_code) == (kind, *place)
        and rate.effective_date <= business_date
        and (rate.side == "both" or is_sell)
    ]
    return max(rates)[1] if rates else ZERO


def _status(commission: Decimal, by_rate: list[Decimal], fees_agree: bool) -> str:
    if not by_rate:
        return "no_agreed_rate"
    if commission == by_rate[0]:
        return "" if fees_agree else "fees_differ"
    if len(by_rate) > 1 and commission == by_rate[1]:
        return "not_applied"
    return "overcharged" if commission > by_rate[0] else "undercharged"


def _fees_of(
    fill: events.TradeFilled,
    place: tuple[str, str],
    statutory: list[events.StatutoryRatePublished],
    business_date: dt.date,
    is_inside: bool,
) -> Decimal:
    def exact(kind: str) -> Decimal:
        return fill.turnover_amount * _rate_of(kind, place, statutory, business_date, fill.business in SELLS)

    duty = exact("stamp_duty")
    if place[0] == "hk_stock":
        # Up to a whole dollar.
        duty = duty.to_integral_value(ROUND_CEILING)
    separate = () if is_inside else ("handling", "regulatory")
    return round_to_cent(duty) + sum((round_to_cent(exact(kind)) for kind in ("transfer", *separate)), ZERO)
