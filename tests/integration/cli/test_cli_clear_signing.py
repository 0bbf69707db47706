"""`paimon clear-signing`: with the files that it writes, a wallet shows in words what people sign, and no other document."""

import asyncio
import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.chain.fund import TestFund
from tests.support.clear_signing import ShownDocument, check_descriptor_types, show_documents
from tests.support.cli_processes import CliRunner, environment_of

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import PLAN_DECISION, RedemptionDecision, redemption_decision_document
from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.plan import PlanExecution, PlanStep, plan_document
from paimon.domain.transaction.safe_transaction import (
    SafeOperation,
    SafeScope,
    SafeTransaction,
    safe_transaction_document,
)
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.grants import Grant
from paimon.domain.user.roles import Permission, UserRole
from paimon.settings import Settings

pytestmark = pytest.mark.integration

WARM, COLD, OWNER, RECEIVER = (Address(bytes([number]) * 20) for number in (0xA1, 0xA2, 0xB1, 0xB2))
TERMS: Final = SignatureTerms(Hash32(b"\x07" * 32), datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
EXPIRES: Final = ("Signature expires", "2026-03-02 09:30:00Z")
DECIMALS: Final = 6
AMOUNT: Final = RawAmount(120_000_500_000)
EFFECT, SAFE_HASH, PREVIOUS = Hash32(b"\x01" * 32), Hash32(b"\x02" * 32), Hash32(b"\x03" * 32)
DATA: Final = bytes.fromhex("8456cb59")


def made_documents(fund: TestFund) -> dict[str, dict[str, Any]]:
    """Make one document of each type, as the use cases make them for this fund."""
    scope = SigningScope(31337, parse_address(fund.deployment.redemption_manager))
    action = ActionContent(
        ActionName.SETTLE_REDEMPTION, "/redemptions/7", "Settle redemption request 7", effect_hash("7"), AMOUNT
    )
    decision = RedemptionDecision("T-7", 7, OWNER, RECEIVER, AMOUNT, Verdict.APPROVE, "checked", 3, TERMS)
    steps = (PlanStep(Call(WARM, DATA), "Pause the vault"), PlanStep(Call(COLD, b"\x01" * 36), "Fill the buffer"))
    plan = PlanExecution("pause-1", "pause-1", steps, PlanWallet.WARM, AMOUNT, "prices do not fit")
    grant = Grant(OWNER, UserRole.OPERATOR, "Otto", 4, PREVIOUS, TERMS)
    exceptions = frozenset({Permission.MANAGE_POLICY})
    documents = [
        action.document("due today", TERMS, scope),
        redemption_decision_document(decision, scope),
        PLAN_DECISION.build(
            {
                "ticketId": "T-8",
                "plan": "pause-1",
                "safeTxHash": SAFE_HASH,
                "amount": AMOUNT,
                "verdict": Verdict.REJECT,
                "reason": "no need",
                "policyVersion": 3,
            },
            TERMS,
            scope,
        ),
        plan_document(plan, TERMS, scope),
        grant.document(scope),
        Grant(OWNER, UserRole.OPERATOR, "Otto", 4, PREVIOUS, TERMS, granted=exceptions).document(scope),
        safe_transaction_document(
            SafeTransaction(Call(RECEIVER, DATA, RawAmount(5 * 10**17)), SafeOperation.DELEGATECALL, 12), SafeScope(31337, WARM)
        ),
    ]
    return {document["primaryType"]: document for document in documents}


@pytest.fixture
def descriptors(cli: CliRunner, settings: Settings, tmp_path: Path) -> dict[str, Any]:
    """Run the command, and return what it wrote."""
    folder = tmp_path / "wallets" / "descriptors"
    safes = {"PAIMON_SENDING__WARM": checksum(WARM), "PAIMON_SENDING__COLD": checksum(COLD)}
    process = cli.start("clear-signing", str(folder), env=environment_of(settings) | safes)
    assert process.wait() == 0, process.output_text
    assert process.output_text.splitlines() == [str(file) for file in (folder / name for name in NAMES)]
    return {file.name: json.loads(file.read_bytes()) for file in folder.iterdir()}


NAMES: Final = [
    f"eip712-{name}.json"
    for name in (
        "SignedAction",
        "RedemptionDecision",
        "PlanDecision",
        "PlanExecution",
        "UserGrant",
        "UserGrantWithExceptions",
        "SafeTx",
    )
]


async def show(descriptors: dict[str, Any], fund: TestFund, *documents: dict[str, Any]) -> list[ShownDocument]:
    asset = parse_address(fund.deployment.usdt)
    return await asyncio.to_thread(show_documents, descriptors, documents, asset=asset, decimals=DECIMALS)


async def test_wallet_shows_every_document_in_words(descriptors: dict[str, Any], fund: TestFund, tmp_path: Path) -> None:
    await asyncio.to_thread(check_descriptor_types, descriptors, tmp_path)
    documents = made_documents(fund)
    assert set(descriptors) == {f"eip712-{name}.json" for name in documents}
    shown = dict(zip(documents, await show(descriptors, fund, *documents.values()), strict=True))
    assert not [(name, document.unknown) for name, document in shown.items() if document.unknown]
    assert {document.owner for document in shown.values()} == {"Paimon Prime Fund"}
    amount, user = ("Amount", "120000.5 USDT"), ("User", checksum(OWNER))
    decision_end = [("Reason", "no need"), ("Ticket", "T-8"), ("Policy version", "3"), EXPIRES]
    grant_end = [("Number of the grant", "4"), ("Grant before it", hex0x(PREVIOUS)), EXPIRES]
    grant_begin = [user, ("Role", "operator"), ("Name", "Otto")]
    assert {name: (document.intent, document.screens) for name, document in shown.items()} == {
        "SignedAction": (
            "Take an action in the fund",
            [
                ("Action", "settle_redemption"),
                ("Resource", "/redemptions/7"),
                ("What will happen", "Settle redemption request 7"),
                amount,
                ("Reason", "due today"),
                ("Hash of the effect", hex0x(effect_hash("7"))),
                EXPIRES,
            ],
        ),
        "RedemptionDecision": (
            "Decide on a redemption",
            [
                ("Verdict", "APPROVE"),
                ("Redemption request", "7"),
                amount,
                ("Receiver", checksum(RECEIVER)),
                ("Owner", checksum(OWNER)),
                ("Reason", "checked"),
                ("Ticket", "T-7"),
                ("Policy version", "3"),
                EXPIRES,
            ],
        ),
        "PlanDecision": (
            "Reject or cancel a plan",
            [("Verdict", "REJECT"), ("Plan", "pause-1"), amount, ("Safe transaction", hex0x(SAFE_HASH)), *decision_end],
        ),
        "PlanExecution": (
            "Submit a plan of calls",
            [
                ("Action", "execute_plan"),
                ("Plan", "pause-1"),
                ("Wallet", "warm"),
                amount,
                ("What it does", "Pause the vault"),
                ("Contract", checksum(WARM)),
                ("Call", hex0x(DATA)),
                ("What it does", "Fill the buffer"),
                ("Contract", checksum(COLD)),
                ("Call", hex0x(b"\x01" * 36)),
                ("Reason", "prices do not fit"),
                ("Key of the plan", "pause-1"),
                EXPIRES,
            ],
        ),
        "UserGrant": ("Change a user's role", [*grant_begin, *grant_end]),
        "UserGrantWithExceptions": (
            "Change a user's rights",
            [*grant_begin, ("Rights added", "manage_policy"), ("Rights taken", ""), *grant_end],
        ),
        "SafeTx": (
            "Run a Safe transaction",
            [
                ("Operation", "Delegate call"),
                ("Contract", checksum(RECEIVER)),
                ("Native amount", "0.5 BNB"),
                ("Call", hex0x(DATA)),
                ("Nonce of the Safe", "12"),
            ],
        ),
    }


async def test_wallet_shows_no_document_of_another_place_or_type(descriptors: dict[str, Any], fund: TestFund) -> None:
    """Another chain, contract, Safe or field: the wallet says that it knows no descriptor, and shows nothing as ours."""
    documents = made_documents(fund)
    action, safe = documents["SignedAction"], documents["SafeTx"]
    longer = copy.deepcopy(action)
    longer["types"]["SignedAction"].append({"name": "payTo", "type": "address"})
    longer["message"]["payTo"] = checksum(RECEIVER)
    others = [
        {**action, "domain": action["domain"] | {"chainId": 56}},
        {**action, "domain": action["domain"] | {"verifyingContract": checksum(RECEIVER)}},
        {**action, "domain": action["domain"] | {"name": "Paimon Prime Fund 2"}},
        {**safe, "domain": safe["domain"] | {"verifyingContract": checksum(RECEIVER)}},
        longer,
    ]
    for shown in await show(descriptors, fund, *others):
        assert (shown.intent, shown.screens) == (None, [])
        assert [warning.partition(":")[0] for warning in shown.unknown] in (["NO_DESCRIPTOR"], ["DOMAIN_MISMATCH"])


async def test_payment_to_the_executor_of_a_safe_transaction_is_shown(descriptors: dict[str, Any], fund: TestFund) -> None:
    safe = made_documents(fund)["SafeTx"]
    payment = {"safeTxGas": "1", "baseGas": "2", "gasPrice": "3", "gasToken": checksum(OWNER), "refundReceiver": checksum(COLD)}
    (shown,) = await show(descriptors, fund, {**safe, "message": safe["message"] | payment})
    assert shown.screens[-5:] == [
        ("Gas of the call", "1"),
        ("Base gas paid for", "2"),
        ("Gas price paid", "3"),
        ("Gas paid in", checksum(OWNER)),
        ("Gas paid to", checksum(COLD)),
    ]


def test_descriptors_without_a_safe_are_those_of_the_fund(cli: CliRunner, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "descriptors"
    process = cli.start("clear-signing", str(folder), env=environment_of(settings))
    assert process.wait() == 0, process.output_text
    assert sorted(file.name for file in folder.iterdir()) == sorted(NAMES[:-1])
    assert "neither PAIMON_SENDING__WARM nor PAIMON_SENDING__COLD is set" in process.output_text


def test_nothing_is_written_for_contracts_of_another_fund(cli: CliRunner, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "descriptors"
    env = environment_of(settings) | {"PAIMON_FUND__REDEMPTION_MANAGER": checksum(OWNER)}
    process = cli.start("clear-signing", str(folder), env=env)
    assert process.wait() == 2
    assert "no contract at block" in process.output_text
    assert not folder.exists()


def test_folder_that_cannot_be_written_is_said_so(cli: CliRunner, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    process = cli.start("clear-signing", str(tmp_path / "taken" / "below"), env=environment_of(settings))
    assert process.wait() == 2
    assert "cannot be written: Not a directory" in process.output_text
    assert "Traceback" not in process.output_text
