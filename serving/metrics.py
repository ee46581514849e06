"""What operations watch: requests by route and how long they took, and what is served. Neither a caller nor a customer stands in it.

Several processes count into files of one folder, which `serving.run` names before they start; whichever of them is asked answers for all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from serving.problems import NotAvailable
from serving.service import Service

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST

_OWN = CollectorRegistry()
_REQUESTS = Counter("c360_requests", "Requests answered.", ["route", "status"], registry=_OWN)
# A look-up is asked for in some milliseconds; an export may take as long as a request may.
_SECONDS = Histogram(
    "c360_request_seconds", "How long they took.", ["route"], registry=_OWN,
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)  # fmt: skip


class Measured:
    """ASGI: counts every request by the pattern of its route, so that no value of an address becomes a label."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def sending(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            _REQUESTS.labels(route, str(status)).inc()
            _SECONDS.labels(route).observe(time.perf_counter() - started)


class _Served:
    """The revision in force of every publication and the day it is of; one that cannot be read is left out."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        revisions = GaugeMetricFamily("c360_served_revision", "Revision in force.", labels=["publication"])
        days = GaugeMetricFamily(
            "c360_served_day_seconds", "Its business date, in seconds since 1970.", labels=["publication"]
        )
        for name, store in self._service.stores.items():
            try:
                with store.snapshot() as snapshot:
                    day = datetime(*snapshot.as_of_date.timetuple()[:3], tzinfo=UTC)
                    revisions.add_metric([name], snapshot.revision)
                    days.add_metric([name], day.timestamp())
            except NotAvailable:
                continue
        yield revisions
        yield days


def metrics_text(service: Service) -> bytes:
    """All of it in the format of Prometheus."""
    counted, served = _OWN, CollectorRegistry()
    if FOLDER_VARIABLE in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    served.register(_Served(service))
    return generate_latest(counted) + generate_latest(served)
