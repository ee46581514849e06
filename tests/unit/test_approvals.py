"""A person's decision about a delivery that waits: complete, about what was held or missing, about exactly these bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from spark_jobs.cli import app
from spark_jobs.errors import ConfigurationError
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.approvals import SHRINK, WITHOUT, Approvals, Request, shrink_request, without_request

MONDAY = date(2026, 1, 5)
HELD = DeliveryRecord("f", MONDAY, 1, 1, "held", digest="abc", code="C360-261")


class SomeLake:
    """Keeps what is appended, in place of a lake."""

    def __init__(self) -> None:
        self.rows: list[tuple] = []
        self.spark = SimpleNamespace(createDataFrame=lambda rows, schema: SimpleNamespace(coalesce=lambda n: rows))

    def exists(self, layer: str, name: str) -> bool:
        return False

    def append(self, rows: list[tuple], layer: str, name: str, metadata: dict) -> None:
        self.rows += rows


@pytest.mark.parametrize(
    "given",
    [
        ("f", MONDAY, None, None), ("f", MONDAY, "  ", None), ("f", None, "why", None), (None, MONDAY, "why", None),
        (None, None, None, "me"),
    ],
)  # fmt: skip
def test_a_decision_needs_a_feed_a_date_and_a_reason(given):
    with pytest.raises(ConfigurationError, match="C360-131"):
        shrink_request(*given)


def test_who_decides_is_named_or_logged_in(monkeypatch):
    monkeypatch.setenv("LOGNAME", "night.shift")
    assert shrink_request("f", MONDAY, " why ", None).who == "night.shift"
    assert shrink_request("f", MONDAY, " why ", "a.person") == shrink_request("f", MONDAY, "why", " a.person ")
    assert shrink_request(None, None, None, None) is None


def test_the_command_line_refuses_a_decision_without_a_reason_before_it_starts():
    result = CliRunner().invoke(app, ["load", "--date", "2026-01-05", "--accept-shrink", "f"])
    assert isinstance(result.exception, ConfigurationError) and result.exception.code == "C360-131"
    assert result.exception.exit_code == 2


@pytest.mark.parametrize(
    ("held", "digest"),
    [
        (None, "abc"), (replace(HELD, status="loaded", code=""), "abc"), (replace(HELD, code="C360-253"), "abc"), (HELD, "other"),
        (HELD, None),
    ],
)  # fmt: skip
def test_nobody_accepts_what_is_not_held_because_it_shrank(held, digest):
    lake = SomeLake()
    with pytest.raises(ConfigurationError, match="C360-132"):
        Approvals(lake).accept_shrink(Request("f", MONDAY, "why", "me"), held, digest, 2)
    assert lake.rows == []


def test_a_decision_is_kept_whole_and_speaks_of_these_bytes_only():
    lake = SomeLake()
    approvals = Approvals(lake)
    approvals.accept_shrink(Request("f", MONDAY, "why", "me"), HELD, "abc", 2)
    assert lake.rows == [("accept_shrink", "f", MONDAY, "abc", "why", "me", 2)]
    assert approvals.of(SHRINK, "f", MONDAY, "abc").who == "me"
    assert approvals.of(SHRINK, "f", MONDAY, "other") is approvals.of(SHRINK, "g", MONDAY, "abc") is None


STATE, EVENTS = SimpleNamespace(mode="full"), SimpleNamespace(mode="event")
MISSING = replace(HELD, status="missing", digest="")


def without(reason: str = "why") -> Request:
    return without_request("f", MONDAY, reason, "me")


@pytest.mark.parametrize(
    ("contract", "waiting", "is_known"),
    [
        (EVENTS, MISSING, True), (STATE, None, True), (STATE, replace(HELD, status="loaded"), True),
        (STATE, replace(HELD, status="carried"), True), (STATE, MISSING, False),
    ],
)  # fmt: skip
def test_a_day_goes_on_without_a_state_that_waits_and_has_one_before_alone(contract, waiting, is_known):
    lake = SomeLake()
    with pytest.raises(ConfigurationError, match="C360-130"):
        Approvals(lake).leave_out(without(), contract, waiting, is_known, 2)
    assert lake.rows == []


@pytest.mark.parametrize("waiting", [HELD, MISSING])
def test_a_decision_to_go_on_speaks_of_what_waits_alone(waiting):
    lake = SomeLake()
    approvals = Approvals(lake)
    approvals.leave_out(without(" why "), STATE, waiting, True, 2)
    assert lake.rows == [("publish_without", "f", MONDAY, waiting.digest, "why", "me", 2)]
    assert approvals.of(WITHOUT, "f", MONDAY, waiting.digest).who == "me"
    assert (
        approvals.of(WITHOUT, "f", MONDAY, "other bytes") is approvals.of(SHRINK, "f", MONDAY, waiting.digest) is None
    )


def test_a_day_does_not_go_on_without_a_reason():
    with pytest.raises(ConfigurationError, match="C360-131"):
        without("  ")
