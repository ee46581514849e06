"""Checks: one YAML a check, read into frozen dataclasses, all faults of all files reported together.

A side is SQL that gives `business_date`, the columns of `grain` and `amount`. It may read

- `silver.<feed>` and `gold.<table>`: the slices of the days to reconcile;
- `previous.<feed>`: the slice of the day before, dated to the day it is compared with;
- `load.stated_totals` (business_date, feed, total, amount): what the senders state in their manifests;
- `load.disk_usage` (business_date, file_system, used_percent): how full the lake's file system is.

A monitor has `limit` in place of `right`: whatever is above it is the difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

from spark_jobs.config import PROJECT
from spark_jobs.contracts import Catalogue
from spark_jobs.declarations import read_folder
from spark_jobs.errors import ConfigurationError
from spark_jobs.gold.tables import TABLES

FOLDER = PROJECT / "expectations" / "reconciliation"
SEVERITIES = ("stop", "warn")
# Every amount, total and tolerance: six decimals hold a ratio, and sums of any broker's money fit.
AMOUNT = "decimal(28,6)"
LOAD_FACTS = ("stated_totals", "disk_usage")
REFERENCE = re.compile(r"\b(silver|previous|gold|load)\.(\w+)\b")
_NEEDED = ("check", "title", "owner", "severity", "grain", "tolerance", "left", "meaning", "source")


@dataclass(frozen=True)
class Check:
    """One check. Grain: (business_date, *grain); a key differs when |left - right| > tolerance, a missing side counts 0.

    `also_rests_on`: feeds it rests on through gold or the stated totals. `unit` of tolerance, limit and every amount.
    """

    name: str
    title: dict[str, str]
    owner: str
    severity: str
    grain: tuple[str, ...]
    tolerance: Decimal
    unit: str
    left: str
    right: str | None
    limit: Decimal | None
    meaning: str
    source: str
    also_rests_on: tuple[str, ...] = ()

    @cached_property
    def tables(self) -> frozenset[tuple[str, str]]:
        """(namespace, table) of everything both sides read."""
        return frozenset(REFERENCE.findall(f"{self.left} {self.right or ''}"))

    @cached_property
    def feeds(self) -> frozenset[str]:
        """Feeds it rests on: without one of them it does not apply to a day."""
        return frozenset(name for space, name in self.tables if space in ("silver", "previous")) | {*self.also_rests_on}

    @property
    def looks_back(self) -> bool:
        return any(space == "previous" for space, _ in self.tables)

    @property
    def counts_copies(self) -> bool:
        """A sender's total counts a row that stands in the file twice twice; the load keeps it once."""
        return ("load", "stated_totals") in self.tables


def load_checks(catalogue: Catalogue, folder: Path = FOLDER) -> list[Check]:
    """Every check in `folder`, by name. Raises one ConfigurationError C360-161 that lists every fault of every file."""
    documents, faults = read_folder(folder, lambda document, stem: _faults(document, stem, catalogue))
    if faults:
        raise ConfigurationError(
            "C360-161",
            f"{len(faults)} faults in the checks of the reconciliation",
            where="\n         ".join(faults),
            next_step="correct the files under expectations/reconciliation, then: c360 doctor",
        )
    return [_check(document) for document in documents]


def _faults(document: dict[str, Any], stem: str, catalogue: Catalogue) -> Iterator[str]:
    yield from (f"lacks {name}" for name in _NEEDED if not document.get(name))
    yield from (
        f"has an unknown entry {name}"
        for name in sorted(document.keys() - {*_NEEDED, "right", "limit", "also_rests_on"})
    )
    if document.get("check") not in (None, stem):
        yield f"check is {document['check']}, the file's name says {stem}"
    if not isinstance(document.get("title", {}), dict) or {"en", "zh"} - (document.get("title") or {}).keys():
        yield "title needs en and zh"
    if document.get("severity") not in SEVERITIES:
        yield f"severity is {document.get('severity')}, not one of {', '.join(SEVERITIES)}"
    tolerance = document.get("tolerance")
    if not isinstance(tolerance, dict) or tolerance.keys() != {"amount", "unit"}:
        yield "tolerance needs amount and unit"
    elif not _is_decimal(tolerance["amount"]):
        yield f"tolerance.amount is {tolerance['amount']}, not a decimal in quotes"
    if ("right" in document) == ("limit" in document):
        yield "needs either right or limit"
    if "limit" in document and not _is_decimal(document["limit"]):
        yield f"limit is {document['limit']}, not a decimal in quotes"
    for side in ("left", "right"):
        if side in document and not REFERENCE.search(str(document[side])):
            yield f"{side} reads no table of silver, previous, gold or load"
    references = REFERENCE.findall(f"{document.get('left')} {document.get('right')}")
    for space, name in sorted({*references, *(("feed", feed) for feed in document.get("also_rests_on") or [])}):
        known = TABLES if space == "gold" else LOAD_FACTS if space == "load" else catalogue
        if name not in known:
            yield f"reads {space}.{name}, which does not exist"


def _is_decimal(value: Any) -> bool:
    """A number as text: YAML would read 0.01 without quotes as a float."""
    try:
        return isinstance(value, str) and Decimal(value) >= 0
    except InvalidOperation:
        return False


def _check(document: dict) -> Check:
    return Check(
        name=document["check"],
        title=document["title"],
        owner=document["owner"],
        severity=document["severity"],
        grain=tuple(document["grain"]),
        tolerance=Decimal(document["tolerance"]["amount"]),
        unit=document["tolerance"]["unit"],
        left=document["left"],
        right=document.get("right"),
        limit=Decimal(document["limit"]) if "limit" in document else None,
        meaning=document["meaning"],
        source=document["source"],
        also_rests_on=tuple(document.get("also_rests_on") or ()),
    )
