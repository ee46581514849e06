"""The invented day of tests/api, with more to look at: a customer on all four business lines and his year, and commission of several days.

Amounts of the curve are a fixed wave, so that the pictures in docs/pages are the same each time they are made.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import duckdb

from spark_jobs.ingest.vault import load_keys, token
from tests.api.builders import DAY, PEOPLE, build_home

BRANCH, EMPLOYEE = "B001", "E001"
SEAT = {"branch": BRANCH, "employee": EMPLOYEE}
# On the list margin_call of the seat's branch, with a phone of his own; the seat does not serve him.
RICH = next(one for one in PEOPLE if one.branch == BRANCH and one.list_name == "margin_call" and one.phone)

_PROFILE = f"""
    update mart_customer_profile set
        gender = 'male', age_band = '30-39', open_date = date '2019-04-12', total_asset_amount = 1286540.27, net_asset_amount = 1086540.27,
        cash_amount = 86540.27, securities_amount = 420000.00, restricted_amount = 30000.00, in_transit_amount = 12000.00,
        credit_asset_amount = 640000.00, credit_debt_amount = 200000.00, credit_net_amount = 440000.00, option_equity_amount = 38000.00,
        fund_amount = 60000.00, average_20d_asset_amount = 1265003.11, month_net_asset_change_amount = -18230.55,
        day_profit_amount = 3120.40, month_profit_amount = -18230.55, year_profit_amount = 96402.18, turnover_30d_amount = 305000.00, favourite_instrument_kind = 'stock', favourite_channel = 'mobile',
        last_trade_date = date '2026-09-29', risk_level = 'C4', risk_test_expiry_date = date '2026-11-20',
        identity_expiry_date = date '2031-05-01', margin_tier = 'call', minimum_maintenance_ratio = 1.382000,
        maximum_option_risk_degree = 0.615000, mismatched_holding_count = 1, permissions = 'chinext, hk_connect, star_market', ipo_payment_due_date = date '2026-10-09',
        ipo_unpaid_amount = 12340.00, ipo_short_amount = 0.00, next_option_expiry_date = date '2026-10-28',
        next_product_maturity_date = date '2026-12-15', open_complaint_count = 1, last_call_date = date '2026-09-21',
        last_call_result = 'no_answer', last_reached_date = date '2026-08-03', fund_as_of_date = as_of_date
    where customer_id = '{RICH.customer_id}' and as_of_date = date '{DAY}'
"""
_HOLDINGS = (
    ("credit", "600519.SSE", "贵州茅台", "long", "200.00", "1450.0000", "290000.00", None, None),
    ("credit", "300750.SZSE", "宁德时代", "long", "1000.00", "256.4000", "256400.00", None, None),
    ("normal", "510300.SSE", "沪深300ETF", "long", "40000.00", "4.1200", "164800.00", None, None),
    ("fund", "F000123", "稳健一年持有混合", "no", "52310.55", "1.1470", "60000.20", "R3", "2026-12-15"),
    ("option", "10008123", "50ETF购10月3000", "long", "20.00", "0.0815", "16300.00", None, "2026-10-28"),
)
_TAGS = (
    ("margin_trading", True),
    ("mobile_ordering", True),
    ("fund_plan", True),
    ("ipo_paying", False),
    ("reverse_repo", False),
)
_COMMISSIONS = (
    ("normal", 6, "182000.00", "91.00", "54.60"),
    ("credit", 3, "123000.00", "73.80", "49.20"),
    ("option", 8, "15400.00", "40.00", "31.20"),
)


def build_day(home: Path) -> Path:
    build_home(home)
    pointer = json.loads((home / "published" / "current.json").read_text())
    keys = load_keys(home / "vault", {})
    with duckdb.connect(str(home / "published" / pointer["file"])) as database:
        database.execute(_PROFILE)
        database.execute("update mart_customer_holding set block_as_of_date = as_of_date")
        database.execute(
            "update mart_commission_branch_month set turnover_amount = 486200.00, gross_commission_amount = 243.10"
        )
        database.execute(
            "update mart_commission_employee_month set turnover_amount = 243100.00, gross_commission_amount = 121.55"
        )
        _history(database)
        database.execute(
            "update mart_commission_customer_day set stamp_duty_amount = 45.50, transfer_fee_amount = 1.82, handling_fee_amount = 6.21, "
            "regulatory_fee_amount = 3.64 where customer_id = ?", [RICH.customer_id],
        )  # fmt: skip
        _rows(database)
        database.execute(
            "update mart_outbound_call set reason_text = 'minimum_maintenance_ratio 1.382000, credit_debt_amount 200000.00', "
            "notes = 'risk_test_expiring, dormant' where customer_id = ?", [RICH.customer_id],
        )  # fmt: skip
        assert database.execute(
            "select mobile_phone_token from mart_customer_profile where customer_id = ? and as_of_date = ?", [RICH.customer_id, DAY]
        ).fetchone() == (token(keys, "phone", "", RICH.phone),)  # fmt: skip
    return home


def _history(database: duckdb.DuckDBPyConnection) -> None:
    database.execute(
        "delete from mart_customer_profile where customer_id = ? and as_of_date < ?", [RICH.customer_id, DAY]
    )
    waves = []
    for back in range(1, 366):
        day = DAY - timedelta(days=back)
        if day.weekday() < 5:
            wave = round(1_286_540 - back * 620 + 90_000 * math.sin(back / 23) - 90_000 * math.sin(back / 7) / 4)
            waves.append(f"(date '{day}', {wave}.00)")
    database.execute(
        f"insert into mart_customer_profile select profile.* replace (wave.day as as_of_date, wave.amount as total_asset_amount) "
        f"from mart_customer_profile profile, (values {', '.join(waves)}) wave (day, amount) "
        "where profile.customer_id = ? and profile.as_of_date = ?", [RICH.customer_id, DAY],
    )  # fmt: skip


def _rows(database: duckdb.DuckDBPyConnection) -> None:
    """More holdings, accounts, tags and days of commission, each a copy of the one that is there with other values."""
    for mart in ("mart_customer_holding", "mart_customer_tag", "mart_customer_account", "mart_commission_customer_day"):
        database.execute(
            f"create temp table one as select * from {mart} where customer_id = ? limit 1", [RICH.customer_id]
        )
        if mart == "mart_customer_holding":
            for line, code, name, side, quantity, price, value, level, matures in _HOLDINGS:
                database.execute(
                    "insert into mart_customer_holding select * replace (? as business_line, ? as instrument_id, ? as instrument_name, "
                    "? as position_side, cast(? as decimal(18,2)) as quantity, cast(? as decimal(18,4)) as price, "
                    "cast(? as decimal(18,2)) as market_value_amount, ? as product_risk_level, cast(? as date) as maturity_date) from one",
                    [line, code, name, side, quantity, price, value, level, matures],
                )  # fmt: skip
        elif mart == "mart_customer_tag":
            for name, is_current in _TAGS:
                database.execute(
                    f"insert into {mart} select * replace (? as tag_name, ? as is_current_month) from one",
                    [name, is_current],
                )
            database.execute(f"delete from {mart} where tag_name = 'trades_etf'")
        elif mart == "mart_customer_account":
            for place, line in enumerate(("credit", "option", "fund")):
                database.execute(
                    f"insert into {mart} select * replace (? as business_line, ? as account_id) from one",
                    [line, f"20{place}0004471{place}"],
                )
        else:
            for back in (1, 2, 5, 6, 7, 8):
                for line, trades, turnover, gross, net in _COMMISSIONS:
                    database.execute(
                        f"insert into {mart} select * replace (cast(? as date) as business_date, ? as business_line, ? as trade_count, "
                        "cast(? as decimal(18,2)) as turnover_amount, cast(? as decimal(18,2)) as gross_commission_amount, "
                        "cast(? as decimal(18,2)) as net_commission_amount) from one",
                        [DAY - timedelta(days=back), line, trades, turnover, gross, net],
                    )  # fmt: skip
        database.execute("drop table one")
