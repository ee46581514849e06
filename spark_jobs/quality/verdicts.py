"""One pass over a feed's bronze rows: types, verdicts, and the numbers that prove that no row was lost.

rows read = rows kept + rows quarantined + exact duplicates dropped, for every file.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.contracts import FULL_WIDTH, PLAIN, Column, Contract
from spark_jobs.history import row_hash
from spark_jobs.ingest.bronze import ORIGIN
from spark_jobs.quality.metrics import feed_metrics, sums
from spark_jobs.quality.rules import Rule, feed_rules

_WIDE = "decimal(38,12)"


def typed_value(column: Column, raw: SparkColumn) -> SparkColumn:
    """The delivered text as the contract's type, canonical; null when it cannot be read as such.

    Full-width digits and spaces become plain ones, outer spaces go, an empty text is null: what is equal must compare equal. A number
    with more decimals than its type holds is not readable: rounding at the door would lose money silently.
    """
    text = F.nullif(F.trim(F.translate(raw, FULL_WIDTH, PLAIN)), F.lit(""))
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
    exact copy of another row of the day), the helper columns of the rules, `_errors` and `_warnings` (what broke, without values).
    """
    rules = feed_rules(contract)
    derived = [name for column in contract.personal_columns for name in column.derived_names]
    raw = [column.name for column in contract.plain_columns]
    typed = bronze.select(
        "business_date",
        "_delivery_number",
        *ORIGIN,
        *(typed_value(column, F.col(column.name)).alias(column.name) for column in contract.plain_columns),
        *derived,
        F.struct(*raw, *derived).alias("_raw"),
    ).select(
        "*",
        row_hash(contract.tracked_fields).alias("_row_hash"),
        row_hash(["_parse_error", *contract.fields]).alias("_content"),
    )
    # An unsplittable record has no key and is nobody's copy: its own place in the file keeps it apart.
    key = [
        F.coalesce(F.col(name).cast("string"), F.concat("_source_file", F.lit(":"), "_source_row"))
        for name in contract.key
    ]
    same_key = Window.partitionBy("business_date", *key)
    copies = Window.partitionBy("business_date", *key, "_content").orderBy("_source_file", "_source_row")
    marked = typed.select(
        "*",
        F.size(F.collect_set("_content").over(same_key)).alias("_key_variants"),
        (F.row_number().over(copies) > 1).alias("_is_duplicate"),
    )
    helped = marked.select("*", *(helper for rule in rules if (helper := rule.helper()) is not None))
    return helped.select(
        "*", _reasons(rules, ("quarantine", "stop")).alias("_errors"), _reasons(rules, ("warn",)).alias("_warnings")
    )


def _reasons(rules: list[Rule], severities: tuple[str, ...]) -> SparkColumn:
    chosen = [F.when(rule.fails(), rule.reason()) for rule in rules if rule.severity in severities]
    empty = F.array().cast("array<struct<rule:string,version:int,column:string,message:string>>")
    return F.array_compact(F.array(*chosen)) if chosen else empty


def kept_rows(verdicts: DataFrame) -> DataFrame:
    return verdicts.where(~F.col("_is_duplicate") & (F.size("_errors") == 0))


def quarantined_rows(verdicts: DataFrame) -> DataFrame:
    return verdicts.where(~F.col("_is_duplicate") & (F.size("_errors") > 0))


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
