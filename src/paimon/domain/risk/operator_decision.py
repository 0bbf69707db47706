"""What people decide about something this house could not do by itself: a reaction it gave up, a log it could not apply.

    replay_reaction   the reaction is due again; done with its asking
    release_log       asked ──► done   the books are rebuilt, and the log is read and applied as the code does it today
    skip_log          asked ──► done   the books are rebuilt without it, now and by every later replay

Of several decisions about one log the last counts: what was skipped may be released once the code can read it. A remedy is
EIP-712 typed data that names what is wrong in its own words, so that nobody remedies what they have not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.domain.kernel.eip712 import DOMAIN_FIELDS, VoteScope
from paimon.errors import Conflict

PRIMARY_TYPE: Final = "Remedy"

_TYPES: Final[dict[str, list[dict[str, str]]]] = {
    "EIP712Domain": DOMAIN_FIELDS,
    PRIMARY_TYPE: [
        {"name": "action", "type": "string"},
        {"name": "subject", "type": "string"},
        {"name": "about", "type": "string"},
        {"name": "reason", "type": "string"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "expiresAt", "type": "uint256"},
    ],
}


class RemedyKind(StrEnum):
    REPLAY_REACTION = "replay_reaction"
    RELEASE_LOG = "release_log"
    SKIP_LOG = "skip_log"


LOG_REMEDIES: Final = (RemedyKind.RELEASE_LOG, RemedyKind.SKIP_LOG)


class RemedyState(StrEnum):
    ASKED = "asked"
    DONE = "done"


class RemedyNotPossible(Conflict):
    """What is asked makes no sense in the present state."""


class LogKey(NamedTuple):
    """One log, whatever block of another chain may have its number."""

    block_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What a remedy is for, by name, and what is wrong with it, in its own words."""

    name: str
    about: str


def reaction_subject(outbox_id: int, kind: str, aggregate_id: str, last_error: str | None) -> Subject:
    return Subject(f"reaction {outbox_id}", f"{kind} {aggregate_id}: {last_error or 'no failure'}")


def log_subject(key: LogKey, block_number: int, reason: str | None) -> Subject:
    name = f"log {key.log_index} of block {block_number} ({hex0x(key.block_hash)})"
    return Subject(name, reason or "left out by an earlier decision")


def left_out(verdicts: Iterable[tuple[LogKey, RemedyKind]]) -> frozenset[LogKey]:
    """The logs whose last verdict, in the order they were given, is to skip them."""
    last = dict(verdicts)
    return frozenset(key for key, kind in last.items() if kind is RemedyKind.SKIP_LOG)


def why_not_log(kind: RemedyKind, *, quarantined: bool, skipped: bool) -> str | None:
    """Why this remedy makes no sense for a log that stands so; None when it does."""
    if skipped:
        return None if kind is RemedyKind.RELEASE_LOG else "the log is left out already"
    return None if quarantined else "the log is not in quarantine: it was read, and what follows from it is in the books"


def why_not_reaction(*, dead: bool, done: bool) -> str | None:
    if done:
        return "the reaction is done"
    return None if dead else "the reaction is due and will be tried by itself; only one that was given up can be replayed"


def remedy_document(
    kind: RemedyKind, subject: Subject, reason: str, *, nonce: Hash32, expires_at: datetime, scope: VoteScope
) -> dict[str, Any]:
    """The EIP-712 document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`."""
    return {
        "types": _TYPES,
        "primaryType": PRIMARY_TYPE,
        "domain": {
            "name": "Paimon Prime Fund",
            "version": "1",
            "chainId": scope.chain_id,
            "verifyingContract": checksum(scope.redemption_manager),
        },
        "message": {
            "action": kind.value,
            "subject": subject.name,
            "about": subject.about,
            "reason": reason,
            "nonce": hex0x(nonce),
            "expiresAt": str(int(expires_at.timestamp())),
        },
    }
