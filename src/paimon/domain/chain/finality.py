"""What makes a block final, chain by chain, and how far the final block may lie behind the head before somebody is told.

A rule is the node's own tag, a depth below the head, or both, of which the later decides; on BSC, where nodes may lack
the tag, so many of its turns below the head take its place. Whoever runs a house may set another rule for a chain. One
that could call a block final before the chain's own rule does is *looser*, and takes an explicit word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAJORITY_OF_VALIDATORS: Final = 11
"""Of BSC's 21. A turn is the number of blocks that one of them makes in a row."""


class FinalityTag(StrEnum):
    """A node's own word, the strict one first."""

    FINALIZED = "finalized"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """At least one of `tag` and `depth`; `turn_length` only where there are turns, beside the finalized tag."""

    tag: FinalityTag | None = None
    depth: int | None = None
    turn_length: int | None = None

    @property
    def turns_depth(self) -> int:
        """How far below the head the turns put the final block."""
        return MAJORITY_OF_VALIDATORS * (self.turn_length or 0)


CHAIN_RULES: Final[Mapping[int, FinalityRule]] = {
    56: FinalityRule(FinalityTag.FINALIZED, turn_length=16),
    97: FinalityRule(FinalityTag.FINALIZED, turn_length=16),
    31337: FinalityRule(FinalityTag.FINALIZED),
}
"""Each chain's own. Source: BEP-126 (fast finality), BEP-341 (turns), turn length since the Maxwell upgrade."""


def weaker_rule_reason(configured: FinalityRule, chain_rule: FinalityRule) -> str | None:
    """Why `wanted` may call a block final before the chain's own rule does; None when it cannot.

    Of a tag that is the chain's own nothing is lost by waiting for a depth too, or by waiting for the tag where turns
    would do. A depth alone knows nothing of votes: it is as good as the rule only from the depth of its turns on.
    """
    if configured.turn_length is not None and chain_rule.turn_length is None:
        return "this chain has no turns that could stand in for its tag"
    if configured.turn_length is not None and configured.turn_length < (chain_rule.turn_length or 0):
        return f"turns of {configured.turn_length} blocks are shorter than the chain's {chain_rule.turn_length}"
    if configured.tag is not None and configured.tag is not chain_rule.tag:
        return f"the tag {configured.tag} is not the chain's own, {chain_rule.tag}"
    if configured.tag is None and chain_rule.turn_length is None:
        return f"a depth alone is not the chain's own tag, {chain_rule.tag}"
    if configured.tag is None and (configured.depth or 0) < chain_rule.turns_depth:
        return f"{configured.depth} blocks are fewer than the {chain_rule.turns_depth} that make a block final without the tag"
    return None
