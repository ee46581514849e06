"""The public marts, said once: how they are keyed, sorted, looked up and published. Nothing here needs Spark or a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mart:
    """One public mart.

    day: the column that says for which day a row speaks. key: unique in what is published. sorted_by: in which order rows are written, so
    that those asked for together lie together. looked_up_by: columns with an index. month: the column of the month, of which the last day only is published.
    is_pay: its figures do not change any more once their month is locked; see `periods`.
    """

    name: str
    day: str
    key: tuple[str, ...]
    sorted_by: tuple[str, ...]
    looked_up_by: tuple[str, ...] = ()
    month: str | None = None
    is_pay: bool = False


MARTS: dict[str, Mart] = {
    mart.name: mart
    for mart in (
        Mart(
            "mart_customer_profile", "as_of_date", ("customer_id", "as_of_date"), ("customer_id", "as_of_date"),
            ("customer_id", "mobile_phone_token"),
        ),
        Mart(
            "mart_customer_account", "as_of_date", ("business_line", "account_id", "as_of_date"), ("customer_id", "as_of_date"),
            ("customer_id", "account_id", "client_number"),
        ),
        Mart(
            "mart_customer_holding", "as_of_date", ("business_line", "account_id", "instrument_id", "position_side", "as_of_date"),
            ("customer_id", "as_of_date"), ("customer_id",),
        ),
        Mart("mart_customer_tag", "as_of_date", ("customer_id", "tag_name", "as_of_date"), ("customer_id", "as_of_date")),
        Mart(
            "mart_customer_movement", "business_date", ("customer_id", "movement_kind", "business_date"), ("customer_id", "business_date"),
        ),
        Mart(
            "mart_customer_phone", "as_of_date", ("customer_id", "mobile_phone_token", "as_of_date"), ("mobile_phone_token", "as_of_date"),
            ("mobile_phone_token", "customer_id"),
        ),
        Mart(
            "mart_customer_merge", "as_of_date", ("alias_customer_id", "as_of_date"), ("customer_id", "as_of_date"),
            ("alias_customer_id", "customer_id"),
        ),
        Mart(
            "mart_customer_review", "as_of_date", ("customer_id", "other_customer_id", "review_reason", "as_of_date"),
            ("customer_id", "as_of_date"),
        ),
        Mart(
            "mart_institution", "as_of_date", ("customer_id", "as_of_date"), ("parent_customer_id", "customer_id", "as_of_date"),
            ("customer_id", "parent_customer_id"),
        ),
        Mart(
            "mart_institution_holding", "as_of_date", ("business_line", "account_id", "instrument_id", "position_side", "as_of_date"),
            ("parent_customer_id", "customer_id", "as_of_date"), ("parent_customer_id",),
        ),
        Mart("mart_outbound_call", "as_of_date", ("customer_id", "list_name", "as_of_date"), ("customer_id", "as_of_date")),
        Mart("mart_outbound_suppressed", "as_of_date", ("customer_id", "list_name", "as_of_date"), ("customer_id", "as_of_date")),
        Mart(
            "mart_prospect", "as_of_date", ("prospect_id", "as_of_date"), ("prospect_id", "as_of_date"), ("mobile_phone_token",),
        ),
        Mart(
            "mart_income_customer_day", "business_date", ("customer_id", "business_line", "income_kind", "business_date"),
            ("customer_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_income_attribution", "business_date",
            ("account_line", "account_id", "business_line", "income_kind", "employee_id", "business_date"),
            ("employee_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_income_employee_day", "business_date", ("employee_id", "business_line", "income_kind", "business_date"),
            ("employee_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_income_branch_day", "business_date", ("branch_id", "business_line", "income_kind", "business_date"),
            ("branch_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_income_product_day", "business_date", ("branch_id", "product_kind", "business_date"), ("branch_id", "business_date"),
            is_pay=True,
        ),
        Mart(
            "mart_income_view_day", "business_date", ("relation_view", "employee_id", "business_line", "income_kind", "business_date"),
            ("relation_view", "employee_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_income_accrual", "business_date",
            ("business_line", "account_id", "accrual_kind", "product_kind", "accrual_date", "business_date"),
            ("customer_id", "accrual_date"),
        ),
        Mart(
            "mart_performance_employee_month", "as_of_date", ("employee_id", "performance_month"),
            ("employee_id", "performance_month"), month="performance_month", is_pay=True,
        ),
        Mart(
            "mart_performance_branch_month", "as_of_date", ("unit_level", "unit_id", "performance_month"),
            ("unit_level", "unit_id", "performance_month"), month="performance_month", is_pay=True,
        ),
        Mart(
            "mart_charge_check", "business_date", ("business_line", "account_id", "order_id", "business_date"),
            ("customer_id", "business_date"),
        ),
        Mart(
            "mart_rate_check", "business_date", ("account_id", "product_class", "exchange_code", "effective_date", "business_date"),
            ("customer_id", "business_date"),
        ),
        Mart(
            "mart_commission_customer_day", "business_date", ("customer_id", "business_line", "business_date"),
            ("customer_id", "business_date"), is_pay=True,
        ),
        Mart(
            "mart_commission_employee_month", "as_of_date", ("employee_id", "commission_month"), ("employee_id", "commission_month"),
            month="commission_month", is_pay=True,
        ),
        Mart(
            "mart_commission_branch_month", "as_of_date", ("branch_id", "commission_month"), ("branch_id", "commission_month"),
            month="commission_month", is_pay=True,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Publication:
    """Marts behind one pointer, with revisions of their own.

    layer: where Delta keeps every revision of them. record: the table of `meta` that says which day is in which revision. step: what the ledger calls a day
    that is published. schema: what PostgreSQL calls them. dated_by: the mart whose rows say how old each block is.
    """

    name: str
    marts: Mapping[str, Mart]
    layer: str
    record: str
    step: str
    schema: str
    dated_by: str
    subfolder: str = ""

    def folder(self, published: Path) -> Path:
        """Where its files and its pointer lie."""
        return published / self.subfolder


WHOLE = Publication("whole", MARTS, "marts", "publications", "published", "c360", "mart_customer_profile")
COCKPIT = Publication(
    "cockpit", {name: MARTS[name] for name in ("mart_institution", "mart_institution_holding")},
    "cockpit", "cockpit_publications", "cockpit", "c360_cockpit", "mart_institution", "cockpit",
)  # fmt: skip
"""The institutional cockpit: it goes on where a feed it does not need is late, with what was known of that feed before."""
