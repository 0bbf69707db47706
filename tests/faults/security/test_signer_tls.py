"""The signer on another machine: TLS 1.3, and only the certificates that both sides have pinned."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Certificate, make_certificate
from tests.support.chain.fund import TestFund
from tests.support.signing import make_policy, sign_request, transaction

from paimon.gateway.signer.caller_policy import CallersTable, TlsClientTable, TlsTable
from paimon.gateway.signer.connections import ConnectionLimits
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.infrastructure.keys.link import TlsLink
from paimon.infrastructure.observability.metrics import SIGNER_CONNECTIONS_REFUSED
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    folder = tmp_path_factory.mktemp("certificates")
    made = {name: make_certificate(folder, name) for name in ("signer", "worker", "stranger")}
    made["ca"] = make_certificate(folder, "ca", ca=True)
    made["issued"] = make_certificate(folder, "issued", issuer=made["ca"])
    return made


def tls_policy(
    fund: TestFund, folder: Path, certificates: dict[str, Certificate], *, pinned: str = "worker", **changes: Any
) -> Path:
    server, client = certificates["signer"], certificates[pinned]
    table = TlsTable(
        host="127.0.0.1",
        port=free_port(),
        certificate=server.path,
        private_key=server.key,
        clients=(TlsClientTable(name="worker-1", certificate=client.path, sha256=client.sha256),),
    ).model_copy(update=changes)
    return make_policy(fund, folder, socket=None, callers=CallersTable(), tls=table)


@pytest.fixture
async def link(fund: TestFund, tmp_path: Path, certificates: dict[str, Certificate]) -> AsyncIterator[TlsLink]:
    """The worker's link to a running signer."""
    async with running_signer(tls_policy(fund, tmp_path, certificates), new_ledger=True) as service:
        assert service.policy.tls is not None
        yield worker_link(service.policy.tls.port, certificates)


def worker_link(port: int, certificates: dict[str, Certificate], *, client: str = "worker") -> TlsLink:
    own = certificates[client]
    return TlsLink(f"https://127.0.0.1:{port}", certificates["signer"].path, own.path, own.key)


def refused(reason: str) -> float:
    return float(SIGNER_CONNECTIONS_REFUSED.labels(reason)._value.get())


async def test_worker_gets_a_signature_from_another_machine(link: TlsLink, fund: TestFund) -> None:
    signed = await SignerClient(link, timeout=10).sign(sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1)))
    assert signed.raw


async def test_stranger_gets_nothing_and_is_counted(link: TlsLink, certificates: dict[str, Certificate]) -> None:
    before = refused("handshake_failed")
    stranger = certificates["stranger"]
    with pytest.raises(SignerUnavailable):
        await SignerClient(replace(link, client_certificate=stranger.path, client_key=stranger.key), timeout=10).health()
    assert refused("handshake_failed") > before
    assert (await SignerClient(link, timeout=10).health())["chainId"] == 31337


async def test_client_without_a_certificate_or_with_tls_1_2_is_refused(link: TlsLink, eventually: Any) -> None:
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        before = refused("handshake_failed")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await _ask(int(link.url.rpartition(":")[2]), context)

        async def counted(before: float = before) -> bool:
            return refused("handshake_failed") > before

        await eventually(counted)


async def _ask(port: int, context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        if not await reader.read():
            raise ConnectionResetError
    finally:
        writer.close()


async def test_worker_refuses_another_server(link: TlsLink, certificates: dict[str, Certificate]) -> None:
    with pytest.raises(SignerUnavailable, match="certificate"):
        await SignerClient(replace(link, server_certificate=certificates["stranger"].path), timeout=10).health()


async def test_certificate_that_a_pinned_one_issued_is_refused_by_its_fingerprint(
    fund: TestFund, tmp_path: Path, certificates: dict[str, Certificate]
) -> None:
    before = refused("unknown_certificate")
    async with running_signer(tls_policy(fund, tmp_path, certificates, pinned="ca"), new_ledger=True) as service:
        assert service.policy.tls is not None
        port = service.policy.tls.port
        assert await SignerClient(worker_link(port, certificates, client="ca"), timeout=10).health()
        with pytest.raises(SignerUnavailable):
            await SignerClient(worker_link(port, certificates, client="issued"), timeout=10).health()
    assert refused("unknown_certificate") > before


async def test_signer_does_not_start_when_a_pin_differs_from_its_file(
    fund: TestFund, tmp_path: Path, certificates: dict[str, Certificate]
) -> None:
    swapped = TlsClientTable(name="worker-1", certificate=certificates["stranger"].path, sha256=certificates["worker"].sha256)
    with pytest.raises(SignerStartupError, match="fingerprint"):
        async with running_signer(tls_policy(fund, tmp_path, certificates, clients=(swapped,)), new_ledger=True):
            pass


async def test_signer_does_not_start_when_its_tls_key_is_open_to_others(
    fund: TestFund, tmp_path: Path, certificates: dict[str, Certificate]
) -> None:
    key = tmp_path / "open.key"
    key.write_bytes(certificates["signer"].key.read_bytes())
    key.chmod(0o640)
    with pytest.raises(SignerStartupError, match="chmod 600"):
        async with running_signer(tls_policy(fund, tmp_path, certificates, private_key=key), new_ledger=True):
            pass


async def test_handshakes_of_one_address_leave_the_signer_responsive(link: TlsLink) -> None:
    """A stranger's idle connections from one address are few; the kernel's own address of the worker differs."""
    limit = ConnectionLimits().per_address_max
    before = refused("too_many_connections")
    port = int(link.url.rpartition(":")[2])
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(limit + 4)]
    ends = [asyncio.create_task(reader.read()) for reader, _ in idle]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    other = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0), ssl=link_context(link))
    other[1].write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await other[0].read()).startswith(b"HTTP/1.1 200")
    assert refused("too_many_connections") >= before + 1
    for task, (_, writer) in zip(ends, idle, strict=True):
        writer.close()
        task.cancel()
    other[1].close()


def link_context(link: TlsLink) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(link.server_certificate)
    context.load_cert_chain(link.client_certificate, link.client_key)
    return context
