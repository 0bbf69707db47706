"""Errors of idempotent requests."""

from paimon.errors import Conflict


class PayloadConflict(Conflict):
    """The idempotency key was used before, with another payload."""
