"""What phones allow, calls that were made, and complaints that are open; keyed by phone token where the phone is all that is known."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.customers import normal_clients
from spark_jobs.gold.tables import conform


def build_phone_consents(consents: DataFrame) -> DataFrame:
    """The last word a phone has said by the day. A declaration whose phone cannot be read belongs to no phone."""
    last = F.max_by("consent_kind", F.struct("recorded_date", "consent_id"))
    spoken = consents.where("mobile_phone_token is not null").groupBy("mobile_phone_token", "business_date")
    return conform(
        spoken.agg(last.alias("consent_kind"), F.max("recorded_date").alias("recorded_date")), "phone_consents"
    )


def build_calls(calls: DataFrame) -> DataFrame:
    """Calls of the day, made and taken."""
    return conform(calls, "calls")


def build_open_complaints(complaints: DataFrame, present: DataFrame) -> DataFrame:
    """Customers with complaints that are open. One of a client number not delivered that day counts for nobody."""
    counted = (
        complaints.where("complaint_status = 'open'")
        .join(normal_clients(present), on=["business_date", "client_number"], how="inner")
        .groupBy("customer_id", "business_date")
        .agg(F.count(F.lit(1)).alias("open_complaint_count"), F.min("opened_date").alias("first_opened_date"))
    )
    return conform(counted, "open_complaints")
