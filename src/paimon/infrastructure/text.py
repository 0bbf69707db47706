"""Cleaning of external text before it is stored."""


def strip_nul(text: str) -> str:
    """Replace NUL characters, which PostgreSQL cannot store and a contract's string or an error message may contain."""
    return text.replace("\x00", "\ufffd")
