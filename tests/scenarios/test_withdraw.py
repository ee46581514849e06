"""A delivery is taken back: history forgets it, the ledger and what was known then do not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from spark_jobs.cli import app
from spark_jobs.config import load_settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.load import take_in
from spark_jobs.jobs.start import start_run
from spark_jobs.jobs.withdraw import withdraw
from tests.golden_history import lay_step, read_scenarios, write_catalogue

GAP_FILLED = next(scenario for scenario in read_scenarios() if scenario.name == "gap_filled")
FEED, FILLED = GAP_FILLED.feed, date(2026, 1, 6)
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def home(spark, tmp_path_factory):
    """Three days loaded on 8 January, the one between taken back on the 9th, a correction of nothing tried on the 10th."""
    home = tmp_path_factory.mktemp("withdrawn")
    write_catalogue([GAP_FILLED], home / "catalogue")
    settings = load_settings(home=home, catalogue=home / "catalogue", spark_master="local[2]")
    days = [day for step in (1, 2, 3) for day in lay_step([GAP_FILLED], step, settings.landing)]
    with start_run(settings, "load", QUIET, datetime(2026, 1, 8, 3, tzinfo=UTC)) as run:
        take_in(run, days)
    with start_run(settings, "withdraw", QUIET, datetime(2026, 1, 9, 3, tzinfo=UTC)) as run:
        record = withdraw(run, FEED, FILLED, reason="sent by mistake", by="night shift")
    with start_run(settings, "load again", QUIET, datetime(2026, 1, 10, 3, tzinfo=UTC)) as run:
        again = take_in(run, days)
        with pytest.raises(ConfigurationError) as refused:
            withdraw(run, FEED, FILLED, reason="twice", by="night shift")
        chain = list(run.ledger.chain(FEED))
    return home, record, again, refused.value, chain


def versions(home, *arguments: str) -> list[tuple]:
    environment = {"C360_HOME": str(home), "C360_CATALOGUE": str(home / "catalogue")}
    result = CliRunner().invoke(app, ["history", FEED, "A1", *arguments, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    return [(row["valid_from"], row["valid_to"], row["balance"]) for row in json.loads(result.stdout)]


def test_history_is_as_if_the_day_had_not_come(home):
    assert versions(home[0]) == [("2026-01-05", "2026-01-07", "100.00"), ("2026-01-07", None, "120.00")]


@pytest.mark.parametrize("known_on", ["2026-01-08T03:00:00Z", "2026-01-09T02:59:59Z"])
def test_what_was_known_before_is_still_there(home, known_on):
    assert versions(home[0], "--as-known-on", known_on) == [
        ("2026-01-05", "2026-01-06", "100.00"),
        ("2026-01-06", "2026-01-07", "110.00"),
        ("2026-01-07", None, "120.00"),
    ]


def test_nothing_was_known_before_the_first_load(home):
    assert versions(home[0], "--as-known-on", "2026-01-08") == []


def test_the_ledger_keeps_who_and_why(home):
    record = home[1]
    assert (record.status, record.what) == ("withdrawn", "withdrawn: sent by mistake")
    detail = json.loads(record.detail)
    assert (detail["by"], detail["reason"]) == ("night shift", "sent by mistake")


def test_the_same_bytes_are_not_taken_in_again(home):
    _, _, again, refused, chain = home
    assert again == ([], [])
    assert chain == [date(2026, 1, 5), date(2026, 1, 7)]
    assert refused.code == "C360-109"
