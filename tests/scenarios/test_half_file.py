"""A full delivery that lost half of its rows: held, yesterday stays, nothing closes; a person lets it in, and only then it closes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import simulator
from simulator.faults import plant
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import find_delivery
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.quality.approvals import Request
from tests.loading import LoadedBroker, load_home

FEED, MASTER = "normal_counter__cash_balances", "normal_counter__clients"
REASON = "the branch in question was sold"


@pytest.fixture(scope="module")
def days_and_home(tmp_path_factory) -> tuple[list[date], Path]:
    home = tmp_path_factory.mktemp("half")
    days = simulator.simulate(home, customers=60, days=3, seed=7, start=date(2026, 9, 24)).dates
    for feed in (FEED, MASTER):
        plant(home / "landing", "half_file", feed=feed, date=days[-1].isoformat())
    return days, home


@pytest.fixture(scope="module")
def held(spark, days_and_home) -> LoadedBroker:
    """All days as one range; the last has two halved files."""
    return load_home(days_and_home[1])


def ask(broker: LoadedBroker, table: str, query: str) -> list[tuple]:
    with connect_delta() as connection:
        connection.execute(f"create view asked as select * from delta_scan('{broker.settings.lake}/{table}')")
        return connection.execute(query).fetchall()


def days_in_silver(broker: LoadedBroker, feed: str) -> set[date]:
    return {day for (day,) in ask(broker, f"silver/{feed}", "select distinct business_date from asked")}


def closed_keys(broker: LoadedBroker, feed: str, day: date) -> int:
    query = f"select count(*) from asked where business_date = '{day}' and _change = 'delete'"
    return ask(broker, f"changes/{feed}", query)[0][0]


def test_the_feed_is_held_and_says_by_how_much_and_what_to_do(held, days_and_home):
    days, _ = days_and_home
    assert {(item["feed"], item["status"], item["code"]) for item in held.summary["problems"]} == {
        (FEED, "held", "C360-261"),
        (MASTER, "held", "C360-261"),
    }
    for problem in held.summary["problems"]:
        assert problem["business_date"] == days[-1].isoformat()
        assert "% under the median" in problem["what"] and "of 3 trading days" in problem["what"]
        assert f"c360 load --date {days[-1]} --accept-shrink {problem['feed']} --reason" in problem["next"]


def test_yesterday_is_published_and_nothing_of_the_day_is_built(held, days_and_home):
    days, _ = days_and_home
    assert held.summary["as_of_date"] == days[-2].isoformat()
    for feed in (FEED, MASTER):
        assert days_in_silver(held, feed) == set(days[:-1])
        assert closed_keys(held, feed, days[-1]) == 0


def test_every_figure_is_a_metric_and_the_slices_hold_what_was_kept(held, days_and_home):
    days, home = days_and_home
    query = "select metric, value from asked where layer = '{}' and \"table\" = '{}' and business_date = '{}'"
    read, kept = (dict(ask(held, "meta/metrics", query.format(layer, FEED, days[1]))) for layer in ("bronze", "silver"))
    manifest = json.loads((home / "landing" / str(days[1]) / FEED / "manifest.json").read_text(encoding="utf-8"))
    stated = {name: Decimal(value) for name, value in manifest["control_totals"].items()}
    assert {name: read[name] for name in stated} == stated
    assert kept["slice_sum(balance_amount)"] == kept["sum(balance_amount)"] + kept["carried_sum(balance_amount)"]
    assert kept["broken(parts_make_the_balance)"] == 0
    gold = dict(ask(held, "meta/metrics", query.format("gold", "customer_assets", days[1])))
    total = f"select sum(total_asset_amount) from asked where business_date = '{days[1]}'"
    assert gold["sum(total_asset_amount)"] == ask(held, "gold/customer_assets", total)[0][0] > 0


def test_the_data_docs_show_the_figures(held):
    pages = list((held.settings.work / "data_docs" / "silver").rglob("*.html"))
    assert any("rows_may_not_shrink" in page.read_text(encoding="utf-8") for page in pages)


def test_nobody_accepts_what_is_not_held(held, days_and_home):
    days, home = days_and_home
    before = ask(held, "meta/deliveries", "select count(*) from asked")
    with pytest.raises(ConfigurationError, match="C360-132"):
        load_home(home, [days[1]], accept=Request(FEED, days[1], REASON, "a.person"))
    assert ask(held, "meta/deliveries", "select count(*) from asked") == before


def test_what_is_accepted_loads_and_closes_with_who_and_why(held, days_and_home):
    days, home = days_and_home
    last = days[-1]
    first = load_home(home, [last], accept=Request(FEED, last, REASON, "a.person"))
    assert {item["feed"] for item in first.summary["problems"]} == {MASTER}, "one decision releases one feed"
    assert closed_keys(first, FEED, last) > 0 and closed_keys(first, MASTER, last) == 0
    assert first.summary["as_of_date"] == days[-2].isoformat()
    second = load_home(home, [last], accept=Request(MASTER, last, REASON, "a.person"))
    # Half the balances let in still do not agree with the bank: the day waits for the reconciliation, not for the breaker.
    assert {item["code"] for item in second.summary["problems"]} == {"C360-271"}
    assert second.summary["published"] == [] and second.summary["blocked"] == {}
    assert closed_keys(second, MASTER, last) > 0
    digest = find_delivery(home / "landing", load_catalogue()[FEED], last).digest
    kept = ask(
        second, "meta/approvals", f"select kind, business_date, digest, reason, who from asked where feed = '{FEED}'"
    )
    assert kept == [("accept_shrink", last, digest, REASON, "a.person")]


def test_other_bytes_need_another_decision(held, days_and_home):
    days, home = days_and_home
    folder = home / "landing" / days[-1].isoformat() / FEED
    shutil.copytree(folder, home / "accepted")
    plant(home / "landing", "half_file", feed=FEED, date=days[-1].isoformat())
    again = load_home(home, [days[-1]])
    assert [(item["feed"], item["code"]) for item in again.summary["problems"]] == [(FEED, "C360-261")]
    with pytest.raises(ConfigurationError, match="C360-132"):
        shutil.rmtree(folder)
        shutil.copytree(home / "accepted", folder)
        load_home(home, [days[-1]], accept=Request(FEED, days[-1], REASON, "a.person"))
