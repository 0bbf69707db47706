"""Finality rules by chain.

A rule is the node's finality tag, a depth below the head, or both; with both, the later one decides. On BSC, where nodes
may lack the tag, a number of turns below the head stands in for it. An operator may configure another rule for a chain. A
rule that could call a block final before the chain's own rule does is *weaker*, and needs an explicit setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAJORITY_OF_VALIDATORS: Final = 11
"""Of BSC's 21 validators. A turn is the number of blocks that one validator makes in a row."""


class FinalityTag(StrEnum):
    """A block tag of the node, the strict one first."""

    FINALIZED = "finalized"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """The rule by which a block is final: at least one of `tag` and `depth`.

    `turn_length` exists only on chains with turns, beside the tag `finalized`.
    """

    tag: FinalityTag | None = None
    depth: int | None = None
    turn_length: int | None = None

    @property
    def turns_depth(self) -> int:
        """Return how far below the head the turns put the final block."""
        return MAJORITY_OF_VALIDATORS * (self.turn_length or 0)


CHAIN_RULES: Final[Mapping[int, FinalityRule]] = {
    56: FinalityRule(FinalityTag.FINALIZED, turn_length=16),
    97: FinalityRule(FinalityTag.FINALIZED, turn_length=16),
    31337: FinalityRule(FinalityTag.FINALIZED),
}
"""Each chain's own rule. Source: BEP-126 (fast finality), BEP-341 (turns), turn length since the Maxwell upgrade."""


def weaker_rule_reason(configured: FinalityRule, chain_rule: FinalityRule) -> str | None:
    """Explain why `configured` may call a block final before `chain_rule` does; None when it cannot.

    With the chain's own tag, waiting for a depth as well, or for the tag where turns would do, loses nothing. A depth alone
    knows nothing of votes: it is as good as the rule only from the depth of the turns on.
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
