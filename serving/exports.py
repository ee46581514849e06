"""Many rows at once, as CSV: an own scope, a quota of rows, a watermark in every row, and no cell a spreadsheet would run."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from typing import IO, Any

from serving.callers import Caller
from serving.overlay import now
from serving.problems import NotAllowed, NotValid
from serving.service import Question, Service
from spark_jobs.formats.spreadsheet import harmless
from spark_jobs.publish.marts import MARTS

MOST_ROWS = 50_000
_AT_ONCE = 2_000
_IN_MEMORY = 4 * 1024**2
WATERMARK = "exported_by"


def export(
    service: Service, caller: Caller, mart: str, columns: Sequence[str] | None = None, month: str | None = None
) -> tuple[IO[bytes], dict[str, Any]]:
    """A file of the caller's rows of a mart on the published day, or of a month; and its as_of_date, revision and rows.

    Raises NotAllowed for a mart or column the role does not see, TooMany C360-545 when the rows would pass the quota: then nothing is exported.
    """
    with service.asked(caller, "export", mart=mart if mart in MARTS else "?") as question:
        if mart not in caller.role.columns:
            raise NotAllowed("the role does not see this mart")
        seen = question.columns(mart)
        if columns is not None and (not columns or set(columns) - set(seen)):
            raise NotAllowed("the role does not see one of the columns")
        seen = [name for name in seen if columns is None or name in columns]
        where, parameters = _span(mart, month, question.snapshot.as_of_date)
        count = question.rows(mart, where, parameters, ["count(*) as row_count"])[0]["row_count"]
        if count > MOST_ROWS:
            raise NotValid(f"that is more than {MOST_ROWS:,} rows", "narrow it, or ask the analysts for a query")
        service.overlay.use(caller.id, "exported rows", count, service.settings.serve_export_rows_per_day)
        question.facts |= {"rows": count, "columns": len(seen)}
        mark = f"{caller.id} {now():%Y-%m-%dT%H:%M:%SZ} revision {question.snapshot.revision}"
        question.facts["watermark"] = hashlib.sha256(mark.encode()).hexdigest()[:16]
        service.write(caller, "export", "about to be exported", question.facts, durable=True)
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  it is closed by who sends it
        text = io.TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
        writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL)
        writer.writerow([*seen, WATERMARK])
        for row in _rows(question, mart, where, parameters, seen):
            writer.writerow([*(_cell(row[name]) for name in seen), mark])
        text.detach()
        file.seek(0)
        found = {"as_of_date": question.snapshot.as_of_date, "revision": question.snapshot.revision, "rows": count}
    return file, found


def _span(mart: str, month: str | None, as_of_date: date) -> tuple[str, dict[str, Any]]:
    month = month or f"{as_of_date:%Y-%m}"
    if column := MARTS[mart].month:
        return f"{column} = $month", {"month": month}
    if MARTS[mart].day == "business_date":
        first = date.fromisoformat(f"{month}-01")
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return "business_date >= $first and business_date < $after", {"first": first, "after": after}
    return "as_of_date = $as_of_date", {}


def _rows(
    question: Question, mart: str, where: str, parameters: dict[str, Any], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """All rows in order, some at a time, from the one snapshot."""
    key = MARTS[mart].key
    hidden = [name for name in key if name not in columns]
    marks = [f"last_{place}" for place in range(len(key))]
    after, last = "", {}
    while True:
        rows = question.rows(
            mart, where + after, {**parameters, **last, "limit": _AT_ONCE}, [*columns, *hidden],
            f"order by {', '.join(key)} limit $limit",
        )  # fmt: skip
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = f" and ({', '.join(key)}) > ({', '.join(f'${mark}' for mark in marks)})"
        last = dict(zip(marks, (rows[-1][name] for name in key), strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    # A negative amount is a number of ours; only a text can be somebody's formula.
    return harmless(text) if isinstance(value, str) else text
