class PayloadConflict(Exception):
    """The idempotency key was used before for another payload."""
