"""Codes the contract's map does not know: kept as `@code`, counted per feed and day, and told with the money they carry.

Told are columns, rows and sums, never the codes: where two fields have changed places, what stands in a code column is somebody's name.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.contracts import Contract
from spark_jobs.quality.verdicts import kept_rows


def count_unknown_codes(
    verdicts: DataFrame, contract: Contract, counts: list[dict[str, Any]]
) -> dict[date, list[dict[str, Any]]]:
    """Per business date the code columns with unknown codes in kept rows: those are the rows that go on as `@code`.

    Each entry: column, rows, and `amounts`, for every column the sender totals the Σ over these rows, as text. `counts` are the
    verdicts' counts: without a broken rule in them, and that is the usual night, nothing is asked of Spark.
    """
    columns = [
        column.name
        for column in contract.plain_columns
        if column.codes and any(count[f"broken_{column.name}_is_known"] for count in counts)
    ]
    if not columns:
        return {}
    found = kept_rows(verdicts).groupBy("business_date").agg(
        *(F.count_if(_is_unknown(column)).alias(column) for column in columns),
        *(
            F.coalesce(F.sum(F.when(_is_unknown(column), F.col(total))).cast("string"), F.lit("0")).alias(f"{column}|{total}")
            for column in columns
            for total in contract.summed_columns
        ),
    )  # fmt: skip
    return {
        row["business_date"]: [
            {
                "column": column,
                "rows": row[column],
                "amounts": {total: row[f"{column}|{total}"] for total in contract.summed_columns},
            }
            for column in columns
            if row[column]
        ]
        for row in found.collect()
    }


def _is_unknown(column: str) -> SparkColumn:
    return F.col(column).startswith("@")


def unknown_codes_of(feed: str, business_date: str, detail: str) -> list[dict[str, Any]]:
    """What the ledger's `detail` of a feed and day says of unknown codes, as one entry a column."""
    entries = json.loads(detail).get("unknown_codes", [])
    return [{"feed": feed, "business_date": business_date} | entry for entry in entries]


def sentence(entry: dict[str, Any]) -> str:
    """One entry of `unknown_codes_of`, as a person reads it."""
    money = ", ".join(f"Σ {name} {amount}" for name, amount in entry["amounts"].items())
    rows = "1 row" if entry["rows"] == 1 else f"{entry['rows']:,} rows"
    carried = f", which carry {money}" if money else ""
    return (
        f"{entry['business_date']} {entry['feed']}: {entry['column']} has codes the contract does not know in {rows}"
        f"{carried}; kept as @code"
    )
