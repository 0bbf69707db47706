"""The file of price sources: what it may say, and what its errors say."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.support.paths import ROOT

from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.units import WAD
from paimon.domain.price.calendar import BusinessDays, Heartbeat
from paimon.domain.price.observation import PriceSource, SourceKind
from paimon.settings import PricesSettings, SettingsError

pytestmark = pytest.mark.unit

TOKEN = "0x" + "Aa" * 20
WHOLE = f"""
[parity]
heartbeat_seconds = 3600
[[parity.sources]]
name = "usdt-usd"
kind = "aggregator"
quote = "USD"
address = "{"0x" + "bb" * 20}"
decimals = 8
description = "USDT / USD"

[[assets]]
token = "{TOKEN.lower()}"
cut_off = "17:30"
lag_days = 1
holidays = ["2026-12-25"]
growth = {{ price = "1.00", at = "2026-01-01", bps_a_year = 800 }}
[[assets.sources]]
name = "issuer"
upstream = "administrator"
kind = "http"
url = "https://issuer.example/nav.json"
price_at = "fund.nav"
public_key = "{"ab" * 32}"
"""


def settings(tmp_path: Path, text: str) -> PricesSettings:
    (tmp_path / "prices.toml").write_text(text)
    return PricesSettings(file=tmp_path / "prices.toml")


def test_file_sets_calendars_bounds_and_sources(tmp_path: Path) -> None:
    prices = settings(tmp_path, WHOLE)
    pricing = prices.policy().pricing(parse_address(TOKEN.lower()))
    assert isinstance(pricing.calendar, BusinessDays)
    assert (pricing.calendar.lag_days, pricing.calendar.holidays) == (1, frozenset({date(2026, 12, 25)}))
    assert pricing.growth_bound is not None
    assert (pricing.growth_bound.price, pricing.growth_bound.at) == (WAD, datetime(2026, 1, 1, tzinfo=UTC))
    assert pricing.sources == {"issuer"}
    assert isinstance(prices.sources.parity.calendar, Heartbeat)
    assert prices.sources.assets[0].sources[0].source == PriceSource("issuer", SourceKind.HTTP, "administrator")
    assert PricesSettings().sources.assets == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"fund.nav"', '"fund.nav"\ncolour = "red"', "assets.0.sources.0.http.colour: Extra inputs are not permitted"),
        ('kind = "http"', 'kind = "rumour"', "assets.0.sources.0"),
        (f'public_key = "{"ab" * 32}"', "", "has a public_key that signs its answers, or an authorization_file"),
        ('"' + "ab" * 32 + '"', '"abcd"', "an Ed25519 key is 64 hexadecimal digits"),
        ('name = "issuer"', 'name = "adapter"', "is the fund's own source"),
        ('upstream = "administrator"', 'upstream = "adapter"', "is the fund's own source"),
        ('quote = "USD"', 'quote = "USDT"', 'set quote = "USD"'),
        ("https://issuer", "ftp://issuer", "must be a URL that starts with https:// or http://"),
        (f'"{TOKEN.lower()}"', '"0x12"', "not an address"),
        ("[parity]", "[parity", "no TOML"),
    ],
)
def test_wrong_file_is_refused_with_the_place_and_what_would_be_right(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, WHOLE.replace(old, new)).policy()
    assert message in str(refused.value)
    assert "issuer.example" not in str(refused.value), "a URL may hold a key"


def test_assets_and_sources_stand_in_the_file_once(tmp_path: Path) -> None:
    twice = WHOLE + WHOLE[WHOLE.index("[[assets]]") :]
    with pytest.raises(SettingsError, match="an asset stands in the file twice"):
        settings(tmp_path, twice).policy()
    source = WHOLE[WHOLE.index("[[assets.sources]]") :]
    with pytest.raises(SettingsError, match="two sources of one asset have the same name"):
        settings(tmp_path, WHOLE + source).policy()


def test_example_of_the_deployment_is_a_valid_file() -> None:
    prices = PricesSettings(file=ROOT / "deploy/prices.example.toml")
    kinds = [source.source.kind for asset in prices.sources.assets for source in asset.sources]
    assert (kinds, len(prices.policy().assets)) == ([SourceKind.HTTP, SourceKind.HTTP], 2)


def test_missing_file_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PAIMON_PRICES__FILE"):
        PricesSettings(file=tmp_path / "none.toml").policy()
