"""The file of price sources: assets with their calendars, bounds and sources, and the sources of USDT's parity.

[parity]
heartbeat_seconds = 3600
[[parity.sources]]
name = "chainlink usdt-usd"
kind = "aggregator"
address = "0x…"
decimals = 8
description = "USDT / USD"

[[assets]]
token = "0x…"
cut_off = "18:00"
holidays = ["2026-12-25"]
[[assets.sources]]
name = "issuer"
kind = "http"
url = "https://issuer.example/nav.json"
price_at = "fund.nav"
time_at = "fund.valuedAt"
public_key = "…"
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.price.calendar import BusinessDays, Calendar, Heartbeat
from paimon.domain.price.observation import ADAPTER_SOURCE, PriceSource, SourceKind, scaled
from paimon.domain.price.policy import GrowthBound
from paimon.settings.base import ChecksumAddress, HttpUrl, SettingsEntry
from paimon.settings.toml_file import read_toml_file


def _public_key(text: str) -> str:
    if len(bytes.fromhex(text)) != 32:
        raise ValueError("an Ed25519 key is 64 hexadecimal digits")
    return text


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class SourceSettings(SettingsEntry):
    """What every source has. Sources of one upstream count once."""

    name: str = Field(min_length=1, max_length=60)
    upstream: str | None = None
    quote: Literal["USDT", "USD"] = "USDT"

    def _source(self, kind: SourceKind) -> PriceSource:
        return PriceSource(self.name, kind, self.upstream or self.name)

    @model_validator(mode="after")
    def _is_not_the_adapter(self) -> Self:
        if ADAPTER_SOURCE.name in (self.name, self.upstream):
            raise ValueError(f"{ADAPTER_SOURCE.name!r} is the fund's own source, which needs no entry")
        return self


class AggregatorSettings(SourceSettings):
    """A feed with Chainlink's interface. Its decimals, description and aggregator are those that a person confirmed here."""

    kind: Literal["aggregator"]
    address: ChecksumAddress
    decimals: int = Field(ge=0, le=36)
    description: str
    aggregator: ChecksumAddress | None = None

    @property
    def source(self) -> PriceSource:
        return self._source(SourceKind.AGGREGATOR)


class HttpSourceSettings(SourceSettings):
    """A web service that answers JSON: its answers are signed with the public key, or it is asked with a key, or both."""

    kind: Literal["http"]
    url: HttpUrl
    price_at: str = Field(min_length=1, description="names and indexes that lead to the price, with dots between them")
    time_at: str | None = None
    public_key: Annotated[str, AfterValidator(_public_key)] | None = None
    authorization_file: Path | None = None

    @property
    def source(self) -> PriceSource:
        return self._source(SourceKind.HTTP)

    @model_validator(mode="after")
    def _is_authenticated(self) -> Self:
        if self.public_key is None and self.authorization_file is None:
            raise ValueError("a web source has a public_key that signs its answers, or an authorization_file")
        return self

    def authorization(self) -> SecretStr | None:
        """Read the value of the `Authorization` header.

        Raises:
            OSError.
        """
        return None if self.authorization_file is None else SecretStr(self.authorization_file.read_text().strip())


AnySource = Annotated[AggregatorSettings | HttpSourceSettings, Field(discriminator="kind")]


class CalendarSettings(SettingsEntry):
    """When a price is expected: at a heartbeat, or each business day."""

    heartbeat_seconds: float | None = Field(None, gt=0)
    cut_off: time = time(18)
    grace_hours: float = Field(6, ge=0)
    lag_days: int = Field(0, ge=0, le=30)
    holidays: frozenset[date] = frozenset()

    @property
    def calendar(self) -> Calendar:
        grace = timedelta(hours=self.grace_hours)
        if self.heartbeat_seconds is not None:
            return Heartbeat(timedelta(seconds=self.heartbeat_seconds), grace)
        return BusinessDays(self.cut_off, grace, self.lag_days, self.holidays)


class GrowthSettings(SettingsEntry):
    """A dated price, and how much the asset can have grown from it in a year."""

    price: Decimal = Field(gt=0)
    at: Moment
    bps_a_year: int = Field(ge=0, le=100_000)

    @property
    def bound(self) -> GrowthBound:
        return GrowthBound(RawAmount(scaled(self.price) or 0), self.at, Bps(self.bps_a_year))


class ParitySettings(CalendarSettings):
    """The sources of USD for one USDT."""

    sources: tuple[AnySource, ...] = ()


class AssetSettings(CalendarSettings):
    """One asset's calendar, bound and sources."""

    token: ChecksumAddress
    growth: GrowthSettings | None = None
    sources: tuple[AnySource, ...] = ()


class PriceSources(SettingsEntry):
    """The whole file."""

    parity: ParitySettings = ParitySettings(heartbeat_seconds=86_400)
    assets: tuple[AssetSettings, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        tokens = [asset.token for asset in self.assets]
        if len(set(tokens)) < len(tokens):
            raise ValueError("an asset stands in the file twice")
        for listed in (self.parity.sources, *(asset.sources for asset in self.assets)):
            names = [source.name for source in listed]
            if len(set(names)) < len(names):
                raise ValueError("two sources of one asset have the same name")
        if any(source.quote == "USDT" for source in self.parity.sources):
            raise ValueError('the sources of the parity give USD for one USDT: set quote = "USD"')
        return self


@lru_cache(maxsize=8)
def read_price_sources(path: Path) -> PriceSources:
    """Read the file, once in a process.

    Raises:
        SettingsError: names what is wrong, but repeats no value.
    """
    return read_toml_file(path, PriceSources, title="price sources", variable="PAIMON_PRICES__FILE")
