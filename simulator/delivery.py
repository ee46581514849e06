"""Writes one feed of one day: the file in its format and the manifest beside it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from simulator.feeds import FEEDS, EndOfDay
from simulator.layouts import Layout, layouts
from simulator.writers import dbf, delimited, ofd, parquet
from simulator.writers.texts import column_texts, plain_decimal

PRIVATE_FOLDER = 0o700
OFD_FILE_TYPES = {"fund_counter__confirmations": "04", "fund_counter__holdings": "05", "fund_counter__navs": "07"}
# Every so many-th record of a DBF is a deleted one, a copy that a reader must leave out.
DELETED_EVERY = 97


def deliver_day(landing: Path, day: EndOfDay) -> dict[str, int]:
    """Write every feed of the day; returns rows by feed."""
    rows = {}
    for feed, read_rows in FEEDS.items():
        rows[feed] = deliver(landing, layouts()[feed], read_rows(day), day.date, day.is_opening)
    return rows


def deliver(
    landing: Path, layout: Layout, frame: pd.DataFrame, business_date: dt.date, is_opening: bool, name: str = ""
) -> int:
    """Write one feed into the day's folder `name`, or the one called as the feed; returns its rows."""
    folder = landing / business_date.isoformat() / (name or layout.feed)
    make_private(landing)
    folder.mkdir(parents=True, exist_ok=True)
    for private in (folder.parent, folder):
        private.chmod(PRIVATE_FOLDER)
    frame = frame.reset_index(drop=True)
    compact = f"{business_date:%Y%m%d}"
    files = [_write(folder, layout.file_name(business_date), _content(layout, frame, business_date), len(frame))]
    if layout.format == "ofd":
        index = ofd.render_index(compact, [layout.file_name(business_date)])
        files.append(_write(folder, ofd.index_name(compact), index, 0))
    manifest = {
        "feed": layout.feed,
        "business_date": business_date.isoformat(),
        "kind": "opening" if is_opening else "daily",
        "files": files,
        "control_totals": _control_totals(layout, frame),
    }
    write_manifest(folder, manifest)
    return len(frame)


def make_private(folder: Path) -> None:
    """A folder only its owner may enter: what lies in it is clear."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, PRIVATE_FOLDER)


def write_manifest(folder: Path, manifest: dict) -> None:
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def _write(folder: Path, name: str, content: bytes, rows: int) -> dict:
    (folder / name).write_bytes(content)
    return describe(name, content, rows)


def describe(name: str, content: bytes, rows: int) -> dict:
    """A file's entry in the manifest."""
    return {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "rows": rows}


def _control_totals(layout: Layout, frame: pd.DataFrame) -> dict[str, str]:
    totals = {"rows": str(len(frame))}
    for name in layout.summed:
        totals[f"sum({name})"] = plain_decimal(int(frame[name].sum()), layout.column(name).decimals)
    return totals


def _content(layout: Layout, frame: pd.DataFrame, business_date: dt.date) -> bytes:
    if layout.format == "parquet":
        return parquet.render(frame, layout.columns)
    names = [column.delivered_name for column in layout.columns]
    compact = f"{business_date:%Y%m%d}"
    if layout.format == "ofd":
        texts = [_implied(frame[column.name], column) for column in layout.columns]
        return ofd.render(compact, OFD_FILE_TYPES[layout.feed], names, texts)
    texts = [column_texts(frame[column.name], column) for column in layout.columns]
    if layout.format == "delimited":
        return delimited.render(layout.feed, compact, names, texts)
    rows = np.arange(len(frame))
    repeated = np.sort(np.concatenate([rows, rows[rows % DELETED_EVERY == 0]]))
    deleted = np.append(repeated[1:] == repeated[:-1], False) if len(repeated) else np.zeros(0, dtype=bool)
    return dbf.render(business_date, names, [text[repeated] for text in texts], deleted)


def _implied(values: pd.Series, column) -> np.ndarray:
    """OFD numbers have no decimal point: the scaled integer itself."""
    if column.is_amount:
        return np.array([str(value) for value in values.tolist()], dtype=object)
    return column_texts(values, column)
