"""All storage access: where a Delta table lives, how a day of it is read and replaced.

A table is `<lake>/<layer>/<name>`, partitioned by `business_date` (changes by their edge). A write replaces exactly its days in one
commit whose metadata says which run wrote it from which inputs, so the log itself is the ledger's source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

DAY = "business_date"


def local_folder(root: str) -> str | None:
    """The folder behind a lake's root on this machine's file system; None when it lies on another."""
    folder = root.removeprefix("file://").removeprefix("file:")
    return None if "://" in folder else folder


def in_days(days: Iterable[date], column: str = DAY) -> str:
    """An SQL predicate: `column` is one of `days`."""
    literals = ", ".join(f"date'{day.isoformat()}'" for day in sorted(days))
    return f"{column} in ({literals})"


class Lake:
    """The Delta tables under one root, read and written through one session."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark, self.root = spark, root.rstrip("/")

    def path(self, layer: str, name: str) -> str:
        return f"{self.root}/{layer}/{name}"

    def exists(self, layer: str, name: str) -> bool:
        return DeltaTable.isDeltaTable(self.spark, self.path(layer, name))

    def read(self, layer: str, name: str, days: Sequence[date] | None = None) -> DataFrame:
        frame = self.spark.read.format("delta").load(self.path(layer, name))
        return frame if days is None else frame.where(in_days(days))

    def replace_days(
        self, frame: DataFrame, layer: str, name: str, days: Sequence[date], metadata: dict[str, Any], column: str = DAY
    ) -> None:
        """Replace exactly `days` of a table with `frame`, in one commit. A day without rows in `frame` ends empty."""
        self._replace(frame, layer, name, in_days(days, column), metadata, column)

    def add_edges(self, frame: DataFrame, name: str, edges: Sequence[str], metadata: dict[str, Any]) -> None:
        """Write the changes of `edges` in one commit. An edge that a run left there before it ended is the same edge."""
        names = ", ".join(f"'{edge}'" for edge in sorted(edges))
        self._replace(frame, "changes", name, f"_edge in ({names})", metadata, "_edge")

    def _replace(
        self, frame: DataFrame, layer: str, name: str, condition: str, metadata: dict[str, Any], partition: str
    ) -> None:
        (
            frame.write.format("delta")
            .mode("overwrite")
            .partitionBy(partition)
            .option("replaceWhere", condition)
            .option("mergeSchema", "true")
            .option("userMetadata", json.dumps(metadata, sort_keys=True))
            .save(self.path(layer, name))
        )

    def tables(self) -> list[tuple[str, str]]:
        """(layer, name) of every table, in order; the lake must lie on this machine's file system."""
        folders = Path(local_folder(self.root) or "").glob("*/*/_delta_log")
        return sorted((folder.parent.parent.name, folder.parent.name) for folder in folders)

    def rewrite(self, frame: DataFrame, layer: str, name: str, metadata: dict[str, Any]) -> None:
        """Replace all rows of a table, made from itself, in one commit; its partitions stay what they are."""
        partition = DeltaTable.forPath(self.spark, self.path(layer, name)).detail().first().partitionColumns
        whole = frame.repartition(*partition) if partition else frame.coalesce(1)
        (
            whole.write.format("delta")
            .mode("overwrite")
            .partitionBy(*partition)
            .option("userMetadata", json.dumps(metadata, sort_keys=True))
            .save(self.path(layer, name))
        )

    def forget_versions(self, layer: str, name: str) -> None:
        """Delete the data files of all earlier versions of a table: only what it holds now can be read from then on."""
        DeltaTable.forPath(self.spark, self.path(layer, name)).vacuum(0)

    def replace_all(self, frame: DataFrame, layer: str, name: str, metadata: dict[str, Any]) -> None:
        (
            frame.write.format("delta")
            .mode("overwrite")
            .option("overwriteSchema", "true")
            .option("userMetadata", json.dumps(metadata, sort_keys=True))
            .save(self.path(layer, name))
        )

    def append(self, frame: DataFrame, layer: str, name: str, metadata: dict[str, Any]) -> None:
        (
            frame.write.format("delta")
            .mode("append")
            .option("mergeSchema", "true")
            .option("userMetadata", json.dumps(metadata, sort_keys=True))
            .save(self.path(layer, name))
        )

    def commits(self, layer: str, name: str, last: int = 20) -> list[tuple[int, dict[str, Any]]]:
        """(version, metadata) of the newest commits of a table that carry metadata, newest first."""
        history = DeltaTable.forPath(self.spark, self.path(layer, name)).history(last)
        rows = history.select("version", "userMetadata").where(F.col("userMetadata").isNotNull()).collect()
        return [(row.version, json.loads(row.userMetadata)) for row in sorted(rows, key=lambda row: -row.version)]

    def register(self, layer: str, names: Iterable[str], queries: Mapping[str, str] | None = None) -> None:
        """Make tables known to the in-memory catalogue: dbt takes an unregistered table for a foreign one and drops it.

        queries: table → what is shown under its name instead. The database has no place in the lake, so that dropping it, and what was
        known of another lake with it, can never delete data.
        """
        self.spark.sql(f"drop database if exists {layer} cascade")
        self.spark.sql(f"create database {layer}")
        for name in names:
            if not self.exists(layer, name):
                # Creating it here would leave an empty table in the lake; whoever reads it is told that it is not there.
                continue
            if queries and name in queries:
                self.spark.sql(f"create view {layer}.{name} as {queries[name]}")
            else:
                self.spark.sql(f"create table {layer}.{name} using delta location '{self.path(layer, name)}'")
