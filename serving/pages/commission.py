"""Tables of commission and performance: which columns the caller was given, and their sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from serving.callers import Caller
from serving.pages.revisions import of_one_revision
from serving.problems import NotAvailable
from serving.service import MOST_A_PAGE, Service

_LEFT_OUT = {"customer_id", "as_of_date", "commission_month", "region_name"}
MOST_PAGES = 20
# What fits on a screen; an export has all.
RATES = (
    "rate_status", "is_ending_soon", "is_below_regulatory_fee", "account_id", "product_class", "exchange_code", "commission_rate",
    "counter_commission_rate", "counter_rate_status", "minimum_commission_amount", "includes_regulatory_fee", "regulatory_rate", "effective_date", "expiry_date", "branch_id",
)  # fmt: skip
CHARGES = (
    "charge_status", "account_id", "order_id", "product_class", "exchange_code", "currency_code", "turnover_amount", "commission_rate",
    "charged_commission_amount", "expected_commission_amount", "charged_fee_amount", "expected_fee_amount", "branch_id",
)  # fmt: skip
_PERFORMANCE = (
    "firm_rank", "branch_rank", "employee_id", "employee_name_masked", "branch_id", "turnover_amount", "net_amount",
    "commission_net_amount", "interest_net_amount", "product_net_amount", "advice_net_amount", "after_deductions_amount",
    "target_income_amount", "customer_count", "valid_customer_count", "customer_asset_amount",
)  # fmt: skip


def whole(
    question: Callable[..., dict[str, Any]], caller: Caller, when: str | date | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """All rows of a month or day, page by page; the token binds them to one revision. Raises NotAvailable for more than a page can show."""
    answer = question(caller, when, MOST_A_PAGE, None)
    rows, pages = list(answer["data"]), 1
    while answer["next_page"]:
        if pages == MOST_PAGES:
            raise NotAvailable("there are more rows than a page shows", "export them instead")
        answer = question(caller, when, MOST_A_PAGE, answer["next_page"])
        rows, pages = rows + answer["data"], pages + 1
    return answer, rows


def of_customer(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Newest first, with the sum of every amount."""
    return _table(rows[::-1])


def of_month(answer: dict[str, Any], rows: list[dict[str, Any]], month: str | None) -> dict[str, Any]:
    """The most commission first."""
    by_commission = sorted(rows, key=lambda row: row.get("net_commission_amount") or 0, reverse=True)
    return {**_month(answer, month), **_table(by_commission)}


def of_employees(answer: dict[str, Any], rows: list[dict[str, Any]], month: str | None) -> dict[str, Any]:
    """By rank; what nobody earned comes last."""
    by_rank = sorted(rows, key=lambda row: (row["firm_rank"] is None, row["firm_rank"], row["employee_id"]))
    return {**_month(answer, month), **_table([{name: row.get(name) for name in _PERFORMANCE} for row in by_rank])}


def of_rates(desk: Service, caller: Caller, day: date | None) -> dict[str, Any]:
    """Agreed rates to look at and orders charged wrongly on a day, each by its state."""

    def read() -> tuple[dict[str, Any], list[int]]:
        answer, rates = whole(desk.rate_checks, caller, day)
        charges_answer, charges = whole(desk.charge_checks, caller, day)
        shown = {
            "envelope": answer,
            "day": day or answer["as_of_date"],
            "rates": _by_state(rates, RATES),
            "charges": _by_state(charges, CHARGES),
        }
        return shown, [answer["revision"], charges_answer["revision"]]

    return of_one_revision(read)


def _by_state(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> dict[str, Any]:
    """Those of the columns the caller has, ordered by the first, a state; without sums: rates are not added, nor amounts of several currencies."""
    shown = [name for name in columns if rows and name in rows[0]]
    return {"rows": sorted(rows, key=lambda row: str(row.get(columns[0]))), "columns": shown, "sums": {}}


def _month(answer: dict[str, Any], month: str | None) -> dict[str, Any]:
    shown = month or answer["as_of_date"].strftime("%Y-%m")
    first = date.fromisoformat(f"{shown}-01")
    return {
        "envelope": answer,
        "month": shown,
        "before": (first - timedelta(days=1)).strftime("%Y-%m"),
        "after": (first + timedelta(days=32)).strftime("%Y-%m")
        if first < answer["as_of_date"].replace(day=1)
        else None,
    }


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """With sums, but not of targets: what all together are to reach is set for them on its own."""
    columns = [name for name in (rows[0] if rows else ()) if name not in _LEFT_OUT]
    sums = {
        name: sum(row[name] for row in rows if row[name] is not None)
        for name in columns
        if name.endswith(("_amount", "_count")) and not name.startswith("target_")
    }
    return {"rows": rows, "columns": columns, "sums": sums}
