"""Role × route × rows × columns, read from one file. What it does not say is not allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from serving.problems import NotAllowed
from spark_jobs.config import Settings
from spark_jobs.declarations import read_yaml
from spark_jobs.errors import ConfigurationError
from spark_jobs.publish.dictionary import LEVELS, Entry, read_dictionary
from spark_jobs.publish.marts import COCKPIT, WHOLE, Publication
from spark_jobs.two_persons import must_be_agreed_roles

ROLES_FILE = Path(__file__).with_name("roles.yml")


@dataclass(frozen=True)
class Route:
    """A question one can ask. marts: what it reads; scope: what a key or token needs besides its role; publication: which revision it is answered from."""

    marts: tuple[str, ...]
    scope: str = "read"
    publication: Publication = WHOLE


ROUTES: dict[str, Route] = {
    "lookup": Route(("mart_customer_profile",)),
    "profile": Route(("mart_customer_profile",)),
    "accounts": Route(("mart_customer_account",)),
    "holdings": Route(("mart_customer_holding",)),
    "asset_history": Route(("mart_customer_profile",)),
    "tags": Route(("mart_customer_tag",)),
    "phones": Route(("mart_customer_phone",)),
    "open_items": Route(("mart_customer_profile",)),
    "prospects": Route(("mart_prospect",)),
    "lists": Route(("mart_outbound_call",)),
    "list_calls": Route(("mart_outbound_call",)),
    "list_suppressed": Route(("mart_outbound_suppressed",)),
    "notes": Route(("mart_customer_profile",)),
    "work": Route(("mart_outbound_call",), "write"),
    "commission_customer": Route(("mart_commission_customer_day",)),
    "income_customer": Route(("mart_income_customer_day",)),
    "accruals_customer": Route(("mart_income_accrual",)),
    "commission_employees": Route(("mart_commission_employee_month",)),
    "commission_branches": Route(("mart_commission_branch_month",)),
    "performance_employees": Route(("mart_performance_employee_month",)),
    "performance_branches": Route(("mart_performance_branch_month",)),
    "income_products": Route(("mart_income_product_day",)),
    "movements": Route(("mart_customer_movement",)),
    "merges": Route(("mart_customer_merge",)),
    "reviews": Route(("mart_customer_review",)),
    "institutions": Route(("mart_institution",), publication=COCKPIT),
    "institution": Route(("mart_institution",), publication=COCKPIT),
    "institution_holdings": Route(("mart_institution_holding",), publication=COCKPIT),
    "institution_history": Route(("mart_institution",), publication=COCKPIT),
    "charge_checks": Route(("mart_charge_check",)),
    "rate_checks": Route(("mart_rate_check",)),
    "reveal": Route(("mart_customer_profile",), "reveal"),
    "export": Route((), "export"),  # of any mart another of its routes reads
    "status": Route(()),
    "metrics": Route(()),
}
SCOPES = ("read", "write", "export", "reveal")
NEEDS = ("branch", "employee")
REVEALABLE = {
    "mobile_phone": ("phone", "mobile_phone_token"),
    "identity": ("identity", "identity_token"),
}
"""Column → its personal-data class and the column with its token."""

_ROLE_KEYS = {"zh", "en", "needs", "routes", "rows", "columns", "only", "reveal", "opens_by_lookup"}
# Rows that say themselves which branch is theirs: an applicant is no customer yet, and a branch is a unit among others.
_BRANCH_OF = {
    "mart_customer_profile": "branch_id = $branch",
    "mart_prospect": "branch_id = $branch",
    "mart_performance_branch_month": "unit_level = 'branch' and unit_id = $branch",
}
_PROFILE_OF = "customer_id in (select customer_id from mart_customer_profile where as_of_date = $as_of_date and {})"
# Parameters: as_of_date, branch, employee, opened (customers a look-up opened for the caller or a call he took), taken (calls others took).
_OWN_QUEUE = (
    "(customer_id = any(cast($opened as varchar[])) "
    "or customer_id in (select customer_id from mart_customer_profile where as_of_date = $as_of_date and main_staff_employee_id = $employee) "
    "or customer_id in (select customer_id from mart_outbound_call where as_of_date = $as_of_date and is_call and branch_id = $branch "
    "and customer_id <> all(cast($taken as varchar[]))))"
)
_NEED_OF = {"own_branch": ("branch",), "own_queue": NEEDS, "own_rows": ("employee",), "all": ()}


def row_condition(rule: str, mart: str, columns: Collection[str]) -> str | None:
    """The rule as a condition on the mart; None where the mart has nothing to hold it against."""
    if rule == "all":
        return "true"
    if rule == "own_branch":
        if mart in _BRANCH_OF:
            return _BRANCH_OF[mart]
        # Beside the marts of the cockpit there is no profile.
        if "customer_id" not in columns or mart in COCKPIT.marts:
            return "branch_id = $branch" if "branch_id" in columns else None
        # An account may be kept by another branch than its customer: the customer's counts.
        return _PROFILE_OF.format("branch_id = $branch")
    if rule == "own_queue":
        return _OWN_QUEUE if "customer_id" in columns else None
    return "employee_id = $employee" if "employee_id" in columns else None


@dataclass(frozen=True)
class Role:
    """columns: mart → the columns it sees, in the mart's order; rows: mart → condition. Marts of no route of it are in neither."""

    name: str
    titles: Mapping[str, str]
    needs: tuple[str, ...]
    routes: frozenset[str]
    columns: Mapping[str, tuple[str, ...]] = field(repr=False)
    rows: Mapping[str, str] = field(repr=False)
    reveal: tuple[str, ...] = ()
    opens_by_lookup: bool = False

    def check(self, route: str, scopes: Collection[str]) -> None:
        """Raises NotAllowed C360-541 for what the role or the caller's scopes do not have."""
        if route not in self.routes:
            raise NotAllowed("the role does not have this")
        if ROUTES[route].scope not in scopes:
            raise NotAllowed(f"the key or token lacks the scope {ROUTES[route].scope}")


@dataclass(frozen=True)
class Access:
    """All roles, and the dictionary they were checked against."""

    roles: Mapping[str, Role]
    entries: tuple[Entry, ...] = field(repr=False)

    def marts(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.mart, []).append(entry)
        return found


def load_access(path: Path = ROLES_FILE, entries: Collection[Entry] | None = None) -> Access:
    """The roles in force. Raises ConfigurationError C360-181 that lists every fault of the file."""
    known = tuple(entries if entries is not None else read_dictionary())
    try:
        document = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise _refused([f"cannot be read: {type(error).__name__}"], path) from None
    marts: dict[str, list[Entry]] = {}
    for entry in known:
        marts.setdefault(entry.mart, []).append(entry)
    faults = list(_faults(document, marts))
    if faults:
        raise _refused(faults, path)
    roles = {name: _role(name, role, document, marts) for name, role in document["roles"].items()}
    return Access(roles, known)


def agreed_access(settings: Settings) -> Access:
    """The roles in force, where two persons decide only if they took them. Raises ConfigurationError C360-181, C360-138."""
    access = load_access()
    must_be_agreed_roles(settings, ROLES_FILE)
    return access


def _refused(faults: list[str], path: Path) -> ConfigurationError:
    return ConfigurationError(
        "C360-181", f"the roles have {len(faults)} faults", where="\n         ".join(f"{path.name}: {fault}" for fault in faults),
        kept="nothing was served", next_step="correct the file, then: c360 serve",
    )  # fmt: skip


def _faults(document: Any, marts: Mapping[str, list[Entry]]) -> Iterator[str]:
    if not isinstance(document, dict) or not isinstance(document.get("roles"), dict):
        yield "has no roles"
        return
    for key in sorted(set(document) - {"tokens", "restricted", "roles"}):
        yield f"does not know {key}"
    roles, names = document["roles"], {entry.column for entries in marts.values() for entry in entries}
    restricted = document.get("restricted", {})
    if not isinstance(restricted, dict):
        yield "restricted is not a mapping of columns to roles"
        restricted = {}
    for column, allowed in restricted.items():
        for role in sorted(set(allowed if isinstance(allowed, list) else [allowed]) - set(roles)):
            yield f"restricted {column} names {role}, which is no role"
    for name, role in roles.items():
        if not isinstance(role, dict):
            yield f"{name} is not a mapping"
            continue
        yield from (f"{name} {fault}" for fault in _role_faults(role, marts, names))


def _role_faults(role: dict[str, Any], marts: Mapping[str, list[Entry]], names: Collection[str]) -> Iterator[str]:
    for key in sorted(set(role) - _ROLE_KEYS):
        yield f"does not know {key}"
    for language in ("zh", "en"):
        if not isinstance(role.get(language), str):
            yield f"has no name in {language}"
    for key, allowed in (("routes", ROUTES), ("needs", NEEDS), ("reveal", REVEALABLE)):
        value = role.get(key, [])
        if not isinstance(value, list):
            yield f"{key} is not a list"
            return
        for unknown in sorted(set(map(str, value)) - set(allowed)):
            yield f"{key} names {unknown}, which is none of {', '.join(allowed)}"
    if not role.get("routes"):
        yield "has no route"
    if bool(role.get("reveal")) != ("reveal" in role.get("routes", [])):
        yield "reveal and the route of that name come together"
    columns = role.get("columns")
    if not isinstance(columns, dict) or set(columns) - {"level", "except"} or columns.get("level") not in LEVELS:
        yield f"columns needs a level, one of {', '.join(map(str, LEVELS))}, and at most except"
    else:
        for unknown in sorted(set(columns.get("except", [])) - set(names)):
            yield f"columns excepts {unknown}, which no mart has"
    read = {mart for route in role.get("routes", []) if route in ROUTES for mart in ROUTES[route].marts}
    for mart, only in (role.get("only") or {}).items():
        if mart not in read:
            yield f"only names {mart}, which no route of it reads"
            continue
        for unknown in sorted(set(only) - {entry.column for entry in marts[mart]}):
            yield f"only names {mart}.{unknown}, which does not exist"
    yield from _row_faults(role, marts, read)


def _row_faults(role: dict[str, Any], marts: Mapping[str, list[Entry]], read: Collection[str]) -> Iterator[str]:
    rows = role.get("rows")
    if not isinstance(rows, dict) or "default" not in rows:
        yield "rows needs a default"
        return
    for mart in sorted(set(rows) - {"default"} - set(read)):
        yield f"rows names {mart}, which no route of it reads"
    for rule in sorted(set(map(str, rows.values())) - set(_NEED_OF)):
        yield f"rows names {rule}, which is none of {', '.join(_NEED_OF)}"
    for mart in sorted(read):
        rule = rows.get(mart, rows["default"])
        if rule in _NEED_OF:
            for need in _NEED_OF[rule]:
                if need not in role.get("needs", []):
                    yield f"needs {need} for {rule} of {mart}"
            if row_condition(rule, mart, [entry.column for entry in marts[mart]]) is None:
                yield f"cannot have {rule} of {mart}, which has no column for it"


def _role(name: str, role: dict[str, Any], document: dict[str, Any], marts: Mapping[str, list[Entry]]) -> Role:
    read = sorted({mart for route in role["routes"] for mart in ROUTES[route].marts})
    barred = [
        column for column, allowed in document.get("restricted", {}).items()
        if name not in (allowed if isinstance(allowed, list) else [allowed])
    ]  # fmt: skip
    excepted = set(role["columns"].get("except", []))

    def sees(mart: str, entry: Entry) -> bool:
        only = (role.get("only") or {}).get(mart)
        return (
            entry.level <= role["columns"]["level"]
            and entry.column not in excepted
            and not any(fnmatchcase(entry.column, pattern) for pattern in barred)
            and (only is None or entry.column in only)
        )

    return Role(
        name=name,
        titles={"zh": role["zh"], "en": role["en"]},
        needs=tuple(role.get("needs", [])),
        routes=frozenset(role["routes"]),
        columns={mart: tuple(entry.column for entry in marts[mart] if sees(mart, entry)) for mart in read},
        rows={
            mart: row_condition(
                role["rows"].get(mart, role["rows"]["default"]), mart, [entry.column for entry in marts[mart]]
            )
            for mart in read
        },
        reveal=tuple(role.get("reveal", [])),
        opens_by_lookup=bool(role.get("opens_by_lookup", False)),
    )
