"""How much one caller may ask. The bucket is of one process: with N workers a caller has at most N times its rate."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from serving.problems import TooMany

_CALLERS_REMEMBERED = 10_000


class RateLimit:
    """A bucket a caller: `per_minute` requests, refilled steadily. Raises TooMany C360-545."""

    def __init__(self, per_minute: int) -> None:
        self._per_second, self._most = per_minute / 60, float(per_minute)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        now = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(caller, (self._most, now))
            left = min(self._most, left + (now - since) * self._per_second)
            self._buckets[caller] = (left - 1 if left >= 1 else left, now)
            if len(self._buckets) > _CALLERS_REMEMBERED:
                self._buckets.popitem(last=False)
        if left < 1:
            raise TooMany("the caller asks more often than it may", max(1, round((1 - left) / self._per_second)))
