"""The simulator's truth against numbers worked out by hand: tiny event logs in, CSV rows out."""

from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from simulator import events as ev
from simulator import truth
from simulator.truth_averages import RunningAverages
from simulator.truth_commission import split_cents

# 2025-12-31 is a Wednesday, the last session of the year; the next ones are Monday to Wednesday 5 to 7 January.
OPENING, FIRST, SECOND = dt.date(2025, 12, 31), dt.date(2026, 1, 5), dt.date(2026, 1, 6)
LONG_AGO = dt.date(2020, 3, 2)
THIRD = "0.33333333"


class Story:
    """An event log told with text amounts; a field not named is zero, false, long ago or None."""

    def __init__(self, *dates: dt.date) -> None:
        self.log = ev.EventLog()
        for date in dates:
            self.log.open_day(date)

    def add(self, date: dt.date, event_class: type, **fields) -> None:
        plain = {"amount": 0, "flag": False, "date": LONG_AGO, "text": ""}
        kinds = ev.field_kinds(event_class)
        values = {name: None if kind.is_nullable else plain[kind.kind] for name, kind in kinds.items()}
        for name, value in fields.items():
            is_amount = kinds[name].kind == "amount" and value is not None
            values[name] = int(Decimal(value).scaleb(kinds[name].scale)) if is_amount else value
        self.log.emit(date, event_class, **values)

    def client(self, date, system, number, identity="A", kind="passport", valid=True, **more) -> None:
        document = {"identity_kind": kind, "identity_number": identity, "identity_is_valid": valid}
        fields = {"client_kind": "person", "status": "active", **document, **more}
        self.add(date, ev.ClientOpened, system=system, client_number=number, **fields)

    def account(self, date, line, account_id, number="1", **more) -> None:
        system = {"normal": "NOR", "credit": "CRD", "option": "OPT", "fund": "FND"}[line]
        fields = {"branch_id": "B1", "status": "active", **more}
        self.add(
            date, ev.AccountOpened, line=line, account_id=account_id, system=system, client_number=number, **fields
        )

    def cash(self, date, line, account_id, amount, currency="CNY", business="bank_transfer_in") -> None:
        fields = {"line": line, "account_id": account_id, "currency_code": currency}
        self.add(date, ev.CashMoved, business=business, amount=amount, **fields)

    def relation(self, date, account_id, employee_id, ratio, **more) -> None:
        fields = {"business_line": "normal", "relation_kind": "service", **more}
        self.add(date, ev.RelationSet, account_id=account_id, employee_id=employee_id, pay_ratio=ratio, **fields)

    def fill(self, date, account_id, line="normal", currency="CNY", **amounts) -> None:
        fields = {"line": line, "account_id": account_id, "currency_code": currency, "business": "buy"}
        self.add(date, ev.TradeFilled, **fields, **amounts)

    def told(self, folder: Path) -> dict[str, list[dict[str, str]]]:
        truth.write(self.log, folder)
        files = {}
        for path in folder.glob("*.csv"):
            with path.open(encoding="utf-8", newline="") as stream:
                files[path.stem] = list(csv.DictReader(stream))
        return files


def picked(rows, *columns):
    return [tuple(row[column] for column in columns) for row in rows]


def one_customer(*dates) -> Story:
    story = Story(*dates)
    story.client(dates[0], "NOR", "1")
    story.account(dates[0], "normal", "N1")
    return story


# ---------------------------------------------------------------- fees and attribution


@pytest.mark.parametrize(
    ("commission", "other_fee", "transfer_fee", "handling_fee", "regulatory_fee", "net"),
    [
        # quote of 0.00025 on 50,000 yuan: with handling and regulatory fees inside, then on top
        ("12.50", "0.00", "0.50", "1.71", "1.00", "9.79"),
        ("12.50", "2.71", "0.50", "1.71", "1.00", "12.50"),
        # the floor of 5 yuan on 10,000 yuan: inside, then on top
        ("5.00", "0.00", "0.10", "0.34", "0.20", "4.46"),
        ("5.00", "0.54", "0.10", "0.34", "0.20", "5.00"),
    ],
)
def test_net_commission_of_the_worked_example(
    tmp_path, commission, other_fee, transfer_fee, handling_fee, regulatory_fee, net
):
    story = one_customer(OPENING, FIRST)
    story.fill(
        FIRST,
        "N1",
        turnover_amount="50000.00",
        commission_amount=commission,
        stamp_duty_amount="25.00",
        other_fee_amount=other_fee,
        transfer_fee_amount=transfer_fee,
        exchange_transfer_fee_amount=transfer_fee,
        exchange_handling_fee_amount=handling_fee,
        exchange_regulatory_fee_amount=regulatory_fee,
    )
    (row,) = story.told(tmp_path)["commission_customer_day"]
    assert row == {
        "business_date": "2026-01-05",
        "customer_id": "NOR-1",
        "business_line": "normal",
        "turnover_amount": "50000.00",
        "gross_commission_amount": commission,
        "stamp_duty_amount": "25.00",
        "transfer_fee_amount": transfer_fee,
        "handling_fee_amount": handling_fee,
        "regulatory_fee_amount": regulatory_fee,
        "other_fee_amount": other_fee,
        "net_commission_amount": net,
    }


def test_every_fee_on_either_side_of_net_commission_and_order_fee_shown_with_other_fee(tmp_path):
    story = one_customer(OPENING, FIRST)
    story.fill(
        FIRST,
        "N1",
        commission_amount="10.00",
        order_fee_amount="1.00",
        other_fee_amount="0.50",
        exchange_settlement_fee_amount="0.20",
        exchange_other_fee_amount="0.03",
    )
    (row,) = story.told(tmp_path)["commission_customer_day"]
    assert (row["other_fee_amount"], row["net_commission_amount"]) == ("1.50", "11.27")


def test_foreign_fee_components_are_converted_one_by_one(tmp_path):
    story = one_customer(OPENING, FIRST)
    rates = {"currency_code": "HKD", "rate_date": FIRST}
    story.add(FIRST, ev.ExchangeRatePublished, rate_kind="central_parity", exchange_rate="0.9", **rates)
    story.add(FIRST, ev.ExchangeRatePublished, rate_kind="settlement", exchange_rate="0.8", **rates)
    # 1.05 × 0.9 = 0.945 → 0.95, and 0.05 × 0.9 = 0.045 → 0.05, twice; the sum converted at once would be 1.04
    story.fill(FIRST, "N1", currency="HKD", commission_amount="1.05", order_fee_amount="0.05", other_fee_amount="0.05")
    (row,) = story.told(tmp_path)["commission_customer_day"]
    assert (row["gross_commission_amount"], row["other_fee_amount"], row["net_commission_amount"]) == (
        "0.95",
        "0.10",
        "1.05",
    )


def test_option_fill_pays_on_handling_and_settlement(tmp_path):
    story = Story(OPENING, FIRST)
    story.client(OPENING, "OPT", "1")
    story.account(OPENING, "option", "O1")
    story.add(
        FIRST,
        ev.OptionTradeFilled,
        account_id="O1",
        currency_code="CNY",
        turnover_amount="800.00",
        commission_amount="5.00",
        exchange_handling_fee_amount="1.30",
        exchange_settlement_fee_amount="0.30",
    )
    told = story.told(tmp_path)
    (row,) = told["commission_customer_day"]
    assert picked([row], "business_line", "turnover_amount", "handling_fee_amount", "net_commission_amount") == [
        ("option", "800.00", "1.30", "3.40")
    ]
    assert told["customers"][0]["last_trade_date"] == "2026-01-05"


@pytest.mark.parametrize(
    ("amount", "ratios", "shares"),
    [
        # one cent in three: all remainders equal, the first employee has it
        (
            "0.01",
            [("E3", THIRD), ("E1", THIRD), ("E2", THIRD)],
            {"E1": "0.01", "E2": "0", "E3": "0", "unassigned": "0"},
        ),
        # 1.01 at 0.5 and 0.3: floors 0.50, 0.30, 0.20; the cent left goes to the largest remainder, E1's half
        ("1.01", [("E1", "0.5"), ("E2", "0.3")], {"E1": "0.51", "E2": "0.30", "unassigned": "0.20"}),
        # equal remainders of one half: the employee before unassigned
        ("0.01", [("E1", "0.5")], {"E1": "0.01", "unassigned": "0"}),
        ("-1.01", [("E1", "0.5"), ("E2", "0.3")], {"E1": "-0.51", "E2": "-0.30", "unassigned": "-0.20"}),
        ("1.01", [("E1", "0.7"), ("E2", "0.30000001")], {"unassigned": "1.01"}),
        ("1.01", [], {"unassigned": "1.01"}),
    ],
)
def test_cents_are_split_without_loss(amount, ratios, shares):
    split = split_cents(Decimal(amount), [(employee, Decimal(ratio)) for employee, ratio in ratios])
    assert split == {employee: Decimal(share) for employee, share in shares.items()}
    assert sum(split.values()) == Decimal(amount)


def test_pay_follows_the_relations_of_the_day_before_and_the_branch_of_the_day(tmp_path):
    story = one_customer(OPENING, FIRST, SECOND)
    for employee_id in ("E1", "E2"):
        story.add(OPENING, ev.EmployeeSet, employee_id=employee_id, branch_id="B7", status="active")
    story.relation(OPENING, "N1", "E1", "0.25")
    story.relation(OPENING, "N1", "E2", "0.50", effective_date=FIRST)
    story.add(FIRST, ev.EmployeeSet, employee_id="E1", branch_id="B8", status="active")
    story.fill(FIRST, "N1", turnover_amount="100.00", commission_amount="1.00", exchange_handling_fee_amount="0.20")
    told = story.told(tmp_path)
    columns = ("gross_commission_amount", "net_commission_amount", "turnover_amount")
    # E2 is effective on the 5th only, the slice is that of 31 December
    assert picked(told["commission_employee_month"], "commission_month", "employee_id", *columns) == [
        ("2026-01", "E1", "0.25", "0.20", "25.00"),
        ("2026-01", "unassigned", "0.75", "0.60", "75.00"),
    ]
    assert picked(told["commission_branch_month"], *told["commission_branch_month"][0]) == [
        ("2026-01", "B1", "0.00", "0.80"),
        ("2026-01", "B8", "0.20", "0.00"),
        ("2026-01", "unassigned", "0.60", "0.00"),
    ]


def test_each_account_and_day_is_split_on_its_own_and_then_summed(tmp_path):
    story = one_customer(OPENING, FIRST, SECOND)
    story.relation(OPENING, "N1", "E1", "0.5")
    story.relation(OPENING, "N1", "E2", "0.5")
    for date in (FIRST, SECOND):
        story.fill(date, "N1", turnover_amount="0.01", commission_amount="0.01")
        story.fill(date, "N1", turnover_amount="0.02", commission_amount="0.02")
    # 0.03 a day: E1 has 0.02 and E2 0.01, twice; all six cents at once would be three each
    assert picked(story.told(tmp_path)["commission_employee_month"], "employee_id", "turnover_amount") == [
        ("E1", "0.04"),
        ("E2", "0.02"),
    ]


# ---------------------------------------------------------------- averages


def averages_of(story: Story, folder: Path) -> list[tuple[str, ...]]:
    columns = ("business_date", "average_20d_sum_amount", "average_20d_days", "average_20d_asset_amount")
    month = ("month_average_sum_amount", "month_average_days", "month_average_asset_amount")
    return picked(story.told(folder)["customers"], *columns, *month)


def test_month_average_fills_the_october_holiday(tmp_path):
    dates = dt.date(2026, 9, 29), dt.date(2026, 9, 30), dt.date(2026, 10, 8)
    story = one_customer(*dates)
    for date, amount in zip(dates, ("100", "30", "70"), strict=True):
        story.cash(date, "normal", "N1", amount)
    # balances 100, 130, 200; 1 to 7 October stand at 130: 7 × 130 + 200 = 1110
    assert averages_of(story, tmp_path) == [
        ("2026-09-30", "230.00", "2", "115.00", "230.00", "2", "115.00"),
        ("2026-10-08", "430.00", "3", "143.33", "1110.00", "8", "138.75"),
    ]


def test_month_average_runs_to_a_month_end_on_a_weekend(tmp_path):
    dates = dt.date(2026, 1, 29), dt.date(2026, 1, 30), dt.date(2026, 2, 2)
    story = one_customer(*dates)
    for date, amount in zip(dates, ("100", "30", "70"), strict=True):
        story.cash(date, "normal", "N1", amount)
    # Friday 30 January also stands for the 31st; Sunday 1 February is at Friday's 130
    assert averages_of(story, tmp_path) == [
        ("2026-01-30", "230.00", "2", "115.00", "360.00", "3", "120.00"),
        ("2026-02-02", "430.00", "3", "143.33", "330.00", "2", "165.00"),
    ]


def test_twenty_day_average_drops_the_oldest_day_and_counts_absence_as_zero():
    march = [dt.date(2026, 3, day) for day in (*range(2, 7), *range(9, 14), *range(16, 21), *range(23, 28), 30)]
    averages = RunningAverages(march)
    for number, date in enumerate(march):
        totals = {"present": Decimal(number)}
        averages.add_day(date, totals if number in (5, 6) else {**totals, "absent_twice": Decimal("10.00")})
    # 21 days, 0 to 20: the first is out, 1 + … + 20 = 210
    assert averages.of_20_days("present") == (Decimal("210.00"), 20, Decimal("10.50"))
    assert averages.of_20_days("absent_twice") == (Decimal("180.00"), 20, Decimal("9.00"))
    # 2 to 30 March are 29 natural days; only Monday 9 and Tuesday 10 count nothing: 27 × 10
    assert averages.of_month("absent_twice") == (Decimal("270.00"), 29, Decimal("9.31"))


def test_a_run_that_skips_a_trading_day_is_refused():
    with pytest.raises(ValueError, match="2026-01-05"):
        RunningAverages([OPENING, SECOND])


# ---------------------------------------------------------------- assets


def with_hong_kong_share(story: Story, date: dt.date) -> None:
    rate = {"currency_code": "HKD", "rate_kind": "central_parity", "exchange_rate": "0.91675"}
    share = {"exchange_code": "HK_SH", "security_code": "00001"}
    story.add(date, ev.ExchangeRatePublished, **rate)
    story.add(date, ev.SecurityPublished, currency_code="HKD", security_kind="hk_stock", **share)
    story.add(date, ev.PricePublished, close_price="1.2345", **share)


def test_hong_kong_positions_are_rounded_in_hkd_then_in_cny_per_securities_account(tmp_path):
    story = one_customer(OPENING, FIRST)
    with_hong_kong_share(story, FIRST)
    share = {"line": "normal", "account_id": "N1", "exchange_code": "HK_SH", "security_code": "00001"}
    story.add(FIRST, ev.SecuritiesMoved, securities_account_id="S1", quantity="3", restricted_quantity="1", **share)
    story.add(FIRST, ev.SecuritiesMoved, securities_account_id="S2", quantity="3", **share)
    told = story.told(tmp_path)
    # each row: 3 × 1.2345 = 3.7035 → 3.70 HKD × 0.91675 = 3.391975 → 3.39; restricted 1.2345 → 1.23 → 1.1276 → 1.13
    columns = ("business_line", "account_id", "instrument_id", "position_side", "quantity", "market_value_amount")
    assert picked(told["holdings"], *columns) == [("normal", "N1", "00001.HK_SH", "long", "6.00", "6.78")]
    assert picked(told["accounts"], "securities_amount", "restricted_amount", "total_asset_amount") == [
        ("6.78", "1.13", "6.78")
    ]


def test_a_security_not_priced_today_counts_nothing_but_stays_a_holding(tmp_path):
    story = one_customer(OPENING, FIRST)
    with_hong_kong_share(story, OPENING)
    share = {"exchange_code": "HK_SH", "security_code": "00001", "securities_account_id": "S1"}
    story.add(OPENING, ev.SecuritiesMoved, line="normal", account_id="N1", quantity="3", **share)
    told = story.told(tmp_path)
    assert picked(told["holdings"], "quantity", "market_value_amount") == [("3.00", "0.00")]
    assert told["customers"][0]["average_20d_sum_amount"] == "3.39"


def test_cash_and_transit_are_converted_per_currency_and_buckets_added_first(tmp_path):
    story = one_customer(OPENING, FIRST)
    story.add(FIRST, ev.ExchangeRatePublished, currency_code="HKD", rate_kind="central_parity", exchange_rate="0.5")
    story.cash(FIRST, "normal", "N1", "0.05", currency="HKD")
    story.cash(FIRST, "normal", "N1", "1.00")
    for bucket, amount in (("repo", "0.01"), ("fund", "0.01"), ("allotment", "0.01"), ("dividend", "-0.02")):
        story.add(FIRST, ev.InTransitMoved, account_id="N1", currency_code="HKD", bucket=bucket, amount=amount)
    # 0.05 × 0.5 = 0.025 → 0.03; in transit 0.01 × 0.5 = 0.005 → 0.01
    assert picked(story.told(tmp_path)["accounts"], "cash_amount", "in_transit_amount", "total_asset_amount") == [
        ("1.03", "0.01", "1.04")
    ]


def test_covered_options_count_nothing_and_short_ones_are_negative(tmp_path):
    story = Story(OPENING, FIRST)
    story.client(OPENING, "OPT", "1")
    for account_id in ("O1", "O2"):
        story.account(OPENING, "option", account_id)
        story.cash(OPENING, "option", account_id, "3000.00", business="opening_balance")
        story.cash(FIRST, "option", account_id, "0.00", business="option_trade")
        story.add(
            OPENING, ev.OptionMarginSet, account_id=account_id, currency_code="CNY", occupied_margin_amount="1000"
        )
    contract = {"contract_code": "C1", "contract_unit": "10000"}
    story.add(FIRST, ev.OptionContractPublished, settlement_price="0.0123", **contract)
    for account_id, side, quantity in (("O1", "long", "5"), ("O1", "short", "2"), ("O2", "covered", "7")):
        position = {"account_id": account_id, "contract_code": "C1", "position_side": side}
        story.add(OPENING, ev.OptionPositionSet, quantity=quantity, **position)
    story.add(OPENING, ev.OptionPositionSet, account_id="O2", contract_code="C2", position_side="long", quantity="1")
    story.add(FIRST, ev.OptionPositionSet, account_id="O2", contract_code="C2", position_side="long", quantity="0")
    told = story.told(tmp_path)
    assert picked(
        told["holdings"], "account_id", "instrument_id", "position_side", "quantity", "market_value_amount"
    ) == [
        ("O1", "C1", "long", "5.00", "615.00"),
        ("O1", "C1", "short", "2.00", "-246.00"),
        ("O2", "C1", "covered", "7.00", "0.00"),
    ]
    assert picked(told["option_risks"], "account_id", "option_equity_amount", "risk_degree") == [
        ("O1", "3369.00", "0.333333"),
        ("O2", "3000.00", ""),
    ]
    assert told["cash_flows"] == []


def test_shares_to_be_bought_back_are_owned_and_what_was_lent_on_them_is_owed_once(tmp_path):
    """2,000 shares at 10.005 sold for 12,000, 1,000 pledged for 6,000 under lines that warn at 1.7 and dispose at 1.3, one without price."""
    story = one_customer(OPENING, FIRST)
    share = {"exchange_code": "SSE", "security_code": "600000"}
    story.add(FIRST, ev.SecurityPublished, currency_code="CNY", **share)
    story.add(FIRST, ev.PricePublished, close_price="10.0050", **share)
    story.add(
        OPENING, ev.SecuritiesMoved, line="normal", account_id="N1", securities_account_id="A1", quantity="1000",
        business="opening_balance", **share,
    )  # fmt: skip
    lines = {"watch_line": "1.9", "warning_line": "1.7", "disposal_line": "1.3"}
    for contract, kind, quantity, principal, interest, due, changes in (
        ("R1", "agreed_repurchase", "2000", "12000", "6", SECOND, {}),
        ("R2", "pledge", "1000", "6000", "0", FIRST, {}),
        ("R3", "pledge", "1000", "5", "0", SECOND, {"security_code": "600001", "disposal_line": None}),
        ("R4", "pledge", "1000", "0", "0", SECOND, {}),
    ):
        story.add(
            OPENING, ev.RepurchaseContractSet, contract_id=contract, account_id="N1", contract_kind=kind, collateral_quantity=quantity,
            principal_amount=principal, unpaid_interest_amount=interest, repurchase_date=due, **{**share, **lines, **changes},
        )  # fmt: skip
    told = story.told(tmp_path)
    assert picked(
        told["repurchase_contracts"],
        "contract_id",
        "collateral_amount",
        "owed_amount",
        "guarantee_ratio",
        "guarantee_tier",
    ) == [
        ("R1", "20010.00", "12006.00", "1.666667", "warning"),
        ("R2", "10005.00", "6000.00", "1.667500", "warning"),
        ("R3", "0.00", "5.00", "0.000000", "warning"),
        ("R4", "10005.00", "0.00", "", ""),
    ]
    assert picked(
        told["customers"], "securities_amount", "repurchase_asset_amount", "repurchase_debt_amount", "pledge_debt_amount",
        "total_asset_amount", "net_asset_amount", "minimum_guarantee_ratio", "guarantee_tier", "next_repurchase_date",
    ) == [("10005.00", "20010.00", "12006.00", "6005.00", "30015.00", "12004.00", "0.000000", "warning", str(FIRST))]  # fmt: skip


def test_every_kind_of_income_counts_once_and_an_ended_agreement_is_none(tmp_path):
    """A redemption fee of 2026 belongs to the fund."""
    story = one_customer(OPENING, FIRST, SECOND)
    story.account(OPENING, "fund", "F1")
    story.client(OPENING, "FND", "1")
    story.account(OPENING, "credit", "C1")
    story.client(OPENING, "CRD", "1")
    for agreement, status, ends, amount in (
        ("A1", "active", None, "100.10"),
        ("A2", "ended", FIRST, "50"),
        ("A3", "active", SECOND, "0"),
    ):
        story.add(
            FIRST, ev.AdviceAgreementSet, line="fund_advice", agreement_id=agreement, account_id="F1", status=status, end_date=ends,
            portfolio_amount=amount,
        )  # fmt: skip
    story.fill(FIRST, "N1", commission_amount="5.00", exchange_handling_fee_amount="0.34")
    story.cash(FIRST, "credit", "C1", "-7.00", business="financing_interest_paid")
    story.cash(FIRST, "credit", "C1", "-3.00", business="short_interest_paid")
    story.cash(FIRST, "normal", "N1", "-2.00", business="repurchase_interest_paid")
    for business in ("redemption", "purchase"):
        story.add(
            FIRST, ev.FundConfirmed, account_id="F1", business=business, charge_amount="10", agency_fee_amount="8"
        )
    story.add(FIRST, ev.AdviceFeeConfirmed, line="advice", account_id="N1", fee_kind="copy", amount="6.78")
    story.add(SECOND, ev.AdviceFeeConfirmed, line="fund_advice", account_id="F1", fee_kind="portfolio", amount="1.23")
    told = story.told(tmp_path)
    assert picked(
        told["income_customer_day"], "business_date", "business_line", "income_kind", "gross_amount", "net_amount"
    ) == [
        ("2026-01-05", "advice", "advice_copy", "6.78", "6.78"),
        ("2026-01-05", "credit", "margin_interest", "10.00", "10.00"),
        ("2026-01-05", "fund", "product_fee", "20.00", "8.00"),
        ("2026-01-05", "normal", "commission", "5.00", "4.66"),
        ("2026-01-05", "normal", "repurchase_interest", "2.00", "2.00"),
        ("2026-01-06", "fund_advice", "advice_portfolio", "1.23", "1.23"),
    ]
    assert picked(
        told["customers"],
        "advice_agreement_count",
        "next_advice_end_date",
        "fund_advice_amount",
        "year_advice_fee_amount",
    ) == [("2", "2026-01-06", "100.10", "6.78"), ("2", "2026-01-06", "100.10", "8.01")]


def test_credit_debt_ratio_and_tier(tmp_path):
    story = Story(OPENING, FIRST)
    story.client(OPENING, "CRD", "1")
    share = {"exchange_code": "SSE", "security_code": "600000"}
    story.add(FIRST, ev.SecurityPublished, currency_code="CNY", **share)
    story.add(FIRST, ev.PricePublished, close_price="10.0050", **share)
    lines = {"call_line": "1.4", "close_out_line": "1.3"}
    cash = {"C1": "129.99", "C2": "130.00", "C3": "140.00", "C4": "150.00", "C5": "0.00"}
    for account_id, amount in cash.items():
        story.account(OPENING, "credit", account_id, **lines)
        story.cash(OPENING, "credit", account_id, amount, business="opening_balance")
    for account_id in ("C1", "C2", "C3", "C4"):
        contract = {"contract_id": f"F{account_id}", "account_id": account_id, "contract_kind": "financing"}
        story.add(
            OPENING, ev.CreditContractSet, outstanding_principal_amount="100.00", outstanding_quantity="9", **contract
        )
    short = {"contract_id": "S", "account_id": "C5", "contract_kind": "short", **share}
    owed = {"outstanding_fee_amount": "1.00", "unpaid_interest_amount": "0.50", "penalty_amount": "0.25"}
    story.add(FIRST, ev.CreditContractSet, outstanding_quantity="3", outstanding_principal_amount="77", **short, **owed)
    collateral = {"line": "credit", "account_id": "C5", "securities_account_id": "S1", **share}
    story.add(FIRST, ev.SecuritiesMoved, quantity="2", restricted_quantity="1", **collateral)
    story.add(FIRST, ev.CreditContractRemoved, contract_id="FC4")
    told = story.told(tmp_path)
    # C5: 2 × 10.005 = 20.01 owned; 3 × 10.005 = 30.015 → 30.02 and 1.75 of fee, interest and penalty owed
    assert picked(told["credit_risks"], *list(told["credit_risks"][0])[1:]) == [
        ("C1", "129.99", "100.00", "1.299900", "close_out"),
        ("C2", "130.00", "100.00", "1.300000", "call"),
        ("C3", "140.00", "100.00", "1.400000", "watch"),
        ("C4", "150.00", "0.00", "", ""),
        ("C5", "20.01", "31.77", "0.629839", "close_out"),
    ]
    columns = ("securities_amount", "restricted_amount", "credit_net_amount", "total_asset_amount", "net_asset_amount")
    assert picked(told["accounts"][-1:], *columns) == [("0.00", "0.00", "-11.76", "20.01", "-11.76")]
    assert told["customers"][0]["credit_net_amount"] == "238.23"


def test_fund_value_takes_nav_income_and_the_fixed_nav_of_a_certificate(tmp_path):
    story = Story(OPENING, FIRST)
    story.client(OPENING, "FND", "1", kind="product_filing")
    story.account(OPENING, "fund", "F1")
    for product_code, kind in (("P1", "money_fund"), ("P2", "income_certificate"), ("P3", "private_fund")):
        story.add(FIRST, ev.FundProductPublished, product_code=product_code, product_kind=kind, currency_code="CNY")
        holding = {"account_id": "F1", "product_code": product_code, "share_class": "A"}
        story.add(OPENING, ev.FundHoldingMoved, quantity="100.05", **holding)
        story.add(OPENING, ev.FundHoldingDetailSet, undistributed_income_amount="0.30", **holding)
    for product_code, nav in (("P1", "1.1000"), ("P2", "7.0000")):
        story.add(FIRST, ev.NavPublished, product_code=product_code, nav=nav)
    told = story.told(tmp_path)
    # P1: 110.055 → 110.06 and 0.30; P2 at 1.0000; P3 has no NAV
    assert picked(told["holdings"], "instrument_id", "position_side", "quantity", "market_value_amount") == [
        ("P1.A", "long", "100.05", "110.36"),
        ("P2.A", "long", "100.05", "100.35"),
        ("P3.A", "long", "100.05", "0.00"),
    ]
    assert picked(told["customers"], "customer_kind", "fund_amount", "branch_id") == [("product", "210.71", "B1")]


# ---------------------------------------------------------------- customers


def test_two_members_with_one_identity_are_one_customer_with_the_normal_profile(tmp_path):
    story = Story(OPENING, FIRST, SECOND)
    # the credit member is seen first and so names the customer; the normal client says who it is
    story.client(OPENING, "CRD", "9", identity="A")
    story.account(OPENING, "credit", "C1", number="9", branch_id="B9")
    story.cash(OPENING, "credit", "C1", "100.00")
    expiry = {"identity_expiry_date": dt.date(2031, 1, 1), "risk_test_expiry_date": dt.date(2027, 1, 1)}
    story.client(SECOND, "NOR", "1", identity="A", branch_id="B2", risk_level="C3", **expiry)
    story.account(SECOND, "normal", "N1")
    story.cash(SECOND, "normal", "N1", "1.00")
    told = story.told(tmp_path)
    columns = ("customer_id", "branch_id", "risk_level", "risk_test_expiry_date", "identity_expiry_date")
    assert picked(told["customers"], *columns, "total_asset_amount") == [
        ("CRD-9", "B9", "", "", "", "100.00"),
        ("CRD-9", "B2", "C3", "2027-01-01", "2031-01-01", "101.00"),
    ]


def test_members_of_one_day_are_ordered_by_open_date_then_system(tmp_path):
    story = Story(OPENING, FIRST)
    story.client(OPENING, "NOR", "1", open_date=dt.date(2020, 1, 3))
    story.client(OPENING, "OPT", "2", open_date=dt.date(2011, 1, 1))
    story.account(OPENING, "option", "O2", number="2", open_date=dt.date(2020, 1, 2))
    story.client(OPENING, "FND", "3")
    story.account(OPENING, "fund", "F3", number="3", open_date=dt.date(2020, 1, 2))
    # what counts for the option client is its account's date: equal to the fund one, and FND comes before OPT
    assert picked(story.told(tmp_path)["customers"], "customer_id") == [("FND-3",)]


def test_identities_that_fail_their_check_or_differ_in_kind_are_not_merged(tmp_path):
    story = Story(OPENING, FIRST)
    for number in ("1", "2"):
        story.client(OPENING, "NOR", number, identity="110101", kind="resident_id", valid=False)
    for number, kind in (("3", "passport"), ("4", "other"), ("5", "product_filing")):
        story.client(OPENING, "NOR", number, identity="X", kind=kind)
    told = story.told(tmp_path)
    assert picked(told["customers"], "customer_id") == [(f"NOR-{number}",) for number in range(1, 6)]


def test_a_renewed_document_and_a_gap_in_delivery_keep_the_customer(tmp_path):
    story = Story(OPENING, FIRST, SECOND, dt.date(2026, 1, 7))
    story.client(OPENING, "NOR", "1", identity="OLD")
    story.account(OPENING, "normal", "N1")
    story.cash(OPENING, "normal", "N1", "90.00", business="opening_balance")
    story.add(FIRST, ev.ClientRemoved, system="NOR", client_number="1")
    story.fill(FIRST, "N1", commission_amount="1.00")
    story.client(SECOND, "NOR", "1", identity="NEW")
    story.client(SECOND, "NOR", "2", identity="NEW")
    story.client(SECOND, "NOR", "3", identity="OLD")
    told = story.told(tmp_path)
    # without its client the account and its fill belong to nobody, and the day counts 0 in the average
    assert picked(told["accounts"], "business_date", "customer_id")[:2] == [("2026-01-05", ""), ("2026-01-06", "NOR-1")]
    assert picked(told["commission_customer_day"], "customer_id", "gross_commission_amount") == [("", "1.00")]
    columns = ("business_date", "customer_id", "last_trade_date", "average_20d_sum_amount")
    assert picked(told["customers"], *columns)[:3] == [
        ("2026-01-06", "NOR-1", "", "180.00"),
        ("2026-01-06", "NOR-2", "", "0.00"),
        ("2026-01-07", "NOR-1", "", "270.00"),
    ]


def test_main_staff_is_the_first_in_force_today_by_line_account_and_employee(tmp_path):
    story = one_customer(OPENING, FIRST, SECOND)
    story.client(OPENING, "CRD", "1")
    story.account(OPENING, "credit", "A1")
    story.relation(OPENING, "A1", "E1", "1", business_line="credit", is_main_service=True)
    story.relation(FIRST, "N1", "E9", "1", is_main_service=True, effective_date=SECOND)
    story.relation(FIRST, "N1", "E2", "0", is_main_service=False)
    story.relation(SECOND, "N1", "E8", "0", is_main_service=True, effective_date=SECOND)
    told = story.told(tmp_path)
    assert picked(told["customers"], "main_staff_employee_id") == [("E1",), ("E8",)]


def test_a_removed_account_leaves_with_all_it_held(tmp_path):
    story = one_customer(OPENING, FIRST, SECOND)
    story.cash(OPENING, "normal", "N1", "5.00", business="opening_balance")
    story.add(FIRST, ev.AccountRemoved, line="normal", account_id="N1")
    story.account(SECOND, "normal", "N1")
    told = story.told(tmp_path)
    assert picked(told["accounts"], "business_date", "cash_amount") == [("2026-01-06", "0.00")]
    assert picked(told["customers"], "total_asset_amount") == [("0.00",), ("0.00",)]


# ---------------------------------------------------------------- movements


def test_movements_are_held_against_the_day_before_with_the_opening_baseline(tmp_path):
    """Friday 9 follows Thursday 8 January; the customer of Saturday is told of on Monday 12."""
    days = (dt.date(2026, 1, 8), dt.date(2026, 1, 9), dt.date(2026, 1, 12))
    story = one_customer(*days)
    for number, opened in (("2", dt.date(2026, 1, 10)), ("3", LONG_AGO), ("4", LONG_AGO)):
        story.client(days[2] if number == "2" else days[0], "NOR", number, identity=number, open_date=opened)
    for number in ("3", "4"):
        story.account(days[0], "normal", f"N{number}", number=number)
    story.cash(days[0], "normal", "N3", "10000.00", business="opening_balance")
    story.cash(days[1], "normal", "N1", "200000.00")
    story.cash(days[1], "normal", "N1", "100000.00")
    story.cash(days[1], "normal", "N1", "-299999.99", business="bank_transfer_out")
    story.fill(days[2], "N4", turnover_amount="2000.00")
    for day in days[1:]:
        fields = {
            "client_kind": "person",
            "identity_kind": "passport",
            "identity_number": "3",
            "identity_is_valid": True,
        }
        story.add(day, ev.ClientChanged, system="NOR", client_number="3", status="closed", **fields)
    story.cash(days[2], "normal", "N1", "-300000.00", business="bank_transfer_out")
    columns = ("business_date", "customer_id", "movement_kind", "movement_amount")
    assert picked(story.told(tmp_path)["customer_movements"], *columns) == [
        ("2026-01-09", "NOR-1", "large_in", "300000.00"),
        ("2026-01-09", "NOR-3", "closed", ""),
        ("2026-01-09", "NOR-3", "lost", ""),
        ("2026-01-12", "NOR-1", "large_out", "300000.00"),
        ("2026-01-12", "NOR-2", "opened", ""),
        ("2026-01-12", "NOR-4", "newly_valid", ""),
    ]


def test_income_goes_by_the_class_of_the_security_or_by_its_kind(tmp_path):
    story = one_customer(OPENING, FIRST)
    story.client(OPENING, "OPT", "1")
    story.account(OPENING, "option", "O1")
    for code, kind in (("600000", "stock"), ("113000", "convertible_bond")):
        story.add(FIRST, ev.SecurityPublished, exchange_code="SSE", security_code=code, security_kind=kind)
    for code, business, commission in (
        ("600000", "buy", "1.00"),
        ("600000", "sell", "2.00"),
        ("113000", "buy", "3.00"),
        ("204001", "reverse_repo_lend", "4.00"),
        ("999999", "buy", "5.00"),
    ):
        story.add(
            FIRST, ev.TradeFilled, line="normal", account_id="N1", currency_code="CNY", exchange_code="SSE", security_code=code,
            business=business, commission_amount=commission,
        )  # fmt: skip
    story.add(FIRST, ev.OptionTradeFilled, account_id="O1", currency_code="CNY", commission_amount="6.00")
    story.cash(FIRST, "normal", "N1", "-7.00", business="repurchase_interest_paid")
    story.add(FIRST, ev.AdviceFeeConfirmed, line="advice", account_id="N1", fee_kind="copy", amount="8.00")
    columns = ("branch_id", "product_kind", "gross_amount", "net_amount")
    assert picked(story.told(tmp_path)["income_product_day"], *columns) == [
        ("B1", "advice", "8.00", "8.00"),
        ("B1", "bond", "3.00", "3.00"),
        ("B1", "lent_money", "7.00", "7.00"),
        ("B1", "option", "6.00", "6.00"),
        ("B1", "reverse_repo", "4.00", "4.00"),
        ("B1", "stock", "3.00", "3.00"),
        ("B1", "unknown", "5.00", "5.00"),
    ]


def test_branches_add_up_to_regions_and_the_firm_customers_by_their_own_branch(tmp_path):
    """E1 of B2 serves the customer of B1 and has nine tenths of its income; what E1 earns counts in B2."""
    story = one_customer(OPENING, FIRST, SECOND)
    for branch_id, region in (("B1", "R1"), ("B2", "R2")):
        story.add(OPENING, ev.BranchSet, branch_id=branch_id, region_name=region)
    story.add(OPENING, ev.EmployeeSet, employee_id="E1", branch_id="B2")
    story.client(OPENING, "NOR", "2", identity="B", branch_id="B1")
    story.client(OPENING, "NOR", "3", identity="C", branch_id="B9")
    story.add(OPENING, ev.ClientChanged, system="NOR", client_number="1", branch_id="B1", client_kind="person", status="active",
              identity_kind="passport", identity_number="A", identity_is_valid=True)  # fmt: skip
    story.relation(OPENING, "N1", "E1", "0.9", is_main_service=True)
    story.fill(FIRST, "N1", commission_amount="10.00")
    story.cash(FIRST, "normal", "N1", "70.00")
    story.cash(SECOND, "normal", "N1", "-30.00", business="bank_transfer_out")
    told = story.told(tmp_path)
    columns = ("net_amount", "after_deductions_amount", "customer_count", "covered_customer_count", "net_inflow_amount")
    assert picked(told["performance_branch_month"], "unit_level", "unit_id", *columns) == [
        ("branch", "B1", "0.00", "0.00", "2", "1", "40.00"),
        ("branch", "B2", "9.00", "8.44", "0", "0", "0.00"),
        ("branch", "B9", "0.00", "0.00", "1", "0", "0.00"),
        ("branch", "unassigned", "1.00", "0.94", "0", "0", "0.00"),
        ("firm", "firm", "10.00", "9.38", "3", "1", "40.00"),
        ("region", "R1", "0.00", "0.00", "2", "1", "40.00"),
        ("region", "R2", "9.00", "8.44", "0", "0", "0.00"),
        ("region", "unassigned", "1.00", "0.94", "1", "0", "0.00"),
    ]
    assert picked(told["performance_employee_month"], "employee_id", "customer_count", "net_inflow_amount") == [
        ("E1", "1", "40.00"),
        ("unassigned", "2", "0.00"),
    ]


# ---------------------------------------------------------------- what the passing of time earns, targets, the counter's rates


def test_interest_is_what_is_owed_more_with_what_was_paid_and_let_off(tmp_path):
    thursday, friday, monday = dt.date(2026, 1, 29), dt.date(2026, 1, 30), dt.date(2026, 2, 2)
    story = Story(thursday, friday, monday)
    story.client(thursday, "CRD", "1")
    for account_id in ("C1", "C2", "C3"):
        story.account(thursday, "credit", account_id)

    def owe(day, contract, account_id, unpaid, waived="0"):
        amounts = {
            "unpaid_interest_amount": unpaid,
            "waived_interest_amount": waived,
            "outstanding_principal_amount": "9",
        }
        story.add(
            day, ev.CreditContractSet, contract_id=contract, account_id=account_id, contract_kind="financing", **amounts
        )

    owe(friday, "F1", "C1", "110.00")
    owe(monday, "F1", "C1", "90.01")
    story.cash(monday, "credit", "C1", "-50.00", business="financing_interest_paid")
    owe(friday, "F2", "C2", "7.00")
    story.add(monday, ev.CreditContractRemoved, contract_id="F2")
    story.cash(monday, "credit", "C2", "-10.00", business="short_interest_paid")
    owe(friday, "F3", "C3", "5.00")
    owe(monday, "F3", "C3", "2.00", waived="3.50")
    rows = [row for row in story.told(tmp_path)["income_accruals"] if row["business_date"] == str(monday)]
    assert picked(rows, "account_id", "accrual_date", "accrued_amount", "collected_amount", "unpaid_amount") == [
        ("C1", "2026-01-31", "10.01", "0.00", ""),
        ("C2", "2026-01-31", "1.00", "0.00", ""),
        ("C3", "2026-01-31", "0.17", "0.00", ""),
        ("C1", "2026-02-01", "10.00", "0.00", ""),
        ("C2", "2026-02-01", "1.00", "0.00", ""),
        ("C3", "2026-02-01", "0.17", "0.00", ""),
        ("C1", "2026-02-02", "10.00", "50.00", "90.01"),
        ("C2", "2026-02-02", "1.00", "10.00", "0.00"),
        ("C3", "2026-02-02", "0.16", "0.00", "2.00"),
    ]


def test_trailing_fees_go_by_customer_fund_and_year(tmp_path):
    last, first = dt.date(2025, 12, 31), dt.date(2026, 1, 5)
    story = Story(last, first)
    for number, kind in (("1", "passport"), ("2", "unified_social_credit_code")):
        story.client(last, "FND", number, identity=number, kind=kind)
        story.account(last, "fund", f"F{number}", number)
    for day in (last, first):
        for code, kind, rate in (
            ("E", "equity_fund", "0.012"),
            ("B", "bond_fund", "0.01"),
            ("P", "private_fund", "0.02"),
        ):
            product = {"product_code": code, "product_kind": kind, "currency_code": "CNY", "management_fee_rate": rate}
            story.add(day, ev.FundProductPublished, **product)
            story.add(day, ev.NavPublished, product_code=code, nav="1.0000")
    for account_id, code, quantity in (
        ("F1", "E", "100000"),
        ("F2", "E", "100000"),
        ("F2", "B", "365000"),
        ("F1", "P", "99"),
    ):
        story.add(
            last, ev.FundHoldingMoved, account_id=account_id, product_code=code, share_class="A", quantity=quantity
        )
    rows = story.told(tmp_path)["income_accruals"]
    new_year = [row for row in rows if row["accrual_date"] == "2026-01-01"]
    # 100,000 at 1.2 % is 3.2877 a day, of which a person's seller has half; 365,000 at 1 % is 10 yuan, an institution's has 15 in 100
    assert picked(new_year, "account_id", "product_kind", "accrued_amount") == [
        ("F1", "equity_fund", "1.64"), ("F2", "bond_fund", "1.50"), ("F2", "equity_fund", "0.99"),
    ]  # fmt: skip
    assert len(rows) == 3 * 5, "every natural day from New Year to Monday"


def test_who_has_only_a_target_is_told_beside_those_who_earned(tmp_path):
    story = one_customer(OPENING, FIRST)
    month = f"{FIRST:%Y-%m}"
    story.add(
        OPENING, ev.TargetSet, target_month=month, unit_level="employee", unit_id="E9", target_income_amount="10.00"
    )
    story.add(
        OPENING, ev.TargetSet, target_month="2020-01", unit_level="employee", unit_id="E8", target_income_amount="10.00"
    )
    story.add(FIRST, ev.TargetSet, target_month=month, unit_level="firm", unit_id="firm", target_new_customer_count="4")
    told = story.told(tmp_path)
    columns = ("target_income_amount", "target_inflow_amount", "target_new_customer_count")
    employees = told["performance_employee_month"]
    assert picked(employees, "employee_id", *columns) == [("E9", "10.00", "", ""), ("unassigned", "", "", "")]
    units = told["performance_branch_month"]
    assert ("firm", "", "", "4") in picked(units, "unit_id", *columns)


def test_every_view_gives_the_whole_to_those_with_its_relation(tmp_path):
    story = one_customer(OPENING, FIRST)
    for employee_id, kind, ratio in (
        ("E1", "development", "0.1"), ("E2", "development", "0.1"), ("E3", "development", "0.1"), ("E4", "service", "0.7"),
    ):  # fmt: skip
        story.relation(OPENING, "N1", employee_id, ratio, relation_kind=kind)
    story.fill(FIRST, "N1", commission_amount="100.00")
    rows = story.told(tmp_path)["income_view_day"]
    assert picked(rows, "relation_view", "employee_id", "gross_amount") == [
        ("broker", "unassigned", "100.00"),
        ("development", "E1", "33.34"), ("development", "E2", "33.33"), ("development", "E3", "33.33"),
        ("service", "E4", "100.00"),
    ]  # fmt: skip


def test_a_rate_the_counter_has_otherwise_or_not_at_all_is_not_applied(tmp_path):
    story = one_customer(OPENING, FIRST)
    place = {"product_class": "stock", "exchange_code": "SSE"}
    for account_id in ("N1", "N2", "N3"):
        story.add(OPENING, ev.AgreedRateSet, account_id=account_id, commission_rate="0.0002", effective_date=LONG_AGO,
                  minimum_commission_amount="5", **place)  # fmt: skip
    for account_id, minimum in (("N1", "5"), ("N2", "0")):
        story.add(
            FIRST,
            ev.CounterRateSet,
            account_id=account_id,
            commission_rate="0.0002",
            minimum_commission_amount=minimum,
            **place,
        )
    rows = story.told(tmp_path)["rate_check"]
    assert picked(rows, "account_id", "rate_status", "counter_rate_status", "counter_commission_rate") == [
        ("N2", "not_applied", "different", "0.00020000"), ("N3", "not_applied", "missing", ""),
    ]  # fmt: skip


# ---------------------------------------------------------------- flows and files


def test_cash_flows_are_summed_by_class_in_their_own_currency_without_the_baseline(tmp_path):
    story = one_customer(OPENING, FIRST)
    story.cash(OPENING, "normal", "N1", "1000.00", business="opening_balance")
    movements = {
        "bank_transfer_in": "1.00",
        "bank_transfer_out": "-2.00",
        "securities_buy": "-4.00",
        "transfer_to_credit": "-8.00",
        "dividend": "16.00",
        "dividend_tax": "-32.00",
        "reverse_repo_lend": "-64.00",
        "something_new": "-128.00",
    }
    for business, amount in movements.items():
        story.cash(FIRST, "normal", "N1", amount, business=business)
    story.cash(FIRST, "normal", "N1", "3.00", currency="CNH", business="unheard_of")
    story.cash(FIRST, "normal", "N1", "-3.00", currency="CNH", business="unheard_of")
    rows = story.told(tmp_path)["cash_flows"]
    assert picked(rows, "currency_code", "flow_class", "amount") == [
        ("CNH", "unclassified", "0.00"),
        ("CNY", "client_in", "1.00"),
        ("CNY", "client_out", "-2.00"),
        ("CNY", "in_transit", "-64.00"),
        ("CNY", "internal", "-12.00"),
        ("CNY", "profit", "-16.00"),
        ("CNY", "unclassified", "-128.00"),
    ]


def test_nothing_of_the_opening_baseline_is_written(tmp_path):
    story = one_customer(OPENING)
    story.cash(OPENING, "normal", "N1", "1000.00", business="opening_balance")
    told = story.told(tmp_path)
    assert len(told) == 30
    assert not any(told.values())


def test_a_balance_without_its_account_is_refused(tmp_path):
    story = one_customer(OPENING, FIRST)
    story.cash(FIRST, "normal", "N2", "1.00")
    with pytest.raises(ValueError, match="N2"):
        story.told(tmp_path)
