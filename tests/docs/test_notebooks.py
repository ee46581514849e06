"""Every notebook runs from top to bottom on the broker the other tests look at, and is kept without outputs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from spark_jobs.config import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def _code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(path: Path) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in _code_cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_reads_nothing_but_marts(path: Path) -> None:
    code = "\n".join(cell.source for cell in _code_cells(path))
    tables = re.findall(r"settings\.lake\}/(\w+/\w+)", code)
    assert all(table.startswith("marts/mart_") or table == "meta/publications" for table in tables)
    assert not re.search(r"\b(bronze|silver|gold|quarantine|landing|vault|truth)\b", code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_draws(path: Path, broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_HOME", str(broker.settings.home.resolve()))
    notebook = nbformat.read(path, 4)
    client = NotebookClient(
        notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
