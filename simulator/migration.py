"""A counter migration: after some days another counter keeps the normal line, with its own numbers, column names, code lists and formats.

On the last days before, both deliver: the old counter as always, the new one beside it. Events and truth know nothing of it and keep the
numbers of the old counter; so do all other senders, for whom nothing has changed. Who joins later has only the number the new counter gave.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from simulator.delivery import deliver
from simulator.feeds import FEEDS, EndOfDay
from simulator.layouts import Column, Layout, layouts
from simulator.state import of_normal_counter

MAPPING = "next_counter"
SHADOW_DAYS = 2
NUMBERS = Layout(
    f"migration__{MAPPING}",
    "delimited",
    "state",
    "next_counter_numbers_{date}.txt",
    (
        Column("number_kind", "KIND", "code", {"client": "C", "account": "F"}, False),
        Column("new_number", "NEW_NO", "text", None, False),
        Column("old_number", "OLD_NO", "text", None, False),
    ),
    (),
)
NUMBER_KINDS = {"client_number": "client", "manager_client_number": "client", "account_id": "account"}


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in text.split())


_NAMES = _pairs(
    "client_number:CUST_NO client_name:CUST_NAME client_kind:CUST_TYPE identity_kind:ID_TYPE identity_number:ID_CODE "
    "mobile_phone:MOBILE identity_expiry_date:ID_END_DATE pension_account_id:PENSION_ACCT manager_client_number:MGR_CUST_NO branch_id:ORG_NO risk_level:RISK_GRADE "
    "risk_test_expiry_date:RISK_END_DATE client_status:CUST_STATUS open_date:OPN_DATE close_date:CLS_DATE account_id:FUND_ACCT "
    "account_role:ACCT_ROLE account_status:ACCT_STATUS securities_account_id:STOCK_ACCT exchange_code:MARKET security_code:SEC_NO "
    "currency_code:CCY balance_amount:BAL available_amount:BAL_AVL frozen_amount:BAL_FRZ unsettled_repo_amount:REPO_UNSETTLED "
    "unsettled_fund_amount:FUND_UNSETTLED unsettled_allotment_amount:ALLOT_UNSETTLED unsettled_dividend_amount:DIV_UNSETTLED "
    "quantity:QTY restricted_quantity:QTY_RESTRICTED cost_amount:COST trade_id:MATCH_NO order_id:ENTRUST_NO business_code:BIZ_CODE "
    "price:MATCH_PRICE turnover_amount:MATCH_AMT commission_amount:FEE_COMM stamp_duty_amount:FEE_STAMP transfer_fee_amount:FEE_TRANS "
    "order_fee_amount:FEE_ENTRUST other_fee_amount:FEE_OTHER exchange_handling_fee_amount:EX_HANDLING "
    "exchange_regulatory_fee_amount:EX_REGULATORY exchange_transfer_fee_amount:EX_TRANSFER exchange_settlement_fee_amount:EX_SETTLE "
    "exchange_other_fee_amount:EX_OTHER settlement_amount:CLEAR_AMT settlement_date:CLEAR_DATE channel:OP_WAY journal_id:SERIAL_NO "
    "amount:OCCUR_AMT balance_after_amount:POST_BAL bank_code:BANK_NO movement_id:CHANGE_NO business_line:SYS_CODE"
)
_CODES = {
    "exchange_code": "SSE:XSHG SZSE:XSHE BSE:XBSE SSE_B:XSHG_B SZSE_B:XSHE_B HK_SH:XHKG_SH HK_SZ:XHKG_SZ",
    "currency_code": "CNY:156 USD:840 HKD:344",
    "client_kind": "person:P institution:I product:F",
    "identity_kind": "resident_id:01 passport:02 unified_social_credit_code:11 hk_macau_permit:03 taiwan_permit:04 "
    "foreign_permanent_card:05 product_filing:12 other:99",
    "risk_level": "C1_MINIMUM:R0 C1:R1 C2:R2 C3:R3 C4:R4 C5:R5",
    "account_role": "main:M auxiliary:S",
    "client_status": "active:N frozen:F dormant:D closed:X",
    "account_status": "active:N frozen:F dormant:D closed:X",
    "channel": "counter:C telephone:T online:O mobile:M",
    "business_line": "normal:01 credit:02 option:03 fund:04",
}
_BUSINESS_CODES = {
    "normal_counter__trades": "sell:S buy:B reverse_repo_lend:RL reverse_repo_return:RR",
    "normal_counter__cash_journal": "bank_transfer_in:101 bank_transfer_out:102 securities_sell:201 securities_buy:202 "
    "reverse_repo_lend:211 reverse_repo_return:212 dividend:301 dividend_tax:302 interest:303 allotment_payment:311 fund_payment:401 "
    "fund_redemption:402 transfer_to_credit:501 transfer_from_credit:502 transfer_to_option:503 transfer_from_option:504 "
    "repurchase_drawn:511 repurchase_repaid:512 repurchase_interest_paid:513 advice_fee:521",
    "normal_counter__share_movements": "allotment:311 option_exercise:601 collateral_in:701 collateral_out:702 restriction_released:801 "
    "repurchase_out:703 repurchase_in:704",
}
# The other counter's formats, and the feeds whose money it sends in thousandths.
_PARQUET, _IN_THOUSANDTHS = ("normal_counter__positions",), ("normal_counter__cash_balances",)


@cache
def next_layouts() -> dict[str, Layout]:
    """The normal counter's feeds as the other counter delivers them."""
    return {feed: _next(layout) for feed, layout in layouts().items() if feed.startswith("normal_counter__")}


def _next(layout: Layout) -> Layout:
    is_parquet = layout.feed in _PARQUET
    name = layout.feed.removeprefix("normal_counter__")
    columns = tuple(_next_column(layout.feed, column) for column in layout.columns)
    pattern = f"next_{name}_{{date}}.{'parquet' if is_parquet else 'txt'}"
    return replace(layout, format="parquet" if is_parquet else layout.format, file_pattern=pattern, columns=columns)


def _next_column(feed: str, column: Column) -> Column:
    codes = _BUSINESS_CODES.get(feed, "") if column.name == "business_code" else _CODES.get(column.name, "")
    return replace(
        column,
        delivered_name=_NAMES[column.name],
        codes=_pairs(codes) or None,
        in_thousandths=column.kind == "money" and feed in _IN_THOUSANDTHS,
    )


@dataclass
class Migration:
    """When the other counter delivers, and the numbers it took over, by kind: old number → new one."""

    shadow_dates: tuple[dt.date, ...]
    in_force_from: dt.date
    numbers: dict[str, dict[str, str]] = field(default_factory=lambda: {"client": {}, "account": {}})

    def take_over(self, day: EndOfDay) -> None:
        """Every client and account of the old counter gets its new number, until the other counter is in force."""
        if day.date >= self.in_force_from:
            return
        accounts = day.state["accounts"]
        accounts = accounts[accounts["line"] == "normal"]
        clients = of_normal_counter(day.state["clients"])
        for kind, numbers in (
            # An account may be delivered before its client.
            ("client", [*clients["client_number"], *accounts["client_number"]]),
            ("account", accounts["account_id"]),
        ):
            self.numbers[kind].update((number, new_number(number)) for number in numbers)

    def renumbered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with the other counter's numbers; one it did not take over it gave itself, and stays."""
        return frame.assign(
            **{
                column: np.array([self.numbers[kind].get(number, number) for number in frame[column]], dtype=object)
                for column, kind in NUMBER_KINDS.items()
                if column in frame.columns
            }
        )

    def number_rows(self) -> pd.DataFrame:
        rows = [(kind, new, old) for kind, numbers in self.numbers.items() for old, new in sorted(numbers.items())]
        return pd.DataFrame(rows, columns=["number_kind", "new_number", "old_number"])


def plan(sessions: list[dt.date], after: int) -> Migration:
    """The other counter is in force from the session behind `after` trading days; the opening baseline is session 0."""
    shadow = sessions[max(1, after - SHADOW_DAYS + 1) : after + 1]
    return Migration(tuple(shadow), sessions[after + 1])


def new_number(number: str) -> str:
    """Another number for every number, longer than any the old counter gave."""
    return f"66{number[::-1]}"


def deliver_day(landing: Path, day: EndOfDay, migration: Migration) -> dict[str, int]:
    """Write every feed of the day from whoever delivers it, the shadows, and the map of numbers while it grows; rows by feed."""
    migration.take_over(day)
    is_replaced = day.date >= migration.in_force_from
    rows = {}
    for feed, read_rows in FEEDS.items():
        frame = read_rows(day)
        old, new = layouts()[feed], next_layouts().get(feed)
        if new and is_replaced:
            rows[feed] = deliver(landing, new, migration.renumbered(frame), day.date, day.is_opening)
            continue
        rows[feed] = deliver(landing, old, frame, day.date, day.is_opening)
        if new and day.date in migration.shadow_dates:
            folder = f"{feed}@{MAPPING}"
            deliver(landing, new, migration.renumbered(frame), day.date, day.is_opening, folder)
    if day.date in (*migration.shadow_dates, migration.in_force_from):
        rows[NUMBERS.feed] = deliver(landing, NUMBERS, migration.number_rows(), day.date, day.is_opening)
    return rows
