"""`c360 simulate`: the one door from the command line to the invented broker."""

from __future__ import annotations

from datetime import date

from rich.console import Console

import simulator
from simulator import faults as plantable
from simulator.breaks import BREAKS, break_check
from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError


def run_simulation(
    settings: Settings, customers: int, days: int, seed: int, start: date, faults: list[str], console: Console
) -> None:
    """Write home/landing and home/truth. Raises ConfigurationError C360-108 for an unknown fault."""
    if "list" in faults:
        for name, (plant, _) in plantable.FAULTS.items():
            console.print(f"{name:<30} {(plant.__doc__ or '').strip().splitlines()[0]}", markup=False)
        for name in BREAKS:
            console.print(f"{name:<30} Makes this check of the reconciliation fail.", markup=False)
        return
    unknown = [name for name in faults if name not in {*plantable.FAULTS, *BREAKS}]
    if unknown:
        raise ConfigurationError(
            "C360-108", f"there is no fault {', '.join(unknown)}", next_step="c360 simulate --fault list"
        )
    summary = simulator.simulate(settings.home, customers=customers, days=days, seed=seed, start=start)
    for name in faults:
        if name in BREAKS:
            break_check(settings.landing, name)
        else:
            plantable.plant(settings.landing, name, seed=seed)
    days = len(summary.dates) - 1
    console.print(
        f"An invented broker of {customers:,} customers: {sum(map(sum, (rows.values() for rows in summary.rows.values()))):,} "
        f"rows of {len(summary.rows[summary.dates[0]])} feeds in {summary.landing}, the opening baseline of {summary.dates[0]} and "
        f"{days} trading days to {summary.dates[-1]}; what the marts must say is in {summary.root / 'truth'}.",
        markup=False,
    )
