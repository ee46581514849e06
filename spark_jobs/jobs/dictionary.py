"""`c360 dictionary`: the columns of the marts on the screen, or as a workbook."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from spark_jobs.errors import ConfigurationError
from spark_jobs.publish.dictionary import Entry, write_xlsx


def of_mart(entries: list[Entry], mart: str | None) -> list[Entry]:
    """The columns of one mart, or of all. Raises ConfigurationError C360-117 for a mart there is not."""
    marts = dict.fromkeys(entry.mart for entry in entries)
    if mart is not None and mart not in marts:
        raise ConfigurationError("C360-117", f"there is no mart {mart}", next_step="choose one of: " + ", ".join(marts))
    return [entry for entry in entries if mart in (None, entry.mart)]


def export(entries: list[Entry], path: Path, console: Console) -> None:
    """Write the workbook and say where. Raises ConfigurationError C360-116 for a place it cannot be written to."""
    if path.suffix != ".xlsx" or not path.parent.is_dir():
        raise ConfigurationError(
            "C360-116", "the workbook cannot be written there", where=str(path), kept="nothing was written",
            next_step="name a file that ends in .xlsx, in a folder that exists",
        )  # fmt: skip
    write_xlsx(entries, path)
    console.print(f"{len(entries)} columns are in {path}", markup=False, soft_wrap=True)


def show(entries: list[Entry], console: Console) -> None:
    """One table a mart."""
    for mart in dict.fromkeys(entry.mart for entry in entries):
        table = Table(title=f"{mart} · {next(entry.owner for entry in entries if entry.mart == mart)}")
        table.add_column("column", no_wrap=True)
        for name in ("中文名", "unit", "default"):
            table.add_column(name)
        table.add_column("level", justify="right")
        table.add_column("definition")
        for entry in entries:
            if entry.mart == mart:
                table.add_row(
                    entry.column, entry.chinese_name, entry.unit, entry.default, str(entry.level), entry.definition
                )
        console.print(table)
