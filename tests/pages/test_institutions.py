"""The institutional cockpit in a browser: who is there, what stands under it, and that it has a day of its own."""

from __future__ import annotations

import re
from datetime import timedelta

from spark_jobs.ingest.vault import load_keys
from tests.api.builders import DAY, PEOPLE, publish_cockpit

FIRM = next(one for one in PEOPLE if one.kind == "institution")
PRODUCT = next(one for one in PEOPLE if one.kind == "product")


def _desk(visit, key_of):
    visitor = visit()
    visitor.sign_in(key_of("institution_desk"))
    return visitor


def _open(visitor, number: int = 0) -> str:
    visitor.get("/pages/institutions")
    return visitor.get(re.findall(r'href="(/pages/institutions/[\w-]{20,})"', visitor.page.text)[number])


def test_the_desk_begins_with_institutions_and_products_stand_under_them(visit, key_of) -> None:
    visitor = _desk(visit, key_of)
    assert visitor.path == "/pages/institutions"
    text = visitor.page.text
    assert "私募基金管理人" in text and "99,000.00" in text and "2027-05-31" in text
    # One row: the product is counted, and stands under it.
    assert len(re.findall(r'href="/pages/institutions/[\w-]{20,}"', text)) == 1


def test_an_institution_shows_its_products_holdings_and_curve(visit, key_of) -> None:
    visitor = _desk(visit, key_of)
    text = _open(visitor)
    assert FIRM.customer_id in text and "A类专业投资者" in text and "138****5678" in text and "50,000,000.00" in text
    assert text.count("浦发银行") == 2 and "polyline" in text
    # One position is the product's, the other its own, which needs no name.
    assert "持有产品" in text
    cells = re.findall(r"<tr><td class=\"[^\"]*\">([^<]*)</td><td class=\"[^\"]*\">普通", text)
    assert sorted(cells) == ["—", "王**"], cells
    text = visitor.get(re.findall(r'href="(/pages/institutions/[\w-]{20,})"', text)[0])
    assert PRODUCT.customer_id in text and FIRM.customer_id not in text


def test_no_customer_stands_in_an_address_and_a_reference_is_one_callers(visit, key_of) -> None:
    visitor = _desk(visit, key_of)
    _open(visitor)
    assert not any(FIRM.customer_id in address for address in visitor.addresses)
    other = visit()
    other.sign_in(key_of("analyst"))
    other.get(visitor.path)
    assert other.status == 404


def test_who_has_no_cockpit_is_not_offered_it(agent) -> None:
    assert "/pages/institutions" not in agent.page.text
    agent.get("/pages/institutions")
    assert agent.status == 403


def test_the_cockpit_goes_a_day_ahead_while_all_else_stays(visit, key_of, home) -> None:
    visitor = _desk(visit, key_of)
    assert f"{DAY}" in visitor.get("/pages/institutions")
    tomorrow = DAY + timedelta(days=1)
    publish_cockpit(home, load_keys(home / "vault", {}), 2, tomorrow)
    assert f"{tomorrow}" in visitor.get("/pages/institutions") and f"{tomorrow}" in _open(visitor)
    text = visitor.get("/pages/status")
    assert f"{DAY}" in text and f"{tomorrow}" not in text
