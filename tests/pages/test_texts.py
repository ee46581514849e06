"""Every word in both languages, and a name for whatever a page can show."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from serving.overlay import RESULTS, WORDS
from serving.pages import commission, customers, institutions
from serving.pages import texts as module
from serving.pages.chart import curve
from serving.pages.rendering import reason_parts, written
from serving.pages.texts import Words, texts
from serving.problems import ServingError
from spark_jobs.config import PROJECT
from spark_jobs.contracts import load_catalogue
from spark_jobs.publish.dictionary import read_dictionary
from tests.api.builders import DAY

OUTBOUND = PROJECT / "dbt_project" / "models" / "intermediate" / "outbound"
TAGS = PROJECT / "dbt_project" / "models" / "intermediate" / "customers" / "int_customer_tags_by_day.sql"


@pytest.mark.parametrize(
    "fault", ["  title: {zh: 客户}", "  title: {zh: 客户, en: Customer, all of it}", '  title: {zh: 客户, en: ""}']
)
def test_text_that_lacks_a_language_is_refused_by_name(fault: str, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "texts.yml"
    file.write_text(f"words:\n{fault}\n", encoding="utf-8")
    monkeypatch.setattr(module, "FILE", file)
    with pytest.raises(ValueError, match=r"words\.title"):
        texts.__wrapped__()


def test_every_column_a_page_can_show_has_a_name() -> None:
    shown = {
        entry.column
        for entry in read_dictionary()
        if entry.mart.startswith("mart_commission") and entry.column not in ("commission_month", "region_name")
    }
    for names in (commission.RATES, commission.CHARGES, customers.WHO, institutions.LISTED, institutions.WHO, institutions.GROUP, institutions.UNDER, customers.OF_PERSON, customers.OF_INSTITUTION, customers.CONTACT, customers.TOTALS, customers.RISK, customers.OPEN_ITEMS, customers.HOLDINGS,
                  customers.ACCOUNTS, *customers.BLOCKS.values()):  # fmt: skip
        shown |= set(names)
    listed = (OUTBOUND / "int_customers_listed.sql").read_text(encoding="utf-8")
    shown |= set(re.findall(r"'(?:, )?(\w+) '", listed))
    assert len(shown) > 60
    assert shown <= set(texts()["columns"])


def test_every_list_tag_word_and_result_has_a_name() -> None:
    codes = texts()["codes"]
    lists = set(
        re.findall(r"^\s+\('(\w+)',", (OUTBOUND / "int_outbound_lists.sql").read_text(encoding="utf-8"), re.MULTILINE)
    )
    tags = set(re.findall(r"(?:then|else) '(\w+)'|'(\w+)' as tag_name", TAGS.read_text(encoding="utf-8")))
    assert len(lists) >= 13 and lists <= set(codes["list_name"])
    assert len(tags) >= 16 and {one or other for one, other in tags} <= set(codes["tag_name"])
    catalogue = load_catalogue()
    for shown, feed, column in (
        ("permissions", "account_opening__permissions", "permission_kind"),
        ("institution_kind", "e_office__institutions", "institution_kind"),
        ("investor_class", "e_office__institutions", "investor_class"),
        ("aml_grade", "aml_system__grades", "aml_grade"),
        ("application_step", "account_opening__applications", "application_step"),
        ("application_status", "account_opening__applications", "application_status"),
    ):
        (found,) = (one for one in catalogue[feed].columns if one.name == column)
        assert set(found.codes.values()) <= set(codes[shown]), shown
    assert set(WORDS) == set(codes["word"]) and set(RESULTS) == set(codes["result"])


def test_permissions_are_written_one_by_one() -> None:
    assert written("permissions", "bse, star_market", Words("zh")) == "北交所、科创板"


def test_every_error_of_the_service_has_a_text() -> None:
    source = (PROJECT / "serving" / "problems.py").read_text(encoding="utf-8")
    raised = set(re.findall(r"C360-54\d", source)) - {"C360-540"}  # who is not known is sent to sign in
    assert ServingError.__subclasses__() and raised <= set(texts()["errors"])
    assert "意外" in Words("zh").error("C360-999")


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("cash_amount", Decimal("1234567.80"), "1,234,567.80"),
        ("cash_amount", None, "—"),
        ("minimum_maintenance_ratio", Decimal("1.382000"), "138.20%"),
        ("quantity", Decimal("100.00"), "100"),
        ("quantity", Decimal("52310.55"), "52,310.55"),
        ("price", Decimal("8.1200"), "8.1200"),
        ("is_do_not_call", False, "否"),
        ("open_date", date(2026, 1, 5), "2026-01-05"),
        ("account_id", "1000000012", "****0012"),
        ("risk_level", "C4", "C4"),
        ("list_name", "a_list_of_tomorrow", "a_list_of_tomorrow"),
    ],
)
def test_value_is_written_as_a_reader_expects(column: str, value, shown: str) -> None:
    assert written(column, value, Words("zh")) == shown


def test_reason_of_a_list_is_read_as_names_and_values() -> None:
    text = "minimum_maintenance_ratio 1.382000, credit_debt_amount 200000.00"
    assert reason_parts(text, Words("en")) == [("Maintenance ratio", "138.20%"), ("Credit debt", "200,000.00")]
    assert reason_parts(None, Words("en")) == []


def test_curve_goes_from_the_first_day_to_the_last_and_a_higher_amount_is_higher() -> None:
    drawn = curve([(date(2026, 9, 1), Decimal(100)), (date(2026, 9, 11), Decimal(300)), (DAY, Decimal(200))])
    points = [tuple(map(float, point.split(","))) for point in drawn.points.split()]
    assert points[0][0] == drawn.left and points[2][0] == drawn.right
    assert points[1][1] < points[2][1] < points[0][1]
    # ten of 29 days
    assert points[1][0] == pytest.approx(drawn.left + (drawn.right - drawn.left) * 10 / 29, abs=0.1)


def test_flat_curve_lies_in_the_middle_and_one_day_is_none() -> None:
    flat = curve([(date(2026, 9, 1), Decimal(0)), (DAY, Decimal(0))])
    assert flat.marks[1] == (float(flat.points.split(",")[1].split()[0]), Decimal(0))
    assert curve([(DAY, Decimal(5))]) is None
