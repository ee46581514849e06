"""File formats as Spark data sources: `delimited`, `dbf` and `ofd`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register(spark: SparkSession) -> None:
    """Make `spark.read.format("delimited" | "dbf" | "ofd")` known to a session."""
    from spark_jobs.formats.dbf import DbfSource
    from spark_jobs.formats.delimited import DelimitedSource
    from spark_jobs.formats.ofd import OfdSource

    for source in (DelimitedSource, DbfSource, OfdSource):
        spark.dataSource.register(source)
