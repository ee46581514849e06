"""Keyed tokens, and the one place that can turn a token back into its value.

A token answers "is this the same number?" without the number. The vault keeps each value encrypted under the data key
of its source subject (one client number of one system); data keys are wrapped by the master key in a file of their own,
so destroying one key erases the subject in every backup of the ciphertext. Back up `keys.sqlite` apart from the rest
and for a shorter time: an old copy can undo an erasure. Nothing is logged and no message holds a value.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from spark_jobs.errors import ConfigurationError, InfrastructureError
from spark_jobs.files import open_sqlite

MASTER_VARIABLE = "C360_SECRET_MASTER_KEY"
TOKEN_VARIABLE = "C360_SECRET_TOKEN_KEY"
KEY_VARIABLES = (MASTER_VARIABLE, TOKEN_VARIABLE)
EMBEDDED_FILE = "embedded_keys.env"
PERSONAL_CLASSES = ("identity", "phone", "name")
KEY_VERSION = 1  # of a subject's data key; a renewal would count up
KEY_BYTES, NONCE_BYTES, TOKEN_DIGITS = 32, 12, 32
BUSY_SECONDS = 120
AT_ONCE = 50_000

VAULT_SCHEMA = """
create table if not exists vault (subject text, personal_class text, token text, key_version integer not null,
    nonce_and_ciphertext blob not null, primary key (subject, personal_class, token)) without rowid
"""
# wrapped_key is null once destroyed: the row stays, so that replaying an old file cannot bring the person back
KEYS_SCHEMA = """
create table if not exists subject_key (subject text primary key, wrapped_key blob, master_key_id text) without rowid;
create table if not exists current_master (only_row integer primary key check (only_row = 1), key_id text not null);
create table if not exists current_token_key (only_row integer primary key check (only_row = 1), key_id text not null, next_key_id text);
"""


class VaultError(InfrastructureError):
    """Codes C360-52x: 520 destroyed, 521 not in the vault, 522 another master key, 523 altered, 524 store failed, 525 another token key,
    526 a renewal of the tokens is under way."""


@dataclass(frozen=True)
class Keys:
    """The master key, the token key, and the token keys laid over it since, oldest first, of 32 bytes each; an id is the start of a hash, safe to print."""

    master_key: bytes = field(repr=False)
    token_key: bytes = field(repr=False)
    newer_token_keys: tuple[bytes, ...] = field(default=(), repr=False)

    @cached_property
    def master_key_id(self) -> str:
        return hashlib.sha256(self.master_key).hexdigest()[:8]

    @cached_property
    def token_keys(self) -> tuple[bytes, ...]:
        return (self.token_key, *self.newer_token_keys)

    @cached_property
    def token_layers(self) -> tuple[tuple[str, bytes], ...]:
        """(id, key) of every token key, oldest first. The id speaks of the key and of all below it."""
        below = hashlib.sha256()
        layers = []
        for key in self.token_keys:
            below.update(key)
            layers.append((below.hexdigest()[:8], key))
        return tuple(layers)

    @property
    def token_key_id(self) -> str:
        return self.token_layers[-1][0]

    def has_made(self, token: str) -> bool:
        """Whether a token is one of the newest token key."""
        return token.startswith(f"{self.token_key_id}:")


def load_keys(vault_root: Path, environment: Mapping[str, str]) -> Keys:
    """The keys from C360_SECRET_MASTER_KEY and C360_SECRET_TOKEN_KEY, base64 of 32 random bytes each; several token keys are separated by commas.

    Production must set both variables. With neither set, a key file for development, `embedded_keys.env`, is made once
    in the vault folder: it lies beside what it protects and protects against nobody who can read the folder.
    """
    given = {name: environment[name] for name in KEY_VARIABLES if environment.get(name)}
    if len(given) == 1:
        raise _bad_keys("one of the two key variables is set and the other is not")
    keys = given or _embedded_keys(vault_root)
    try:
        master_key = decoded_key(keys[MASTER_VARIABLE])
        token_key, *newer = (decoded_key(text) for text in keys[TOKEN_VARIABLE].split(","))
    except (KeyError, ValueError):
        raise _bad_keys("a key is missing, not base64 or not of 32 bytes") from None
    if len({master_key, token_key, *newer}) < 2 + len(newer):
        raise _bad_keys("two keys are the same")
    return Keys(master_key, token_key, tuple(newer))


def decoded_key(text: str) -> bytes:
    """A key as it is given: base64 of 32 bytes. Raises ValueError."""
    key = base64.b64decode(text.strip(), validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has another length")
    return key


def key_lines(keys: Keys) -> str:
    """The content of a key file for development."""
    given = {MASTER_VARIABLE: (keys.master_key,), TOKEN_VARIABLE: keys.token_keys}
    return "".join(
        f"{name}={','.join(base64.b64encode(key).decode() for key in several)}\n" for name, several in given.items()
    )


def read_key_lines(path: Path) -> dict[str, str]:
    """Variable → key, as `key_lines` wrote them."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def source_subject(system: str, client_number: str) -> str:
    """Whose data key a value is under: one client number of one system, the unit of erasure."""
    return f"{system}/{client_number.strip()}"


def token(keys: Keys, personal_class: str, kind: str, canonical: str) -> str:
    """`<token key id>:<32 hex digits>`, equal for equal (class, kind, canonical). kind is '' for phones and names.

    HMAC-SHA256 cut to 128 bits: among a billion values a chance collision has odds of one in 10^20, and 32 digits less
    in every row of every table count. Guessing is stopped by the key, not by the length. A newer token key makes its token of the one below.
    """
    made, content = "", _pack(personal_class, kind, canonical)
    for key_id, key in keys.token_layers:
        made = f"{key_id}:{hmac.digest(key, content, 'sha256').hex()[:TOKEN_DIGITS]}"
        content = made.encode("ascii")
    return made


def renew_tokens(layers: Sequence[tuple[str, bytes]], text: str | None) -> str | None:
    """A text in which every token of the token key before stands as that of the newest one; all else stays, newest tokens among it.

    layers: `Keys.token_layers`.
    """
    (before, _), (key_id, key) = layers[-2:]
    if text is None or before not in text:
        return text

    def renewed(found: re.Match[str]) -> str:
        return f"{key_id}:{hmac.digest(key, found[0].encode('ascii'), 'sha256').hex()[:TOKEN_DIGITS]}"

    return re.sub(rf"\b{before}:[0-9a-f]{{{TOKEN_DIGITS}}}\b", renewed, text)


def last_four_token(keys: Keys, personal_class: str, canonical: str) -> str | None:
    """Token of the last four characters (a phone's without its extension); null if there are fewer than four.

    Only 10,000 values exist, so it finds candidates and proves nothing: whoever holds the key can list them all.
    """
    number = canonical.partition("-")[0] if personal_class == "phone" else canonical
    return token(keys, f"{personal_class}_last_four", "", number[-4:].upper()) if len(number) >= 4 else None


class Vault:
    """Encrypted values in `vault.sqlite`, wrapped data keys in `keys.sqlite`; for several threads and processes."""

    def __init__(self, vault_root: Path, keys: Keys) -> None:
        self._keys, self._lock = keys, threading.RLock()
        _private_folder(vault_root)
        with _told():
            self._values = _open(vault_root / "vault.sqlite", VAULT_SCHEMA, "wal")
            # no write-ahead log here: it would keep the old page of a destroyed key
            self._subject_keys = _open(vault_root / "keys.sqlite", KEYS_SCHEMA, "delete")
            in_force, following = self._token_key_ids()
        if keys.token_key_id not in (in_force, following):
            self.close()
            raise VaultError(
                "C360-525", f"tokens are made with token key {in_force}, the token key given is {keys.token_key_id}", kept="everything",
                next_step=f"set {TOKEN_VARIABLE} to the keys in force, oldest first",
            )  # fmt: skip

    def close(self) -> None:
        self._values.close()
        self._subject_keys.close()

    def store(self, rows: Iterable[tuple[str, str, str, str]]) -> int:
        """Encrypt the (subject, personal_class, token, canonical) rows the vault lacks; how many were added.

        Keys are committed before ciphertext: a crash between the two leaves a key without values, which the next call
        fills, never a value without its key. Values of an erased subject are not taken again.
        """
        values = {(subject, personal_class, token): canonical for subject, personal_class, token, canonical in rows}
        with self._lock, _told():
            with _transaction(self._values, "deferred") as database:
                find = "select 1 from vault where subject = ? and personal_class = ? and token = ?"
                missing = [row for row in sorted(values) if database.execute(find, row).fetchone() is None]
            if not missing:
                return 0
            data_keys = self._data_keys(dict.fromkeys(row[0] for row in missing))
            sealed = (
                (*row, KEY_VERSION, _seal(data_keys[row[0]], _encode(values[row]), _pack(*row)))
                for row in missing
                if row[0] in data_keys
            )
            with _transaction(self._values) as database:
                return database.executemany("insert or ignore into vault values (?, ?, ?, ?, ?)", sealed).rowcount

    def reveal(self, subject: str, personal_class: str, token: str) -> str:
        """The canonical value behind a token; VaultError if its key was destroyed or it was never stored."""
        with self._lock, _told():
            find = "select nonce_and_ciphertext from vault where subject = ? and personal_class = ? and token = ?"
            value = self._values.execute(find, (subject, personal_class, token)).fetchone()
            data_key = self._known_key(subject, value is not None)
        return _open_text(data_key, value[0], _pack(subject, personal_class, token))

    def ciphertexts(self, personal_classes: Sequence[str]) -> Iterator[list[tuple[str, str, str, str]]]:
        """(subject, personal_class, token, ciphertext in base64) of every value of the classes, some at a time: to be kept elsewhere, without
        the keys."""
        marks = ", ".join("?" * len(personal_classes))
        find = (
            f"select subject, personal_class, token, nonce_and_ciphertext from vault where personal_class in ({marks})"
        )
        with self._lock, _told():
            cursor = self._values.execute(find, personal_classes)
            while rows := cursor.fetchmany(AT_ONCE):
                yield [(*row[:3], base64.b64encode(row[3]).decode("ascii")) for row in rows]

    def open_value(self, subject: str, personal_class: str, token: str, ciphertext: bytes) -> str:
        """The canonical value behind a ciphertext of `ciphertexts`; VaultError as `reveal`."""
        with self._lock, _told():
            data_key = self._known_key(subject)
        return _open_text(data_key, ciphertext, _pack(subject, personal_class, token))

    def seal(self, rows: Iterable[tuple[str, str, str]]) -> list[str | None]:
        """(subject, place, text) → text under the subject's data key in base64, to be kept elsewhere; None for an erased subject.

        place: what the text belongs to; it opens for nothing else.
        """
        wanted = list(rows)
        with self._lock, _told():
            data_keys = self._data_keys(dict.fromkeys(subject for subject, _, _ in wanted))
        return [
            base64.b64encode(_seal(data_keys[subject], _encode(text), _pack("sealed", subject, place))).decode("ascii")
            if subject in data_keys
            else None
            for subject, place, text in wanted
        ]

    def unseal(self, subject: str, place: str, sealed: str) -> str:
        """The text behind `seal`; VaultError as `reveal`."""
        with self._lock, _told():
            data_key = self._known_key(subject)
        return _open_text(data_key, base64.b64decode(sealed), _pack("sealed", subject, place))

    def _known_key(self, subject: str, has_value: bool = True) -> AESGCM:
        """The data key of a subject; VaultError C360-520 when it was destroyed, C360-521 without one or without a value."""
        find = "select wrapped_key, master_key_id from subject_key where subject = ?"
        key = self._subject_keys.execute(find, (subject,)).fetchone()
        if key and key[0] is None:
            raise VaultError("C360-520", "the subject was erased: its key is destroyed", kept="the token")
        if not key or not has_value:
            raise VaultError("C360-521", "the vault holds no such value", next_step="load the day the token came from")
        return AESGCM(self._unwrapped(subject, *key))

    def destroy(self, subjects: Iterable[str]) -> int:
        """Erase: destroy the subjects' keys for good; how many keys there were. Later values are refused."""
        rows = [(subject,) for subject in dict.fromkeys(subjects)]
        with self._lock, _told(), _transaction(self._subject_keys) as database:
            erase = "update subject_key set wrapped_key = null where subject = ? and wrapped_key is not null"
            destroyed = database.executemany(erase, rows).rowcount if rows else 0
            database.executemany("insert or ignore into subject_key values (?, null, null)", rows)
        return destroyed

    def rotate_master(self, new_keys: Keys) -> int:
        """Rewrap every data key under new_keys.master_key; how many. All in one transaction: an interrupted rotation
        leaves the old master key in force, and calling it again, even after it was done, is safe."""
        with self._lock, _told(), _transaction(self._subject_keys) as database:
            if (database.execute("select key_id from current_master").fetchone() or ("",))[0] != new_keys.master_key_id:
                self._claim_master(database)
            old = database.execute(
                "select subject, wrapped_key, master_key_id from subject_key"
                " where wrapped_key is not null and master_key_id <> ?",
                (new_keys.master_key_id,),
            ).fetchall()
            rewrapped = (
                (_wrap(new_keys, subject, self._unwrapped(subject, *key)), new_keys.master_key_id, subject)
                for subject, *key in old
            )
            change = "update subject_key set wrapped_key = ?, master_key_id = ? where subject = ?"
            database.executemany(change, rewrapped)
            database.execute("insert or replace into current_master values (1, ?)", (new_keys.master_key_id,))
        self._keys = new_keys
        return len(old)

    def _token_key_ids(self) -> tuple[str, str | None]:
        """The id of the token key in force, the one given where none has been, and of the one that is to follow while tokens are renewed."""
        find = "select key_id, next_key_id from current_token_key"
        if found := self._subject_keys.execute(find).fetchone():
            return found
        with _transaction(self._subject_keys) as database:
            database.execute("insert or ignore into current_token_key values (1, ?, null)", (self._keys.token_key_id,))
            return database.execute(find).fetchone()

    @property
    def next_token_key_id(self) -> str | None:
        """While tokens are renewed, the key they shall have."""
        with self._lock, _told():
            return self._token_key_ids()[1]

    def check_no_renewal(self) -> None:
        """Raises VaultError C360-526 while tokens of two keys are about."""
        if following := self.next_token_key_id:
            raise VaultError(
                "C360-526", f"tokens are being renewed with token key {following}", kept="everything", next_step="c360 rotate-keys --tokens"
            )  # fmt: skip

    def begin_renewal(self, key_id: str) -> None:
        """From now on until `end_renewal` tokens of both keys are about. Raises VaultError C360-526 when another renewal is under way."""
        with self._lock, _told(), _transaction(self._subject_keys) as database:
            following = database.execute("select next_key_id from current_token_key").fetchone()[0]
            if following not in (None, key_id):
                raise VaultError(
                    "C360-526", f"tokens are being renewed with token key {following}, the next key given is {key_id}",
                    kept="everything", next_step="finish it with the keys it was begun with",
                )  # fmt: skip
            database.execute("update current_token_key set next_key_id = ?", (key_id,))

    def renew_values(self, keys: Keys) -> Iterator[int]:
        """Keep every value under its token of the newest key too; how many at a time. Those whose key is destroyed are left out.

        keys: with the next token key. It may be stopped at any moment and called again.
        """
        find = "select * from vault where (subject, personal_class, token) > (?, ?, ?) order by subject, personal_class, token limit ?"
        last = ("", "", "")
        while True:
            with self._lock, _told():
                rows = self._values.execute(find, (*last, AT_ONCE)).fetchall()
                if not rows:
                    return
                last = rows[-1][:3]
                renewed = {row: (*row[:2], renew_tokens(keys.token_layers, row[2])) for row in rows}
                old = [row for row, place in renewed.items() if place != row[:3]]
                data_keys = self._data_keys(dict.fromkeys(row[0] for row in old))
                sealed = (
                    (*renewed[row], row[3], _seal(data_keys[row[0]], _open_sealed(data_keys[row[0]], row[4], _pack(*row[:3])), _pack(*renewed[row])))
                    for row in old
                    if row[0] in data_keys
                )  # fmt: skip
                with _transaction(self._values) as database:
                    database.executemany("insert or ignore into vault values (?, ?, ?, ?, ?)", sealed)
            yield len(rows)

    def end_renewal(self) -> None:
        """The next token key is in force, and values under tokens of another are forgotten; safe to call again."""
        with self._lock, _told():
            in_force, following = self._token_key_ids()
            newest = following or in_force
            with _transaction(self._values) as database:
                database.execute("delete from vault where substr(token, 1, 8) <> ?", (newest,))
            # What was deleted may still stand where its page was put in order since.
            self._values.execute("vacuum")
            self._values.execute("pragma wal_checkpoint(truncate)")
            with _transaction(self._subject_keys) as database:
                database.execute("update current_token_key set key_id = ?, next_key_id = null", (newest,))

    def _claim_master(self, database: sqlite3.Connection) -> None:
        """Refuse to wrap under a master key that a rotation, maybe in another process, has retired."""
        database.execute("insert or ignore into current_master values (1, ?)", (self._keys.master_key_id,))
        (in_force,) = database.execute("select key_id from current_master").fetchone()
        if in_force != self._keys.master_key_id:
            raise _other_master(in_force, self._keys.master_key_id)

    def _data_keys(self, subjects: Iterable[str]) -> dict[str, AESGCM]:
        """Every subject's data key, made where there is none; an erased subject is left out."""
        found: dict[str, AESGCM] = {}
        with _transaction(self._subject_keys) as database:
            self._claim_master(database)
            made = []
            for subject in subjects:
                find = "select wrapped_key, master_key_id from subject_key where subject = ?"
                row = database.execute(find, (subject,)).fetchone()
                if row is None:
                    data_key = os.urandom(KEY_BYTES)
                    made.append((subject, _wrap(self._keys, subject, data_key), self._keys.master_key_id))
                elif row[0] is None:
                    continue
                else:
                    data_key = self._unwrapped(subject, *row)
                found[subject] = AESGCM(data_key)
            database.executemany("insert into subject_key values (?, ?, ?)", made)
        return found

    def _unwrapped(self, subject: str, wrapped_key: bytes, master_key_id: str) -> bytes:
        if master_key_id != self._keys.master_key_id:
            raise _other_master(master_key_id, self._keys.master_key_id)
        return _open_sealed(AESGCM(self._keys.master_key), wrapped_key, _pack("data key", subject))


def _embedded_keys(vault_root: Path) -> dict[str, str]:
    path = vault_root / EMBEDDED_FILE
    if not path.exists():
        if (vault_root / "keys.sqlite").exists():
            raise _bad_keys("the vault is in use but its keys are not given")
        _private_folder(vault_root)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(key_lines(Keys(os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its keys count
            os.link(draft, path)
        draft.unlink()
    return read_key_lines(path)


def _bad_keys(what: str) -> ConfigurationError:
    wanted = f"set {MASTER_VARIABLE} and {TOKEN_VARIABLE}, base64 of 32 random bytes each"
    return ConfigurationError("C360-171", what, where="the environment or the vault folder", next_step=wanted)


def _other_master(in_force: str, given: str) -> VaultError:
    what = f"the vault is under master key {in_force}, the master key given is {given}"
    return VaultError("C360-522", what, kept="everything", next_step=f"set {MASTER_VARIABLE} to the key in force")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _pack(*parts: str) -> bytes:
    """Parts with their lengths, so that no two different lists look alike."""
    return _encode("".join([f"{len(part)}:{part}" for part in parts]))


def _seal(key: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, bound_to)


def _open_sealed(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise VaultError("C360-523", "a vault entry was altered or moved", next_step="restore the vault") from None


def _open_text(key: AESGCM, sealed: bytes, bound_to: bytes) -> str:
    return _open_sealed(key, sealed, bound_to).decode("utf-8", "surrogatepass")


def _wrap(keys: Keys, subject: str, data_key: bytes) -> bytes:
    return _seal(AESGCM(keys.master_key), data_key, _pack("data key", subject))


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def _open(path: Path, schema: str, journal: str) -> sqlite3.Connection:
    return open_sqlite(path, journal, BUSY_SECONDS, schema, secure_delete="on", synchronous="full", temp_store="memory")


@contextmanager
def _transaction(database: sqlite3.Connection, kind: str = "immediate") -> Iterator[sqlite3.Connection]:
    database.execute(f"begin {kind}")
    try:
        yield database
        database.execute("commit")
    except BaseException:
        if database.in_transaction:  # SQLite may have rolled back already, on a full disk for one
            database.execute("rollback")
        raise


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        what = f"the vault could not be read or written: {error}"
        raise VaultError("C360-524", what, kept="what was committed before", next_step="run it again") from error
