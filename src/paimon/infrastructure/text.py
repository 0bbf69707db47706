"""Cleaning of external text before it is stored or sent."""


def strip_nul(text: str) -> str:
    """Replace NUL characters, which PostgreSQL cannot store and a contract's string or an error message may contain."""
    return text.replace("\x00", "\ufffd")


def encodable(text: str) -> str:
    """Write half of a surrogate pair, for which UTF-8 has no form, as its escape: `\\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode()
