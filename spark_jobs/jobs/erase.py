"""`c360 erase`: the keys of a customer are destroyed, so that nothing personal of him can be read any more, in no backup of the values either.

Figures stay: they are keyed by tokens and numbers that lead to nobody. Without Spark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.bronze import APPLICANTS
from spark_jobs.ingest.vault import Keys, Vault, source_subject
from spark_jobs.jobs.own_customers import own_customers
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.duckdb_store import connect_delta


@dataclass(frozen=True)
class Erased:
    """subjects: client numbers and applications of the customer; keys: how many of them had a key until now."""

    customer_id: str
    subjects: int
    keys: int


def erasable(settings: Settings, customer_id: str, on: date) -> list[str]:
    """The source subjects of a customer, and of all that are merged with it, in order, whose keys may be destroyed on that day.

    The law keeps records for `erase_retention_years` from the end of the relation: that is the last day on which an account was
    open or, without any, on which the client was delivered. Raises ConfigurationError C360-195 for a customer nobody knows, C360-196 while
    the relation goes on or the retention runs.
    """
    root = local_lake(settings)
    with connect_delta() as connection:
        own = own_customers(connection, root, customer_id, None)
        members = connection.execute(
            f"select distinct system_code, client_number from delta_scan('{root}/silver/customer_members') "
            "where list_contains(?, customer_id) order by all",
            [own],
        ).fetchall()
        if not members:
            raise ConfigurationError(
                "C360-195",
                "no customer of that id was ever linked",
                next_step="ask mart_customer_profile for customer ids",
            )
        ended = _end_of_relation(connection, root, own)
        applications = _applications(connection, root, own)
    if ended is None:
        raise ConfigurationError(
            "C360-196", "the customer still has an open account or is still delivered", kept="everything",
            next_step="erase after the relation has ended and the retention is over",
        )  # fmt: skip
    until = _years_later(ended, settings.erase_retention_years)
    if on < until:
        raise ConfigurationError(
            "C360-196", f"the law keeps the records until {until}: the relation ended on {ended}", kept="everything",
            next_step=f"c360 erase on or after {until}",
        )  # fmt: skip
    return [source_subject(system, number) for system, number in [*members, *applications]]


def erase(
    settings: Settings, keys: Keys, customer_id: str, on: date, write_audit: Callable[..., None], reason: str, by: str
) -> Erased:
    """Destroy the keys of all client numbers and applications of a customer, who is written down first, durably. Raises what `erasable` raises."""
    subjects = erasable(settings, customer_id, on)
    facts: dict[str, Any] = {"route": "erase", "who": by, "customer_id": customer_id, "reason": reason}
    write_audit(durable=True, outcome="about to be erased", subjects=len(subjects), **facts)
    vault = Vault(settings.vault, keys)
    try:
        destroyed = vault.destroy(subjects)
    finally:
        vault.close()
    write_audit(durable=True, outcome="erased", keys=destroyed, **facts)
    return Erased(customer_id, len(subjects), destroyed)


def _applications(connection: duckdb.DuckDBPyConnection, root: str, own: list[str]) -> list[tuple[str, str]]:
    """The applications of all phones with which the customer ever opened an account: what he gave for them is his, too."""
    if not Path(root, "gold", "applications").is_dir():
        # Nothing has been loaded since there are applications.
        return []
    found = connection.execute(
        f"with applications as (select * from delta_scan('{root}/gold/applications')) "
        "select distinct application_id from applications where prospect_id in (select prospect_id from applications where list_contains(?, customer_id)) "
        "order by all",
        [own],
    ).fetchall()
    return [(APPLICANTS, application_id) for (application_id,) in found]


def _end_of_relation(connection: duckdb.DuckDBPyConnection, root: str, own: list[str]) -> date | None:
    """None while it goes on."""
    (newest,) = connection.execute(f"select max(business_date) from delta_scan('{root}/gold/accounts')").fetchone()
    accounts = connection.execute(
        "select max(business_date) as last_seen, arg_max(coalesce(cast(close_date as varchar), ''), business_date) as closed "
        f"from delta_scan('{root}/gold/accounts') where list_contains(?, customer_id) group by business_line, account_id",
        [own],
    ).fetchall()
    if not accounts:
        (last_seen,) = connection.execute(
            f"select max(business_date) from delta_scan('{root}/gold/customers') where list_contains(?, customer_id)",
            [own],
        ).fetchone()
        accounts = [(last_seen, "")]
    if any(last_seen == newest and not closed for last_seen, closed in accounts):
        return None
    return max(date.fromisoformat(closed) if closed else last_seen for last_seen, closed in accounts)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        # 29 February: the day after the end of that month.
        return date(day.year + years, 3, 1)
