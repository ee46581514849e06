"""Files of analysts: a list that is brought into a query with tokens in place of personal values, and a result that is taken out.

No clear value reaches the database, and nothing leaves without a line in the audit log that says who took what.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.files import sha256_of
from spark_jobs.formats.spreadsheet import harmless
from spark_jobs.ingest.identity import CREDIT_CODE, canonical_identity, canonical_name, canonical_phone
from spark_jobs.ingest.privacy import looks_personal
from spark_jobs.ingest.vault import Keys, token
from spark_jobs.publish.duckdb_store import in_force
from spark_jobs.two_persons import person

IMPORTED, _RESULT = "imported", "_result"
FORMATS = (".csv", ".parquet", ".xlsx")
MOST_LINES, MOST_XLSX_ROWS = 1_000_000, 1_048_575
SHOWN_FAULTS = 20
# What a column of a list may be called, in either language, and the personal value in it.
PERSONAL = {
    "mobile_phone": "mobile_phone", "phone": "mobile_phone", "手机号": "mobile_phone", "手机号码": "mobile_phone",
    "identity_number": "identity", "证件号码": "identity", "身份证号": "identity",
    "name": "name", "client_name": "name", "姓名": "name", "客户姓名": "name",
}  # fmt: skip
KIND_COLUMN = "identity_kind"
_RESIDENT = re.compile(r"[0-9]{15}|[0-9]{17}[0-9X]")


def read_list(path: Path, keys: Keys, as_of: date) -> pa.Table:
    """The list as text columns, every personal one replaced by its token and its mask, named as the marts name them.

    UTF-8 or GB18030 with a header. `identity_kind` says what kind of document a number is of; without it the form of the number does. Raises
    ConfigurationError C360-126 that names every fault by line and column, and no value.
    """
    lines = csv.reader(io.StringIO(_text_of(path)))
    names = [name.strip() for name in next(lines, [])]
    faults = (
        [] if names and all(names) and len(set(names)) == len(names) else ["line 1 does not name every column once"]
    )
    rows: list[list[str]] = []
    for cells in lines:
        if not cells:
            continue
        if len(cells) != len(names):
            faults.append(f"line {lines.line_num}: {len(cells)} fields instead of {len(names)}")
        elif len(rows) == MOST_LINES:
            raise _not_taken(path, [f"it has more than {MOST_LINES:,} lines"])
        else:
            rows.append(cells)
    personal = {place: PERSONAL[name.lower()] for place, name in enumerate(names) if name.lower() in PERSONAL}
    for place, name in enumerate(names):
        if place not in personal and any(looks_personal(cells[place].strip()) for cells in rows):
            faults.append(
                f"column {name} holds what looks like a phone or a document number; call it mobile_phone or identity_number"
            )
    if faults or not rows:
        raise _not_taken(path, faults or ["it has no row"])
    kind_place = names.index(KIND_COLUMN) if KIND_COLUMN in names else None
    columns: dict[str, list[str | None]] = {}
    for place, name in enumerate(names):
        texts = [cells[place].strip() or None for cells in rows]
        if place in personal:
            kinds = [cells[kind_place].strip() if kind_place is not None else "" for cells in rows]
            found = [
                _derived(personal[place], text, kind, keys, as_of) for text, kind in zip(texts, kinds, strict=True)
            ]
            tokens, masks = zip(*found, strict=True)
            columns |= {f"{personal[place]}_token": list(tokens), f"{personal[place]}_masked": list(masks)}
        else:
            columns[name] = texts
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _derived(column: str, text: str | None, kind: str, keys: Keys, as_of: date) -> tuple[str | None, str | None]:
    if column == "mobile_phone":
        phone = canonical_phone(text)
        return phone.canonical and token(keys, "phone", "", phone.canonical), phone.masked
    if column == "name":
        name = canonical_name(text)
        return name.canonical and token(keys, "name", "", name.canonical), name.masked
    kind = kind or _kind_of(canonical_identity("other", text, as_of).canonical or "")
    identity = canonical_identity(kind, text, as_of)
    return identity.canonical and token(keys, "identity", kind, identity.canonical), identity.masked


def _kind_of(number: str) -> str:
    if _RESIDENT.fullmatch(number):
        return "resident_id"
    return "unified_social_credit_code" if CREDIT_CODE.fullmatch(number) else "other"


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _not_taken(path, [f"it cannot be read ({type(error).__name__})"]) from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _not_taken(path, ["it is neither UTF-8 nor GB18030"])


def _not_taken(path: Path, faults: Sequence[str]) -> ConfigurationError:
    more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
    return ConfigurationError(
        "C360-126", f"the list cannot be brought in: {len(faults)} faults", where="\n         ".join([path.name, *faults[:SHOWN_FAULTS], *more]),
        kept="nothing of it", next_step="correct the file, then ask again",
    )  # fmt: skip


def take_out(
    settings: Settings, connection: duckdb.DuckDBPyConnection, query: str, path: Path, write_audit: Callable[..., None]
) -> int:
    """Write what `query` gives to a file that is not there yet, for its owner alone, and return how many rows. The format is that of its name.

    A line of the audit log is on the disk before the file appears, and another one says its sha256. Raises ConfigurationError C360-127 for a
    place or a size the file cannot have.
    """
    if path.suffix not in FORMATS or not path.parent.is_dir() or path.exists():
        raise _not_written(path, f"a new file in a folder that exists, ending in {', '.join(FORMATS)}")
    now, query = in_force(settings.published), query.strip().rstrip(";")
    # Asked once: what is counted for the audit log is what is written.
    connection.execute(f"create temp table {_RESULT} as from ({query})")
    columns = [name for name, *_ in connection.execute(f"describe {_RESULT}").fetchall()]
    (rows,) = connection.execute(f"select count(*) from {_RESULT}").fetchone()
    if path.suffix == ".xlsx" and rows > MOST_XLSX_ROWS:
        raise _not_written(path, f"less than {MOST_XLSX_ROWS:,} rows for a workbook, or another format")
    facts: dict[str, Any] = {
        "route": "sql", "who": person(), "query": hashlib.sha256(query.encode()).hexdigest()[:16], "columns": columns, "rows": rows,
        "revision": now.revision, "as_of_date": now.as_of_date, "file": path.suffix,
    }  # fmt: skip
    write_audit(durable=True, outcome="about to be taken out", **facts)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if path.suffix == ".xlsx":
            _write_xlsx(connection, part)
        else:
            options = "format parquet" if path.suffix == ".parquet" else "format csv, header"
            connection.execute(f"copy {_RESULT} to '{str(part).replace(chr(39), chr(39) * 2)}' ({options})")
        os.chmod(part, 0o600)
        # Another process may have made it meanwhile: a link does not replace it.
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    write_audit(durable=True, outcome="taken out", sha256=sha256_of(path), **facts)
    return rows


def _not_written(path: Path, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        "C360-127",
        "the result cannot be written there",
        where=path.name,
        kept="nothing was written",
        next_step=f"name {wanted}",
    )


def _write_xlsx(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """One sheet under a heading. A number that a spreadsheet would round stays text, and no text becomes a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("c360")
    sheet.freeze_panes = "A2"
    cursor = connection.execute(f"from {_RESULT}")
    sheet.append([column[0] for column in cursor.description])
    while batch := cursor.fetchmany(10_000):
        for row in batch:
            cells = []
            for value in row:
                cell = WriteOnlyCell(sheet, _cell(value))
                if isinstance(value, Decimal) and not isinstance(cell.value, str):
                    cell.number_format = (
                        "#,##0." + "0" * -value.as_tuple().exponent if value.as_tuple().exponent else "#,##0"
                    )
                cells.append(cell)
            sheet.append(cells)
    book.save(path)


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value if len(value.as_tuple().digits) <= 15 else f"{value:f}"
    if isinstance(value, str):
        return harmless(value)
    return value if isinstance(value, bool | int | float | date) or value is None else str(value)
