"""`c360 rotate-keys`: every data key is wrapped by a new master key; values and tokens stay as they are."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spark_jobs.errors import ConfigurationError
from spark_jobs.files import replace_file
from spark_jobs.ingest.vault import KEY_BYTES, KEY_VARIABLES, MASTER_VARIABLE, TOKEN_VARIABLE, Keys, Vault, load_keys

NEXT_VARIABLE = "C360_SECRET_NEXT_MASTER_KEY"
EARLIER_VARIABLE = "C360_SECRET_EARLIER_MASTER_KEYS"
EMBEDDED, NEXT_FILE = "embedded_keys.env", "embedded_keys.next.env"


@dataclass(frozen=True)
class Rotated:
    """Ids of the master key before and now, and how many data keys were wrapped anew."""

    before: str
    now: str
    rewrapped: int


def rotate_keys(vault_root: Path, environment: Mapping[str, str]) -> Rotated:
    """Put the next master key in force. It may be stopped at any moment and run again, with the same two keys.

    In production both come from the environment, and the next one takes the place of the other there afterwards. The keys for development
    are rotated in their file: the next ones are on the disk before anything is wrapped by them. Raises ConfigurationError C360-197 without a next key.
    """
    keys = load_keys(vault_root, environment)
    is_embedded = not any(environment.get(name) for name in KEY_VARIABLES)
    next_keys = _next_embedded(vault_root, keys) if is_embedded else _next_given(environment, keys)
    vault = Vault(vault_root, keys)
    try:
        rewrapped = vault.rotate_master(next_keys)
    finally:
        vault.close()
    if is_embedded:
        os.replace(vault_root / NEXT_FILE, vault_root / EMBEDDED)
    return Rotated(keys.master_key_id, next_keys.master_key_id, rewrapped)


def earlier_keys(environment: Mapping[str, str], keys: Keys) -> list[Keys]:
    """Master keys that were in force before, in base64 and separated by commas: what they wrote in the log is checked with them."""
    texts = [text for text in environment.get(EARLIER_VARIABLE, "").split(",") if text.strip()]
    try:
        masters = [base64.b64decode(text.strip(), validate=True) for text in texts]
    except ValueError:
        masters = [b""]
    if any(len(master) != KEY_BYTES for master in masters):
        raise ConfigurationError(
            "C360-197", "an earlier master key is not 32 bytes in base64", where=EARLIER_VARIABLE, next_step="separate the keys by commas"
        )  # fmt: skip
    return [Keys(master, keys.token_key) for master in masters]


def _next_given(environment: Mapping[str, str], keys: Keys) -> Keys:
    try:
        master = base64.b64decode(environment.get(NEXT_VARIABLE, "").strip(), validate=True)
    except ValueError:
        master = b""
    if len(master) != KEY_BYTES or master in (keys.master_key, keys.token_key):
        raise ConfigurationError(
            "C360-197", "the next master key is missing, is not 32 bytes in base64, or is one of the keys in force",
            where=NEXT_VARIABLE, kept="the keys in force", next_step=f"set {NEXT_VARIABLE} beside {MASTER_VARIABLE}",
        )  # fmt: skip
    return Keys(master, keys.token_key)


def _next_embedded(vault_root: Path, keys: Keys) -> Keys:
    """Of a rotation that was stopped, those it had begun with."""
    path = vault_root / NEXT_FILE
    if not path.exists():
        pair = {MASTER_VARIABLE: os.urandom(KEY_BYTES), TOKEN_VARIABLE: keys.token_key}
        text = "".join(f"{name}={base64.b64encode(key).decode()}\n" for name, key in pair.items())
        replace_file(path, text.encode(), mode=0o600)
    text = dict(line.split("=", 1) for line in path.read_text().splitlines())
    return Keys(base64.b64decode(text[MASTER_VARIABLE]), keys.token_key)
