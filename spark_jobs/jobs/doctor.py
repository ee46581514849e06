"""Preflight: everything a load needs, looked at before it starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from spark_jobs.config import POSTGRES_VARIABLE, Settings
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import C360Error
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.ingest.vault import load_keys
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import connect_delta
from spark_jobs.publish.postgres_store import PostgresStore
from spark_jobs.quality.rules import SUITES, suite
from spark_jobs.reconcile.checks import load_checks
from spark_jobs.trading_calendar import trading_calendar

_LEAST_FREE_BYTES = 2 * 1024**3


def examine(settings: Settings) -> list[dict[str, Any]]:
    """One finding per check: name, ok, detail. Never raises for what it checks."""
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("Java", _java), ("jars", _jars), ("feed contracts", _contracts), ("rules", _rules),
        ("reconciliation", _reconciliation), ("dictionary", _dictionary), ("keys", _keys),
        ("trading calendar", _calendar), ("DuckDB Delta extension", _duckdb), ("disk", _disk), ("landing", _landing), ("serving store", _serving),
    ]  # fmt: skip
    findings = []
    for name, check in checks:
        try:
            findings.append({"check": name, "ok": True, "detail": check(settings)})
        except C360Error as error:
            findings.append({"check": name, "ok": False, "detail": str(error)})
        except (OSError, subprocess.SubprocessError) as error:
            findings.append({"check": name, "ok": False, "detail": type(error).__name__})
    return findings


def _java(settings: Settings) -> str:
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=20, check=True).stderr
    major = re.search(r'version "(\d+)', text)
    if not major or int(major.group(1)) not in (17, 21):
        raise OSError(text)
    return f"Java {major.group(1)}"


def _jars(settings: Settings) -> str:
    names = [jar.name for jar in settings.jars.glob("io.delta_delta-spark*.jar")]
    return names[0] if names else "will be fetched from Maven Central at the first start"


def _contracts(settings: Settings) -> str:
    feeds = f"{len(load_catalogue(settings.catalogue, settings.migrations))} feeds"
    return f"{feeds}, migrations: {', '.join(sorted(settings.migrations))}" if settings.migrations else feeds


def _rules(settings: Settings) -> str:
    files = sorted(SUITES.glob("*/*.yml"))
    return f"{sum(len(suite(path.parent.name, path.stem)) for path in files)} written rules in {len(files)} suites"


def _reconciliation(settings: Settings) -> str:
    return f"{len(load_checks(load_catalogue(settings.catalogue, settings.migrations)))} checks"


def _dictionary(settings: Settings) -> str:
    return f"{len(read_dictionary())} columns"


def _keys(settings: Settings) -> str:
    load_keys(settings.vault, os.environ)
    return (
        "from the environment"
        if "C360_SECRET_MASTER_KEY" in os.environ
        else "embedded (set C360_SECRET_MASTER_KEY in production)"
    )


def _calendar(settings: Settings) -> str:
    return f"known until {trading_calendar(settings.calendar_overrides).last_day}"


def _duckdb(settings: Settings) -> str:
    connect_delta().close()
    return "loaded without network"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home).free
    if free < _LEAST_FREE_BYTES:
        raise OSError("disk")
    return f"{free // 1024**3} GiB free"


def _landing(settings: Settings) -> str:
    days = delivered_days(settings.landing)
    return f"{len(days)} business dates, {days[0]} to {days[-1]}" if days else "empty: c360 simulate, or deliver files"


def _serving(settings: Settings) -> str:
    serving = PostgresStore.of(os.environ)
    return serving.examine() if serving else f"the published file alone (set {POSTGRES_VARIABLE} in production)"


def show(findings: list[dict[str, Any]], console: Console) -> None:
    table = Table(show_header=False)
    for finding in findings:
        table.add_row("[green]ok[/]" if finding["ok"] else "[red]no[/]", finding["check"], finding["detail"])
    console.print(table)
