"""Set up the signer on a real socket, and sign votes as approvers do."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr
from tests.support.chain.fund import TestFund

from paimon.domain.approval.redemption_ticket import ticket_id
from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import RedemptionDecision, redemption_decision_document
from paimon.domain.kernel.chain import Address, Hash32, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.plan import PlanExecution, PlanStep, plan_document
from paimon.domain.transaction.signing import (
    GasFees,
    GasFeeType,
    SignedPlan,
    SignedVote,
    SignRequest,
    UnsignedTransaction,
)
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.signer.caller_policy import CallersTable
from paimon.gateway.signer.policy import SignerPolicy, load_policy
from paimon.gateway.signer.policy_tables import (
    MONEY_FUNCTIONS,
    CapsTable,
    ContractsTable,
    KeyTable,
    PlanSignerTable,
    SignableFunction,
)
from paimon.gateway.signer.policy_text import write_policy
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.keys.client import SignerClient, SigningRefused
from paimon.infrastructure.keys.keystore import create_keystore
from paimon.infrastructure.keys.link import SocketLink
from paimon_devkit.stack.accounts import PLANNERS

MANAGER = load_abi("RedemptionManager")
GWEI = 10**9
LARGE = 120_000


FUNCTIONS = {
    "keeper": {SignableFunction.SETTLE, SignableFunction.SETTLE_SCHEDULED},
    "approver": {SignableFunction.APPROVE, SignableFunction.REJECT},
    "hot": set(MONEY_FUNCTIONS),
}
PLAN_LIMIT, DAY_LIMIT = 10_000, 25_000
"""The limits of the hot key in USDT. The day limit is low, so that tests reach it."""


def make_policy(fund: TestFund, folder: Path, *, names: Sequence[str] = ("keeper", "approver"), **changes: Any) -> Path:
    """Write a policy file with these keys of the fund, and their keystores and passwords beside it."""
    keys = []
    for name in names:
        functions = FUNCTIONS[name]
        limits = {"plan_limit": PLAN_LIMIT, "day_limit": DAY_LIMIT} if name == "hot" else {}
        password, keystore = folder / f"{name}.password", folder / f"{name}.json"
        if not keystore.exists():
            password.write_text(f"password of {name}")
            password.chmod(0o600)
            create_keystore(keystore, password, bytes(fund.accounts.account(name).key), scrypt_cost=2)
        keys.append(
            KeyTable(
                name=name,
                address=parse_address(fund.accounts.address(name)),
                keystore=keystore,
                password_file=password,
                functions=frozenset(functions),
                **limits,
            )
        )
    policy = SignerPolicy(
        chain_id=31337,
        rpc_url=SecretStr(fund.rpc_url),
        socket=folder / "signer.sock",
        callers=CallersTable(allow_same_user=True),
        only_signer=True,
        contracts=ContractsTable(
            vault=fund.addresses.vault,
            redemption_manager=fund.addresses.redemption_manager,
            asset_controller=fund.addresses.asset_controller,
        ),
        keys=tuple(keys),
        plan_signers=tuple(
            PlanSignerTable(
                name=name, address=parse_address(fund.accounts.address(name)), plan_limit=PLAN_LIMIT, day_limit=DAY_LIMIT
            )
            for name in PLANNERS
        ),
        caps=CapsTable(gas_wei_per_day_max=10**20),
    )
    path = folder / "signer.toml"
    write_policy(path, policy.model_copy(update={"only_signer": "leases" not in changes} | changes))
    return path


def signing_scope(fund: TestFund) -> SigningScope:
    return SigningScope(31337, fund.addresses.redemption_manager)


def decision_for(fund: TestFund, request_id: int, verdict: Verdict, reason: str = "", **changes: Any) -> RedemptionDecision:
    """Return the decision that an honest approver signs about this request."""
    request = fund.read("RedemptionManager", "getRedemptionRequest", request_id)
    decision = RedemptionDecision(
        ticket_id=ticket_id(request_id),
        request_id=request_id,
        owner=Address(request["owner"]),
        receiver=Address(request["receiver"]),
        gross_amount=RawAmount(request["grossAmount"]),
        verdict=verdict,
        reason=reason,
        policy_version=1,
        terms=SignatureTerms(
            nonce=Hash32(bytes([request_id]) * 32),
            expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5),
        ),
    )
    return replace(decision, **changes)


def sign_vote(fund: TestFund, voter: str, decision: RedemptionDecision, scope: SigningScope | None = None) -> SignedVote:
    document = redemption_decision_document(decision, scope or signing_scope(fund))
    signed = Account.sign_typed_data(fund.accounts.account(voter).key, full_message=document)
    return SignedVote(document, bytes(signed.signature))


_plan_numbers = count(1)


def sign_plan_document(
    fund: TestFund,
    *calls: Call,
    by: str = "otto",
    plan: str | None = None,
    wallet: PlanWallet = PlanWallet.HOT,
    amount: int = 10**9 * WAD,
    call_index: int | None = 0,
    scope: SigningScope | None = None,
    **terms: Any,
) -> SignedPlan:
    """Sign a plan of these calls, with an amount that allows them. Without a name it is a plan of its own."""
    name = plan or f"plan of its own {next(_plan_numbers)}"
    execution = PlanExecution(
        name, name, tuple(PlanStep(call, "a call") for call in calls), wallet, RawAmount(amount), "a test"
    )
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    fresh = SignatureTerms(Hash32(secrets.token_bytes(32)), expires_at)
    document = plan_document(execution, replace(fresh, **terms), scope or signing_scope(fund))
    signed = Account.sign_typed_data(fund.accounts.account(by).key, full_message=document)
    return SignedPlan(document, bytes(signed.signature), call_index)


def second_opinion(fund: TestFund) -> tuple[SecretStr, ...]:
    """Return the same node under another name: an endpoint that agrees with the first."""
    return (SecretStr(fund.rpc_url.replace("127.0.0.1", "localhost")),)


def signer_client(policy: Path) -> SignerClient:
    socket = load_policy(policy).socket
    assert socket is not None
    return SignerClient(SocketLink(socket), timeout=10)


def transaction(fund: TestFund, function: str, *args: Any, **changes: Any) -> UnsignedTransaction:
    call = Call(fund.addresses.redemption_manager, MANAGER.encode_call(function, *args))
    return replace(UnsignedTransaction(31337, 0, 300_000, GasFeeType.EIP1559, GasFees(2 * GWEI, GWEI), call), **changes)


def sign_request(fund: TestFund, key: str, unsigned: UnsignedTransaction, *votes: SignedVote) -> SignRequest:
    return SignRequest(parse_address(fund.accounts.address(key)), unsigned, votes)


async def refusal_code(signer: SignerClient, request: SignRequest) -> str:
    with pytest.raises(SigningRefused) as refused:
        await signer.sign(request)
    assert len(refused.value.reason) > 10, "the refusal gives a reason"
    return refused.value.code


def approval_request(fund: TestFund, request_id: int, *votes: SignedVote) -> SignRequest:
    return sign_request(fund, "approver", transaction(fund, "approveRedemption", request_id), *votes)


def make_vote(fund: TestFund, voter: str, request_id: int, verdict: Verdict = Verdict.APPROVE, **changes: Any) -> SignedVote:
    return sign_vote(fund, voter, decision_for(fund, request_id, verdict, **changes))
