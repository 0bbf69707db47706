"""Base classes of the errors that a caller or an operator must understand.

An error says what is wrong and what would be right. Its text defaults to the first paragraph of its class's docstring, so
an error without details needs no text of its own. No class here knows an HTTP status: one table of the gateway maps each
base to its status and code.
"""

from enum import StrEnum
from inspect import cleandoc


class DetailCode(StrEnum):
    """Stable codes of the details of an error: which case of its kind it is."""

    INVALID_CURSOR = "INVALID_CURSOR"
    INVALID_TEXT = "INVALID_TEXT"
    RESERVED_NAME = "RESERVED_NAME"
    NO_CALLS = "NO_CALLS"
    TOO_MANY_CALLS = "TOO_MANY_CALLS"
    INVALID_ADDRESS = "INVALID_ADDRESS"
    INVALID_POLICY = "INVALID_POLICY"
    UNKNOWN_CONTRACT = "UNKNOWN_CONTRACT"
    UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
    NOT_IN_DEPLOYMENT = "NOT_IN_DEPLOYMENT"
    INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
    ZERO_AMOUNT = "ZERO_AMOUNT"
    VALUATION_FAILED = "VALUATION_FAILED"
    KEY_SIGNATURE_REQUIRED = "KEY_SIGNATURE_REQUIRED"
    COUNTERPARTY_SPELLING = "COUNTERPARTY_SPELLING"


class PaimonError(Exception):
    """An error that this system knows by name.

    `field` names the request's field that the error concerns, if any. `code` is a stable, machine-readable detail below the
    error's kind, for callers that must distinguish cases.
    """

    field: str | None = None
    code: DetailCode | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else self.default_text())

    @classmethod
    def default_text(cls) -> str:
        """Return the first paragraph of the class's docstring as one line."""
        return " ".join(cleandoc(cls.__doc__ or cls.__name__).split("\n\n")[0].split())


class InvalidRequest(PaimonError):
    """The request is not valid."""


class Unauthenticated(PaimonError):
    """The caller has not proven an identity."""


class AuthenticationExpired(Unauthenticated):
    """The proof of identity has expired; sign in again."""


class Forbidden(PaimonError):
    """The caller may not do this."""


class NotFound(PaimonError):
    """The requested thing does not exist."""


class Conflict(PaimonError):
    """The present state does not allow this."""


class RateLimited(PaimonError):
    """Too many requests; try again later."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(PaimonError):
    """A required service does not answer now; try again shortly."""


class StartupError(PaimonError):
    """The process cannot start or continue. The message tells the operator what is wrong and what would be right."""
