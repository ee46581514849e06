"""The recipe most warehouses use: one table of versions, kept by MERGE, as the Delta documentation shows it for slowly changing dimensions.

Each arriving row is offered twice: under its key, to close the version in force, and without a key, so that it matches nothing and is
inserted. Two things the recipe leaves out are given to it: the comparison knows nulls, and a key that is absent is closed.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# What whoever follows the documentation sets on two cores: 200 partitions would be unfair to it.
PARTITIONS = "4"
# Without its catalogue there is no Delta, and in another time zone the answers would differ.
KEPT = ("spark.sql.catalog", "spark.sql.session.timeZone")


def plain_session(spark: SparkSession) -> SparkSession:
    """Another session of the same virtual machine, in which Spark and Delta run as they come, but for PARTITIONS."""
    plain = spark.newSession()
    for name in [row.key for row in plain.sql("set").collect()]:
        if plain.conf.isModifiable(name) and not name.startswith(KEPT):
            plain.conf.unset(name)
    plain.conf.set("spark.sql.shuffle.partitions", PARTITIONS)
    return plain


def create(path: str, first: DataFrame, day: date | None) -> None:
    """A table of versions that holds `first`, all in force since `day`."""
    versions = first.select(
        "*",
        F.lit(day).cast("date").alias("valid_from"),
        F.lit(None).cast("date").alias("valid_to"),
        F.lit(True).alias("is_current"),
    )
    versions.write.format("delta").save(path)


def merge(spark: SparkSession, path: str, arrived: DataFrame, key: str, day: date) -> None:
    """Bring a full snapshot of `day` into the table."""
    columns = arrived.columns
    arrived.createOrReplaceTempView("arrived")
    differs = " or ".join(f"not (versions.{name} <=> arrived.{name})" for name in columns if name != key)
    spark.sql(
        f"""
        merge into delta.`{path}` as versions
        using (
            select {key} as merge_key, * from arrived
            union all
            select null as merge_key, arrived.*
            from arrived
            inner join delta.`{path}` as versions on arrived.{key} = versions.{key} and versions.is_current
            where {differs}
        ) as arrived
        on versions.{key} = arrived.merge_key and versions.is_current
        when matched and ({differs}) then update set valid_to = date'{day}', is_current = false
        when not matched then insert ({", ".join(columns)}, valid_from, valid_to, is_current)
            values ({", ".join(f"arrived.{name}" for name in columns)}, date'{day}', null, true)
        when not matched by source and versions.is_current then update set valid_to = date'{day}', is_current = false
        """
    )
