"""Deliveries this project makes itself, in the form every sender's have: `c360 load` takes them like any other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from spark_jobs.contracts import Contract
from spark_jobs.files import replace_file, sha256_of
from spark_jobs.formats.writing import write_delimited

MANIFEST = "manifest.json"


def is_of_another(landing: Path, day: date, feed: str, sender: str) -> bool:
    """Whether a delivery of somebody else lies there."""
    lying = _manifest(landing / day.isoformat() / feed)
    return bool(lying) and lying.get("sender") != sender


def send(
    landing: Path, day: date, contract: Contract, lines: Iterable[str], sender: str, is_opening: bool = False
) -> bool:
    """Put a delivery of the contract's feed into landing, in place of what lies there; False when exactly that lies there already.

    lines: the columns in the contract's order, joined by |. File first, manifest last: it says that the delivery is complete.
    """
    folder = landing / day.isoformat() / contract.feed
    for private in (landing, folder):
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = contract.file.replace("{business_date}", f"{day:%Y%m%d}")
    part = folder / f"{name}.part"
    sources = [column.source for column in contract.columns]
    entry = write_delimited(part, contract.feed, f"{day:%Y%m%d}", sources, lines) | {"name": name}
    manifest: dict[str, Any] = {
        "feed": contract.feed, "business_date": day.isoformat(), "kind": "opening" if is_opening else "daily", "sender": sender,
        "files": [entry], "control_totals": {"rows": str(entry["rows"])},
    }  # fmt: skip
    if _manifest(folder) == manifest and (folder / name).is_file() and sha256_of(folder / name) == entry["sha256"]:
        part.unlink()
        return False
    part.replace(folder / name)
    replace_file(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode(), 0o600)
    return True


def _manifest(folder: Path) -> dict[str, Any]:
    """Of what lies in the folder of a delivery; empty when nothing does."""
    file = folder / MANIFEST
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
