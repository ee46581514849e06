"""One pass over a feed's bronze rows: types, verdicts, and the numbers that prove that no row was lost.

rows read = rows kept + rows quarantined + exact duplicates dropped, for every file.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.contracts import Column, Contract
from spark_jobs.history import row_hash
from spark_jobs.ingest.bronze import ORIGIN
from spark_jobs.ingest.numbers import plain_column
from spark_jobs.quality.metrics import feed_metrics, sums
from spark_jobs.quality.rules import Rule, feed_rules

_WIDE = "decimal(38,12)"


def typed_value(column: Column, text: SparkColumn) -> SparkColumn:
    """A plain text as the contract's type, canonical, so that what is equal compares equal; null when it cannot be read as such.

    A number with more decimals than its type holds is not readable: rounding at the door would lose money silently.
    """
    if column.codes:
        pairs = [F.lit(item) for pair in column.codes.items() for item in pair]
        return F.coalesce(F.try_element_at(F.create_map(*pairs), text), F.concat(F.lit("@"), text))
    if column.type == "date":
        compact = F.when(text.rlike(r"^\d{8}$"), F.try_to_date(text, "yyyyMMdd"))
        return F.coalesce(compact, F.when(text.rlike(r"^\d{4}-\d{2}-\d{2}$"), F.try_to_date(text, "yyyy-MM-dd")))
    if column.type == "flag":
        return F.when(text.isin("1", "true"), F.lit(True)).when(text.isin("0", "false"), F.lit(False))
    if column.decimal_scale is not None:
        wide = F.when(text.rlike(r"^[+-]?\d{1,24}(\.\d{1,12})?$"), text.try_cast(_WIDE))
        if column.implied_decimals:
            wide = (wide * F.lit("0." + "0" * (column.implied_decimals - 1) + "1").cast("decimal(12,6)")).cast(_WIDE)
        narrow = wide.try_cast(column.spark_type)
        return F.when(narrow.cast(_WIDE) == wide, narrow)
    return text


def with_verdicts(bronze: DataFrame, contract: Contract) -> DataFrame:
    """Bronze rows with typed columns and a verdict each.

    Adds: `_raw` (the delivered text, tokens in place of personal values), `_row_hash` (of the tracked columns), `_is_duplicate` (an
    exact copy of another row of the day), `_key_variants` (how many different live rows its key has; 0 for a key that is only
    deleted), `_is_overruled` (a delete beside another row of its key: the live row speaks, or the first delete), the helper columns
    of the rules, `_errors` and `_warnings` (what broke, without values).
    A rule that stands in a row's `_waived`, where bronze has that column, is broken all the same and is no error.
    """
    rules = feed_rules(contract)
    waived = ["_waived"] if "_waived" in bronze.columns else []
    derived = [name for column in contract.personal_columns for name in column.derived_names]
    raw = [column.name for column in contract.plain_columns]
    as_is = ["business_date", "_delivery_number", *ORIGIN, *waived, *derived]
    # An empty text is null. Texts first, in a step of their own: what reads them names them several times, and a plan would repeat the whole way to them.
    texts = bronze.select(
        *as_is,
        *(F.nullif(plain_column(F.col(name)), F.lit("")).alias(name) for name in raw),
        F.struct(*raw, *derived).alias("_raw"),
    )
    typed = texts.select(
        *as_is,
        *(typed_value(column, F.col(column.name)).alias(column.name) for column in contract.plain_columns),
        "_raw",
    ).select(
        "*",
        row_hash(contract.tracked_fields).alias("_row_hash"),
        _content(contract).alias("_content"),
    )
    # An unsplittable record has no key and is nobody's copy: its own place in the file keeps it apart.
    key = [
        F.coalesce(F.col(name).cast("string"), F.concat("_source_file", F.lit(":"), "_source_row"))
        for name in contract.key
    ]
    same_key = Window.partitionBy("business_date", *key)
    copies = Window.partitionBy("business_date", *key, "_content").orderBy("_source_file", "_source_row")
    is_live, is_overruled = F.lit(True), F.lit(False)
    if contract.delete_flag:
        is_live = ~F.coalesce(F.col(contract.delete_flag), F.lit(False))
        is_overruled = ~is_live & (
            F.row_number().over(same_key.orderBy(is_live.desc(), "_source_file", "_source_row")) > 1
        )
    marked = typed.select(
        "*",
        F.size(F.collect_set(F.when(is_live, F.col("_content"))).over(same_key)).alias("_key_variants"),
        (F.row_number().over(copies) > 1).alias("_is_duplicate"),
        is_overruled.alias("_is_overruled"),
    )
    helped = marked.select("*", *(helper for rule in rules if (helper := rule.helper()) is not None))
    return helped.select(
        "*",
        _reasons(rules, ("quarantine", "stop"), bool(waived)).alias("_errors"),
        _reasons(rules, ("warn",)).alias("_warnings"),
    )


def _content(contract: Contract) -> SparkColumn:
    """What copies agree in: every typed value, and the delivered text of those that could not be read, since all of them are null."""
    unread = (
        F.when(F.col(name).isNull() & text.isNotNull(), F.xxhash64(F.lit(name), text))
        for name, text in ((column.name, F.col(f"_raw.{column.name}")) for column in contract.readable_columns)
    )
    return F.xxhash64(row_hash(["_parse_error", *contract.fields]), *unread)


def _reasons(rules: list[Rule], severities: tuple[str, ...], may_be_waived: bool = False) -> SparkColumn:
    def counts(rule: Rule) -> SparkColumn:
        if not may_be_waived:
            return rule.fails()
        return rule.fails() & ~F.coalesce(F.array_contains("_waived", rule.name), F.lit(False))

    chosen = [F.when(counts(rule), rule.reason()) for rule in rules if rule.severity in severities]
    empty = F.array().cast("array<struct<rule:string,version:int,column:string,message:string>>")
    return F.array_compact(F.array(*chosen)) if chosen else empty


def kept_rows(verdicts: DataFrame) -> DataFrame:
    return verdicts.where(~F.col("_is_duplicate") & (F.size("_errors") == 0))


def quarantined_rows(verdicts: DataFrame) -> DataFrame:
    return verdicts.where(~F.col("_is_duplicate") & (F.size("_errors") > 0))


def states(rows: DataFrame) -> DataFrame:
    """Of kept or of quarantined rows those that speak for their key: an overruled delete is accounted for and says nothing."""
    return rows.where(~F.col("_is_overruled"))


def count_verdicts(verdicts: DataFrame, contract: Contract) -> DataFrame:
    """The ledger's numbers. Grain: (business_date, _source_file).

    rows_read, rows_duplicate, rows_quarantined, rows_kept; `rows_without_key`: quarantined ones of which nobody knows whose they are;
    `total_<column>`: Σ of the readable values of all rows read, to hold against the sender's control totals; `unreadable_<column>`;
    `broken`: rule → rows, zeros kept; and the feed's metrics over the rows kept, each under its own name.
    """
    is_copy = F.col("_is_duplicate")
    has_error = F.size("_errors") > 0
    has_no_key = reduce(or_, (F.col(name).isNull() for name in contract.key))
    rules = feed_rules(contract)

    def count(condition: SparkColumn) -> SparkColumn:
        return F.coalesce(F.count_if(condition), F.lit(0))

    return verdicts.groupBy("business_date", "_source_file").agg(
        F.count(F.lit(1)).alias("rows_read"),
        count(is_copy).alias("rows_duplicate"),
        count(~is_copy & has_error).alias("rows_quarantined"),
        count(~is_copy & has_error & has_no_key).alias("rows_without_key"),
        count(~is_copy & ~has_error).alias("rows_kept"),
        *(F.sum(name).cast("decimal(38,8)").alias(f"total_{name}") for name in contract.summed_columns),
        *(count(F.col(name).isNull()).alias(f"unreadable_{name}") for name in contract.summed_columns),
        *(count(rule.fails()).alias(f"broken_{rule.name}") for rule in rules),
        *sums(verdicts, feed_metrics(contract), f"silver.{contract.feed}", among=~is_copy & ~has_error),
    )
