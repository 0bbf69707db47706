"""Text that others wrote, made fit to be kept."""


def strip_nul(text: str) -> str:
    """The text as PostgreSQL can keep it: it has no NUL, which a contract's string or an error's message may hold."""
    return text.replace("\x00", "\ufffd")
