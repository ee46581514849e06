"""What people wrote since the trading day before, as deliveries of the call platform: at night it comes back like any other feed.

`call_platform__calls` has the calls made, those of a weekend on the trading day after it. `call_platform__consents` is a full feed, so it has the
declarations of the delivery before, and after them the words said since. Phones are decrypted for the files and for nothing else; the files lie where senders' files lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from serving.problems import NotFound
from serving.service import Service
from serving.store import Snapshot
from spark_jobs.contracts import Contract, load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.formats.writing import ENCODING
from spark_jobs.ingest.vault import VaultError
from spark_jobs.sending import is_of_another, send
from spark_jobs.trading_calendar import trading_calendar

CALLS, CONSENTS = "call_platform__calls", "call_platform__consents"
SENDER = "c360 serve-export"


def export_day(service: Service, day: date, into: Path, by: str) -> dict[str, Any]:
    """Write both deliveries of a trading day below `into`; rows of each, and how many were left out because their customer was erased.

    Repeating it replaces what it wrote before. Raises ConfigurationError C360-186 where a delivery of somebody else lies, C360-187
    for a day without trading, which no load takes: nothing is written then.
    """
    calendar = trading_calendar(service.settings.calendar_overrides)
    if not calendar.is_trading_day(day):
        raise ConfigurationError(
            "C360-187", f"{day} is no trading day, so no load would take its deliveries", kept="what was written; it goes with the next day",
            next_step=f"c360 serve-export --date {calendar.after(day)}",
        )  # fmt: skip
    contracts = {one.feed: one for one in load_catalogue(service.settings.catalogue) if one.feed in (CALLS, CONSENTS)}
    for feed in contracts:
        if is_of_another(into, day, feed, SENDER):
            raise ConfigurationError(
                "C360-186", "a delivery of another sender lies there", where=str(into / day.isoformat() / feed),
                kept="that delivery; nothing was written", next_step="give another folder with --into, and let the sender put both together",
            )  # fmt: skip
    calls, words = service.overlay.written_between(calendar.before(day), day)
    with service.store.snapshot() as snapshot:
        made, left_out = _rows(service, snapshot, calls, _call)
        said, also = _rows(service, snapshot, words, _word)
    before = _declarations_before(into, day, contracts[CONSENTS])
    known = {row["consent_id"] for row in before}
    said = [row for row in said if row["consent_id"] not in known]
    facts = {"day": day.isoformat(), "calls": len(made), "words": len(said), "left_out": left_out + also}
    service.audit.write(
        durable=True,
        caller=f"command:{by}",
        role=None,
        employee=None,
        route="serve-export",
        outcome="about to be written",
        **facts,
    )
    for feed, delivered, written in ((CALLS, [], made), (CONSENTS, before, said)):
        contract = contracts[feed]
        rows = [*delivered, *(_coded(row, contract) for row in written)]
        lines = ("|".join(row.get(column.name, "") for column in contract.columns) for row in rows)
        send(into, day, contract, lines, SENDER)
    return facts


def _rows(
    service: Service, snapshot: Snapshot, written: Sequence[Mapping[str, Any]], shape: Any
) -> tuple[list[dict[str, str]], int]:
    found, left_out = [], 0
    for entry in written:
        try:
            phone = service.vault_value(snapshot, entry["customer_id"], "phone", entry["mobile_phone_token"])
        except (NotFound, VaultError) as error:
            if isinstance(error, VaultError) and error.code not in ("C360-520", "C360-521"):
                raise
            left_out += 1
            continue
        found.append(
            {"client_number": _client_number(snapshot, entry["customer_id"]), "mobile_phone": phone, **shape(entry)}
        )
    return found, left_out


def _call(entry: Mapping[str, Any]) -> dict[str, str]:
    return {"call_id": f"W{entry['call_id']}", "call_direction": entry["direction"], "call_result": entry["result"]}


def _word(entry: Mapping[str, Any]) -> dict[str, str]:
    recorded = entry["recorded_date"].replace("-", "")
    return {"consent_id": f"W{entry['word_id']}", "consent_kind": entry["word"], "recorded_date": recorded}


def _client_number(snapshot: Snapshot, customer_id: str) -> str:
    """His first number on the normal counter, under which the call platform knows him; empty without one."""
    rows = snapshot.rows(
        "select min(client_number) as client_number from mart_customer_account "
        "where customer_id = $customer and as_of_date = $as_of_date and system_code = 'NOR'",
        {"as_of_date": snapshot.as_of_date, "customer": customer_id},
    )
    return rows[0]["client_number"] or ""


def _declarations_before(landing: Path, day: date, contract: Contract) -> list[dict[str, str]]:
    """Rows of the last delivery of consents before the day, as they were delivered; none before the first."""
    earlier = sorted(
        path for path in landing.glob(f"*/{CONSENTS}/manifest.json") if path.parent.parent.name < day.isoformat()
    )
    if not earlier:
        return []
    rows = []
    for entry in json.loads(earlier[-1].read_text(encoding="utf-8"))["files"]:
        _, names, *lines = (earlier[-1].parent / entry["name"]).read_bytes().decode(ENCODING).splitlines()
        sources = {column.source: column.name for column in contract.columns}
        keys = [sources.get(name, name) for name in names.split("|")]
        rows += [dict(zip(keys, line.split("|"), strict=True)) for line in lines[:-1]]
    return rows


def _coded(row: Mapping[str, str], contract: Contract) -> dict[str, str]:
    """The row with the feed's codes in place of ours."""
    codes = {
        column.name: {ours: theirs for theirs, ours in (column.codes or {}).items()} for column in contract.columns
    }
    return {name: codes.get(name, {}).get(value, value) for name, value in row.items()}
