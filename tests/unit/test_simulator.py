"""The invented broker: its files agree with its events, every situation occurs, and every fault can be planted."""

from __future__ import annotations

import ast
import datetime as dt
import hashlib
import json
import shutil
import stat
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import simulator
from simulator import events as ev
from simulator import fees, identities
from simulator.coverage import missing_situations
from simulator.faults import FAULTS, plant
from simulator.layouts import layouts
from simulator.trading_calendar import sessions_from

START = dt.date(2026, 1, 3)
SMALL = {"customers": 40, "days": 1, "seed": 3, "start": START, "write_truth": False}


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> simulator.SimulationSummary:
    """The default size: 120 customers, five trading days after the baseline."""
    root = tmp_path_factory.mktemp("broker")
    return simulator.simulate(root, customers=120, days=5, seed=1, start=START, write_truth=False)


@pytest.fixture
def landing(broker, tmp_path) -> Path:
    """A copy that a test may spoil: the last two days."""
    for date in broker.dates[-2:]:
        shutil.copytree(broker.landing / date.isoformat(), tmp_path / date.isoformat())
    return tmp_path


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def read_rows(landing: Path, date: dt.date, feed: str) -> list[dict[str, str]]:
    """Rows of a delimited feed as text."""
    path = landing / date.isoformat() / feed / layouts()[feed].file_name(date)
    lines = path.read_bytes().decode("gb18030").split("\n")
    names = lines[1].split("|")
    assert lines[-2] == f"#T|{len(lines) - 4}"
    return [dict(zip(names, line.split("|"), strict=True)) for line in lines[2:-2]]


# ---------------------------------------------------------------- the run as a whole


def test_the_baseline_is_the_first_trading_day_on_or_after_the_start(broker):
    assert broker.dates[0] == dt.date(2026, 1, 5)
    assert len(broker.dates) == 6


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    def fingerprint(root: Path) -> dict[str, str]:
        simulator.simulate(root, **SMALL)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first, second = fingerprint(tmp_path / "first"), fingerprint(tmp_path / "second")
    assert first == second
    assert len(first) == 2 * (2 * len(layouts()) + 3)


def test_every_expected_situation_occurs(broker):
    assert missing_situations(broker.events) == []


@pytest.mark.acceptance
@pytest.mark.parametrize("seed", [2, 3, *(pytest.param(seed, marks=pytest.mark.acceptance) for seed in range(4, 12))])
def test_every_expected_situation_occurs_in_any_seed(tmp_path, seed):
    start = dt.date(2026, 1, 5) + dt.timedelta(days=23 * seed)
    summary = simulator.simulate(tmp_path, customers=120, days=5, seed=seed, start=start, write_truth=False)
    assert missing_situations(summary.events) == []


def test_a_date_beyond_the_calendar_is_refused_by_name():
    with pytest.raises(ValueError, match="XSHG calendar knows"):
        sessions_from(dt.date(2049, 12, 1), 5)


def test_clear_folders_are_for_their_owner_only(broker):
    for folder in (broker.landing, broker.landing / "2026-01-06", broker.landing / "2026-01-06/normal_counter__trades"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_simulator_imports_nothing_of_the_warehouse():
    for path in Path(simulator.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in ("spark_jobs", "serving", "expectations")], path


def test_the_canary_is_delivered_on_every_day_and_counter(broker):
    canary = simulator.canary()
    for feed in ("normal_counter__clients", "credit_counter__accounts", "fund_counter__accounts"):
        for date in broker.dates:
            rows = read_rows(broker.landing, date, feed)
            assert any(canary.items() <= row.items() for row in rows), (feed, date)


# ---------------------------------------------------------------- events


def test_events_yield_decimals_dates_and_none(broker):
    day = broker.dates[2]
    fill = next(broker.events.events_of(day, ev.TradeFilled))
    assert isinstance(fill.turnover_amount, Decimal) and fill.turnover_amount.as_tuple().exponent == -2
    assert type(fill.settlement_date) is dt.date
    opened = next(broker.events.events_of(broker.dates[0], ev.AccountOpened))
    assert opened.close_date is None and opened.call_line is None
    kinds = [type(event) for event in broker.events.events_on(day)]
    assert kinds == sorted(kinds, key=ev.EVENT_ORDER.index)


def test_the_opening_baseline_has_state_but_no_fill(broker):
    opening = broker.dates[0]
    assert not list(broker.events.events_of(opening, ev.TradeFilled))
    for feed, layout in layouts().items():
        rows = broker.rows[opening][feed]
        assert (rows == 0) == (layout.mode == "event"), feed
    folder = broker.landing / opening.isoformat() / "fund_counter__confirmations"
    assert manifest_of(folder)["kind"] == "opening"
    assert b"00000000\r\nOFDCFEND\r\n" in (folder / "OFD_98_21C_20260105_04.TXT").read_bytes()


@pytest.mark.parametrize("counter", ["normal_counter", "credit_counter"])
def test_cash_is_yesterdays_cash_plus_the_journal(broker, counter):
    for before, after in zip(broker.dates, broker.dates[1:], strict=False):
        expected = defaultdict(Decimal)
        for row in read_rows(broker.landing, before, f"{counter}__cash_balances"):
            expected[row["account_id"], row["currency_code"]] += Decimal(row["balance_amount"])
        for row in read_rows(broker.landing, after, f"{counter}__cash_journal"):
            key = row["account_id"], row["currency_code"]
            expected[key] += Decimal(row["amount"])
            assert expected[key] == Decimal(row["balance_after_amount"])
        for row in read_rows(broker.landing, after, f"{counter}__cash_balances"):
            assert expected[row["account_id"], row["currency_code"]] == Decimal(row["balance_amount"])
            parts = Decimal(row["available_amount"]) + Decimal(row["frozen_amount"])
            assert parts == Decimal(row["balance_amount"])


def test_positions_are_yesterdays_positions_plus_the_deliveries(broker):
    before, after = broker.dates[3], broker.dates[4]
    expected = defaultdict(int)
    for row in read_rows(broker.landing, before, "normal_counter__positions"):
        expected[row["account_id"], row["security_code"]] += int(row["quantity"])
    for moved in broker.events.events_of(after, ev.SecuritiesMoved):
        if moved.line == "normal":
            expected[moved.account_id, moved.security_code] += int(moved.quantity)
    delivered = defaultdict(int)
    for row in read_rows(broker.landing, after, "normal_counter__positions"):
        delivered[row["account_id"], row["security_code"]] += int(row["quantity"])
    assert delivered == {key: quantity for key, quantity in expected.items() if quantity}


def test_money_lent_leaves_the_cash_and_stays_in_transit(broker):
    first, second = broker.dates[1], broker.dates[2]
    lent = [fill for fill in broker.events.events_of(first, ev.TradeFilled) if fill.business == "reverse_repo_lend"]
    account = lent[0].account_id
    balance = next(
        r for r in read_rows(broker.landing, first, "normal_counter__cash_balances") if r["account_id"] == account
    )
    assert Decimal(balance["unsettled_repo_amount"]) == lent[0].turnover_amount
    back = [m for m in broker.events.events_of(second, ev.CashMoved) if m.business == "reverse_repo_return"]
    assert next(m.amount for m in back if m.account_id == account) > lent[0].turnover_amount


# ---------------------------------------------------------------- fees


def one(value, dtype=object) -> np.ndarray:
    return np.array([value], dtype=dtype)


@pytest.mark.parametrize(
    ("turnover", "includes", "commission", "other", "net"),
    [
        (5_000_000, True, 1250, 0, 979),
        (5_000_000, False, 1250, 271, 1250),
        (1_000_000, True, 500, 0, 446),
        (1_000_000, False, 500, 54, 500),
    ],
)
def test_the_worked_fee_examples_come_out_to_the_cent(turnover, includes, commission, other, net):
    amount = one(turnover, np.int64)
    charged = fees.order_commissions(amount, one(0, np.int64), one(25_000, np.int64), one(500, np.int64))
    charges = fees.fill_charges(
        amount, one("stock"), one("SSE"), one(False, bool), charged, one(includes, bool), dt.date(2026, 1, 5)
    )
    assert charges["commission_amount"][0] == commission
    assert charges["other_fee_amount"][0] == other
    income = ("commission_amount", "order_fee_amount", "other_fee_amount", "transfer_fee_amount")
    paid_on = [name for name in charges if name.startswith("exchange_")]
    assert sum(charges[name][0] for name in income) - sum(charges[name][0] for name in paid_on) == net


def test_the_floor_binds_once_an_order_and_fills_sum_to_it():
    turnover = np.array([333_333, 333_333, 333_334, 9_000_000, 1], dtype=np.int64)
    commission = fees.order_commissions(turnover, np.array([0, 3]), np.array([25_000, 25_000]), np.array([500, 500]))
    assert commission[:3].sum() == 500 and (commission[:3] > 0).all()
    assert commission[3:].sum() == 2250


def test_stamp_duty_is_charged_on_sells_of_shares_only(broker):
    for date in broker.dates[1:]:
        for fill in broker.events.events_of(date, ev.TradeFilled):
            if fill.stamp_duty_amount and fill.currency_code == "CNY":
                assert fill.business in ("sell", "sell_to_repay", "short_sell")
            if fill.security_code.startswith(("51", "15", "11", "12")):
                assert fill.stamp_duty_amount == fill.transfer_fee_amount == 0


# ---------------------------------------------------------------- who


def test_resident_ids_carry_their_check_digit_and_are_all_different():
    numbers, births = identities.resident_numbers(0, 50_000)
    assert len(set(numbers)) == 50_000
    assert (
        identities.resident_check_digits(np.array([n[:17] for n in numbers], dtype=object)) == [n[-1] for n in numbers]
    ).all()
    assert numbers[0][6:14] == str(births[0]).replace("-", "")


def test_delivered_documents_are_valid_by_an_independent_check(broker):
    from stdnum.cn import uscc

    clients = list(broker.events.events_of(broker.dates[0], ev.ClientOpened))
    codes = [c.identity_number for c in clients if c.identity_kind == "unified_social_credit_code"]
    assert codes and all(uscc.is_valid(code) for code in codes)
    wrong = [c for c in clients if not c.identity_is_valid]
    assert wrong and len({c.identity_number for c in wrong if "misread" in c.person_key}) == 1


# ---------------------------------------------------------------- files


def test_every_manifest_agrees_with_its_files(broker):
    for date in broker.dates:
        for feed in layouts():
            folder = broker.landing / date.isoformat() / feed
            manifest = manifest_of(folder)
            assert (manifest["feed"], manifest["business_date"]) == (feed, date.isoformat())
            for entry in manifest["files"]:
                content = (folder / entry["name"]).read_bytes()
                assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
            assert (
                manifest["control_totals"]["rows"] == str(manifest["files"][0]["rows"]) == str(broker.rows[date][feed])
            )


def test_control_totals_are_over_the_typed_value(broker):
    date = broker.dates[1]
    folder = broker.landing / date.isoformat() / "option_counter__cash_balances"
    delivered = sum(int(row["balance_amount"]) for row in read_rows(broker.landing, date, folder.name))
    assert Decimal(manifest_of(folder)["control_totals"]["sum(balance_amount)"]) == Decimal(delivered) / 1000


def test_deleted_records_of_a_dbf_are_not_counted(broker):
    date = broker.dates[0]
    folder = broker.landing / date.isoformat() / "clearing__securities_balances"
    content = next(folder.glob("*.DBF")).read_bytes()
    records, header = int.from_bytes(content[4:8], "little"), int.from_bytes(content[8:10], "little")
    length = int.from_bytes(content[10:12], "little")
    flags = content[header:-1:length]
    assert len(content) == header + records * length + 1
    assert flags.count(b"*") > 0
    assert records - flags.count(b"*") == broker.rows[date]["clearing__securities_balances"]


def test_the_branch_file_has_one_exact_duplicate(broker):
    rows = read_rows(broker.landing, broker.dates[0], "reference__branches")
    assert len(rows) == len({tuple(row.values()) for row in rows}) + 1


def test_parquet_amounts_are_decimals(broker):
    path = next((broker.landing / "2026-01-06" / "reference__prices").glob("*.parquet"))
    table = pq.read_table(path)
    assert str(table.schema.field("close_price").type) == "decimal128(18, 4)"
    assert str(table.schema.field("exchange_code").type) == "string"


def test_an_incremental_day_delivers_only_what_changed(broker):
    opening, day = broker.dates[0], broker.dates[4]
    held = {tuple(row.values())[:3] for row in read_rows(broker.landing, opening, "option_counter__positions")}
    changed = {tuple(row.values())[:3] for row in read_rows(broker.landing, day, "option_counter__positions")}
    assert held - changed


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_its_delivery_and_nothing_else(landing, broker, fault):
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in landing.rglob("*") if path.is_file()}

    before = contents()
    planted = plant(landing, fault, seed=1)
    after = contents()
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert touched and {path.parent for path in touched} == {planted.file.parent}
    assert planted.business_date == broker.dates[-1].isoformat()


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"missing_file", "missing_delivery", "manifest_disagrees"}))
def test_the_manifest_still_describes_the_spoiled_file(landing, fault):
    planted = plant(landing, fault)
    entry = manifest_of(planted.file.parent)["files"][0]
    content = planted.file.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])


def test_row_faults_keep_rows_and_totals_of_the_manifest_true(landing, broker):
    date, feed = broker.dates[-1], "normal_counter__cash_journal"
    plant(landing, "exact_duplicate_row", feed=feed, date=date)
    rows = read_rows(landing, date, feed)
    totals = manifest_of(landing / date.isoformat() / feed)["control_totals"]
    assert totals == {"rows": str(len(rows)), "sum(amount)": str(sum(Decimal(row["amount"]) for row in rows))}


def test_a_cut_character_cannot_be_decoded(landing):
    with pytest.raises(UnicodeDecodeError):
        plant(landing, "cut_character").file.read_bytes().decode("gb18030")


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="truncated_dbf"):
        plant(Path(), "no_such_fault")
