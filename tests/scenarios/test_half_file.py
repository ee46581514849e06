"""A full delivery that lost half of its rows: held, yesterday stays, nothing closes; a person lets it in, and only then it closes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal

import pytest

from simulator.faults import plant
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import find_delivery
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.quality.approvals import Request
from tests.loading import LoadedBroker, load_home
from tests.night import BALANCES as FEED
from tests.night import CLIENTS as MASTER
from tests.night import FILE_FAULTS, HALVED, Night

REASON = "the branch in question was sold"


def problems(broker: LoadedBroker, night: Night) -> list[dict]:
    """Those of the halved feeds."""
    return [
        item
        for item in broker.summary["problems"]
        if item["feed"] in HALVED and item["business_date"] == night.file_day.isoformat()
    ]


def ask(broker: LoadedBroker, table: str, query: str) -> list[tuple]:
    with connect_delta() as connection:
        connection.execute(f"create view asked as select * from delta_scan('{broker.settings.lake}/{table}')")
        return connection.execute(query).fetchall()


def days_in_silver(broker: LoadedBroker, feed: str) -> set[date]:
    return {day for (day,) in ask(broker, f"silver/{feed}", "select distinct business_date from asked")}


def closed_keys(broker: LoadedBroker, feed: str, day: date) -> int:
    query = f"select count(*) from asked where business_date = '{day}' and _change = 'delete'"
    return ask(broker, f"changes/{feed}", query)[0][0]


def test_the_feed_is_held_and_says_by_how_much_and_what_to_do(night):
    found = problems(night.first, night)
    assert {(item["feed"], item["status"], item["code"]) for item in found} == {
        (FEED, "held", "C360-261"),
        (MASTER, "held", "C360-261"),
    }
    for problem in found:
        assert "% under the median" in problem["what"] and "of 3 trading days" in problem["what"]
        assert f"c360 load --date {night.file_day} --accept-shrink {problem['feed']} --reason" in problem["next"]


def test_yesterday_is_published_and_nothing_of_the_day_is_built(night):
    assert night.first.summary["as_of_date"] == night.days[-2].isoformat()
    for feed in HALVED:
        assert days_in_silver(night.first, feed) == set(night.days[:-1])
        assert closed_keys(night.first, feed, night.file_day) == 0


def test_every_figure_is_a_metric_and_the_slices_hold_what_was_kept(night):
    day, held = night.days[1], night.first
    query = "select metric, value from asked where layer = '{}' and \"table\" = '{}' and business_date = '{}'"
    read, kept = (dict(ask(held, "meta/metrics", query.format(layer, FEED, day))) for layer in ("bronze", "silver"))
    manifest = json.loads((night.home / "landing" / str(day) / FEED / "manifest.json").read_text(encoding="utf-8"))
    stated = {name: Decimal(value) for name, value in manifest["control_totals"].items()}
    assert {name: read[name] for name in stated} == stated
    assert kept["slice_sum(balance_amount)"] == kept["sum(balance_amount)"] + kept["carried_sum(balance_amount)"]
    assert kept["broken(parts_make_the_balance)"] == 0
    gold = dict(ask(held, "meta/metrics", query.format("gold", "customer_assets", day)))
    total = f"select sum(total_asset_amount) from asked where business_date = '{day}'"
    assert gold["sum(total_asset_amount)"] == ask(held, "gold/customer_assets", total)[0][0] > 0


def test_the_data_docs_show_the_figures(night):
    pages = list((night.first.settings.work / "data_docs" / "silver").rglob("*.html"))
    assert any("rows_may_not_shrink" in page.read_text(encoding="utf-8") for page in pages)


def test_nobody_accepts_what_is_not_held(night):
    before = ask(night.first, "meta/deliveries", "select count(*) from asked")
    with pytest.raises(ConfigurationError, match="C360-132"):
        load_home(night.home, [night.days[1]], accept=Request(FEED, night.days[1], REASON, "a.person"))
    assert ask(night.first, "meta/deliveries", "select count(*) from asked") == before


def test_what_is_accepted_loads_and_closes_with_who_and_why(night):
    last = night.file_day
    first = load_home(night.home, [last], accept=Request(FEED, last, REASON, "a.person"))
    assert {item["feed"] for item in problems(first, night)} == {MASTER}, "one decision releases one feed"
    assert closed_keys(first, FEED, last) > 0 and closed_keys(first, MASTER, last) == 0
    assert first.summary["as_of_date"] == night.days[-2].isoformat()
    second = load_home(night.home, [last], accept=Request(MASTER, last, REASON, "a.person"))
    assert not problems(second, night)
    assert not set(HALVED) & set(second.summary["blocked"][last.isoformat()]), "other files still hold the day"
    assert closed_keys(second, MASTER, last) > 0
    digest = find_delivery(night.home / "landing", load_catalogue()[FEED], last).digest
    kept = ask(
        second, "meta/approvals", f"select kind, business_date, digest, reason, who from asked where feed = '{FEED}'"
    )
    assert kept == [("accept_shrink", last, digest, REASON, "a.person")]


@pytest.mark.acceptance
def test_a_day_let_in_with_half_its_balances_waits_for_the_reconciliation(night):
    """Half the balances do not agree with the bank, whoever let them in: it is not the breaker any more that holds the day."""
    for feed in FILE_FAULTS.values():
        night.mend(night.file_day, feed)
    loaded = load_home(night.home, [night.file_day])
    for problem in problems(loaded, night):
        accept = Request(problem["feed"], night.file_day, REASON, "a.person")
        loaded = load_home(night.home, [night.file_day], accept=accept)
    assert {item["code"] for item in loaded.summary["problems"]} == {"C360-271"}
    assert loaded.summary["published"] == [] and loaded.summary["blocked"] == {}


def test_other_bytes_need_another_decision(night, tmp_path):
    last = night.file_day
    folder = night.home / "landing" / last.isoformat() / FEED
    shutil.copytree(folder, tmp_path / "accepted")
    plant(night.home / "landing", "half_file", feed=FEED, date=last.isoformat())
    again = load_home(night.home, [last])
    assert [(item["feed"], item["code"]) for item in problems(again, night)] == [(FEED, "C360-261")]
    with pytest.raises(ConfigurationError, match="C360-132"):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "accepted", folder)
        load_home(night.home, [last], accept=Request(FEED, last, REASON, "a.person"))
