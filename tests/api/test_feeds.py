"""What people wrote comes back as a feed: files as the call platform sends them, with every phone as landing will find it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from serving.feeds import CALLS, CONSENTS, export_day
from spark_jobs.config import Settings
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import find_delivery
from spark_jobs.ingest.vault import token
from tests.api.builders import ERASED, PEOPLE, SHARED_PHONE

MONDAY = date(2026, 10, 12)
ONE, TWO = PEOPLE[4], PEOPLE[5]
CONTRACTS = {contract.feed: contract for contract in load_catalogue(Settings.model_fields["catalogue"].default)}


@pytest.fixture
def written(service, monkeypatch):
    """A call and two words of a Monday, one of a customer who was erased since, and a word of the Friday before."""
    days = {"now": MONDAY - timedelta(days=3)}
    monkeypatch.setattr("serving.overlay.today", lambda: days["now"])
    service.overlay.say(TWO.customer_id, token(service.keys, "phone", "", TWO.phone), "do_not_call", "E1")
    days["now"] = MONDAY
    keys = service.keys
    for person, word in ((ONE, "do_not_call"), (PEOPLE[0], "marketing_granted"), (ERASED, "do_not_call")):
        service.overlay.say(person.customer_id, token(keys, "phone", "", person.phone), word, "E1")
    day = service.store.snapshot
    with day() as snapshot:
        phone = token(keys, "phone", "", TWO.phone)
        version = service.overlay.claim("a", "E1", snapshot.as_of_date, "dormant", TWO.customer_id)
        service.overlay.finish("a", "E1", snapshot.as_of_date, TWO.customer_id, phone, version, "no_answer", True)
    return service


def _rows(landing: Path, feed: str) -> list[dict[str, str]]:
    delivery = find_delivery(landing, CONTRACTS[feed], MONDAY)
    _, names, *lines = delivery.files[0].path.read_bytes().decode("gb18030").splitlines()
    return [dict(zip(names.split("|"), line.split("|"), strict=True)) for line in lines[:-1]]


def test_day_is_delivered_as_the_contracts_want_it(written, tmp_path: Path) -> None:
    facts = export_day(written, MONDAY, tmp_path, "tester")
    assert (facts["calls"], facts["words"], facts["left_out"]) == (1, 2, 1)
    (call,) = _rows(tmp_path, CALLS)
    assert (call["client_number"], call["mobile_phone"], call["call_direction"], call["call_result"]) == (
        TWO.client_number,
        TWO.phone,
        "1",
        "2",
    )
    said = [
        (row["client_number"], row["mobile_phone"], row["consent_kind"], row["recorded_date"])
        for row in _rows(tmp_path, CONSENTS)
    ]
    day = f"{MONDAY:%Y%m%d}"
    assert said == [(ONE.client_number, ONE.phone, "3", day), (PEOPLE[0].client_number, SHARED_PHONE, "1", day)]


def test_consents_hold_those_delivered_before_and_writing_again_changes_nothing(written, tmp_path: Path) -> None:
    folder = tmp_path / "2026-01-05" / CONSENTS
    folder.mkdir(parents=True)
    (folder / "consents_20260105.txt").write_text(
        f"#H|{CONSENTS}|20260105\nconsent_id|client_number|mobile_phone|consent_kind|recorded_date\nK1|88000001|13800000001|2|20260101\n#T|1\n"
    )
    (folder / "manifest.json").write_text('{"files": [{"name": "consents_20260105.txt"}]}')
    for _ in range(2):
        export_day(written, MONDAY, tmp_path, "tester")
        delivered = (tmp_path / MONDAY.isoformat() / CONSENTS / f"consents_{MONDAY:%Y%m%d}.txt").read_bytes()
        rows = _rows(tmp_path, CONSENTS)
        assert (len(rows), rows[0]["consent_id"], rows[0]["recorded_date"]) == (3, "K1", "20260101")
    export_day(written, MONDAY, tmp_path, "tester")
    assert (tmp_path / MONDAY.isoformat() / CONSENTS / f"consents_{MONDAY:%Y%m%d}.txt").read_bytes() == delivered


def test_weekend_goes_with_the_next_trading_day(service, monkeypatch, tmp_path: Path) -> None:
    sunday = MONDAY - timedelta(days=1)
    monkeypatch.setattr("serving.overlay.today", lambda: sunday)
    service.overlay.say(ONE.customer_id, token(service.keys, "phone", "", ONE.phone), "do_not_call", "E1")
    with pytest.raises(ConfigurationError) as raised:
        export_day(service, sunday, tmp_path, "tester")
    assert raised.value.code == "C360-187" and not list(tmp_path.glob("2026*"))
    export_day(service, MONDAY, tmp_path, "tester")
    (word,) = _rows(tmp_path, CONSENTS)
    assert (word["mobile_phone"], word["recorded_date"]) == (ONE.phone, f"{sunday:%Y%m%d}")


def test_delivery_of_another_sender_is_not_touched(written, tmp_path: Path) -> None:
    folder = tmp_path / MONDAY.isoformat() / CONSENTS
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"files": []}')
    with pytest.raises(ConfigurationError) as raised:
        export_day(written, MONDAY, tmp_path, "tester")
    assert raised.value.code == "C360-186"
    assert not (tmp_path / MONDAY.isoformat() / CALLS).exists()
    assert (folder / "manifest.json").read_text() == '{"files": []}'
