"""The words of the pages, from one file, complete in both languages or refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from serving.pages.sessions import LANGUAGES
from spark_jobs.declarations import read_yaml

FILE = Path(__file__).with_name("texts.yml")
OTHER_ERROR = "C360-599"


@cache
def texts() -> dict[str, Any]:
    """words, columns, codes and errors. Raises ValueError that names what lacks a language: the service does not start with it."""
    found = read_yaml(FILE)
    # Exactly both: an unquoted comma in a text makes a key of what follows it.
    missing = sorted(path for path, entry in _entries(found) if set(entry) != set(LANGUAGES) or not all(entry.values()))
    if missing:
        raise ValueError(f"{FILE.name} is not one text in each language at: {', '.join(missing)}")
    return found


def _entries(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in tree.items():
        if set(value) & set(LANGUAGES):
            yield f"{path}{name}", value
        else:
            yield from _entries(value, f"{path}{name}.")


class Words:
    """The texts in one language. A key nobody wrote is a KeyError: a template is wrong, and its test says so."""

    def __init__(self, language: str) -> None:
        self.language, self._texts = language, texts()

    def word(self, key: str) -> str:
        return self._texts["words"][key][self.language]

    def column(self, name: str) -> str:
        return self._texts["columns"][name][self.language]

    def code(self, group: str, value: Any) -> str:
        """The name of a code; what has none (levels, bands, a code a counter sent that nobody mapped) stands as it is."""
        found = self._texts["codes"].get(group, {}).get(str(value))
        return found[self.language] if found else str(value)

    def error(self, code: str) -> str:
        return self._texts["errors"].get(code, self._texts["errors"][OTHER_ERROR])[self.language]

    def values(self, group: str) -> list[str]:
        return list(self._texts["codes"][group])
