"""Plausible rules: is a figure of a day what the days before it make likely? Pure functions, no Spark and no clock.

A figure is one number of a feed-day or of a gold table-day, such as its rows or a sum. It is held against a band: absolute bounds, or
shares below and above the median of the newest known days before it. Whoever calls says which days are known, so days judged singly
and days judged as one range meet the same band.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from statistics import median
from typing import Any

# Figures and bounds have the scale of meta.metrics.
SCALE = Decimal("0.00000001")
SHRANK = "C360-261"
LIKE = ("weekday", "month_end")
METRIC = re.compile(r"^(?:rows|(sum|share_null|share)\((.+)\))$")
_AGAINST = re.compile(r"^median of ([1-9]\d*) trading days$")
_SHARE = re.compile(r"^(\d+(?:\.\d+)?)%$")

Figures = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class PlausibleRule:
    """One rule about the figure `metric` of a day.

    days:      how many known days the median is taken of; 0: `below` and `above` are absolute bounds.
    below, above: with `days`, how far the figure may lie under and over the median, as a share of it; null: any distance.
    like:      compare with days of the same weekday, or month ends with month ends and other days with other days, where
               `at_least` of them are known; else with all days.
    at_least:  with fewer known days the rule says nothing.
    minimum:   in a table whose median has fewer rows than this, the shares grow in proportion: there one row is a large share.
    code:      what a broken rule of severity `stop` is called.
    """

    name: str
    metric: str
    severity: str
    message: str
    days: int = 0
    below: Decimal | None = None
    above: Decimal | None = None
    like: str | None = None
    at_least: int = 1
    minimum: int = 0
    code: str = "C360-262"
    version: int = 1
    nature: str = "plausible"

    @property
    def band(self) -> str:
        """The band in words."""
        if not self.days:
            bounds = (("at least", self.below), ("at most", self.above))
            return " and ".join(f"{word} {_plain(bound)}" for word, bound in bounds if bound is not None)
        shares = ((self.below, "less"), (self.above, "more"))
        allowed = " or ".join(f"{_percent(share)} {word}" for share, word in shares if share is not None)
        return f"{allowed} than the median of {self.days} trading days" + (
            f" like it by {self.like}" if self.like else ""
        )


@dataclass(frozen=True)
class Finding:
    """What one rule says of one day. `value` null: the day has no such figure; `known`: days the median was taken of.

    `low` and `high` are null where that side is open. `is_silent`: there was nothing to compare, or nothing to compare with.
    """

    layer: str
    table: str
    business_date: date
    rule: PlausibleRule
    value: Decimal | None
    known: int = 0
    median: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def is_silent(self) -> bool:
        return self.value is None or (self.rule.days > 0 and self.median is None)

    @property
    def outside(self) -> Decimal | None:
        """How far the figure lies under (negative) or over its band; 0 inside, null when the rule is silent."""
        if self.is_silent:
            return None
        if self.low is not None and self.value < self.low:
            return self.value - self.low
        if self.high is not None and self.value > self.high:
            return self.value - self.high
        return Decimal(0)

    @property
    def is_broken(self) -> bool:
        return bool(self.outside)

    def sentence(self) -> str:
        """The finding in words, figures of the whole table only."""
        rule = self.rule
        if self.value is None:
            return f"{rule.metric} of no rows says nothing (rule {rule.name})"
        if self.is_silent:
            return f"not enough history: {self.known} of {rule.at_least} days are known (rule {rule.name})"
        text = f"{rule.message}: {rule.metric} is {_plain(self.value)}"
        if self.median is not None:
            text += (
                f", {_distance(self.value, self.median)} the median {_plain(self.median)} of {self.known} trading days"
            )
        bounds = (("at least", self.low), ("at most", self.high))
        allowed = " and ".join(f"{word} {_plain(bound)}" for word, bound in bounds if bound is not None)
        return f"{text}; {allowed} is allowed (rule {rule.name})"


def judge(
    rule: PlausibleRule,
    layer: str,
    table: str,
    day: date,
    figures: Figures,
    history: Mapping[date, Figures],
    is_month_end: Callable[[date], bool],
) -> Finding:
    """Hold the figure of `day` against its band. `history`: the figures of every known day; those from `day` on are not looked at."""
    value = figures.get(rule.metric)
    if not rule.days:
        return Finding(layer, table, day, rule, value, low=rule.below, high=rule.above)
    known = [other for other, values in history.items() if values.get(rule.metric) is not None]
    chosen = reference_days(rule, day, known, is_month_end)
    if len(chosen) < rule.at_least:
        return Finding(layer, table, day, rule, value, known=len(chosen))
    with localcontext(prec=76):
        middle = median(history[other][rule.metric] for other in chosen)
        room = abs(middle)
        if rule.minimum:
            rows = median(history[other].get("rows") or Decimal(0) for other in chosen)
            room = room * max(rows, rule.minimum) / rows if rows else Decimal(0)
        low, high = (
            None if share is None else (middle + sign * share * room).quantize(SCALE, ROUND_HALF_UP)
            for sign, share in ((-1, rule.below), (1, rule.above))
        )
    return Finding(layer, table, day, rule, value, len(chosen), middle, low, high)


def reference_days(
    rule: PlausibleRule, day: date, known: Iterable[date], is_month_end: Callable[[date], bool]
) -> list[date]:
    """The days whose median `day` is held against: the newest `rule.days` before it, of its own class where enough are known."""
    earlier = sorted((other for other in known if other < day), reverse=True)
    if rule.like:
        kind = is_month_end if rule.like == "month_end" else date.isoweekday
        alike = [other for other in earlier if kind(other) == kind(day)]
        if len(alike) >= rule.at_least:
            earlier = alike
    return earlier[: rule.days]


def read_against(text: object) -> int | None:
    """`median of 5 trading days` → 5; null for anything else."""
    match = _AGAINST.match(str(text))
    return int(match.group(1)) if match else None


def read_share(text: object) -> Decimal | None:
    """`5%` → 0.05; null for anything else."""
    match = _SHARE.match(str(text))
    return Decimal(match.group(1)) / 100 if match else None


def shrink_rules(entry: Mapping[str, Any]) -> tuple[PlausibleRule, ...]:
    """The rules of a contract's `shrink_limit`, one a measure. The entry must be sound; see `shrink_faults`."""
    return tuple(
        PlausibleRule(
            f"{measure.replace('(', '_').rstrip(')')}_may_not_shrink",
            measure,
            "stop",
            "the full delivery shrank",
            days=read_against(entry["against"]),
            below=read_share(share),
            minimum=int(entry.get("minimum", 0)),
            code=SHRANK,
        )
        for measure, share in entry.items()
        if measure not in ("against", "minimum")
    )


def shrink_faults(entry: Mapping[str, Any], measures: Iterable[str]) -> Iterator[str]:
    """What is wrong with a contract's `shrink_limit`; `measures` are its control totals."""
    if read_against(entry.get("against")) is None:
        yield "shrink_limit.against is not: median of N trading days"
    if not isinstance(entry.get("minimum", 0), int):
        yield "shrink_limit.minimum is not a number of rows"
    for measure, share in entry.items():
        if measure in ("against", "minimum"):
            continue
        if measure not in measures:
            yield f"shrink_limit {measure} is not one of the control totals"
        if read_share(share) is None:
            yield f"shrink_limit {measure} is {share}, not a percentage"


_KEYS = {
    "rule",
    "enabled",
    "nature",
    "metric",
    "severity",
    "message",
    "version",
    "against",
    "within",
    "min",
    "max",
    "like",
    "at_least",
}


def plausible_rule(entry: Mapping[str, Any]) -> PlausibleRule:
    """The rule of a suite's entry of nature `plausible`. The entry must be sound; see `plausible_faults`."""
    within = read_share(entry.get("within"))
    bounds = [Decimal(str(entry[bound])) if bound in entry else None for bound in ("min", "max")]
    return PlausibleRule(
        entry["rule"],
        entry["metric"],
        entry["severity"],
        entry["message"],
        days=read_against(entry.get("against")) or 0,
        below=bounds[0] if within is None else within,
        above=bounds[1] if within is None else within,
        like=entry.get("like"),
        at_least=int(entry.get("at_least", 1)),
        version=int(entry.get("version", 1)),
    )


def plausible_faults(entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a suite's entry of nature `plausible`."""
    yield from (f"has an unknown entry {name}" for name in sorted(entry.keys() - _KEYS))
    if not METRIC.match(str(entry.get("metric"))):
        yield "needs a metric: rows, sum(column), share_null(column) or share(expression)"
    if entry.get("severity") not in ("stop", "warn"):
        yield "has a severity of stop or warn: a figure cannot go to quarantine"
    if entry.get("like") not in (None, *LIKE):
        yield f"likens days by {' or '.join(LIKE)}"
    is_relative = read_against(entry.get("against")) is not None and read_share(entry.get("within")) is not None
    is_absolute = not entry.keys() & {"against", "within", "like", "at_least"} and bool(entry.keys() & {"min", "max"})
    if not (is_relative and not entry.keys() & {"min", "max"}) and not is_absolute:
        yield "needs against: median of N trading days with within: N%, or min and max"


def _plain(value: Decimal) -> str:
    """Thousands separated, no more decimals than there are."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(share: Decimal) -> str:
    return f"{_plain(share * 100)}%"


def _distance(value: Decimal, middle: Decimal) -> str:
    if value == middle:
        return "equal to"
    word = "under" if value < middle else "over"
    return f"{abs(value - middle) / abs(middle):.1%} {word}" if middle else word
