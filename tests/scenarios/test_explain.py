"""Every figure of the profile leads back to rows of files, and every column on to whoever uses it."""

from __future__ import annotations

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from spark_jobs.cli import app
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError, InfrastructureError
from spark_jobs.gold.origins import FEEDS
from spark_jobs.gold.tables import TABLES
from spark_jobs.jobs.explain import PROFILE, explain, impact
from spark_jobs.jobs.explain_employee import SHOWN, explain_employee, measures
from spark_jobs.publish.dictionary import read_dictionary
from spark_jobs.publish.duckdb_store import open_published
from spark_jobs.publish.lineage import Lineage, Source, lineage_of

COLUMNS = [entry.column for entry in read_dictionary() if entry.mart == PROFILE]
# The ledger and the quarantine say how old and how complete a day is, the calendar which day it is: none of them is a row of a customer's file.
WITHOUT_FILES = {
    "average_20d_days", "month_average_days", "normal_as_of_date", "credit_as_of_date", "option_as_of_date", "fund_as_of_date",
    "advice_as_of_date", "fund_advice_as_of_date", "is_stale",
    "is_partial", "has_quarantined_rows",
}  # fmt: skip
# Nothing may have been said, and nobody called.
OF_THE_CALL_PLATFORM = {
    "has_marketing_consent", "is_do_not_call", "last_call_date", "last_call_result", "last_reached_date", "open_complaint_count",
}  # fmt: skip


OF_AN_INSTITUTION = {
    "institution_kind",
    "investor_class",
    "registered_capital_amount",
    "licence_expiry_date",
    "contact_name_masked",
}


def _row(broker, where: str) -> dict:
    """The last published row of a profile."""
    with open_published(broker.settings.published) as connection:
        cursor = connection.execute(
            f"select * from {PROFILE} where {where} order by as_of_date desc, member_count desc limit 1"
        )
        return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))


@pytest.fixture(scope="module")
def profile(broker) -> dict:
    """The customer with accounts on all four counters and a call made to it."""
    return _row(broker, "name_masked = '金**'")


@pytest.fixture(scope="module")
def institution(broker) -> dict:
    """One e-office describes."""
    return _row(broker, "contact_name_masked is not null and registered_capital_amount is not null")


def ask(broker, profile, column, day=None):
    return explain(broker.settings, profile["customer_id"], column, day)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_figure_leads_to_gold_and_to_rows_of_files(broker, profile, institution, column):
    profile = institution if column in OF_AN_INSTITUTION else profile
    found = ask(broker, profile, column)
    value = profile[column]
    if isinstance(value, bool | int | str) or value is None:
        assert found["value"] == value
    else:
        assert found["value"] in (str(value), f"{value:f}" if not isinstance(value, date) else value.isoformat())
    assert found["definition"] and found["chinese_name"] and found["version"]
    assert found["gold"], "computed from nothing"
    assert all(row["is_in_bronze"] for row in found["files"])
    assert bool(found["files"]) or column in WITHOUT_FILES | OF_THE_CALL_PLATFORM


def test_the_files_of_a_figure_are_the_customers_own(broker, profile):
    found = ask(broker, profile, "credit_debt_amount")
    feeds = {row["feed"] for row in found["files"]}
    assert "credit_counter__contracts" in feeds
    row = next(row for row in found["files"] if row["feed"] == "credit_counter__contracts")
    folder = broker.settings.landing / row["business_date"] / row["feed"]
    line = (folder / row["file"]).read_bytes().decode("gb18030").split("\n")[1 + row["row"]]
    account = next(
        item["account_id"]
        for item in ask(broker, profile, "minimum_maintenance_ratio")["gold"]
        if item["table"] == "gold.credit_risks"
        for item in item["rows"]
    )
    assert account in line.split("|")


def test_an_earlier_day_is_explained_as_of_then(broker, profile):
    days = broker.summary["published"]
    found = ask(broker, profile, "total_asset_amount", date.fromisoformat(days[0]))
    assert found["as_of_date"] == days[0]
    assert all(row["business_date"] <= days[0] for row in found["files"])
    assert all(
        row["business_date"] <= days[0] for item in found["gold"] for row in item["rows"] if "business_date" in row
    )


def test_a_column_leads_on_to_marts_lists_and_notebooks(broker):
    found = impact(broker.settings, "holdings.maturity_date")
    assert found["marts"] == [
        "mart_customer_holding.maturity_date",
        "mart_customer_holding.maturity_days",
        "mart_customer_profile.next_option_expiry_date",
        "mart_customer_profile.next_product_maturity_date",
        "mart_institution_holding.maturity_date",
        "mart_institution_holding.maturity_days",
        "mart_outbound_call.reason_text",
    ]
    assert found["lists"] == ["option_expiring", "product_maturing"]
    found = impact(broker.settings, "credit_risks.margin_tier")
    assert found["lists"] == ["margin_*"] and "mart_customer_profile.margin_tier" in found["marts"]
    found = impact(broker.settings, "customers.risk_test_expiry_date")
    assert found["notebooks"] == ["01_customers_and_assets.ipynb"]


def test_who_is_not_there_is_told_without_a_value(broker, profile):
    with pytest.raises(ConfigurationError, match="C360-118"):
        ask(broker, profile, "no_such_column")
    with pytest.raises(ConfigurationError, match="C360-119") as refused:
        explain(broker.settings, "NOR-99999999", "branch_id", None)
    assert "99999999" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="C360-118"):
        impact(broker.settings, "no_such_column")
    with pytest.raises(InfrastructureError, match="C360-536"):
        lineage_of(broker.settings.published, 999)


def test_the_commands_print_what_was_found(broker, profile):
    environment = {"C360_HOME": str(broker.settings.home)}
    result = CliRunner().invoke(
        app, ["explain", profile["customer_id"], "branch_id", "--json"], env=environment, catch_exceptions=False
    )
    assert json.loads(result.stdout)["value"] == profile["branch_id"]
    shown = CliRunner().invoke(app, ["explain", profile["customer_id"], "branch_id"], env=environment)
    assert "normal_clients_" in shown.stdout and "营业部编号" in shown.stdout
    listed = CliRunner().invoke(app, ["impact", "customers.gender"], env=environment)
    assert "mart_customer_profile.gender" in listed.stdout


def test_every_gold_table_says_where_its_rows_come_from():
    assert set(FEEDS) == set(TABLES)
    assert {feed for feeds in FEEDS.values() for feed in feeds} <= {contract.feed for contract in load_catalogue()}


def test_lineage_follows_a_value_through_models_and_leaves_out_what_only_chooses_rows():
    lineage = Lineage(
        {
            "mart_outbound_call": "select a.total from built.between_them as a",
            "between_them": "with c as (select * from gold.customer_assets), d as (select customer_id, business_date, "
            "sum(total_asset_amount) as total from c where net_asset_amount > 0 group by all) select * from d",
        }
    )
    assert lineage.columns("mart_outbound_call") == ["total"]
    assert lineage.inputs("mart_outbound_call", "total") == {("between_them", "total")}
    assert lineage.gold_inputs("mart_outbound_call", "total") == {("gold.customer_assets", "total_asset_amount")}
    assert lineage.users({Source("gold.customer_assets", "total_asset_amount")}) == {
        ("between_them", "total"), ("mart_outbound_call", "total"),
    }  # fmt: skip


def test_every_figure_of_an_employee_is_the_sum_of_shares_that_lead_to_rows_of_files(broker):
    with open_published(broker.settings.published) as connection:
        months = connection.execute(
            "select performance_month, employee_id from mart_performance_employee_month"
        ).fetchall()
    assert ("2026-09", "unassigned") in months
    explained = 0
    for month, employee in months:
        found = explain_employee(broker.settings, employee, "after_deductions_amount", month)
        assert found["difference"] == "0.00", (month, employee)
        for share in found["shares"][:SHOWN]:
            assert share["files"], share
            assert (share["relation"] is None) == (employee == "unassigned")
            explained += share["share"] != "0.00"
    assert explained > 50


@pytest.mark.parametrize("measure", measures())
def test_every_measure_of_an_employee_adds_up(broker, measure):
    with open_published(broker.settings.published) as connection:
        best = connection.execute(
            f"select performance_month, employee_id from mart_performance_employee_month order by {measure} desc, 1, 2 limit 1"
        ).fetchone()
    found = explain_employee(broker.settings, best[1], measure, best[0])
    assert found["difference"] == "0.00" and found["definition"] and found["version"]


def test_the_command_shows_an_employees_shares(broker):
    environment = {"C360_HOME": str(broker.settings.home)}
    arguments = ["explain", "--employee", "unassigned", "--measure", "net_amount", "--month", "2026-09"]
    shown = CliRunner().invoke(app, arguments, env=environment)
    assert shown.exit_code == 0 and "add up with a difference of 0.00" in shown.output
    assert CliRunner().invoke(app, ["explain", "--employee", "E1"], env=environment).exit_code == 2


def test_what_is_not_attributed_or_not_there_is_named(broker):
    with pytest.raises(ConfigurationError, match="C360-118"):
        explain_employee(broker.settings, "unassigned", "customer_asset_amount", "2026-09")
    with pytest.raises(ConfigurationError, match="C360-125"):
        explain_employee(broker.settings, "unassigned", "net_amount", "1999-01")
