"""One writer at a time: a lock file that names its holder. The kernel lets go of it when the holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spark_jobs.errors import InfrastructureError


class _Held(threading.local):
    def __init__(self) -> None:
        self.folders: set[Path] = set()


_held = _Held()


@contextmanager
def writer_lock(folder: Path, purpose: str) -> Iterator[None]:
    """Hold the lake for writing. Raises InfrastructureError C360-501 naming the process that holds it.

    The thread that holds it already goes on holding it: what a decision rests on and what is done about it are one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = folder.resolve()
    if held in _held.folders:
        yield
        return
    with (folder / "writer.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise InfrastructureError(
                "C360-501", f"the lake is being written by {holder}",
                kept="nothing was started", next_step="wait for it to end, then run the same command again",
            ) from None  # fmt: skip
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}: {purpose}")
        file.flush()
        _held.folders.add(held)
        try:
            yield
        finally:
            _held.folders.discard(held)
            file.truncate(0)
