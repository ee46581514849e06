"""How the money-laundering check grades customers, what they may trade beyond common shares, and what e-office knows of institutions."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.gold.customers import normal_clients
from spark_jobs.gold.tables import conform

# From the least to the worst. A code the contract does not know, which has no place, is worse than all: nobody has said that it is harmless.
_PLACE = "array_position(array('low', 'medium', 'high'), aml_grade)"
WORST_GRADE = f"max_by(aml_grade, struct({_PLACE} = 0, {_PLACE}, aml_grade))"


def build_aml_grades(grades: DataFrame, present: DataFrame) -> DataFrame:
    """Customers with a grade: the worst of their client numbers delivered that day, the last grading and the earliest review."""
    counted = (
        grades.join(normal_clients(present), on=["business_date", "client_number"], how="inner")
        .groupBy("customer_id", "business_date")
        .agg(
            F.expr(WORST_GRADE).alias("aml_grade"),
            F.max("graded_date").alias("aml_graded_date"),
            F.min("review_date").alias("aml_review_date"),
        )
    )
    return conform(counted, "aml_grades")


def build_permissions(permissions: DataFrame, present: DataFrame) -> DataFrame:
    """Permissions of customers, each once, open since the first of their client numbers had it."""
    opened = (
        permissions.join(normal_clients(present), on=["business_date", "client_number"], how="inner")
        .groupBy("customer_id", "permission_kind", "business_date")
        .agg(F.min("opened_date").alias("opened_date"))
    )
    return conform(opened, "permissions")


def build_institutions(institutions: DataFrame, present: DataFrame) -> DataFrame:
    """What e-office says of client numbers of the normal counter delivered that day, whatever kind of customer they are."""
    return conform(
        institutions.join(normal_clients(present), on=["business_date", "client_number"], how="inner"), "institutions"
    )
