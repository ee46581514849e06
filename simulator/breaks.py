"""One break a check of the reconciliation: what each side says is made to disagree, and nothing else.

Every break edits files already written, lets the manifest describe them, and says which key now differs by how much (left less
right). The names are those of the checks. Breaks of one day do not meet: each takes rows no other one takes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from simulator.activity_credit import DAYS_IN_YEAR
from simulator.delivery import describe, write_manifest
from simulator.faults import Delivery, Lines
from simulator.layouts import CODES, layouts
from simulator.randomness import stream
from simulator.writers import dbf, ofd

JOURNAL, BALANCES, CASH_ACCOUNTS = (
    f"normal_counter__{name}" for name in ("cash_journal", "cash_balances", "cash_accounts")
)
TRADES, POSITIONS, MOVEMENTS = (f"normal_counter__{name}" for name in ("trades", "positions", "share_movements"))
CONTRACTS = "credit_counter__contracts"
SUMMARIES, CUSTODY, TRANSFERS = "credit_counter__asset_debt_summaries", "bank__custody_balances", "bank__transfers"
FIGURES, CASES, CLIENTS = "clearing__control_figures", "operations__case_elements", "normal_counter__clients"
DETAILS, DEPOSITORY = "clearing__settlement_details", "clearing__securities_balances"
CONFIRMATIONS, HOLDINGS = "fund_counter__confirmations", "fund_counter__holdings"
OPTION_BALANCES, OPTION_TRADES = "option_counter__cash_balances", "option_counter__trades"


@dataclass(frozen=True)
class Broken:
    """What a break makes of a check: `key` differs by `difference`. Grain values are joined by `|`."""

    check: str
    business_date: str
    key: str
    difference: Decimal


class DayFiles:
    """The deliveries of one day, opened as they are needed and written together."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.opened = folder, {}

    @property
    def date(self) -> dt.date:
        return dt.date.fromisoformat(self.folder.name)

    def rows(self, feed: str) -> Lines | FixedWidth:
        if feed not in self.opened:
            delivery = Delivery(self.folder / feed, layouts()[feed], stream(0, "break", feed))
            self.opened[feed] = Lines(delivery) if delivery.layout.format == "delimited" else FixedWidth(delivery)
        return self.opened[feed]

    def day_before(self) -> DayFiles:
        """The deliveries of the business date before, to be looked at only."""
        return DayFiles(max(folder for folder in self.folder.parent.iterdir() if folder.name < self.folder.name))

    def save(self) -> None:
        for rows in self.opened.values():
            rows.save()


class FixedWidth:
    """A DBF or OFD file taken apart into records; reads and edits as `Lines` does, by column name."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery, self.is_dbf = delivery, delivery.layout.format == "dbf"
        content = delivery.path.read_bytes()
        names = [column.delivered_name for column in delivery.layout.columns]
        widths = [dbf.FIELDS[name][1] if self.is_dbf else ofd.FIELDS[name][1] for name in names]
        first = 1 if self.is_dbf else 0
        starts = [first + sum(widths[:place]) for place in range(len(widths))]
        self.places = {
            column.name: slice(start, start + width)
            for column, start, width in zip(delivery.layout.columns, starts, widths, strict=True)
        }
        size = first + sum(widths) + (0 if self.is_dbf else len(ofd.LINE_END))
        start = int.from_bytes(content[8:10], "little") if self.is_dbf else self._end_of_header(content, len(names))
        end = len(content) - len(b"\x1a" if self.is_dbf else b"OFDCFEND\r\n")
        self.header, self.tail = content[:start], content[end:]
        self.records = [bytearray(content[at : at + size]) for at in range(start, end, size)]

    @staticmethod
    def _end_of_header(content: bytes, columns: int) -> int:
        """After the ten lines, the column names and the count of records."""
        lines = content.split(b"\r\n")[: 10 + columns + 1]
        return sum(len(line) + 2 for line in lines)

    @property
    def live(self) -> list[bytearray]:
        return [record for record in self.records if not self.is_dbf or record[0] == dbf.LIVE]

    def text(self, record: bytearray, name: str) -> str:
        return record[self.places[name]].decode("gb18030").strip()

    def number(self, record: bytearray, name: str) -> Decimal:
        scale = 0 if self.is_dbf else self.delivery.layout.column(name).decimals
        return Decimal(self.text(record, name)).scaleb(-scale)

    def add(self, record: bytearray, name: str, step: Decimal) -> None:
        place, column = self.places[name], self.delivery.layout.column(name)
        value = (self.number(record, name) + step).quantize(Decimal(1).scaleb(-column.decimals))
        width = place.stop - place.start
        text = f"{value:>{width}}" if self.is_dbf else f"{int(value.scaleb(column.decimals)):0{width}d}"
        record[place] = text.encode("ascii")

    def save(self) -> None:
        layout, count = self.delivery.layout, len(self.live)
        if self.is_dbf:
            header = self.header[:4] + len(self.records).to_bytes(4, "little") + self.header[8:]
        else:
            header = self.header[: -len("00000000\r\n")] + f"{count:08d}\r\n".encode()
        totals = {"rows": str(count)}
        for name in layout.summed:
            total = sum((self.number(record, name) for record in self.live), Decimal(0))
            totals[f"sum({name})"] = str(total.quantize(Decimal(1).scaleb(-layout.column(name).decimals)))
        content = header + b"".join(self.records) + self.tail
        manifest = self.delivery.manifest
        self.delivery.path.write_bytes(content)
        manifest["files"][0] = describe(manifest["files"][0]["name"], content, count)
        manifest["control_totals"] = totals
        write_manifest(self.delivery.folder, manifest)


def _neutral(kind: str, code: str) -> str:
    return next(name for name, delivered in CODES[kind].items() if delivered == code)


def _currency(code: str) -> str:
    return _neutral("currency", code)


def _value(lines: Lines, row: list[str], name: str) -> str:
    return row[lines.place_of(name)]


def _put(lines: Lines, row: list[str], **values: object) -> None:
    for name, value in values.items():
        row[lines.place_of(name)] = str(value)


def _add(lines: Lines, row: list[str], name: str, step: str) -> Decimal:
    _put(lines, row, **{name: Decimal(_value(lines, row, name)) + Decimal(step)})
    return Decimal(step)


def _find(lines: Lines, place: int = 0, **wanted: str) -> list[str]:
    """The row at this place among those whose columns have these delivered values."""
    rows = [row for row in lines.rows if all(_value(lines, row, name) == value for name, value in wanted.items())]
    if not rows:
        raise ValueError(f"{lines.delivery.path.name} has no row with {wanted}")
    return rows[place]


def _resting_account(files: DayFiles) -> str:
    """The account of the estate: nobody moves anything in it."""
    cases = files.rows(CASES)
    return _value(cases, _find(cases, case_kind=CODES["case_kind"]["inheritance"]), "account_id")


# ---------------------------------------------------------------- sender's totals


def _repeat_line(feed: str, total: str, thousandths: bool = False) -> Callable[[DayFiles], tuple[str, Decimal]]:
    """A row stands in the file twice, and the sender counts it twice."""

    def spoil(files: DayFiles) -> tuple[str, Decimal]:
        lines = files.rows(feed)
        lines.rows.append(list(lines.rows[0]))
        return f"{feed}|{total}", Decimal(_value(lines, lines.rows[0], total)).scaleb(-3 if thousandths else 0)

    return spoil


def _repeat_holding(files: DayFiles) -> tuple[str, Decimal]:
    holdings = files.rows(HOLDINGS)
    holdings.records.append(bytearray(holdings.records[0]))
    return f"{HOLDINGS}|quantity", holdings.number(holdings.records[0], "quantity")


# ---------------------------------------------------------------- roll-forwards


def _journal_entry(files: DayFiles) -> tuple[str, Decimal]:
    journal = files.rows(JOURNAL)
    row = _find(journal, business_code=CODES["normal_cash"]["securities_buy"])
    step = _add(journal, row, "amount", "123.45")
    return f"normal|{_value(journal, row, 'account_id')}|{_currency(_value(journal, row, 'currency_code'))}", -step


def _share_movement(files: DayFiles) -> tuple[str, Decimal]:
    """A bonus of 700 shares that no position has received."""
    positions, movements = files.rows(POSITIONS), files.rows(MOVEMENTS)
    held = positions.rows[1]
    names = ("account_id", "securities_account_id", "exchange_code", "security_code")
    values = [_value(positions, held, name) for name in names]
    movements.rows.append(["SM0", CODES["business_line"]["normal"], *values, "4017", "700", "0"])
    return f"normal|{values[0]}|{_neutral('exchange', values[2])}|{values[3]}", Decimal(-700)


def _fund_confirmation(files: DayFiles) -> tuple[str, Decimal]:
    confirmed = files.rows(CONFIRMATIONS)
    bought = CODES["fund_business"]["purchase"]
    record = next(record for record in confirmed.live if confirmed.text(record, "business_code") == bought)
    confirmed.add(record, "confirmed_quantity", Decimal("8.25"))
    key = [confirmed.text(record, name) for name in ("account_id", "product_code", "share_class")]
    return "|".join(key), Decimal("-8.25")


# ---------------------------------------------------------------- credit


def _net_stated(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(SUMMARIES)
    return _value(lines, lines.rows[0], "account_id"), -_add(lines, lines.rows[0], "net_asset_amount", "10.00")


def _net_in_gold(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(SUMMARIES)
    _add(lines, lines.rows[1], "net_asset_amount", "20.00")
    return _value(lines, lines.rows[1], "account_id"), _add(lines, lines.rows[1], "total_asset_amount", "20.00")


def _ratio(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(SUMMARIES)
    row = [row for row in lines.rows if _value(lines, row, "maintenance_ratio")][-1]
    return _value(lines, row, "account_id"), _add(lines, row, "maintenance_ratio", "0.500000")


def _interest_rate(files: DayFiles) -> tuple[str, Decimal]:
    """A contract nobody touched since the day before says a higher rate than its interest was counted with."""
    yesterday = files.day_before()
    lines, before = files.rows(CONTRACTS), yesterday.rows(CONTRACTS)
    known = {_value(before, row, "contract_id"): row for row in before.rows}
    touched = ("outstanding_principal_amount", "outstanding_fee_amount")
    contract, row = next(
        (contract, row)
        for row in lines.rows
        if _neutral("contract_kind", _value(lines, row, "contract_kind")) == "financing"
        and (contract := _value(lines, row, "contract_id")) in known
        and all(_value(lines, row, name) == _value(before, known[contract], name) for name in touched)
        and Decimal(_value(lines, row, touched[0])) > 0
    )
    accrued = Decimal(_value(lines, row, "unpaid_interest_amount")) - Decimal(
        _value(before, known[contract], "unpaid_interest_amount")
    )
    _add(lines, row, "annual_rate", "0.05000000")
    days = (files.date - yesterday.date).days
    yearly = Decimal(_value(lines, row, touched[0])) * Decimal(_value(lines, row, "annual_rate"))
    return contract, accrued - (yearly * days / DAYS_IN_YEAR).quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---------------------------------------------------------------- clearing


def _settled(name: str, place: int, step: str) -> Callable[[DayFiles], tuple[str, Decimal]]:
    def spoil(files: DayFiles) -> tuple[str, Decimal]:
        details = files.rows(DETAILS)
        record = details.live[place]
        details.add(record, name, Decimal(step))
        return details.text(record, "order_id"), -Decimal(step)

    return spoil


def _depository(files: DayFiles) -> tuple[str, Decimal]:
    balances = files.rows(DEPOSITORY)
    record = balances.live[0]
    balances.add(record, "quantity", Decimal(900))
    holder, exchange, code = (
        balances.text(record, name) for name in ("securities_account_id", "exchange_code", "security_code")
    )
    return f"{holder}|{_neutral('exchange', exchange)}|{code}", Decimal(-900)


def _figure(kind: str, step: str, is_left: bool = True) -> Callable[[DayFiles], tuple[str, Decimal]]:
    """The first figure of a kind is off; a key names its subject where the check has one."""

    def spoil(files: DayFiles) -> tuple[str, Decimal]:
        lines = files.rows(FIGURES)
        row = _find(lines, figure_kind=CODES["figure_kind"][kind])
        difference = _add(lines, row, "amount", step)
        currency = _currency(_value(lines, row, "currency_code"))
        key = f"{_value(lines, row, 'subject')}|{currency}" if is_left else currency
        return key, difference if is_left else -difference

    return spoil


def _reconciled_late(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(FIGURES)
    row = _find(lines, figure_kind=CODES["figure_kind"]["bank_reconciliation"])
    _put(lines, row, finished_time="18:30:00")
    return _value(lines, row, "subject"), Decimal(90)


# ---------------------------------------------------------------- banks


def _custody(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(CUSTODY)
    row = lines.rows[0]
    step = _add(lines, row, "balance_amount", "50.00")
    return f"{_value(lines, row, 'account_id')}|{_currency(_value(lines, row, 'currency_code'))}", -step


def _without_custody(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(CUSTODY)
    signed = CODES["custody_status"]["signed"]
    account = _value(lines, _find(lines, 1, business_line="1", custody_status=signed), "account_id")
    for row in lines.rows:
        if _value(lines, row, "account_id") == account:
            _put(lines, row, custody_status=CODES["custody_status"]["cancelled"])
    return account, Decimal(1)


def _transfer(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(TRANSFERS)
    row = _find(lines, transfer_status=CODES["transfer_status"]["success"])
    step = _add(lines, row, "amount", "7.00")
    key = (
        _value(lines, row, "account_id"),
        _currency(_value(lines, row, "currency_code")),
        _neutral("direction", _value(lines, row, "direction")),
    )
    return "|".join(key), -step


def _attempt(files: DayFiles, number: int, account: str, bank: str, amount: int, currency: str = "CNY") -> None:
    """A transfer that was asked for and failed: no journal knows it."""
    values = [f"BT{number}", "1", account, CODES["currency"][currency], bank, "2", CODES["transfer_status"]["failed"]]
    files.rows(TRANSFERS).rows.append([*values, f"{amount}.00", "09:00:00", ""])


def _large_transfer(files: DayFiles) -> tuple[str, Decimal]:
    account = _resting_account(files)
    _attempt(files, 1, account, "B05", 51_000_000)
    return f"{account}|CNY", Decimal(1_000_000)


def _many_transfers(files: DayFiles) -> tuple[str, Decimal]:
    """Twenty-five accounts, each under the limit of one client, all at one bank nobody else uses."""
    custody = files.rows(CUSTODY)
    accounts = sorted({_value(custody, row, "account_id") for row in custody.rows} - {_resting_account(files)})
    for number, account in enumerate(accounts[:25], start=100):
        _attempt(files, number, account, "B99", 45_000_000)
    return "B99|CNY", Decimal(25 * 45_000_000 - 1_000_000_000)


def _slow_transfer(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(TRANSFERS)
    row = _find(lines, -1, transfer_status=CODES["transfer_status"]["success"])
    hours, minutes, seconds = map(int, _value(lines, row, "requested_time").split(":"))
    _put(lines, row, bank_code="B98", completed_time="23:00:00")
    return "B98", Decimal(23 * 3600 - hours * 3600 - minutes * 60 - seconds - 60)


def _b_share_transfer(files: DayFiles) -> tuple[str, Decimal]:
    _attempt(files, 2, _resting_account(files), "B04", 150_000, "HKD")
    return "B04|HKD", Decimal(50_000)


# ---------------------------------------------------------------- counters and cases


def _large_repo(files: DayFiles) -> tuple[str, Decimal]:
    """Both the counter and the clearing house say so, so that only the amount is remarkable."""
    step = Decimal("200000000.00")
    trades, details = files.rows(TRADES), files.rows(DETAILS)
    lent = CODES["normal_trade"]["reverse_repo_lend"]
    row = _find(trades, business_code=lent)
    account, settlement = _value(trades, row, "account_id"), f"Q{_value(trades, row, 'trade_id')}"
    _add(trades, row, "turnover_amount", str(step))
    record = next(record for record in details.live if details.text(record, "settlement_id") == settlement)
    details.add(record, "net_amount", -step)
    lent_today = [row for row in trades.rows if _value(trades, row, "business_code") == lent]
    total = sum(
        Decimal(_value(trades, row, "turnover_amount"))
        for row in lent_today
        if _value(trades, row, "account_id") == account
    )
    return account, total - 100_000_000


def _parts(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(BALANCES)
    row = lines.rows[1]
    step = _add(lines, row, "available_amount", "1.00")
    return f"normal|{_value(lines, row, 'account_id')}|{_currency(_value(lines, row, 'currency_code'))}", -step


def _overdrawn_option(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(OPTION_BALANCES)
    row = _find(lines, frozen_amount="0", occupied_margin_amount="0")
    _put(lines, row, balance_amount="-50000", available_amount="-50000")
    return f"option|{_value(lines, row, 'account_id')}|CNY", Decimal(50)


def _closed(files: DayFiles) -> tuple[str, Decimal]:
    accounts, balances = files.rows(CASH_ACCOUNTS), files.rows(BALANCES)
    row = _find(accounts, 2, account_status=CODES["account_status"]["active"])
    account = _value(accounts, row, "account_id")
    _put(accounts, row, account_status=CODES["account_status"]["closed"], close_date=f"{files.date:%Y%m%d}")
    held = _find(balances, account_id=account, currency_code=CODES["currency"]["CNY"])
    return f"{account}|CNY", Decimal(_value(balances, held, "balance_amount"))


def _same_identity(files: DayFiles) -> tuple[str, Decimal]:
    """The last two persons show the same resident ID."""
    lines = files.rows(CLIENTS)
    resident = CODES["identity_kind"]["resident_id"]
    second, first = (_find(lines, place, identity_kind=resident) for place in (-1, -2))
    _put(lines, second, identity_number=_value(lines, first, "identity_number"))
    return min(_value(lines, row, "client_number") for row in (first, second)), Decimal(1)


def _estate(files: DayFiles) -> tuple[str, Decimal]:
    lines = files.rows(CASES)
    row = _find(lines, case_kind=CODES["case_kind"]["inheritance"], element_id="cash")
    step = _add(lines, row, "amount", "17.00")
    return f"{_value(lines, row, 'account_id')}|{_currency(_value(lines, row, 'currency_code'))}", step


def _deduction(files: DayFiles) -> tuple[str, Decimal]:
    """A court's order counts as carried out today, and no money has left the account."""
    account, lines = _resting_account(files), files.rows(CASES)
    kind, currency = CODES["case_kind"]["judicial_deduction"], CODES["currency"]["CNY"]
    row = ["JD0", "cash", kind, account, currency, "19.00", "", "", "0", f"{files.date:%Y%m%d}"]
    lines.rows.append(row)
    return f"{account}|CNY", Decimal(19)


BREAKS: dict[str, Callable[[DayFiles], tuple[str, Decimal]]] = {
    "sender_totals_in_gold": _repeat_line(POSITIONS, "quantity"),
    "sender_totals_in_gold_of_options": _repeat_line(OPTION_TRADES, "commission_amount", thousandths=True),
    "sender_totals_in_gold_of_funds": _repeat_holding,
    "cash_roll_forward": _journal_entry,
    "quantity_roll_forward": _share_movement,
    "fund_shares_roll_forward": _fund_confirmation,
    "credit_net_stated": _net_stated,
    "credit_net_in_gold": _net_in_gold,
    "maintenance_ratio": _ratio,
    "margin_interest_as_agreed": _interest_rate,
    "trades_against_clearing_quantity": _settled("settled_quantity", 0, "300"),
    "trades_against_clearing_amount": _settled("net_amount", -1, "1.11"),
    "positions_against_depository": _depository,
    "cash_against_bank": _custody,
    "bank_transfers_against_journal": _transfer,
    "open_fund_money": _figure("open_fund_money", "15.00"),
    "investor_protection_report": _figure("investor_protection_report", "11.00"),
    "legal_person_result": _figure("legal_person_result", "13.00"),
    "client_money_book_and_real": _figure("settlement_account", "14.00", is_left=False),
    "inheritance_elements": _estate,
    "judicial_deductions": _deduction,
    "money_balance": _parts,
    "clients_without_custody": _without_custody,
    "single_client_transfers": _large_transfer,
    "bank_transfer_totals": _many_transfers,
    "bank_transfer_efficiency": _slow_transfer,
    "bank_reconciliation_time": _reconciled_late,
    "b_share_transfers_of_one_bank": _b_share_transfer,
    "single_client_reverse_repo": _large_repo,
    "overdraft": _overdrawn_option,
    "repeated_identity": _same_identity,
    "closed_account_with_balance": _closed,
}


def break_check(landing: Path, check: str, date: object = None) -> Broken:
    """Make one check fail on `date` (or the last day delivered)."""
    if check not in BREAKS:
        raise ValueError(f"no break for {check!r}; there are {', '.join(BREAKS)}")
    business_date = str(date) if date else max(path.name for path in Path(landing).iterdir() if path.is_dir())
    files = DayFiles(Path(landing) / business_date)
    key, difference = BREAKS[check](files)
    files.save()
    return Broken(check, business_date, key, difference)
