"""`c360 history`: the versions of one key, now or as they were known at an earlier time, without starting Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spark_jobs.chains import Link, in_force
from spark_jobs.config import Settings
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.jobs.ask import plain_rows
from spark_jobs.jobs.status import local_lake
from spark_jobs.publish.duckdb_store import connect_delta


def read_versions(settings: Settings, feed: str, key: list[str], known_at: str | None) -> list[dict[str, Any]]:
    """Versions of the row with `key` (values in the contract's order): valid_from inclusive, valid_to exclusive, null while in force.

    known_at: UTC, yyyy-mm-ddThh:mm:ssZ; what was learnt later is left out. Raises ConfigurationError C360-111 for a feed without history or a
    key of the wrong length.
    """
    contract = load_catalogue(settings.catalogue, settings.migrations)[feed]
    root = Path(local_lake(settings))
    if contract.mode == "event" or len(key) != len(contract.key):
        fault = (
            "holds events, which have no versions"
            if contract.mode == "event"
            else f"has the key {', '.join(contract.key)}"
        )
        raise ConfigurationError(
            "C360-111", f"{feed} {fault}", next_step=f"c360 history {feed} {' '.join(contract.key).upper()}"
        )
    if not (root / "changes" / feed).is_dir():
        return []
    with connect_delta() as connection:
        rows = connection.execute(f"from delta_scan('{root}/meta/chain') where feed = ?", [feed]).fetchall()
        links = (Link(*row) for row in rows)
        edges = [link.edge for link in in_force(links, known_at).values()]
        columns = ", ".join(f'"{name}"' for name in contract.fields)
        matches = " and ".join(f'"{name}"::varchar = ?' for name in contract.key)
        return plain_rows(
            connection.execute(
                f"""
                select business_date as valid_from, valid_to, {columns}
                from (
                    select *, lead(business_date) over (order by business_date) as valid_to
                    from delta_scan('{root}/changes/{feed}')
                    where list_contains(?, _edge) and {matches}
                )
                where _change <> 'delete'
                order by valid_from
                """,
                [edges, *key],
            )
        )
