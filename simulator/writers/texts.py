"""Typed columns as text. Each distinct value is formatted once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from simulator.layouts import Column


def column_texts(values: pd.Series, column: Column) -> np.ndarray:
    """The delivered text of every row; an absent value is the empty text."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    texts = np.array([*map(_formatter(column), _python_list(distinct)), ""], dtype=object)
    return texts[codes]


def _python_list(distinct) -> list:
    return pd.Series(distinct).tolist() if hasattr(distinct, "dtype") else list(distinct)


def _formatter(column: Column) -> Callable[[object], str]:
    if column.codes is not None:
        return column.codes.__getitem__
    if column.kind == "date":
        return lambda day: f"{day:%Y%m%d}"
    if column.kind == "flag":
        return lambda flag: "1" if flag else "0"
    if column.in_thousandths:
        factor = 10 ** (3 - column.decimals)
        return lambda amount: str(int(amount) * factor)
    if column.is_amount:
        return lambda amount: plain_decimal(int(amount), column.decimals)
    return str


def plain_decimal(scaled: int, decimals: int) -> str:
    """An integer in units of 10^-decimals as decimal text, never in scientific form."""
    if decimals == 0:
        return str(scaled)
    whole, fraction = divmod(abs(scaled), 10**decimals)
    return f"{'-' if scaled < 0 else ''}{whole}.{fraction:0{decimals}d}"
