"""What the serving store has of personal values: the ciphertext behind every token the published day shows masked. The keys stay where they are.

The analysts' file has none of it. Who reads the store without the keys has nothing; erasing a customer destroys keys and leaves this as it is.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from spark_jobs.ingest.vault import Vault

SEALED = "sealed_value"
COLUMNS = ("subject", "personal_class", "token", "sealed_value")
_CLASSES = {"phone": "mobile_phone_token", "identity": "identity_token"}


def write_ciphertexts(vault: Vault, file: Path, into: Path) -> None:
    """A DuckDB file with the table `sealed_value` for a published file.

    Grain: one row per (subject, token); a value two client numbers have is under the key of each. `sealed_value` is base64.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    into.unlink(missing_ok=True)
    with duckdb.connect(str(into)) as connection:
        connection.execute(f"attach '{file}' as published (read_only)")
        shown = " union ".join(
            f"select '{personal_class}' as personal_class, {column} as token from published.mart_customer_profile "
            "where as_of_date = (select max(business_date) from published.publication)"
            for personal_class, column in _CLASSES.items()
        )
        connection.execute(f"create temp table shown as {shown}")
        connection.execute(f"create table {SEALED} ({', '.join(f'{name} varchar' for name in COLUMNS)})")
        for rows in vault.ciphertexts(tuple(_CLASSES)):
            connection.register("rows", pa.table(list(map(list, zip(*rows, strict=True))), names=list(COLUMNS)))
            connection.execute(
                f"insert into {SEALED} select rows.* from rows semi join shown using (personal_class, token)"
            )
        connection.execute("drop table shown")
        connection.execute("detach published")
