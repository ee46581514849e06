"""One broker whose nights are bad in every way a load must survive, for the tests that follow it from there to the good end.

Of the days after the opening, on the first single rows are bad, the second is clean, and on the last whole files are refused and two
have lost half of their rows. The first load, of the opening, is killed. What was delivered before anything was spoilt lies in `good`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import simulator
from simulator.delivery import write_manifest
from simulator.faults import Delivery, Lines, Planted, plant
from simulator.layouts import layouts
from simulator.randomness import stream
from spark_jobs.jobs.restate import link_data
from tests.killing import Killed, kill_a_load
from tests.loading import LoadedBroker, load_home

CLIENTS, ACCOUNTS, TRADES = "normal_counter__clients", "normal_counter__cash_accounts", "normal_counter__trades"
BALANCES = "normal_counter__cash_balances"

# The whole file is refused; the last day has them.
FILE_FAULTS = {
    "truncated_dbf": "clearing__settlement_details",
    "ofd_wrong_count": "fund_counter__holdings",
    "cut_character": "reference__employees",
    "missing_file": "normal_counter__securities_accounts",
    "manifest_disagrees": "normal_counter__positions",
}
# A full feed without half of its rows; the last day has them.
HALVED = (BALANCES, CLIENTS)
# Single rows are refused; the first day after the opening has them.
ROW_FAULTS = {
    "wrong_field_count": "normal_counter__cash_journal",
    "not_a_number": "credit_counter__trades",
    "unknown_business_code": "credit_counter__cash_journal",
    "required_missing": "credit_counter__accounts",
    "duplicate_key": "credit_counter__collateral_positions",
    "exact_duplicate_row": "normal_counter__securities_accounts",
}
# Rows of the same day that a person releases later: two clients (data rows counted from 0), an account that comes twice, a trade.
RELEASED = (CLIENTS, ACCOUNTS, TRADES)
SWAPPED, UNSPLIT = 1, 4


@dataclass
class Night:
    """The broker's home and what happened in the first load that was not killed. `originals`: "feed:row number" → the good row's texts;
    `as_it_was`: the home after that load, for a story that goes on in another way."""

    home: Path
    good: Path
    days: list[date]
    planted: dict[str, Planted] = field(default_factory=dict)
    originals: dict[str, dict[str, str]] = field(default_factory=dict)
    killed: Killed | None = None
    first: LoadedBroker | None = None

    @property
    def as_it_was(self) -> Path:
        return self.home.with_name(f"{self.home.name}_as_it_was")

    @property
    def row_day(self) -> date:
        return self.days[1]

    @property
    def file_day(self) -> date:
        return self.days[-1]

    def mend(self, day: date, feed: str) -> None:
        """The sender delivers the good file after all."""
        folder = self.home / "landing" / day.isoformat() / feed
        shutil.rmtree(folder)
        shutil.copytree(self.good / day.isoformat() / feed, folder)


def bad_night(home: Path, good: Path) -> Night:
    """The broker simulated, spoilt and loaded, at the second attempt; `good` is where the clean landing goes."""
    days = simulator.simulate(home, customers=60, days=3, seed=7, start=date(2026, 9, 24)).dates
    shutil.copytree(home / "landing", good)
    night = Night(home, good, days)
    faults = [(night.row_day, fault, feed) for fault, feed in ROW_FAULTS.items()]
    faults += [(night.file_day, fault, feed) for fault, feed in FILE_FAULTS.items()]
    for day, fault, feed in faults:
        night.planted[fault] = plant(home / "landing", fault, feed=feed, date=day.isoformat(), seed=3)
    for feed in HALVED:
        plant(home / "landing", "half_file", feed=feed, date=night.file_day.isoformat())
    _spoil(night, CLIENTS, _spoil_clients(night))
    _spoil(night, ACCOUNTS, _repeat_key)
    _spoil(night, TRADES, _spoil_trade(night))
    night.killed = kill_a_load(home, days[0])
    night.first = load_home(home)
    shutil.copytree(home, night.as_it_was, copy_function=link_data)
    return night


def _spoil(night: Night, feed: str, change: Callable[[Lines], None]) -> None:
    """Edit rows of one delivery; the sender's totals stay those of the good rows."""
    folder = night.home / "landing" / night.row_day.isoformat() / feed
    totals = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["control_totals"]
    lines = Lines(Delivery(folder, layouts()[feed], stream(0, "quarantine", feed)))
    change(lines)
    lines.save()
    lines.delivery.manifest["control_totals"] = totals | {"rows": str(len(lines.rows))}
    write_manifest(folder, lines.delivery.manifest)


def _spoil_clients(night: Night) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        for number in (SWAPPED, UNSPLIT):
            night.originals[f"{CLIENTS}:{number + 1}"] = dict(zip(lines.names, lines.rows[number], strict=True))
        name, branch = lines.place_of("client_name"), lines.place_of("branch_id")
        swapped = lines.rows[SWAPPED]
        swapped[name], swapped[branch] = swapped[branch], swapped[name]
        lines.rows[UNSPLIT].append("extra")

    return change


def _repeat_key(lines: Lines) -> None:
    """A second row of the first account, at the end, of another branch."""
    copied = list(lines.rows[0])
    copied[lines.place_of("branch_id")] = "0001" if copied[lines.place_of("branch_id")] != "0001" else "0002"
    lines.rows.append(copied)


def _spoil_trade(night: Night) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        night.originals[f"{TRADES}:1"] = dict(zip(lines.names, lines.rows[0], strict=True))
        lines.rows[0][lines.place_of("commission_amount")] = "12x4.50"

    return change
