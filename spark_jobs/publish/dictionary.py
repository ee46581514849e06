"""The data dictionary: what every column of every public mart means, read from the YAML beside the models.

Nothing is said twice: a column's owner is its mart's unless it names its own, and a text that several columns share stands in
`dbt_project/docs`. A column that lacks something stops a load before it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from spark_jobs.config import PROJECT
from spark_jobs.declarations import read_yaml
from spark_jobs.errors import ConfigurationError

DBT_PROJECT = PROJECT / "dbt_project"
LEVELS = (1, 2, 3, 4)
# What stands in a column when there is nothing to say; an `always known` one is never empty.
DEFAULTS = ("always known", "null", "0", "false", "unassigned", "unlinked")
_BLOCK = re.compile(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", re.DOTALL)
_REFERENCE = re.compile(r"{{ doc\('(\w+)'\) }}")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Entry:
    """One column of one mart. level: 1 to 4, the sensitivity class of JR/T 0158-2018; unit: none for what is no quantity."""

    mart: str
    column: str
    chinese_name: str
    data_type: str
    unit: str
    default: str
    level: int
    owner: str
    definition: str


def read_dictionary(project: Path = DBT_PROJECT) -> list[Entry]:
    """Every column of the marts, in the order of their YAML. Raises ConfigurationError C360-115 that lists every fault of every column."""
    models = [
        model for path in sorted((project / "models" / "marts").rglob("*.yml")) for model in read_yaml(path)["models"]
    ]
    return _entries(models, project)


def read_tables(project: Path = DBT_PROJECT) -> list[Entry]:
    """Every column of what is published beside the marts, in the same words. Raises ConfigurationError C360-115."""
    return _entries(read_yaml(Path(__file__).with_name("tables.yml"))["models"], project)


def _entries(models: list[dict[str, Any]], project: Path) -> list[Entry]:
    texts = {
        name: " ".join(text.split())
        for path in sorted((project / "docs").glob("*.md"))
        for name, text in _BLOCK.findall(path.read_text(encoding="utf-8"))
    }
    columns = [(model, column) for model in models for column in model["columns"]]
    faults = [
        f"{model['name']}.{column['name']} {fault}"
        for model, column in columns
        for fault in _faults(model, column, texts)
    ]
    if faults:
        raise ConfigurationError(
            "C360-115", f"{len(faults)} columns of the marts are not fully described", where="\n         ".join(faults),
            kept="everything; nothing was built", next_step="correct the YAML beside the mart, then load again",
        )  # fmt: skip
    return [_entry(model, column, texts) for model, column in columns]


def _meta(entry: dict[str, Any]) -> dict[str, Any]:
    return entry.get("config", {}).get("meta", {})


def _faults(model: dict[str, Any], column: dict[str, Any], texts: dict[str, str]) -> Iterator[str]:
    meta = _meta(column)
    if not _CHINESE.search(str(meta.get("zh", ""))):
        yield "has no Chinese name (meta.zh)"
    if not str(column.get("description") or "").strip():
        yield "has no definition (description)"
    yield from (
        f"refers to the text {name}, which is not in docs"
        for name in _REFERENCE.findall(column.get("description") or "")
        if name not in texts
    )
    if not column.get("data_type"):
        yield "has no data_type"
    if not meta.get("unit"):
        yield "has no unit (meta.unit; none for what is no quantity)"
    if meta.get("default") not in DEFAULTS:
        yield f"has default {meta.get('default')}, not one of {', '.join(DEFAULTS)}"
    if meta.get("level") not in LEVELS:
        yield f"has level {meta.get('level')}, not one of {', '.join(map(str, LEVELS))} (JR/T 0158)"
    if not (meta.get("owner") or _meta(model).get("owner")):
        yield "has no owner, and its mart has none"


def _entry(model: dict[str, Any], column: dict[str, Any], texts: dict[str, str]) -> Entry:
    meta = _meta(column)
    return Entry(
        mart=model["name"],
        column=column["name"],
        chinese_name=meta["zh"],
        data_type=column["data_type"],
        unit=meta["unit"],
        default=meta["default"],
        level=meta["level"],
        owner=meta.get("owner") or _meta(model)["owner"],
        definition=_REFERENCE.sub(lambda match: texts[match[1]], column["description"]).strip(),
    )


HEADINGS = {
    "mart": "表 mart", "column": "字段 column", "chinese_name": "中文名 Chinese name", "data_type": "类型 type", "unit": "单位 unit",
    "default": "缺省 default", "level": "分级 level (JR/T 0158)", "owner": "责任方 owner", "definition": "口径 definition",
}  # fmt: skip
_WIDTHS = (30, 36, 24, 16, 24, 14, 12, 20, 110)


def write_xlsx(entries: list[Entry], path: Path) -> None:
    """One sheet with a row a column of a mart, under a heading that stays in sight and can be filtered."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    sheet.title = "数据字典 dictionary"
    sheet.append([HEADINGS[field.name] for field in fields(Entry)])
    for entry in entries:
        sheet.append(list(astuple(entry)))
    for cell in sheet[1]:
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="1F4E78")
    for place, width in enumerate(_WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    for row in sheet.iter_rows(min_row=1):
        for cell in row:
            cell.alignment = Alignment(vertical="top", wrap_text=True)
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    book.save(path)
