"""`c360 rotate-keys`: every data key is wrapped by a new master key; values and tokens stay as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from spark_jobs.errors import ConfigurationError
from spark_jobs.files import replace_file
from spark_jobs.ingest.vault import (
    EMBEDDED_FILE,
    KEY_BYTES,
    KEY_VARIABLES,
    MASTER_VARIABLE,
    Keys,
    Vault,
    decoded_key,
    key_lines,
    load_keys,
    read_key_lines,
)

NEXT_VARIABLE = "C360_SECRET_NEXT_MASTER_KEY"
EARLIER_VARIABLE = "C360_SECRET_EARLIER_MASTER_KEYS"
NEXT_FILE = "embedded_keys.next.env"


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
        os.replace(vault_root / NEXT_FILE, vault_root / EMBEDDED_FILE)
    return Rotated(keys.master_key_id, next_keys.master_key_id, rewrapped)


def earlier_keys(environment: Mapping[str, str], keys: Keys) -> list[Keys]:
    """Master keys that were in force before, in base64 and separated by commas: what they wrote in the log is checked with them."""
    texts = [text for text in environment.get(EARLIER_VARIABLE, "").split(",") if text.strip()]
    try:
        return [replace(keys, master_key=decoded_key(text)) for text in texts]
    except ValueError:
        raise ConfigurationError(
            "C360-197", "an earlier master key is not 32 bytes in base64", where=EARLIER_VARIABLE, next_step="separate the keys by commas"
        ) from None  # fmt: skip


def _next_given(environment: Mapping[str, str], keys: Keys) -> Keys:
    try:
        master = decoded_key(environment.get(NEXT_VARIABLE, ""))
    except ValueError:
        master = keys.master_key
    if master in (keys.master_key, *keys.token_keys):
        raise ConfigurationError(
            "C360-197", "the next master key is missing, is not 32 bytes in base64, or is one of the keys in force",
            where=NEXT_VARIABLE, kept="the keys in force", next_step=f"set {NEXT_VARIABLE} beside {MASTER_VARIABLE}",
        )  # fmt: skip
    return replace(keys, master_key=master)


def _next_embedded(vault_root: Path, keys: Keys) -> Keys:
    """Of a rotation that was stopped, those it had begun with."""
    path = vault_root / NEXT_FILE
    if not path.exists():
        replace_file(path, key_lines(replace(keys, master_key=os.urandom(KEY_BYTES))).encode(), mode=0o600)
    return replace(keys, master_key=decoded_key(read_key_lines(path)[MASTER_VARIABLE]))
