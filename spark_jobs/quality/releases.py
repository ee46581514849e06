"""Decisions of people that bring a quarantined row back into the day it belongs to.

`meta.releases` is append-only, one row per released row: which row (feed, business date, delivery number, file, row), which broken rules
are waived, which columns have other texts, why, who, and in which run. The new texts are sealed and stand nowhere in clear.

A release is laid over bronze whenever the row's day is judged, in the release itself and in every later rebuild, and bronze stays as it
was sent. It speaks of one delivery: when the sender corrects the day, it meets no row any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.ingest.vault import Vault
from spark_jobs.io import DAY, Lake
from spark_jobs.quality.rules import Rule

ACCEPTED, REPAIRED = "accepted", "repaired"
SCHEMA = (
    "row_id string, feed string, business_date date, delivery_number int, source_file string, source_row long, kind string, "
    "waived_rules string, columns string, texts string, reason string, who string, run int"
)
# New texts are in the form of bronze: plain ones, and tokens in place of personal values, which are in the vault under their owner's key.
# Nobody's erasure may take a row out of a history, so they are sealed under a subject that is nobody.
SUBJECT = "releases"
_OVERLAY = "business_date date, _delivery_number int, _source_file string, _source_row long, _waived array<string>, _texts map<string,string>"
_PLACE = [DAY, "_delivery_number", "_source_file", "_source_row"]


def row_id(feed: str, day: date, delivery_number: int, source_file: str, source_row: int) -> str:
    """Twelve hex digits that name one delivered row for good."""
    place = f"{feed}|{day.isoformat()}|{delivery_number}|{source_file}|{source_row}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def can_be_waived(rule: Rule) -> bool:
    """Whether a person may accept a row that breaks the rule.

    What a row says may be odd and true (`logical`), and one of several rows of a key may be the right one. A text that is missing or
    cannot be read stands for no value: such a row is repaired.
    """
    return rule.severity == "quarantine" and (rule.nature == "logical" or rule.name == "key_is_unique")


@dataclass(frozen=True)
class Release:
    """One released row. `waived_rules` and `columns` are names joined by commas; `texts` is sealed, empty when nothing was repaired."""

    row_id: str
    feed: str
    business_date: date
    delivery_number: int
    source_file: str
    source_row: int
    kind: str
    waived_rules: str
    columns: str
    texts: str
    reason: str
    who: str
    run: int


def seal_texts(vault: Vault, identity: str, texts: dict[str, str | None]) -> str:
    """New texts by bronze column, sealed for one row."""
    (sealed,) = vault.seal([(SUBJECT, identity, json.dumps(texts, ensure_ascii=False, sort_keys=True))])
    return sealed


class Releases:
    """The releases of one lake, read when first asked."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @cached_property
    def _known(self) -> dict[tuple[str, date, int], dict[str, Release]]:
        rows = self._lake.read("meta", "releases").collect() if self._lake.exists("meta", "releases") else ()
        known: dict[tuple[str, date, int], dict[str, Release]] = {}
        for row in rows:
            self._remember(known, Release(**row.asDict()))
        return known

    @staticmethod
    def _remember(known: dict[tuple[str, date, int], dict[str, Release]], release: Release) -> None:
        key = (release.feed, release.business_date, release.delivery_number)
        known.setdefault(key, {})[release.row_id] = release

    def of(self, feed: str, day: date, delivery_number: int) -> dict[str, Release]:
        """row id → release of the rows released into one delivery."""
        return self._known.get((feed, day, delivery_number), {})

    def digest(self, feed: str, day: date, delivery_number: int) -> str:
        """Names the set of releases of one delivery; empty when there is none."""
        found = self.of(feed, day, delivery_number)
        return hashlib.sha256("|".join(sorted(found)).encode()).hexdigest()[:16] if found else ""

    def propose(self, releases: Iterable[Release]) -> None:
        """Let releases count in this process, before they are kept."""
        for release in releases:
            self._remember(self._known, release)

    def take_back(self, releases: Iterable[Release]) -> None:
        """Forget proposed releases that were refused."""
        for release in releases:
            del self._known[release.feed, release.business_date, release.delivery_number][release.row_id]

    def keep(self, releases: list[Release]) -> None:
        """Write releases in one commit. From then on every load puts them into effect, whatever happens to this process."""
        frame = self._lake.spark.createDataFrame([tuple(asdict(release).values()) for release in releases], SCHEMA)
        self._lake.append(frame.coalesce(1), "meta", "releases", {"run": releases[0].run})
        self.propose(releases)

    def lay_over(self, bronze: DataFrame, feed: str, vault: Vault) -> DataFrame:
        """Bronze rows of one feed with the texts people gave them, and `_waived`: the rules that do not count for a row, mostly null.

        A repaired record counts as whole: its new texts say what could not be read. Without a release `bronze` comes back as it is.
        """
        found = [
            release for (name, _, _), rows in sorted(self._known.items()) if name == feed for release in rows.values()
        ]
        if not found:
            return bronze
        texts = {release.row_id: self._texts(release, vault) for release in found}
        rows = [
            (release.business_date, release.delivery_number, release.source_file, release.source_row,
             release.waived_rules.split(",") if release.waived_rules else None, texts[release.row_id] or None)
            for release in found
        ]  # fmt: skip
        overlay = F.broadcast(bronze.sparkSession.createDataFrame(rows, _OVERLAY))
        is_repaired = F.col("_texts").isNotNull()
        changed = {name for given in texts.values() for name in given}
        replaced = {
            name: F.when(F.map_contains_key("_texts", name), F.col("_texts")[name]).otherwise(F.col(name))
            for name in sorted(changed)
        }
        replaced["_parse_error"] = F.when(~is_repaired, F.col("_parse_error"))
        return bronze.join(overlay, on=_PLACE, how="left").withColumns(replaced).drop("_texts")

    @staticmethod
    def _texts(release: Release, vault: Vault) -> dict[str, str | None]:
        return json.loads(vault.unseal(SUBJECT, release.row_id, release.texts)) if release.texts else {}
