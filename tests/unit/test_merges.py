"""Who is merged with whom: links that hang together, links that are refused, and gold as it is seen on a day on which customers are one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from spark_jobs.gold.merges import (
    _TOGETHER,
    build_customer_merges,
    build_customer_reviews,
    build_links,
    days_merged_alike,
    register_gold,
)
from spark_jobs.gold.tables import TABLES
from spark_jobs.io import Lake

MONDAY, TUESDAY, WEDNESDAY = (dt.date(2026, 10, day) for day in (12, 13, 14))
# customer, system, client number, first seen, open date
MEMBERS = [
    ("NOR-1", "NOR", "1", MONDAY, dt.date(2019, 1, 1)),
    ("NOR-1", "CRD", "7", MONDAY, dt.date(2019, 1, 1)),
    ("NOR-2", "NOR", "2", MONDAY, dt.date(2018, 1, 1)),
    ("NOR-3", "NOR", "3", MONDAY, dt.date(2020, 1, 1)),
    ("NOR-4", "NOR", "4", MONDAY, dt.date(2020, 1, 1)),
    ("FND-9", "FND", "9", TUESDAY, dt.date(2001, 1, 1)),
]
KINDS = {"NOR-4": "institution"}
LINKS = "business_date date, business_line string, client_number string, main_business_line string, main_client_number string, decided_date date"


@pytest.fixture(scope="module")
def told(spark):
    """What a list of links, each (line and number, line and number), says on MONDAY, or on another day."""
    members = spark.createDataFrame(
        MEMBERS, "customer_id string, system_code string, client_number string, first_seen_date date, open_date date"
    )

    def tell(links, day=MONDAY, delivered=("NOR-1", "NOR-2", "NOR-3", "NOR-4"), showing=()):
        names = TABLES["customers"].names
        known = [
            {"customer_id": one, "business_date": day, "customer_kind": KINDS.get(one, "person")} for one in delivered
        ]
        customers = spark.createDataFrame(
            [tuple(row.get(name) for name in names) for row in known], TABLES["customers"].schema
        )
        present = spark.createDataFrame(
            [(day, customer, "resident_id", document) for customer, document in showing],
            "business_date date, customer_id string, identity_kind string, identity_number_token string",
        )
        frame = spark.createDataFrame([(day, *client, *main, day) for client, main in links], LINKS)
        rows = build_links(frame, members, customers)
        merges = build_customer_merges(rows, customers)
        reviews = build_customer_reviews(rows, merges, present)
        return (
            sorted((row.customer_id, row.merged_customer_id, row.merge_rank) for row in merges.collect()),
            sorted((row.customer_id, row.other_customer_id, row.review_reason) for row in reviews.collect()),
        )

    return tell


def normal(number: str) -> tuple[str, str]:
    return ("normal", number)


def test_links_that_hang_together_make_one_customer_which_is_the_earliest(told):
    """NOR-2 opened before NOR-1, whose client of the credit counter is named."""
    merges, reviews = told([(normal("3"), ("credit", "7")), (normal("1"), normal("2"))])
    assert merges == [("NOR-1", "NOR-2", 2), ("NOR-2", "NOR-2", 1), ("NOR-3", "NOR-2", 3)]
    assert reviews == []


def test_a_link_within_a_customer_says_nothing_new(told):
    assert told([(("credit", "7"), normal("1"))]) == ([], [])


def test_two_kinds_of_customer_are_not_merged_by_any_decision(told):
    assert told([(normal("1"), normal("4"))]) == ([], [("NOR-1", "NOR-4", "link_refused")])


def test_the_kind_of_who_is_not_delivered_that_day_is_not_known_and_refuses_nothing(told):
    merges, _ = told([(normal("1"), normal("4"))], delivered=("NOR-1",))
    assert merges == [("NOR-1", "NOR-1", 1), ("NOR-4", "NOR-1", 2)]


@pytest.mark.parametrize(("day", "merged"), [(MONDAY, []), (TUESDAY, [("FND-9", "NOR-1", 2), ("NOR-1", "NOR-1", 1)])])
def test_a_client_nobody_has_seen_by_then_is_refused(told, day, merged):
    merges, reviews = told([(("fund", "9"), normal("1"))], day)
    assert merges == merged
    assert reviews == ([] if merged else [("FND-9", "NOR-1", "link_refused")])


def test_customers_with_one_document_are_told_until_they_are_merged(told):
    showing = [("NOR-1", "D"), ("NOR-1", "D"), ("NOR-2", "D"), ("NOR-3", "D"), ("NOR-4", "E"), ("NOR-4", None)]
    pairs = [("NOR-1", "NOR-2", "same_document"), ("NOR-1", "NOR-3", "same_document")]
    assert told([], showing=showing) == ([], pairs)
    _, reviews = told([(normal("1"), normal("2"))], showing=showing)
    assert reviews == [("NOR-2", "NOR-3", "same_document")]


# ---------------------------------------------------------------- gold as it is seen


def test_every_table_with_a_customer_in_its_key_says_how_rows_become_one():
    keyed = {
        table.name for table in TABLES.values() if "customer_id" in table.key and table.name not in ("customer_merges", "customer_reviews")
    }  # fmt: skip
    assert set(_TOGETHER) == keyed
    for name, told in _TOGETHER.items():
        assert set(told) >= set(TABLES[name].figures), name


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory) -> Lake:
    """A and B are one on TUESDAY, A and C on WEDNESDAY; D, a product, is managed by B."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("merges")))
    days = [MONDAY, TUESDAY, WEDNESDAY]

    def write(name: str, rows: list[dict]) -> None:
        table = TABLES[name]
        values = [tuple(row.get(column) for column in table.names) for row in rows]
        lake.replace_days(spark.createDataFrame(values, table.schema), "gold", name, days, {})

    def every_day(name: str, **columns: dict) -> None:
        """columns: column → customer → value."""
        ids = dict.fromkeys(one for values in columns.values() for one in values)
        write(
            name,
            [
                {"customer_id": one, "business_date": day, **{column: values.get(one) for column, values in columns.items()}}
                for day in days
                for one in ids
            ],
        )  # fmt: skip

    write(
        "customer_merges",
        [
            {
                "customer_id": one,
                "business_date": day,
                "merged_customer_id": "A",
                "merge_rank": rank,
                "decided_date": day,
            }
            for day, one, rank in ((TUESDAY, "A", 1), (TUESDAY, "B", 2), (WEDNESDAY, "A", 1), (WEDNESDAY, "C", 2))
        ],
    )
    every_day(
        "customers",
        customer_status={"A": None, "B": "active", "C": "active", "D": "active"},
        branch_id={"A": "A1", "B": "B1", "C": "C1", "D": "D1"},
        open_date={
            "A": dt.date(2019, 1, 1),
            "B": dt.date(2018, 1, 1),
            "C": dt.date(2020, 1, 1),
            "D": dt.date(2021, 1, 1),
        },
        member_count={"A": 1, "B": 2, "C": 3, "D": 1},
        has_pension_account={"A": False, "B": True, "C": False, "D": False},
        manager_customer_id={"D": "B"},
    )
    every_day("customer_assets", total_asset_amount={"A": Decimal("1.10"), "B": Decimal("2.20"), "C": Decimal("4.40")})
    every_day("aml_grades", aml_grade={"A": "low", "B": "high", "C": "@9", "D": "low"})
    every_day("open_complaints", open_complaint_count={"B": 2, "C": 1})
    write(
        "accounts",
        [
            {"business_line": "normal", "account_id": f"{one}1", "business_date": day, "customer_id": one}
            for day in days
            for one in ("A", "B", None)
        ],
    )
    return lake


def seen(lake: Lake, day: dt.date, table: str, *columns: str) -> list[tuple]:
    """Rows of MONDAY as the marts of `day` see them."""
    register_gold(lake, day)
    rows = lake.spark.sql(f"select {', '.join(columns)} from gold.{table} where business_date = date'{MONDAY}'")
    return sorted((tuple(row) for row in rows.collect()), key=str)


def test_days_are_built_in_runs_on_which_the_same_customers_are_merged(lake):
    assert days_merged_alike(lake, [WEDNESDAY, MONDAY, TUESDAY]) == [[MONDAY], [TUESDAY], [WEDNESDAY]]
    assert days_merged_alike(lake, [MONDAY]) == [[MONDAY]]


def test_the_past_is_seen_with_the_customers_of_the_day(lake):
    assets = ("customer_assets", "customer_id", "cast(total_asset_amount as string)")
    assert seen(lake, MONDAY, *assets) == [("A", "1.10"), ("B", "2.20"), ("C", "4.40")]
    assert seen(lake, TUESDAY, *assets) == [("A", "3.30"), ("C", "4.40")]
    assert seen(lake, WEDNESDAY, *assets) == [("A", "5.50"), ("B", "2.20")]


def test_who_has_a_client_of_the_normal_counter_speaks_for_all(lake):
    told = seen(
        lake,
        TUESDAY,
        "customers",
        "customer_id",
        "branch_id",
        "year(open_date)",
        "member_count",
        "has_pension_account",
        "manager_customer_id",
    )
    assert told == [
        ("A", "B1", 2018, 3, True, None),
        ("C", "C1", 2020, 3, False, None),
        ("D", "D1", 2021, 1, False, "A"),
    ]


def test_the_worst_grade_counts_and_what_nobody_knows_is_worse(lake):
    assert seen(lake, TUESDAY, "aml_grades", "customer_id", "aml_grade") == [("A", "high"), ("C", "@9"), ("D", "low")]
    assert seen(lake, WEDNESDAY, "aml_grades", "customer_id", "aml_grade") == [("A", "@9"), ("B", "high"), ("D", "low")]


def test_rows_of_accounts_change_hands_and_those_of_nobody_stay_so(lake):
    assert seen(lake, TUESDAY, "accounts", "account_id", "customer_id") == [("A1", "A"), ("B1", "A"), ("None1", None)]
    assert seen(lake, WEDNESDAY, "open_complaints", "customer_id", "open_complaint_count") == [("A", 1), ("B", 2)]
