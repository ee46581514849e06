"""Thirty damaged files in one range: the load goes through, every row of every file it read is accounted for, and what blocks is named."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

import simulator
from simulator import damage
from simulator.faults import Planted, plant
from simulator.randomness import stream
from spark_jobs.contracts import load_catalogue
from spark_jobs.jobs import report
from spark_jobs.jobs.status import read_status
from spark_jobs.publish.duckdb_store import connect_delta
from tests.damaged import count_of, deliver_damaged, records_of
from tests.loading import LoadedBroker, load_home

# Many minutes of a machine with two cores.
pytestmark = pytest.mark.acceptance

SEED = 2
CATALOGUE = load_catalogue()
# Trading day after the opening, feed, damage, and whether the counts follow it: so that the file can be read, and rows of it cannot.
DAMAGED = (
    (1, "clearing__securities_balances", damage.delete_flags, True),
    (1, "clearing__settlement_details", damage.nul_bytes, True),
    (1, "fund_counter__holdings", damage.truncated_file, False),
    (1, "fund_counter__confirmations", damage.broken_character, True),
    (1, "fund_counter__navs", damage.flipped_head, False),
    (1, "fund_counter__products", damage.line_doubled, True),
    (1, "fund_counter__accounts", damage.broken_character, True),
    (1, "option_counter__accounts", damage.delimiter_in_field, True),
    (1, "option_counter__contracts", damage.garbage_appended, False),
    (1, "normal_counter__cash_journal", damage.delimiter_in_field, True),
    (1, "normal_counter__clients", damage.broken_character, True),
    (2, "clearing__securities_balances", damage.empty_file, False),
    (2, "clearing__settlement_details", damage.flipped_bytes, True),
    (2, "fund_counter__confirmations", damage.windows_lines, False),
    (2, "fund_counter__holdings", damage.broken_character, True),
    (2, "option_counter__positions", damage.line_lost, True),
    (2, "option_counter__cash_balances", damage.wrong_count, False),
    (2, "credit_counter__cash_journal", damage.delimiter_in_field, True),
    (2, "normal_counter__trades", damage.delimiter_in_field, True),
    (2, "staff_platform__relations", damage.delimiter_in_field, True),
    (3, "normal_counter__clients", damage.line_lost, False),
    (3, "normal_counter__positions", damage.truncated_file, False),
    (3, "reference__prices", damage.nul_bytes, False),
    (3, "reference__securities", damage.flipped_tail, False),
    (3, "reference__exchange_rates", damage.truncated_file, False),
    (3, "credit_counter__accounts", damage.broken_character, True),
    (3, "normal_counter__cash_balances", damage.swapped_fields, True),
    (3, "credit_counter__trades", damage.windows_lines, False),
    (3, "reference__employees", damage.nul_bytes, True),
    (3, "staff_platform__relations", damage.empty_file, False),
)
UNKNOWN_CODES = {1: "credit_counter__cash_journal", 2: "normal_counter__cash_journal"}


@dataclass
class Range:
    """The damaged range after its load."""

    days: list[date]
    landing: Path
    personal: set[str]
    planted: dict[str, Planted]
    loaded: LoadedBroker

    def content(self, day: str, feed: str) -> bytes:
        contract = CATALOGUE[feed]
        pattern = contract.file_glob(day.replace("-", ""))
        return next((self.landing / day / feed).glob(pattern)).read_bytes()


def spoil(landing: Path, days: list[date]) -> None:
    for index, feed, damaged, counts_follow in DAMAGED:
        folder = landing / days[index].isoformat() / feed
        generator = stream(SEED, feed, index)
        deliver_damaged(folder, CATALOGUE[feed].format, damaged, generator, counts_follow=counts_follow)


@pytest.fixture(scope="module")
def damaged_range(spark, tmp_path_factory) -> Range:
    home = tmp_path_factory.mktemp("damaged")
    days = simulator.simulate(home, customers=60, days=3, seed=4, start=date(2026, 9, 28), write_truth=False).dates
    found = Range(days, home / "landing", set(), {}, None)
    for contract in CATALOGUE:
        if contract.personal_columns:
            for record in records_of(contract.format, found.content(days[0].isoformat(), contract.feed)):
                found.personal |= {record.cells[column.source] for column in contract.personal_columns} - {None}
    for index, feed in UNKNOWN_CODES.items():
        found.planted[feed] = plant(home / "landing", "unknown_business_code", feed, days[index], SEED)
    spoil(home / "landing", days)
    found.loaded = load_home(home)
    return found


def test_every_damaged_file_is_named_with_its_code_or_adds_up(damaged_range):
    summary = damaged_range.loaded.summary
    named = {(item["business_date"], item["feed"]): item for item in summary["problems"] if item["feed"]}
    read = {(file["business_date"], file["feed"]) for file in summary["files"]}
    for index, feed, _, _ in DAMAGED:
        delivery = (damaged_range.days[index].isoformat(), feed)
        assert delivery in named or delivery in read, delivery
    for item in named.values():
        assert item["code"].startswith(("C360-2", "C360-3")) and item["next"], item
    assert len(named) >= 15


def test_every_row_of_every_file_that_was_read_is_accounted_for(damaged_range):
    files = damaged_range.loaded.summary["files"]
    for file in files:
        parts = file["rows_kept"] + file["rows_quarantined"] + file["rows_duplicate"]
        content = damaged_range.content(file["business_date"], file["feed"])
        held = count_of(CATALOGUE[file["feed"]].format, content)
        assert file["rows_read"] == parts == held, file
    # An event feed without a row has no file in the list; nothing else may be absent unless it is named.
    delivered = {(day.isoformat(), contract.feed) for day in damaged_range.days for contract in CATALOGUE}
    refused = {(item["business_date"], item["feed"]) for item in damaged_range.loaded.summary["problems"]}
    read = {(file["business_date"], file["feed"]) for file in files}
    for day, feed in delivered - read - refused:
        assert count_of(CATALOGUE[feed].format, damaged_range.content(day, feed)) == 0
    assert sum(file["rows_quarantined"] for file in files) >= 8


def test_a_day_without_its_hold_feeds_stays_unpublished_and_names_them(damaged_range):
    summary, last_day = damaged_range.loaded.summary, damaged_range.days[-1].isoformat()
    stopped = {item["feed"] for item in summary["problems"] if item["business_date"] == last_day and item["feed"]}
    holding = {feed for feed in stopped if CATALOGUE[feed].if_missing == "hold"}
    assert len(holding) >= 6
    assert summary["blocked"] == {last_day: sorted(holding)}
    # Where a damaged row was read all the same, the two sides of a check may differ: such a day, and those after it, wait too.
    unreconciled = {item["business_date"] for item in summary["problems"] if item["code"] == "C360-271"}
    complete = [day.isoformat() for day in damaged_range.days[1:-1]]
    first_held = min(unreconciled, default=last_day)
    assert summary["published"] == [day for day in complete if day < first_held]
    assert report.exit_code(summary) in (3, 4)


def test_no_message_holds_a_personal_value(damaged_range):
    messages = json.dumps(damaged_range.loaded.summary, ensure_ascii=False)
    assert len(damaged_range.personal) > 100
    assert not [value for value in damaged_range.personal if value in messages]


def test_unknown_business_flags_are_told_and_stay_in_the_totals_of_every_line(damaged_range):
    """A flag nobody knows is `unclassified`; with its amount in the totals gold holds what the journals hold."""
    entries = {
        (entry["business_date"], entry["feed"]): entry for entry in damaged_range.loaded.summary["unknown_codes"]
    }
    lake = damaged_range.loaded.settings.lake
    for index, feed in UNKNOWN_CODES.items():
        day, line = damaged_range.days[index].isoformat(), feed.split("_")[0]
        rows = [record.cells for record in records_of("delimited", damaged_range.content(day, feed)) if record.is_whole]
        unknown = sum(Decimal(row["amount"]) for row in rows if row["business_code"] == "9999")
        entry = entries[day, feed]
        assert (entry["column"], entry["rows"], entry["amounts"]) == ("business_code", 1, {"amount": str(unknown)})
        with connect_delta() as connection:
            unclassified, total = connection.execute(
                f"select sum(amount) filter (flow_class = 'unclassified'), sum(amount) from delta_scan('{lake}/gold/cash_flows') "
                f"where business_date = '{day}' and business_line = '{line}'"
            ).fetchone()
        assert (unclassified, total) == (unknown, sum(Decimal(row["amount"]) for row in rows)), feed


def test_the_printed_load_and_the_status_say_which_column_has_unknown_codes(damaged_range):
    summary = damaged_range.loaded.summary
    printed = Console(file=io.StringIO(), width=200)
    report.show(summary, printed)
    for feed in UNKNOWN_CODES.values():
        assert f"{feed}: business_code has codes the contract does not know in 1 row, which carry Σ amount" in (
            printed.file.getvalue()
        )
    assert read_status(damaged_range.loaded.settings)["unknown_codes"] == summary["unknown_codes"]
