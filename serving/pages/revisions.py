"""A page asks several questions, and a day may be published between two of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from serving.problems import NotAvailable

_TRIES = 3


def of_one_revision(read: Callable[[], tuple[dict[str, Any], Collection[int]]]) -> dict[str, Any]:
    """What `read` shows, once all its answers are of one revision; it says of which they were. Raises NotAvailable after some tries."""
    for _ in range(_TRIES):
        shown, revisions = read()
        if len(set(revisions)) == 1:
            return shown
    raise NotAvailable("the day changed while it was read")
