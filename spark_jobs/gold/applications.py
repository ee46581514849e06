"""Applications for an account; an applicant is known by his phone, and is linked to the customer once the account is open."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.customers import normal_clients
from spark_jobs.gold.tables import conform


def build_applications(applications: DataFrame, present: DataFrame) -> DataFrame:
    """Applications as of each day. prospect_id: of the phone, so that all applications of a phone have the same; null where it cannot be read.

    customer_id is null until the client number is delivered by the normal counter, too.
    """
    known = applications.join(normal_clients(present), on=["business_date", "client_number"], how="left").select(
        "*",
        F.expr(prospect_id("mobile_phone_token")).alias("prospect_id"),
        F.col("applicant_name_masked").alias("name_masked"),
    )
    return conform(known, "applications")


def prospect_id(phone_token: str) -> str:
    """SQL for Spark and DuckDB alike: `PRO-` and the first sixteen digits of the phone's token, which is `<key id>:<digits>`."""
    return f"'PRO-' || substr(split_part({phone_token}, ':', -1), 1, 16)"
