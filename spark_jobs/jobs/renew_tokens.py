"""`c360 rotate-keys --tokens`: a new token key is laid over those in force, and every token there is becomes one of its own.

A token of the new key is made of the token before it (decision 0013): nobody is asked for a value, and what was erased or never kept gets its
new token, too. A table is written anew in one commit and a published file in one step; what has new tokens already is left alone, so that
the same command goes on wherever it was stopped. Until it is done no other run starts (C360-526), and what is published is served as it was:
the stores come after the lake, then what people wrote, and last of all every version, file and entry with a token of before is forgotten.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.chains import Link, relink
from spark_jobs.context import Run
from spark_jobs.gold.applications import prospect_id
from spark_jobs.history import HASH, fingerprints, row_hash
from spark_jobs.ingest.vault import Keys, VaultError, load_keys, renew_tokens
from spark_jobs.io import local_folder
from spark_jobs.jobs.rotate_keys import TOKEN, keys_with_next, put_in_force
from spark_jobs.publish import duckdb_store
from spark_jobs.publish.ciphertexts import write_ciphertexts
from spark_jobs.publish.marts import COCKPIT, WHOLE, Publication
from spark_jobs.publish.postgres_store import PostgresStore
from spark_jobs.quality.releases import SUBJECT

NEXT_VARIABLE, NEXT_FILE = TOKEN.next_variable, TOKEN.next_file

Layers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Renewed:
    """Ids of the token key before and now; how many tables, published files and entries of people were written anew."""

    before: str
    now: str
    tables: int
    files: int
    written: int


def next_keys(vault_root: Path, environment: Mapping[str, str], under_way: str | None) -> Keys:
    """The keys with the next token key; those a renewal was begun with, if one is under way (its id).

    Raises ConfigurationError C360-197 without a good next key.
    """
    keys = load_keys(vault_root, environment)
    # Where they are equal it was stopped after the keys were put in force.
    return keys if keys.token_key_id == under_way else keys_with_next(vault_root, environment, keys, TOKEN)


def renew(run: Run, environment: Mapping[str, str], renew_written: Callable[[Callable[[str], str]], int]) -> Renewed:
    """Renew every token. It may be stopped at any moment and run again, with the same keys.

    renew_written: applies a function to every token in what people wrote, and says how many changed. Raises what `next_keys` raises, and
    VaultError C360-526 for another next key than the one a renewal was begun with.
    """
    vault = run.private.vault
    keys = next_keys(run.settings.vault, environment, vault.next_token_key_id)
    layers = keys.token_layers[-2:]
    vault.begin_renewal(keys.token_key_id)
    bar = run.progress.add_task("values", total=None)
    for count in vault.renew_values(keys):
        run.progress.advance(bar, count)
    _forget_candidates(run)
    tables = _Tables(run, layers)
    written = tables.renew()
    files = sum(_renew_store(run, publication, layers, environment) for publication in (COCKPIT, WHOLE))

    def renewed(token: str) -> str:
        return renew_tokens(layers, token)

    entries = renew_written(renewed)
    run.in_parallel(lambda table: run.lake.forget_versions(*table), tables.with_tokens, "old versions")
    # What was being written while the stores changed over.
    entries += renew_written(renewed)
    put_in_force(run.settings.vault, environment, keys, TOKEN)
    vault.end_renewal()
    return Renewed(layers[0][0], layers[1][0], written, files, entries)


def _forget_candidates(run: Run) -> None:
    """What a killed run left half built; nobody reads it any more."""
    if folder := local_folder(run.lake.root):
        shutil.rmtree(Path(folder) / "candidate", ignore_errors=True)


class _Tables:
    """The tables of the lake that have tokens."""

    def __init__(self, run: Run, layers: Layers) -> None:
        self._run, self._before = run, layers[0][0]
        self._metadata = {"run": run.number, "token_key": layers[1][0]}
        self._contracts = {contract.feed: contract for contract in run.catalogue.everything}
        self._layers = layers
        self._renewed = _renewing(layers)
        self._old: dict[tuple[str, str], list[str]] = {}
        self.with_tokens: list[tuple[str, str]] = []
        self._all = [table for table in run.lake.tables() if table[0] != "meta"]
        bar = run.progress.add_task("looking for tokens", total=len(self._all))
        with duckdb_store.connect_delta() as connection:
            for table in self._all:
                scan = f"delta_scan('{local_folder(run.lake.path(*table))}')"
                texts = _text_columns(connection, scan)
                if old := _old_columns(connection, scan, texts, self._before):
                    self._old[table] = old
                # Of a table that has none now an earlier version may have had some; such a one has a column named for it.
                if old or any(name.endswith(("_token", "_key")) for name in texts):
                    self.with_tokens.append(table)
                run.progress.advance(bar)

    def renew(self) -> int:
        """Write every table anew that has a token of before. Returns how many there were."""
        lake, edges, links = self._run.lake, {}, []
        others = [table for table in self._old if table[0] != "changes"]
        self._run.in_parallel(lambda table: self._renew(*table), others, "tables")
        # Whichever of its two tables was written anew before this run: its edges are named by its slices.
        personal = {feed for feed, contract in self._contracts.items() if contract.personal_columns}
        for feed in personal.intersection(self._names("changes")):
            old, new = self._chain(feed)
            edges[feed] = {link.edge: anew.edge for link, anew in zip(old, new, strict=True)}
            links += zip(old, new, strict=True)
        old_changes = [name for layer, name in self._old if layer == "changes"]
        self._run.in_parallel(lambda feed: self._renew("changes", feed, edges.get(feed)), old_changes, "changes")
        self._write_chains(links)
        written = len(self._old) + sum(
            self._run.in_parallel(self._renew_payloads, self._names("quarantine"), "quarantine")
        )
        if lake.exists("meta", "releases"):
            written += self._renew_sealed(
                lake.read("meta", "releases"), "meta", "releases", F.lit(SUBJECT), "row_id", "texts"
            )
        return written

    def _names(self, layer: str) -> list[str]:
        return [name for other, name in self._all if other == layer]

    def _renew(self, layer: str, name: str, edges: Mapping[str, str] | None = None) -> None:
        """One commit. edges: how the edges of a table of changes are named now."""
        frame = self._run.lake.read(layer, name)
        anew = frame.withColumns({column: self._renewed(column) for column in self._old[layer, name]})
        if "prospect_id" in frame.columns:
            anew = anew.withColumn("prospect_id", F.expr(prospect_id("mobile_phone_token")))
        if HASH in frame.columns and name in self._contracts:
            tracked = [column for column in self._contracts[name].tracked_fields if column in frame.columns]
            anew = anew.withColumn(HASH, F.when(F.col(HASH).isNotNull(), row_hash(tracked)))
        if edges:
            named = F.create_map(*(F.lit(text) for pair in edges.items() for text in pair))
            anew = anew.withColumn("_edge", F.coalesce(named[F.col("_edge")], F.col("_edge")))
        self._run.lake.rewrite(anew, layer, name, self._metadata)

    def _chain(self, feed: str) -> tuple[list[Link], list[Link]]:
        """The links in force, as they are in the ledger and as the slices make them now."""
        old = self._run.ledger.chain(feed)
        held = fingerprints(self._run.lake.read("silver", feed, list(old)), old) if old else {}
        new = relink(feed, {}, held, self._run.number, self._run.started_at)
        return list(old.values()), new

    def _write_chains(self, pairs: Sequence[tuple[Link, Link]]) -> None:
        """What was known when stays known: every link that speaks of a slice in force speaks of it by its new name. One commit."""
        if all(old.edge == new.edge for old, new in pairs):
            return
        fingerprint = {(old.feed, old.business_date, old.fingerprint): new.fingerprint for old, new in pairs}
        edge = {(old.feed, old.edge): new.edge for old, new in pairs}

        def changed(link: Link) -> Link:
            return replace(
                link,
                fingerprint=fingerprint.get((link.feed, link.business_date, link.fingerprint), link.fingerprint),
                edge=edge.get((link.feed, link.edge), link.edge),
            )

        self._run.ledger.replace_links(changed, self._metadata)

    def _renew_payloads(self, name: str) -> bool:
        rows = self._run.lake.read("quarantine", name)
        # An earlier version gave rows no id; such a row cannot be released.
        return "_row_id" in rows.columns and self._renew_sealed(
            rows, "quarantine", name, F.col("_subject"), "_row_id", "_payload"
        )

    def _renew_sealed(
        self, rows: DataFrame, layer: str, name: str, subject: SparkColumn, place: str, column: str
    ) -> bool:
        """Texts sealed for one place each, opened, renewed and sealed again; one whose key is destroyed opens for nobody."""
        vault, changed = self._run.private.vault, []
        sealed = rows.where(F.col(place).isNotNull() & (F.length(column) > 0)).select(subject, place, column).collect()
        for whose, where, text in sealed:
            try:
                clear = vault.unseal(whose, where, text)
            except VaultError as error:
                if error.code != "C360-520":
                    raise
                continue
            if (anew := renew_tokens(self._layers, clear)) != clear:
                changed.append((whose, where, anew))
        if not changed:
            return False
        again = zip((where for _, where, _ in changed), vault.seal(changed), strict=True)
        known = F.broadcast(self._run.spark.createDataFrame(list(again), "_place string, _anew string"))
        anew = rows.join(known, F.col(place) == F.col("_place"), "left").withColumn(column, F.coalesce("_anew", column))
        self._run.lake.rewrite(anew.select(*rows.columns), layer, name, self._metadata)
        return True


def _renewing(layers: Layers) -> Callable[[str], SparkColumn]:
    """`renew_tokens` for a column. A worker is sent the two layers and no master key."""

    @F.pandas_udf("string")
    def renewed(texts: pd.Series) -> pd.Series:
        return texts.map(lambda text: renew_tokens(layers, text))

    return renewed


def _renew_store(run: Run, publication: Publication, layers: Layers, environment: Mapping[str, str]) -> int:
    """Every kept revision with new tokens, then the pointers. Returns how many files were written anew."""
    folder = publication.folder(run.settings.published)
    now = duckdb_store.current(folder)
    if now is None:
        return 0
    for left in (folder / "revisions").glob("*.part"):
        left.unlink()
    files = sorted((folder / "revisions").glob("*.duckdb"))
    bar = run.progress.add_task(f"revisions of {publication.name}", total=len(files))
    serving, written = PostgresStore.of(environment, publication), 0
    ciphertexts = run.private.staging / "ciphertexts.duckdb" if publication is WHOLE else None
    for file in files:
        written += _renew_file(file, layers)
        if serving:
            if ciphertexts:
                write_ciphertexts(run.private.vault, file, ciphertexts)
            serving.write_revision(file, int(file.stem), ciphertexts)
        run.progress.advance(bar)
    if serving:
        revisions = [int(file.stem) for file in files]
        served = serving.served()
        serving.point_at(served if served in revisions else now.revision, len(files))
    duckdb_store.point_at(folder, now.revision, len(files))
    return written


def _renew_file(file: Path, layers: Layers) -> bool:
    with duckdb.connect(str(file), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        old = {name: _old_columns(connection, name, _text_columns(connection, name), layers[0][0]) for name in names}
    if not any(old.values()):
        return False

    def selected(table: str) -> str:
        replaced = [f"renewed({column}) as {column}" for column in old[table]]
        if table == "mart_prospect":
            replaced.append(f"{prospect_id('renewed(mobile_phone_token)')} as prospect_id")
        return f"* replace ({', '.join(replaced)})" if replaced else "*"

    def renewed(texts: pa.ChunkedArray) -> pa.Array:
        return pa.array([renew_tokens(layers, text) for text in texts.to_pylist()], pa.string())

    duckdb_store.rewrite(file, selected, renewed)
    return True


def _text_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    return [name for name, kind, *_ in described if kind == "VARCHAR"]


def _old_columns(connection: duckdb.DuckDBPyConnection, relation: str, texts: list[str], before: str) -> list[str]:
    """Those of the text columns with a token of before, by their content: not every column with tokens is named for it."""
    if not texts:
        return []
    holds = ", ".join(f'coalesce(bool_or(contains("{name}", $before)), false)' for name in texts)
    found = connection.execute(f"select {holds} from {relation}", {"before": before}).fetchone()
    return [name for name, is_old in zip(texts, found, strict=True) if is_old]
