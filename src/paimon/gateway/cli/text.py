"""Words for figures that a person reads."""


def counted(number: int, noun: str) -> str:
    """`1 log`, `2 logs`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
