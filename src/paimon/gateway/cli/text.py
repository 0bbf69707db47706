"""Words for figures that a person reads."""


def pluralize(number: int, noun: str) -> str:
    """`1 log`, `2 logs`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
