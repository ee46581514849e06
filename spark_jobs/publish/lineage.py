"""From which columns of gold a column of a mart is computed, read off the very statements that built the published revision.

What decides a value is followed through every model; what only chooses rows (joins, filters) is not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from spark_jobs.errors import InfrastructureError
from spark_jobs.gold.tables import TABLES
from spark_jobs.publish.duckdb_store import statements_file

DIALECT, BUILT, GOLD = "spark", "built", "gold"


class Source(NamedTuple):
    """One column of a gold table, or of another model."""

    table: str
    column: str


@lru_cache(maxsize=2)
def lineage_of(published: Path, revision: int) -> Lineage:
    """The lineage of a published revision. Raises InfrastructureError C360-536 for one published before statements were kept."""
    path = statements_file(published, revision)
    if not path.is_file():
        raise InfrastructureError(
            "C360-536", f"revision {revision} was published without its statements", kept="everything",
            next_step="c360 load of the next day publishes them",
        )  # fmt: skip
    return Lineage(json.loads(path.read_text(encoding="utf-8")))


class Lineage:
    """The columns of all models of one revision. A model is parsed when it is first asked for."""

    def __init__(self, statements: Mapping[str, str]) -> None:
        self._statements = statements
        self._schema = {GOLD: {name: _untyped(table.names) for name, table in TABLES.items()}, BUILT: {}}
        self._scopes: dict[str, Scope] = {}
        self._known: dict[Source, set[Source]] = {}

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self._statements)

    def version(self, model: str) -> str:
        """Twelve digits that change when the model's statement does."""
        return hashlib.sha256(self._statements[model].encode()).hexdigest()[:12]

    def columns(self, model: str) -> list[str]:
        return self._scope(model).expression.named_selects

    def inputs(self, model: str, column: str) -> set[Source]:
        """What a column of a model is computed from in the model's own statement. Empty for a constant."""
        asked = Source(model, column)
        if asked not in self._known:
            self._known[asked] = self._read_inputs(*asked)
        return self._known[asked]

    def _read_inputs(self, model: str, column: str) -> set[Source]:
        scope = self._scope(model)
        # Without `trim_selects` the whole statement would be copied once for every step of the way.
        tree = lineage(column, scope.expression, scope=scope, trim_selects=False, dialect=DIALECT, schema=self._schema)
        tables = ((node.expression, node.name.rpartition(".")[2]) for node in tree.walk())
        return {
            Source(table.name if table.db == BUILT else f"{GOLD}.{table.name}", name)
            for table, name in tables
            if isinstance(table, exp.Table)
        }

    def gold_inputs(self, model: str, column: str) -> set[Source]:
        """The same, followed through every model down to gold."""
        found = set()
        for source in self.inputs(model, column):
            found |= {source} if source.table.startswith(f"{GOLD}.") else self.gold_inputs(*source)
        return found

    def users(self, of: set[Source]) -> set[Source]:
        """Columns of models that depend on any of `of`, through any number of models."""
        found: set[Source] = set()
        waiting = set(of)
        while waiting:
            waiting = {
                Source(model, column)
                for model in self._readers({source.table for source in waiting})
                for column in self.columns(model)
                if self.inputs(model, column) & waiting
            } - found
            found |= waiting
        return found

    def _readers(self, tables: set[str]) -> list[str]:
        """Models whose statement names any of these tables."""
        names = "|".join(table if table.startswith(f"{GOLD}.") else f"{BUILT}.{table}" for table in tables)
        pattern = re.compile(rf"\b({names})\b".replace(".", r"\."))
        return [model for model, statement in self._statements.items() if pattern.search(statement)]

    def lists(self, columns: set[str]) -> list[str]:
        """Lists of calls whose condition or figures use any of these columns of the profile."""
        tree = sqlglot.parse_one(self._statements["mart_outbound_call"], dialect=DIALECT)
        branches = (case for case in tree.find_all(exp.Case) if isinstance(case.parent, exp.Array))
        return sorted(
            _list_name(case) for case in branches if {column.name for column in case.find_all(exp.Column)} & columns
        )

    def _scope(self, model: str) -> Scope:
        if model not in self._scopes:
            statement = self._statements[model]
            for needed in sorted(set(re.findall(rf"\b{BUILT}\.(\w+)", statement))):
                self._schema[BUILT][needed] = _untyped(self.columns(needed))
            tree = qualify(
                sqlglot.parse_one(statement, dialect=DIALECT), schema=self._schema, dialect=DIALECT,
                validate_qualify_columns=False, identify=False,
            )  # fmt: skip
            self._scopes[model] = build_scope(tree)
        return self._scopes[model]


def _untyped(names: Iterable[str]) -> dict[str, str]:
    # Lineage needs names; what type a column has plays no part in it.
    return dict.fromkeys(names, "string")


def _list_name(case: exp.Case) -> str:
    """The list a branch of the profile's conditions names: its first text; one that is put together ends in a star."""
    text = next(literal for literal in case.find(exp.Struct).find_all(exp.Literal) if literal.is_string).this
    return f"{text}*" if text.endswith("_") else text
