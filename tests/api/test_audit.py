"""The audit log: nothing is answered without a line, and no line can be changed unseen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from serving.audit import Audit, lines, seal_left, verify
from serving.problems import AuditFailed
from spark_jobs.ingest.vault import Keys, load_keys
from tests.api.builders import PEOPLE


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return load_keys(tmp_path / "vault", {})


@pytest.fixture
def log(tmp_path: Path, keys: Keys) -> Path:
    audit = Audit(tmp_path / "audit", keys)
    for number in range(5):
        audit.write(caller="key:1", route="profile", outcome="answered", customer_id=f"C{number}")
    audit.close()
    return next((tmp_path / "audit").rglob("*.jsonl"))


def _states(log: Path, keys: Keys) -> list[str]:
    return [finding.state for finding in verify(log.parents[1], keys)]


def test_log_that_nobody_touched_is_sealed_and_whole(log: Path, keys: Keys) -> None:
    (finding,) = verify(log.parents[1], keys)
    assert (finding.state, finding.lines) == ("sealed", 7)


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda rows: [*rows[:3], rows[3].replace("C2", "C9"), *rows[4:]], 4),
        (lambda rows: [*rows[:3], *rows[4:]], 4),
        (lambda rows: [*rows[:3], rows[2], *rows[3:]], 4),
        (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], 2),
        (lambda rows: [*rows, rows[-1]], 8),
        (
            lambda rows: [
                *rows[:3],
                rows[3].replace('"route":"profile"', '"route":"profile","route":"status"'),
                *rows[4:],
            ],
            4,
        ),
        (lambda rows: [*rows[:3], rows[3][:20], *rows[4:]], 4),
    ],
    ids=["altered", "dropped", "inserted", "swapped", "after the seal", "written twice", "torn"],
)
def test_harm_is_found_with_its_line(log: Path, keys: Keys, harm: Callable[[list[str]], list[str]], line: int) -> None:
    log.write_text("\n".join(harm(log.read_text().splitlines())) + "\n")
    (finding,) = verify(log.parents[1], keys)
    assert (finding.state, finding.line) == ("broken", line)


def test_cutting_the_end_off_takes_the_seal_with_it(log: Path, keys: Keys) -> None:
    log.write_text("\n".join(log.read_text().splitlines()[:-2]) + "\n")
    assert _states(log, keys) == ["left"]


def test_whoever_has_no_key_cannot_write_a_line(log: Path, keys: Keys) -> None:
    """A whole file rebuilt under another key, in everything else right."""
    forger = replace(keys, master_key=os.urandom(32))
    audit = Audit(log.parents[1], forger)
    audit.write(caller="key:1", route="profile", outcome="answered")
    audit.close()
    forged = next(path for path in log.parent.glob("*.jsonl") if path != log)
    text = forged.read_text().replace(forger.master_key_id, keys.master_key_id)
    forged.write_text(text)
    assert sorted(_states(log, keys)) == ["broken", "sealed"]


def test_file_of_a_killed_process_is_sealed_by_the_next_and_says_so(tmp_path: Path, keys: Keys) -> None:
    audit = Audit(tmp_path / "audit", keys)
    audit.write(caller="key:1", route="profile", outcome="answered")
    log = next((tmp_path / "audit").rglob("*.jsonl"))
    assert (_states(log, keys), seal_left(tmp_path / "audit", keys)) == (["open"], 0)
    os.close(audit._stream)
    assert (_states(log, keys), seal_left(tmp_path / "audit", keys)) == (["left"], 1)
    assert _states(log, keys) == ["sealed"]
    assert json.loads(log.read_text().splitlines()[-1])["body"]["sealed_by"] == "a later process"


def test_nothing_is_answered_when_the_line_cannot_be_written(client, headers_of, service, monkeypatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    headers = headers_of("risk_control")
    monkeypatch.setattr("serving.audit.os.write", full)
    answer = client.get(f"/v1/customers/{PEOPLE[4].customer_id}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "C360-549")
    assert PEOPLE[4].customer_id not in answer.text


def test_short_write_ends_the_file_and_refuses(tmp_path: Path, keys: Keys, monkeypatch) -> None:
    audit = Audit(tmp_path / "audit", keys)
    audit.write(caller="key:1", route="profile", outcome="answered")
    real = os.write
    monkeypatch.setattr("serving.audit.os.write", lambda stream, data: real(stream, data[:10]))
    with pytest.raises(AuditFailed):
        audit.write(caller="key:1", route="profile", outcome="answered")


def test_answers_and_refusals_stand_in_the_log(client, headers_of, service, settings) -> None:
    agent = headers_of("agent", "B001", "E001")
    client.get(f"/v1/customers/{PEOPLE[3].customer_id}", headers={**agent, "X-Purpose": "inbound_call"})
    client.get(f"/v1/customers/{PEOPLE[1].customer_id}", headers=agent)
    client.get("/v1/commission/branches", headers=agent)
    client.get("/v1/status", headers={"X-API-Key": "c360_forged"})
    service.audit.close()
    (log,) = settings.audit.rglob("*.jsonl")
    from datetime import date

    found = list(lines(settings.audit, date.min, date.max))
    assert [(one["route"], one["outcome"], one.get("customer_id"), one.get("purpose")) for one in found] == [
        ("profile", "answered", PEOPLE[3].customer_id, "inbound_call"),
        ("profile", "C360-542", PEOPLE[1].customer_id, None),
        ("commission_branches", "C360-541", None, None),
        ("status", "C360-540", None, None),
    ]
    assert _states(log, service.keys) == ["sealed"]


def test_files_of_an_earlier_master_key_are_checked_with_it(tmp_path: Path, keys: Keys) -> None:
    now = Keys(b"n" * 32, keys.token_key)
    for one in (keys, now):
        log = Audit(tmp_path / "audit", one)
        log.write(route="profile")
        log.close()
    states = {finding.state for finding in verify(tmp_path / "audit", now, [keys])}
    assert states == {"sealed"}
    lacking = [finding for finding in verify(tmp_path / "audit", now) if finding.state == "broken"]
    assert len(lacking) == 1 and keys.master_key_id in lacking[0].what
