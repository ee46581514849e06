"""`c360 simulate`: the one door from the command line to the invented broker."""

from __future__ import annotations

import json
from datetime import date

from rich.console import Console

import simulator
from simulator import faults as plantable
from simulator.breaks import BREAKS, break_check
from simulator.migration import MAPPING
from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError


def run_simulation(
    settings: Settings,
    customers: int,
    days: int,
    seed: int,
    start: date,
    faults: list[str],
    migrate_after: int | None,
    console: Console,
) -> None:
    """Write home/landing and home/truth. Raises ConfigurationError C360-108 for an unknown fault, C360-113 for a migration at no time."""
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
    if migrate_after is not None and (faults or not 1 <= migrate_after < days):
        raise ConfigurationError(
            "C360-113", "a migration needs a day before it and one behind it, and no planted fault",
            where=f"--migrate-after {migrate_after}, --days {days}", next_step="c360 simulate --days 5 --migrate-after 2",
        )  # fmt: skip
    summary = simulator.simulate(
        settings.home, customers=customers, days=days, seed=seed, start=start, migrate_after=migrate_after
    )
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
    if moving := summary.migration:
        dates = {"shadow_from": f"{moving.shadow_dates[0]}", "in_force_from": f"{moving.in_force_from}"}
        setting = json.dumps({MAPPING: dates})
        console.print(
            f"Another counter delivers in shadow from {dates['shadow_from']} and in force from {dates['in_force_from']}. To load it:\n"
            f"  export C360_MIGRATIONS='{setting}'",
            markup=False,
            soft_wrap=True,
        )
