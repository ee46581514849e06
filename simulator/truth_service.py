"""What a customer's figures mean for those who serve it: age, life cycle, suitability, and the lists people call from.

Written by the definitions of docs/measures.md and docs/lists.md, apart from the marts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from simulator.trading_calendar import sessions_from
from simulator.truth_assets import Assets, Holding
from simulator.truth_behaviour import Profits, band_of
from simulator.truth_contact import Contact
from simulator.truth_customers import Profile
from simulator.truth_money import ZERO, round_to_cent, total_of
from simulator.truth_state import AccountKey, BrokerState

# First age of each band, the youngest without one.
AGE_BANDS = ((None, "to 35"), (36, "36 to 50"), (51, "51 to 65"), (66, "66 to 75"), (76, "over 75"))
NEW_DAYS, GROWING_DAYS, DORMANT_DAYS, LOST_DAYS = 30, 365, 60, 180
LOST_BELOW, AT_RISK_SHARE = Decimal(100), Decimal("0.2")
VALID_TURNOVER, VALID_ASSETS = Decimal(2_000), Decimal(10_000)
OPTION_CALL_DEGREE, IDENTITY_NOTICE_DAYS, RISK_TEST_NOTICE_DAYS = Decimal(1), 90, 30
HORIZON_SESSIONS, COOL_DOWN_DAYS = 5, 3
PREPAID_EXCHANGE = "BSE"
TIERS = ("close_out", "call", "watch", "normal")
GUARANTEE_TIERS = ("disposal", "warning", "watch", "normal")


class Risks(NamedTuple):
    """The worst over a customer's accounts; None without debt, without a short position, without a repurchase contract."""

    minimum_ratio: Decimal | None = None
    tier: str | None = None
    maximum_degree: Decimal | None = None
    minimum_guarantee_ratio: Decimal | None = None
    guarantee_tier: str | None = None
    next_repurchase_date: dt.date | None = None

    def worse(self, other: Risks) -> Risks:
        return Risks(
            _least(self.minimum_ratio, other.minimum_ratio),
            min(filter(None, (self.tier, other.tier)), key=TIERS.index, default=None),
            max(filter(lambda degree: degree is not None, (self.maximum_degree, other.maximum_degree)), default=None),
            _least(self.minimum_guarantee_ratio, other.minimum_guarantee_ratio),
            min(filter(None, (self.guarantee_tier, other.guarantee_tier)), key=GUARANTEE_TIERS.index, default=None),
            _least(self.next_repurchase_date, other.next_repurchase_date),
        )


class Held(NamedTuple):
    """What all accounts of a customer hold."""

    holding_count: int = 0
    mismatched_holding_count: int = 0
    next_option_expiry_date: dt.date | None = None
    next_product_maturity_date: dt.date | None = None


class Offers(NamedTuple):
    """What a customer has still to pay for shares it has won, and what it may subscribe of shares that are paid at once. An account short of
    cash is not helped by another."""

    due_date: dt.date | None = None
    unpaid: Decimal = ZERO
    short: Decimal = ZERO
    subscription_date: dt.date | None = None
    subscription: Decimal = ZERO
    subscription_short: Decimal = ZERO


class Standing(NamedTuple):
    """How the customer stands with the firm."""

    inactive_days: int
    life_cycle: str
    is_valid_customer: bool


class CustomerDay(NamedTuple):
    """All that the lists look at."""

    business_date: dt.date
    customer_id: str
    profile: Profile
    assets: Assets
    average_20d: Decimal
    risks: Risks
    held: Held
    offers: Offers
    contact: Contact
    standing: Standing


def age_cells(birth_date: dt.date | None, business_date: dt.date) -> tuple[int | None, str | None]:
    """Whole years, and their band."""
    if birth_date is None:
        return None, None
    had_birthday = (business_date.month, business_date.day) >= (birth_date.month, birth_date.day)
    years = business_date.year - birth_date.year - (0 if had_birthday else 1)
    return years, band_of(years, AGE_BANDS)


def sum_holdings(holdings: list[tuple[str, Holding]], risk_level: str | None, business_date: dt.date) -> Held:
    """`holdings`: (business line, holding) of all accounts of one customer. An unknown risk level mismatches with nothing."""
    allowed = int(risk_level[1]) if risk_level else 5

    def next_date(line: str) -> dt.date | None:
        dates = (item.maturity_date for of_line, item in holdings if of_line == line and item.maturity_date)
        return min((date for date in dates if date >= business_date), default=None)

    return Held(
        len({item.instrument_id for _, item in holdings}),
        sum(1 for _, item in holdings if item.product_risk_level and int(item.product_risk_level[1]) > allowed),
        next_date("option"),
        next_date("fund"),
    )


def sum_offers(state: BrokerState, keys: list[AccountKey], business_date: dt.date) -> Offers:
    """`keys`: the customer's accounts."""
    dates, unpaid, short = [], ZERO, ZERO
    asked_on, asked, asked_short = [], ZERO, ZERO
    for key in keys:
        wins = [
            win
            for win in state.allotments.get(key, {}).values()
            if win.payment_due_date > business_date and win.payable_amount > win.paid_amount
        ]
        owed = total_of(win.payable_amount - win.paid_amount for win in wins)
        cash = state.cash.get(key, {}).get("CNY", ZERO) - state.frozen_cash.get(key, {}).get("CNY", ZERO)
        dates += [win.payment_due_date for win in wins]
        unpaid += owed
        short += max(owed - cash, ZERO) if wins else ZERO
        quotas = [quota for quota in state.quotas.get(key, {}).values() if quota.exchange_code == PREPAID_EXCHANGE]
        ahead = [quota.subscription_date for quota in quotas if quota.subscription_date > business_date]
        if ahead:
            price = total_of(
                round_to_cent(quota.quota_quantity * quota.issue_price)
                for quota in quotas
                if quota.subscription_date == min(ahead)
            )
            asked_on.append(min(ahead))
            asked += price
            asked_short += max(price - cash, ZERO)
    return Offers(min(dates, default=None), unpaid, short, min(asked_on, default=None), asked, asked_short)


def stand(
    business_date: dt.date,
    opening_date: dt.date,
    profile: Profile,
    last_trade_date: dt.date | None,
    turnover_365d: Decimal,
    assets: Assets,
    average_20d: Decimal,
    month_average: Decimal,
    profits: Profits,
) -> Standing:
    """The first rule that holds names the life cycle."""
    inactive = (business_date - (last_trade_date or max(profile.open_date, opening_date))).days
    opened = (business_date - profile.open_date).days
    taken_out = profits.month_change - profits.month < ZERO
    if profile.customer_status == "closed" or (inactive >= LOST_DAYS and assets.total < LOST_BELOW):
        life_cycle = "lost"
    elif assets.total == ZERO and last_trade_date is None:
        life_cycle = "not_funded"
    elif opened < NEW_DAYS:
        life_cycle = "new"
    elif assets.total <= average_20d * AT_RISK_SHARE and taken_out:
        life_cycle = "at_risk"
    elif inactive >= DORMANT_DAYS:
        life_cycle = "dormant"
    else:
        life_cycle = "growing" if opened < GROWING_DAYS else "mature"
    return Standing(inactive, life_cycle, turnover_365d >= VALID_TURNOVER or month_average >= VALID_ASSETS)


# ---------------------------------------------------------------- lists

# In the order of their priority: name, code, purpose, channel, escalation, due time, script.
LISTS = (
    ("margin_close_out", "M1", "mandatory", "human", None, "09:15", "S-M1"),
    ("margin_call", "M2", "mandatory", "human", None, "14:00", "S-M2"),
    ("option_risk", "O1", "mandatory", "human", None, "09:15", "S-O1"),
    ("guarantee_disposal", "G1", "mandatory", "human", None, "09:15", "S-G1"),
    ("guarantee_warning", "G2", "mandatory", "human", None, "14:00", "S-G2"),
    ("ipo_payment", "N1", "mandatory", "robot", "human", "15:30", "S-N1"),
    ("option_expiring", "O2", "mandatory", "robot", "human", "14:00", "S-O2"),
    ("repurchase_due", "G4", "mandatory", "human", None, "14:00", "S-G4"),
    ("ipo_subscription", "N2", "service", "robot", "human", "15:00", "S-N2"),
    ("product_maturing", "P1", "service", "robot", "human", "15:00", "S-P1"),
    ("suitability_mismatch", "S1", "service", "human", None, "17:00", "S-S1"),
    ("margin_watch", "M3", "service", "robot", "human", "15:00", "S-M3"),
    ("guarantee_watch", "G3", "service", "robot", "human", "15:00", "S-G3"),
    ("first_call_back", "B1", "service", "human", None, "18:00", "S-B1"),
    ("identity_expiring", "I1", "service", "robot", "human", "18:00", "S-I1"),
    ("risk_test_expiring", "R1", "service", "robot", "human", "18:00", "S-R1"),
    ("leaving", "L1", "marketing", "human", None, "18:00", "S-L1"),
    ("dormant", "L2", "marketing", "robot", "human", "20:00", "S-L2"),
)


def list_rows(customers: list[CustomerDay]) -> tuple[list[tuple], list[tuple]]:
    """Rows of the calls and of those left out, for the customers of one day in order of their id."""
    calls, suppressed = [], []
    if not customers:
        return calls, suppressed
    sessions = sessions_from(customers[0].business_date + dt.timedelta(days=1), HORIZON_SESSIONS)
    for customer in customers:
        reasons = dict(_reasons(customer, sessions))
        due = [(place, row) for place, row in enumerate(LISTS, start=1) if row[0] in reasons]
        kept = []
        for place, row in due:
            why_not = _suppressed_by(customer, row[2], sessions[0])
            if why_not:
                suppressed.append((customer.business_date, customer.customer_id, *row[:3], why_not))
            else:
                kept.append((place, row))
        notes = ", ".join(name for _, (name, *_) in kept[1:]) or None
        for place, row in kept:
            name, code, purpose, channel, escalation, due_time, script = row
            is_call = place == kept[0][0]
            calls.append(
                (customer.business_date, customer.customer_id, name, code, purpose, place * 10, is_call, sessions[0],
                 due_time, channel, escalation, script, reasons[name], notes if is_call else None)
            )  # fmt: skip
    return calls, suppressed


def _reasons(customer: CustomerDay, sessions: list[dt.date]) -> Iterator[tuple[str, str]]:
    """(list, the figures that put the customer on it). `sessions`: the call's and those one looks ahead to."""
    horizon, offers = sessions[-1], customer.offers
    today, risks, held, profile = customer.business_date, customer.risks, customer.held, customer.profile
    for tier in TIERS[:3]:
        if risks.tier == tier:
            figures = (
                f"minimum_maintenance_ratio {risks.minimum_ratio}, credit_debt_amount {customer.assets.credit_debt}"
            )
            yield f"margin_{tier}", figures
    if risks.maximum_degree is not None and risks.maximum_degree >= OPTION_CALL_DEGREE:
        yield "option_risk", f"maximum_option_risk_degree {risks.maximum_degree}"
    for tier in GUARANTEE_TIERS[:3]:
        if risks.guarantee_tier == tier:
            yield f"guarantee_{tier}", f"minimum_guarantee_ratio {risks.minimum_guarantee_ratio}"
    if risks.next_repurchase_date and risks.next_repurchase_date <= horizon:
        yield "repurchase_due", f"next_repurchase_date {risks.next_repurchase_date}"
    if offers.short:
        yield "ipo_payment", f"ipo_short_amount {offers.short}, ipo_payment_due_date {offers.due_date}"
    if offers.subscription_short and offers.subscription_date <= sessions[0]:
        figures = f"ipo_subscription_short_amount {offers.subscription_short}, ipo_subscription_date {offers.subscription_date}"
        yield "ipo_subscription", figures
    reached = customer.contact.last_reached_date
    if (today - profile.open_date).days < NEW_DAYS and (reached is None or reached < profile.open_date):
        yield "first_call_back", f"open_date {profile.open_date}"
    if held.next_option_expiry_date and held.next_option_expiry_date <= horizon:
        yield "option_expiring", f"next_option_expiry_date {held.next_option_expiry_date}"
    if held.next_product_maturity_date and held.next_product_maturity_date <= horizon:
        yield "product_maturing", f"next_product_maturity_date {held.next_product_maturity_date}"
    if held.mismatched_holding_count:
        yield (
            "suitability_mismatch",
            f"risk_level {profile.risk_level}, mismatched_holding_count {held.mismatched_holding_count}",
        )
    if profile.identity_expiry_date and (profile.identity_expiry_date - today).days <= IDENTITY_NOTICE_DAYS:
        yield "identity_expiring", f"identity_expiry_date {profile.identity_expiry_date}"
    if profile.risk_test_expiry_date and (profile.risk_test_expiry_date - today).days <= RISK_TEST_NOTICE_DAYS:
        yield "risk_test_expiring", f"risk_test_expiry_date {profile.risk_test_expiry_date}"
    if customer.standing.life_cycle == "at_risk":
        figures = f"total_asset_amount {customer.assets.total}, average_20d_asset_amount {customer.average_20d}"
        yield "leaving", figures
    if customer.standing.life_cycle == "dormant":
        yield "dormant", f"inactive_days {customer.standing.inactive_days}"


def _suppressed_by(customer: CustomerDay, purpose: str, call_date: dt.date) -> str | None:
    """Why the customer is not called, the strongest reason first; a mandatory notice gives way to the law alone."""
    contact, is_mandatory = customer.contact, purpose == "mandatory"
    if customer.profile.customer_status in ("closed", "frozen"):
        return customer.profile.customer_status
    if customer.profile.mobile_phone is None:
        return "no_phone"
    if is_mandatory:
        return None
    if contact.is_do_not_call:
        return "do_not_call"
    if contact.open_complaint_count:
        return "complaint_open"
    if purpose == "marketing" and not contact.has_marketing_consent:
        return "no_consent"
    if contact.last_call_date and (call_date - contact.last_call_date).days < COOL_DOWN_DAYS:
        return "cool_down"
    return None


def _least(one: Any, other: Any) -> Any:
    """Of two decimals or dates."""
    return min((value for value in (one, other) if value is not None), default=None)
