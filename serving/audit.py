"""Who asked for whom, and what came of it: one file a process and day, each line bound to the one before.

`<home>/audit/<day>/<host>-<process>-<start>.jsonl`. A line's `hash` is an HMAC over the line and the hash before it, under a key derived from the
master key, so a line that is altered, dropped or put in is found, and only who holds the key can write one. A seal closes the file: what was
cut off its end is found too. A file that a killed process left is sealed by the next one, and says so. No line holds a customer's value.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from serving.problems import AuditFailed
from spark_jobs.ingest.vault import Keys

SEAL = "seal"


def derived_key(keys: Keys, purpose: str) -> bytes:
    """A key of its own for one purpose, from the master key."""
    return hmac.digest(keys.master_key, b"c360 " + purpose.encode(), "sha256")


def _line_hash(key: bytes, before: str, body: str) -> str:
    return hmac.new(key, f"{before}\n{body}".encode(), hashlib.sha256).hexdigest()


def _body(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


class Audit:
    """Writes the lines of one process. Raises AuditFailed C360-549 when a line cannot be kept: then nothing is answered."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder, self._key, self._key_id = folder, derived_key(keys, "audit"), keys.master_key_id
        self._lock = threading.Lock()
        self._day: date | None = None
        self._stream: int | None = None
        self._before, self._count, self._path, self._process = "", 0, folder, os.getpid()

    def write(self, *, durable: bool = False, **fields: Any) -> None:
        """Append one line. durable: it has reached the disk before this returns, for what must not be done without it."""
        with self._lock:
            try:
                now = datetime.now(UTC)
                if self._stream is None or now.date() != self._day or self._is_of_parent():
                    self._close()
                    self._start(now)
                self._append({"at": now.isoformat(timespec="milliseconds"), **fields})
                if durable:
                    os.fsync(self._stream)
            except OSError as error:
                raise AuditFailed(f"the audit line could not be written: {type(error).__name__}") from None

    def close(self) -> None:
        with self._lock:
            self._close()

    def _is_of_parent(self) -> bool:
        """A forked worker must not go on in its parent's chain."""
        return self._process != os.getpid()

    def _start(self, now: datetime) -> None:
        folder = self._folder / now.date().isoformat()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._process = os.getpid()
        self._path = folder / f"{socket.gethostname()}-{self._process}-{now:%H%M%S%f}.jsonl"
        self._stream = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        self._day, self._before, self._count = now.date(), "", 0
        self._append({"at": now.isoformat(timespec="milliseconds"), "opens": self._path.name, "key": self._key_id})

    def _append(self, fields: dict[str, Any]) -> None:
        body = _body({"line": self._count + 1, **fields})
        hashed = _line_hash(self._key, self._before, body)
        data = f'{{"body":{body},"hash":"{hashed}"}}\n'.encode()
        if os.write(self._stream, data) != len(data):
            # The rest would follow a torn line: this file ends here, and the next line opens another.
            stream, self._stream = self._stream, None
            os.close(stream)
            raise OSError("short write")
        self._before, self._count = hashed, self._count + 1

    def _close(self) -> None:
        if self._stream is not None:
            if not self._is_of_parent():
                self._append({SEAL: self._count})
                os.fsync(self._stream)
            stream, self._stream = self._stream, None
            os.close(stream)


@dataclass(frozen=True)
class Finding:
    """One file of the log. state: sealed, open (its process still writes), left (its process was killed) or broken; line: the first bad one."""

    file: str
    lines: int
    state: str
    line: int | None = None
    what: str = ""


def verify(folder: Path, keys: Keys, earlier: Iterable[Keys] = ()) -> list[Finding]:
    """Every file with its state, by day and name. earlier: keys that were in force before, for the files written under them."""
    known = _keys_by_id(keys, *earlier)
    return [_verify_file(path, known, folder) for path in sorted(folder.glob("*/*.jsonl"))]


def _keys_by_id(*keys: Keys) -> dict[str, bytes]:
    return {one.master_key_id: derived_key(one, "audit") for one in keys}


def lines(folder: Path, first: date, last: date) -> Iterator[dict[str, Any]]:
    """The lines of the days, as they stand; `verify` says whether to believe them."""
    for path in sorted(folder.glob("*/*.jsonl")):
        if first.isoformat() <= path.parent.name <= last.isoformat():
            for text in path.read_text(encoding="utf-8").splitlines():
                fields = json.loads(text)["body"]
                if "opens" not in fields and SEAL not in fields:
                    yield {"file": path.name, **fields}


def seal_left(folder: Path, keys: Keys) -> int:
    """Seal the files of processes that were killed; how many. A file that is broken stays as it is."""
    sealed, known = 0, _keys_by_id(keys)
    for path in sorted(folder.glob("*/*.jsonl")):
        finding = _verify_file(path, known, folder)
        if finding.state != "left":
            continue
        key = known[keys.master_key_id]
        texts = path.read_text(encoding="utf-8").splitlines()
        body = _body({"line": len(texts) + 1, SEAL: len(texts), "sealed_by": "a later process"})
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f'{{"body":{body},"hash":"{_line_hash(key, json.loads(texts[-1])["hash"], body)}"}}\n')
            stream.flush()
            os.fsync(stream.fileno())
        sealed += 1
    return sealed


def _verify_file(path: Path, known: Mapping[str, bytes], folder: Path) -> Finding:
    """known: master key id → key of the log."""
    name, key = str(path.relative_to(folder)), b""
    before, is_sealed, count = "", False, 0
    with path.open("rb") as stream:
        is_open = not _can_lock(stream.fileno())
        for count, data in enumerate(stream, start=1):
            if count == 1:
                key_id = _key_id(data)
                key = known.get(key_id or next(iter(known)), b"")
                if not key:
                    return Finding(name, 1, "broken", 1, f"was written under master key {key_id}, which is not given")
            what = _fault(data, key, before, count, is_sealed, path.name)
            if what:
                return Finding(name, count, "broken", count, what)
            fields = json.loads(data)
            before, is_sealed = fields["hash"], SEAL in fields["body"]
    if count == 0:
        return Finding(name, 0, "open" if is_open else "broken", None if is_open else 1, "" if is_open else "empty")
    return Finding(name, count, "sealed" if is_sealed else "open" if is_open else "left")


def _key_id(line: bytes) -> str | None:
    """The master key a file says it was written under; None when its first line cannot be read."""
    try:
        return json.loads(line)["body"].get("key")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _fault(data: bytes, key: bytes, before: str, count: int, is_sealed: bool, name: str) -> str:
    if is_sealed:
        return "stands after the seal"
    try:
        text = data.decode("utf-8").rstrip("\n")
        fields = json.loads(text)
        body, hashed = fields["body"], fields["hash"]
    except (ValueError, KeyError, TypeError):
        return "is torn or no audit line"
    # The text itself, not what JSON makes of it: two spellings of a field would otherwise be one.
    if text != f'{{"body":{_body(body)},"hash":"{hashed}"}}':
        return "is not as it was written"
    if not hmac.compare_digest(_line_hash(key, before, _body(body)), str(hashed)) or body.get("line") != count:
        return "does not follow from the line before: it was altered, or one was dropped or put in"
    if count == 1 and body.get("opens") != name:
        return "the file has another name than it was opened with"
    return ""


def _can_lock(stream: int) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(stream, fcntl.LOCK_UN)
    return True
