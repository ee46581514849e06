"""The public marts, said once: how they are keyed, sorted, looked up and published. Nothing here needs Spark or a store."""

from __future__ import annotations

from dataclasses import dataclass


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
