"""A new token key: killed half-way, stopped at the end, finished; then nothing of the key before is anywhere, and all else is as it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from serving.callers import Caller
from serving.problems import NotAvailable
from serving.service import Service
from serving.work import open_work, renew_written
from spark_jobs.chains import Link, in_force
from spark_jobs.config import POSTGRES_VARIABLE, Settings, load_settings
from spark_jobs.ingest.vault import Keys, Vault, VaultError, load_keys, renew_tokens
from spark_jobs.jobs.load import load, take_in
from spark_jobs.jobs.quarantine import read_quarantine, release
from spark_jobs.jobs.renew_tokens import Renewed, renew
from spark_jobs.jobs.start import start_run
from spark_jobs.jobs.versions import read_versions
from spark_jobs.publish.ciphertexts import write_ciphertexts
from spark_jobs.publish.duckdb_store import connect_delta, current
from spark_jobs.publish.marts import COCKPIT, MARTS, WHOLE
from spark_jobs.publish.postgres_store import PostgresStore
from spark_jobs.quality.releases import SUBJECT
from tests.leaks import find_leaks
from tests.loading import QUIET
from tests.night import CLIENTS, RELEASED, ROW_FAULTS, SWAPPED, Night
from tests.postgres import database
from tests.truth_compare import CLAIMS, must_equal_truth

PATIENCE = 900
Rows = dict[str, list[tuple]]


@dataclass
class Story:
    """What was found before, between and after. phone: one that only `customer` has."""

    night: Night
    settings: Settings
    environment: dict[str, str]
    phone: str
    customer: str
    before: Keys
    published: Rows
    cockpit: Rows
    versions: list[dict[str, Any]]
    half_way: set[str] | None = None
    refused: str = ""
    found_meanwhile: Any = None
    found_by_the_old: str = ""
    found: Renewed | None = None

    @property
    def keys(self) -> Keys:
        return load_keys(self.settings.vault, {})


def run_renewal(story: Story) -> Renewed:
    work = open_work(story.settings, story.environment)
    try:
        with start_run(story.settings, "renew", QUIET, is_renewal=True) as run:
            return renew(run, story.environment, lambda renewed: renew_written(work, renewed))
    finally:
        work.close()


def rows_of(file: Path) -> Rows:
    with duckdb.connect(str(file), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in names}


def kill_half_way(story: Story) -> set[str]:
    """Kill the command once a table is written anew. Returns the tables that are by then."""
    lake = Path(story.settings.lake)
    environment = (
        os.environ | story.environment | {"C360_HOME": str(story.settings.home), "C360_SPARK_MASTER": "local[1]"}
    )
    command = [sys.executable, "-m", "spark_jobs.cli", "rotate-keys", "--tokens"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    until = time.monotonic() + PATIENCE

    def renewed() -> set[str]:
        return {
            log.parent.parent.name
            for log in lake.glob("*/*/_delta_log/*.json")
            if log.parent.parent.parent.name != "meta" and "token_key" in log.read_text(encoding="utf-8")
        }

    try:
        while not renewed() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, said
    return renewed()


def seat(service: Service) -> Caller:
    return Caller("seat", service.access.roles["risk_control"], "", "", frozenset({"read", "write", "reveal"}))


def look_up(story: Story, service: Service) -> dict[str, Any]:
    return service.look_up(seat(service), "phone", story.phone)


@pytest.fixture(scope="module")
def story(night, postgres, tmp_path_factory) -> Story:
    """The bad night, of which one row has been released and others are held, with a database of its own."""
    settings = load_settings(home=night.as_it_was, spark_master="local[2]")
    environment = {POSTGRES_VARIABLE: database(postgres, "renewed")}
    original = night.originals[f"{CLIENTS}:{SWAPPED + 1}"]
    mended = {name: text for name, text in original.items() if not text or name in ("client_name", "branch_id")}
    swapped = next(
        row for row in read_quarantine(settings) if (row["feed"], row["source_row"]) == (CLIENTS, SWAPPED + 1)
    )
    with start_run(settings, "release", QUIET) as run:
        release(run, [swapped["id"]], "told by the sender", "Li Na", texts=mended)
    file, before = current(settings.published).file, load_keys(settings.vault, {})
    publish_to_postgres(settings, environment, before, tmp_path_factory.mktemp("ciphertexts") / "ciphertexts.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        # Whoever is found must be the only one with that phone.
        customer, token, number = connection.execute(
            "select min(customer_id), mobile_phone_token, min(client_number) from mart_customer_phone "
            "join mart_customer_account using (customer_id, as_of_date) where as_of_date = ? and system_code = 'NOR' "
            "group by mobile_phone_token having count(distinct customer_id) = 1 order by all limit 1", [night.row_day]
        ).fetchone()  # fmt: skip
    vault = Vault(settings.vault, before)
    phone = vault.reveal(f"NOR/{number}", "phone", token)
    vault.close()
    cockpit = rows_of(current(COCKPIT.folder(settings.published)).file)
    known = read_versions(settings, CLIENTS, [number], None)
    told = Story(night, settings, environment, phone, customer, before, rows_of(file), cockpit, known)
    write_words(told, token)
    old = Service(settings, environment)
    try:
        told.half_way = kill_half_way(told)
        with pytest.raises(VaultError) as refused, start_run(settings, "load", QUIET):
            pass
        told.refused = refused.value.code
        told.found_meanwhile = look_up(told, old)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Vault, "end_renewal", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
            run_renewal(told)
        with pytest.raises(NotAvailable) as not_found:
            look_up(told, old)
        told.found_by_the_old = not_found.value.code
    finally:
        old.close()
    told.found = run_renewal(told)
    return told


def publish_to_postgres(settings: Settings, environment: dict[str, str], keys: Keys, ciphertexts: Path) -> None:
    vault = Vault(settings.vault, keys)
    for publication in (WHOLE, COCKPIT):
        now, store = current(publication.folder(settings.published)), PostgresStore.of(environment, publication)
        if publication is WHOLE:
            write_ciphertexts(vault, now.file, ciphertexts)
        store.write_revision(now.file, now.revision, ciphertexts if publication is WHOLE else None)
        store.point_at(now.revision, 7)
    vault.close()


def write_words(story: Story, token: str) -> None:
    work = open_work(story.settings, story.environment)
    with work.writing() as transaction:
        transaction.change(
            "insert into phone_word values ('w1', $customer, $token, 'do_not_call', '2026-01-08', '2026-01-08T01:00:00Z', 'E1')",
            {"customer": story.customer, "token": token},
        )
    work.close()


@pytest.fixture
def service(story) -> Iterator[Service]:
    opened = Service(story.settings, story.environment)
    yield opened
    opened.close()


def test_it_was_killed_half_way_and_nobody_else_went_on(story):
    tables = {folder.parent.name for folder in Path(story.settings.lake).glob("*/*/_delta_log")}
    assert story.half_way and story.half_way < tables, "it had done nothing, or all"
    assert story.refused == "C360-526"


def test_what_is_published_was_served_until_the_stores_changed_over_and_never_by_the_old_key_then(story):
    assert [one["customer_id"] for one in story.found_meanwhile["data"]] == [story.customer]
    assert story.found_by_the_old == "C360-548"


def test_the_key_in_force_is_the_old_one_with_a_new_one_laid_over_it(story):
    assert (story.found.before, story.found.now) == (story.before.token_key_id, story.keys.token_key_id)
    assert story.keys.token_keys[:-1] == story.before.token_keys
    with pytest.raises(VaultError, match="C360-525"):
        Vault(story.settings.vault, story.before)


def test_no_token_of_before_is_left_anywhere(story):
    settings = story.settings
    old = f"{story.before.token_key_id}:"
    places = [Path(settings.lake), settings.published, settings.vault, settings.written, settings.work, settings.logs]
    assert find_leaks([place for place in places if place.exists()], [old]) == []
    assert find_leaks([Path(settings.lake)], [f"{story.keys.token_key_id}:"]), "the search finds nothing at all"
    with psycopg.connect(story.environment[POSTGRES_VARIABLE]) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname like 'c360%'"
        ).fetchall()
        assert {"c360_data", "c360_cockpit_data", "c360_work"} <= {schema for schema, _ in tables}
        for schema, table in tables:
            query = f"select count(*) from {schema}.{table} as whole where cast(whole as text) like %s"
            assert connection.execute(query, [f"%{old}%"]).fetchone() == (0,), table
    vault = Vault(settings.vault, story.keys)
    for rows in sealed(settings):
        texts = "".join(vault.unseal(*row) for row in rows)
        assert old not in texts and f"{story.keys.token_key_id}:" in texts
    vault.close()


def sealed(settings: Settings) -> list[list[tuple]]:
    """(subject, place, sealed text) of the rows held back, and of the texts of rows released."""
    queries = (
        f"select _subject, _row_id, _payload from delta_scan('{settings.lake}/quarantine/{CLIENTS}') where _payload is not null",
        f"select '{SUBJECT}', row_id, texts from delta_scan('{settings.lake}/meta/releases') where texts <> ''",
    )
    with connect_delta() as connection:
        return [connection.execute(query).fetchall() for query in queries]


def renewed_rows(story: Story, rows: Rows) -> Rows:
    """What was published, with the tokens and ids of applicants that it should have now."""
    layers = story.keys.token_layers
    anew = {}
    for name, those in rows.items():
        changed = [
            tuple(renew_tokens(layers, cell) if isinstance(cell, str) else cell for cell in row) for row in those
        ]
        if name == "mart_prospect":
            tokens = [
                next(cell for cell in row if isinstance(cell, str) and story.keys.has_made(cell)) for row in changed
            ]
            changed = [
                tuple(f"PRO-{token.split(':')[1][:16]}" if isinstance(cell, str) and cell.startswith("PRO-") else cell for cell in row)
                for row, token in zip(changed, tokens, strict=True)
            ]  # fmt: skip
        anew[name] = sorted(changed, key=str)
    return anew


def sorted_rows(rows: Rows) -> Rows:
    return {name: sorted(those, key=str) for name, those in rows.items()}


def test_all_else_that_is_published_is_as_it_was(story):
    now = rows_of(current(story.settings.published).file)
    assert now["mart_prospect"] and now["mart_customer_phone"]
    assert sorted_rows(now) == renewed_rows(story, story.published)
    cockpit = rows_of(current(COCKPIT.folder(story.settings.published)).file)
    assert sorted_rows(cockpit) == renewed_rows(story, story.cockpit)


def test_the_file_is_as_quick_and_as_able_as_before(story):
    with duckdb.connect(str(current(story.settings.published).file), read_only=True) as connection:
        indexes = {name for (name,) in connection.execute("select index_name from duckdb_indexes()").fetchall()}
        assert indexes == {f"{mart.name}_by_{column}" for mart in MARTS.values() for column in mart.looked_up_by}
        assert connection.execute("select count(*) from profile_at(?)", [story.night.row_day]).fetchone()[0]


def test_history_has_the_versions_it_had(story):
    layers = story.keys.token_layers
    expected = [
        {name: renew_tokens(layers, value) if isinstance(value, str) else value for name, value in version.items()}
        for version in story.versions
    ]
    number = story.versions[0]["client_number"]
    assert read_versions(story.settings, CLIENTS, [number], None) == expected


def test_a_phone_finds_its_customer_reveals_its_number_and_keeps_its_word(story, service):
    found = look_up(story, service)
    assert [one["customer_id"] for one in found["data"]] == [story.customer]
    with service.asked(seat(service), "profile") as question:
        token = service.phone_token(question.snapshot, story.customer)
        assert service.vault_value(question.snapshot, story.customer, "phone", token)
    work = open_work(story.settings, story.environment)
    with work.reading() as transaction:
        (word,) = transaction.rows("select mobile_phone_token from phone_word", {})
    work.close()
    vault = Vault(story.settings.vault, story.keys)
    subject = vault._values.execute(
        "select subject from vault where token = ?", (word["mobile_phone_token"],)
    ).fetchone()
    assert vault.reveal(subject[0], "phone", word["mobile_phone_token"]) == story.phone
    vault.close()


@pytest.fixture(scope="module")
def corrected(story, tmp_path_factory) -> Settings:
    """The clients of a broker who always had the new key, and was never sent a bad row; ours are sent the good file at last."""
    night, settings, days = story.night, story.settings, story.night.days[:-1]
    files = set(Path(settings.lake).rglob("*.parquet"))
    with start_run(settings, "again", QUIET) as run:
        take_in(run, days)
    assert set(Path(settings.lake).rglob("*.parquet")) == files, "deliveries that had been loaded were loaded again"
    deliver(story, night.row_day, CLIENTS)
    twin = tmp_path_factory.mktemp("twin")
    for day in days:
        shutil.copytree(night.good / day.isoformat() / CLIENTS, twin / "landing" / day.isoformat() / CLIENTS)
    (twin / "vault").mkdir(mode=0o700)
    shutil.copy(settings.vault / "embedded_keys.env", twin / "vault")
    always = load_settings(home=twin, spark_master="local[2]")
    for one in (settings, always):
        with start_run(one, "clients", QUIET) as run:
            take_in(run, days, [CLIENTS])
    return always


def deliver(story: Story, day: date, feed: str) -> None:
    """The good file takes the place of the bad one."""
    folder = story.settings.landing / day.isoformat() / feed
    shutil.rmtree(folder)
    shutil.copytree(story.night.good / day.isoformat() / feed, folder)


def test_history_is_that_of_a_broker_who_always_had_the_new_key(story, corrected):
    found = []
    for settings in (story.settings, corrected):
        with connect_delta() as connection:
            links = [
                Link(*row)
                for row in connection.execute(
                    f"from delta_scan('{settings.lake}/meta/chain') where feed = '{CLIENTS}'"
                ).fetchall()
            ]
            chain = in_force(links)
            slices = connection.execute(
                f"select * exclude (_delivery_number) from delta_scan('{settings.lake}/silver/{CLIENTS}') order by all"
            ).fetchall()
            changes = connection.execute(
                f"select * exclude (_delivery_number) from delta_scan('{settings.lake}/changes/{CLIENTS}') where list_contains(?, _edge) order by all",
                [[link.edge for link in chain.values()]],
            ).fetchall()  # fmt: skip
        found.append(([(day, link.fingerprint, link.edge) for day, link in chain.items()], slices, changes))
    assert len(found[0][0]) == 3 and found[0] == found[1]


@pytest.mark.acceptance
def test_the_nights_after_are_what_the_brokers_events_say(story, corrected):
    night = story.night
    for folder in sorted((night.good / night.file_day.isoformat()).iterdir()):
        deliver(story, night.file_day, folder.name)
    for feed in [*ROW_FAULTS.values(), *RELEASED]:
        deliver(story, night.row_day, feed)
    with start_run(story.settings, "load", QUIET) as run:
        outcome = load(run, night.days, environment=story.environment)
    assert outcome.published == night.days[1:]
    for file in CLAIMS:
        must_equal_truth(story.settings, file)
    # The revision of before, with its new tokens, can be served again.
    first = min(int(file.stem) for file in (story.settings.published / "revisions").glob("*.duckdb"))
    PostgresStore.of(story.environment).point_at(first, 7)
    service = Service(story.settings, story.environment)
    assert [one["customer_id"] for one in look_up(story, service)["data"]] == [story.customer]
    service.close()
