"""What may be asked, once a caller is known: every question is checked, answered from one snapshot and written to the audit log.

The routes of the API and the pages call these methods and add nothing to what a caller may see.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from serving.access import REVEALABLE, ROUTES, Access, agreed_access
from serving.api_keys import ApiKeys
from serving.audit import Audit, derived_key, seal_left
from serving.bearer import Bearers
from serving.callers import Caller
from serving.limits import RateLimit
from serving.overlay import OPENED_MINUTES, Overlay, Today
from serving.paging import Pages
from serving.problems import NotAllowed, NotAvailable, NotFound, NotValid, ServingError
from serving.store import Snapshot, Store, freshness, open_store
from serving.work import open_work
from spark_jobs.config import Settings
from spark_jobs.errors import C360Error
from spark_jobs.ingest.identity import canonical_phone
from spark_jobs.ingest.vault import Vault, VaultError, load_keys, source_subject, token
from spark_jobs.publish.marts import COCKPIT, MARTS, WHOLE

LOOKUP_BY = ("phone", "customer_number", "account")
MOST_CANDIDATES = 20
MOST_DAYS = 400
PAGE = 100
MOST_A_PAGE = 1000

_CHOICE = ("customer_id", "customer_kind", "name_masked", "branch_name")
_OPEN_ITEMS = (
    "customer_id", "ipo_payment_due_date", "ipo_unpaid_amount", "ipo_short_amount", "ipo_subscription_date", "ipo_subscription_amount", "ipo_subscription_short_amount", "next_option_expiry_date", "next_product_maturity_date",
    "margin_tier", "minimum_maintenance_ratio", "maximum_option_risk_degree", "guarantee_tier", "minimum_guarantee_ratio",
    "next_repurchase_date", "next_advice_end_date", "identity_expiry_date", "identity_expiry_days",
    "risk_test_expiry_date", "risk_test_expiry_days", "is_risk_test_expired", "mismatched_holding_count", "open_complaint_count",
)  # fmt: skip
_ASSET_HISTORY = (
    "as_of_date", "total_asset_amount", "net_asset_amount", "credit_debt_amount", "is_stale", "is_partial",
)  # fmt: skip

# The key comes first everywhere: DuckDB looks into an index for the first condition only.
_FIND = {
    "phone": "select customer_id from mart_customer_phone where mobile_phone_token = $value and as_of_date = $as_of_date",
    "customer_number": (
        "select customer_id from mart_customer_profile where customer_id = $value and as_of_date = $as_of_date "
        "union select customer_id from mart_customer_account where client_number = $value and as_of_date = $as_of_date "
        "union select customer_id from mart_customer_merge where alias_customer_id = $value and as_of_date = $as_of_date"
    ),
    "account": "select customer_id from mart_customer_account where account_id = $value and as_of_date = $as_of_date",
}


@dataclass
class Question:
    """One question of one caller on one snapshot. known: freshness by publication and revision, which does not change; facts: what the audit line says
    besides who and what."""

    caller: Caller
    route: str
    snapshot: Snapshot
    today: Today
    known: dict[tuple[str, int], dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    def columns(self, mart: str, of: Sequence[str] | None = None) -> list[str]:
        """Columns of the mart the caller sees, of those named if any are. Raises NotAllowed where there are none."""
        seen = [name for name in self.caller.role.columns.get(mart, ()) if of is None or name in of]
        if not seen:
            raise NotAllowed("the role sees no column of this")
        return seen

    def rows(
        self, mart: str, where: str, parameters: Mapping[str, Any], columns: Collection[str], tail: str = ""
    ) -> list[dict[str, Any]]:
        """Rows of the mart within the caller's rows. where and tail are ours; what a client sent is a parameter."""
        statement = f"select {', '.join(columns)} from {mart} where {where} and {self.caller.role.rows[mart]} {tail}"
        return self.snapshot.rows(statement, {**self.bound(statement, parameters), **parameters})

    def bound(self, statement: str, given: Collection[str] = ()) -> dict[str, Any]:
        """What a row condition may name: the day, the caller, and of today what the statement names and nobody gave."""
        today = {
            name: getattr(self.today, name) for name in Today.NAMES if f"${name}" in statement and name not in given
        }
        return {"as_of_date": self.snapshot.as_of_date, **self.caller.parameters(), **today}

    def span(self, day: str, customer_id: str, first: date | None, last: date | None) -> tuple[str, dict[str, Any]]:
        """Condition and parameters of a customer's rows from `first` to `last`, both inclusive; without them, all to the published day."""
        where = f"customer_id = $customer and {day} <= $last"
        parameters = {"customer": customer_id, "last": last or self.snapshot.as_of_date}
        return (f"{where} and {day} >= $first", {**parameters, "first": first}) if first else (where, parameters)

    def answer(self, data: Any, **more: Any) -> dict[str, Any]:
        """The envelope of every answer: which day, which revision, how fresh; all from this snapshot."""
        return {
            "as_of_date": self.snapshot.as_of_date,
            "revision": self.snapshot.revision,
            "freshness": self._freshness(),
            "data": data,
            **more,
        }

    def _freshness(self) -> dict[str, Any]:
        publication = ROUTES[self.route].publication
        key = (publication.name, self.snapshot.revision)
        if key not in self.known:
            for old in [old for old in list(self.known) if old[0] == publication.name]:
                self.known.pop(old, None)
            self.known[key] = freshness(self.snapshot, publication.dated_by)
        return self.known.get(key) or freshness(self.snapshot, publication.dated_by)


class Service:
    """The questions. Open one a process; it is for several threads."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str] | None = None, store: Store | None = None
    ) -> None:
        environment = os.environ if environment is None else environment
        self.settings = settings
        self.access: Access = agreed_access(settings)
        self.api_keys = ApiKeys(settings.access, self.access)
        self.bearers = Bearers(settings, self.access)
        self.keys = load_keys(settings.vault, environment)
        self.vault = Vault(settings.vault, self.keys)
        self.store = store or open_store(settings, environment)
        self.stores = {WHOLE.name: self.store, COCKPIT.name: open_store(settings, environment, COCKPIT)}
        self.work = open_work(settings, environment)
        self.overlay = Overlay(self.work)
        self.pages = Pages(derived_key(self.keys, "pages"))
        self._freshness: dict[tuple[str, int], dict[str, Any]] = {}
        self._checked: int | None = None
        self.rate = RateLimit(settings.serve_requests_per_minute)
        seal_left(settings.audit, self.keys)
        self.audit = Audit(settings.audit, self.keys)

    def close(self) -> None:
        """Stop what is under way, then close; the log last, for the lines of what was stopped."""
        for store in self.stores.values():
            store.close()
        self.overlay.close()
        self.vault.close()
        self.audit.close()

    @contextmanager
    def asked(self, caller: Caller, route: str, **facts: Any) -> Iterator[Question]:
        """Check, open a snapshot, let the question be answered, and write the audit line before the answer leaves.

        facts: such as customer_id or purpose; never a value.
        """
        question: Question | None = None
        try:
            self.rate.take(caller.id)
            caller.role.check(route, caller.scopes)
            publication = ROUTES[route].publication
            with self.stores[publication.name].snapshot() as snapshot:
                if publication is WHOLE:
                    self._check_token_key(snapshot)
                now = self.overlay.of(caller.id, snapshot.as_of_date)
                question = Question(caller, route, snapshot, now, self._freshness, dict(facts))
                yield question
        except C360Error as error:
            self.write(caller, route, error.code, question.facts if question else facts)
            raise
        except Exception:
            self.write(caller, route, "C360-599", question.facts if question else facts)
            raise
        self.write(caller, route, "answered", {**question.facts, "revision": question.snapshot.revision})

    def _check_token_key(self, snapshot: Snapshot) -> None:
        """Raises NotAvailable when the revision has tokens of another key: nobody would be found, and what was said today would not be met."""
        if snapshot.writing == self._checked:
            return
        for row in snapshot.rows("select mobile_phone_token from mart_customer_phone limit 1"):
            if not self.keys.has_made(row["mobile_phone_token"]):
                raise NotAvailable(
                    "what is published has tokens of another key", "start c360 serve with the keys in force"
                )
        self._checked = snapshot.writing

    def write(self, caller: Caller, route: str, outcome: str, facts: Mapping[str, Any], durable: bool = False) -> None:
        self.audit.write(
            durable=durable, caller=caller.id, role=caller.role.name, employee=caller.employee, route=route, outcome=outcome,
            **facts,
        )  # fmt: skip

    def refused(self, route: str, error: ServingError) -> None:
        """An audit line for who could not be known."""
        self.audit.write(caller=None, role=None, employee=None, route=route, outcome=error.code)

    # look-up

    def look_up(self, caller: Caller, by: str, value: str, last_id_digits: str | None = None) -> dict[str, Any]:
        """Customers behind a phone, a number of a customer or an account: one, a masked choice of several, or none.

        last_id_digits narrow what was found; they find nothing themselves. For a role that opens by look-up the one customer of a phone, or
        of anything with last_id_digits, may be seen for half an hour. Answers found: none, one, several; data: what may be shown to choose by.
        """
        if by not in LOOKUP_BY:
            raise NotValid(f"by is none of {', '.join(LOOKUP_BY)}")
        with self.asked(caller, "lookup", by=by, with_digits=last_id_digits is not None) as question:
            self.overlay.use(caller.id, "look-ups", 1, self.settings.serve_lookups_per_day)
            value = value.strip()
            if by == "phone":
                canonical = canonical_phone(value).canonical
                value = token(self.keys, "phone", "", canonical) if canonical else ""
            found = question.snapshot.rows(_FIND[by], {**question.bound(_FIND[by]), "value": value})
            customers = sorted({row["customer_id"] for row in found if row["customer_id"]})
            if last_id_digits is not None:
                customers = [one for one in customers if self._ends_with(question.snapshot, one, last_id_digits)]
            rule = "true" if caller.role.opens_by_lookup else caller.role.rows["mart_customer_profile"]
            columns = question.columns("mart_customer_profile", _CHOICE)
            # Each by its own name: an index is not looked into for a list.
            candidates = {f"candidate_{place}": one for place, one in enumerate(customers[:MOST_CANDIDATES])}
            statement = (
                f"select {', '.join(columns)} from mart_customer_profile "
                f"where customer_id in ({', '.join(f'${name}' for name in candidates) or 'null'}) and as_of_date = $as_of_date and {rule} "
                "order by customer_id"
            )
            shown = question.snapshot.rows(statement, {**question.bound(statement), **candidates})
            # Two customers of whom the caller may see one are two: which of them calls is not known.
            kind = "none" if not shown else "one" if len(customers) == 1 else "several"
            if kind == "one":
                question.facts["customer_id"] = shown[0]["customer_id"]
                if caller.role.opens_by_lookup and (by == "phone" or last_id_digits is not None):
                    self.overlay.open(caller.id, shown[0]["customer_id"])
                    question.facts["opened_minutes"] = OPENED_MINUTES
            application = self._application(question, value) if by == "phone" and not found else None
            question.facts["found"] = "application" if application else kind
            return question.answer(shown, found=kind, application=application)

    def _application(self, question: Question, phone_token: str) -> dict[str, Any] | None:
        """The application for an account made with a phone; None where there is none or the role does not see applications."""
        if "prospects" not in question.caller.role.routes:
            return None
        statement = (
            f"select {', '.join(question.columns('mart_prospect'))} from mart_prospect "
            "where mobile_phone_token = $value and as_of_date = $as_of_date"
        )
        # Whose phone rings is seen by whoever answers it, wherever the application was made.
        if not question.caller.role.opens_by_lookup:
            statement += f" and {question.caller.role.rows['mart_prospect']}"
        found = question.snapshot.rows(statement, {**question.bound(statement), "value": phone_token})
        return found[0] if found else None

    def _ends_with(self, snapshot: Snapshot, customer_id: str, digits: str) -> bool:
        """Whether the customer's document ends so. What the vault does not have, or no longer has, ends with nothing."""
        try:
            return self.clear(snapshot, customer_id, "identity").endswith(digits.strip().upper())
        except (NotFound, VaultError) as error:
            if isinstance(error, VaultError) and error.code not in ("C360-520", "C360-521"):
                raise
            return False

    def subjects(self, snapshot: Snapshot, customer_id: str) -> list[str]:
        """Under whose data keys the customer's values may be: one client number of one counter each."""
        rows = snapshot.rows(
            "select distinct system_code, client_number from mart_customer_account where customer_id = $customer and as_of_date = $as_of_date "
            "order by system_code, client_number",
            {"as_of_date": snapshot.as_of_date, "customer": customer_id},
        )
        return [source_subject(row["system_code"], row["client_number"]) for row in rows]

    def clear(self, snapshot: Snapshot, customer_id: str, column: str) -> str:
        """A personal value, decrypted. Raises NotFound for a customer without one, VaultError C360-520 or C360-521 as the vault does."""
        personal_class, source = REVEALABLE[column]
        rows = snapshot.rows(
            f"select {source} from mart_customer_profile where customer_id = $customer and as_of_date = $as_of_date",
            {"as_of_date": snapshot.as_of_date, "customer": customer_id},
        )
        if not rows or rows[0][source] is None:
            raise NotFound("the customer has no such value")
        return self.vault_value(snapshot, customer_id, personal_class, rows[0][source])

    def vault_value(self, snapshot: Snapshot, customer_id: str, personal_class: str, token: str) -> str:
        """What a token of the customer stands for, under whichever of his client numbers it came. VaultError as the vault."""
        missing = VaultError("C360-521", "the vault holds no such value", next_step="load the day the token came from")
        elsewhere = snapshot.ciphertexts(personal_class, token)
        for subject in self.subjects(snapshot, customer_id):
            try:
                if elsewhere is None:
                    return self.vault.reveal(subject, personal_class, token)
                if subject in elsewhere:
                    return self.vault.open_value(subject, personal_class, token, elsewhere[subject])
            except VaultError as error:
                if error.code not in ("C360-520", "C360-521"):
                    raise
                # Erased is told before never stored: it is the answer that cannot change.
                missing = error if error.code == "C360-520" else missing
        raise missing

    # one customer

    def profile(self, caller: Caller, customer_id: str, purpose: str | None = None) -> dict[str, Any]:
        """The profile of the published day, and beside it what was written since."""
        with self.asked(caller, "profile", customer_id=customer_id, purpose=purpose) as question:
            columns = question.columns("mart_customer_profile")
            found = self.in_scope(question, customer_id, dict.fromkeys([*columns, "mobile_phone_token"]))
            today = self._today(question, customer_id, found["mobile_phone_token"])
            return question.answer({name: found[name] for name in columns}, today=today)

    def in_scope(self, question: Question, customer_id: str, columns: Collection[str]) -> dict[str, Any]:
        """The customer's profile on the published day. Raises NotFound, also where he is outside the caller's rows."""
        condition = question.caller.role.rows.get("mart_customer_profile")
        if condition is None:  # a role that reads commission and no profile: its rows are those of the mart it reads
            return {}
        found = question.rows(
            "mart_customer_profile", "customer_id = $customer and as_of_date = $as_of_date", {"customer": customer_id}, columns
        )  # fmt: skip
        if not found:
            raise NotFound("there is no such customer, or not among those you may see")
        return found[0]

    def _today(self, question: Question, customer_id: str, phone: str | None) -> dict[str, Any]:
        written = self.overlay.of_customer(customer_id, phone, question.snapshot.as_of_date)
        words = [word["word"] for word in written["words"]]
        claim = written["claim"]
        return {
            "last_word": words[0] if words else None,
            "is_do_not_call": words[0] == "do_not_call" if words else None,
            "has_marketing_consent": words[0] == "marketing_granted" if words else None,
            "words": written["words"],
            "calls": written["calls"],
            "note_count": len(written["notes"]),
            "claim": claim and self._claim(question.caller, claim),
        }

    @staticmethod
    def _claim(caller: Caller, claim: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "state": claim["state"], "is_mine": claim["caller"] == caller.id, "employee": claim["employee"],
            "version": claim["version"], "result": claim["result"],
        }  # fmt: skip

    @staticmethod
    def phone_token(snapshot: Snapshot, customer_id: str) -> str | None:
        rows = snapshot.rows(
            "select mobile_phone_token from mart_customer_profile where customer_id = $customer and as_of_date = $as_of_date",
            {"as_of_date": snapshot.as_of_date, "customer": customer_id},
        )
        return rows[0]["mobile_phone_token"] if rows else None

    def accounts(self, caller: Caller, customer_id: str) -> dict[str, Any]:
        return self._of_customer(caller, "accounts", "mart_customer_account", customer_id, "business_line, account_id")

    def holdings(self, caller: Caller, customer_id: str) -> dict[str, Any]:
        order = "business_line, account_id, instrument_id, position_side"
        return self._of_customer(caller, "holdings", "mart_customer_holding", customer_id, order)

    def tags(self, caller: Caller, customer_id: str) -> dict[str, Any]:
        return self._of_customer(caller, "tags", "mart_customer_tag", customer_id, "tag_name")

    def phones(self, caller: Caller, customer_id: str) -> dict[str, Any]:
        return self._of_customer(caller, "phones", "mart_customer_phone", customer_id, "phone_rank")

    def _of_customer(self, caller: Caller, route: str, mart: str, customer_id: str, order: str) -> dict[str, Any]:
        with self.asked(caller, route, customer_id=customer_id) as question:
            self.in_scope(question, customer_id, ["customer_id"])
            return question.answer(
                question.rows(
                    mart, "customer_id = $customer and as_of_date = $as_of_date", {"customer": customer_id},
                    question.columns(mart), f"order by {order}",
                )
            )  # fmt: skip

    def open_items(self, caller: Caller, customer_id: str) -> dict[str, Any]:
        """What is due of a customer: payments, expiries, calls for margin, complaints."""
        with self.asked(caller, "open_items", customer_id=customer_id) as question:
            return question.answer(
                self.in_scope(question, customer_id, question.columns("mart_customer_profile", _OPEN_ITEMS))
            )

    def asset_history(
        self, caller: Caller, customer_id: str, first: date | None = None, last: date | None = None
    ) -> dict[str, Any]:
        """Assets of a customer on every published day of a span, oldest first."""
        with self.asked(caller, "asset_history", customer_id=customer_id) as question:
            self.in_scope(question, customer_id, ["customer_id"])
            where, parameters = question.span("as_of_date", customer_id, first, last)
            columns = question.columns("mart_customer_profile", _ASSET_HISTORY)
            # His days are his, wherever he was kept on them: whether he may be seen was asked for the published day.
            rows = question.snapshot.rows(
                f"select {', '.join(columns)} from mart_customer_profile where {where} order by as_of_date desc limit {MOST_DAYS}",
                parameters,
            )
            return question.answer(rows[::-1])

    # who is not a customer yet

    def prospects(self, caller: Caller, limit: int = PAGE, page: str | None = None) -> dict[str, Any]:
        """Applicants to be called because their application has broken off, without those whose phone forbade it today."""
        with self.asked(caller, "prospects") as question:
            data, following = self.page_of(
                question, "mart_prospect", f"as_of_date = $as_of_date and is_call and {NOT_SILENCED}", {},
                question.columns("mart_prospect"), ("started_date", "prospect_id"), limit, page,
            )  # fmt: skip
            return question.answer(data, next_page=following)

    # lists

    def lists(self, caller: Caller) -> dict[str, Any]:
        """The lists of the day with how many calls of each are the caller's to make."""
        with self.asked(caller, "lists") as question:
            return question.answer(
                question.rows(
                    "mart_outbound_call",
                    f"as_of_date = $as_of_date and is_call and {STILL_ALLOWED}",
                    {},
                    [
                        "list_name",
                        "reason_code",
                        "purpose",
                        "priority",
                        "min(due_time) as due_time",
                        "count(*) as call_count",
                    ],
                    "group by list_name, reason_code, purpose, priority order by priority, list_name",
                )
            )

    def list_calls(self, caller: Caller, name: str, limit: int = PAGE, page: str | None = None) -> dict[str, Any]:
        """Calls of a list in the order they should be made, without those today's words forbid; each with who has it."""
        with self.asked(caller, "list_calls", list=_named(name)) as question:
            columns = question.columns("mart_outbound_call")
            data, following = self.page_of(
                question, "mart_outbound_call", f"as_of_date = $as_of_date and is_call and list_name = $list and {STILL_ALLOWED}",
                {"list": name}, columns, ("due_time", "customer_id"), limit, page,
            )  # fmt: skip
            claims = self.overlay.claims(question.snapshot.as_of_date)
            for row in data:
                claim = claims.get(row.get("customer_id"))
                row["work"] = claim and self._claim(caller, claim)
            return question.answer(data, next_page=following)

    def list_suppressed(self, caller: Caller, name: str, limit: int = PAGE, page: str | None = None) -> dict[str, Any]:
        """Who is on a list and not called, and why."""
        with self.asked(caller, "list_suppressed", list=_named(name)) as question:
            data, following = self.page_of(
                question, "mart_outbound_suppressed", "as_of_date = $as_of_date and list_name = $list", {"list": name},
                question.columns("mart_outbound_suppressed"), ("customer_id",), limit, page,
            )  # fmt: skip
            return question.answer(data, next_page=following)

    def page_of(
        self, question: Question, mart: str, where: str, parameters: Mapping[str, Any], columns: Sequence[str],
        key: Sequence[str], limit: int, page: str | None,
    ) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
        """Up to `limit` rows after the page token, and the token of the next page. key: unique within where, never null."""
        asked = hashlib.sha256(
            repr((question.route, mart, where, sorted(parameters.items()), key)).encode()
        ).hexdigest()
        caller, revision = question.caller.id, question.snapshot.revision
        parameters = dict(parameters)
        if page:
            last = self.pages.last(caller, asked, revision, page)
            marks = [f"last_{place}" for place in range(len(key))]
            where += f" and ({', '.join(key)}) > ({', '.join(f'${mark}' for mark in marks)})"
            parameters |= dict(zip(marks, last, strict=True))
        hidden = [name for name in key if name not in columns]
        rows = question.rows(
            mart, where, {**parameters, "limit": limit + 1}, [*columns, *hidden], f"order by {', '.join(key)} limit $limit"
        )  # fmt: skip
        shown = rows[:limit]
        following = (
            self.pages.token(caller, asked, revision, [shown[-1][name] for name in key]) if len(rows) > limit else None
        )
        question.facts["rows"] = len(shown)
        return [{name: row[name] for name in columns} for row in shown], following

    # commission

    def commission_customer(
        self, caller: Caller, customer_id: str, first: date | None = None, last: date | None = None
    ) -> dict[str, Any]:
        """Commission of a customer by trade date and business line, oldest first."""
        order = "business_line"
        return self._by_day(
            caller, "commission_customer", "mart_commission_customer_day", customer_id, first, last, order
        )

    def income_customer(
        self, caller: Caller, customer_id: str, first: date | None = None, last: date | None = None
    ) -> dict[str, Any]:
        """What was earned from a customer by day, business line and kind of income, oldest first."""
        order = "business_line, income_kind"
        return self._by_day(caller, "income_customer", "mart_income_customer_day", customer_id, first, last, order)

    def accruals_customer(
        self, caller: Caller, customer_id: str, first: date | None = None, last: date | None = None
    ) -> dict[str, Any]:
        """What the passing of time earned from a customer by natural day, as delivered in the span, oldest first."""
        order = "accrual_date desc, business_line, account_id, accrual_kind, product_kind"
        return self._by_day(caller, "accruals_customer", "mart_income_accrual", customer_id, first, last, order)

    def _by_day(
        self, caller: Caller, route: str, mart: str, customer_id: str, first: date | None, last: date | None, order: str
    ) -> dict[str, Any]:
        with self.asked(caller, route, customer_id=customer_id) as question:
            self.in_scope(question, customer_id, ["customer_id"])
            where, parameters = question.span("business_date", customer_id, first, last)
            rows = question.rows(
                mart, where, parameters, question.columns(mart), f"order by business_date desc, {order} limit {MOST_A_PAGE}"
            )  # fmt: skip
            return question.answer(rows[::-1])

    def commission_employees(
        self, caller: Caller, month: str | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """What is attributed to each employee in a month; without one, the month of the published day."""
        return self._at(caller, "commission_employees", month, limit, page)

    def commission_branches(
        self, caller: Caller, month: str | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Commission of each branch in a month; without one, the month of the published day."""
        return self._at(caller, "commission_branches", month, limit, page)

    def performance_employees(
        self, caller: Caller, month: str | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Incomes, customers and ranks of each employee in a month; without one, the month of the published day."""
        return self._at(caller, "performance_employees", month, limit, page)

    def performance_branches(
        self, caller: Caller, month: str | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Performance of each branch, region and of the firm in a month; without one, the month of the published day."""
        return self._at(caller, "performance_branches", month, limit, page)

    def income_products(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """What each kind of product earned in each branch on a day; without one, on the published day."""
        return self._at(caller, "income_products", day, limit, page)

    def movements(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """What moved among customers on a day: large transfers, opened, closed, lost, newly valid."""
        return self._at(caller, "movements", day, limit, page)

    def merges(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Customers that are part of another one on a day, with the id they are found under."""
        return self._at(caller, "merges", day, limit, page)

    def reviews(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Pairs of customers somebody should look at on a day."""
        return self._at(caller, "reviews", day, limit, page)

    def charge_checks(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Orders of a day that were not charged what was agreed."""
        return self._at(caller, "charge_checks", day, limit, page)

    def rate_checks(
        self, caller: Caller, day: date | None = None, limit: int = PAGE, page: str | None = None
    ) -> dict[str, Any]:
        """Agreed rates somebody should look at on a day."""
        return self._at(caller, "rate_checks", day, limit, page)

    def _at(self, caller: Caller, route: str, when: str | date | None, limit: int, page: str | None) -> dict[str, Any]:
        """Rows of the route's mart of one month, where it is a mart by month, or of one day; without either, those of the published day."""
        mart = MARTS[ROUTES[route].marts[0]]
        with self.asked(caller, route) as question:
            published = question.snapshot.as_of_date
            when = when or (published.strftime("%Y-%m") if mart.month else published)
            column = mart.month or mart.day
            key = tuple(name for name in mart.key if name != column)
            data, following = self.page_of(
                question, mart.name, f"{column} = $when", {"when": when}, question.columns(mart.name), key, limit, page
            )
            return question.answer(data, next_page=following)

    # the store itself

    def status(self, caller: Caller) -> dict[str, Any]:
        """Which days are published and in which revision, newest first."""
        with self.asked(caller, "status") as question:
            days = question.snapshot.rows(
                f"select business_date, revision from publication order by business_date desc limit {MOST_DAYS}"
            )
            return question.answer(days)

    def is_ready(self) -> bool:
        """Whether a question could be answered now."""
        with self.store.snapshot() as snapshot:
            return bool(snapshot.rows("select 1 as one"))


# What a phone said today: no call at all but those the firm must make, or none that sells.
NOT_SILENCED = "mobile_phone_token <> all(cast($silenced as varchar[]))"
STILL_ALLOWED = (
    f"(purpose = 'mandatory' or {NOT_SILENCED}) "
    "and (purpose <> 'marketing' or mobile_phone_token <> all(cast($refused as varchar[])))"
)


def _named(name: str) -> str:
    """The name for the audit log: a list has one of a few words, and nothing else is written there."""
    return name if re.fullmatch(r"[a-z][a-z_]{0,40}", name) else "?"
