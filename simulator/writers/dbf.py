"""dBase III tables with GBK text. Some records are flagged deleted, as clearing houses send them."""

from __future__ import annotations

import datetime as dt
import struct

import numpy as np

from simulator.writers import fixed_width

LIVE, DELETED, END = 0x20, 0x2A, b"\x1a"

# width and decimals of the numeric fields; text fields have width only
FIELDS: dict[str, tuple[str, int, int]] = {
    "MXYWLSH": ("C", 24, 0),
    "MXZQDM": ("C", 8, 0),
    "MXSCDM": ("C", 1, 0),
    "MXZQZH": ("C", 10, 0),
    "MXDDBH": ("C", 20, 0),
    "MXYYB": ("C", 6, 0),
    "MXYWLB": ("C", 4, 0),
    "MXQSSL": ("N", 15, 0),
    "MXCJJG": ("N", 13, 4),
    "MXQSBJ": ("N", 17, 2),
    "MXYHS": ("N", 12, 2),
    "MXJYJSF": ("N", 12, 2),
    "MXJGGF": ("N", 12, 2),
    "MXGHF": ("N", 12, 2),
    "MXSFJE": ("N", 17, 2),
    "MXQSRQ": ("C", 8, 0),
    "MXJSRQ": ("C", 8, 0),
    "ZQZH": ("C", 10, 0),
    "SCDM": ("C", 1, 0),
    "ZQDM": ("C", 8, 0),
    "ZQMC": ("C", 20, 0),
    "CYSL": ("N", 15, 0),
    "DJSL": ("N", 15, 0),
}


def render(business_date: dt.date, names: list[str], columns: list[np.ndarray], deleted: np.ndarray) -> bytes:
    """The whole file. `deleted` flags the records a reader must leave out."""
    rows = len(deleted)
    cells = [np.where(deleted, np.uint8(DELETED), np.uint8(LIVE)).reshape(rows, 1)]
    cells += [_cells(texts, *FIELDS[name][:2]) for name, texts in zip(names, columns, strict=True)]
    return _header(business_date, names, rows) + fixed_width.records(cells) + END


def _cells(texts: np.ndarray, kind: str, width: int) -> np.ndarray:
    if kind == "N":
        return fixed_width.right_aligned(texts, width, " ")
    return fixed_width.left_aligned(texts, width, "gbk")


def _header(business_date: dt.date, names: list[str], rows: int) -> bytes:
    header_length = 32 + 32 * len(names) + 1
    record_length = 1 + sum(FIELDS[name][1] for name in names)
    date = (business_date.year - 1900, business_date.month, business_date.day)
    start = struct.pack("<4BIHH20x", 0x03, *date, rows, header_length, record_length)
    return start + b"".join(map(_descriptor, names)) + b"\r"


def _descriptor(name: str) -> bytes:
    kind, width, decimals = FIELDS[name]
    return struct.pack("<11sc4xBB14x", name.encode("ascii"), kind.encode("ascii"), width, decimals)
