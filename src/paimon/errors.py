"""Base classes of the errors that a caller or an operator must understand.

An error says what was wrong and what would be right. Its text defaults to the first paragraph of its class's docstring, so
that an error with nothing to add needs no words of its own. No class here knows an HTTP status: the gateway has one table
that gives each base its status and code.
"""

from inspect import cleandoc


class PaimonError(Exception):
    """Something went wrong that this system can name.

    `field` names the field of the request that the error is about, where there is one; `code` is a stable, machine-readable
    detail below the error's kind, where a caller needs to tell cases apart.
    """

    field: str | None = None
    code: str | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else self.default_text())

    @classmethod
    def default_text(cls) -> str:
        """Return the first paragraph of the class's docstring as one line."""
        return " ".join(cleandoc(cls.__doc__ or cls.__name__).split("\n\n")[0].split())


class InvalidRequest(PaimonError):
    """The request is not valid."""


class Unauthenticated(PaimonError):
    """The caller has not proven who they are."""


class AuthenticationExpired(Unauthenticated):
    """The proof of who the caller is has expired; sign in again."""


class Forbidden(PaimonError):
    """The caller may not do this."""


class NotFound(PaimonError):
    """What was asked for does not exist."""


class Conflict(PaimonError):
    """The present state does not allow this."""


class Unavailable(PaimonError):
    """A part that is needed does not answer now; try again shortly."""


class StartupError(PaimonError):
    """The process cannot start or go on. The message tells the operator what is wrong and what would be right."""
