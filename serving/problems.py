"""What the API answers when it cannot answer: one error per code, with the status a client sees.

None repeats what the client sent: a value in a message would stand in logs and on screens.
"""

from __future__ import annotations

from spark_jobs.errors import C360Error, InfrastructureError

# An erased customer is gone for good; a value that was never stored is not found.
_STATUS_OF_VAULT = {"C360-520": 410, "C360-521": 404}


class ServingError(InfrastructureError):
    """Codes C360-54x."""

    status = 503


class NotAuthenticated(ServingError):
    status = 401

    def __init__(self) -> None:
        # One text for every cause: a caller who guesses learns nothing.
        super().__init__(
            "C360-540", "the key or token is missing or not valid", next_step="ask the administrator for a valid one"
        )


class NotAllowed(ServingError):
    status = 403

    def __init__(self, what: str) -> None:
        super().__init__("C360-541", what, next_step="ask the administrator which role has it")


class NotFound(ServingError):
    status = 404

    def __init__(self, what: str) -> None:
        # Also for what exists outside the caller's rows: 403 would say that it exists.
        super().__init__("C360-542", what, next_step="look it up again")


class NotValid(ServingError):
    status = 422

    def __init__(self, what: str, next_step: str = "correct the request; docs/openapi.json describes it") -> None:
        super().__init__("C360-543", what, next_step=next_step)


class TooLarge(ServingError):
    status = 413

    def __init__(self) -> None:
        super().__init__("C360-544", "the request is too large", next_step="send less at once")


class TooMany(ServingError):
    status = 429

    def __init__(self, what: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__("C360-545", what, next_step=f"wait {seconds} seconds, then ask again")


class Conflict(ServingError):
    status = 409

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__("C360-546", what, next_step=next_step)


class PageGone(ServingError):
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "C360-547",
            "the page token is not valid for this question and revision",
            next_step="start at the first page",
        )


class NotAvailable(ServingError):
    status = 503

    def __init__(self, what: str, next_step: str = "ask again in a moment") -> None:
        super().__init__("C360-548", what, next_step=next_step)


class AuditFailed(ServingError):
    status = 503

    def __init__(self, what: str, next_step: str = "look at the disk and the rights of the audit folder") -> None:
        super().__init__("C360-549", what, kept="nothing was answered", next_step=next_step)


def status_of(error: C360Error) -> int:
    """The status a client sees; what is nobody's fault but the service's is 503."""
    return getattr(error, "status", _STATUS_OF_VAULT.get(error.code, 503))
