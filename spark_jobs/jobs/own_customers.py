"""Gold, members and quarantine have the customers that documents make; whoever asks for a merged one means all of them. Without Spark."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb


def own_customers(connection: duckdb.DuckDBPyConnection, root: str, customer_id: str, day: date | None) -> list[str]:
    """The customers that are one with this one on `day`, itself among them, in order; without a day, on the newest.

    customer_id: the one whose id goes on, or any other of them.
    """
    if not Path(root, "gold", "customer_merges").is_dir():
        # Nothing has been loaded since customers are merged.
        return [customer_id]
    found = connection.execute(
        f"""
        with accounts as (from delta_scan('{root}/gold/accounts')),
        merges as (
            from delta_scan('{root}/gold/customer_merges')
            where business_date = coalesce(?, (select max(business_date) from accounts))
        )
        select customer_id from merges
        where merged_customer_id in (select merged_customer_id from merges where customer_id = ?)
        order by all
        """,
        [day, customer_id],
    ).fetchall()
    return [one for (one,) in found] or [customer_id]
