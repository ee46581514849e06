"""Files as a whole: replaced in one step, so that a reader meets the old one or the new one, also after a crash; what names their bytes; SQLite files."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from pathlib import Path


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal, without holding the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def replace_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write beside the file, to the disk, and put it in its place. `mode`: who may read it, less what the process' mask takes away."""
    part = path.with_name(f"{path.name}.part")
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)


def open_sqlite(path: Path, journal: str, busy_seconds: int, schema: str = "", **settings: str) -> sqlite3.Connection:
    """A connection to a private SQLite file, made with its schema where it is missing; for several threads, which take turns.

    Processes that start together wait for one another: SQLite refuses a change of the journal at once, however long it may wait for anything else.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists():
            # SQLite gives its journals the mode of the file.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        database = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        for name, value in {**settings, "journal_mode": journal}.items():
            database.execute(f"pragma {name}={value}")
        database.executescript(schema)
        return database
    finally:
        os.close(folder)
