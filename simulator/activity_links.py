"""What the people who keep customers in order decide: that two clients are one customer, and later that they are not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from simulator import events as ev
from simulator.day import Day
from simulator.state import of_normal_counter

# Sessions of a longer run. Every change of who is merged is built by itself, so a short run has none.
MERGED_ON, MERGED_TOO_ON, UNMERGED_ON = 7, 9, 12


class _Client(NamedTuple):
    line: str
    number: str


def open_links(day: Day) -> None:
    """The opening baseline: two persons have long been one customer."""
    persons = _ordinary_persons(day.events(ev.ClientOpened), day.events(ev.AccountOpened), day, "normal")
    _link_first_two(day, persons, "document_renewed")


def keep_links(day: Day) -> None:
    """A day after it."""
    if decide := _DECISIONS.get(day.index):
        decide(day)


def _link_product(day: Day) -> None:
    """Somebody takes a product for its manager."""
    clients = of_normal_counter(day.state["clients"])
    for product in clients[clients["manager_client_number"].notna()].head(1).itertuples():
        manager = _Client("normal", product.manager_client_number)
        _link(day, _Client("normal", product.client_number), manager, "document_corrected")


def _give_other_reason(day: Day) -> None:
    for link in day.state["customer_links"].tail(1).itertuples():
        client, main = _clients_of(link)
        _link(day, client, main, "other")


def _unlink(day: Day, links: pd.DataFrame) -> None:
    for client, _ in map(_clients_of, links.itertuples()):
        day.emit(ev.CustomerLinkRemoved, business_line=client.line, client_number=client.number)


def _merge_through(day: Day, line: str) -> None:
    """Two clients of a counter; their customers may have accounts on others, too."""
    linked = [client for link in day.state["customer_links"].itertuples() for client in _clients_of(link)]
    persons = _ordinary_persons(day.state["clients"], day.state["accounts"], day, line)
    # The first two of every counter are likely to be those who have been one from the start.
    _link_first_two(day, [client for client in persons if client not in linked][2:], "document_corrected")


_DECISIONS: dict[int, Callable[[Day], None]] = {
    1: _link_product,
    2: _give_other_reason,
    3: lambda day: _unlink(day, day.state["customer_links"].tail(1)),
    MERGED_ON: lambda day: _merge_through(day, "normal"),
    MERGED_TOO_ON: lambda day: _merge_through(day, "fund"),
    UNMERGED_ON: lambda day: _unlink(day, day.state["customer_links"].head(1)),
}


def _clients_of(link) -> tuple[_Client, _Client]:
    return (
        _Client(link.business_line, link.client_number),
        _Client(link.main_business_line, link.main_client_number),
    )


def _link_first_two(day: Day, persons: list[_Client], reason: str) -> None:
    """Nobody, where there are not two: a very small broker."""
    for first, second in itertools.pairwise(persons[:2]):
        _link(day, second, first, reason)


def _link(day: Day, client: _Client, main: _Client, reason: str) -> None:
    day.emit(
        ev.CustomerLinkSet,
        business_line=client.line,
        client_number=client.number,
        main_business_line=main.line,
        main_client_number=main.number,
        link_reason=reason,
        decided_date=day.date,
    )


def _ordinary_persons(clients: pd.DataFrame, accounts: pd.DataFrame, day: Day, line: str) -> list[_Client]:
    """Clients of a counter whom the random actors move, by number; each is a person of his own."""
    accounts = accounts[(accounts["line"] == line) & (accounts["status"] == "active")]
    owned = accounts.loc[~accounts["account_id"].isin(day.broker.scripted), ["system", "client_number"]]
    persons = clients[clients["identity_is_valid"] & (clients["identity_kind"] == "resident_id")]
    persons = persons.merge(owned.drop_duplicates()).drop_duplicates("identity_number")
    return [_Client(line, number) for number in sorted(persons["client_number"])]
