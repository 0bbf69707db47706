"""Errors of signed actions."""

from paimon.errors import Conflict, Forbidden


class NonceUsed(Conflict):
    """The nonce of this signed action was used before; each nonce works once."""

    field = "nonce"


class SignerMismatch(Forbidden):
    """The signature was made by another wallet than the signed-in one, or over other words."""
