"""The signer over its real socket: what it signs, and what it refuses for every key."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from tests.support.chain.fund import TestFund
from tests.support.signing import MANAGER, approval_request, make_vote, refusal_code, sign_request, transaction

from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFees, GasFeeType
from paimon.gateway.signer.policy_tables import CapsTable
from paimon.infrastructure.keys.client import SignerClient

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", GasFeeType)
async def test_signer_signs_a_settlement_by_the_keeper(signer: SignerClient, fund: TestFund, kind: GasFeeType) -> None:
    unsigned = transaction(fund, "settleRedemption", 1, gas_fee_type=kind)
    signed = await signer.sign(sign_request(fund, "keeper", unsigned))
    assert Account.recover_transaction(signed.raw) == fund.accounts.address("keeper")


async def test_signer_signs_an_approval_with_a_valid_vote(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    signed = await signer.sign(approval_request(fund, pending_request_id, make_vote(fund, "vera", pending_request_id)))
    assert Account.recover_transaction(signed.raw) == fund.accounts.address("approver")


async def test_signer_signs_a_rejection_with_the_signed_reason(
    signer: SignerClient, fund: TestFund, pending_request_id: int
) -> None:
    signed_vote = make_vote(fund, "vera", pending_request_id, Verdict.REJECT, reason="documents are missing")
    unsigned = transaction(fund, "rejectRedemption", pending_request_id, "documents are missing")
    await signer.sign(sign_request(fund, "approver", unsigned, signed_vote))


@pytest.mark.parametrize("key", ["keeper", "approver"])
async def test_signer_signs_a_self_send_by_every_key(signer: SignerClient, fund: TestFund, key: str) -> None:
    own = parse_address(fund.accounts.address(key))
    await signer.sign(sign_request(fund, key, transaction(fund, "settleRedemption", 1, call=Call(own, b""))))


async def test_health_names_the_keys_of_the_policy(signer: SignerClient, fund: TestFund) -> None:
    health = await signer.health()
    assert health["chainId"] == 31337
    assert {key["name"]: key["address"] for key in health["keys"]} == {
        name: fund.accounts.address(name) for name in ("keeper", "approver")
    }


async def test_signer_refuses_another_chain(signer: SignerClient, fund: TestFund) -> None:
    assert (
        await refusal_code(signer, sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, chain_id=56)))
        == "WRONG_CHAIN"
    )


async def test_signer_refuses_a_key_it_does_not_have(signer: SignerClient, fund: TestFund) -> None:
    assert await refusal_code(signer, sign_request(fund, "hot", transaction(fund, "settleRedemption", 1))) == "UNKNOWN_KEY"


async def test_signer_refuses_gas_or_price_above_its_caps(signer: SignerClient, fund: TestFund) -> None:
    caps = CapsTable()
    for changes in ({"gas_limit": caps.gas_limit_max + 1}, {"fees": GasFees(caps.fee_wei_max + 1, 1)}):
        request = sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, **changes))
        assert await refusal_code(signer, request) == "CAP_EXCEEDED"


async def test_signer_refuses_a_transaction_that_sends_value(signer: SignerClient, fund: TestFund) -> None:
    unsigned = transaction(fund, "settleRedemption", 1)
    with_value = replace(unsigned, call=replace(unsigned.call, value_wei=RawAmount(1)))
    assert await refusal_code(signer, sign_request(fund, "keeper", with_value)) == "VALUE_NOT_ZERO"
    own = parse_address(fund.accounts.address("keeper"))
    self_send = replace(unsigned, call=Call(own, b"", RawAmount(1)))
    assert await refusal_code(signer, sign_request(fund, "keeper", self_send)) == "VALUE_NOT_ZERO"


async def test_signer_refuses_another_contract(signer: SignerClient, fund: TestFund) -> None:
    call = Call(fund.addresses.vault, MANAGER.encode_call("settleRedemption", 1))
    assert (
        await refusal_code(signer, sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, call=call)))
        == "WRONG_CONTRACT"
    )


async def test_signer_refuses_a_self_send_with_data(signer: SignerClient, fund: TestFund) -> None:
    own = parse_address(fund.accounts.address("keeper"))
    request = sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, call=Call(own, b"\x00")))
    assert await refusal_code(signer, request) == "WRONG_CONTRACT"


@pytest.mark.parametrize("tail", [b"\x00", b"\x00" * 32])
async def test_signer_refuses_trailing_bytes(signer: SignerClient, fund: TestFund, tail: bytes) -> None:
    unsigned = transaction(fund, "settleRedemption", 1)
    padded = replace(unsigned, call=replace(unsigned.call, data=unsigned.call.data + tail))
    assert await refusal_code(signer, sign_request(fund, "keeper", padded)) == "UNKNOWN_CALL"


async def test_signer_refuses_an_unknown_selector(signer: SignerClient, fund: TestFund) -> None:
    call = Call(fund.addresses.redemption_manager, bytes.fromhex("deadbeef"))
    assert (
        await refusal_code(signer, sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, call=call)))
        == "UNKNOWN_CALL"
    )


@pytest.mark.parametrize(
    ("key", "function", "args"),
    [
        ("keeper", "approveRedemption", (1,)),
        ("keeper", "rejectRedemption", (1, "no")),
        ("keeper", "batchSettleRedemptions", (5,)),
        ("keeper", "pause", ()),
        ("approver", "settleRedemption", (1,)),
        ("approver", "cancelRedemption", (1,)),
    ],
)
async def test_signer_refuses_a_function_of_another_key(
    signer: SignerClient, fund: TestFund, key: str, function: str, args: tuple[Any, ...]
) -> None:
    assert await refusal_code(signer, sign_request(fund, key, transaction(fund, function, *args))) == "FUNCTION_NOT_ALLOWED"
