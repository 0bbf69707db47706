"""Count the outcomes of actions: how often each kind was done, how often it reverted, and why."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

from paimon_devkit.market.actions import Action

_REASON_CHARACTERS_MAX: Final = 90


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one action. `reason` is the contract's revert reason; None when the action was done."""

    action: Action
    reason: str | None = None


class ChainUsage(Protocol):
    """The transactions and blocks that the actions took so far."""

    transactions: int
    blocks: int


@dataclass(slots=True)
class Summary:
    """The counts of one run or history."""

    seed: int
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[tuple[str, str]] = field(default_factory=Counter)
    transactions: int = 0
    blocks: int = 0
    fund_seconds: int = 0
    seconds: float = 0.0

    @property
    def actions(self) -> int:
        """How many actions were performed, with or without success."""
        return self.done.total() + self.reverted.total()

    def count(self, outcome: Outcome) -> None:
        """Add one outcome."""
        kind = outcome.action.kind
        if outcome.reason is None:
            self.done[kind] += 1
        else:
            self.reverted[kind, _without_values(outcome.reason)] += 1

    def update_usage(self, usage: ChainUsage, *, fund_seconds: int, seconds: float) -> None:
        """Set what the actions took: of the chain, of chain time and of real time."""
        self.transactions, self.blocks = usage.transactions, usage.blocks
        self.fund_seconds, self.seconds = fund_seconds, seconds

    def table(self) -> str:
        """Return a table of the kinds, most frequent first, each with its revert reasons."""
        failures: Counter[str] = Counter()
        for (kind, _), count in self.reverted.items():
            failures[kind] += count
        kinds = sorted(self.done.keys() | failures.keys(), key=lambda kind: (-self.done[kind], kind))
        lines = [f"{'action':<24}{'done':>7}{'reverted':>10}"]
        for kind in kinds:
            lines.append(f"{kind:<24}{self.done[kind]:>7}{failures[kind] or '':>10}")
            reasons = [(reason, count) for (failed_kind, reason), count in self.reverted.items() if failed_kind == kind]
            lines += [f"    {count} of: {reason}" for reason, count in sorted(reasons)]
        days = self.fund_seconds / 86_400
        lines.append(f"{'total':<24}{self.done.total():>7}{self.reverted.total() or '':>10}")
        blocks = (
            f" in {self.blocks} blocks" if self.blocks else ""
        )  # beside a running demo the chain makes the blocks by itself
        lines.append(
            f"seed {self.seed}: {self.transactions} transactions{blocks}, {days:.1f} days of the fund in {self.seconds:.1f} s"
        )
        return "\n".join(lines)


def _without_values(reason: str) -> str:
    """Return the error's name with the names of its arguments: their values differ and would split one reason into many."""
    name, bracket, arguments = reason.partition("(")
    if not bracket:
        return reason[:_REASON_CHARACTERS_MAX]
    names = ", ".join(argument.partition("=")[0].strip() for argument in arguments.rstrip(")").split(","))
    return f"{name}({names})"[:_REASON_CHARACTERS_MAX]
