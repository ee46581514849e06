"""Customers somebody decided to be one, and what is left for people to look at.

All of gold has the customers that documents make. Who is merged on a day is a table of its own, and the marts of a day read gold, its past
too, with the customers as they are merged on that day: a merge brings both histories together and taking it back parts them again, without
a row being written anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from spark_jobs.gold.standing import WORST_GRADE
from spark_jobs.gold.tables import TABLES, conform
from spark_jobs.ingest.bronze import CUSTOMER_LINES
from spark_jobs.io import Lake, in_days
from spark_jobs.silver.members import ORDER

SAME_DOCUMENT, LINK_REFUSED = "same_document", "link_refused"

_MERGES, _REVIEWS = "customer_merges", "customer_reviews"
_SPEAKING = "struct(customer_status is null, merge_rank)"
# How the rows of several customers become one in the tables that have the customer in their key. The first with a normal client speaks.
_TOGETHER: dict[str, dict[str, str]] = {
    "customers": {
        **{name: f"min_by({name}, {_SPEAKING})" for name in TABLES["customers"].figures},
        "open_date": "min(open_date)",
        "member_count": "sum(member_count)",
        "has_pension_account": "bool_or(has_pension_account)",
    },
    "customer_assets": {name: f"sum({name})" for name in TABLES["customer_assets"].figures},
    "quarantined_customers": {"held_row_count": "sum(held_row_count)"},
    "aml_grades": {
        "aml_grade": WORST_GRADE,
        "aml_graded_date": "max(aml_graded_date)",
        "aml_review_date": "min(aml_review_date)",
    },
    "permissions": {"opened_date": "min(opened_date)"},
    "open_complaints": {
        "open_complaint_count": "sum(open_complaint_count)",
        "first_opened_date": "min(first_opened_date)",
    },
}


# ---------------------------------------------------------------- what is decided, and what is not


def build_links(links: DataFrame, members: DataFrame, customers: DataFrame) -> list[Row]:
    """The links of the days, each with both customers: (business_date, decided_date, one, other, one_order, other_order, is_refused).

    A client nobody has seen by then has the id it would give a customer, and no order. Two kinds of customer, as far as both are delivered
    that day, and clients nobody has seen are refused. People decide one by one, so there are few.
    """
    number = F.concat_ws("-", "system_code", "client_number")
    leaders = members.where(number == F.col("customer_id")).select("customer_id", F.struct(*ORDER).alias("order"))
    owners = members.select(number.alias("number"), F.col("first_seen_date").alias("seen"), "customer_id").join(
        leaders, on="customer_id", how="inner"
    )
    kinds = customers.select("business_date", "customer_id", "customer_kind")
    systems = F.create_map(*(F.lit(text) for pair in CUSTOMER_LINES.items() for text in pair))
    pairs = links
    for side, line, client in (
        ("one", "business_line", "client_number"),
        ("other", "main_business_line", "main_client_number"),
    ):
        own = owners.select(
            F.col("number").alias(f"{side}_number"), F.col("seen").alias(f"{side}_seen"),
            F.col("customer_id").alias(f"{side}_customer"), F.col("order").alias(f"{side}_order"),
        )  # fmt: skip
        kind = kinds.select(
            "business_date", F.col("customer_id").alias(side), F.col("customer_kind").alias(f"{side}_kind")
        )
        pairs = pairs.withColumn(f"{side}_number", F.concat_ws("-", systems[F.col(line)], client))
        seen = (pairs[f"{side}_number"] == own[f"{side}_number"]) & (F.col(f"{side}_seen") <= pairs["business_date"])
        pairs = (
            pairs.join(own, seen, "left")
            .withColumn(side, F.coalesce(f"{side}_customer", pairs[f"{side}_number"]))
            .drop(f"{side}_number", f"{side}_seen", f"{side}_customer")
            .join(kind, on=["business_date", side], how="left")
        )
    is_refused = F.col("one_order").isNull() | F.col("other_order").isNull()
    is_refused |= F.coalesce(F.col("one_kind") != F.col("other_kind"), F.lit(False))
    columns = ("business_date", "decided_date", "one", "other", "one_order", "other_order")
    return pairs.select(*columns, is_refused.alias("is_refused")).collect()


def build_customer_merges(links: Iterable[Row], customers: DataFrame) -> DataFrame:
    """Customers that are merged with others. merge_rank: 1 is the earliest, whose id goes on; decided_date: the last link that names it."""
    rows = []
    in_order = sorted(links, key=lambda link: link.business_date)
    for day, decided in groupby(in_order, lambda link: link.business_date):
        groups: dict[str, set[str]] = {}
        orders, dates = {}, {}
        for link in decided:
            if link.is_refused or link.one == link.other:
                continue
            orders |= {link.one: link.one_order, link.other: link.other_order}
            together = groups.get(link.one, {link.one}) | groups.get(link.other, {link.other})
            groups |= dict.fromkeys(together, together)
            for customer in (link.one, link.other):
                dates[customer] = max(dates.get(customer, link.decided_date), link.decided_date)
        for customer, group in groups.items():
            ranked = sorted(group, key=lambda customer: _nulls_first(orders[customer]))
            rows.append((customer, day, ranked[0], ranked.index(customer) + 1, dates[customer]))
    return customers.sparkSession.createDataFrame(rows, TABLES[_MERGES].schema)


def _nulls_first(order: Row) -> list[tuple[bool, Any]]:
    """As Spark sorts, which gave the customers their ids."""
    return [(value is not None, value) for value in order]


def build_customer_reviews(links: Iterable[Row], merges: DataFrame, present: DataFrame) -> DataFrame:
    """Pairs of customers somebody should look at: they show the same document and are not merged, or their link was refused.

    The smaller id comes first. Of several with one document the smallest stands beside each of the others: a number that means nothing is
    shown by thousands.
    """
    known = merges.select("customer_id", "business_date", "merged_customer_id")
    showing = (
        present.where("identity_number_token is not null")
        .join(known, on=["customer_id", "business_date"], how="left")
        .groupBy("business_date", "identity_kind", "identity_number_token")
        .agg(F.array_sort(F.collect_set(F.coalesce("merged_customer_id", "customer_id"))).alias("customers"))
        .where(F.size("customers") > 1)
    )
    same = (
        showing.withColumn("customer_id", F.element_at("customers", 1))
        .withColumn("other_customer_id", F.explode(F.expr("slice(customers, 2, size(customers) - 1)")))
        .select("business_date", "customer_id", "other_customer_id", F.lit(SAME_DOCUMENT).alias("review_reason"))
    )
    refused = {(link.business_date, *sorted((link.one, link.other)), LINK_REFUSED) for link in links if link.is_refused}
    return conform(same.union(present.sparkSession.createDataFrame(sorted(refused), same.schema)), _REVIEWS).distinct()


# ---------------------------------------------------------------- gold as the marts of a day see it


def days_merged_alike(lake: Lake, days: list[date]) -> list[list[date]]:
    """`days` in runs on which the same customers are merged."""
    who = F.xxhash64("customer_id", "merged_customer_id", "merge_rank").cast("decimal(20,0)")
    counted = lake.read("gold", _MERGES, days).groupBy("business_date").agg(F.sum(who).alias("who")).collect()
    merged = {row.business_date: row.who for row in counted}
    return [list(run) for _, run in groupby(sorted(days), merged.get)]


def register_gold(lake: Lake, day: date) -> None:
    """Make gold known to the catalogue, with its customers as they are merged on `day`."""
    merged = lake.read("gold", _MERGES, [day])
    lake.register("gold", TABLES, {} if merged.isEmpty() else views(lake, day))


def views(lake: Lake, day: date) -> dict[str, str]:
    """Table → the query that shows it with the customers as they are merged on `day`."""
    merged = f"(select customer_id, merged_customer_id, merge_rank from delta.`{lake.path('gold', _MERGES)}` where {in_days([day])})"
    found = {}
    for table in TABLES.values():
        columns = [name for name in table.names if name.endswith("customer_id")]
        if not columns or table.name in (_MERGES, _REVIEWS) or not lake.exists("gold", table.name):
            continue
        query = f"select * from delta.`{lake.path('gold', table.name)}`"
        if table.name in _TOGETHER:
            query = _together(table.name, query, merged)
            columns.remove("customer_id")
        for column in columns:
            query = _renamed(table.names, query, column, merged)
        found[table.name] = query
    return found


def _renamed(names: tuple[str, ...], query: str, column: str, merged: str) -> str:
    shown = ", ".join(
        f"coalesce(merged.merged_customer_id, own.{name}) as {name}" if name == column else f"own.{name}"
        for name in names
    )
    return f"select {shown} from ({query}) as own left join {merged} as merged on own.{column} = merged.customer_id"


def _together(name: str, query: str, merged: str) -> str:
    table = TABLES[name]
    shown, key = [], [column for column in table.key if column != "customer_id"]
    for field in table.schema:
        if field.name == "customer_id":
            shown.append("merged_customer_id as customer_id")
        elif field.name in key:
            shown.append(field.name)
        else:
            told = _TOGETHER[name][field.name]
            shown.append(f"cast({told} as {field.dataType.simpleString()}) as {field.name}")
    alone = (
        f"select own.* from ({query}) as own left anti join {merged} as merged on own.customer_id = merged.customer_id"
    )
    both = (
        f"select own.*, merged.merged_customer_id, merged.merge_rank from ({query}) as own "
        f"inner join {merged} as merged on own.customer_id = merged.customer_id"
    )
    return (
        f"select {', '.join(table.names)} from ({alone}) union all "
        f"select {', '.join(shown)} from ({both}) group by merged_customer_id, {', '.join(key)}"
    )
