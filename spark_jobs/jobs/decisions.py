"""Commands that two persons decide where `C360_TWO_PERSONS` is set: for each, what the decision rests on and how it is carried out.

`decide` is the one way to all of them, `confirm` the second person's short one. Nothing here needs Spark before the act is agreed to.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spark_jobs.config import Settings
from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import ConfigurationError
from spark_jobs.ingest.deliveries import look_at_all
from spark_jobs.ingest.vault import load_keys
from spark_jobs.jobs.status import read_status
from spark_jobs.ledger import WAITING
from spark_jobs.lock import writer_lock
from spark_jobs.publish.duckdb_store import in_force, point_at, revision_file
from spark_jobs.publish.marts import COCKPIT, WHOLE, Publication
from spark_jobs.publish.postgres_store import PostgresStore
from spark_jobs.quality.approvals import Request as LoadRequest
from spark_jobs.quality.approvals import nothing_to_accept, nothing_to_leave_out, without_request
from spark_jobs.quality.plausible import SHRANK
from spark_jobs.two_persons import ROLES, Act, TwoPersons, digest, roles_digest

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """seen: digest of what the decision rests on, raising what would refuse it anyway; carry_out: does it as `who`; texts: arguments
    that nobody may read again, kept as keyed digests only."""

    seen: Callable[[Settings, Arguments], str]
    carry_out: Callable[[Settings, Arguments, str, str, Console], Any]
    texts: str = ""


def decide(
    settings: Settings, requests: TwoPersons, kind: str, arguments: Arguments, reason: str, by: str | None, console: Console
) -> Any:  # fmt: skip
    """Carry out at once, or keep the request, or carry out another person's; see `TwoPersons.agreed` for what is raised.

    Nobody else writes between the look at what the decision rests on and its end.
    """
    decision = DECISIONS[kind]
    if not settings.two_persons:
        return decision.carry_out(settings, arguments, reason, by or getpass.getuser(), console)
    with writer_lock(settings.work, f"decide {kind}"):
        act = Act(kind, _kept(settings, decision, arguments), decision.seen(settings, arguments))
        with requests.agreed(act, reason, by) as request:
            return decision.carry_out(settings, arguments, request.reason, request.both, console)


def confirm(settings: Settings, requests: TwoPersons, number: int, console: Console) -> tuple[str, Any]:
    """Carry out what waits under a number. Returns its kind and what carrying out returned.

    Raises ConfigurationError C360-136 when nothing waits under it, or when it has texts, which the second person types again.
    """
    asked = requests.waiting(number).act
    decision = DECISIONS[asked.kind]
    if decision.texts and asked.arguments.get(decision.texts):
        raise ConfigurationError(
            "C360-136", f"request {number} has texts of a customer, which are kept nowhere", kept="the request waits",
            next_step="the same command as the first person's, with the texts typed again",
        )  # fmt: skip
    with writer_lock(settings.work, f"decide {asked.kind}"):
        act = Act(asked.kind, asked.arguments, decision.seen(settings, asked.arguments))
        with requests.agreed(act, "", number=number) as request:
            return asked.kind, decision.carry_out(settings, asked.arguments, request.reason, request.both, console)


def _kept(settings: Settings, decision: Decision, arguments: Arguments) -> Arguments:
    texts = arguments.get(decision.texts) if decision.texts else None
    if not texts:
        return arguments
    from serving.audit import derived_key

    key = derived_key(load_keys(settings.vault, os.environ), "decisions")
    sealed = {
        name: hmac.new(key, f"{name}={text}".encode(), hashlib.sha256).hexdigest() for name, text in texts.items()
    }
    return arguments | {decision.texts: sealed}


def show_requests(found: list[dict[str, Any]], console: Console) -> None:
    table = Table()
    names = ("number", "step", "kind", "arguments", "reason", "asked_by", "asked_at", "agreed_by")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for entry in found:
        table.add_row(*(Text(str(entry[name])) for name in names))
    console.print(table)


def listed(requests: TwoPersons) -> list[dict[str, Any]]:
    """Every request as one flat row, oldest first."""
    rows = []
    for one in requests.requests():
        fields = asdict(one)
        rows.append(fields | fields.pop("act"))
    return [{name: value for name, value in row.items() if name != "act"} for row in rows]


def _see_roles(settings: Settings, arguments: Arguments) -> str:
    from serving.access import ROLES_FILE, load_access

    load_access()
    return roles_digest(ROLES_FILE)


def _take_roles(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> None:
    console.print(f"the roles as they are now may be served; by {who}", markup=False)


def _see_shrink(settings: Settings, arguments: Arguments) -> str:
    feed, day = arguments["feed"], date.fromisoformat(arguments["business_date"])
    held = [
        row for row in read_status(settings)["deliveries"]
        if (row["feed"], row["business_date"], row["code"]) == (feed, str(day), SHRANK)
    ]  # fmt: skip
    if not held:
        raise nothing_to_accept(feed, day)
    contract = load_catalogue(settings.catalogue, settings.migrations)[feed]
    found, faults = look_at_all(settings.landing, [contract], [day])
    for fault in faults.values():
        raise fault
    return digest(held[0]["delivery_number"], [delivery.digest for delivery in found])


def _accept_shrink(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> dict[str, Any]:
    decided = LoadRequest(arguments["feed"], date.fromisoformat(arguments["business_date"]), reason, who)
    return _load_as_decided(settings, decided, console, arguments["feeds"])


def _load_as_decided(
    settings: Settings, decided: LoadRequest, console: Console, feeds: list[str] | None = None
) -> dict[str, Any]:
    """The day of a decision loaded with it, and what came of it."""
    from spark_jobs.jobs import report
    from spark_jobs.jobs.load import load
    from spark_jobs.jobs.start import start_run

    day = decided.business_date
    with start_run(settings, f"load {day}", console) as run:
        return report.summarise(run, [day], load(run, [day], feeds, decided))


def _see_waiting(settings: Settings, arguments: Arguments) -> str:
    """What is held or missing, and what lies in landing now."""
    feed, day = arguments["feed"], date.fromisoformat(arguments["business_date"])
    row = next(
        (one for one in read_status(settings)["deliveries"] if (one["feed"], one["business_date"]) == (feed, str(day))),
        None,
    )
    if row is None or row["status"] not in WAITING:
        raise nothing_to_leave_out(feed, day, "it is not held or missing")
    contract = load_catalogue(settings.catalogue, settings.migrations)[feed]
    found, _ = look_at_all(settings.landing, [contract], [day])
    return digest(row["delivery_number"], row["status"], [delivery.digest for delivery in found])


def _publish_without(
    settings: Settings, arguments: Arguments, reason: str, who: str, console: Console
) -> dict[str, Any]:
    day = date.fromisoformat(arguments["business_date"])
    return _load_as_decided(settings, without_request(arguments["feed"], day, reason, who), console)


def _see_rows(settings: Settings, arguments: Arguments) -> str:
    from spark_jobs.jobs.quarantine import releasable

    return digest([(row["id"], row["state"], row["rules"]) for row in releasable(settings, arguments["identities"])])


def _release(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> None:
    from spark_jobs.jobs.quarantine import release
    from spark_jobs.jobs.start import start_run

    with start_run(settings, "quarantine release", console) as run:
        released = release(
            run, arguments["identities"], reason, who, accept=arguments["accept"], texts=arguments["texts"]
        )
    console.print(f"{len(released)} rows are released; c360 load brings gold and the marts in line")


def _see_published(settings: Settings, arguments: Arguments) -> str:
    folder = _publication(arguments).folder(settings.published)
    if "revision" in arguments:
        revision_file(folder, arguments["revision"])
    return digest(in_force(folder).revision)


def _publication(arguments: Arguments) -> Publication:
    return COCKPIT if arguments.get("cockpit") else WHOLE


def _rollback(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> None:
    revision, publication = arguments["revision"], _publication(arguments)
    folder = publication.folder(settings.published)
    with writer_lock(settings.work, f"rollback to revision {revision}"):
        revision_file(folder, revision)
        if serving := PostgresStore.of(os.environ, publication):
            serving.point_at(revision, settings.revisions_kept)
        now = point_at(folder, revision, settings.revisions_kept)
    what = "of the cockpit " if publication is COCKPIT else ""
    console.print(f"revision {now.revision} {what}is published, as of {now.as_of_date}")


def _see_customer(settings: Settings, arguments: Arguments) -> str:
    from spark_jobs.jobs.erase import erasable

    return digest(erasable(settings, arguments["customer"], date.fromisoformat(arguments["on"])))


def _erase(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> None:
    from serving.audit import Audit
    from spark_jobs.jobs.erase import erase

    keys = load_keys(settings.vault, os.environ)
    audit_log = Audit(settings.audit, keys)
    try:
        on = date.fromisoformat(arguments["on"])
        found = erase(settings, keys, arguments["customer"], on, audit_log.write, reason, who)
    finally:
        audit_log.close()
    console.print(f"{found.customer_id}: {found.keys} keys of {found.subjects} client numbers are destroyed")


def _lock_month(settings: Settings, arguments: Arguments, reason: str, who: str, console: Console) -> None:
    from spark_jobs.jobs.period import lock_period
    from spark_jobs.jobs.start import start_run

    month = arguments["month"]
    with start_run(settings, f"lock {month}", console) as run:
        revision = lock_period(run, month, reason, who)
    console.print(f"{month} is locked as revision {revision} has it")


DECISIONS = {
    "accept_shrink": Decision(_see_shrink, _accept_shrink),
    "publish_without": Decision(_see_waiting, _publish_without),
    "release": Decision(_see_rows, _release, texts="texts"),
    "rollback": Decision(_see_published, _rollback),
    "erase": Decision(_see_customer, _erase),
    "lock_month": Decision(_see_published, _lock_month),
    ROLES: Decision(_see_roles, _take_roles),
}
