"""A rehearsal of a correction says what it would change and leaves every file of the home as it is."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

import simulator
from spark_jobs.ingest.deliveries import delivered_days
from spark_jobs.jobs.restate import rehearse
from tests.conftest import START
from tests.loading import load_home

pytestmark = pytest.mark.acceptance
RELATIONS = "staff_platform__relations"


def hashes(home: Path) -> dict[str, str]:
    """Every file but scratch of the running process."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and ".c360" not in path.parts
    }


def correct_relations(home: Path, day: str) -> None:
    """Every relation of a day that is the only one of its account and line goes to the employee named first; there are no fewer of them."""
    folder = home / "landing" / day / RELATIONS
    manifest = json.loads((folder / "manifest.json").read_text())
    file = folder / manifest["files"][0]["name"]
    head, names, *lines, _ = file.read_text("gb18030").splitlines()
    rows = [line.split("|") for line in lines]
    first, of_place = rows[0][2], Counter(tuple(row[:2]) for row in rows)
    # The key has the employee in it.
    moved = [[*row[:2], first, *row[3:]] if of_place[tuple(row[:2])] == 1 else row for row in rows]
    lines = ["|".join(row) for row in moved]
    content = "".join(f"{line}\n" for line in [head, names, *lines, f"#T|{len(lines)}"]).encode("gb18030")
    # Another file in its place: what was linked from it stays what it was.
    file.unlink()
    file.write_bytes(content)
    manifest["files"][0] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "rows": len(lines)}
    manifest["control_totals"]["rows"] = str(len(lines))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_rehearsal_tells_what_the_load_then_does_and_changes_no_file(spark, tmp_path):
    simulator.simulate(tmp_path, customers=40, days=3, seed=1, start=START)
    loaded = load_home(tmp_path)
    day = delivered_days(loaded.settings.landing)[1]
    correct_relations(tmp_path, day.isoformat())
    before = hashes(tmp_path)
    found = rehearse(loaded.settings, day, Console(quiet=True))
    assert hashes(tmp_path) == before
    assert not (loaded.settings.work / "restate").exists()
    assert found["customers"] and found["employees"] and found["ranks"]
