"""Feed contracts: one YAML a feed, read into frozen dataclasses, all faults of all files reported together.

A contract is the whole knowledge the load has of a feed: where it comes from, its grain, how changes are expressed, what each
column means and which columns are personal. No code below this module names a feed's columns except gold, which gives them meaning.
A feed may be delivered by another counter, before or from a date, through a mapping: see `spark_jobs.mappings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from spark_jobs import mappings
from spark_jobs.declarations import read_folder
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.privacy import DERIVED
from spark_jobs.ingest.vault import PERSONAL_CLASSES
from spark_jobs.quality.plausible import PlausibleRule, shrink_faults, shrink_rules

CATALOGUE = Path(__file__).parent / "catalog"

FORMATS = ("delimited", "dbf", "ofd", "parquet")
MODES = ("full", "incremental", "event")
# Spark type and decimal scale of every contract type; None: not a number.
TYPES: dict[str, tuple[str, int | None]] = {
    "string": ("string", None),
    "code": ("string", None),
    "date": ("date", None),
    "flag": ("boolean", None),
    "money": ("decimal(18,2)", 2),
    "quantity": ("decimal(18,2)", 2),
    "price": ("decimal(18,4)", 4),
    "ratio": ("decimal(18,6)", 6),
    "rate": ("decimal(12,8)", 8),
}
# Text is compared plain: full-width digits, signs and blanks are the plain ones.
FULL_WIDTH, PLAIN = "０１２３４５６７８９．－＋　", "0123456789.-+ "
# What may happen when a file's columns are not the contract's; a missing required column always stops the delivery.
DRIFT = {"new_column": ("keep", "stop"), "missing_column": ("carry", "stop")}
_TOTAL = re.compile(r"^sum\((\w+)\)$")


class Dates(Protocol):
    """When a mapping's counter delivers: beside the old one from `shadow_from`, in its place from `in_force_from`."""

    @property
    def shadow_from(self) -> date | None: ...

    @property
    def in_force_from(self) -> date | None: ...


@dataclass(frozen=True)
class Column:
    """One column: `source` as delivered, `name` as the warehouse calls it.

    `implied_decimals`: the delivered integer is this many powers of ten too large. `codes`: delivered code → neutral value;
    an unknown code is kept as `@code`. `personal`: the class that decides how landing replaces the value. `is_tracked`: a change of
    it makes a new version of the row. `numbers`: the kind of number of a new counter it holds, which landing turns into the one history knows.
    """

    name: str
    source: str
    type: str
    required: bool = False
    implied_decimals: int = 0
    codes: dict[str, str] | None = None
    personal: str | None = None
    kind_column: str | None = None
    is_tracked: bool = True
    numbers: str | None = None

    @property
    def spark_type(self) -> str:
        return TYPES[self.type][0]

    @property
    def decimal_scale(self) -> int | None:
        return TYPES[self.type][1]

    @property
    def derived_names(self) -> tuple[str, ...]:
        """What landing leaves of a personal column; all are strings, null where the value is null."""
        return tuple(f"{self.name}_{suffix}" for suffix in DERIVED[self.personal]) if self.personal else ()

    @property
    def landed_names(self) -> tuple[str, ...]:
        """The columns behind landing that this one became: its own, or what stands in its place."""
        return self.derived_names or (self.name,)


@dataclass(frozen=True)
class Contract:
    """One feed. Grain: `grain`, unique by `key` within a business date.

    `mapping`: through which mapping these columns are delivered, empty for the contract's own. `mapped`: the feed by mapping; `successions`: from
    which date which mapping is in force, oldest first. `shadow_of`: the feed whose shadow this is; it is delivered from `since` on and
    before `until`.
    """

    feed: str
    title: dict[str, str]
    owner: str
    line: str
    format: str
    file: str
    due: str
    grain: str
    key: tuple[str, ...]
    mode: str
    if_missing: str
    columns: tuple[Column, ...]
    delete_flag: str | None = None
    shrink_limit: tuple[PlausibleRule, ...] = ()
    control_totals: tuple[str, ...] = ("rows",)
    drift: dict[str, str] = field(default_factory=dict)
    mapping: str = ""
    mapped: Mapping[str, Contract] = field(default_factory=dict, repr=False)
    successions: tuple[tuple[date, str], ...] = ()
    shadow_of: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def meant_feed(self) -> str:
        """The feed whose rules hold and whose name the files bear."""
        return self.shadow_of or self.feed

    @property
    def folder(self) -> str:
        """Where its deliveries lie within a day of landing."""
        return f"{self.shadow_of}@{self.mapping}" if self.shadow_of else self.feed

    @cached_property
    def number_columns(self) -> dict[str, str]:
        """Column → the kind of number of the mapping's counter it holds."""
        return {column.name: column.numbers for column in self.columns if column.numbers}

    @cached_property
    def reading(self) -> str:
        """What makes the same bytes another delivery: how a mapping reads them. Empty for the contract's own columns."""
        if not self.mapping:
            return ""
        ways = [
            (column.name, column.source, column.implied_decimals, column.codes, column.numbers)
            for column in self.columns
        ]
        return json.dumps([self.mapping, ways], sort_keys=True)

    def is_expected(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def mapping_on(self, day: date) -> str:
        """The mapping through which a delivery of `day` is read."""
        return next((name for start, name in reversed(self.successions) if start <= day), self.mapping)

    def read_by(self, mapping: str) -> Contract:
        """The feed as a mapping delivers it. Raises ConfigurationError C360-112 for one that is no longer in the catalogue."""
        if mapping == self.mapping:
            return self
        if mapping not in self.mapped:
            raise ConfigurationError(
                "C360-112", f"days of {self.feed} were read through the mapping {mapping}, which is gone",
                where=f"feed {self.feed}", kept="everything loaded", next_step="put its files back under the catalogue's mappings",
            )  # fmt: skip
        return self.mapped[mapping]

    @cached_property
    def personal_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.personal)

    @cached_property
    def bronze_columns(self) -> tuple[str, ...]:
        """Names in bronze, all text: our names, a personal column replaced by what landing derived from it."""
        return tuple(name for column in self.columns for name in column.landed_names)

    @cached_property
    def plain_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.personal)

    @cached_property
    def readable_columns(self) -> tuple[Column, ...]:
        """The plain columns whose text may be no value of their type."""
        return tuple(
            column
            for column in self.plain_columns
            if column.decimal_scale is not None or column.type in ("date", "flag")
        )

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The columns of a slice that carry the contract's meaning."""
        derived = (name for column in self.personal_columns for name in column.derived_names)
        return (*(column.name for column in self.plain_columns), *derived)

    @cached_property
    def tracked_fields(self) -> tuple[str, ...]:
        """Those of `fields` whose change is a change of the row."""
        ignored = {name for column in self.columns if not column.is_tracked for name in column.landed_names}
        return tuple(name for name in self.fields if name not in ignored)

    @cached_property
    def summed_columns(self) -> tuple[str, ...]:
        return tuple(_TOTAL.match(total).group(1) for total in self.control_totals if total != "rows")

    def file_glob(self, yyyymmdd: str) -> str:
        return re.sub(r"\{\w+\}", "*", self.file.replace("{business_date}", yyyymmdd))


class Catalogue:
    """All contracts by feed name, in the order of their names.

    Iterating gives the feeds that days rest on; `everything` also has the maps of numbers and the shadows of awake mappings.
    """

    def __init__(self, contracts: list[Contract]) -> None:
        self._contracts = {contract.feed: contract for contract in sorted(contracts, key=lambda item: item.feed)}

    def __iter__(self) -> Iterator[Contract]:
        return (contract for contract in self.everything if mappings.counts(contract.feed))

    @property
    def everything(self) -> tuple[Contract, ...]:
        return tuple(self._contracts.values())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, feed: str) -> bool:
        return feed in self._contracts

    def __getitem__(self, feed: str) -> Contract:
        if feed not in self._contracts:
            raise ConfigurationError(
                "C360-102",
                f"there is no feed {feed}",
                next_step="choose one of: " + ", ".join(self._contracts),
            )
        return self._contracts[feed]


def load_catalogue(folder: Path = CATALOGUE, migrations: Mapping[str, Dates] | None = None) -> Catalogue:
    """Every contract in `folder`, with the mappings that `migrations` gives dates.

    Raises one ConfigurationError C360-101 that lists every fault of every file, and of the dates.
    """
    dates = migrations or {}
    documents, faults = read_folder(folder, lambda document, _: _faults(document))
    feeds = [document["feed"] for document in documents]
    faults += [f"{feed}: declared twice" for feed in {name for name in feeds if feeds.count(name) > 1}]
    faults += [f"{feed}: the name is kept for mappings" for feed in feeds if not mappings.counts(feed)]
    mapped, maps, found = mappings.read_mappings(folder, documents, _faults)
    faults += found
    known = {path.name for path in (folder / mappings.FOLDER).glob("*") if path.is_dir()}
    faults += [f"settings: migrations names {name}, which is no mapping" for name in sorted(dates.keys() - known)]
    contracts = [_with_mappings(document, mapped, dates) for document in documents]
    faults += [
        f"settings: two mappings of {contract.feed} are in force from {start}"
        for contract in contracts
        for start in sorted({day for day, _ in contract.successions})
        if sum(day == start for day, _ in contract.successions) > 1
    ]
    if faults:
        raise ConfigurationError(
            "C360-101",
            f"{len(faults)} faults in the feed contracts",
            where="\n         ".join(faults),
            next_step="correct the files under spark_jobs/catalog, then: c360 doctor",
        )
    return Catalogue([*contracts, *_number_maps(maps, dates), *_shadows(contracts, dates)])


def _with_mappings(document: dict, mapped: list[tuple[str, dict]], dates: Mapping[str, Dates]) -> Contract:
    variants = {
        name: replace(_contract(whole), mapping=name) for name, whole in mapped if whole["feed"] == document["feed"]
    }
    starts = {name: dates[name].in_force_from for name in variants if name in dates}
    return replace(
        _contract(document),
        mapped=variants,
        successions=tuple(sorted((day, name) for name, day in starts.items() if day)),
    )


def _number_maps(documents: list[dict], dates: Mapping[str, Dates]) -> Iterator[Contract]:
    """The maps of the mappings that are awake, expected from the first day on which their counter delivers."""
    for document in documents:
        name = document["feed"].removeprefix(mappings.MIGRATION)
        if name in dates:
            yield replace(_contract(document), since=dates[name].shadow_from or dates[name].in_force_from)


def _shadows(contracts: list[Contract], dates: Mapping[str, Dates]) -> Iterator[Contract]:
    """Every feed of a counter that delivers beside the old one, as a feed of its own."""
    for contract in contracts:
        for name, variant in contract.mapped.items():
            if name in dates and dates[name].shadow_from:
                yield replace(
                    variant, feed=mappings.shadow_feed(name, contract.feed), shadow_of=contract.feed,
                    since=dates[name].shadow_from, until=dates[name].in_force_from,
                )  # fmt: skip


_TOP_LEVEL = {
    "feed", "title", "owner", "line", "delivery", "grain", "mode", "delete", "if_missing", "shrink_limit",
    "control_totals", "drift", "columns",
}  # fmt: skip
_COLUMN_KEYS = {"from", "to", "type", "required", "scale", "codes", "personal", "kind_column", "tracked"}


def _faults(document: dict[str, Any]) -> Iterator[str]:
    for name in sorted({"feed", "owner", "delivery", "grain", "mode", "columns"} - document.keys()):
        yield f"lacks {name}"
    for name in sorted(document.keys() - _TOP_LEVEL):
        yield f"has an unknown entry {name}"
    delivery = document.get("delivery") or {}
    if delivery.get("format") not in FORMATS:
        yield f"delivery.format is {delivery.get('format')}, not one of {', '.join(FORMATS)}"
    if "{business_date}" not in str(delivery.get("file", "")):
        yield "delivery.file does not say where {business_date} stands"
    if document.get("mode") not in MODES:
        yield f"mode is {document.get('mode')}, not one of {', '.join(MODES)}"
    if document.get("if_missing", "hold") not in ("hold", "carry"):
        yield f"if_missing is {document['if_missing']}, not hold or carry"
    columns = [column for column in document.get("columns") or [] if isinstance(column, dict)]
    names = [column.get("to") for column in columns]
    if not columns:
        yield "has no columns"
    for column in columns:
        yield from _column_faults(column, names)
    yield from (f"column {name} is declared twice" for name in {n for n in names if names.count(n) > 1})
    key = (document.get("grain") or {}).get("key") or []
    if not key:
        yield "grain.key is empty"
    yield from (f"key column {name} is not a column" for name in key if name not in names)
    required = {column.get("to") for column in columns if column.get("required")}
    yield from (f"key column {name} is not required" for name in key if name in names and name not in required)
    untracked = {column.get("to") for column in columns if not column.get("tracked", True)}
    yield from (f"key column {name} must be tracked" for name in key if name in untracked)
    for entry, choice in (document.get("drift") or {}).items():
        if choice not in DRIFT.get(entry, ()):
            yield f"drift.{entry} is {choice}, not one of {', '.join(DRIFT.get(entry, ('no such entry',)))}"
    flag = (document.get("delete") or {}).get("flag")
    if flag and flag not in names:
        yield f"delete.flag {flag} is not a column"
    for total in document.get("control_totals") or []:
        match = _TOTAL.match(str(total))
        if total != "rows" and (not match or match.group(1) not in names):
            yield f"control total {total} is neither rows nor sum(a column)"
    if "shrink_limit" in document:
        if document.get("mode") != "full":
            yield "shrink_limit speaks of full feeds only: elsewhere an absent key says nothing"
        yield from shrink_faults(document["shrink_limit"], document.get("control_totals") or ["rows"])


def _column_faults(column: dict, names: list) -> Iterator[str]:
    name = column.get("to", "?")
    for key in sorted(column.keys() - _COLUMN_KEYS):
        yield f"column {name} has an unknown entry {key}"
    if column.get("type") not in TYPES:
        yield f"column {name} has type {column.get('type')}, not one of {', '.join(TYPES)}"
    if column.get("type") == "code" and not column.get("codes"):
        yield f"column {name} is a code without codes"
    personal = column.get("personal")
    if personal and personal not in PERSONAL_CLASSES:
        yield f"column {name} has personal class {personal}, not one of {', '.join(PERSONAL_CLASSES)}"
    if personal == "identity" and column.get("kind_column") not in names:
        yield f"column {name} needs a kind_column that is a column"


def _contract(document: dict) -> Contract:
    delivery, grain = document["delivery"], document["grain"]
    return Contract(
        feed=document["feed"],
        title=document.get("title") or {},
        owner=document["owner"],
        line=document.get("line", "reference"),
        format=delivery["format"],
        file=delivery["file"],
        due=delivery.get("due", ""),
        grain=grain["one_row_per"],
        key=tuple(grain["key"]),
        mode=document["mode"],
        if_missing=document.get("if_missing", "hold"),
        columns=tuple(_column(column) for column in document["columns"]),
        delete_flag=(document.get("delete") or {}).get("flag"),
        shrink_limit=shrink_rules(document["shrink_limit"]) if "shrink_limit" in document else (),
        control_totals=tuple(document.get("control_totals") or ["rows"]),
        drift=document.get("drift") or {},
    )


def _column(entry: dict) -> Column:
    codes = entry.get("codes")
    return Column(
        name=entry["to"],
        source=entry.get("from", entry["to"]),
        type=entry["type"],
        required=bool(entry.get("required", False)),
        implied_decimals=int(entry.get("scale", 0)),
        codes={str(code): str(value) for code, value in codes.items()} if codes else None,
        personal=entry.get("personal"),
        kind_column=entry.get("kind_column"),
        is_tracked=bool(entry.get("tracked", True)),
        numbers=entry.get("numbers"),
    )
