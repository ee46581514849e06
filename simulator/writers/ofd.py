"""Open-ended fund exchange files: fixed-width records, numbers zero-filled without a decimal point, CRLF."""

from __future__ import annotations

import numpy as np

from simulator.writers import fixed_width

SENDER, RECEIVER, VERSION = "98", "21C", "20"
LINE_END = "\r\n"

# type and width; a number's scale is the one of its column
FIELDS: dict[str, tuple[str, int]] = {
    "AppSheetSerialNo": ("A", 24),
    "TransactionCfmDate": ("A", 8),
    "FundCode": ("A", 6),
    "TransactionDate": ("A", 8),
    "ReturnCode": ("A", 4),
    "TransactionAccountID": ("A", 17),
    "ApplicationVol": ("N", 16),
    "ApplicationAmount": ("N", 16),
    "ConfirmedVol": ("N", 16),
    "ConfirmedAmount": ("N", 16),
    "BusinessCode": ("A", 3),
    "TAAccountID": ("A", 12),
    "TASerialNo": ("A", 20),
    "Charge": ("N", 10),
    "AgencyFee": ("N", 10),
    "NAV": ("N", 7),
    "ShareClass": ("A", 1),
    "AvailableVol": ("N", 16),
    "TotalVolOfDistributorInTA": ("N", 16),
    "TotalFrozenVol": ("N", 16),
    "UndistributeMonetaryIncome": ("N", 16),
    "NAVDate": ("A", 8),
}


def render(business_date: str, file_type: str, names: list[str], columns: list[np.ndarray]) -> bytes:
    """The whole data file. Number columns hold digits only."""
    rows = len(columns[0])
    parties = [SENDER, RECEIVER, business_date, "001", file_type, SENDER, RECEIVER]
    lines = ["OFDCFDAT", VERSION, *parties, f"{len(names):03d}", *names, f"{rows:08d}"]
    cells = [_cells(texts, *FIELDS[name]) for name, texts in zip(names, columns, strict=True)]
    cells.append(fixed_width.constant(rows, LINE_END.encode()))
    return _joined(lines) + fixed_width.records(cells) + _joined(["OFDCFEND"])


def render_index(business_date: str, file_names: list[str]) -> bytes:
    """The index that lists the data files of a delivery."""
    lines = ["OFDCFIDX", VERSION, SENDER, RECEIVER, business_date, f"{len(file_names):03d}", *file_names, "OFDCFEND"]
    return _joined(lines)


def index_name(business_date: str) -> str:
    return f"OFI_{SENDER}_{RECEIVER}_{business_date}.TXT"


def _cells(texts: np.ndarray, kind: str, width: int) -> np.ndarray:
    if kind == "N":
        return fixed_width.right_aligned(texts, width, "0")
    return fixed_width.left_aligned(texts, width, "gb18030")


def _joined(lines: list[str]) -> bytes:
    return "".join(line + LINE_END for line in lines).encode("gb18030")
