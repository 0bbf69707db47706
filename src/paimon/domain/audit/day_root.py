"""Day roots: the tree's root at the end of each UTC day, as a file that is kept where the database's owner cannot change it.

    {"format": "paimon-day-root-1", "chainId": …, "redemptionManager": "0x…", "day": "2026-11-29", "size": n, "root": "0x…"}

Every day from the first sealed entry on has one, also a day on which nothing happened, so that a missing file shows.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address

FORMAT: Final = "paimon-day-root-1"

SETTLED_AFTER: Final = timedelta(minutes=1)
"""How long after midnight the last entries of a day may still be on their way into the tree."""


class DayRootUnreadable(ValueError):
    """The file holds no day root; the message says why."""


@dataclass(frozen=True, slots=True)
class DayRoot:
    """The root of the tree at the end of a UTC day, when it had `size` entries."""

    chain_id: int
    redemption_manager: Address
    day: date
    size: int
    root: Hash32

    @property
    def key(self) -> str:
        """Return where the object storage keeps it."""
        fund = f"{self.chain_id}-{checksum(self.redemption_manager)}"
        return f"audit/day-roots/{fund}/{self.day.year}/{self.day.isoformat()}.json"

    def content(self) -> bytes:
        """Return the file: one line of JSON, the same for the same root."""
        fields = {
            "format": FORMAT,
            "chainId": self.chain_id,
            "redemptionManager": checksum(self.redemption_manager),
            "day": self.day.isoformat(),
            "size": self.size,
            "root": hex0x(self.root),
        }
        return json.dumps(fields).encode() + b"\n"


def parse_day_root(content: bytes) -> DayRoot:
    """Read a day root's file.

    Raises:
        DayRootUnreadable
    """
    try:
        found: dict[str, Any] = json.loads(content)
        if found.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        parsed = DayRoot(
            int(found.pop("chainId")),
            parse_address(found.pop("redemptionManager")),
            date.fromisoformat(found.pop("day")),
            int(found.pop("size")),
            Hash32(bytes.fromhex(found.pop("root").removeprefix("0x"))),
        )
        if found or len(parsed.root) != 32 or parsed.size < 1:
            raise ValueError("it has other fields, or a root or size that is none")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DayRootUnreadable(f"no day root: {type(error).__name__}: {error}") from error
    return parsed


def end_of(day: date) -> datetime:
    """Return the end of a UTC day: the first moment of the next."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def ended_days(first: date, *, now: datetime) -> Iterable[date]:
    """List the days from `first` on that have ended and settled."""
    day = first
    while end_of(day) + SETTLED_AFTER <= now:
        yield day
        day += timedelta(days=1)
