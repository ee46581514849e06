"""A plugin for `make acceptance`: what was run, in a table that is kept: `pytest -p tests.results_table --table FILE`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pytest

from benchmarks.command_line import machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, required=True, help="Markdown file the results are written to")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        given = [str(one) for one in config.invocation_params.args]
        where = {place for place, one in enumerate(given) if one in ("-p", "--table")}
        asked = " ".join(
            one
            for place, one in enumerate(given)
            if not where & {place, place - 1} and not one.startswith("--basetemp")
        )
        config.pluginmanager.register(_Results(config.getoption("--table"), asked), "results")


class _Results:
    """Grain of the table: a module, and a seed where one was given."""

    def __init__(self, table: Path, asked: str) -> None:
        self._table, self._asked = table, asked
        self._outcomes: dict[str, Counter] = defaultdict(Counter)
        self._seconds: Counter = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        module, _, case = report.nodeid.partition("::")
        seed = re.search(r"seed-(\d+)", case)
        name = f"{module} (seed {seed[1]})" if seed else module
        self._seconds[name] += report.duration
        if report.failed or report.when == "call" or report.skipped:
            self._outcomes[name][report.outcome] += 1

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        rows = [
            f"| `{name}` | {counts['passed']} | {counts['failed']} | {counts['skipped']} | {self._seconds[name]:.0f} |"
            for name, counts in sorted(self._outcomes.items())
        ]
        sums = {
            outcome: sum(counts[outcome] for counts in self._outcomes.values())
            for outcome in ("passed", "failed", "skipped")
        }
        self._table.write_text(
            "\n".join(
                [
                    "## Acceptance",
                    "",
                    f"`pytest {self._asked}`, {date.today()}, {machine()}, ended with {int(exitstatus)}.",
                    "Seconds are those of one process; two run at once.",
                    "",
                    "| module | passed | failed | skipped | s |",
                    "|---|---:|---:|---:|---:|",
                    *rows,
                    f"| **all** | {sums['passed']} | {sums['failed']} | {sums['skipped']} | {sum(self._seconds.values()):.0f} |",
                    "",
                ]
            ),
            encoding="utf-8",
        )
