"""Row ids, which rules a person may waive, what names a set of releases, and what a sealed text gives away."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from spark_jobs.contracts import load_catalogue
from spark_jobs.formats.common import record_texts
from spark_jobs.formats.delimited import inspect
from spark_jobs.ingest.vault import Keys, Vault, VaultError
from spark_jobs.jobs.quarantine import shape
from spark_jobs.ledger import DeliveryRecord
from spark_jobs.quality.releases import Release, Releases, can_be_waived, row_id, seal_texts
from spark_jobs.quality.rules import feed_rules

MONDAY = date(2026, 1, 5)
FEED = "normal_counter__positions"
RELEASE = Release("aaaaaaaaaaaa", "f", MONDAY, 1, "f.txt", 3, "accepted", "key_is_unique", "", "", "why", "me", 7)


@pytest.fixture
def vault(tmp_path: Path):
    opened = Vault(tmp_path / "vault", Keys(master_key=b"m" * 32, token_key=b"t" * 32))
    yield opened
    opened.close()


def releases_of(*known: Release) -> Releases:
    lake = SimpleNamespace(exists=lambda layer, name: False)
    releases = Releases(lake)
    releases.propose(known)
    return releases


def test_a_row_has_one_short_id_and_every_part_of_its_place_counts():
    known = row_id("f", MONDAY, 1, "f.txt", 3)
    assert known == row_id("f", MONDAY, 1, "f.txt", 3) and len(known) == 12
    others = {
        row_id("g", MONDAY, 1, "f.txt", 3),
        row_id("f", date(2026, 1, 6), 1, "f.txt", 3),
        row_id("f", MONDAY, 2, "f.txt", 3),
        row_id("f", MONDAY, 1, "g.txt", 3),
        row_id("f", MONDAY, 1, "f.txt", 4),
    }
    assert len(others | {known}) == 6


def test_what_is_odd_may_be_accepted_and_what_is_missing_may_not():
    rules = {rule.name: can_be_waived(rule) for rule in feed_rules(load_catalogue()[FEED])}
    assert rules["quantity_is_not_negative"] and rules["key_is_unique"]
    assert not any(rules[name] for name in ("record_is_whole", "quantity_is_readable", "account_id_is_present"))
    assert not rules["restricted_is_a_part"], "a rule that only warns holds nothing back"


def test_releases_of_one_delivery_say_nothing_of_the_next():
    releases = releases_of(RELEASE)
    assert set(releases.of("f", MONDAY, 1)) == {"aaaaaaaaaaaa"}
    assert releases.of("f", MONDAY, 2) == {} and releases.digest("f", MONDAY, 2) == ""


def test_a_refused_release_leaves_nothing_behind():
    releases = releases_of(RELEASE)
    releases.take_back([RELEASE])
    assert releases.of("f", MONDAY, 1) == {} and releases.digest("f", MONDAY, 1) == ""


def test_a_set_of_releases_has_one_name_whatever_their_order():
    other = replace(RELEASE, row_id="bbbbbbbbbbbb", source_row=4)
    one, two = releases_of(RELEASE, other), releases_of(other, RELEASE)
    assert one.digest("f", MONDAY, 1) == two.digest("f", MONDAY, 1)
    assert one.digest("f", MONDAY, 1) not in ("", releases_of(RELEASE).digest("f", MONDAY, 1))


def test_a_day_with_a_released_row_rests_on_something_else_and_its_bytes_are_the_same():
    before = DeliveryRecord("f", MONDAY, 1, 1, "loaded", digest="abc")
    after = replace(before, releases="ff00")
    assert before.content == before.digest == after.digest == "abc"
    assert after.content != before.content


def test_sealed_texts_open_for_their_row_only_and_hold_nothing_readable(vault: Vault):
    sealed = seal_texts(vault, "aaaaaaaaaaaa", {"branch_id": "0012"})
    assert "0012" not in sealed and "branch" not in sealed
    assert vault.unseal("releases", "aaaaaaaaaaaa", sealed) == '{"branch_id": "0012"}'
    with pytest.raises(VaultError, match="C360-523"):
        vault.unseal("releases", "bbbbbbbbbbbb", sealed)


def test_a_payload_is_gone_with_its_subject_and_no_new_one_is_made(vault: Vault):
    (payload,) = vault.seal([("NOR/1", "row", "text")])
    assert vault.unseal("NOR/1", "row", payload) == "text"
    vault.destroy(["NOR/1"])
    with pytest.raises(VaultError, match="C360-520"):
        vault.unseal("NOR/1", "row", payload)
    assert [bool(sealed) for sealed in vault.seal([("NOR/1", "row", "text"), ("NOR/2", "row", "text")])] == [
        False,
        True,
    ]


def test_the_shape_of_a_record_shows_its_fields_and_no_value():
    assert shape("0012|王小明|Li-2|１\\xff") == "9999|文文文|aa-9|9\\aaa"


def test_a_record_is_found_as_it_was_delivered(tmp_path: Path):
    path = tmp_path / "f.txt"
    path.write_bytes("#H|f|20260105\na|b\n1|2\n甲|2|3\n".encode("gb18030") + b"x\xff|\n#T|3\n")
    assert record_texts(str(path), inspect(str(path)), {2, 3}) == {2: "甲|2|3", 3: "x\\xff|"}
