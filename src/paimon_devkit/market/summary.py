"""What came of the actions: how often each kind was done, how often it reverted, and why."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

from paimon_devkit.market.actions import Action

_REASON_CHARACTERS_MAX: Final = 90


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` says in the contract's words why it reverted; None when it was done."""

    action: Action
    reason: str | None = None


class ChainUsage(Protocol):
    """What performing has cost the chain so far."""

    transactions: int
    blocks: int


@dataclass(slots=True)
class Summary:
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[tuple[str, str]] = field(default_factory=Counter)
    transactions: int = 0
    blocks: int = 0
    fund_seconds: int = 0
    seconds: float = 0.0

    @property
    def actions(self) -> int:
        return self.done.total() + self.reverted.total()

    def count(self, outcome: Outcome) -> None:
        kind = outcome.action.kind
        if outcome.reason is None:
            self.done[kind] += 1
        else:
            self.reverted[kind, _without_values(outcome.reason)] += 1

    def update_usage(self, usage: ChainUsage, *, fund_seconds: int, seconds: float) -> None:
        self.transactions, self.blocks = usage.transactions, usage.blocks
        self.fund_seconds, self.seconds = fund_seconds, seconds

    def table(self) -> str:
        """Kinds by how often they were done; below each, what reverted."""
        failures: Counter[str] = Counter()
        for (kind, _), count in self.reverted.items():
            failures[kind] += count
        kinds = sorted(self.done.keys() | failures.keys(), key=lambda kind: (-self.done[kind], kind))
        lines = [f"{'action':<24}{'done':>7}{'reverted':>10}"]
        for kind in kinds:
            lines.append(f"{kind:<24}{self.done[kind]:>7}{failures[kind] or '':>10}")
            for (each, reason), count in sorted(self.reverted.items()):
                if each == kind:
                    lines.append(f"    {count} of: {reason}")
        days = self.fund_seconds / 86_400
        lines.append(f"{'together':<24}{self.done.total():>7}{self.reverted.total() or '':>10}")
        blocks = f" in {self.blocks} blocks" if self.blocks else ""  # beside a running demo the chain makes them by itself
        lines.append(
            f"seed {self.seed}: {self.transactions} transactions{blocks}, {days:.1f} days of the fund in {self.seconds:.1f} s"
        )
        return "\n".join(lines)


def _without_values(reason: str) -> str:
    """The error's name and its arguments' names; the figures differ each time and would hide that it is the same."""
    name, bracket, arguments = reason.partition("(")
    if not bracket:
        return reason[:_REASON_CHARACTERS_MAX]
    names = ", ".join(each.partition("=")[0].strip() for each in arguments.rstrip(")").split(","))
    return f"{name}({names})"[:_REASON_CHARACTERS_MAX]
