"""Maker and checker: what one person asked for is done when another one agrees, to exactly that and in the state it was seen in.

`<home>/decisions/requests.jsonl` is append-only, one line a step: `asked` (number, kind, arguments, reason, state), then `agreed` and `done`
or `failed`, or `changed` when what was asked is not what it was. Only a request that is no further than `asked` waits for somebody.
No Spark, and nothing of a customer but the id.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from spark_jobs.config import Settings
from spark_jobs.errors import ConfigurationError
from spark_jobs.files import sha256_of

ASKED, AGREED, DONE, FAILED, CHANGED = "asked", "agreed", "done", "failed", "changed"
ROLES = "take_roles"
_NOBODY_LOGGED_IN = 2**32 - 1


@dataclass(frozen=True)
class Act:
    """What is to be done. arguments: what JSON can hold; state: digest of what the decision rests on, as it is now."""

    kind: str
    arguments: dict[str, Any]
    state: str


@dataclass(frozen=True)
class Request:
    """A request as it stands. step: its newest; agreed_by: empty until a second person agreed."""

    number: int
    act: Act
    reason: str
    asked_by: str
    asked_at: str
    step: str = ASKED
    agreed_by: str = ""

    @property
    def both(self) -> str:
        return f"{self.asked_by}, agreed by {self.agreed_by}"


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]


def person() -> str:
    """The account somebody logged in with, which `sudo` does not change; where the kernel keeps none, the process' own.

    No variable of the environment is asked: anybody may set those.
    """
    try:
        logged_in = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        logged_in = _NOBODY_LOGGED_IN
    number = os.getuid() if logged_in == _NOBODY_LOGGED_IN else logged_in
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


@dataclass(frozen=True)
class TwoPersons:
    """The requests of one home, as one person meets them. at: UTC, written beside what this person does."""

    folder: Path
    who: str = field(default_factory=person)
    at: datetime | None = None

    def requests(self) -> list[Request]:
        """All of them, oldest first."""
        file = self.folder / "requests.jsonl"
        return _read(file.read_text(encoding="utf-8")) if file.is_file() else []

    @contextmanager
    def agreed(self, act: Act, reason: str, by: str | None = None, number: int | None = None) -> Iterator[Request]:
        """Let the block run when this person is the second one to want `act`; how it ended is kept.

        number: the request meant; without it, the one that waits for the same kind and arguments. The first person's request is kept, and
        raises ConfigurationError C360-133. C360-134: the same person again. C360-135: the state is another one now. C360-136: no
        such request waits. C360-137: no reason, or another's name in `by`.
        """
        request = self._agree(act, reason.strip(), by, number)
        try:
            yield request
        except BaseException:
            self._end(request, FAILED)
            raise
        self._end(request, DONE)

    def _agree(self, act: Act, reason: str, by: str | None, number: int | None) -> Request:
        if by and by.strip() != self.who:
            raise ConfigurationError(
                "C360-137", f"where two persons decide, one decides under one's own account, which is {self.who}",
                kept="nothing was done", next_step="the same command without --by",
            )  # fmt: skip
        with self._writing() as (found, write):
            same = [
                one for one in found if one.step == ASKED and (one.act.kind, one.act.arguments) == (act.kind, act.arguments)
                and number in (None, one.number)
            ]  # fmt: skip
            if not same:
                if number is not None:
                    raise _not_waiting(number)
                raise self._ask(found, write, act, reason)
            (request,) = same
            if request.act.state != act.state:
                write({"number": request.number, "step": CHANGED})
                if request.asked_by == self.who and number is None:
                    raise self._ask(found, write, act, reason)
                raise ConfigurationError(
                    "C360-135", f"what request {request.number} asked for is not any more what it was when it was asked",
                    where=f"{act.kind}, asked by {request.asked_by} at {request.asked_at}", kept="nothing was done; the request is closed",
                    next_step="look at it as it is now, then ask again",
                )  # fmt: skip
            if request.asked_by == self.who:
                raise ConfigurationError(
                    "C360-134", f"{self.who} asked for this: another person must agree",
                    where=f"request {request.number}, {act.kind}", kept="the request waits",
                    next_step=f"another person: c360 approvals confirm {request.number}",
                )  # fmt: skip
            write({"number": request.number, "step": AGREED})
            return replace(request, step=AGREED, agreed_by=self.who)

    def _ask(self, found: list[Request], write, act: Act, reason: str) -> ConfigurationError:
        if not reason:
            return ConfigurationError(
                "C360-137", "where two persons decide, the first says why", where=act.kind, kept="nothing was done",
                next_step='the same command with --reason "…"',
            )  # fmt: skip
        number = len(found) + 1
        write(
            {
                "number": number,
                "step": ASKED,
                "kind": act.kind,
                "arguments": act.arguments,
                "reason": reason,
                "state": act.state,
            }
        )
        return ConfigurationError(
            "C360-133", f"request {number} is kept: a second person must agree before it is done",
            where=f"{act.kind}, asked by {self.who}", kept="nothing was done yet",
            next_step=f"another person: c360 approvals list, then c360 approvals confirm {number} or the same command",
        )  # fmt: skip

    def waiting(self, number: int) -> Request:
        """The request of that number. Raises ConfigurationError C360-136 when none waits under it."""
        for one in self.requests():
            if one.number == number and one.step == ASKED:
                return one
        raise _not_waiting(number)

    def _end(self, request: Request, step: str) -> None:
        with self._writing() as (_, write):
            write({"number": request.number, "step": step})

    @contextmanager
    def _writing(self) -> Iterator[tuple[list[Request], Any]]:
        """The requests and a function that adds a line durably; one process at a time."""
        path = self.folder / "requests.jsonl"
        try:
            if not path.exists():
                # The second person has another account: what is made here is for the group, whatever is masked.
                self.folder.mkdir(parents=True, exist_ok=True)
                self.folder.chmod(0o770)
                path.touch()
                path.chmod(0o660)
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except PermissionError:
            raise ConfigurationError(
                "C360-139", f"{self.who} may not write what two persons decide", where=str(Path(self.folder.name) / path.name),
                kept="nothing was done", next_step="give both persons' accounts the group of the home and its decisions folder",
            ) from None  # fmt: skip
        with open(descriptor, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

            def write(fields: dict[str, Any]) -> None:
                at = f"{self.at:%Y-%m-%dT%H:%M:%SZ}" if self.at else ""
                file.write(json.dumps(fields | {"who": self.who, "at": at}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())

            text = file.read()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                file.truncate(len(whole.encode()))
            yield _read(whole), write


def _read(text: str) -> list[Request]:
    """Requests by their lines. A last line that a crash cut off never counted."""
    found: dict[int, Request] = {}
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        entry = json.loads(line)
        number, step = entry["number"], entry["step"]
        if step == ASKED:
            act = Act(entry["kind"], entry["arguments"], entry["state"])
            found[number] = Request(number, act, entry["reason"], entry["who"], entry["at"])
        else:
            agreed_by = entry["who"] if step == AGREED else found[number].agreed_by
            found[number] = replace(found[number], step=step, agreed_by=agreed_by)
    return list(found.values())


def _not_waiting(number: int) -> ConfigurationError:
    return ConfigurationError(
        "C360-136",
        f"no request {number} waits to be confirmed",
        kept="nothing was done",
        next_step="c360 approvals list",
    )


def must_be_agreed_roles(settings: Settings, roles: Path) -> None:
    """The file of roles is the one two persons took last. Raises ConfigurationError C360-138."""
    taken = [one for one in TwoPersons(settings.decisions).requests() if one.act.kind == ROLES and one.step == DONE]
    if settings.two_persons and (not taken or taken[-1].act.state != roles_digest(roles)):
        raise ConfigurationError(
            "C360-138", "the roles are not those two persons agreed to", where=roles.name, kept="nothing was served",
            next_step='c360 approvals roles --reason "…", then another person: c360 approvals list',
        )  # fmt: skip


def roles_digest(roles: Path) -> str:
    return digest(sha256_of(roles))
