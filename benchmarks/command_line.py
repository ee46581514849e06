"""What every benchmark's command line does: measure in a folder that is gone afterwards, print the table, keep it if asked."""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil


def run_benchmark(script: str, description: str, measure: Callable[..., list[str]], **sizes: int) -> None:
    """`measure(*sizes, folder)` gives the Markdown lines. Each size is an option with its default; `--write` keeps the table beside the script."""
    table = Path(script).with_suffix(".md")
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--write", action="store_true", help=f"keep the table in benchmarks/{table.name}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
        text = "\n".join(measure(*(getattr(arguments, name) for name in sizes), Path(folder)))
    print(text)
    if arguments.write:
        table.write_text(text + "\n", encoding="utf-8")


def when_and_where() -> str:
    """The beginning of the line under a table's title: seconds are those of one day and machine."""
    return f"`make bench`, {date.today()}, {machine()}"


def machine() -> str:
    """What ran: processor, cores and Python."""
    return f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}"
