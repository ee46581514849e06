"""Erasing a customer: all his client numbers, only after the law lets go, written down first, and everything personal is gone."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from serving.audit import Audit, lines, verify
from spark_jobs.errors import ConfigurationError
from spark_jobs.gold.tables import TABLES
from spark_jobs.ingest.vault import Keys, Vault, VaultError
from spark_jobs.jobs.erase import erase

KEYS = Keys(b"m" * 32, b"t" * 32)
BEFORE, NEWEST = date(2026, 9, 29), date(2026, 9, 30)
# customer, line, account, day, close date. LEFT closed one account long before the other and is on two counters; GONE is not delivered any more.
ACCOUNTS = [
    ("OPEN", "normal", "A1", NEWEST, None),
    ("LEFT", "normal", "A2", NEWEST, date(2004, 2, 29)),
    ("LEFT", "credit", "A3", NEWEST, date(2001, 5, 5)),
    ("GONE", "normal", "A4", BEFORE, None),
    ("ONE", "normal", "A6", NEWEST, date(2003, 1, 1)),
    ("TWO", "normal", "A7", NEWEST, date(2005, 1, 1)),
]
# TWO is merged into ONE; the day before, it was merged into somebody else.
MERGES = [
    ("ONE", NEWEST, "ONE", 1, NEWEST),
    ("TWO", NEWEST, "ONE", 2, NEWEST),
    ("OPEN", BEFORE, "OPEN", 1, BEFORE),
    ("TWO", BEFORE, "OPEN", 2, BEFORE),
]
MEMBERS = [
    ("OPEN", "NOR", "1"),
    ("LEFT", "NOR", "2"),
    ("LEFT", "CRD", "20"),
    ("GONE", "NOR", "4"),
    ("BARE", "NOR", "5"),
    ("ONE", "NOR", "6"),
    ("TWO", "NOR", "7"),
]
# LEFT applied twice with the phone his account was opened with; the third applicant is nobody's customer.
APPLICATIONS = [("AP1", "P1", None), ("AP2", "P1", "LEFT"), ("AP3", "P2", None)]
VALUES = [(f"{system}/{number}", "phone", f"k:{number}", f"1390000000{number}") for _, system, number in MEMBERS]
VALUES += [
    (f"APP/{application}", "phone", f"k:{application}", f"1380000000{application[-1]}")
    for application, _, _ in APPLICATIONS
]


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory) -> str:
    """BARE is a client without any account, delivered to this day."""
    root = tmp_path_factory.mktemp("erase")

    def write(rows: list[tuple], columns: str, place: str) -> None:
        spark.createDataFrame(rows, columns).coalesce(1).write.format("delta").save(str(root / place))

    write(MEMBERS, "customer_id string, system_code string, client_number string", "silver/customer_members")
    names = TABLES["accounts"].names
    said = ("customer_id", "business_line", "account_id", "business_date", "close_date")
    rows = [tuple(dict(zip(said, account, strict=True)).get(name) for name in names) for account in ACCOUNTS]
    write(rows, TABLES["accounts"].columns, "gold/accounts")
    write(MERGES, TABLES["customer_merges"].columns, "gold/customer_merges")
    customers = [
        tuple({"customer_id": "BARE", "business_date": NEWEST}.get(name) for name in TABLES["customers"].names)
    ]
    write(customers, TABLES["customers"].columns, "gold/customers")
    said = ("application_id", "prospect_id", "customer_id")
    names = TABLES["applications"].names
    rows = [tuple(dict(zip(said, one, strict=True)).get(name) for name in names) for one in APPLICATIONS]
    write(rows, TABLES["applications"].columns, "gold/applications")
    return str(root)


@pytest.fixture
def home(lake, tmp_path) -> SimpleNamespace:
    home = SimpleNamespace(lake=lake, vault=tmp_path / "vault", audit=tmp_path / "audit", erase_retention_years=20)
    vault = Vault(home.vault, KEYS)
    vault.store(VALUES)
    vault.close()
    return home


def run(home, customer: str, on: date):
    log = Audit(home.audit, KEYS)
    try:
        return erase(home, KEYS, customer, on, log.write, "on request", "Li Na")
    finally:
        log.close()


def readable(home) -> list[str]:
    """Subjects of which a value can be read."""
    vault, found = Vault(home.vault, KEYS), []
    for subject, kind, token, value in VALUES:
        try:
            assert vault.reveal(subject, kind, token) == value
            found.append(subject)
        except VaultError as error:
            assert error.code == "C360-520"
    vault.close()
    return found


def test_every_client_number_and_application_is_erased_and_nobody_else(home):
    found = run(home, "LEFT", date(2024, 3, 1))
    assert (found.subjects, found.keys) == (4, 4)
    assert readable(home) == ["NOR/1", "NOR/4", "NOR/5", "NOR/6", "NOR/7", "APP/AP3"]
    vault = Vault(home.vault, KEYS)
    assert vault.store(VALUES) == 0, "his files, delivered again, put nothing back"
    vault.close()
    assert run(home, "LEFT", date(2024, 3, 1)).keys == 0


@pytest.mark.parametrize("customer", ["ONE", "TWO"])
def test_all_that_are_merged_are_erased_once_the_last_of_them_may_be(home, customer):
    with pytest.raises(ConfigurationError) as raised:
        run(home, customer, date(2024, 1, 1))
    assert raised.value.code == "C360-196", "TWO has left in 2005"
    assert run(home, customer, date(2025, 1, 1)).keys == 2
    assert set(readable(home)) & {"NOR/6", "NOR/7"} == set() and len(readable(home)) == 8


@pytest.mark.parametrize(
    ("customer", "on", "code"),
    [
        ("OPEN", date(2099, 1, 1), "C360-196"),
        ("BARE", date(2099, 1, 1), "C360-196"),
        ("LEFT", date(2024, 2, 28), "C360-196"),
        ("GONE", date(2046, 9, 28), "C360-196"),
        ("NOBODY", date(2099, 1, 1), "C360-195"),
    ],
)
def test_what_the_law_keeps_is_refused_and_nothing_is_touched(home, customer, on, code):
    with pytest.raises(ConfigurationError, match=code):
        run(home, customer, on)
    assert len(readable(home)) == len(VALUES)


def test_who_is_not_delivered_any_more_left_on_the_last_day_he_was(home):
    assert run(home, "GONE", date(2046, 9, 29)).keys == 1


def test_it_stands_in_the_log_before_and_after_and_without_a_value(home):
    run(home, "LEFT", date(2024, 3, 1))
    day = date.fromisoformat(next(home.audit.iterdir()).name)
    found = list(lines(home.audit, day, day))
    assert [line["outcome"] for line in found] == ["about to be erased", "erased"]
    assert {(line["who"], line["customer_id"], line["reason"]) for line in found} == {("Li Na", "LEFT", "on request")}
    assert not any(value in str(found) for *_, value in VALUES)
    assert {finding.state for finding in verify(home.audit, KEYS)} == {"sealed"}
