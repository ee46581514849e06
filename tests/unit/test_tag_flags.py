"""Tags side by side: a flag for ever, a flag for this month, and a row for who has none."""

from __future__ import annotations

import re
from datetime import date

import duckdb

from spark_jobs.config import PROJECT
from spark_jobs.publish.dictionary import read_tables
from spark_jobs.publish.tag_flags import TABLE, TAGS, create_tag_flags

DAY = date(2026, 9, 30)
MODEL = PROJECT / "dbt_project" / "models" / "intermediate" / "customers" / "int_customer_tags_by_day.sql"


def test_every_customer_has_a_row_and_every_tag_two_flags():
    with duckdb.connect() as connection:
        connection.execute(
            "create table mart_customer_profile as select customer_id, date '2026-09-30' as as_of_date from (values ('C1'), ('C2')) as c (customer_id)"
        )
        connection.execute(
            "create table mart_customer_tag as select 'C1' as customer_id, date '2026-09-30' as as_of_date, * "
            "from (values ('fund_plan', true), ('financing', false)) as t (tag_name, is_current_month)"
        )
        create_tag_flags(connection)
        rows = connection.execute(f"select * from {TABLE} order by 1").fetchall()
        names = [column[0] for column in connection.execute(f"select * from {TABLE}").description]
        kinds = {
            name: kind.lower().replace("varchar", "string")
            for name, kind, *_ in connection.execute(f"describe {TABLE}").fetchall()
        }
    true = [{name for name, value in zip(names, row, strict=True) if value is True} for row in rows]
    assert [row[:2] for row in rows] == [("C1", DAY), ("C2", DAY)]
    assert true == [{"has_fund_plan", "has_fund_plan_this_month", "has_financing"}, set()]
    assert kinds == {entry.column: entry.data_type for entry in read_tables() if entry.mart == TABLE}


def test_every_tag_of_the_marts_has_its_flags():
    tags = re.findall(r"(?:then|else) '(\w+)'|'(\w+)' as tag_name", MODEL.read_text(encoding="utf-8"))
    assert {one or other for one, other in tags} == set(TAGS)
