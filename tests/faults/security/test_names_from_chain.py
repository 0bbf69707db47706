"""A text from the chain is shown and logged as one short line, also one that is long or has hidden characters."""

import unicodedata
from typing import Final

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from structlog.testing import capture_logs
from tests.support.api_client import ApiClient
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.application.vault.tokens import observe_tokens
from paimon.composition import AppContext
from paimon.domain.kernel.chain import hex0x
from paimon_devkit.stack.fund_deployment import FundAsset

pytestmark = pytest.mark.fault

SLOT_OF_THE_SYMBOL: Final = 4
"""Of OpenZeppelin's ERC20: balances, allowances, supply, name, symbol."""
UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
SYMBOLS: Final = {
    "a line of its own": ("USD\n2026-11-29 signer.signed\r\x85\u2028x\u2029", "USD 2026-11-29 signer.signed x"),
    "controls": ("\x1b[31mUSDT\x1b[0m\x9b\x07\x7f", "[31mUSDT[0m"),
    "another direction": ("\u202eTDSU\u202c\u2066!\u2069\u200f\u061c", "TDSU!"),
    "far too long": ("A" * 500, "A" * 31 + "…"),
}


def name_itself(fund: TestFund, asset: FundAsset, symbol: str) -> None:
    """Let the token answer with this symbol from the next block on, by its storage."""
    content = symbol.encode()
    words = [content[at : at + 32].ljust(32, b"\0") for at in range(0, len(content), 32)]
    slot = SLOT_OF_THE_SYMBOL.to_bytes(32)
    if len(content) < 32:
        written = {int.from_bytes(slot): content.ljust(31, b"\0") + bytes([2 * len(content)])}
    else:
        first = int.from_bytes(keccak(slot))
        written = {int.from_bytes(slot): (2 * len(content) + 1).to_bytes(32)}
        written |= {first + index: word for index, word in enumerate(words)}
    for place, word in written.items():
        fund.node.rpc.call("anvil_setStorageAt", asset.address, hex(place), hex0x(word))
    with fund.chain() as chain:
        assert chain.read("TestToken", to_checksum_address(asset.address), "symbol") == symbol


async def test_symbol_of_a_token_is_one_short_line_in_lists_files_and_logs(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    assets = dict(zip(SYMBOLS.values(), fund.deployment.assets, strict=False))
    for (symbol, _), asset in assets.items():
        name_itself(fund, asset, symbol)
    fund.mine(1)
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    with capture_logs() as logs:
        await observe_tokens(app_context.database, app_context.contracts)
    listed = {item["token"]: item["symbol"] for item in (await api_client.get("/fund/assets")).json()["data"]["items"]}
    logged = {line["token"]: line["symbol"] for line in logs if line["event"] == "token.observed"}
    for (_, shown), asset in assets.items():
        assert listed[asset.address] == logged[asset.address] == shown
    for text in ((await api_client.get_file("/fund/assets")).text.replace("\r\n", ""), *logged.values()):
        assert not any(unicodedata.category(character) in UNSEEN for character in text.removeprefix("\ufeff"))


REASONS: Final = {
    "a line of its own": ("no papers\r\n2026-11-29 vote.approve\u2028by ada\x0b", "no papers 2026-11-29 vote.approve by ada"),
    "controls": ("\x1b]0;settled\x07\x9b2J\x00rejected\x7f", "]0;settled2J\ufffdrejected"),
    "another direction": ("\u202edelttes\u202c \u2067not\u2069\ufeff", "delttes not"),
    "far too long": ("x" * 5_000, "x" * 999 + "…"),
}


async def test_reason_of_a_rejection_is_one_line_wherever_it_is_shown(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    """Someone with the role rejects on chain, without this system and its check of the text."""
    requests = {fund.request("ines", 120_000 + number): texts for number, texts in enumerate(REASONS.values())}
    for request, (reason, _) in requests.items():
        fund.send("vera", "RedemptionManager", "rejectRedemption", request, reason)
    fund.wait_until_final()
    await record_all(app_context, fund)
    listed = {item["requestId"]: item for item in (await api_client.get("/redemptions")).json()["data"]["items"]}
    for request, (_, shown) in requests.items():
        detail = (await api_client.get(f"/redemptions/{request}")).json()["data"]
        (rejected,) = (entry for entry in detail["timeline"] if entry["kind"] == "RedemptionRejected")
        assert listed[str(request)]["rejectionReason"] == detail["rejectionReason"] == shown
        assert rejected["details"]["args"]["reason"] == shown
    exported = (await api_client.get_file("/redemptions")).text.replace("\r\n", "").removeprefix("\ufeff")
    assert not any(unicodedata.category(character) in UNSEEN for character in exported)
