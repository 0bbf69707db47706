"""Signed actions: what a person signs before something happens, as one flat document that a hardware wallet can show.

The document has the action, the resource by its path in the API, one statement in words, the amount in the token's smallest
unit (0 where none moves), a hash of the whole effect, and the person's reason. The statement is for the eyes: it is cut to
what a small screen shows. The hash binds what the statement leaves out, such as the bytes of a call or a long error text.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.kernel.units import RawAmount

STATEMENT_CHARACTERS_MAX: Final = 200

SIGNED_ACTION: Final = DocumentType(
    "SignedAction",
    {
        "action": "string",
        "resource": "string",
        "statement": "string",
        "amount": "uint256",
        "effectHash": "bytes32",
        "reason": "string",
    },
)


class ActionName(StrEnum):
    """What people sign. Votes, plans and grants have a document of their own, which the signer or the users' chain verifies."""

    APPROVE_REDEMPTION = "approve_redemption"
    REJECT_REDEMPTION = "reject_redemption"
    EXECUTE_PLAN = "execute_plan"
    REJECT_PLAN = "reject_plan"
    CANCEL_PLAN = "cancel_plan"
    GRANT_USER = "grant_user"
    ERASE_PERSON = "erase_person"
    NAME_STAND_IN = "name_stand_in"
    END_STAND_IN = "end_stand_in"
    SET_ASSET_PROFILE = "set_asset_profile"
    SETTLE_REDEMPTION = "settle_redemption"
    RESOLVE_RISK_EVENT = "resolve_risk_event"
    SPEED_UP = "speed_up"
    CANCEL = "cancel"
    RETRY = "retry"
    CLEAR_FAULT = "clear_fault"
    REPLAY_MESSAGE = "replay_message"
    RELEASE_LOG = "release_log"
    SKIP_LOG = "skip_log"
    PUBLISH_POLICY = "publish_policy"
    STAND_DOWN_EMERGENCY = "stand_down_emergency"
    DECLINE_EMERGENCY_STEP = "decline_emergency_step"
    START_DRILL = "start_drill"
    SIGN_DRILL_STEP = "sign_drill_step"


@dataclass(frozen=True, slots=True)
class ActionContent:
    """Exactly what will happen. Two contents are equal only if the same would happen."""

    action: ActionName
    resource: str
    statement: str
    effect: Hash32
    amount: RawAmount = RawAmount(0)

    def document(self, reason: str, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
        """Build the EIP-712 document of the action."""
        return SIGNED_ACTION.build(
            {
                "action": self.action,
                "resource": self.resource,
                "statement": statement_text(self.statement),
                "amount": self.amount,
                "effectHash": self.effect,
                "reason": reason,
            },
            terms,
            scope,
        )


def statement_text(text: str) -> str:
    """Return the text in printable ASCII, since hardware wallets show nothing else, cut to what they can scroll through."""
    shown = "".join(character if " " <= character <= "~" else "?" for character in text)
    return shown if len(shown) <= STATEMENT_CHARACTERS_MAX else shown[: STATEMENT_CHARACTERS_MAX - 3] + "..."


def effect_hash(*parts: str) -> Hash32:
    """Hash the texts of an effect. Each part is hashed first, so that two effects cannot run together."""
    return Hash32(keccak(b"".join(keccak(text=part) for part in parts)))
