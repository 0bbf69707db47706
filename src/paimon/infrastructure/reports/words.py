"""A report's words and values as a page shows them in one language: labels by name, amounts grouped and rounded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Self

from paimon.domain.report.document import Source, Unit, Value
from paimon.domain.report.values import as_decimal
from paimon.infrastructure.reports.labels import LABELS, Language

_PLACES: Final[Mapping[Unit, int]] = {Unit.MONEY: 2, Unit.NAV: 6, Unit.SHARES: 4}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    language: Language
    labels: Mapping[str, str]
    asset_decimals: int

    @classmethod
    def of(cls, language: Language, asset_decimals: int) -> Self:
        return cls(language, LABELS[language], asset_decimals)

    def __getitem__(self, name: str) -> str:
        return self.labels[name]

    def shown(self, value: Value, unit: Unit) -> str:
        """Return a value for a page: amounts grouped and rounded half to even, ratios and returns in percent, times in UTC."""
        match value:
            case None:
                return "–"  # noqa: RUF001 — a dash, where there is nothing
            case bool():
                return self["yes" if value else "no"]
            case datetime():
                return f"{value:%Y-%m-%d %H:%M:%S}"
            case str():
                return self[f"name.{value}"] if unit is Unit.NAME else value
            case Decimal() if unit is Unit.RETURN:
                return f"{value * 100:.4f} %"
            case Decimal():
                return f"{value.normalize():f}"
            case int() if unit is Unit.RATIO:
                return f"{Decimal(value) / 100:.2f} %"
            case int() if unit is Unit.SECONDS:
                return f"{value:,} s"
            case int() if unit is Unit.BLOCK:
                return str(value)
            case int() if (places := _PLACES.get(unit)) is not None:
                return f"{as_decimal(value, unit, self.asset_decimals):,.{places}f}"
            case int():
                return f"{value:,}"

    def blocks(self, source: Source) -> str:
        """Return the blocks of a source: `≤ 120`, or `101–120`."""
        if source.block is None:
            return ""
        return str(source.block) if source.after_block is None else f"{source.after_block + 1}–{source.block}"  # noqa: RUF001
