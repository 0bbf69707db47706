"""The subject of an intent: a redemption request, a Safe transaction or one call of a plan.

A subject is a type and a text id, so that one pair of columns and one index serve every kind of intent:

| type             | id                                                   |
|------------------|------------------------------------------------------|
| redemption       | the request's number in decimal: `17`                |
| safe_transaction | the hash that the owners sign: `0x…`, 64 digits      |
| plan_call        | the plan's id and the call's index: `<uuid>:0`       |
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from uuid import UUID

from paimon.domain.kernel.chain import Hash32, hex0x


class SubjectType(StrEnum):
    REDEMPTION = "redemption"
    SAFE_TRANSACTION = "safe_transaction"
    PLAN_CALL = "plan_call"


@dataclass(frozen=True, slots=True)
class IntentSubject:
    """What an intent is about. Make it with one of the class methods; the properties of other types are None."""

    type: SubjectType
    id: str

    @classmethod
    def redemption(cls, request_id: int) -> Self:
        return cls(SubjectType.REDEMPTION, str(request_id))

    @classmethod
    def safe_transaction(cls, safe_tx_hash: Hash32) -> Self:
        return cls(SubjectType.SAFE_TRANSACTION, hex0x(safe_tx_hash))

    @classmethod
    def plan_call(cls, plan_id: UUID, call_index: int) -> Self:
        return cls(SubjectType.PLAN_CALL, f"{plan_id}:{call_index}")

    @property
    def request_id(self) -> int | None:
        """The number of the redemption request."""
        return int(self.id) if self.type is SubjectType.REDEMPTION else None

    @property
    def safe_tx_hash(self) -> Hash32 | None:
        """The hash of the Safe transaction, as its owners sign it."""
        return Hash32(bytes.fromhex(self.id[2:])) if self.type is SubjectType.SAFE_TRANSACTION else None

    @property
    def plan_id(self) -> UUID | None:
        return UUID(self.id.partition(":")[0]) if self.type is SubjectType.PLAN_CALL else None

    @property
    def plan_call_index(self) -> int | None:
        """The place of the call in its plan, counted from 0."""
        return int(self.id.partition(":")[2]) if self.type is SubjectType.PLAN_CALL else None

    def __str__(self) -> str:
        return f"{self.type.replace('_', ' ')} {self.id}"
