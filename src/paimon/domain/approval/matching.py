"""What a rule of the policy matches: sets of names and ranges of amounts, and what is left of one set beside another.

A rule matches a box: one set of names or one range of amounts in each dimension. Boxes can be intersected and subtracted
exactly. So it is decided, and not sampled, which operations no rule matches and which rule can never be reached.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Final, Self

_INFINITE: Final = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: the named ones, or every name but those."""

    named: frozenset[str] = frozenset()
    is_all_but: bool = True

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        return cls(frozenset(names), is_all_but=False)

    def __contains__(self, name: str) -> bool:
        return (name in self.named) is not self.is_all_but

    @property
    def is_empty(self) -> bool:
        """Whether no name is in it. What leaves names out is never empty: there are always others."""
        return not (self.named or self.is_all_but)

    @property
    def is_everything(self) -> bool:
        return self.is_all_but and not self.named

    def __and__(self, other: "Names") -> "Names":
        if self.is_all_but and other.is_all_but:
            return Names(self.named | other.named)
        if self.is_all_but:
            return other & self
        return Names.of(name for name in self.named if name in other)

    def minus(self, other: "Names") -> Iterator["Names"]:
        rest = self & Names(other.named, is_all_but=not other.is_all_but)
        if not rest.is_empty:
            yield rest

    def __str__(self) -> str:
        listed = ", ".join(sorted(self.named))
        if self.is_all_but:
            return f"any but {listed}" if self.named else "any"
        return listed


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A place between amounts: just before `value`, or just after it."""

    value: Decimal
    is_after: bool = False


@dataclass(frozen=True, slots=True)
class AmountRange:
    """The amounts between two cuts, in whole units of the vault's asset."""

    start: Cut = Cut(Decimal(0))
    end: Cut = Cut(_INFINITE)

    def __contains__(self, amount: Decimal) -> bool:
        return self.start <= Cut(amount) < self.end

    @property
    def is_empty(self) -> bool:
        return self.end <= self.start

    @property
    def is_everything(self) -> bool:
        return self == AmountRange()

    def __and__(self, other: "AmountRange") -> "AmountRange":
        return AmountRange(max(self.start, other.start), min(self.end, other.end))

    def minus(self, other: "AmountRange") -> Iterator["AmountRange"]:
        for rest in (AmountRange(self.start, min(self.end, other.start)), AmountRange(max(self.start, other.end), self.end)):
            if not rest.is_empty:
                yield rest

    def __str__(self) -> str:
        words = []
        if self.start != Cut(Decimal(0)):
            words.append(f"{'over' if self.start.is_after else 'at least'} {self.start.value:f}")
        if self.end.value != _INFINITE:
            words.append(f"{'up to' if self.end.is_after else 'below'} {self.end.value:f}")
        return " and ".join(words) or "any"


@dataclass(frozen=True, slots=True)
class Match:
    """A box of operations. The default of each dimension matches everything."""

    kinds: Names = field(default_factory=Names)
    initiators: Names = field(default_factory=Names)
    sources: Names = field(default_factory=Names)
    destinations: Names = field(default_factory=Names)
    assets: Names = field(default_factory=Names)
    contracts: Names = field(default_factory=Names)
    methods: Names = field(default_factory=Names)
    amount: AmountRange = field(default_factory=AmountRange)
    amount_24h: AmountRange = field(default_factory=AmountRange)

    def __and__(self, other: "Match") -> "Match | None":
        """Return the box that both match; None when they have nothing in common."""
        both = {name: getattr(self, name) & getattr(other, name) for name in DIMENSIONS}
        return None if any(part.is_empty for part in both.values()) else Match(**both)

    def minus(self, other: "Match") -> list["Match"]:
        """Return boxes without common operations that together are this one without `other`."""
        common = self & other
        if common is None:
            return [self]
        boxes, rest = [], self
        for name in DIMENSIONS:
            boxes += [replace(rest, **{name: part}) for part in getattr(rest, name).minus(getattr(common, name))]
            rest = replace(rest, **{name: getattr(common, name)})
        return boxes

    def includes(self, other: "Match") -> bool:
        return not other.minus(self)

    def __str__(self) -> str:
        parts = [
            f"{name.replace('_', ' ')}: {value}"
            for name, value in ((name, getattr(self, name)) for name in DIMENSIONS)
            if not value.is_everything
        ]
        return "; ".join(parts) or "every operation"


DIMENSIONS: Final = tuple(each.name for each in fields(Match))
