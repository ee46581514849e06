"""What people wrote since the published day: it counts at once, for every seat, beside day T and never in place of it.

A claim, a call, a word of a phone or a note of a day that has been published since is in the marts, where it came back as a feed.
"""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from serving.problems import Conflict, TooMany
from serving.work import Transaction, WorkStore

CHINA = ZoneInfo("Asia/Shanghai")
RESULTS = ("reached", "no_answer", "refused")
WORDS = ("marketing_granted", "marketing_refused", "do_not_call")
OPENED_MINUTES = 30


def now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """The day in China: on it a call is made and a word is said."""
    return datetime.now(CHINA).date()


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


class Today:
    """What a caller's row conditions and a list's answer need of today; each is read when it is first asked for, and once."""

    NAMES = ("opened", "taken", "silenced", "refused")

    def __init__(self, store: WorkStore, caller: str, as_of_date: date) -> None:
        self._store, self._caller, self._as_of_date = store, caller, as_of_date

    @cached_property
    def opened(self) -> list[str]:
        """Customers a look-up opened for the caller, and those whose call he has."""
        with self._store.reading() as work:
            found = work.rows(
                "select customer_id from opened where caller = $caller and until_at > $at "
                "union select customer_id from call_claim where as_of_date = $day and caller = $caller",
                {"caller": self._caller, "at": _stamp(now()), "day": self._as_of_date.isoformat()},
            )
        return [row["customer_id"] for row in found]

    @cached_property
    def taken(self) -> list[str]:
        """Customers whose call another seat has or has made."""
        with self._store.reading() as work:
            found = work.rows(
                "select customer_id from call_claim where as_of_date = $day and caller <> $caller",
                {"caller": self._caller, "day": self._as_of_date.isoformat()},
            )
        return [row["customer_id"] for row in found]

    @cached_property
    def _words(self) -> dict[str, str]:
        with self._store.reading() as work:
            return _last_words(work, self._as_of_date)

    @property
    def silenced(self) -> list[str]:
        """Phones that said no to all but mandatory calls."""
        return [phone for phone, word in self._words.items() if word == "do_not_call"]

    @property
    def refused(self) -> list[str]:
        """Phones that may not be called to sell."""
        return [phone for phone, word in self._words.items() if word != "marketing_granted"]


class Overlay:
    def __init__(self, store: WorkStore) -> None:
        self._store = store

    def close(self) -> None:
        self._store.close()

    def of(self, caller: str, as_of_date: date) -> Today:
        return Today(self._store, caller, as_of_date)

    def open(self, caller: str, customer_id: str) -> None:
        """A look-up found this one customer: the caller may see him for a while."""
        self._store.put(
            "insert into opened (caller, customer_id, until_at) values ($caller, $customer, $until) "
            "on conflict (caller, customer_id) do update set until_at = excluded.until_at returning customer_id",
            {"caller": caller, "customer": customer_id, "until": _stamp(now() + timedelta(minutes=OPENED_MINUTES))},
        )

    def use(self, caller: str, what: str, amount: int, most: int) -> None:
        """Count what a caller used today, in all processes together. Raises TooMany C360-545 before it would be more than `most`."""
        day = now().date()
        used = self._store.put(
            "insert into usage (caller, used_date, what, amount) select $caller, $day, $what, $amount where $amount <= $most "
            "on conflict (caller, used_date, what) do update set amount = usage.amount + excluded.amount "
            "where usage.amount + excluded.amount <= $most returning amount",
            {"caller": caller, "day": day.isoformat(), "what": what, "amount": amount, "most": most},
        )
        if not used:
            midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
            raise TooMany(f"the caller has used its {what} of the day", int((midnight - now()).total_seconds()) + 1)

    def claim(self, caller: str, employee: str | None, as_of_date: date, list_name: str, customer_id: str) -> int:
        """Take a call; its version. Taking it again is no fault. Raises Conflict C360-546 when another seat has it."""
        bound = {"caller": caller, "employee": employee, "day": as_of_date.isoformat(), "list": list_name,
                 "customer": customer_id, "at": _stamp(now())}  # fmt: skip
        with self._store.writing() as work:
            work.change(
                "insert into call_claim (as_of_date, customer_id, list_name, caller, employee, version, state, changed_at) "
                "values ($day, $customer, $list, $caller, $employee, 1, 'claimed', $at) on conflict (as_of_date, customer_id) do nothing",
                bound,
            )
            found = _claim_of(work, as_of_date, customer_id)
        if found["caller"] != caller:
            raise Conflict("another seat has this call", "take another one")
        return found["version"]

    def release(self, caller: str, as_of_date: date, customer_id: str, version: int) -> None:
        """Give a call back. Raises Conflict C360-546 when it is not the caller's, is done, or has changed since `version`."""
        with self._store.writing() as work:
            _check_claim(_claim_of(work, as_of_date, customer_id), caller, version)
            work.change("delete from call_claim where as_of_date = $day and customer_id = $customer",
                        {"day": as_of_date.isoformat(), "customer": customer_id})  # fmt: skip

    def finish(
        self, caller: str, employee: str | None, as_of_date: date, customer_id: str, phone: str, version: int, result: str,
        is_marketing: bool,
    ) -> int:  # fmt: skip
        """Keep the result of a call that was taken; its version. A refusal of a call that sells is a word of the phone."""
        bound = {
            "day": as_of_date.isoformat(),
            "customer": customer_id,
            "result": result,
            "version": version,
            "at": _stamp(now()),
        }
        with self._store.writing() as work:
            _check_claim(_claim_of(work, as_of_date, customer_id), caller, version)
            changed = work.change(
                "update call_claim set state = 'done', result = $result, version = version + 1, changed_at = $at "
                "where as_of_date = $day and customer_id = $customer and version = $version",
                bound,
            )
            if not changed:
                raise Conflict("the call has changed since", "read it again")
            _keep_call(work, customer_id, phone, result, employee)
            if result == "refused" and is_marketing:
                _keep_word(work, customer_id, phone, "marketing_refused", employee)
        return version + 1

    def say(self, customer_id: str, phone: str, word: str, employee: str | None) -> None:
        """Keep what the holder of a phone said about calls."""
        with self._store.writing() as work:
            _keep_word(work, customer_id, phone, word, employee)

    def note(self, note: str, customer_id: str, subject: str, sealed: str, employee: str | None) -> None:
        bound = {"note": note, "customer": customer_id, "subject": subject, "sealed": sealed,
                 "day": today().isoformat(), "at": _stamp(now()), "employee": employee}  # fmt: skip
        with self._store.writing() as work:
            work.change(
                "insert into call_note (note_id, customer_id, subject, sealed, written_date, written_at, employee) "
                "values ($note, $customer, $subject, $sealed, $day, $at, $employee)",
                bound,
            )

    def of_customer(self, customer_id: str, phone: str | None, as_of_date: date) -> dict[str, Any]:
        """What was written of one customer and his phone since the published day; notes are still sealed. Newest first."""
        bound = {"customer": customer_id, "phone": phone, "day": as_of_date.isoformat()}
        with self._store.reading() as work:
            words = work.rows(
                "select word, recorded_at, employee from phone_word where mobile_phone_token = $phone and recorded_date > $day "
                "order by recorded_at desc, word_id desc",
                bound,
            )
            calls = work.rows(
                "select direction, result, made_at, employee from call_made where mobile_phone_token = $phone and made_date > $day "
                "order by made_at desc, call_id desc",
                bound,
            )
            notes = work.rows(
                "select note_id, subject, sealed, written_at, employee from call_note where customer_id = $customer and written_date > $day "
                "order by written_at desc, note_id desc",
                bound,
            )
            claim = _claim_of(work, as_of_date, customer_id)
        return {"words": words, "calls": calls, "notes": notes, "claim": claim}

    def claims(self, as_of_date: date) -> dict[str, dict[str, Any]]:
        """customer → the claim of his call."""
        with self._store.reading() as work:
            found = work.rows(
                "select customer_id, caller, employee, version, state, result from call_claim where as_of_date = $day",
                {"day": as_of_date.isoformat()},
            )
        return {row["customer_id"]: row for row in found}

    def written_between(self, after: date, until: date) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Calls made and words said from the day after `after` to `until`, in the order they were written."""
        bound = {"after": after.isoformat(), "until": until.isoformat()}
        with self._store.reading() as work:
            calls = work.rows(
                "select * from call_made where made_date > $after and made_date <= $until order by made_at, call_id",
                bound,
            )
            words = work.rows(
                "select * from phone_word where recorded_date > $after and recorded_date <= $until order by recorded_at, word_id",
                bound,
            )
        return calls, words


def _last_words(work: Transaction, as_of_date: date) -> dict[str, str]:
    """Phone → the last word it said since the published day."""
    rows = work.rows(
        "select mobile_phone_token, word from phone_word where recorded_date > $day order by recorded_at, word_id",
        {"day": as_of_date.isoformat()},
    )
    return {row["mobile_phone_token"]: row["word"] for row in rows}


def _claim_of(work: Transaction, as_of_date: date, customer_id: str) -> dict[str, Any] | None:
    found = work.rows(
        "select list_name, caller, employee, version, state, result from call_claim where as_of_date = $day and customer_id = $customer",
        {"day": as_of_date.isoformat(), "customer": customer_id},
    )
    return found[0] if found else None


def _check_claim(claim: dict[str, Any] | None, caller: str, version: int) -> None:
    if claim is None or claim["caller"] != caller:
        raise Conflict("the call is not this seat's", "take it first")
    if claim["version"] != version or claim["state"] == "done":
        raise Conflict("the call has changed since", "read it again")


def _keep_call(work: Transaction, customer_id: str, phone: str, result: str, employee: str | None) -> None:
    work.change(
        "insert into call_made (call_id, customer_id, mobile_phone_token, direction, result, made_date, made_at, employee) "
        "values ($call, $customer, $phone, 'out', $result, $day, $at, $employee)",
        {"call": secrets.token_hex(8), "customer": customer_id, "phone": phone, "result": result, "day": today().isoformat(),
         "at": _stamp(now()), "employee": employee},
    )  # fmt: skip


def _keep_word(work: Transaction, customer_id: str, phone: str, word: str, employee: str | None) -> None:
    work.change(
        "insert into phone_word (word_id, customer_id, mobile_phone_token, word, recorded_date, recorded_at, employee) "
        "values ($id, $customer, $phone, $word, $day, $at, $employee)",
        {"id": secrets.token_hex(8), "customer": customer_id, "phone": phone, "word": word, "day": today().isoformat(),
         "at": _stamp(now()), "employee": employee},
    )  # fmt: skip
