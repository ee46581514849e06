"""File formats as Spark data sources: `delimited`, `dbf`, `ofd` and `parquet_text`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register(spark: SparkSession) -> None:
    """Make `spark.read.format("delimited" | "dbf" | "ofd" | "parquet_text")` known to a session."""
    from spark_jobs.formats.dbf import DbfSource
    from spark_jobs.formats.delimited import DelimitedSource
    from spark_jobs.formats.ofd import OfdSource
    from spark_jobs.formats.parquet import ParquetSource

    for source in (DelimitedSource, DbfSource, OfdSource, ParquetSource):
        spark.dataSource.register(source)
