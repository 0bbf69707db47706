"""Errors of idempotent requests."""

from paimon.errors import Conflict


class PayloadConflict(Conflict):
    """The idempotency key is taken by another payload."""
