"""What others say about the same money and shares: banks, the clearing house, the case desk. Derived from the same events as the counters' feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simulator import events as ev
from simulator.population import BANKS

if TYPE_CHECKING:
    from simulator.feeds import EndOfDay

# Lines whose money lies with a bank under third-party custody and whose counter delivers a cash journal.
CUSTODY_LINES = ("normal", "credit")
BANK_TRANSFERS = {"bank_transfer_in": "in", "bank_transfer_out": "out"}
FUND_ORDERS = ("fund_payment", "fund_redemption")
FILLS_AND_BALANCES = ("trade", "opening_balance")
BANK_OPENS_SECOND, BANK_OPEN_SECONDS, SPREAD = 8 * 3600, 8 * 3600 - 60, 7_919
# Every so many-th transfer needs a second attempt; the first one is delivered as failed.
FAILED_EVERY = 10


def share_movements(day: EndOfDay) -> pd.DataFrame:
    """Shares that moved without a fill: allotments, exercises, collateral, releases."""
    moved = day.events(ev.SecuritiesMoved)
    moved = moved[~moved["business"].isin(FILLS_AND_BALANCES)].reset_index(drop=True)
    return moved.assign(
        movement_id=_numbers("SM", day, len(moved)), business_line=moved["line"], business_code=moved["business"]
    )


def custody_balances(day: EndOfDay) -> pd.DataFrame:
    """One row an account and currency; an account without money has an empty one. A bank owes nothing for an overdraft."""
    accounts = day.state["accounts"]
    accounts = accounts[accounts["line"].isin(CUSTODY_LINES)][["line", "account_id", "status"]]
    rows = accounts.merge(_custody_cash(day), on=["line", "account_id"], how="left")
    rows["currency_code"] = rows["currency_code"].where(rows["currency_code"].notna(), "CNY")
    return pd.DataFrame(
        {
            "business_line": rows["line"],
            "account_id": rows["account_id"],
            "currency_code": rows["currency_code"],
            "bank_code": [custody_bank(account) for account in rows["account_id"]],
            "custody_status": np.where(rows["status"] == "closed", "cancelled", "signed"),
            "balance_amount": np.maximum(rows["amount"].where(rows["amount"].notna(), 0).astype(np.int64), 0),
        }
    )


def _custody_cash(day: EndOfDay) -> pd.DataFrame:
    cash = day.state["cash"]
    return cash[cash["line"].isin(CUSTODY_LINES)]


def custody_bank(account_id: str) -> str:
    """The bank that keeps the account's money, the same for ever."""
    return BANKS[sum(map(ord, account_id)) % len(BANKS)]


def bank_transfers(day: EndOfDay) -> pd.DataFrame:
    """The bank's list of transfers with their times; some succeed only on the second attempt."""
    moved = day.events(ev.CashMoved)
    moved = moved[moved["business"].isin(BANK_TRANSFERS) & moved["line"].isin(CUSTODY_LINES)].reset_index(drop=True)
    own_bank = moved["account_id"].map(custody_bank)
    requested = BANK_OPENS_SECOND + np.arange(len(moved)) * SPREAD % BANK_OPEN_SECONDS
    done = moved.assign(
        business_line=moved["line"],
        bank_code=moved["bank_code"].where(moved["bank_code"].notna(), own_bank),
        direction=moved["business"].map(BANK_TRANSFERS),
        amount=moved["amount"].abs(),
        transfer_status="success",
        requested=requested,
        completed=requested + 1 + np.arange(len(moved)) % 9,
    )
    failed = done[::FAILED_EVERY].assign(transfer_status="failed", requested=lambda rows: rows["requested"] - 40)
    rows = pd.concat([done, failed]).sort_values("requested", kind="stable").reset_index(drop=True)
    completed = [
        _clock(second) if status == "success" else None
        for second, status in zip(rows["completed"], rows["transfer_status"], strict=True)
    ]
    return rows.assign(
        transfer_id=_numbers("BT", day, len(rows)),
        requested_time=[_clock(second) for second in rows["requested"]],
        completed_time=np.array(completed, dtype=object),
    )


def control_figures(day: EndOfDay) -> pd.DataFrame:
    """Totals that other desks report for the day; the opening baseline has none."""
    if day.is_opening:
        empty = {"figure_kind": object, "subject": object, "currency_code": object, "amount": np.int64}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in empty.items()} | {"finished_time": []})
    figures = pd.concat(
        [_open_fund_money(day), _reported_money(day), _legal_person_results(day), _settlement_accounts(day)],
        ignore_index=True,
    ).assign(finished_time=None)
    return pd.concat([figures, _bank_reconciliations(day)], ignore_index=True)


def _figures(kind: str, subjects, currencies, amounts) -> pd.DataFrame:
    columns = {"figure_kind": kind, "subject": subjects, "currency_code": currencies, "amount": amounts}
    return pd.DataFrame(columns)


def _open_fund_money(day: EndOfDay) -> pd.DataFrame:
    """Client money between the broker and fund companies (off exchange) and for funds traded on the exchange."""
    moved = day.events(ev.CashMoved)
    off_exchange = moved[(moved["line"] == "normal") & moved["business"].isin(FUND_ORDERS)]
    key = ["exchange_code", "security_code"]
    kinds = day.state["securities"][[*key, "security_kind"]]
    fills = day.events(ev.TradeFilled).merge(kinds, on=key, how="left")
    on_exchange = fills[fills["security_kind"] == "fund"]
    amounts = [int(off_exchange["amount"].sum()), int(on_exchange["settlement_amount"].sum())]
    return _figures("open_fund_money", ["off_exchange", "on_exchange"], "CNY", amounts)


def _reported_money(day: EndOfDay) -> pd.DataFrame:
    """The report to the investor protection fund: client money by line and currency."""
    totals = _custody_cash(day).groupby(["line", "currency_code"], as_index=False)["amount"].sum()
    return _figures("investor_protection_report", totals["line"], totals["currency_code"], totals["amount"])


def _legal_person_results(day: EndOfDay) -> pd.DataFrame:
    """What the broker's own settlement system pays to or takes from clients, by exchange."""
    fills = day.events(ev.TradeFilled)
    totals = fills.groupby(["exchange_code", "currency_code"], as_index=False)["settlement_amount"].sum()
    return _figures(
        "legal_person_result", totals["exchange_code"], totals["currency_code"], totals["settlement_amount"]
    )


def _settlement_accounts(day: EndOfDay) -> pd.DataFrame:
    """Money that really is in the pooled client accounts at the banks."""
    cash = _custody_cash(day)
    cash = cash.assign(amount=np.maximum(cash["amount"], 0)).groupby("currency_code", as_index=False)["amount"].sum()
    return _figures("settlement_account", "client_money", cash["currency_code"], cash["amount"])


def _bank_reconciliations(day: EndOfDay) -> pd.DataFrame:
    """When each bank's end-of-day reconciliation was finished, and over how much money."""
    balances = custody_balances(day)
    totals = balances[balances["currency_code"] == "CNY"].groupby("bank_code")["balance_amount"].sum()
    amounts = totals.reindex(BANKS, fill_value=0).to_numpy()
    finished = [_clock(16 * 3600 + 600 + (day.date.day * 37 + place * 211) % 1_500) for place in range(len(BANKS))]
    return _figures("bank_reconciliation", BANKS, "CNY", amounts).assign(finished_time=finished)


def _numbers(prefix: str, day: EndOfDay, count: int) -> np.ndarray:
    return np.array([f"{prefix}{day.date:%Y%m%d}{number:08d}" for number in range(1, count + 1)], dtype=object)


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
