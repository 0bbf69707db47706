class NonceUsed(Exception):
    """This vote's nonce was used before; a vote counts once."""


class SignerMismatch(Exception):
    """The signature was made by another wallet than the signed-in one, or over other words."""
