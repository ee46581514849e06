"""An invented securities broker: events first, delivered files and truth derived from them.

Imports nothing of the warehouse, so that a mistake there cannot hide in the data it is tested with.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.util
from pathlib import Path

from simulator.delivery import make_private
from simulator.run import SimulationSummary, run
from simulator.stage import canary_identity

__all__ = ["SimulationSummary", "canary", "simulate"]


def simulate(
    root: Path,
    customers: int,
    days: int,
    seed: int,
    start: dt.date,
    write_truth: bool = True,
    migrate_after: int | None = None,
) -> SimulationSummary:
    """Write root/landing, and root/truth where asked: the opening baseline and `days` trading days after it.

    The baseline is the first trading day on or after `start`. Same arguments, same bytes.
    migrate_after: behind so many trading days another counter replaces the normal one; see `simulator.migration`.
    """
    summary = run(Path(root), customers, days, seed, start, migrate_after)
    if write_truth and importlib.util.find_spec("simulator.truth"):
        truth = importlib.import_module("simulator.truth")
        make_private(summary.root / "truth")
        truth.write(summary.events, summary.root / "truth")
        summary = dataclasses.replace(summary, has_truth=True)
    return summary


def canary() -> dict[str, str]:
    """client_name, identity_number and mobile_phone of a scripted customer; none may show up in clear."""
    return canary_identity()
