"""Numbers handed out one after another: every counter numbers its clients, accounts and fills on its own."""

from __future__ import annotations

from collections import Counter

import numpy as np

# series: (prefix, digits, first number)
SERIES: dict[str, tuple[str, int, int]] = {
    "NOR": ("", 8, 10_000_001),
    "CRD": ("", 8, 30_000_001),
    "OPT": ("", 8, 50_000_001),
    "FND": ("F", 8, 1),
    "main": ("0001", 8, 1),
    "auxiliary": ("0002", 8, 1),
    "credit": ("6001", 8, 1),
    "option": ("7001", 8, 1),
    "fund": ("9801", 8, 1),
    "transfer_agent": ("98", 10, 1),
    "sse_holder": ("A", 9, 100_000_001),
    "szse_holder": ("0", 9, 100_000_001),
    "sse_b_holder": ("C", 9, 900_000_001),
    "szse_b_holder": ("2", 9, 1),
    "sse_credit_holder": ("E", 9, 1),
    "szse_credit_holder": ("06", 8, 1),
    "contract": ("R", 10, 1),
    "repurchase": ("RP", 8, 1),
    "advice": ("AD", 8, 1),
    "fund_advice": ("FA", 8, 1),
    "employee": ("E", 6, 1),
    "consent": ("CN", 8, 1),
    "complaint": ("CP", 8, 1),
    "application": ("AP", 8, 1),
}


class Numbering:
    """Counters of all series; `take` moves them on."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def take(self, series: str, count: int) -> np.ndarray:
        prefix, digits, first = SERIES[series]
        return self._numbers(series, prefix, digits, first, count)

    def take_daily(self, kind: str, compact_date: str, count: int) -> np.ndarray:
        """Numbers that start again every day, such as fills: kind, date, eight digits."""
        return self._numbers(f"{kind}{compact_date}", f"{kind}{compact_date}", 8, 1, count)

    def _numbers(self, series: str, prefix: str, digits: int, first: int, count: int) -> np.ndarray:
        start = first + self._taken[series]
        self._taken[series] += count
        numbers = np.empty(count, dtype=object)
        numbers[:] = [f"{prefix}{number:0{digits}d}" for number in range(start, start + count)]
        return numbers
