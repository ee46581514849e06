"""A new master key: from the environment and in the file for trying things out, stopped half-way, and the log it leaves behind."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.vault import MASTER_VARIABLE, TOKEN_VARIABLE, Vault, load_keys
from spark_jobs.jobs import renew_tokens
from spark_jobs.jobs import rotate_keys as job
from spark_jobs.jobs.rotate_keys import EARLIER_VARIABLE, NEXT_FILE, NEXT_VARIABLE, earlier_keys, rotate_keys

ROW = ("NOR/1", "phone", "k:1", "13900000001")


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def store(root: Path, environment: dict[str, str]) -> None:
    vault = Vault(root, load_keys(root, environment))
    vault.store([ROW])
    vault.close()


def revealed(root: Path, environment: dict[str, str]) -> str:
    vault = Vault(root, load_keys(root, environment))
    try:
        return vault.reveal(*ROW[:3])
    finally:
        vault.close()


def test_the_next_key_of_the_environment_takes_over(root):
    old, new = os.urandom(32), os.urandom(32)
    before = {MASTER_VARIABLE: text(old), TOKEN_VARIABLE: text(os.urandom(32))}
    store(root, before)
    found = rotate_keys(root, before | {NEXT_VARIABLE: text(new)})
    assert found.rewrapped == 1 and found.before != found.now
    after = before | {MASTER_VARIABLE: text(new)}
    assert revealed(root, after) == ROW[3]
    with pytest.raises(Exception, match="C360-522"):
        revealed(root, before)
    assert rotate_keys(root, before | {NEXT_VARIABLE: text(new)}).rewrapped == 0, "again, and nothing is left to do"


@pytest.mark.parametrize("given", ["", "not base64!", text(b"short"), "the master key"])
def test_without_a_good_next_key_nothing_is_touched(root, given):
    master = os.urandom(32)
    environment = {MASTER_VARIABLE: text(master), TOKEN_VARIABLE: text(os.urandom(32))}
    store(root, environment)
    next_key = text(master) if given == "the master key" else given
    with pytest.raises(ConfigurationError, match="C360-197") as error:
        rotate_keys(root, environment | {NEXT_VARIABLE: next_key})
    assert not next_key or next_key not in str(error.value)
    assert revealed(root, environment) == ROW[3]


def test_keys_in_the_file_are_rotated_there_and_tokens_stay(root):
    store(root, {})
    before = load_keys(root, {})
    found = rotate_keys(root, {})
    after = load_keys(root, {})
    assert (found.before, found.now) == (before.master_key_id, after.master_key_id)
    assert before.token_key == after.token_key
    assert revealed(root, {}) == ROW[3]
    assert not (root / NEXT_FILE).exists()


@pytest.mark.parametrize("stopped_in", ["rotate_master", "replace"])
def test_a_rotation_that_was_stopped_is_finished_by_the_next(root, monkeypatch, stopped_in):
    store(root, {})

    def stop(*_):
        raise KeyboardInterrupt

    target = (Vault, "rotate_master") if stopped_in == "rotate_master" else (job.os, "replace")
    if stopped_in == "replace":
        # What makes the next keys durable may go through; what puts them in place may not.
        monkeypatch.setattr(job, "replace_file", lambda path, content, mode: path.write_bytes(content))
    monkeypatch.setattr(*target, stop)
    with pytest.raises(KeyboardInterrupt):
        rotate_keys(root, {})
    monkeypatch.undo()
    assert (root / NEXT_FILE).exists()
    rotate_keys(root, {})
    assert revealed(root, {}) == ROW[3]


def test_earlier_keys_are_read_and_checked(root):
    keys = load_keys(root, {})
    one, other = os.urandom(32), os.urandom(32)
    found = earlier_keys({EARLIER_VARIABLE: f"{text(one)}, {text(other)}"}, keys)
    assert [key.master_key for key in found] == [one, other]
    assert earlier_keys({}, keys) == []
    with pytest.raises(ConfigurationError, match="C360-197"):
        earlier_keys({EARLIER_VARIABLE: text(b"short")}, keys)


def test_the_next_token_key_comes_from_the_environment_and_stands_behind_the_others(root):
    environment = {MASTER_VARIABLE: text(os.urandom(32)), TOKEN_VARIABLE: text(os.urandom(32))}
    keys, following = load_keys(root, environment), os.urandom(32)
    given = environment | {renew_tokens.NEXT_VARIABLE: text(following)}
    assert renew_tokens.next_keys(root, given, None).token_keys == (*keys.token_keys, following)
    done = environment | {TOKEN_VARIABLE: f"{text(keys.token_key)},{text(following)}"}
    under_way = renew_tokens.next_keys(root, given, None).token_key_id
    assert renew_tokens.next_keys(root, done, under_way) == load_keys(root, done), "the keys were put in force already"
    for wrong in ("", "not base64!", text(b"short"), text(keys.token_key), text(keys.master_key)):
        with pytest.raises(ConfigurationError, match="C360-197") as error:
            renew_tokens.next_keys(root, environment | {renew_tokens.NEXT_VARIABLE: wrong}, None)
        assert not wrong or wrong not in str(error.value)


def test_the_next_token_key_for_trying_things_out_is_made_once_and_private(root):
    keys = load_keys(root, {})
    found = renew_tokens.next_keys(root, {}, None)
    assert found.token_keys[:-1] == keys.token_keys and found.master_key == keys.master_key
    assert renew_tokens.next_keys(root, {}, found.token_key_id) == found
    assert (root / renew_tokens.NEXT_FILE).stat().st_mode & 0o777 == 0o600


def test_a_master_key_rotated_while_tokens_are_renewed_stays_in_force(root):
    store(root, {})
    following = renew_tokens.next_keys(root, {}, None)
    rotate_keys(root, {})
    master = load_keys(root, {}).master_key
    found = renew_tokens.next_keys(root, {}, following.token_key_id)
    assert (found.master_key, found.token_keys) == (master, following.token_keys)
    job.put_in_force(root, {}, found, job.TOKEN)
    assert load_keys(root, {}) == found and not (root / renew_tokens.NEXT_FILE).exists()


def test_a_token_key_put_in_force_while_a_master_rotation_was_stopped_stays_in_force(root):
    keys = load_keys(root, {})
    begun = job.keys_with_next(root, {}, keys, job.MASTER)
    tokens = renew_tokens.next_keys(root, {}, None)
    job.put_in_force(root, {}, tokens, job.TOKEN)
    store(root, {})
    rotate_keys(root, {})
    after = load_keys(root, {})
    assert (after.master_key, after.token_keys) == (begun.master_key, tokens.token_keys)
    assert revealed(root, {}) == ROW[3]
