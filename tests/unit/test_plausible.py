"""Plausible rules on days a reader can work out by hand: the median, the band, days that are alike, and what says nothing."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.gold.tables import TABLES
from spark_jobs.quality import judgement
from spark_jobs.quality.gates import broken_days
from spark_jobs.quality.metrics import figures
from spark_jobs.quality.plausible import METRIC, PlausibleRule, judge, reference_days, shrink_rules
from spark_jobs.quality.rules import SUITES, plausible_rules, suite

MONDAY = date(2026, 1, 5)
DAYS = [MONDAY + timedelta(days=7 * week + day) for week in range(4) for day in range(5)]
MONTH_ENDS = {date(2026, 1, 30), date(2025, 12, 31), date(2025, 11, 28)}


def rule(**changes: object) -> PlausibleRule:
    given = {"days": 5, "below": Decimal("0.2"), "above": Decimal("0.2"), "at_least": 3} | changes
    return PlausibleRule("rows_are_as_usual", given.pop("metric", "rows"), "warn", "the rows are unusual", **given)


def decide(checked: PlausibleRule, value: object, earlier: dict[date, object], day: date = DAYS[-1]):
    history = {one: {checked.metric: Decimal(number), "rows": Decimal(number)} for one, number in earlier.items()}
    figure = None if value is None else Decimal(str(value))
    return judge(checked, "silver", "some__feed", day, {checked.metric: figure}, history, MONTH_ENDS.__contains__)


def level(*numbers: int) -> dict[date, int]:
    """These figures on the days just before the last."""
    return dict(zip(DAYS[-1 - len(numbers) : -1], numbers, strict=True))


@pytest.mark.parametrize(
    ("value", "outside"),
    [("80", "0"), ("120", "0"), ("79.99", "-0.01"), ("120.01", "0.01"), ("0", "-80"), ("100", "0")],
)
def test_a_figure_on_the_edge_of_its_band_is_inside(value, outside):
    found = decide(rule(), value, level(90, 100, 110, 100, 100))
    assert (found.median, found.low, found.high) == (100, 80, 120)
    assert found.outside == Decimal(outside)
    assert found.is_broken == (found.outside != 0)


def test_one_odd_day_does_not_move_the_median():
    assert decide(rule(), "100", level(100, 100, 5000, 100, 100)).outside == 0


def test_the_median_of_an_even_number_of_days_is_exact():
    assert decide(rule(), "100", level(1, 100, 101, 9999)).median == Decimal("100.5")


def test_only_the_newest_known_days_before_the_day_count():
    found = decide(rule(days=3), "100", level(1, 1, 1, 100, 100, 100) | {DAYS[-1]: 7, DAYS[-1] + timedelta(days=1): 7})
    assert (found.median, found.known) == (100, 3)


def test_a_band_may_be_open_on_one_side():
    assert decide(rule(above=None), "900", level(100, 100, 100)).outside == 0
    assert decide(rule(above=None), "79", level(100, 100, 100)).outside == -1


def test_an_absolute_band_needs_no_history():
    absolute = rule(days=0, below=Decimal(1), above=Decimal(5))
    assert [decide(absolute, value, {}).outside for value in ("0.5", "1", "5", "7")] == [Decimal("-0.5"), 0, 0, 2]


def test_too_few_known_days_say_so_and_pass():
    found = decide(rule(), "0", level(100, 100))
    assert (found.is_silent, found.is_broken, found.outside) == (True, False, None)
    assert found.sentence() == "not enough history: 2 of 3 days are known (rule rows_are_as_usual)"


def test_a_median_of_zero_allows_nothing_but_zero():
    assert decide(rule(), "0", level(0, 0, 0)).outside == 0
    assert decide(rule(), "1", level(0, 0, 0)).is_broken


def test_a_negative_level_has_its_band_around_it():
    found = decide(rule(), "-121", level(-100, -100, -100))
    assert (found.low, found.high, found.outside) == (-120, -80, -1)


def test_a_day_without_the_figure_says_nothing_and_is_no_measure():
    assert decide(rule(), None, level(100, 100, 100)).is_silent
    history = {day: {"rows": None} for day in DAYS[:5]}
    assert judge(rule(), "gold", "t", DAYS[-1], {"rows": Decimal(1)}, history, MONTH_ENDS.__contains__).known == 0


def test_mondays_are_compared_with_mondays_where_enough_are_known():
    alike = rule(like="weekday")
    monday = DAYS[15]
    assert reference_days(alike, monday, DAYS, MONTH_ENDS.__contains__) == [DAYS[10], DAYS[5], DAYS[0]]
    assert reference_days(alike, DAYS[10], DAYS, MONTH_ENDS.__contains__) == DAYS[9:4:-1], "two Mondays are too few"


def test_month_ends_are_compared_with_month_ends_and_other_days_with_other_days():
    alike = rule(like="month_end", at_least=2)
    known = [*sorted(MONTH_ENDS)[:2], *DAYS]
    day = date(2026, 1, 30)
    assert reference_days(alike, day, known, MONTH_ENDS.__contains__) == [date(2025, 12, 31), date(2025, 11, 28)]
    ordinary = reference_days(alike, date(2026, 1, 8), known, MONTH_ENDS.__contains__)
    assert ordinary == DAYS[2::-1], "the last day of the year is left out"
    assert date(2025, 12, 31) in reference_days(rule(), date(2026, 1, 8), known, MONTH_ENDS.__contains__)


def test_the_sentence_says_by_how_much():
    sentence = decide(rule(), "50", level(100, 100, 100)).sentence()
    assert sentence == (
        "the rows are unusual: rows is 50, 50.0% under the median 100 of 3 trading days; "
        "at least 80 and at most 120 is allowed (rule rows_are_as_usual)"
    )


# ---------------------------------------------------------------- shrink limits

LIMIT = {"rows": "5%", "sum(balance_amount)": "30%", "against": "median of 5 trading days", "minimum": 100}


@pytest.mark.parametrize(("known", "rows", "broken"), [(1000, 950, False), (1000, 949, True), (1000, 4000, False)])
def test_a_full_feed_may_lose_its_limit_and_grow_as_it_likes(known, rows, broken):
    assert decide(shrink_rules(LIMIT)[0], rows, level(known)).is_broken is broken


@pytest.mark.parametrize(
    ("known", "rows", "broken"), [(40, 35, False), (40, 34, True), (8, 3, False), (8, 2, True), (5, 0, False)]
)
def test_a_small_feed_does_not_trip_on_one_row(known, rows, broken):
    """Under 100 rows the limit is 5 rows: 5% of the minimum."""
    assert decide(shrink_rules(LIMIT)[0], rows, level(known)).is_broken is broken


def test_a_total_has_a_limit_of_its_own():
    limit = shrink_rules(LIMIT)[1]
    history = {DAYS[0]: {"rows": Decimal(50), "sum(balance_amount)": Decimal(1000)}}

    def outside(value: int) -> Decimal:
        figure = {"sum(balance_amount)": Decimal(value)}
        return judge(limit, "silver", "f", DAYS[1], figure, history, MONTH_ENDS.__contains__).outside

    # Half of the minimum's rows: twice the share, 600 of 1000.
    assert (outside(400), outside(399)) == (0, -1)


def test_every_full_feed_has_a_limit():
    catalogue = load_catalogue()
    assert all(bool(contract.shrink_limit) == (contract.mode == "full") for contract in catalogue)


def judged(days_at_once: list[list[int]], approved: frozenset[int] = frozenset()) -> list[tuple[int, bool]]:
    """(position, held) of a feed's days, taken in ranges; a day's digest is its position."""
    rows = [1000, 1000, 1000, 400, 990, 400, 400, 380]
    contract = SimpleNamespace(feed="f", meant_feed="f", shrink_limit=shrink_rules(LIMIT)[:1])
    known: dict[date, dict[str, Decimal]] = {}
    run = SimpleNamespace(
        metrics=SimpleNamespace(history=lambda layer, table: known),
        approvals=SimpleNamespace(of=lambda kind, feed, day, digest: int(digest) in approved or None),
        calendar=SimpleNamespace(is_month_last=MONTH_ENDS.__contains__),
    )
    loaded, results = {}, []
    for positions in days_at_once:
        # What a range notes before it is judged to its end must not matter.
        known.update({DAYS[position]: {"rows": Decimal(rows[position])} for position in positions})
        for position in positions:
            found = judgement.judge_feed_day(run, contract, DAYS[position], known[DAYS[position]], loaded)
            is_held = any(finding.is_broken for finding in found) and position not in approved
            results.append((position, is_held))
            if not is_held:
                loaded[DAYS[position]] = str(position)
    return results


@pytest.mark.parametrize("approved", [frozenset(), frozenset({5})])
def test_days_taken_singly_and_as_one_range_are_judged_alike(approved):
    singly = judged([[position] for position in range(8)], approved)
    assert judged([list(range(8))], approved) == judged([[0, 1], [2, 3, 4, 5], [6, 7]], approved) == singly
    held = [position for position, is_held in singly if is_held]
    # A held day is no measure; an accepted one starts a level of its own, on which the next days are judged.
    assert held == ([3] if approved else [3, 5, 6, 7])


# ---------------------------------------------------------------- figures and written rules


def test_a_share_is_a_share_of_the_rows_and_of_no_rows_nothing():
    parts = [{"rows": Decimal(2), "share_null(a)": Decimal(1)}, {"rows": Decimal(1), "share_null(a)": Decimal(0)}]
    assert figures(["rows", "share_null(a)"], parts) == {"rows": 3, "share_null(a)": Decimal("0.33333333")}
    assert figures(["rows", "sum(a)", "share(a > 1)"], []) == {"rows": 0, "sum(a)": 0, "share(a > 1)": None}


def test_days_on_which_nothing_is_broken_are_counted_too():
    fine, bad = decide(rule(), "100", level(100, 100, 100)), decide(rule(), "10", level(100, 100, 100))
    assert broken_days([fine]) == {("some__feed", "rows_are_as_usual"): 0}
    assert broken_days([fine, bad]) == {("some__feed", "rows_are_as_usual"): 1}


@pytest.mark.parametrize("path", sorted(SUITES.glob("*/*.yml")), ids=lambda path: path.stem)
def test_written_rules_look_at_columns_that_exist(path: Path):
    layer, table = path.parent.name, path.stem
    found = plausible_rules(layer, table)
    assert suite(layer, table) or found
    for column in (METRIC.match(one.metric).group(2) for one in found if not one.metric.startswith("share(")):
        if column is not None:
            contract = load_catalogue()[table] if layer == "silver" else None
            names = contract.bronze_columns if contract else re.findall(r"(\w+) [a-z]", TABLES[table].columns)
            assert column in names


WRITTEN = "rules:\n  - {rule: r, nature: plausible, metric: rows, against: median of 5 trading days, within: 20%, severity: warn, message: m}\n"


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("nature: plausible", "nature: likely", "needs a nature"),
        ("metric: rows", "metric: average(a)", "needs a metric"),
        ("median of 5 trading days", "median of some days", "needs against"),
        ("within: 20%", "within: 20%, max: 5", "needs against"),
        ("severity: warn", "severity: quarantine", "has a severity of stop or warn"),
        ("severity: warn", "severity: warn, like: full_moon", "likens days by weekday or month_end"),
        ("severity: warn", "severity: warn, withn: 3%", "has an unknown entry withn"),
        ("severity: warn", "severity: warn, enabled: later", "is enabled or not"),
    ],
)
def test_a_faulty_rule_is_named(tmp_path: Path, right, wrong, fault):
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "trades.yml").write_text(WRITTEN.replace(right, wrong))
    with pytest.raises(ConfigurationError, match="C360-104") as error:
        plausible_rules("gold", "trades", tmp_path)
    assert f"trades.yml: r {fault}" in str(error.value)


def test_a_sound_rule_is_read_as_it_is_written(tmp_path: Path):
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "trades.yml").write_text(WRITTEN)
    share = Decimal("0.2")
    expected = PlausibleRule("r", "rows", "warn", "m", days=5, below=share, above=share)
    assert plausible_rules("gold", "trades", tmp_path) == [expected]
    assert suite("gold", "trades", tmp_path) == []


@pytest.mark.parametrize(("enabled", "count"), [("true", 1), ("false", 0)])
def test_a_rule_that_is_switched_off_is_kept_and_not_asked(tmp_path: Path, enabled, count):
    (tmp_path / "gold").mkdir()
    row = (
        f"  - {{rule: s, nature: logical, kind: not_null, column: a, severity: warn, message: m, enabled: {enabled}}}\n"
    )
    text = WRITTEN.replace("severity: warn", f"severity: warn, enabled: {enabled}") + row
    (tmp_path / "gold" / "trades.yml").write_text(text)
    assert (len(plausible_rules("gold", "trades", tmp_path)), len(suite("gold", "trades", tmp_path))) == (count, count)


def test_figures_of_marts_have_no_rules(tmp_path: Path):
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "mart_x.yml").write_text(WRITTEN)
    with pytest.raises(ConfigurationError, match="marts has no figures of days"):
        suite("marts", "mart_x", tmp_path)
