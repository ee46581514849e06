"""A personal value in clear, for a role that may see it: the audit line reaches the disk before the value leaves the vault."""

from __future__ import annotations

import re
from typing import Any

from serving.access import REVEALABLE
from serving.callers import Caller
from serving.problems import NotAllowed, NotValid
from serving.service import Service

SHORTEST_REASON, LONGEST_REASON = 4, 200
# A reason is kept in the log, where no customer's value may stand.
_LONG_NUMBER = re.compile(r"[0-9０-９](?:[\s.-]?[0-9０-９]){6,}")


def reveal(service: Service, caller: Caller, customer_id: str, column: str, reason: str) -> dict[str, Any]:
    """The value behind a token of the customer. Raises NotAllowed for a column the role may not reveal, VaultError for an erased customer."""
    if column not in REVEALABLE:
        raise NotValid(f"column is none of {', '.join(REVEALABLE)}")
    if not SHORTEST_REASON <= len(reason.strip()) <= LONGEST_REASON:
        raise NotValid(f"a reason has {SHORTEST_REASON} to {LONGEST_REASON} characters")
    if _LONG_NUMBER.search(reason):
        raise NotValid("the reason holds a long number", "leave out numbers of documents, phones and accounts")
    with service.asked(caller, "reveal", customer_id=customer_id, column=column, reason=reason.strip()) as question:
        if column not in caller.role.reveal:
            raise NotAllowed("the role may not reveal this column")
        service.in_scope(question, customer_id, ["customer_id"])
        service.overlay.use(caller.id, "reveals", 1, service.settings.serve_lookups_per_day)
        service.write(caller, "reveal", "about to be revealed", question.facts, durable=True)
        return question.answer({column: service.clear(question.snapshot, customer_id, column)})
