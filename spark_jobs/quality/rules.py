"""Rules, written once: from the same declaration come the Spark condition that splits rows and the expectation that gates a layer.

Rules about single columns follow from the feed contract (required, readable as its type, known code); rules between columns stand in
`expectations/suites/<layer>/<table>.yml`. A null never breaks a rule but `not_null`: what is required is said once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from spark_jobs.config import PROJECT
from spark_jobs.contracts import Contract
from spark_jobs.errors import ConfigurationError

SUITES = PROJECT / "expectations" / "suites"
KINDS = ("not_null", "in_set", "between", "matches", "holds")
SEVERITIES = ("stop", "quarantine", "warn")


@dataclass(frozen=True)
class Rule:
    """One rule. `limit` is the share of a day's rows that may be quarantined by it before the day stops."""

    name: str
    kind: str
    column: str
    severity: str
    message: str
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
            arguments={"expression": "_key_variants = 1"},
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
        if column.decimal_scale is not None or column.type in ("date", "flag"):
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
    return contract_rules(contract) + suite("silver", contract.feed)


@cache
def suite(layer: str, table: str, folder: Path = SUITES) -> list[Rule]:
    """The written rules of one table; no file means none. Raises ConfigurationError C360-104 naming every fault."""
    path = folder / layer / f"{table}.yml"
    if not path.is_file():
        return []
    rules, faults = [], []
    for entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("rules", []):
        known = {"rule", "kind", "column", "severity", "message", "version", "limit"}
        kind, severity = entry.get("kind", "holds"), entry.get("severity", "quarantine")
        if kind not in KINDS or severity not in SEVERITIES or not entry.get("rule") or not entry.get("message"):
            faults.append(
                f"{path.name}: {entry.get('rule', '?')} needs a name, a message, a kind of {KINDS} and a severity of {SEVERITIES}"
            )
            continue
        rules.append(
            Rule(
                entry["rule"],
                kind,
                entry.get("column", ""),
                severity,
                entry["message"],
                int(entry.get("version", 1)),
                Decimal(str(entry.get("limit", "5%")).rstrip("%")) / 100,
                {key: value for key, value in entry.items() if key not in known},
            )
        )
    if faults:
        raise ConfigurationError("C360-104", "rules are not usable", where="\n         ".join(faults))
    return rules
