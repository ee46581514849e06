"""GB18030 text with `|` between the fields, a header of two lines and a trailer with the row count."""

from __future__ import annotations

import numpy as np


def render(feed: str, business_date: str, names: list[str], columns: list[np.ndarray]) -> bytes:
    """The whole file. `columns` hold text, one array a column, all of one length."""
    rows = len(columns[0])
    body = "\n".join(map("|".join, zip(*(column.tolist() for column in columns), strict=True)))
    head = f"#H|{feed}|{business_date}\n{'|'.join(names)}\n"
    tail = f"\n#T|{rows}\n" if rows else f"#T|{rows}\n"
    return (head + body + tail).encode("gb18030")
