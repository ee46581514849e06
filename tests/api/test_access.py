"""Role × route × column × row, walked over everything there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.access import ROLES_FILE, ROUTES, SCOPES, load_access
from spark_jobs.errors import ConfigurationError
from tests.api.builders import ENTRIES, PEOPLE

ROLES = yaml.safe_load(ROLES_FILE.read_text(encoding="utf-8"))
AGENT_BRANCH, AGENT_EMPLOYEE = "B001", "E001"
FIRM = next(one for one in PEOPLE if one.kind == "institution")
MINE, OTHER = PEOPLE[3], PEOPLE[1]  # of B001, and of B003 with another employee

# Said a second time, on purpose: whoever opens a route to a role changes this table too.
MAY_ASK = {
    "agent": "lookup profile accounts holdings asset_history tags phones open_items prospects lists list_calls work notes commission_customer reveal "
    "status",
    "branch_manager": "lookup profile accounts holdings asset_history tags phones open_items prospects lists list_calls list_suppressed notes commission_customer "
    "income_customer accruals_customer income_products commission_employees commission_branches performance_employees performance_branches movements "
    "merges reviews charge_checks rate_checks export status",
    "e_office": "lookup profile accounts holdings asset_history tags phones commission_customer commission_employees commission_branches merges reviews "
    "charge_checks rate_checks status",
    "performance": "commission_customer income_customer accruals_customer income_products commission_employees commission_branches performance_employees "
    "performance_branches charge_checks rate_checks export status",
    "risk_control": "lookup profile accounts holdings asset_history tags phones open_items prospects lists list_calls list_suppressed notes commission_customer "
    "movements merges reviews reveal export status",
    "institution_desk": "institutions institution institution_holdings institution_history status",
    "analyst": "profile accounts holdings asset_history tags phones open_items prospects lists list_suppressed commission_customer income_customer "
    "accruals_customer income_products commission_employees commission_branches performance_employees performance_branches movements merges reviews "
    "institutions institution institution_holdings institution_history charge_checks rate_checks export status",
    "operations": "metrics status",
    "auditor": "profile lists list_calls list_suppressed commission_employees commission_branches status",
}  # fmt: skip
CALLS: dict[str, tuple[str, str, Any]] = {
    "lookup": ("post", "/v1/lookups", {"by": "customer_number", "value": MINE.customer_id}),
    "profile": ("get", f"/v1/customers/{MINE.customer_id}", None),
    "accounts": ("get", f"/v1/customers/{MINE.customer_id}/accounts", None),
    "holdings": ("get", f"/v1/customers/{MINE.customer_id}/holdings", None),
    "asset_history": ("get", f"/v1/customers/{MINE.customer_id}/asset-history", None),
    "tags": ("get", f"/v1/customers/{MINE.customer_id}/tags", None),
    "phones": ("get", f"/v1/customers/{MINE.customer_id}/phones", None),
    "open_items": ("get", f"/v1/customers/{MINE.customer_id}/open-items", None),
    "notes": ("get", f"/v1/customers/{MINE.customer_id}/notes", None),
    "work": ("post", f"/v1/customers/{MINE.customer_id}/words", {"word": "marketing_granted"}),
    "reveal": (
        "post",
        f"/v1/customers/{MINE.customer_id}/reveal",
        {"column": "mobile_phone", "reason": "customer asks us to call"},
    ),
    "export": ("post", "/v1/exports", {"mart": "mart_commission_customer_day"}),
    "prospects": ("get", "/v1/prospects", None),
    "lists": ("get", "/v1/lists", None),
    "list_calls": ("get", f"/v1/lists/{MINE.list_name}/calls", None),
    "list_suppressed": ("get", "/v1/lists/margin_call/suppressed", None),
    "commission_customer": ("get", f"/v1/commission/customers/{MINE.customer_id}", None),
    "income_customer": ("get", f"/v1/incomes/customers/{MINE.customer_id}", None),
    "accruals_customer": ("get", f"/v1/accruals/customers/{MINE.customer_id}", None),
    "commission_employees": ("get", "/v1/commission/employees", None),
    "commission_branches": ("get", "/v1/commission/branches", None),
    "performance_employees": ("get", "/v1/performance/employees", None),
    "performance_branches": ("get", "/v1/performance/branches", None),
    "income_products": ("get", "/v1/incomes/products", None),
    "movements": ("get", "/v1/movements", None),
    "merges": ("get", "/v1/merges", None),
    "reviews": ("get", "/v1/reviews", None),
    "institutions": ("get", "/v1/institutions", None),
    "institution": ("get", f"/v1/institutions/{FIRM.customer_id}", None),
    "institution_holdings": ("get", f"/v1/institutions/{FIRM.customer_id}/holdings", None),
    "institution_history": ("get", f"/v1/institutions/{FIRM.customer_id}/asset-history", None),
    "charge_checks": ("get", "/v1/performance/charges", None),
    "rate_checks": ("get", "/v1/performance/rates", None),
    "status": ("get", "/v1/status", None),
    "metrics": ("get", "/metrics", None),
}
PARTS = {
    "lookup",
    "open_items",
    "asset_history",
    "institution_history",
    "lists",
    "status",
}  # answers of some columns of their mart


def _ask(client, route: str, headers: dict[str, str]):
    method, path, body = CALLS[route]
    return client.request(method, path, json=body, headers=headers)


def _columns(role: str, mart: str) -> set[str]:
    """What roles.yml says, worked out once more without the code under test."""
    said = ROLES["roles"][role]
    only = said.get("only", {}).get(mart)
    return {
        one.column for one in ENTRIES
        if one.mart == mart and one.level <= said["columns"]["level"] and one.column not in said["columns"].get("except", [])
        and (role == "risk_control" or not one.column.startswith(("aml_", "anti_money_laundering_"))) and (only is None or one.column in only)
    }  # fmt: skip


def test_file_and_table_name_the_same_routes() -> None:
    assert {role: set(said["routes"]) for role, said in ROLES["roles"].items()} == {
        role: set(routes.split()) for role, routes in MAY_ASK.items()
    }


@pytest.mark.parametrize("role", MAY_ASK)
def test_role_gets_its_routes_with_its_columns_and_is_refused_all_others(role: str, client, headers_of) -> None:
    headers = headers_of(role, AGENT_BRANCH, AGENT_EMPLOYEE)
    for route in CALLS:
        answer = _ask(client, route, headers)
        if route not in MAY_ASK[role].split():
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "C360-541"), route
            continue
        assert answer.status_code == 200, (route, answer.text)
        mart = (ROUTES[route].marts or (None,))[0]
        if route in ("work", "notes", "reveal", "metrics"):  # what was written, one value, or counts: no row of a mart
            continue
        if route == "export":
            header = answer.text.lstrip("\ufeff").splitlines()[0].split(",")
            assert set(header) == _columns(role, "mart_commission_customer_day") | {"exported_by"}, route
            continue
        rows = answer.json()["data"]
        for row in rows if isinstance(rows, list) else [rows]:
            seen = set(row) - {"work"}
            if route in PARTS:
                assert seen <= (_columns(role, mart) if mart else seen) | {"call_count"}, route
            else:
                assert seen == _columns(role, mart), route


def test_a_branch_sees_its_own_unit_and_the_performance_office_all_of_them(client, headers_of) -> None:
    def units(role: str) -> set[tuple[str, str]]:
        rows = _ask(client, "performance_branches", headers_of(role, AGENT_BRANCH, AGENT_EMPLOYEE)).json()["data"]
        return {(row["unit_level"], row["unit_id"]) for row in rows}

    assert units("branch_manager") == {("branch", AGENT_BRANCH)}
    assert units("performance") > {("branch", AGENT_BRANCH), ("firm", "firm")}


def test_a_list_by_day_is_of_the_published_day_or_of_the_one_asked_for(client, headers_of) -> None:
    headers = headers_of("performance")
    published = client.get("/v1/performance/rates?limit=3", headers=headers).json()
    assert {row["business_date"] for row in published["data"]} == {published["as_of_date"]} and published["next_page"]
    following = client.get(f"/v1/performance/rates?limit=3&page={published['next_page']}", headers=headers).json()
    assert len({row["account_id"] for answer in (published, following) for row in answer["data"]}) == 6
    assert client.get("/v1/performance/rates?day=2000-01-03", headers=headers).json()["data"] == []


@pytest.mark.parametrize("role", MAY_ASK)
def test_role_without_the_scope_is_refused(role: str, client, headers_of) -> None:
    for scope in SCOPES:
        headers = headers_of(role, AGENT_BRANCH, AGENT_EMPLOYEE, tuple(one for one in SCOPES if one != scope))
        for route in set(CALLS) & set(MAY_ASK[role].split()):
            if ROUTES[route].scope == scope:
                assert _ask(client, route, headers).status_code == 403, route


@pytest.mark.parametrize("role", [role for role, routes in MAY_ASK.items() if "profile" in routes.split()])
def test_role_sees_the_customers_of_its_rows_and_no_other(role: str, client, headers_of) -> None:
    headers = headers_of(role, AGENT_BRANCH, AGENT_EMPLOYEE)
    rule = ROLES["roles"][role]["rows"]["default"]
    seen = {
        person.customer_id for person in PEOPLE if client.get(f"/v1/customers/{person.customer_id}", headers=headers).status_code == 200
    }  # fmt: skip
    mine = {
        "all": lambda person: True,
        "own_branch": lambda person: person.branch == AGENT_BRANCH,
        # A call of the branch, or a customer he serves.
        "own_queue": lambda person: (
            (person.branch == AGENT_BRANCH and person.phone) or person.employee == AGENT_EMPLOYEE
        ),
    }[rule]
    assert seen == {person.customer_id for person in PEOPLE if mine(person)}
    assert seen == {one.customer_id for one in PEOPLE} or rule != "all"


@pytest.mark.parametrize("role", ["agent", "branch_manager"])
@pytest.mark.parametrize(
    "path",
    ["", "/accounts", "/holdings", "/asset-history", "/tags", "/open-items"],
)
def test_customer_outside_the_rows_looks_like_one_who_does_not_exist(role: str, path: str, client, headers_of) -> None:
    headers = headers_of(role, AGENT_BRANCH, AGENT_EMPLOYEE)
    outside = client.get(f"/v1/customers/{OTHER.customer_id}{path}", headers=headers)
    nobody = client.get(f"/v1/customers/C999999999{path}", headers=headers)
    assert (outside.status_code, outside.json()) == (404, nobody.json())
    assert client.get(f"/v1/commission/customers/{OTHER.customer_id}", headers=headers).status_code == 404


def test_branch_manager_sees_the_commission_of_his_branch_only(client, headers_of) -> None:
    headers = headers_of("branch_manager", "B002")
    for path in ("employees", "branches"):
        rows = client.get(f"/v1/commission/{path}", headers=headers).json()["data"]
        assert rows and {row["branch_id"] for row in rows} == {"B002"}


def test_restricted_column_is_for_risk_control_alone() -> None:
    grade = replace(ENTRIES[0], mart="mart_customer_profile", column="aml_grade", level=1)
    roles = load_access(entries=[*ENTRIES, grade]).roles
    assert {name for name, role in roles.items() if "aml_grade" in role.columns.get("mart_customer_profile", ())} == {
        "risk_control"
    }


def test_column_of_a_higher_level_is_seen_by_nobody_below_it() -> None:
    secret = replace(ENTRIES[0], mart="mart_customer_profile", column="secret_text", level=4)
    roles = load_access(entries=[*ENTRIES, secret]).roles
    assert {name for name, role in roles.items() if "secret_text" in role.columns.get("mart_customer_profile", ())} == {
        "risk_control"
    }


def test_every_fault_of_the_roles_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "roles.yml"
    path.write_text(
        """
restricted: {"aml_*": [nobody]}
roles:
  agent: {zh: 坐席, en: Agent, routes: [profile, fly], rows: {default: own_queue}, columns: {level: 3}}
  clerk: {zh: 员, routes: [commission_branches], rows: {default: own_rows}, columns: {level: 9}, colour: red}
  other: {zh: 员, en: Other, routes: [profile], rows: {default: all}, columns: {level: 1, except: [no_such]},
          only: {mart_customer_tag: [tag_name], mart_customer_profile: [no_column]}}
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as raised:
        load_access(path)
    told = str(raised.value)
    for fault in (
        "restricted aml_* names nobody", "agent routes names fly", "agent needs branch for own_queue", "clerk has no name in en",
        "clerk columns needs a level", "clerk does not know colour", "clerk needs employee", "cannot have own_rows of mart_commission_branch_month",
        "other columns excepts no_such", "other only names mart_customer_tag", "mart_customer_profile.no_column",
    ):  # fmt: skip
        assert fault in told, fault
    assert raised.value.code == "C360-181"
