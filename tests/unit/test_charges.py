"""What orders should have been charged, by hand: the floor, fees inside and on top, rates by date, and a rate that came too late."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import DataFrame

from spark_jobs.gold.charges import build_agreed_rates, build_order_charges

OLD, NEW = date(2023, 8, 25), date(2023, 8, 28)
"""The last trading day of the old stamp duty and handling fee, and the first of the halved and lowered ones."""

# account, agreed from and to, rate, minimum, whether regulatory fees are inside: quote 2.5 in ten thousand, floor 5 yuan.
AGREED = [
    ("IN", date(2020, 1, 1), None, "0.00025", "5.00", True),
    ("ON", date(2020, 1, 1), None, "0.00025", "5.00", False),
    ("LATE", date(2020, 1, 1), None, "0.00100", "5.00", True),
    ("LATE", NEW, None, "0.00010", "0.00", True),
    ("LATE", date(2030, 1, 1), None, "0.00001", "0.00", True),
    ("PREFERRED", date(2020, 1, 1), None, "0.00100", "5.00", True),
    ("PREFERRED", date(2023, 1, 1), OLD, "0.00010", "0.00", True),
    ("OVER", date(2020, 1, 1), OLD, "0.00010", "0.00", True),
    ("HK", date(2020, 1, 1), None, "0.00100", "0.00", True),
]
STATUTORY = [
    ("stamp_duty", "stock", "SSE", "sell", date(2008, 9, 19), "0.001"),
    ("stamp_duty", "stock", "SSE", "sell", NEW, "0.0005"),
    ("transfer", "stock", "SSE", "both", date(2022, 4, 29), "0.00001"),
    ("handling", "stock", "SSE", "both", date(2015, 8, 1), "0.0000487"),
    ("handling", "stock", "SSE", "both", NEW, "0.0000341"),
    ("regulatory", "stock", "SSE", "both", date(2015, 8, 1), "0.00002"),
    ("stamp_duty", "hk_stock", "HK_SH", "both", date(2020, 1, 1), "0.001"),
]
# order, account, day, side, turnover of each fill
ORDERS = [
    ("inside", "IN", NEW, "buy", ["50000"]),
    ("on top", "ON", NEW, "buy", ["50000"]),
    ("floor inside", "IN", NEW, "buy", ["10000"]),
    ("floor on top", "ON", NEW, "buy", ["10000"]),
    ("three fills", "IN", NEW, "buy", ["1000", "2000", "3000"]),
    ("sold before", "IN", OLD, "sell", ["50000"]),
    ("sold after", "IN", NEW, "sell", ["50000"]),
    ("late", "LATE", NEW, "buy", ["50000"]),
    ("hong kong", "HK", NEW, "buy", ["1234.50"]),
    ("last day", "PREFERRED", OLD, "buy", ["50000"]),
    ("day after", "PREFERRED", NEW, "buy", ["50000"]),
    ("over", "OVER", NEW, "buy", ["50000"]),
    ("nobody agreed", "NONE", NEW, "buy", ["50000"]),
    ("repo", "IN", NEW, "reverse_repo_lend", ["50000"]),
]
# account, rate, minimum, whether regulatory fees are inside: what the counter charges by on the second day; on the first none was delivered.
COUNTER = [
    ("IN", "0.00025", "5.00", True),
    ("ON", "0.00025", "5.00", True),
    ("LATE", "0.00100", "5.00", True),
    ("PREFERRED", "0.00100", "0.00", True),
]
MONEY = Decimal("0.00")


@pytest.fixture(scope="module")
def charges(spark) -> dict[str, dict]:
    fills = [
        (
            day,
            f"{order} {place}",
            order,
            account,
            "HK_SH" if account == "HK" else "SSE",
            "S1",
            side,
            Decimal(turnover),
            MONEY,
        )
        for order, account, day, side, turnovers in ORDERS
        for place, turnover in enumerate(turnovers)
    ]
    amounts = ("commission", "stamp_duty", "transfer_fee", "order_fee", "other_fee")
    trades = spark.createDataFrame(
        [(*fill[:-1], *[fill[-1]] * 5, "CNY") for fill in fills],
        "business_date date, trade_id string, order_id string, account_id string, exchange_code string, security_code string, "
        "business_code string, turnover_amount decimal(18,2), "
        + ", ".join(f"{name}_amount decimal(18,2)" for name in amounts)
        + ", currency_code string",
    )
    securities = spark.createDataFrame(
        [(day, place, "S1", kind) for day in (OLD, NEW) for place, kind in (("SSE", "stock"), ("HK_SH", "hk_stock"))],
        "business_date date, exchange_code string, security_code string, security_kind string",
    )
    found = build_order_charges(
        {"normal": trades}, accounts_of(spark), securities, agreed_of(spark), statutory_of(spark)
    )
    return {row.order_id: row.asDict() for row in found.collect()}


def agreed_of(spark) -> DataFrame:
    return spark.createDataFrame(
        [
            (day, account, "hk_stock" if account == "HK" else "stock", "HK_SH" if account == "HK" else "SSE", since, until, Decimal(rate), Decimal(minimum), inside)
            for day in (OLD, NEW)
            for account, since, until, rate, minimum, inside in AGREED
        ],
        "business_date date, account_id string, product_class string, exchange_code string, effective_date date, expiry_date date, "
        "commission_rate decimal(12,8), minimum_commission_amount decimal(18,2), includes_regulatory_fee boolean",
    )  # fmt: skip


def counter_of(spark) -> DataFrame:
    return spark.createDataFrame(
        [
            (NEW, account, "stock", "SSE", Decimal(rate), Decimal(minimum), inside)
            for account, rate, minimum, inside in COUNTER
        ],
        "business_date date, account_id string, product_class string, exchange_code string, commission_rate decimal(12,8), "
        "minimum_commission_amount decimal(18,2), includes_regulatory_fee boolean",
    )


def statutory_of(spark) -> DataFrame:
    return spark.createDataFrame(
        [(day, *row[:-1], Decimal(row[-1])) for day in (OLD, NEW) for row in STATUTORY],
        "business_date date, fee_kind string, product_class string, exchange_code string, side string, effective_date date, rate decimal(12,8)",
    )


def accounts_of(spark) -> DataFrame:
    return spark.createDataFrame(
        [(NEW, "credit", "IN", "C2", "B2"), (NEW, "normal", "IN", "C1", "B1"), (NEW, "fund", "ON", "C3", "B3")],
        "business_date date, business_line string, account_id string, customer_id string, branch_id string",
    )


def expected(order: dict) -> tuple[Decimal | None, Decimal]:
    return order["expected_commission_amount"], order["expected_fee_amount"]


@pytest.mark.parametrize(
    ("order", "commission", "fees"),
    [
        # transfer 0.50; on top come handling 1.71 and regulatory 1.00
        ("inside", "12.50", "0.50"),
        ("on top", "12.50", "3.21"),
        ("floor inside", "5.00", "0.10"),
        ("floor on top", "5.00", "0.64"),
        # one floor for the order; 0.01 + 0.02 + 0.03 of transfer
        ("three fills", "5.00", "0.06"),
        ("sold before", "12.50", "50.50"),
        ("sold after", "12.50", "25.50"),
        # 1.2345 of stamp duty is two dollars
        ("hong kong", "1.23", "2.00"),
    ],
)
def test_the_worked_examples(charges, order, commission, fees):
    assert expected(charges[order]) == (Decimal(commission), Decimal(fees))


def test_a_new_rate_counts_from_its_day_and_the_one_before_is_remembered(charges):
    late = charges["late"]
    assert (late["expected_commission_amount"], late["previous_commission_amount"]) == (
        Decimal("5.00"),
        Decimal("50.00"),
    )
    assert (late["commission_rate"], late["rate_effective_date"]) == (Decimal("0.00010000"), NEW)
    assert charges["inside"]["previous_commission_amount"] is None


def test_a_preferential_rate_counts_to_its_last_day_and_is_then_the_one_before(charges):
    last, after = (charges[order] for order in ("last day", "day after"))
    assert expected(last)[0] == Decimal("5.00") and last["previous_commission_amount"] == Decimal("50.00")
    assert expected(after)[0] == Decimal("50.00") and after["previous_commission_amount"] == Decimal("5.00")


def test_agreed_rates_know_their_owner_what_is_in_force_and_what_they_have_to_pay(spark):
    rows = build_agreed_rates(agreed_of(spark), counter_of(spark), statutory_of(spark), accounts_of(spark)).collect()
    found = {(row.account_id, row.effective_date, row.business_date): row for row in rows}
    assert len(found) == len(rows) == 2 * len(AGREED)
    assert {(*key[:2], str(key[2])) for key, row in found.items() if row.is_in_force and key[0] in ("LATE", "PREFERRED", "OVER")} == {
        ("LATE", date(2020, 1, 1), str(OLD)), ("LATE", NEW, str(NEW)),
        ("PREFERRED", date(2023, 1, 1), str(OLD)), ("PREFERRED", date(2020, 1, 1), str(NEW)), ("OVER", date(2020, 1, 1), str(OLD)),
    }  # fmt: skip
    of_the_normal_counter, without_owner = (found[account, date(2020, 1, 1), NEW] for account in ("IN", "ON"))
    assert (of_the_normal_counter.customer_id, of_the_normal_counter.branch_id) == ("C1", "B1")
    assert without_owner.customer_id is None, "an account of funds has no agreed rate"
    rates = [
        found[account, date(2020, 1, 1), day].regulatory_rate
        for account, day in (("IN", OLD), ("IN", NEW), ("HK", NEW))
    ]
    assert rates == [Decimal("0.0000687"), Decimal("0.0000541"), 0]
    at_the_counter = {
        (account, since): (found[account, since, NEW].counter_rate_status, found[account, since, NEW].counter_commission_rate)
        for account, since in (("IN", date(2020, 1, 1)), ("ON", date(2020, 1, 1)), ("LATE", NEW), ("PREFERRED", date(2020, 1, 1)), ("OVER", date(2020, 1, 1)))
    }  # fmt: skip
    assert list(at_the_counter.values()) == [
        ("same", Decimal("0.00025")), ("different", Decimal("0.00025")), ("different", Decimal("0.00100")),
        ("different", Decimal("0.00100")), ("missing", None),
    ]  # fmt: skip
    assert {row.counter_rate_status for row in rows if row.business_date == OLD} == {None}, "no table, nothing to say"


def test_an_account_without_a_rate_has_no_expectation_and_reverse_repo_is_not_charged_by_rate(charges):
    assert charges["nobody agreed"]["expected_commission_amount"] is None
    assert charges["over"]["expected_commission_amount"] is None
    assert "repo" not in charges


def test_fills_of_an_order_are_one_row_with_the_owner_of_the_account(charges):
    order = charges["three fills"]
    assert (order["fill_count"], order["turnover_amount"]) == (3, Decimal("6000.00"))
    assert (order["customer_id"], order["branch_id"]) == ("C1", "B1")
    assert charges["on top"]["customer_id"] is None
