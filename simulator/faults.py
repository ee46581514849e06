"""Faults planted into files already written, one small function each.

Every fault takes the delivery it spoils and returns a sentence on what it did. After a fault the manifest agrees with
the file (bytes, hash, rows, control totals of what can be read) unless the disagreement is the fault itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from simulator import damage
from simulator.delivery import describe, write_manifest
from simulator.layouts import Layout, layouts
from simulator.randomness import stream

CLIENTS, BALANCES, JOURNAL = "normal_counter__clients", "normal_counter__cash_balances", "normal_counter__cash_journal"
TRADES, DBF_FEED, OFD_FEED = "normal_counter__trades", "clearing__settlement_details", "fund_counter__holdings"
DEPOSITORY, PRICES = "clearing__securities_balances", "reference__prices"
UNKNOWN_CODE, NOT_A_NUMBER = "9999", "12x4.50"


@dataclass(frozen=True)
class Planted:
    """A fault as planted. `detail` says what was done, without any customer's value."""

    fault: str
    feed: str
    business_date: str
    file: Path
    detail: str


class Delivery:
    """One feed's folder of one day, with its manifest."""

    def __init__(self, folder: Path, layout: Layout, generator: np.random.Generator) -> None:
        self.folder, self.layout, self.generator = folder, layout, generator
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.path = folder / self.manifest["files"][0]["name"]

    def save(self, content: bytes, rows: int | None = None) -> None:
        """Write the file and let the manifest describe it; `rows` unchanged unless given."""
        self.path.write_bytes(content)
        entry = self.manifest["files"][0]
        self.manifest["files"][0] = describe(entry["name"], content, entry["rows"] if rows is None else rows)
        write_manifest(self.folder, self.manifest)


class Lines:
    """A delimited file taken apart: header, column names, rows of fields."""

    def __init__(self, delivery: Delivery) -> None:
        if delivery.layout.format != "delimited":
            raise ValueError(f"{delivery.layout.feed} is {delivery.layout.format}: this fault needs delimited text")
        self.delivery = delivery
        lines = delivery.path.read_bytes().decode("gb18030").split("\n")
        self.header, self.names = lines[0], lines[1].split("|")
        self.rows = [line.split("|") for line in lines[2:-2]]

    def place_of(self, name: str) -> int:
        return self.names.index(self.delivery.layout.column(name).delivered_name)

    def any_row(self) -> int:
        if not self.rows:
            raise ValueError(f"{self.delivery.path.name} has no rows to spoil")
        return int(self.delivery.generator.integers(len(self.rows)))

    def save(self) -> None:
        body = "".join("|".join(row) + "\n" for row in self.rows)
        content = f"{self.header}\n{'|'.join(self.names)}\n{body}#T|{len(self.rows)}\n".encode("gb18030")
        totals = {"rows": str(len(self.rows))}
        for name in self.delivery.layout.summed:
            totals[f"sum({name})"] = str(self._total(name))
        self.delivery.manifest["control_totals"] = totals
        self.delivery.save(content, len(self.rows))

    def _total(self, name: str) -> Decimal:
        """Sum of what is a number, over the typed value."""
        column, place = self.delivery.layout.column(name), self.place_of(name)
        scale = 3 if column.in_thousandths else 0
        values = [_number(row[place]) for row in self.rows if len(row) == len(self.names)]
        return sum(values, Decimal(0)).scaleb(-scale).quantize(Decimal(1).scaleb(-column.decimals))


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


# ---------------------------------------------------------------- whole files


def truncated_dbf(delivery: Delivery) -> str:
    """The file ends inside a record; its header still promises all of them."""
    content = delivery.path.read_bytes()
    header_length = int.from_bytes(content[8:10], "little")
    record_length = int.from_bytes(content[10:12], "little")
    records = int.from_bytes(content[4:8], "little")
    if not records:
        raise ValueError(f"{delivery.path.name} has no record to cut")
    kept = header_length + (records // 2) * record_length + record_length // 2
    delivery.save(content[:kept])
    return f"cut to {kept:,} of {len(content):,} bytes, inside record {records // 2 + 1}"


def ofd_wrong_count(delivery: Delivery) -> str:
    """The record count in the header is one more than the records that follow."""
    lines = delivery.path.read_bytes().split(b"\r\n")
    place = 10 + int(lines[9])
    stated = int(lines[place])
    lines[place] = f"{stated + 1:08d}".encode()
    delivery.save(b"\r\n".join(lines))
    return f"the header states {stated + 1} records, the file has {stated}"


def cut_character(delivery: Delivery) -> str:
    """The file ends after the first byte of a Chinese character."""
    content = delivery.path.read_bytes()
    text = content.decode("gb18030")
    places = [place for place in range(len(text) // 2, len(text)) if ord(text[place]) > 0x7F]
    if not places:
        places = [place for place in range(len(text)) if ord(text[place]) > 0x7F]
    if not places:
        raise ValueError(f"{delivery.path.name} has no Chinese character to cut")
    kept = len(text[: places[0]].encode("gb18030")) + 1
    delivery.save(content[:kept])
    return f"cut to {kept:,} bytes, inside a character"


def missing_file(delivery: Delivery) -> str:
    """The manifest lists a file that is not there."""
    delivery.path.unlink()
    return "the data file was removed, the manifest stays"


def missing_delivery(delivery: Delivery) -> str:
    """Nothing was delivered for the feed that day, not even a manifest."""
    shutil.rmtree(delivery.folder)
    return "the whole delivery was removed"


def manifest_disagrees(delivery: Delivery) -> str:
    """One control total is off: the first sum by a cent, or the rows by one."""
    totals = delivery.manifest["control_totals"]
    name = list(totals)[-1]
    step = Decimal("0.01") if name != "rows" and "." in totals[name] else Decimal(1)
    totals[name] = str(Decimal(totals[name]) + step)
    write_manifest(delivery.folder, delivery.manifest)
    return f"{name} in the manifest is {step} more than in the file"


def repeated_delivery_other_bytes(delivery: Delivery) -> str:
    """The day is delivered again with one client's phone corrected."""
    lines = Lines(delivery)
    row = lines.any_row()
    column = "mobile_phone" if delivery.layout.feed == CLIENTS else lines.names[-1]
    lines.rows[row][lines.names.index(column)] = "13911112222" if column == "mobile_phone" else ""
    lines.save()
    return f"{column} of data row {row + 1} differs from the first delivery"


def half_file(delivery: Delivery) -> str:
    """The second half of the rows is cut and the manifest agrees: a storm of deletes, if anybody believes it."""
    lines = Lines(delivery)
    before = len(lines.rows)
    lines.rows = lines.rows[: before // 2]
    lines.save()
    return f"{len(lines.rows)} of {before} rows left"


# ---------------------------------------------------------------- single rows


def wrong_field_count(delivery: Delivery) -> str:
    """One row has a field too many."""
    lines = Lines(delivery)
    row = lines.any_row()
    lines.rows[row].append("extra")
    lines.save()
    return f"data row {row + 1} has {len(lines.names) + 1} fields"


def not_a_number(delivery: Delivery) -> str:
    """A required money column holds something that is no number."""
    lines = Lines(delivery)
    money = next(column for column in delivery.layout.columns if column.kind == "money")
    row = lines.any_row()
    lines.rows[row][lines.place_of(money.name)] = NOT_A_NUMBER
    lines.save()
    return f"{money.delivered_name} of data row {row + 1} is no number"


def unknown_business_code(delivery: Delivery) -> str:
    """A business code that no code list knows; the amount still counts."""
    lines = Lines(delivery)
    row = lines.any_row()
    lines.rows[row][lines.place_of("business_code")] = UNKNOWN_CODE
    lines.save()
    return f"business_code of data row {row + 1} is {UNKNOWN_CODE}"


def required_missing(delivery: Delivery) -> str:
    """A required column that is not part of the key is empty in one row."""
    lines = Lines(delivery)
    name = next(n for n in ("branch_id", "client_number", "available_amount", "quantity") if n in lines.names)
    row = lines.any_row()
    lines.rows[row][lines.place_of(name)] = ""
    lines.save()
    return f"{name} of data row {row + 1} is empty"


def duplicate_key(delivery: Delivery) -> str:
    """A second row with the key of another and one different value."""
    lines = Lines(delivery)
    row = lines.any_row()
    copied = list(lines.rows[row])
    name = next(n for n in ("branch_id", "available_amount", "quantity", "mobile_phone") if n in lines.names)
    place = lines.place_of(name)
    copied[place] = "0001" if name == "branch_id" and copied[place] != "0001" else "0002"
    lines.rows.append(copied)
    lines.save()
    return f"data row {len(lines.rows)} repeats the key of data row {row + 1} with another {name}"


def exact_duplicate_row(delivery: Delivery) -> str:
    """A row stands in the file twice, byte for byte."""
    lines = Lines(delivery)
    row = lines.any_row()
    lines.rows.append(list(lines.rows[row]))
    lines.save()
    return f"data row {len(lines.rows)} repeats data row {row + 1}"


# ---------------------------------------------------------------- bytes


def _damaged(spoil: damage.Damage) -> Callable[[Delivery], str]:
    """The damage as a fault: the manifest describes the bytes, its row count and its totals stay those of the sound file."""

    def fault(delivery: Delivery) -> str:
        sound = delivery.path.read_bytes()
        damaged = spoil(sound, delivery.generator)
        delivery.save(damaged)
        first = next(
            (at for at, (one, other) in enumerate(zip(sound, damaged, strict=False)) if one != other), len(damaged)
        )
        return f"differs from byte {min(first, len(sound)):,} on; {len(damaged):,} bytes instead of {len(sound):,}"

    fault.__doc__ = spoil.__doc__
    return fault


# fault: (function, feed it is planted in unless another is given)
FAULTS: dict[str, tuple[Callable[[Delivery], str], str]] = {
    "truncated_dbf": (truncated_dbf, DBF_FEED),
    "ofd_wrong_count": (ofd_wrong_count, OFD_FEED),
    "cut_character": (cut_character, CLIENTS),
    "missing_file": (missing_file, BALANCES),
    "missing_delivery": (missing_delivery, OFD_FEED),
    "manifest_disagrees": (manifest_disagrees, BALANCES),
    "repeated_delivery_other_bytes": (repeated_delivery_other_bytes, CLIENTS),
    "half_file": (half_file, BALANCES),
    "wrong_field_count": (wrong_field_count, JOURNAL),
    "not_a_number": (not_a_number, TRADES),
    "unknown_business_code": (unknown_business_code, JOURNAL),
    "required_missing": (required_missing, CLIENTS),
    "duplicate_key": (duplicate_key, CLIENTS),
    "exact_duplicate_row": (exact_duplicate_row, TRADES),
    "empty_file": (_damaged(damage.empty_file), JOURNAL),
    "line_lost": (_damaged(damage.line_lost), CLIENTS),
    "windows_lines": (_damaged(damage.windows_lines), TRADES),
    "broken_character": (_damaged(damage.broken_character), CLIENTS),
    "swapped_fields": (_damaged(damage.swapped_fields), BALANCES),
    "garbage_appended": (_damaged(damage.garbage_appended), OFD_FEED),
    "nul_bytes": (_damaged(damage.nul_bytes), DBF_FEED),
    "delete_flags": (_damaged(damage.delete_flags), DEPOSITORY),
    "flipped_bytes": (_damaged(damage.flipped_bytes), PRICES),
}


def plant(landing: Path, fault: str, feed: str | None = None, date: object = None, seed: int = 0) -> Planted:
    """Spoil one delivery: of `feed` (or the fault's usual one) on `date` (or the last day). Same arguments, same fault."""
    if fault not in FAULTS:
        raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    spoil, usual_feed = FAULTS[fault]
    feed = feed or usual_feed
    business_date = str(date) if date else max(path.name for path in Path(landing).iterdir() if path.is_dir())
    folder = Path(landing) / business_date / feed
    delivery = Delivery(folder, layouts()[feed], stream(seed, fault, feed, business_date))
    path = delivery.path
    return Planted(fault, feed, business_date, path, spoil(delivery))
