"""Who asks: an API key or a bearer token becomes a caller with a role, a branch, an employee and scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.access import SCOPES, Access, Role
from serving.problems import NotAuthenticated


@dataclass(frozen=True)
class Caller:
    """id is safe to print: a key's id, or the issuer's subject. branch and employee are None where the role needs none."""

    id: str
    role: Role = field(repr=False)
    branch: str | None = None
    employee: str | None = None
    scopes: frozenset[str] = frozenset({"read"})

    def parameters(self) -> dict[str, Any]:
        """What the row conditions of its role are bound to."""
        return {"branch": self.branch, "employee": self.employee}


def caller_of(identity: str, claims: Mapping[str, Any], access: Access) -> Caller:
    """The caller behind claims that were proven. Raises NotAuthenticated where they do not make one: a role without its branch sees nothing."""
    role = access.roles.get(str(claims.get("role")))
    if role is None:
        raise NotAuthenticated
    for need in role.needs:
        if not isinstance(claims.get(need), str) or not claims[need]:
            raise NotAuthenticated
    return Caller(
        id=identity,
        role=role,
        branch=claims.get("branch"),
        employee=claims.get("employee"),
        scopes=frozenset(claims.get("scopes", ())) & frozenset(SCOPES),
    )
