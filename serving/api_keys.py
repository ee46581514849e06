"""API keys: `c360_<id>_<secret>`, of which the file keeps a hash.

The secret is 32 random bytes, so one SHA-256 of it cannot be guessed back; a slow hash is for passwords people choose.
`<home>/access/keys.yml` has one entry a key: id, hash, role, branch, employee, scopes, expires_on, revoked, note.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from serving.access import SCOPES, Access
from serving.callers import Caller, caller_of
from serving.problems import NotAuthenticated
from spark_jobs.declarations import read_yaml
from spark_jobs.errors import ConfigurationError
from spark_jobs.files import replace_file

_KEY = re.compile(r"c360_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_FIELDS = {"id", "hash", "role", "branch", "employee", "scopes", "expires_on", "is_revoked", "note", "created_at"}
_NOBODY = hashlib.sha256(b"nobody").hexdigest()
LONGEST_DAYS = 366


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _today() -> date:
    return datetime.now(UTC).date()


class ApiKeys:
    """The keys of one home. Reads the file again when it has changed, so a revoked key stops at its next request."""

    def __init__(self, folder: Path, access: Access) -> None:
        self._file, self._access, self._lock = folder / "keys.yml", access, threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, dict[str, Any]] = {}

    def authenticate(self, presented: str) -> Caller:
        """The caller of a key. Raises NotAuthenticated C360-540, the same for an unknown, wrong, expired or revoked key."""
        parts = _KEY.fullmatch(presented)
        entry = self.entries().get(parts[1]) if parts else None
        # Compared in any case, so that time does not tell whether the id exists.
        agrees = hmac.compare_digest(_hash(parts[2] if parts else ""), entry["hash"] if entry else _NOBODY)
        if not parts or not agrees:
            raise NotAuthenticated
        return self.caller(parts[1])

    def caller(self, identity: str | None) -> Caller:
        """The caller of a key whose secret was proven, now or when its session began. Raises NotAuthenticated C360-540 as above."""
        entry = self.entries().get(identity) if identity else None
        if not entry or entry.get("is_revoked") or _today() > entry["expires_on"]:
            raise NotAuthenticated
        return caller_of(f"key:{entry['id']}", entry, self._access)

    def entries(self) -> dict[str, dict[str, Any]]:
        """id → entry. Raises ConfigurationError C360-182 for a file that is not what this module writes."""
        with self._lock:
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return {}
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                self._keys, self._stamp = self._read(), stamp
            return self._keys

    def listed(self) -> list[dict[str, Any]]:
        """What may be shown of every key: all but its hash."""
        return [
            {
                name: value.isoformat() if isinstance(value, date) else value
                for name, value in entry.items()
                if name != "hash"
            }
            for entry in self.entries().values()
        ]

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            entries = read_yaml(self._file) or []
            faults = [place for place, entry in enumerate(entries, start=1) if not _is_sound(entry)]
        except (yaml.YAMLError, TypeError):
            entries, faults = [], ["all"]
        if faults:
            raise ConfigurationError(
                "C360-182", f"entries {', '.join(map(str, faults))} of the keys cannot be understood",
                where=str(self._file), kept="no key is accepted", next_step="restore the file from its backup",
            )  # fmt: skip
        return {entry["id"]: entry for entry in entries}

    def create(
        self,
        role: str,
        days: int,
        branch: str | None = None,
        employee: str | None = None,
        scopes: Collection[str] = ("read",),
        note: str = "",
    ) -> tuple[str, str]:
        """A new key and its id. The key is nowhere afterwards. Raises ConfigurationError C360-183 for what makes no caller."""
        known = self._access.roles.get(role)
        given = {"branch": branch, "employee": employee}
        faults = []
        if known is None:
            faults.append(f"role {role} is none of {', '.join(self._access.roles)}")
        faults += [f"role {role} needs --{need}" for need in (known.needs if known else ()) if not given[need]]
        faults += [f"scope {scope} is none of {', '.join(SCOPES)}" for scope in sorted(set(scopes) - set(SCOPES))]
        if not 1 <= days <= LONGEST_DAYS:
            faults.append(f"--days lies outside 1 to {LONGEST_DAYS}")
        if faults:
            raise ConfigurationError(
                "C360-183", "; ".join(faults), kept="no key was made", next_step="c360 api-key create --help"
            )
        with self._writing() as entries:
            identity = secrets.token_hex(4)
            while identity in entries:
                identity = secrets.token_hex(4)
            secret = secrets.token_urlsafe(32)
            entries[identity] = {
                "id": identity, "hash": _hash(secret), "role": role, "branch": branch, "employee": employee,
                "scopes": sorted(scopes), "expires_on": _today() + timedelta(days=days), "is_revoked": False, "note": note,
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }  # fmt: skip
        return f"c360_{identity}_{secret}", identity

    def revoke(self, identity: str) -> None:
        """The key stops at its next request. Raises ConfigurationError C360-184 for an id that is not there."""
        with self._writing() as entries:
            if identity not in entries:
                raise ConfigurationError("C360-184", "there is no key with that id", next_step="c360 api-key list")
            entries[identity]["is_revoked"] = True

    @contextmanager
    def _writing(self) -> Iterator[dict[str, dict[str, Any]]]:
        folder = self._file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "keys.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = {name: dict(entry) for name, entry in self.entries().items()}
            yield entries
            text = yaml.safe_dump(list(entries.values()), sort_keys=False, allow_unicode=True)
            replace_file(self._file, text.encode(), 0o600)


def _is_sound(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) <= _FIELDS
        and isinstance(entry.get("id"), str)
        and isinstance(entry.get("hash"), str)
        and re.fullmatch("[0-9a-f]{64}", entry["hash"]) is not None
        and isinstance(entry.get("expires_on"), date)
        and isinstance(entry.get("scopes"), list)
    )
