"""What operations watch: counted by route, of whichever day is served, and about nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.api.builders import DAY, PEOPLE


def _samples(text: str) -> dict[str, float]:
    """Name with labels → value."""
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+(?:{.*})?) (\S+)$", text, re.MULTILINE)}


def _count(client, headers, route: str, status: int) -> float:
    samples = _samples(client.get("/metrics", headers=headers).text)
    return samples.get(f'c360_requests_total{{route="{route}",status="{status}"}}', 0)


def test_requests_are_counted_by_the_pattern_of_their_route(client, headers_of) -> None:
    watching, asking = headers_of("operations"), headers_of("risk_control")
    route = "/v1/customers/{customer_id}"
    before = _count(client, watching, route, 200), _count(client, watching, route, 404)
    for person in PEOPLE[:3]:
        client.get(f"/v1/customers/{person.customer_id}", headers=asking)
    client.get("/v1/customers/nobody", headers=asking)
    assert (_count(client, watching, route, 200), _count(client, watching, route, 404)) == (
        before[0] + 3,
        before[1] + 1,
    )
    samples = _samples(client.get("/metrics", headers=watching).text)
    assert samples[f'c360_request_seconds_count{{route="{route}"}}'] >= 4


def test_what_is_served_is_told_for_both_publications(client, headers_of) -> None:
    samples = _samples(client.get("/metrics", headers=headers_of("operations")).text)
    day = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()
    for publication in ("whole", "cockpit"):
        assert samples[f'c360_served_revision{{publication="{publication}"}}'] == 1
        assert samples[f'c360_served_day_seconds{{publication="{publication}"}}'] == day


def test_nobody_stands_in_it(client, headers_of) -> None:
    watching, asking = headers_of("operations"), headers_of("risk_control")
    person = PEOPLE[4]
    client.get(f"/v1/customers/{person.customer_id}/holdings", headers=asking)
    client.post("/v1/lookups", json={"by": "phone", "value": person.phone}, headers=asking)
    client.get(f"/v1/nothing/{person.customer_id}", headers=asking)
    text = client.get("/metrics", headers=watching).text
    assert 'route="other",status="404"' in text
    for value in (person.customer_id, person.phone, person.identity, person.branch, asking["X-API-Key"]):
        assert value not in text


def test_who_does_not_watch_is_refused(client, headers_of) -> None:
    assert client.get("/metrics", headers=headers_of("analyst")).status_code == 403
    assert client.get("/metrics").status_code == 401
