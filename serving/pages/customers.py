"""The screen pop: one customer, masked, figures only after an identity check was recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from serving import calls
from serving.audit import derived_key
from serving.callers import Caller
from serving.pages.chart import curve
from serving.pages.rendering import reason_parts
from serving.pages.revisions import of_one_revision
from serving.pages.sealing import Seal
from serving.pages.sessions import seconds_now
from serving.pages.texts import Words
from serving.pages.visits import may
from serving.problems import NotFound, NotValid
from serving.service import Service
from spark_jobs.ingest.vault import VaultError

CHECKED_SECONDS = 30 * 60
MONTHS_SHOWN_DAYS = 365
MOST_HOLDINGS = 12

# What a page shows of a customer, in this order; a column the published marts or the role do not have is left out.
OF_PERSON = ("gender", "age_band")
OF_INSTITUTION = (
    "institution_kind", "investor_class", "registered_capital_amount", "licence_expiry_date", "contact_name_masked",
)  # fmt: skip
WHO = (
    "region_name", "main_staff_name_masked", "main_staff_employee_id", "open_date", "customer_status",
    "life_cycle", "mobile_phone_masked", "identity_masked",
)  # fmt: skip
CONTACT = ("last_call_date", "last_call_result", "last_reached_date")
BLOCKS: dict[str, tuple[str, ...]] = {
    "normal": (
        "cash_amount",
        "securities_amount",
        "restricted_amount",
        "in_transit_amount",
        "repurchase_asset_amount",
        "repurchase_debt_amount",
        "pledge_debt_amount",
    ),
    "credit": ("credit_asset_amount", "credit_debt_amount", "credit_net_amount"),
    "option": ("option_equity_amount",),
    "fund": ("fund_amount",),
    "fund_advice": ("fund_advice_amount",),
    "advice": ("advice_agreement_count", "year_advice_fee_amount", "next_advice_end_date"),
}
TOTALS = (
    "total_asset_amount", "net_asset_amount", "average_20d_asset_amount", "month_net_asset_change_amount", "day_profit_amount",
    "month_profit_amount", "year_profit_amount", "turnover_30d_amount", "favourite_instrument_kind", "favourite_channel", "last_trade_date",
)  # fmt: skip
RISK = (
    "risk_level", "risk_test_expiry_date", "identity_expiry_date", "margin_tier", "minimum_maintenance_ratio",
    "maximum_option_risk_degree", "guarantee_tier", "minimum_guarantee_ratio", "mismatched_holding_count", "permissions", "aml_grade",
    "aml_review_date",
)  # fmt: skip
OPEN_ITEMS = (
    "ipo_payment_due_date", "ipo_unpaid_amount", "ipo_short_amount", "ipo_subscription_date", "ipo_subscription_short_amount", "next_option_expiry_date", "next_product_maturity_date", "next_repurchase_date",
    "open_complaint_count",
)  # fmt: skip
HOLDINGS = (
    "business_line", "instrument_id", "instrument_name", "position_side", "quantity", "price", "currency_code", "market_value_amount",
    "product_risk_level", "maturity_date",
)  # fmt: skip
ACCOUNTS = ("business_line", "account_id", "account_status", "open_date", "block_as_of_date")


@dataclass(frozen=True)
class Reference:
    """Which customer a page is of, for one caller. check: the identity check that passed, at `checked`; it opens figures for half an hour."""

    customer: str
    check: str | None = None
    checked: int = 0

    def is_checked(self) -> bool:
        return self.check is not None and seconds_now() - self.checked <= CHECKED_SECONDS


def _seal(service: Service) -> Seal:
    return Seal(derived_key(service.keys, "pages customer"))


def reference_text(service: Service, caller: Caller, reference: Reference) -> str:
    """What stands in an address instead of a customer."""
    return _seal(service).close("customer", caller.id, asdict(reference))


def reference_of(service: Service, caller: Caller, text: str) -> Reference:
    """Raises NotFound for a text that was not made for this caller."""
    fields = _seal(service).open("customer", caller.id, text)
    if fields is None:
        raise NotFound("there is no such customer, or not among those you may see")
    return Reference(**fields)


def needs_check(caller: Caller) -> bool:
    """Who opens customers by look-up talks to people nobody has identified yet."""
    return caller.role.opens_by_lookup


def record_check(service: Service, caller: Caller, reference: Reference, check: str) -> Reference:
    """The reference with the check that passed; the audit line is on disk first."""
    if check not in Words("zh").values("identity_check"):
        raise NotValid("there is no such identity check")
    with service.asked(
        caller, "profile", act="identity_check", check=check, customer_id=reference.customer
    ) as question:
        service.in_scope(question, reference.customer, ["customer_id"])
        service.write(caller, "profile", "identity check passed", question.facts, durable=True)
    return replace(reference, check=check, checked=seconds_now())


def screen(service: Service, caller: Caller, reference: Reference, words: Words) -> dict[str, Any]:
    """What the page of a customer shows, all of it from one revision. Figures are not asked for before a check."""
    return of_one_revision(lambda: _screen(service, caller, reference, words))


def _screen(service: Service, caller: Caller, reference: Reference, words: Words) -> tuple[dict[str, Any], set[int]]:
    revisions: set[int] = set()

    def ask(route: str, question: Callable[..., dict[str, Any]], *rest: Any) -> Any:
        """The data of an answer; None where the role does not have the question."""
        if not may(caller, route):
            return None
        answer = question(service, caller, reference.customer, *rest)
        revisions.add(answer["revision"])
        return answer["data"]

    profile = service.profile(caller, reference.customer, "page")
    revisions.add(profile["revision"])
    row, today = profile["data"], profile["today"]
    has_figures = reference.is_checked() or not needs_check(caller)
    shown: dict[str, Any] = {
        "envelope": profile,
        "row": row,
        "today": today,
        "who": some(row, (OF_INSTITUTION if row.get("institution_kind") else OF_PERSON) + WHO),
        "contact": some(row, CONTACT),
        "consent": _consent(row, today),
        "other_phones": [
            one["mobile_phone_masked"] for one in ask("phones", Service.phones) or [] if one["phone_rank"] > 1
        ],
        "has_figures": has_figures,
        "check": reference.check if reference.is_checked() else None,
        "call": ask("list_calls", call_of),
        "notes": None,
        "notes_erased": False,
    }
    try:
        shown["notes"] = ask("notes", calls.read_notes)
    except VaultError as error:
        if error.code != "C360-520":
            raise
        shown["notes_erased"] = True
    if not has_figures:
        return shown, revisions
    history = ask("asset_history", Service.asset_history, profile["as_of_date"] - timedelta(days=MONTHS_SHOWN_DAYS))
    holdings = ask("holdings", Service.holdings)
    call = shown["call"]
    shown |= {
        "blocks": blocks_of(row),
        "totals": some(row, TOTALS),
        "risk": some(row, RISK),
        "open_items": some(row, OPEN_ITEMS),
        "curve": history and _curve(history),
        "holdings": holdings and sorted(holdings, key=lambda one: one.get("market_value_amount") or 0, reverse=True),
        "accounts": ask("accounts", Service.accounts),
        "tags": ask("tags", Service.tags),
        "reasons": reason_parts(call.get("reason_text"), words) if call else [],
    }
    return shown, revisions


def some(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those of the columns the row has, in this order."""
    return {name: row[name] for name in names if name in row}


def blocks_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Assets by business line with the day each is of; a line that never delivered has no date."""
    return [
        {"name": name, "as_of_date": row.get(f"{name}_as_of_date"), "amounts": some(row, columns)}
        for name, columns in BLOCKS.items()
        if some(row, columns)
    ]


def _curve(history: list[dict[str, Any]]) -> Any:
    points = [
        (row["as_of_date"], row["total_asset_amount"]) for row in history if row.get("total_asset_amount") is not None
    ]
    return curve(points)


def _consent(row: dict[str, Any], today: dict[str, Any]) -> dict[str, tuple[Any, bool]]:
    """Column → value in force and whether it was said today."""
    return {
        name: (row[name] if today[name] is None else today[name], today[name] is not None)
        for name in ("has_marketing_consent", "is_do_not_call")
        if name in row
    }


def call_of(service: Service, caller: Caller, customer_id: str) -> dict[str, Any]:
    """The customer's one call of the day, within the caller's rows; data is None without one."""
    with service.asked(caller, "list_calls", customer_id=customer_id) as question:
        found = question.rows(
            "mart_outbound_call", "as_of_date = $as_of_date and is_call and customer_id = $customer", {"customer": customer_id},
            question.columns("mart_outbound_call"),
        )  # fmt: skip
        return question.answer(found[0] if found else None)
