"""Customers and accounts as dated dimensions."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.gold.tables import conform
from spark_jobs.ingest.bronze import CUSTOMER_LINES
from spark_jobs.silver.members import ORDER

CONTACTS = "EOF"
"""The system code of people to call at an institution, whom e-office knows."""


def build_members_present(sightings: DataFrame, members: DataFrame) -> DataFrame:
    """Sightings with customer_id and first_seen_date. Grain: (business_date, system_code, client_number)."""
    return sightings.join(
        members.select(
            "system_code",
            "client_number",
            "customer_id",
            "first_seen_date",
            F.col("open_date").alias("_first_open_date"),
        ),
        on=["system_code", "client_number"],
        how="inner",
    )


def normal_clients(present: DataFrame) -> DataFrame:
    """Which customer a client number of the normal counter is on a day: senders without a counter of their own name clients so."""
    return present.where("system_code = 'NOR'").select("business_date", "client_number", "customer_id")


def build_customers(present: DataFrame) -> DataFrame:
    """One customer per day: its first member that day speaks for it, a normal client before the others.

    Nulls: risk level, expiries, status and manager are null for a customer without a normal client.
    """
    order = [
        (F.col("system_code") != "NOR").cast("int"),
        *(F.col("_first_open_date" if name == "open_date" else name) for name in ORDER),
    ]
    everyone = Window.partitionBy("customer_id", "business_date")
    ranked = present.select(
        "*",
        F.row_number().over(everyone.orderBy(*order)).alias("_rank"),
        F.min("open_date").over(everyone).alias("_open_date"),
        F.count(F.lit(1)).over(everyone).alias("member_count"),
        F.max(F.col("pension_account_id").isNotNull()).over(everyone).alias("has_pension_account"),
    ).where("_rank = 1")
    kind_by_document = (
        F.when(F.col("identity_kind") == "product_filing", "product")
        .when(F.col("identity_kind") == "unified_social_credit_code", "institution")
        .otherwise("person")
    )
    managers = present.where("system_code = 'NOR'").select(
        F.col("business_date"),
        F.col("client_number").alias("manager_client_number"),
        F.col("customer_id").alias("manager_customer_id"),
    )
    speaking = ranked.select(
        "customer_id", "business_date", "branch_id", "identity_kind", "risk_level", "risk_test_expiry_date", "identity_expiry_date",
        "member_count", "has_pension_account", "manager_client_number", "mobile_phone_token", "mobile_phone_masked",
        F.coalesce("client_kind", kind_by_document).alias("customer_kind"),
        F.col("client_name_token").alias("name_token"),
        F.col("client_name_masked").alias("name_masked"),
        F.col("identity_number_token").alias("identity_token"),
        F.col("identity_number_masked").alias("identity_masked"),
        F.col("identity_number_check").alias("identity_check"),
        F.to_date("identity_number_birth_date", "yyyyMMdd").alias("birth_date"),
        F.col("identity_number_gender").alias("gender"),
        F.col("client_status").alias("customer_status"),
        F.col("_open_date").alias("open_date"),
    )  # fmt: skip
    return conform(speaking.join(managers, on=["business_date", "manager_client_number"], how="left"), "customers")


def build_member_phones(present: DataFrame, institutions: DataFrame) -> DataFrame:
    """The phone of every client number that has one, with what ranks its client numbers.

    institutions: as e-office describes them; whom to call there counts as one more client number, with the system code CONTACTS.
    """
    contacts = institutions.select(
        "business_date",
        "client_number",
        F.col("contact_phone_token").alias("mobile_phone_token"),
        F.col("contact_phone_masked").alias("mobile_phone_masked"),
    )
    phone = ("mobile_phone_token", "mobile_phone_masked")
    called = present.where("system_code = 'NOR'").drop(*phone).join(contacts, on=["business_date", "client_number"])
    everybody = present.unionByName(called.withColumn("system_code", F.lit(CONTACTS)))
    phones = everybody.where("mobile_phone_token is not null")
    return conform(phones.withColumn("first_open_date", F.col("_first_open_date")), "member_phones")


def build_accounts(frames: dict[str, DataFrame], present: DataFrame) -> DataFrame:
    """Accounts of all counters. `frames`: business line → account slices. customer_id is null when the client was not delivered."""
    every = None
    for line, frame in frames.items():
        role = F.col("account_role") if "account_role" in frame.columns else F.lit("main")
        part = frame.select(
            F.lit(line).alias("business_line"),
            "account_id",
            "business_date",
            F.lit(CUSTOMER_LINES[line]).alias("system_code"),
            "client_number",
            role.alias("account_role"),
            "branch_id",
            "account_status",
            "open_date",
            "close_date",
        )
        every = part if every is None else every.unionByName(part)
    owners = present.select("business_date", "system_code", "client_number", "customer_id")
    return conform(every.join(owners, on=["business_date", "system_code", "client_number"], how="left"), "accounts")


def build_quarantined_customers(held: DataFrame, present: DataFrame, accounts: DataFrame) -> DataFrame:
    """Customers of whom a row is held back on the day. `held`: rows with what they say of their owner.

    Grain: one row per (customer_id, business_date). A row counts once for its customer, whether its client number or its account names
    it. A row that names nobody known on its day counts for nobody.
    """
    by_client = held.join(
        present.select("business_date", "system_code", "client_number", "customer_id"),
        on=["business_date", "system_code", "client_number"],
        how="inner",
    )
    by_account = held.join(
        accounts.where("customer_id is not null").select("business_date", "business_line", "account_id", "customer_id"),
        on=["business_date", "business_line", "account_id"],
        how="inner",
    )
    named = by_client.select("customer_id", "business_date", "row_id").union(
        by_account.select("customer_id", "business_date", "row_id")
    )
    counted = named.groupBy("customer_id", "business_date").agg(F.countDistinct("row_id").alias("held_row_count"))
    return conform(counted, "quarantined_customers")
