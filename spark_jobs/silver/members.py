"""One customer across all counters: members linked by legal identity, with ids that never move.

A member is one client number on one counter. Its link is the identity it had on the first day it was seen; a renewed document changes
nothing. The customer id comes from the earliest member of the group, and since nobody later can be earlier, it is stable.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

ORDER = ("first_seen_date", "open_date", "system_code", "client_number")

_SHARED = (
    "business_date", "system_code", "client_number", "branch_id", "open_date", "identity_kind", "identity_number_token",
    "identity_number_masked", "identity_number_check", "identity_number_birth_date", "identity_number_gender",
    "client_name_token", "client_name_masked", "mobile_phone_token", "mobile_phone_masked",
)  # fmt: skip
_CLIENT_ONLY = (
    "client_kind", "client_status", "risk_level", "risk_test_expiry_date", "identity_expiry_date", "manager_client_number",
    "pension_account_id",
)  # fmt: skip


def build_sightings(clients: DataFrame, accounts: dict[str, DataFrame]) -> DataFrame:
    """Every member on every day it is delivered.

    Grain: one row per (business_date, system_code, client_number). `accounts`: system code → account slices of a counter that knows
    clients only through their accounts; the earliest account (open date, account) speaks for its client.
    """
    seen = clients.withColumn("system_code", F.lit("NOR")).select(*_SHARED, *_CLIENT_ONLY)
    for system, frame in sorted(accounts.items()):
        first = Window.partitionBy("business_date", "client_number").orderBy("open_date", "account_id")
        speaking = (
            frame.withColumn("_rank", F.row_number().over(first))
            .where("_rank = 1")
            .withColumn("system_code", F.lit(system))
        )
        seen = seen.unionByName(speaking.select(*_SHARED), allowMissingColumns=True)
    return seen


def build_new_members(sightings: DataFrame, known: DataFrame | None) -> DataFrame:
    """Members seen for the first time, with their customer.

    Grain: one row per (system_code, client_number). `known`: the members of earlier days. `business_date` is the first day seen.
    An identity that fails its check digit links with nothing: the member is its own customer.
    """
    member = Window.partitionBy("system_code", "client_number").orderBy("business_date")
    can_link = F.col("identity_number_token").isNotNull() & (
        F.coalesce("identity_number_check", F.lit("")) != "invalid"
    )
    first = (
        sightings.withColumn("_rank", F.row_number().over(member))
        .where("_rank = 1")
        .select(
            "business_date",
            F.col("business_date").alias("first_seen_date"),
            "system_code",
            "client_number",
            "open_date",
            F.when(can_link, F.col("identity_number_token"))
            .otherwise(F.concat_ws("-", "system_code", "client_number"))
            .alias("link_key"),
        )
    )
    if known is None:
        everyone, new = first, first
    else:
        new = first.join(
            known.select("system_code", "client_number"), on=["system_code", "client_number"], how="left_anti"
        )
        everyone = known.select(*new.columns).unionByName(new)
    leaders = everyone.groupBy("link_key").agg(F.min(F.struct(*ORDER)).alias("leader"))
    return new.join(leaders, on="link_key", how="inner").select(
        *new.columns, F.concat_ws("-", "leader.system_code", "leader.client_number").alias("customer_id")
    )
