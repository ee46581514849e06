"""A mapping inherits its contract, sleeps without dates, and tells all its faults; numbers become those history knows, or nothing does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from spark_jobs.cli import app
from spark_jobs.config import load_settings
from spark_jobs.contracts import CATALOGUE, Catalogue, load_catalogue
from spark_jobs.errors import ConfigurationError, DeliveryError
from spark_jobs.ingest.deliveries import Delivery, Drift, delivered_days
from spark_jobs.ingest.numbers import REUSED, NumberMaps, Numbers, lookup, translate, translate_frame
from spark_jobs.ledger import DeliveryRecord, Ledger

MAPPING, FEED = "next_counter", "normal_counter__cash_balances"
SHADOW, MAP = f"shadow__{MAPPING}__{FEED}", f"migration__{MAPPING}"
DAYS = [date(2026, 9, day) for day in (24, 25, 28, 29, 30)]
DATES = {MAPPING: {"shadow_from": DAYS[1], "in_force_from": DAYS[3]}}


def catalogue(folder: Path = CATALOGUE, dates: dict | None = None) -> Catalogue:
    return load_catalogue(folder, load_settings(migrations=DATES if dates is None else dates).migrations)


# ---------------------------------------------------------------- catalogue


def test_a_mapping_without_dates_sleeps():
    asleep = catalogue(dates={})
    assert len(asleep.everything) == len(asleep) == 56
    assert asleep[FEED].mapping_on(date(2999, 1, 1)) == ""


def test_an_awake_mapping_adds_its_shadows_and_its_map_beside_the_feeds_that_count():
    awake = catalogue()
    assert len(awake) == 56
    assert {contract.feed for contract in awake.everything} - {contract.feed for contract in awake} == {
        MAP,
        *(f"shadow__{MAPPING}__{contract.feed}" for contract in awake if contract.feed.startswith("normal_counter__")),
    }


def test_dates_say_who_is_read_how():
    awake = catalogue()
    assert [awake[FEED].mapping_on(day) for day in DAYS] == ["", "", "", MAPPING, MAPPING]
    assert [awake[SHADOW].is_expected(day) for day in DAYS] == [False, True, True, False, False]
    assert [awake[MAP].is_expected(day) for day in DAYS] == [False, True, True, True, True]
    without_end = catalogue(dates={MAPPING: {"shadow_from": DAYS[1]}})
    assert without_end[SHADOW].is_expected(date(2999, 1, 1))
    assert SHADOW not in catalogue(dates={MAPPING: {"in_force_from": DAYS[3]}})


def test_what_a_mapping_does_not_say_is_the_contracts():
    own = catalogue()[FEED]
    mapped = own.read_by(MAPPING)
    same = {"from": "source", "codes": "codes", "scale": "implied_decimals", "numbers": "numbers"}.values()
    for before, after in zip(own.columns, mapped.columns, strict=True):
        assert replace(after, **{name: getattr(before, name) for name in same}) == before
    assert mapped.columns[0].source == "FUND_ACCT" and mapped.number_columns == {"account_id": "account"}
    assert (mapped.key, mapped.mode, mapped.shrink_limit) == (own.key, own.mode, own.shrink_limit)
    assert (own.owner, mapped.owner) == ("securities operations", "securities operations")
    assert mapped.file == "next_cash_balances_{business_date}.txt"


def test_a_corrected_mapping_reads_the_same_bytes_another_way(tmp_path: Path):
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    before = catalogue(folder)[FEED]
    spoil(folder, FEED, ("scale: 3", "scale: 2"))
    assert catalogue(folder)[FEED].read_by(MAPPING).reading != before.read_by(MAPPING).reading
    assert before.reading == "", "a feed without a mapping keeps the digests it has"


def test_a_shadow_has_its_own_name_and_folder_and_the_rules_and_files_of_its_feed():
    shadow = catalogue()[SHADOW]
    assert (shadow.feed, shadow.folder, shadow.meant_feed) == (SHADOW, f"{FEED}@{MAPPING}", FEED)


def test_days_read_through_a_mapping_that_is_gone_are_not_guessed_at():
    with pytest.raises(ConfigurationError, match="C360-112"):
        catalogue()[FEED].read_by("last_counter")


def spoil(folder: Path, feed: str, *changes: tuple[str, str]) -> None:
    path = folder / "mappings" / MAPPING / f"{feed}.yml"
    text = path.read_text(encoding="utf-8")
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong)
    path.write_text(text, encoding="utf-8")


def test_all_faults_of_all_mappings_are_reported_together(tmp_path: Path):
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    spoil(folder, FEED, ("mapping: next_counter", "mapping: other"), ("to: balance_amount", "to: balance"))
    spoil(folder, "normal_counter__clients", ("format: delimited", "format: paper"), ('"N": active', '"N": actve'))
    spoil(folder, "normal_counter__clients", ("numbers: client}", "number: client}"))
    spoil(
        folder,
        "normal_counter__trades",
        ("numbers: account", "numbers: accounts"),
        ("delivery:", "mode: full\ndelivery:"),
    )
    spoil(folder, "normal_counter__cash_accounts", ("feed: normal", "feed: abnormal"))
    spoil(folder, "normal_counter__positions", ("from: QTY}", "from: QTY, numbers: account}"))
    dates = {MAPPING: {"in_force_from": DAYS[3]}, "unheard_of": {"in_force_from": DAYS[3]}}
    with pytest.raises(ConfigurationError, match="C360-101") as error:
        catalogue(folder, dates)
    for expected in (
        f"{MAPPING}/{FEED}.yml: mapping is other, the folder's name says {MAPPING}",
        f"{MAPPING}/{FEED}.yml: column balance is not one of {FEED}",
        f"{MAPPING}/normal_counter__clients.yml: delivery.format is paper",
        f"{MAPPING}/normal_counter__clients.yml: column client_status has a code for actve",
        f"{MAPPING}/normal_counter__clients.yml: column client_number has an unknown entry number",
        f"{MAPPING}/normal_counter__trades.yml: has an unknown entry mode",
        f"{MAPPING}/normal_counter__cash_accounts.yml: maps onto abnormal_counter__cash_accounts, which has no sound",
        f"{MAPPING}/normal_counter__positions.yml: column quantity cannot hold numbers",
        "settings: migrations names unheard_of, which is no mapping",
    ):
        assert expected in str(error.value)


def test_a_kind_of_number_must_be_one_of_the_map(tmp_path: Path):
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    spoil(folder, "normal_counter__trades", ("numbers: account", "numbers: accounts"))
    with pytest.raises(ConfigurationError, match="column account_id has numbers accounts, not one of account, client"):
        catalogue(folder)
    (folder / "mappings" / MAPPING / "numbers.yml").unlink()
    with pytest.raises(ConfigurationError, match=r"has numbers, and there is no numbers\.yml to map them"):
        catalogue(folder)


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("feed: migration__next_counter", "feed: numbers", "a map of numbers is called migration__next_counter"),
        ("key: [number_kind, new_number]", "key: [new_number]", "grain.key of a map of numbers"),
        ("to: old_number, type: string, required: true", "to: old_number, type: string", "required column old_number"),
        ("mode: full", "mode: event", "a map of numbers is full or incremental"),
    ],
)
def test_a_map_of_numbers_has_a_fixed_shape(tmp_path: Path, right: str, wrong: str, fault: str):
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    spoil(folder, "numbers", (right, wrong))
    with pytest.raises(ConfigurationError) as error:
        catalogue(folder)
    assert fault in str(error.value)


def test_two_mappings_cannot_take_over_on_one_day(tmp_path: Path):
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    other = folder / "mappings" / "other_counter"
    other.mkdir()
    text = (folder / "mappings" / MAPPING / "normal_counter__securities_accounts.yml").read_text(encoding="utf-8")
    text = text.replace(MAPPING, "other_counter").replace(", numbers: account", "")
    (other / "normal_counter__securities_accounts.yml").write_text(text, encoding="utf-8")
    start = {"in_force_from": DAYS[3]}
    with pytest.raises(
        ConfigurationError, match="two mappings of normal_counter__securities_accounts are in force from"
    ):
        catalogue(folder, {MAPPING: start, "other_counter": start})
    later = catalogue(folder, {MAPPING: start, "other_counter": {"in_force_from": DAYS[4]}})
    assert later["normal_counter__securities_accounts"].mapping_on(DAYS[4]) == "other_counter"


@pytest.mark.parametrize("dates", [{}, {"shadow_from": DAYS[3], "in_force_from": DAYS[3]}, {"in_force_form": DAYS[3]}])
def test_dates_that_say_nothing_are_refused(dates: dict):
    with pytest.raises(ConfigurationError, match="C360-103"):
        load_settings(migrations={MAPPING: dates})


@pytest.mark.parametrize("options", [["--migrate-after", "5"], ["--migrate-after", "2", "--fault", "half_file"]])
def test_a_migration_needs_days_around_it_and_no_fault(tmp_path: Path, options: list[str]):
    result = CliRunner().invoke(app, ["simulate", *options], env={"C360_HOME": str(tmp_path)})
    assert result.exception.code == "C360-113"
    assert not (tmp_path / "landing").exists()


# ---------------------------------------------------------------- numbers

# 11 and 12 changed places; 13 became 23.
KNOWN = Numbers(
    "one", {"account": lookup(pa.chunked_array([["11", "12", "23"]]), pa.chunked_array([["12", "11"], ["13"]]))}
)
DELIVERED = ["11", "12", "23", " 23 ", "２３", "99", None, "13"]
TRANSLATED = ["12", "11", "13", "13", "13", "99", None, "13"]


def delivered_batch() -> pa.Table:
    rows = len(DELIVERED)
    whole = pa.array([None] * (rows - 2) + ["wrong_field_count", None], pa.string())
    return pa.table({"account_id": pa.array(DELIVERED, pa.string()), "amount": ["1"] * rows, "_parse_error": whole})


def test_numbers_of_the_map_are_translated_and_others_stay():
    batch = translate(delivered_batch(), {"account_id": "account"}, KNOWN)
    assert batch["account_id"].to_pylist() == TRANSLATED
    assert batch.column_names == ["account_id", "amount", "_parse_error"]


def test_a_number_only_the_old_counter_has_is_told_and_no_other_row_is_touched():
    batch = translate(delivered_batch(), {"account_id": "account"}, KNOWN)
    assert batch["_parse_error"].to_pylist() == [None] * 6 + ["wrong_field_count", REUSED]


def test_without_a_map_or_a_kind_in_it_nothing_changes():
    assert translate(delivered_batch(), {"account_id": "account"}, None).equals(delivered_batch())
    assert translate(delivered_batch(), {"account_id": "client"}, KNOWN).equals(delivered_batch())


def test_what_the_workers_read_is_translated_alike(spark):
    frame = spark.createDataFrame(delivered_batch())
    found = translate_frame(frame, {"account_id": "account"}, KNOWN)
    expected = translate(delivered_batch(), {"account_id": "account"}, KNOWN)

    def rows(table: pa.Table) -> list[tuple]:
        return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=str)

    assert found.columns == expected.column_names
    assert rows(found.toArrow()) == rows(expected)


class FakeLake:
    """A lake whose one table is the slice of a map."""

    def __init__(self, *rows: tuple[str, str, str]) -> None:
        names = ("number_kind", "new_number", "old_number")
        self.slice = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})

    def read(self, layer: str, name: str, days: list[date]) -> SimpleNamespace:
        assert (layer, name) == ("silver", MAP)
        return SimpleNamespace(select=lambda *_: SimpleNamespace(toArrow=lambda: self.slice))


def maps(lake: FakeLake, *records: DeliveryRecord, fingerprint: str = "one") -> NumberMaps:
    chain = {record.business_date: SimpleNamespace(fingerprint=fingerprint) for record in records}
    return NumberMaps(lake, SimpleNamespace(records=lambda: list(records), chain=lambda _: chain))


def record(day: date, status: str = "loaded", feed: str = MAP, **values: object) -> DeliveryRecord:
    return DeliveryRecord(feed, day, 1, 1, status, **values)


def delivery(day: date) -> Delivery:
    return Delivery(FEED, day, False, (), {}, "digest", Drift((), ()), MAPPING)


SOUND = FakeLake(("account", "23", "13"), ("client", "7", "5"))
CONTRACT = catalogue()[FEED].read_by(MAPPING)


def test_a_delivery_is_read_with_the_newest_map_and_another_map_makes_it_another_delivery():
    first = maps(SOUND, record(DAYS[1])).applied(delivery(DAYS[3]), CONTRACT)
    assert first.numbers.by_kind["account"].to_pylist() == [
        {"number": "23", "known_number": "13"},
        {"number": "13", "known_number": None},
    ]
    other = maps(SOUND, record(DAYS[1]), fingerprint="two").applied(delivery(DAYS[3]), CONTRACT)
    assert len({"digest", first.digest, other.digest}) == 3
    own = catalogue()[FEED]
    assert maps(SOUND).applied(delivery(DAYS[3]), own) == delivery(DAYS[3])


def test_a_map_that_was_taken_back_is_not_used():
    taken_back = maps(SOUND, record(DAYS[1]), record(DAYS[2], "withdrawn"))
    assert taken_back.applied(delivery(DAYS[3]), CONTRACT).numbers.fingerprint == "one"


@pytest.mark.parametrize(
    ("lake", "records", "fault"),
    [
        (SOUND, [], "no map migration__next_counter has been loaded"),
        (SOUND, [record(DAYS[4])], "no map migration__next_counter has been loaded"),
        (SOUND, [record(DAYS[1]), record(DAYS[2], "held", code="C360-255")], "was not accepted (C360-255)"),
        (SOUND, [record(DAYS[2], rows_quarantined=2)], "2 rows of the map migration__next_counter"),
        (
            FakeLake(("account", "23", "13"), ("account", "24", "13")),
            [record(DAYS[2])],
            "1 old numbers of kind account",
        ),
        (FakeLake(("@X", "23", "13")), [record(DAYS[2])], "1 rows of the map migration__next_counter"),
    ],
)
def test_a_map_nobody_can_rely_on_holds_what_needs_it(lake: FakeLake, records: list, fault: str):
    with pytest.raises(DeliveryError) as error:
        maps(lake, *records).applied(delivery(DAYS[3]), CONTRACT)
    assert error.value.code == "C360-306" and fault in error.value.what


# ---------------------------------------------------------------- what no day rests on


def test_no_day_rests_on_a_shadow_or_a_map():
    ledger = Ledger(SimpleNamespace(exists=lambda *_: False), catalogue())
    ledger._remember(record(DAYS[1], feed=FEED))
    before, blocking = ledger.digest(DAYS[1]), ledger.blocking(DAYS[1])
    ledger._remember(record(DAYS[0], feed=SHADOW, is_opening=True))
    ledger._remember(record(DAYS[1], feed=SHADOW))
    ledger._remember(record(DAYS[1], feed=MAP))
    assert (ledger.days(), ledger.opening_day()) == ([DAYS[1]], DAYS[1])
    assert (ledger.digest(DAYS[1]), ledger.blocking(DAYS[1])) == (before, blocking)
    assert not {SHADOW, MAP} & ledger.stale_feeds(DAYS[1]).keys()


def test_a_day_with_nothing_but_shadows_is_no_business_date(tmp_path: Path):
    for day, folder in (("2026-09-25", FEED), ("2026-09-25", f"{FEED}@{MAPPING}"), ("2026-09-26", f"{FEED}@{MAPPING}")):
        (tmp_path / day / folder).mkdir(parents=True)
    assert delivered_days(tmp_path) == [date(2026, 9, 25)]
