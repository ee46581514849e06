"""Five hundred damaged files: each is refused with a code, or read to the last record, and no message holds what was in it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

import simulator
from simulator.damage import ANY_FILE, ANY_TEXT, DAMAGES
from simulator.delivery import describe, write_manifest
from simulator.randomness import stream
from spark_jobs.contracts import Contract, load_catalogue
from spark_jobs.errors import C360Error, DeliveryError, FileFormatError
from spark_jobs.ingest.bronze import PrivateMeans, _decoded, _tokenised
from spark_jobs.ingest.deliveries import find_delivery
from spark_jobs.ingest.privacy import MISPLACED
from spark_jobs.ingest.vault import Keys, Vault
from tests.damaged import Record, deliver_damaged, records_of

SEED, FILES, DAY = 20, 500, date(2026, 9, 29)
FEEDS = (
    "normal_counter__clients", "normal_counter__cash_journal", "clearing__settlement_details", "fund_counter__holdings",
    "reference__prices", "credit_counter__accounts", "staff_platform__relations", "clearing__securities_balances",
    "fund_counter__confirmations", "reference__securities", "reference__employees", "option_counter__cash_balances",
)  # fmt: skip
CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def landing(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("home")
    simulator.simulate(home, customers=60, days=1, seed=1, start=date(2026, 9, 28), write_truth=False)
    return home / "landing"


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> PrivateMeans:
    root, keys = tmp_path_factory.mktemp("vault"), Keys(master_key=b"m" * 32, token_key=b"t" * 32)
    # Ciphertext is not looked at here, and each of five hundred commits would wait for the disk.
    vault = Vault(root, keys)
    vault._values.execute("pragma synchronous=off")
    vault._subject_keys.execute("pragma synchronous=off")
    return PrivateMeans(keys, vault, root)


def copied(landing: Path, root: Path, contract: Contract) -> Path:
    """The folder of the feed's delivery in a landing of its own, to be spoiled."""
    feed = Path(DAY.isoformat()) / contract.feed
    shutil.copytree(landing / feed, root / feed)
    return root / feed


def values_of(contract: Contract, content: bytes) -> set[str]:
    """Everything in a delivered file that could be somebody's: its cells, long enough not to be met by chance."""
    cells = {cell for record in records_of(contract.format, content) for cell in record.cells.values() if cell}
    return {cell for cell in cells if is_telling(cell)}


def persons_of(contract: Contract, content: bytes) -> set[str]:
    """The clear names, documents and phones of a sound file."""
    sources = [column.source for column in contract.personal_columns]
    return {record.cells[name] for record in records_of(contract.format, content) for name in sources} - {None, ""}


def plain_values(contract: Contract, found: pa.Table) -> set[str]:
    """Everything landing hands on in clear; an unknown code would be among it."""
    names = [column.name for column in contract.plain_columns if column.name in found.column_names]
    return {value for name in names for value in found[name].to_pylist()}


def is_telling(text: str) -> bool:
    return len(text) > 5 and text not in f"{DAY:%Y%m%d}" if text.isascii() else len(text) > 1


def words_of(contract: Contract, content: bytes) -> set[str]:
    """What stands between the separators of the damaged file, however broken, except what the catalogue says itself."""
    if contract.format not in ("delimited", "ofd"):
        return set()
    known = " ".join(
        ["OFDCFDAT OFDCFEND", contract.feed, contract.file, *(column.source for column in contract.columns)]
    )
    words = re.split(r"[|\s\0]+", content.decode("gb18030", errors="replace"))
    return {word for word in words if is_telling(word) and word not in known}


def read(contract: Contract, landing: Path, private: PrivateMeans) -> pa.Table:
    """As a load reads a delivery before Spark sees it."""
    delivery = find_delivery(landing, contract, DAY)
    batches = [_tokenised(contract, DAY, batch, private) for batch in _decoded(contract, delivery)]
    return pa.concat_tables(batches, promote_options="default")


def assert_same(contract: Contract, found: pa.Table, expected: list[Record], case: str) -> None:
    assert found.num_rows == len(expected), case
    errors = found["_parse_error"].to_pylist()
    # What could be somebody's is withheld with its row; every other row must be as the slow reader reads it.
    read = [at for at, error in enumerate(errors) if error != MISPLACED]
    assert contract.personal_columns or len(read) == len(errors), case
    assert [errors[at] is None for at in read] == [expected[at].is_whole for at in read], case
    for column in contract.plain_columns:
        if column.name in found.column_names:
            cells = found[column.name].to_pylist()
            assert [cells[at] for at in read] == [expected[at].cells.get(column.source) for at in read], (
                f"{case}, {column.name}"
            )
    clear = {name for column in contract.personal_columns for name in (column.name, column.source)}
    assert not clear & set(found.column_names), case
    unknown = [name for name in found.column_names if name not in contract.bronze_columns and not name.startswith("_")]
    names = [name.casefold() for name in ("business_date", *contract.bronze_columns, *unknown)]
    assert len(names) == len(set(names)) and not re.search(r"[\s,;{}()=]", "".join(names)), (
        f"{case}: no table can hold it"
    )


def test_every_damaged_file_is_refused_with_a_code_or_read_to_its_last_record(landing, private, tmp_path):
    """A broken row counts as read: rows read = kept + quarantined + duplicates can be decided from what comes out here."""
    outcomes = Counter()
    for number in range(FILES):
        contract = CATALOGUE[FEEDS[number % len(FEEDS)]]
        folder = copied(landing, tmp_path / str(number), contract)
        sound = next(path for path in folder.glob(contract.file_glob(f"{DAY:%Y%m%d}"))).read_bytes()
        generator = stream(SEED, contract.feed, number)
        spoil = DAMAGES[contract.format][number // len(FEEDS) % len(DAMAGES[contract.format])]
        content = deliver_damaged(folder, contract.format, spoil, generator, counts_follow=generator.random() < 0.5)
        case = f"file {number}: {spoil.__name__} in {contract.feed}"
        try:
            found = read(contract, tmp_path / str(number), private)
            assert not persons_of(contract, sound) & plain_values(contract, found), case
        except C360Error as error:
            assert re.fullmatch(r"C360-[23]\d\d", error.code), case
            assert contract.feed in error.where and "c360 load --date" in error.next_step, case
            told = [word for word in values_of(contract, sound) | words_of(contract, content) if word in str(error)]
            assert not told, case
            outcomes[contract.format, "refused"] += 1
        else:
            assert_same(contract, found, records_of(contract.format, content), case)
            is_whole = found["_parse_error"].null_count == found.num_rows
            outcomes[contract.format, "whole" if is_whole else "broken rows"] += 1
    # The damage must reach what it is meant to try: refusals and rows of every format, broken rows of those that can have them.
    for file_format in DAMAGES:
        assert outcomes[file_format, "refused"] > 20 and outcomes[file_format, "whole"], outcomes
    assert all(outcomes[file_format, "broken rows"] > 5 for file_format in ("delimited", "dbf", "ofd")), outcomes


def test_a_damaged_manifest_is_refused_or_says_the_same(landing, tmp_path):
    damages = (*ANY_FILE, *ANY_TEXT)
    for number in range(200):
        contract = CATALOGUE[FEEDS[number % len(FEEDS)]]
        path = copied(landing, tmp_path / str(number), contract) / "manifest.json"
        spoil, case = damages[number % len(damages)], f"manifest {number}"
        path.write_bytes(spoil(path.read_bytes(), stream(SEED, "manifest", number)))
        try:
            found = find_delivery(tmp_path / str(number), contract, DAY)
        except DeliveryError as error:
            assert error.code in ("C360-302", "C360-303"), case
        else:
            sound = find_delivery(landing, contract, DAY)
            assert (found.rows, found.digest) == (sound.rows, sound.digest), case


@pytest.mark.parametrize("totals", [{"rows": "sNaN"}, {"rows": "1e999999"}, ["rows"]])
def test_a_control_total_that_is_no_plain_number_is_refused(landing, tmp_path, totals):
    contract = CATALOGUE["normal_counter__clients"]
    folder = copied(landing, tmp_path, contract)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    write_manifest(folder, manifest | {"control_totals": totals})
    with pytest.raises(DeliveryError, match="C360-302"):
        find_delivery(tmp_path, contract, DAY)


def test_a_name_of_the_contract_in_another_case_is_refused(landing, tmp_path):
    """Both would be columns of one bronze table, which knows no case."""
    contract = CATALOGUE["normal_counter__cash_journal"]
    folder = copied(landing, tmp_path, contract)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    path = folder / manifest["files"][0]["name"]
    path.write_bytes(path.read_bytes().replace(b"|bank_code", b"|Bank_code"))
    manifest["files"][0] = describe(path.name, path.read_bytes(), manifest["files"][0]["rows"])
    write_manifest(folder, manifest)
    with pytest.raises(FileFormatError, match=r"C360-217.*columns 8 "):
        find_delivery(tmp_path, contract, DAY)
