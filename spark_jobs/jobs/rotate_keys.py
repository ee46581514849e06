"""`c360 rotate-keys`: every data key is wrapped by a new master key; values and tokens stay as they are. And where a next key of either kind is found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from spark_jobs.errors import ConfigurationError
from spark_jobs.files import replace_file
from spark_jobs.ingest.vault import (
    EMBEDDED_FILE,
    KEY_BYTES,
    KEY_VARIABLES,
    MASTER_VARIABLE,
    TOKEN_VARIABLE,
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
class Rotation:
    """Which key is rotated: its variable, that of the next one, the file of the next one for trying things out, and the keys with a next one among them."""

    name: str
    variable: str
    next_variable: str
    next_file: str
    with_next: Callable[[Keys, bytes], Keys]


MASTER = Rotation("master", MASTER_VARIABLE, NEXT_VARIABLE, NEXT_FILE, lambda keys, key: replace(keys, master_key=key))
TOKEN = Rotation(
    "token", TOKEN_VARIABLE, "C360_SECRET_NEXT_TOKEN_KEY", "embedded_keys.next_token.env",
    lambda keys, key: replace(keys, newer_token_keys=(*keys.newer_token_keys, key)),
)  # fmt: skip


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
    following = keys_with_next(vault_root, environment, keys, MASTER)
    vault = Vault(vault_root, keys)
    try:
        rewrapped = vault.rotate_master(following)
    finally:
        vault.close()
    put_in_force(vault_root, environment, following, MASTER)
    return Rotated(keys.master_key_id, following.master_key_id, rewrapped)


def earlier_keys(environment: Mapping[str, str], keys: Keys) -> list[Keys]:
    """Master keys that were in force before, in base64 and separated by commas: what they wrote in the log is checked with them."""
    texts = [text for text in environment.get(EARLIER_VARIABLE, "").split(",") if text.strip()]
    try:
        return [replace(keys, master_key=decoded_key(text)) for text in texts]
    except ValueError:
        raise ConfigurationError(
            "C360-197", "an earlier master key is not 32 bytes in base64", where=EARLIER_VARIABLE, next_step="separate the keys by commas"
        ) from None  # fmt: skip


def keys_with_next(vault_root: Path, environment: Mapping[str, str], keys: Keys, rotation: Rotation) -> Keys:
    """`keys` with the next one: from the environment, else from its file, where the one is that a stopped rotation had begun with.

    Raises ConfigurationError C360-197 where the environment has the keys and no good next one.
    """
    if not _are_given(environment):
        path = vault_root / rotation.next_file
        if not path.exists():
            replace_file(path, _file_of(rotation.with_next(keys, os.urandom(KEY_BYTES))), mode=0o600)
        # Of the file only its own key counts: the others may have been rotated since.
        return rotation.with_next(keys, decoded_key(read_key_lines(path)[rotation.variable].rpartition(",")[2]))
    try:
        key = decoded_key(environment.get(rotation.next_variable, ""))
    except ValueError:
        key = keys.master_key
    if key in (keys.master_key, *keys.token_keys):
        raise ConfigurationError(
            "C360-197", f"the next {rotation.name} key is missing, is not 32 bytes in base64, or is one of the keys in force",
            where=rotation.next_variable, kept="the keys in force", next_step=f"set {rotation.next_variable} beside {rotation.variable}",
        )  # fmt: skip
    return rotation.with_next(keys, key)


def put_in_force(vault_root: Path, environment: Mapping[str, str], keys: Keys, rotation: Rotation) -> None:
    """Let the keys for trying things out be those with the next one, in one step; where the environment has them, a person does it."""
    path = vault_root / rotation.next_file
    if not _are_given(environment) and path.exists():
        replace_file(path, _file_of(keys), mode=0o600)
        os.replace(path, vault_root / EMBEDDED_FILE)


def _are_given(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in KEY_VARIABLES)


def _file_of(keys: Keys) -> bytes:
    return key_lines(keys).encode()
