"""Mappings: how another counter delivers a feed, declared onto the feed's contract, which says everything the mapping does not.

`<catalogue>/mappings/<mapping>/` holds one YAML a feed of that counter, and `numbers.yml`, the contract of the map from its numbers to those
history knows. A mapping sleeps until the setting `migrations` gives it dates: from `shadow_from` its counter delivers beside the old one,
from `in_force_from` in its place. Documents in, documents out: what a contract is stands in `spark_jobs.contracts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spark_jobs.declarations import read_folder

FOLDER, NUMBERS = "mappings", "numbers"
# Feeds beside those that count have names of their own, so that the ledger tells them apart when the mapping is long gone.
SHADOW, MIGRATION = "shadow__", "migration__"
NUMBER_KEY = ("number_kind", "new_number")

Document = dict[str, Any]
_TOP_LEVEL = {"mapping", "feed", "owner", "delivery", "columns"}
_COLUMN_KEYS = {"to", "from", "scale", "codes", "numbers"}


def shadow_feed(mapping: str, feed: str) -> str:
    """Under which name a mapping's shadow of a feed is kept: in the ledger and as a table."""
    return f"{SHADOW}{mapping}__{feed}"


def numbers_feed(mapping: str) -> str:
    """The feed that maps the numbers of a mapping's counter."""
    return f"{MIGRATION}{mapping}"


def counts(feed: str) -> bool:
    """Whether days rest on a feed: neither a shadow nor a map of numbers."""
    return not feed.startswith((SHADOW, MIGRATION))


def is_shadow(feed: str) -> bool:
    return feed.startswith(SHADOW)


def is_number_map(feed: str) -> bool:
    return feed.startswith(MIGRATION)


def read_mappings(
    catalogue: Path, contracts: Iterable[Document], faults_of: Callable[[Document], Iterable[str]]
) -> tuple[list[tuple[str, Document]], list[Document], list[str]]:
    """(mapping, whole contract document of a feed as it delivers it), documents of the number maps, and every fault.

    faults_of: what is wrong with a whole contract document.
    """
    known = {document["feed"]: document for document in contracts}
    mapped, maps, faults = [], [], []
    for folder in sorted(path for path in (catalogue / FOLDER).glob("*") if path.is_dir()):
        name = folder.name

        def faults_here(document: Document, stem: str, name: str = name) -> Iterator[str]:
            if stem == NUMBERS:
                yield from faults_of(document)
                yield from _map_faults(name, document)
            else:
                yield from _mapping_faults(name, document, known, faults_of)

        documents, found = read_folder(folder, faults_here)
        faults += [f"{name}/{fault}" for fault in found]
        number_maps = [document for document in documents if "mapping" not in document]
        mappings = [document for document in documents if "mapping" in document]
        kinds = set(_kinds(number_maps[0])) if number_maps else set()
        has_map_file = (folder / f"{NUMBERS}.yml").is_file()
        feeds = [document["feed"] for document in mappings]
        faults += [f"{name}: maps {feed} twice" for feed in sorted({feed for feed in feeds if feeds.count(feed) > 1})]
        for document in mappings:
            for column in document.get("columns") or []:
                kind = column.get("numbers")
                if kind and not has_map_file:
                    faults.append(f"{name}: {document['feed']} has numbers, and there is no {NUMBERS}.yml to map them")
                elif kind and number_maps and kind not in kinds:
                    faults.append(
                        f"{name}: {document['feed']}: column {column['to']} has numbers {kind}, not one of {', '.join(sorted(kinds))}"
                    )
        mapped += [(name, merged(known[document["feed"]], document)) for document in mappings]
        maps += number_maps
    return mapped, maps, faults


def merged(contract: Document, mapping: Document) -> Document:
    """The contract as the mapping's counter delivers it: what the mapping names is its own, the rest is inherited."""
    named = {column["to"]: column for column in mapping.get("columns") or []}
    columns = [column | named.get(column["to"], {}) for column in contract["columns"]]
    delivery = contract["delivery"] | (mapping.get("delivery") or {})
    owner = mapping.get("owner", contract["owner"])
    return contract | {"delivery": delivery, "owner": owner, "columns": columns}


def _mapping_faults(
    name: str, document: Document, contracts: dict[str, Document], faults_of: Callable[[Document], Iterable[str]]
) -> Iterator[str]:
    yield from (f"lacks {entry}" for entry in sorted({"mapping", "feed", "delivery"} - document.keys()))
    yield from (f"has an unknown entry {entry}" for entry in sorted(document.keys() - _TOP_LEVEL))
    if document.get("mapping") not in (None, name):
        yield f"mapping is {document['mapping']}, the folder's name says {name}"
    contract = contracts.get(document.get("feed"))
    if contract is None:
        yield f"maps onto {document.get('feed')}, which has no sound contract"
        return
    columns = [column for column in document.get("columns") or [] if isinstance(column, dict)]
    own = {column["to"]: column for column in contract["columns"]}
    names = [column.get("to") for column in columns]
    yield from (f"column {to} is declared twice" for to in sorted({to for to in names if names.count(to) > 1}, key=str))
    yield from (f"column {to} is not one of {contract['feed']}" for to in names if to not in own)
    for column in columns:
        if column.get("to") in own:
            yield from _column_faults(column, own[column["to"]])
    if all(to in own for to in names):
        whole = merged(contract, document)
        yield from faults_of(whole | {"columns": [_without_numbers(column) for column in whole["columns"]]})


def _column_faults(column: Document, own: Document) -> Iterator[str]:
    name = column["to"]
    yield from (f"column {name} has an unknown entry {entry}" for entry in sorted(column.keys() - _COLUMN_KEYS))
    if "codes" in column:
        meanings = {str(value) for value in (own.get("codes") or {}).values()}
        # A value the contract has no word for would be a new version of every row, and a typing error looks just like it.
        for value in sorted({str(value) for value in (column["codes"] or {}).values()} - meanings):
            yield f"column {name} has a code for {value}, which its contract does not know"
    if column.get("numbers") and (own.get("type") != "string" or own.get("personal")):
        yield f"column {name} cannot hold numbers: it is personal or no string"


def _without_numbers(column: Document) -> Document:
    return {key: value for key, value in column.items() if key != "numbers"}


def _kinds(number_map: Document) -> list[str]:
    column = next(column for column in number_map["columns"] if column["to"] == "number_kind")
    return [str(value) for value in column["codes"].values()]


def _map_faults(name: str, document: Document) -> Iterator[str]:
    if document.get("feed") != numbers_feed(name):
        yield f"feed is {document.get('feed')}, a map of numbers is called {numbers_feed(name)}"
    if tuple((document.get("grain") or {}).get("key") or ()) != NUMBER_KEY:
        yield f"grain.key of a map of numbers is [{', '.join(NUMBER_KEY)}]"
    columns = {column.get("to"): column for column in document.get("columns") or [] if isinstance(column, dict)}
    for to, kind in (("number_kind", "code"), ("new_number", "string"), ("old_number", "string")):
        column = columns.get(to, {})
        if column.get("type") != kind or not column.get("required") or column.get("personal"):
            yield f"a map of numbers needs the required column {to} of type {kind}"
    if document.get("mode") == "event":
        yield "a map of numbers is full or incremental"
