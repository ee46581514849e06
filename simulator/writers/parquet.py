"""Parquet with typed amounts; codes and dates (yyyymmdd) are text."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.layouts import Column
from simulator.writers.texts import column_texts, plain_decimal


def render(frame: pd.DataFrame, columns: tuple[Column, ...]) -> bytes:
    arrays = {column.delivered_name: _array(frame[column.name], column) for column in columns}
    buffer = BytesIO()
    pq.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue()


def _array(values: pd.Series, column: Column) -> pa.Array:
    if column.is_amount:
        decimals = [None if value is None else Decimal(plain_decimal(int(value), column.decimals)) for value in values]
        return pa.array(decimals, type=pa.decimal128(18, column.decimals))
    return pa.array([text or None for text in column_texts(values, column)], type=pa.string())
