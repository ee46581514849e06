"""The institutional cockpit: institutions with the products under them, from a publication of its own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from serving.callers import Caller
from serving.problems import NotFound
from serving.service import MOST_DAYS, PAGE, Question, Service

MART, HOLDINGS = "mart_institution", "mart_institution_holding"
_HISTORY = (
    "as_of_date", "group_total_asset_amount", "group_net_asset_amount", "total_asset_amount", "net_asset_amount", "is_stale", "is_partial",
)  # fmt: skip
_ON_TOP = "as_of_date = $as_of_date and customer_id = parent_customer_id"


def institutions(service: Service, caller: Caller, limit: int = PAGE, page: str | None = None) -> dict[str, Any]:
    """All that stand under nobody, by number."""
    with service.asked(caller, "institutions") as question:
        data, following = service.page_of(
            question, MART, _ON_TOP, {}, question.columns(MART), ("customer_id",), limit, page
        )
        return question.answer(data, next_page=following)


def largest(service: Service, caller: Caller, limit: int) -> dict[str, Any]:
    """Those with the most assets, the products under them counted; the largest first."""
    with service.asked(caller, "institutions") as question:
        tail = f"order by group_total_asset_amount desc, customer_id limit {int(limit)}"
        return question.answer(question.rows(MART, _ON_TOP, {}, question.columns(MART), tail))


def institution(service: Service, caller: Caller, customer_id: str) -> dict[str, Any]:
    """One institution or product, then the products under it, the largest first. Raises NotFound for what is neither."""
    with service.asked(caller, "institution", customer_id=customer_id) as question:
        own = _in_scope(question, customer_id, question.columns(MART))
        under = question.rows(
            MART, "parent_customer_id = $customer and as_of_date = $as_of_date and customer_id <> $customer", {"customer": customer_id},
            question.columns(MART), "order by total_asset_amount desc, customer_id",
        )  # fmt: skip
        return question.answer([own, *under])


def holdings(service: Service, caller: Caller, customer_id: str) -> dict[str, Any]:
    """What it and the products under it hold."""
    with service.asked(caller, "institution_holdings", customer_id=customer_id) as question:
        order = "order by business_line, account_id, instrument_id, position_side"
        where = "(parent_customer_id = $customer or customer_id = $customer) and as_of_date = $as_of_date"
        return question.answer(
            question.rows(HOLDINGS, where, {"customer": customer_id}, question.columns(HOLDINGS), order)
        )


def asset_history(
    service: Service, caller: Caller, customer_id: str, first: date | None = None, last: date | None = None
) -> dict[str, Any]:
    """Its assets on every published day of a span, oldest first."""
    with service.asked(caller, "institution_history", customer_id=customer_id) as question:
        _in_scope(question, customer_id, ["customer_id"])
        where, parameters = question.span("as_of_date", customer_id, first, last)
        columns = question.columns(MART, _HISTORY)
        rows = question.rows(MART, where, parameters, columns, f"order by as_of_date desc limit {MOST_DAYS}")
        return question.answer(rows[::-1])


def _in_scope(question: Question, customer_id: str, columns: Collection[str]) -> dict[str, Any]:
    found = question.rows(
        MART, "customer_id = $customer and as_of_date = $as_of_date", {"customer": customer_id}, columns
    )
    if not found:
        raise NotFound("there is no such institution, or not among those you may see")
    return found[0]
