"""Rules, written once: from the same declaration come the Spark condition that splits rows and the expectation that gates a layer.

A rule is of one of three natures. `structural`: a row has what its table needs (a key, a type, a known code). `logical`: what a row
says agrees with itself. `plausible`: a figure of a whole day is what the days before it make likely; see `plausible`.
Structural rules about single columns follow from the feed contract; all others stand in `expectations/suites/<layer>/<table>.yml`.
A null never breaks a row rule but `not_null`: what is required is said once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from spark_jobs.config import PROJECT
from spark_jobs.contracts import Contract
from spark_jobs.declarations import read_yaml
from spark_jobs.errors import ConfigurationError
from spark_jobs.quality.plausible import PlausibleRule, plausible_faults, plausible_rule

SUITES = PROJECT / "expectations" / "suites"
NATURES = ("structural", "logical", "plausible")
KINDS = ("not_null", "in_set", "between", "matches", "holds")
SEVERITIES = ("stop", "quarantine", "warn")


@dataclass(frozen=True)
class Rule:
    """One rule about rows. `limit` is the share of a day's rows that may be quarantined by it before the day stops."""

    name: str
    kind: str
    column: str
    severity: str
    message: str
    nature: str = "structural"
    version: int = 1
    limit: Decimal = Decimal("0.05")
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def tested_column(self) -> str:
        """The column the expectation looks at: a helper that holds true or false where no native expectation exists."""
        return f"_holds_{self.name}" if self.kind == "holds" else self.column

    def helper(self) -> SparkColumn | None:
        """The helper column `tested_column`, if this kind of rule needs one."""
        if self.kind != "holds":
            return None
        return F.coalesce(F.expr(self.arguments["expression"]), F.lit(True)).alias(self.tested_column)

    def fails(self) -> SparkColumn:
        """True for a row that breaks the rule, never null. Expects the helper columns on the frame."""
        column = F.col(self.tested_column)
        if self.kind == "not_null":
            return column.isNull()
        broken = {
            "holds": lambda: ~column,
            "in_set": lambda: ~column.isin(self.arguments["values"]),
            "between": lambda: (
                ~column.between(
                    *(
                        F.lit(Decimal(str(self.arguments.get(bound, default))))
                        for bound, default in (("min", "-1e15"), ("max", "1e15"))
                    )
                )
            ),
            "matches": lambda: ~column.rlike(self.arguments["pattern"]),
        }[self.kind]()
        return F.coalesce(broken, F.lit(False))

    def reason(self) -> SparkColumn:
        """What a quarantined row carries: rule, version, column and message, never a value."""
        return F.struct(
            F.lit(self.name).alias("rule"),
            F.lit(self.version).alias("version"),
            F.lit(self.column).alias("column"),
            F.lit(self.message).alias("message"),
        )


def contract_rules(contract: Contract) -> list[Rule]:
    """The rules a feed contract implies, in the order in which their reasons are listed."""
    rules = [
        Rule(
            "record_is_whole",
            "holds",
            "_parse_error",
            "quarantine",
            "the record does not split into its fields",
            arguments={"expression": "_parse_error is null"},
        ),
        Rule(
            "key_is_unique",
            "holds",
            contract.key[0],
            "quarantine",
            f"other rows have the same {', '.join(contract.key)}",
            arguments={"expression": "_key_variants <= 1"},
        ),
    ]
    for column in contract.columns:
        name = f"{column.name}_token" if column.personal else column.name
        if column.required:
            rules.append(
                Rule(
                    f"{column.name}_is_present", "not_null", name, "quarantine", f"{column.name} is required and empty"
                )
            )
        if column.personal:
            continue
        if column in contract.readable_columns:
            rules.append(
                Rule(
                    f"{column.name}_is_readable",
                    "holds",
                    column.name,
                    "quarantine",
                    f"{column.name} is not a {column.type}",
                    arguments={"expression": f"_raw.`{column.name}` is null or `{column.name}` is not null"},
                )
            )
        if column.codes:
            rules.append(
                Rule(
                    f"{column.name}_is_known",
                    "matches",
                    column.name,
                    "warn",
                    f"{column.name} has a code the contract does not know",
                    arguments={"pattern": "^[^@]"},
                )
            )
    return rules


def feed_rules(contract: Contract) -> list[Rule]:
    """All rules of a feed: what its contract implies and what its suite adds."""
    return contract_rules(contract) + suite("silver", contract.meant_feed)


def suite(layer: str, table: str, folder: Path = SUITES) -> list[Rule]:
    """The written rules about rows of one table; no file means none. Raises ConfigurationError C360-104 naming every fault."""
    return [rule for rule in _written(layer, table, folder) if isinstance(rule, Rule)]


def plausible_rules(layer: str, table: str, folder: Path = SUITES) -> list[PlausibleRule]:
    """The written rules about figures of a day of one table. Raises as `suite` does."""
    return [rule for rule in _written(layer, table, folder) if isinstance(rule, PlausibleRule)]


@cache
def _written(layer: str, table: str, folder: Path) -> tuple[Rule | PlausibleRule, ...]:
    path = folder / layer / f"{table}.yml"
    if not path.is_file():
        return ()
    entries = (read_yaml(path) or {}).get("rules", [])
    faults = [f"{path.name}: {entry.get('rule', '?')} {fault}" for entry in entries for fault in _faults(layer, entry)]
    names = [entry.get("rule") for entry in entries]
    faults += [f"{path.name}: {name} is declared twice" for name in {name for name in names if names.count(name) > 1}]
    if faults:
        raise ConfigurationError("C360-104", "rules are not usable", where="\n         ".join(faults))
    enabled = (entry for entry in entries if entry.get("enabled", True))
    return tuple(plausible_rule(entry) if entry["nature"] == "plausible" else _row_rule(entry) for entry in enabled)


def _faults(layer: str, entry: dict[str, Any]) -> Iterator[str]:
    if not entry.get("rule") or not entry.get("message"):
        yield "needs a name and a message"
    if not isinstance(entry.get("enabled", True), bool):
        yield "is enabled or not: true, false"
    if entry.get("nature") not in NATURES:
        yield f"needs a nature: {', '.join(NATURES)}"
    elif entry["nature"] == "plausible":
        if layer not in ("silver", "gold"):
            yield f"is plausible, and {layer} has no figures of days"
        yield from plausible_faults(entry)
    else:
        if entry.get("kind") not in KINDS:
            yield f"needs a kind: {', '.join(KINDS)}"
        if entry.get("severity") not in SEVERITIES:
            yield f"needs a severity: {', '.join(SEVERITIES)}"


def _row_rule(entry: dict[str, Any]) -> Rule:
    known = {"rule", "nature", "kind", "column", "severity", "message", "version", "limit", "enabled"}
    return Rule(
        entry["rule"],
        entry["kind"],
        entry.get("column", ""),
        entry["severity"],
        entry["message"],
        entry["nature"],
        int(entry.get("version", 1)),
        Decimal(str(entry.get("limit", "5%")).rstrip("%")) / 100,
        {key: value for key, value in entry.items() if key not in known},
    )
