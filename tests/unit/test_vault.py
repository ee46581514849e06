"""Tokens, encryption, erasure and rotation. Every value is invented."""

import base64
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest import vault as vault_module
from spark_jobs.ingest.vault import (
    MASTER_VARIABLE,
    TOKEN_VARIABLE,
    Keys,
    Vault,
    VaultError,
    last_four_token,
    load_keys,
    renew_tokens,
    source_subject,
    token,
)

KEYS = Keys(master_key=b"m" * 32, token_key=b"t" * 32)
NEW_KEYS = Keys(master_key=b"n" * 32, token_key=b"t" * 32)
NEWER = Keys(b"m" * 32, b"t" * 32, (b"u" * 32,))
CANARY = "CANARY-13800000001-王小明"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(root: Path):
    opened = Vault(root, KEYS)
    yield opened
    opened.close()


def row(client: int, value: str) -> tuple[str, str, str, str]:
    return source_subject("counter", str(client)), "name", token(KEYS, "name", "", value), value


def rows(count: int) -> list[tuple[str, str, str, str]]:
    return [row(client, f"name {client}") for client in range(count)]


def test_token_names_its_key_and_hides_its_value():
    made = token(KEYS, "phone", "", "13800000001")
    key_id, digits = made.split(":")
    assert key_id == KEYS.token_key_id
    assert len(digits) == 32
    assert "13800000001" not in made


def test_same_number_under_two_kinds_or_classes_gives_two_tokens():
    made = {
        token(KEYS, "identity", "passport", "110101"),
        token(KEYS, "identity", "resident_id", "110101"),
        token(KEYS, "phone", "", "110101"),
        token(KEYS, "identity", "", "passport110101"),
        token(Keys(b"m" * 32, b"u" * 32), "identity", "passport", "110101"),
    }
    assert len(made) == 5


def test_last_four_token_ignores_the_rest_and_the_extension():
    assert last_four_token(KEYS, "phone", "13800000001") == last_four_token(KEYS, "phone", "0001")
    assert last_four_token(KEYS, "phone", "01055500001-801") == last_four_token(KEYS, "phone", "0001")
    assert last_four_token(KEYS, "identity", "11010119900307123X") == last_four_token(KEYS, "identity", "123x")
    assert last_four_token(KEYS, "identity", "0001") != last_four_token(KEYS, "phone", "0001")
    assert last_four_token(KEYS, "phone", "001") is None


def test_stored_value_is_revealed_and_stored_once(vault):
    assert vault.store([row(1, CANARY), row(1, CANARY), row(2, CANARY)]) == 2
    assert vault.store([row(1, CANARY), row(2, CANARY)]) == 0
    assert vault.reveal(*row(1, CANARY)[:3]) == CANARY


def test_reopened_vault_reveals_what_was_stored(vault, root):
    vault.store([row(1, CANARY)])
    vault.close()
    reopened = Vault(root, KEYS)
    assert reopened.reveal(*row(1, CANARY)[:3]) == CANARY
    reopened.close()


def test_ciphertext_kept_elsewhere_opens_for_its_own_value_alone(vault):
    vault.store([row(1, CANARY), row(2, CANARY)])
    found = {line[:3]: base64.b64decode(line[3]) for batch in vault.ciphertexts([row(1, CANARY)[1]]) for line in batch}
    assert set(found) == {row(1, CANARY)[:3], row(2, CANARY)[:3]}
    first, second = row(1, CANARY)[:3], row(2, CANARY)[:3]
    assert CANARY.encode() not in b"".join(found.values())
    assert vault.open_value(*first, found[first]) == CANARY
    with pytest.raises(VaultError, match="C360-523"):
        vault.open_value(*first, found[second])
    vault.destroy([first[0]])
    with pytest.raises(VaultError, match="C360-520"):
        vault.open_value(*first, found[first])
    assert list(vault.ciphertexts(["none of these"])) == []


def test_unknown_value_has_its_own_error(vault):
    with pytest.raises(VaultError) as error:
        vault.reveal(*row(1, CANARY)[:3])
    assert error.value.code == "C360-521"


def test_erased_subject_is_unreadable_while_another_with_the_same_value_is_not(vault):
    vault.store([row(1, CANARY), row(2, CANARY)])
    assert vault.destroy(["counter/1", "counter/never seen"]) == 1
    with pytest.raises(VaultError) as error:
        vault.reveal(*row(1, CANARY)[:3])
    assert error.value.code == "C360-520"
    assert CANARY not in str(error.value)
    assert vault.reveal(*row(2, CANARY)[:3]) == CANARY


def test_replayed_file_does_not_bring_an_erased_subject_back(vault):
    vault.store([row(1, CANARY)])
    vault.destroy(["counter/1"])
    assert vault.store([row(1, CANARY), row(1, "new name")]) == 0
    with pytest.raises(VaultError, match="C360-520"):
        vault.reveal(*row(1, "new name")[:3])


def test_destroyed_key_leaves_no_bytes_behind(vault, root):
    vault.store(rows(300))
    wrapped = [key for (key,) in vault._subject_keys.execute("select wrapped_key from subject_key")]
    vault.destroy([subject for subject, *_ in rows(300)])
    raw = b"".join(path.read_bytes() for path in root.iterdir())
    assert not [key for key in wrapped if key[:20] in raw or key[-20:] in raw]


def test_no_clear_value_lies_in_any_file(vault, root):
    vault.store([row(client, f"{CANARY}{client}") for client in range(200)])
    for _ in ("open", "closed"):
        raw = b"".join(path.read_bytes() for path in root.iterdir())
        for encoding in ("utf-8", "utf-16-le", "gb18030"):
            assert "13800000001".encode(encoding) not in raw
            assert "王小明".encode(encoding) not in raw
        vault.close()


def test_folder_and_files_are_for_their_owner_only(vault, root):
    vault.store([row(1, CANARY)])
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {path.name for path in root.iterdir()} >= {"vault.sqlite", "keys.sqlite"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}


def test_value_moved_to_another_row_is_refused(vault):
    vault.store([row(1, "a"), row(1, "b")])
    blob = "select nonce_and_ciphertext from vault where token = ?"
    (other,) = vault._values.execute(blob, (row(1, "b")[2],)).fetchone()
    vault._values.execute("update vault set nonce_and_ciphertext = ? where token = ?", (other, row(1, "a")[2]))
    with pytest.raises(VaultError, match="C360-523"):
        vault.reveal(*row(1, "a")[:3])


CRASH = """
import os, sys
from pathlib import Path
from spark_jobs.ingest import vault as module
keys = module.Keys(b"m" * 32, b"t" * 32)
vault = module.Vault(Path(sys.argv[1]), keys)
made = vault._data_keys
def keys_then_crash(subjects):
    made(subjects)
    os._exit(9)
vault._data_keys = keys_then_crash
vault.store([("counter/1", "name", "token", "value")])
"""


def test_crash_between_keys_and_values_is_repaired_by_the_next_call(root):
    assert subprocess.run([sys.executable, "-c", CRASH, str(root)], check=False).returncode == 9
    vault = Vault(root, KEYS)
    assert vault._subject_keys.execute("select count(*) from subject_key").fetchone() == (1,)
    with pytest.raises(VaultError, match="C360-521"):
        vault.reveal("counter/1", "name", "token")
    assert vault.store([("counter/1", "name", "token", "value")]) == 1
    assert vault.reveal("counter/1", "name", "token") == "value"
    vault.close()


TOGETHER = """
import multiprocessing, sys, time
from pathlib import Path
from spark_jobs.ingest.vault import Keys, Vault
keys, processes = Keys(b"m" * 32, b"t" * 32), multiprocessing.get_context("fork")
def open_at(moment, root):
    while time.monotonic() < moment:
        pass
    Vault(root, keys).close()
for number in range(40):
    moment, root = time.monotonic() + 0.03, Path(sys.argv[1]) / str(number)
    opening = [processes.Process(target=open_at, args=(moment, root)) for _ in range(4)]
    [one.start() for one in opening]
    [one.join() for one in opening]
    if any(one.exitcode for one in opening):
        sys.exit(f"folder {number}: one of them could not open it")
"""


def test_processes_that_start_together_make_one_vault(root):
    """The serving processes of a machine that has no vault yet."""
    root.mkdir()
    done = subprocess.run([sys.executable, "-c", TOGETHER, str(root)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_failure_while_writing_values_leaves_no_half_batch(vault, monkeypatch):
    sealed = []

    def break_later(*arguments):
        sealed.append(1)
        if len(sealed) > 15:  # ten keys, then half of the ten values
            raise KeyboardInterrupt
        return original(*arguments)

    original = vault_module._seal
    monkeypatch.setattr(vault_module, "_seal", break_later)
    with pytest.raises(KeyboardInterrupt):
        vault.store(rows(10))
    monkeypatch.undo()
    assert vault.store(rows(10)) == 10
    assert [vault.reveal(*each[:3]) for each in rows(10)] == [each[3] for each in rows(10)]


def test_interrupted_rotation_keeps_the_old_key_in_force_and_can_be_resumed(vault, root, monkeypatch):
    vault.store(rows(10))
    wrapped = []

    def break_halfway(*arguments):
        wrapped.append(1)
        if len(wrapped) > 5:
            raise KeyboardInterrupt
        return original(*arguments)

    original = vault_module._wrap
    monkeypatch.setattr(vault_module, "_wrap", break_halfway)
    with pytest.raises(KeyboardInterrupt):
        vault.rotate_master(NEW_KEYS)
    monkeypatch.undo()
    assert [vault.reveal(*each[:3]) for each in rows(10)] == [each[3] for each in rows(10)]
    assert vault.rotate_master(NEW_KEYS) == 10
    assert vault.rotate_master(NEW_KEYS) == 0
    reopened = Vault(root, NEW_KEYS)
    assert [reopened.reveal(*each[:3]) for each in rows(10)] == [each[3] for each in rows(10)]
    reopened.close()


def test_retired_master_key_reads_and_writes_nothing(vault, root):
    stale = Vault(root, KEYS)
    vault.store(rows(1))
    vault.rotate_master(NEW_KEYS)
    with pytest.raises(VaultError, match="C360-522"):
        stale.reveal(*rows(1)[0][:3])
    with pytest.raises(VaultError, match="C360-522"):
        stale.store([row(2, CANARY)])
    assert stale.rotate_master(NEW_KEYS) == 0
    stale.close()


def test_rotation_keeps_erased_subjects_erased(vault):
    vault.store(rows(2))
    vault.destroy(["counter/0"])
    assert vault.rotate_master(NEW_KEYS) == 1
    with pytest.raises(VaultError, match="C360-520"):
        vault.reveal(*rows(2)[0][:3])


def test_threads_and_a_second_vault_store_each_value_once(vault, root):
    second, added = Vault(root, KEYS), []
    work = [threading.Thread(target=lambda v=v: added.append(v.store(rows(500)))) for v in (vault, second) * 3]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sum(added) == 500
    assert [vault.reveal(*each[:3]) for each in rows(500)] == [each[3] for each in rows(500)]
    second.close()


def test_production_keys_come_from_the_environment(root):
    keys = Keys(os.urandom(32), os.urandom(32))
    both = zip((MASTER_VARIABLE, TOKEN_VARIABLE), (keys.master_key, keys.token_key), strict=True)
    assert load_keys(root, {name: base64.b64encode(key).decode() for name, key in both}) == keys
    assert not root.exists()


def test_development_keys_are_made_once_and_private(root):
    first = load_keys(root, {})
    assert load_keys(root, {}) == first
    assert [path.name for path in root.iterdir()] == ["embedded_keys.env"]
    assert stat.S_IMODE((root / "embedded_keys.env").stat().st_mode) == 0o600


def test_lost_development_keys_are_not_replaced_under_a_used_vault(vault, root):
    with pytest.raises(ConfigurationError):
        load_keys(root, {})


@pytest.mark.parametrize(
    "environment",
    [
        {MASTER_VARIABLE: base64.b64encode(b"a" * 32).decode()},
        {MASTER_VARIABLE: "not base64!", TOKEN_VARIABLE: base64.b64encode(b"a" * 32).decode()},
        {MASTER_VARIABLE: base64.b64encode(b"a" * 16).decode(), TOKEN_VARIABLE: base64.b64encode(b"a" * 32).decode()},
        dict.fromkeys((MASTER_VARIABLE, TOKEN_VARIABLE), base64.b64encode(b"a" * 32).decode()),
    ],
)
def test_wrong_keys_are_refused_without_being_shown(root, environment):
    with pytest.raises(ConfigurationError) as error:
        load_keys(root, environment)
    assert not [value for value in environment.values() if value in str(error.value)]


def test_keys_do_not_show_in_their_representation():
    assert repr(KEYS) == "Keys()"


def test_a_newer_token_key_makes_its_token_of_the_one_before():
    old, new = (token(keys, "phone", "", "13800000001") for keys in (KEYS, NEWER))
    assert new.startswith(f"{NEWER.token_key_id}:") and NEWER.has_made(new) and not NEWER.has_made(old)
    assert len({KEYS.token_key_id, NEWER.token_key_id, Keys(b"m" * 32, b"u" * 32).token_key_id}) == 3
    text = f'{{"phone": "{old}", "again": "{new}", "other": "{old[:-1]}", "balance": "12"}}'
    assert renew_tokens(NEWER.token_layers, old) == new
    assert renew_tokens(NEWER.token_layers, text) == text.replace(old, new)
    assert renew_tokens(NEWER.token_layers, None) is None


def test_values_are_kept_under_both_tokens_until_the_newer_key_is_in_force(vault, root):
    vault.store(rows(10))
    vault.destroy(["counter/0"])
    vault.begin_renewal(NEWER.token_key_id)
    assert sum(vault.renew_values(NEWER)) >= 10
    kept = [(each[:2], each[2], renew_tokens(NEWER.token_layers, each[2]), each[3]) for each in rows(10)[1:]]
    both = [vault.reveal(*place, one) for place, old, new, _ in kept for one in (old, new)]
    assert both == [value for *_, value in kept for _ in range(2)]
    with pytest.raises(VaultError, match="C360-526"):
        vault.check_no_renewal()
    with pytest.raises(VaultError, match="C360-526"):
        vault.begin_renewal("another1")
    vault.end_renewal()
    vault.end_renewal()
    vault.check_no_renewal()
    assert vault._values.execute("select count(*) from vault").fetchone() == (9,), (
        "nothing of before, nothing of the erased"
    )
    with pytest.raises(VaultError, match="C360-525"):
        Vault(root, KEYS)
    reopened = Vault(root, NEWER)
    assert [reopened.reveal(*place, new) for place, _, new, _ in kept] == [value for *_, value in kept]
    reopened.close()


def test_a_renewal_that_was_stopped_among_the_values_goes_on(vault, monkeypatch):
    vault.store(rows(10))
    vault.begin_renewal(NEWER.token_key_id)
    monkeypatch.setattr(vault_module, "AT_ONCE", 3)
    next(vault.renew_values(NEWER))
    assert sum(1 for _ in vault.renew_values(NEWER)) > 3
    for subject, personal_class, old, value in rows(10):
        assert vault.reveal(subject, personal_class, renew_tokens(NEWER.token_layers, old)) == value


def test_several_token_keys_are_given_by_commas_and_kept_in_the_file(root):
    text = {
        name: base64.b64encode(key).decode() for name, key in zip("mtu", (b"m" * 32, b"t" * 32, b"u" * 32), strict=True)
    }
    environment = {MASTER_VARIABLE: text["m"], TOKEN_VARIABLE: f"{text['t']},{text['u']}"}
    assert load_keys(root, environment) == NEWER
    assert vault_module.key_lines(NEWER).splitlines() == [f"{name}={value}" for name, value in environment.items()]
    with pytest.raises(ConfigurationError, match="C360-171"):
        load_keys(root, environment | {TOKEN_VARIABLE: f"{text['t']},{text['t']}"})
