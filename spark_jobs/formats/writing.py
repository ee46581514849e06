"""Writing what `delimited` reads, and the manifest entry of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ENCODING = "gb18030"


def write_delimited(
    path: Path, feed: str, compact_date: str, columns: Sequence[str], lines: Iterable[str]
) -> dict[str, Any]:
    """Header, names, `lines` (fields joined by |, without a newline) and trailer, to the disk; returns its entry for a manifest."""
    digest, size, rows = hashlib.sha256(), 0, 0

    def put(line: str) -> None:
        nonlocal size
        content = f"{line}\n".encode(ENCODING)
        digest.update(content)
        size += len(content)
        stream.write(content)

    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream:
        put(f"#H|{feed}|{compact_date}")
        put("|".join(columns))
        for line in lines:
            put(line)
            rows += 1
        put(f"#T|{rows}")
        stream.flush()
        os.fsync(stream.fileno())
    return {"name": path.name, "bytes": size, "sha256": digest.hexdigest(), "rows": rows}
