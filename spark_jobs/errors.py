"""Every error a person can meet, as one tree.

C360Error
├── ConfigurationError      exit 2   a setting, an argument or a feed contract is wrong
├── DataStoppedError        exit 3   the data broke a rule that stops a day
│   ├── FileFormatError              a file is not what its format promises
│   └── GateError                    a gate held a layer, or an audit held a publication
├── DeliveryError           exit 4   a delivery is missing, late, or disagrees with its manifest
└── InfrastructureError     exit 5   a lock, a store, a jar or a network that is not there

Each carries a code, what happened, where, what was kept and what to do next, and never a customer's value.
"""

from __future__ import annotations


class C360Error(Exception):
    """One problem, told so that the night shift can act on it."""

    exit_code = 5

    def __init__(self, code: str, what: str, *, where: str = "", kept: str = "", next_step: str = "") -> None:
        super().__init__(code, what)
        self.code, self.what, self.where, self.kept, self.next_step = code, what, where, kept, next_step

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.what}"]
        lines += [
            f"  {label}: {text}"
            for label, text in (("where", self.where), ("kept", self.kept), ("next", self.next_step))
            if text
        ]
        return "\n".join(lines)

    def __reduce__(self):
        """Keep every field when the error crosses from a Spark worker to the driver."""
        return _rebuild, (type(self), self.code, self.what, self.where, self.kept, self.next_step)


def _rebuild(kind: type[C360Error], code: str, what: str, where: str, kept: str, next_step: str) -> C360Error:
    return kind(code, what, where=where, kept=kept, next_step=next_step)


class ConfigurationError(C360Error):
    """Codes C360-1xx."""

    exit_code = 2


class DataStoppedError(C360Error):
    """Codes C360-2xx."""

    exit_code = 3


class FileFormatError(DataStoppedError):
    """Codes C360-21x delimited text, C360-22x DBF, C360-23x OFD, C360-24x Parquet."""


class GateError(DataStoppedError):
    """Codes C360-25x gates, C360-26x figures of days, C360-27x reconciliation, C360-28x releases."""


class DeliveryError(C360Error):
    """Codes C360-3xx."""

    exit_code = 4


class InfrastructureError(C360Error):
    """Codes C360-5xx."""

    exit_code = 5
