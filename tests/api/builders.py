"""A small published day without Spark: every mart with the dictionary's columns and types, and a vault that holds what its tokens stand for.

48 persons, an institution and a product in four branches; two persons share a phone, one has none, one customer is erased from the vault.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from spark_jobs.ingest.identity import canonical_identity
from spark_jobs.ingest.vault import Keys, Vault, load_keys, source_subject, token
from spark_jobs.publish.dictionary import Entry, read_dictionary
from spark_jobs.publish.duckdb_store import point_at
from spark_jobs.publish.marts import COCKPIT, MARTS

DAY = date(2026, 9, 30)
DAYS = [DAY - timedelta(days=1), DAY]
BRANCHES = ["B001", "B002", "B003", "B004"]
PERSONS = 48
LISTS = {
    "margin_call": ("R02", "mandatory", 2, "14:00"),
    "first_call_back": ("R09", "service", 9, "18:00"),
    "dormant": ("R13", "marketing", 13, "20:00"),
}
SHARED_PHONE = "13800000001"
APPLICANT_PHONE, SILENT_PHONE = "13700000001", "13700000002"
"""Phones of no customer: two applications have stalled; the second phone forbids calls."""

INSTITUTION = {
    "institution_kind": "private_fund_manager", "investor_class": "professional_a", "registered_capital_amount": Decimal("50000000.00"),
    "licence_expiry_date": date(2027, 5, 31), "licence_expiry_days": 243, "contact_name_masked": "陈**", "contact_phone_masked": "138****5678",
    "product_count": 1, "group_total_asset_amount": Decimal("99000.00"), "group_net_asset_amount": Decimal("99000.00"),
}  # fmt: skip

ENTRIES = read_dictionary()
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Person:
    """An invented customer; phone and identity are what the vault holds."""

    number: int
    customer_id: str
    kind: str
    branch: str
    employee: str
    phone: str | None
    identity: str
    client_number: str
    account_id: str
    list_name: str


def people() -> list[Person]:
    found = []
    for number in range(1, PERSONS + 3):
        body = f"110101{1960 + number % 40}{1 + number % 12:02d}{1 + number % 28:02d}{number:03d}"
        check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]
        kind = "institution" if number == PERSONS + 1 else "product" if number == PERSONS + 2 else "person"
        phone = SHARED_PHONE if number in (1, 2) else None if number == 3 or kind != "person" else f"139{number:08d}"
        found.append(
            Person(
                number=number,
                customer_id=f"C{number:09d}",
                kind=kind,
                branch=BRANCHES[number % 4],
                employee=f"E{number % 8:03d}",
                phone=phone,
                identity=body + check,
                client_number=f"88{number:06d}",
                account_id=f"10{number:08d}",
                list_name=list(LISTS)[number % 3],
            )
        )
    return found


PEOPLE = people()
ERASED = PEOPLE[9]


def build_home(home: Path, revision: int = 1, shift: int = 0, day: date = DAY) -> Path:
    """A home with one published revision. shift: added to every customer's cash, so that revisions can be told apart."""
    keys = load_keys(home / "vault", {})
    vault = Vault(home / "vault", keys)
    vault.store(_values(keys))
    vault.destroy([source_subject("NOR", ERASED.client_number)])
    vault.close()
    publish(home, keys, revision, shift, day)
    return home


def _values(keys: Keys) -> list[tuple[str, str, str, str]]:
    found = []
    for person in PEOPLE:
        subject = source_subject("NOR", person.client_number)
        found.append((subject, "identity", identity_token(keys, person), person.identity))
        if person.phone:
            found.append((subject, "phone", token(keys, "phone", "", person.phone), person.phone))
    return found


def identity_token(keys: Keys, person: Person) -> str:
    return token(keys, "identity", "resident_id", person.identity)


def publish(home: Path, keys: Keys, revision: int, shift: int = 0, day: date = DAY) -> None:
    """Write a revision beside those that are there, and point at it as a publication does."""
    folder = home / "published" / "revisions"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{revision:06d}.duckdb.part"
    with duckdb.connect(str(part)) as database:
        fill(database, keys, revision, shift, day)
    part.rename(folder / f"{revision:06d}.duckdb")
    point_at(home / "published", revision, keep=5)
    publish_cockpit(home, keys, revision, day)


def publish_cockpit(home: Path, keys: Keys, revision: int, day: date = DAY) -> None:
    """The same marts behind the pointer of the cockpit."""
    folder = COCKPIT.folder(home / "published") / "revisions"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{revision:06d}.duckdb"
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as database:
        fill(database, keys, revision, day=day, marts=COCKPIT.marts)
    point_at(COCKPIT.folder(home / "published"), revision, keep=5)


def fill(
    database: Any, keys: Keys, revision: int, shift: int = 0, day: date = DAY, marts: Collection[str] = MARTS
) -> None:
    """The marts of a revision."""
    rows = mart_rows(keys, shift, day)
    for mart in marts:
        entries = [entry for entry in ENTRIES if entry.mart == mart]
        database.execute(f"create table {mart} ({', '.join(f'{one.column} {_type(one)}' for one in entries)})")
        for row in rows[mart]:
            values = ", ".join(_literal(row.get(one.column, _default(one))) for one in entries)
            database.execute(f"insert into {mart} values ({values})")
    database.execute("create table publication (business_date date, revision int)")
    for one in (day - timedelta(days=1), day):
        database.execute(f"insert into publication values ('{one}', {revision})")


def _type(entry: Entry) -> str:
    return {"string": "varchar"}.get(entry.data_type, entry.data_type)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int | Decimal):
        return str(value).lower()
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"


def _default(entry: Entry) -> Any:
    """What stands in a column this builder has nothing to say about."""
    if entry.default == "null":
        return None
    if entry.data_type == "boolean":
        return False
    if entry.data_type == "date":
        return DAY
    return "known" if entry.data_type == "string" else 0


def mart_rows(keys: Keys, shift: int = 0, day: date = DAY) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {entry.mart: [] for entry in ENTRIES}
    for person in PEOPLE:
        for one in (day - timedelta(days=1), day):
            rows["mart_customer_profile"].append(_profile(keys, person, one, day, shift))
        common = {"customer_id": person.customer_id, "as_of_date": day, "account_id": person.account_id}
        rows["mart_customer_account"].append(
            common | {"business_line": "normal", "system_code": "NOR", "client_number": person.client_number, "branch_id": person.branch,
                      "account_status": "active", "cash_amount": Decimal(1000 * person.number + shift), "block_as_of_date": day}
        )  # fmt: skip
        rows["mart_customer_holding"].append(
            common | {"business_line": "normal", "instrument_id": "600000", "instrument_name": "浦发银行", "position_side": "long",
                      "quantity": Decimal("100.00"), "price": Decimal("8.1200"), "currency_code": "CNY", "market_value_amount": Decimal("812.00")}
        )  # fmt: skip
        rows["mart_customer_tag"].append(
            {"customer_id": person.customer_id, "as_of_date": day, "tag_name": "trades_etf", "first_date": day, "last_date": day,
             "is_current_month": True}
        )  # fmt: skip
        rows["mart_customer_movement"].append(
            {"business_date": day, "customer_id": person.customer_id, "movement_kind": "large_in", "movement_amount": Decimal("300000.00"),
             "branch_id": BRANCHES[0], "region_name": "华东"}
        )  # fmt: skip
        if person.phone:
            rows["mart_customer_phone"].append(
                {"as_of_date": day, "customer_id": person.customer_id, "mobile_phone_token": token(keys, "phone", "", person.phone),
                 "mobile_phone_masked": f"{person.phone[:3]}****{person.phone[-4:]}", "phone_rank": 1, "client_count": 1}
            )  # fmt: skip
        rows["mart_customer_phone"].append(
            {"as_of_date": day, "customer_id": person.customer_id, "mobile_phone_token": token(keys, "phone", "", f"1360009{person.number:04d}"),
             "mobile_phone_masked": f"136****{person.number:04d}", "phone_rank": 2 if person.phone else 1, "client_count": 1}
        )  # fmt: skip
        if person.kind != "person":
            # The product stands under the institution before it.
            parent = {"parent_customer_id": f"C{PERSONS + 1:09d}"}
            for one in (day - timedelta(days=1), day):
                rows["mart_institution"].append(_profile(keys, person, one, day, shift) | parent | INSTITUTION)
            rows["mart_institution_holding"].append(rows["mart_customer_holding"][-1] | parent)
        rows["mart_customer_merge"].append(
            {"as_of_date": day, "customer_id": person.customer_id, "alias_customer_id": f"{person.customer_id}0", "decided_date": day}
        )  # fmt: skip
        rows["mart_customer_review"].append(
            {"as_of_date": day, "customer_id": person.customer_id, "other_customer_id": f"{person.customer_id}1", "review_reason": "same_document",
             "branch_id": person.branch}
        )  # fmt: skip
        rows["mart_commission_customer_day"].append(
            {"business_date": day, "customer_id": person.customer_id, "business_line": "normal", "trade_count": 2,
             "turnover_amount": Decimal("10000.00"), "gross_commission_amount": Decimal("5.00"), "net_commission_amount": Decimal("3.10")}
        )  # fmt: skip
        rows["mart_income_customer_day"].append(
            {"business_date": day, "customer_id": person.customer_id, "business_line": "advice", "income_kind": "advice_back",
             "gross_amount": Decimal("9.90"), "net_amount": Decimal("9.90")}
        )  # fmt: skip
        rows["mart_income_accrual"].append(
            {"business_date": day, "accrual_date": day, "business_line": "credit", "account_id": person.account_id,
             "customer_id": person.customer_id, "branch_id": person.branch, "accrual_kind": "margin_interest", "product_kind": "lent_money",
             "accrued_amount": Decimal("1.20"), "unpaid_amount": Decimal("36.00")}
        )  # fmt: skip
        _outbound(rows, keys, person, day)
    for place, phone in enumerate((APPLICANT_PHONE, SILENT_PHONE), start=1):
        rows["mart_prospect"].append(
            {"prospect_id": f"PRO-{place}", "as_of_date": day, "application_id": f"AP{place}", "name_masked": "赵**",
             "mobile_phone_masked": f"{phone[:3]}****{phone[-4:]}", "mobile_phone_token": token(keys, "phone", "", phone),
             "branch_id": BRANCHES[place % 4], "branch_name": f"营业部{BRANCHES[place % 4]}", "application_status": "in_progress",
             "application_step": "risk_tested", "started_date": day, "stalled_minutes": 45, "aml_result": "review", "application_count": 1,
             "is_broken_off": True, "is_do_not_call": phone == SILENT_PHONE, "is_call": phone != SILENT_PHONE}
        )  # fmt: skip
    month = day.strftime("%Y-%m")
    for place in range(8):
        rows["mart_commission_employee_month"].append(
            {"commission_month": month, "as_of_date": day, "employee_id": f"E{place:03d}", "employee_name_masked": "李**",
             "branch_id": BRANCHES[place % 4], "net_commission_amount": Decimal("18.60")}
        )  # fmt: skip
        rows["mart_performance_employee_month"].append(
            {"performance_month": month, "as_of_date": day, "employee_id": f"E{place:03d}", "employee_name_masked": "李**",
             "branch_id": BRANCHES[place % 4], "turnover_amount": Decimal("243100.00"), "net_amount": Decimal("38.40"),
             "commission_net_amount": Decimal("28.40"), "interest_net_amount": Decimal("6.00"), "product_net_amount": Decimal("2.00"),
             "advice_net_amount": Decimal("2.00"), "after_deductions_amount": Decimal("36.04"), "valid_customer_count": 4,
             "customer_asset_amount": Decimal("1250000.00"), "target_income_amount": None if place == 5 else Decimal("50.00"),
             "branch_rank": place // 4 + 1, "firm_rank": place + 1, "customer_count": 5}
        )  # fmt: skip
        rows["mart_income_attribution"].append(
            {"business_date": day, "employee_id": f"E{place:03d}", "branch_id": BRANCHES[place % 4], "account_line": "normal",
             "account_id": f"A{place:03d}", "customer_id": PEOPLE[place].customer_id, "business_line": "normal", "income_kind": "commission",
             "pay_ratio": Decimal("1.00000000"), "gross_amount": Decimal("30.00"), "net_amount": Decimal("18.60")}
        )  # fmt: skip
        rows["mart_charge_check"].append(
            {"business_date": day, "business_line": "normal", "account_id": f"A{place:03d}", "order_id": f"O{place:03d}",
             "customer_id": PEOPLE[place].customer_id, "branch_id": BRANCHES[place % 4], "product_class": "stock", "exchange_code": "SSE",
             "currency_code": "CNY", "turnover_amount": Decimal("86400.00"), "commission_rate": Decimal("0.00025000"),
             "charged_commission_amount": Decimal("64.80"), "expected_commission_amount": Decimal("21.60"),
             "charged_fee_amount": Decimal("0.86"), "expected_fee_amount": Decimal("0.86"), "charge_status": "overcharged"}
        )  # fmt: skip
        rows["mart_rate_check"].append(
            {"business_date": day, "account_id": f"A{place:03d}", "product_class": "stock", "exchange_code": "SSE",
             "effective_date": date(2024, 1, 2), "expiry_date": None if place % 2 else day + timedelta(days=place),
             "customer_id": PEOPLE[place].customer_id, "branch_id": BRANCHES[place % 4], "commission_rate": Decimal("0.00025000"),
             "minimum_commission_amount": Decimal("5.00"), "includes_regulatory_fee": True, "regulatory_rate": Decimal("0.00005410"),
             "counter_commission_rate": Decimal("0.00030000") if place == 3 else Decimal("0.00025000"),
             "counter_rate_status": "different" if place == 3 else "same",
             "rate_status": "not_applied" if place == 3 else "overcharged" if place % 2 else "effective", "is_ending_soon": place % 2 == 0,
             "is_below_regulatory_fee": False}
        )  # fmt: skip
        rows["mart_income_view_day"].append(
            {"business_date": day, "relation_view": "service", "employee_id": f"E{place:03d}", "branch_id": BRANCHES[place % 4],
             "business_line": "normal", "income_kind": "commission", "gross_amount": Decimal("30.00"), "net_amount": Decimal("18.60")}
        )  # fmt: skip
        rows["mart_income_employee_day"].append(
            {"business_date": day, "employee_id": f"E{place:03d}", "branch_id": BRANCHES[place % 4], "business_line": "normal",
             "income_kind": "commission", "gross_amount": Decimal("30.00"), "net_amount": Decimal("18.60")}
        )  # fmt: skip
    for branch in BRANCHES:
        rows["mart_commission_branch_month"].append(
            {"commission_month": month, "as_of_date": day, "branch_id": branch, "branch_name": f"营业部{branch}",
             "net_commission_amount": Decimal("37.20"), "account_branch_net_commission_amount": Decimal("37.20")}
        )  # fmt: skip
        rows["mart_income_product_day"].append(
            {"business_date": day, "branch_id": branch, "region_name": "华东", "product_kind": "stock", "gross_amount": Decimal("60.00"),
             "net_amount": Decimal("37.20")}
        )  # fmt: skip
        rows["mart_performance_branch_month"].append(
            {"performance_month": month, "as_of_date": day, "unit_level": "branch", "unit_id": branch, "unit_name": f"营业部{branch}",
             "net_amount": Decimal("76.80"), "customer_count": 10, "covered_customer_count": 9}
        )  # fmt: skip
        rows["mart_income_branch_day"].append(
            {"business_date": day, "branch_id": branch, "region_name": "华东", "business_line": "normal", "income_kind": "commission",
             "gross_amount": Decimal("60.00"), "net_amount": Decimal("37.20"), "account_branch_net_amount": Decimal("37.20")}
        )  # fmt: skip
    for level, unit in (("region", "华东"), ("firm", "firm")):
        rows["mart_performance_branch_month"].append(
            {"performance_month": month, "as_of_date": day, "unit_level": level, "unit_id": unit, "net_amount": Decimal("307.20")}
        )  # fmt: skip
    return rows


def _profile(keys: Keys, person: Person, one: date, day: date, shift: int) -> dict[str, Any]:
    identity = canonical_identity("resident_id", person.identity, day)
    cash = Decimal(1000 * person.number + shift)
    return {
        "customer_id": person.customer_id, "as_of_date": one, "customer_kind": person.kind, "name_masked": "王**",
        "identity_kind": "resident_id", "identity_masked": identity.masked, "identity_token": identity_token(keys, person),
        "mobile_phone_masked": person.phone and f"{person.phone[:3]}****{person.phone[-4:]}",
        "mobile_phone_token": person.phone and token(keys, "phone", "", person.phone),
        "branch_id": person.branch, "branch_name": f"营业部{person.branch}", "region_name": "华东",
        "main_staff_employee_id": person.employee, "main_staff_name_masked": "李**", "cash_amount": cash, "total_asset_amount": cash,
        "net_asset_amount": cash, "customer_status": "active", "has_marketing_consent": True, "life_cycle": "mature",
        "normal_as_of_date": one, "credit_as_of_date": one, "option_as_of_date": one - timedelta(days=1), "fund_as_of_date": None,
        "advice_as_of_date": one, "fund_advice_as_of_date": one,
        "is_stale": True, "is_partial": True,
    }  # fmt: skip


def _outbound(rows: dict[str, list[dict[str, Any]]], keys: Keys, person: Person, day: date) -> None:
    code, purpose, priority, due = LISTS[person.list_name]
    if person.phone is None:
        rows["mart_outbound_suppressed"].append(
            {"as_of_date": day, "customer_id": person.customer_id, "list_name": person.list_name, "reason_code": code, "purpose": purpose,
             "suppressed_by": "no_phone"}
        )  # fmt: skip
        return
    rows["mart_outbound_call"].append(
        {"as_of_date": day, "customer_id": person.customer_id, "list_name": person.list_name, "reason_code": code, "purpose": purpose,
         "priority": priority, "is_call": True, "call_date": day + timedelta(days=1), "due_time": due, "call_channel": "human",
         "script_id": f"S{priority:02d}", "reason_text": "margin_tier=call", "branch_id": person.branch,
         "main_staff_employee_id": person.employee, "mobile_phone_token": token(keys, "phone", "", person.phone),
         "mobile_phone_masked": f"{person.phone[:3]}****{person.phone[-4:]}"}
    )  # fmt: skip
