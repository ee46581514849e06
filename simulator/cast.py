"""Customers who follow a script, so that every situation occurs in every run whatever the seed.

`PEOPLE` says who they are and why they are there; `stage.py` knows how to open and move; `script.py` says what happens
on which day after the opening baseline.
"""

from __future__ import annotations

from simulator.day import Broker, Day
from simulator.script import act_on, open_stage
from simulator.stage import PEOPLE, Stage


class Cast:
    """All scripted customers of one run."""

    def __init__(self, broker: Broker) -> None:
        self._stage = Stage(broker)

    @property
    def size(self) -> int:
        return len(PEOPLE)

    def open(self, day: Day) -> None:
        """Who is there on the opening baseline."""
        open_stage(day, self._stage)

    def act(self, day: Day) -> None:
        """What they do on one of the days after it."""
        act_on(day, self._stage)
