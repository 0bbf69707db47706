"""Who may ask the signer over its socket: users of the policy, who can reach none of its files."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from tests.support.chain.fund import TestFund
from tests.support.signing import make_policy, sign_request, transaction

from paimon.gateway.signer.caller_policy import CallersTable, LocalCaller
from paimon.gateway.signer.connections import ConnectionLimits
from paimon.gateway.signer.file_access import find_exposures
from paimon.gateway.signer.policy import PolicyError, load_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.gateway.signer.server import serving
from paimon.gateway.signer.service import SigningService
from paimon.infrastructure.keys.client import SignerClient
from paimon.infrastructure.keys.link import SocketLink
from paimon.infrastructure.observability.metrics import SIGNER_CONNECTIONS_REFUSED

pytestmark = pytest.mark.fault

WORKER, STRANGER, GROUP = 54_321, 54_322, 54_399
"""Numbers without an entry in the user or group file."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can act as several users")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of the signer's that other users may enter; those of pytest are closed to them."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def refused(reason: str) -> float:
    return float(SIGNER_CONNECTIONS_REFUSED.labels(reason)._value.get())


def health_as(uid: int, gid: int, path: Path) -> str:
    """Ask for the signer's health in a process of this user and group. Return the status line, or what went wrong."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        answer = b"nothing"
        with suppress(BaseException):
            try:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(10)
                    connection.connect(str(path))
                    connection.sendall(b"GET /health HTTP/1.1\r\nHost: signer\r\n\r\n")
                    answer = connection.recv(100).split(b"\r\n")[0] or b"closed"
            except OSError as error:
                answer = type(error).__name__.encode()
            os.write(writer, answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer.decode()


@as_root
async def test_signer_serves_its_caller_and_closes_on_other_users(fund: TestFund, tmp_path: Path, open_folder: Path) -> None:
    path = open_folder / "signer.sock"
    policy = make_policy(fund, tmp_path, socket=path, callers=CallersTable(users=(WORKER,), group=GROUP))
    before = refused("unknown_user")
    async with running_signer(policy, new_ledger=True):
        status = path.stat()
        assert (status.st_mode & 0o777, status.st_gid) == (0o660, GROUP)
        assert await asyncio.to_thread(health_as, WORKER, GROUP, path) == "HTTP/1.1 200 OK"
        assert await asyncio.to_thread(health_as, STRANGER, GROUP, path) in (
            "closed",
            "ConnectionResetError",
            "BrokenPipeError",
        )
        assert await asyncio.to_thread(health_as, WORKER, STRANGER, path) == "PermissionError", "not a member of the group"
        assert refused("unknown_user") == before + 1


@as_root
async def test_signers_own_user_is_refused_unless_the_policy_allows_it(
    fund: TestFund, tmp_path: Path, open_folder: Path
) -> None:
    path = open_folder / "signer.sock"
    policy = make_policy(fund, tmp_path, socket=path, callers=CallersTable(users=(WORKER,), group=GROUP))
    async with running_signer(policy, new_ledger=True):
        answer = await asyncio.to_thread(health_as, 0, 0, path)
    assert answer in ("closed", "ConnectionResetError", "BrokenPipeError")


@pytest.mark.parametrize(
    "callers", ["", "[callers]\n", '[callers]\nusers = ["paimon-worker"]\n', '[callers]\ngroup = "games"\n']
)
def test_policy_is_refused_without_a_caller_or_a_group(fund: TestFund, tmp_path: Path, callers: str) -> None:
    policy = make_policy(fund, tmp_path)
    text = policy.read_text()
    assert "[callers]\nallow_same_user = true\n" in text or "[callers]" in text
    start = text.index("[callers]")
    policy.write_text(text[:start] + callers + text[text.index("[contracts]") :])
    with pytest.raises(PolicyError, match="callers"):
        load_policy(policy)


@pytest.mark.parametrize(
    ("users", "said"),
    [((0,), "root"), (("no-such-user",), "useradd"), ((os.geteuid(),), "root|own user")],
)
async def test_signer_does_not_start_for_a_caller_it_cannot_tell_from_itself(
    fund: TestFund, tmp_path: Path, users: tuple[str | int, ...], said: str
) -> None:
    policy = make_policy(fund, tmp_path, callers=CallersTable(users=users, group=GROUP))
    with pytest.raises(SignerStartupError, match=said):
        async with running_signer(policy, new_ledger=True):
            pass


def open_to_group(path: Path) -> None:
    os.chown(path, -1, GROUP)
    path.chmod(0o770)


@as_root
@pytest.mark.parametrize(
    ("name", "spoil", "command"),
    [
        ("keeper.json", lambda path: os.chown(path, WORKER, -1), "chown 0 "),
        ("keeper.password", lambda path: os.chown(path, STRANGER, -1), "chown 0 "),
        ("signer.toml", lambda path: os.chown(path, WORKER, -1), "chown 0 "),
        ("spend-ledger.sqlite", lambda path: os.chown(path, WORKER, -1), "chown 0 "),
        ("spend-ledger.counter", lambda path: os.chown(path, WORKER, -1), "chown 0 "),
        (".", lambda path: path.chmod(0o777), "chmod o-w "),
        (".", open_to_group, "chmod g-w "),
        ("..", lambda path: os.chown(path, WORKER, -1), "chown 0 "),
        ("..", lambda path: path.chmod(0o703), "chmod o-w "),
    ],
)
async def test_signer_does_not_start_when_a_caller_reaches_a_file(
    fund: TestFund, tmp_path: Path, name: str, spoil: object, command: str
) -> None:
    """The message names the path and the command that mends it; after that command the signer starts."""
    folder = tmp_path / "parent" / "signer"
    folder.mkdir(parents=True, mode=0o700)
    callers = CallersTable(users=(WORKER,), group=GROUP)
    policy = make_policy(fund, folder, names=("keeper", "hot"), callers=callers)
    async with running_signer(policy, new_ledger=True):
        pass
    path = (folder / name).resolve()
    spoil(path)  # type: ignore[operator]
    with pytest.raises(SignerStartupError) as started:
        async with running_signer(policy):
            pass
    assert str(path) in str(started.value)
    commands = re.findall(r"run: (.*)", str(started.value))
    assert any(line.startswith(command) for line in commands)
    for line in commands:
        await asyncio.to_thread(subprocess.run, line.split(), check=True)
    async with running_signer(policy):
        pass


def test_folder_behind_a_symbolic_link_counts(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    real.chmod(0o777)
    link.symlink_to(real)
    (real / "policy.toml").touch(mode=0o600)
    caller = LocalCaller("worker", WORKER, frozenset())
    exposures = find_exposures([link / "policy.toml"], [caller], own_uid=os.geteuid())
    assert any(f"{real}, and so replace" in exposure for exposure in exposures)


def test_access_control_list_is_refused(tmp_path: Path) -> None:
    if shutil.which("setfacl") is None:
        pytest.skip("NOT TESTED: setfacl is not installed")
    policy = tmp_path / "policy.toml"
    policy.touch(mode=0o600)
    subprocess.run(["setfacl", "-m", f"u:{WORKER}:rw", policy], check=True)
    exposures = find_exposures([policy], [LocalCaller("worker", WORKER, frozenset())], own_uid=os.geteuid())
    assert any("setfacl -b" in exposure for exposure in exposures)


SLOW: Final = ConnectionLimits(connections_max=3, request_seconds=0.2, answer_seconds=5)


@asynccontextmanager
async def impatient_signer(fund: TestFund, tmp_path: Path) -> AsyncIterator[SignerClient]:
    """A signer that waits 0.2 s for a request and has three connections."""
    path = make_policy(fund, tmp_path)
    async with running_signer(path, new_ledger=True) as service:
        own = SigningService(
            service.policy.model_copy(update={"socket": tmp_path / "impatient.sock"}),
            service._keys,
            service._chain,
            limits={},
            ledger=service._ledger,
        )
        async with serving(own, limits=SLOW):
            yield SignerClient(SocketLink(tmp_path / "impatient.sock"), timeout=10)


@pytest.mark.parametrize(
    "sent", [b"", b"POST /sign HTTP/1.1\r\nHost: x\r\n", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
)
async def test_unfinished_request_is_cut_and_the_next_one_served(fund: TestFund, tmp_path: Path, sent: bytes) -> None:
    before = refused("slow_request")
    async with impatient_signer(fund, tmp_path) as client:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "impatient.sock")
        writer.write(sent)
        assert b"200" not in await reader.read(), "the signer ends the connection by itself"
        writer.close()
        assert refused("slow_request") == before + 1
        assert (await client.health())["chainId"] == 31337


async def test_connections_above_the_limit_are_refused(fund: TestFund, tmp_path: Path) -> None:
    before = refused("too_many_connections")
    async with impatient_signer(fund, tmp_path) as client:
        idle = [await asyncio.open_unix_connection(tmp_path / "impatient.sock") for _ in range(8)]
        for reader, writer in idle:
            assert await reader.read() == b""
            writer.close()
        assert refused("too_many_connections") >= before + 5
        assert (await client.health())["chainId"] == 31337, "a place is free again"


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":"' + b"x" * 300_000 + b'"}', b"\x1f\x8b not gzip"])
async def test_oversized_or_nested_request_is_malformed(
    signer: SignerClient, fund: TestFund, tmp_path: Path, body: bytes
) -> None:
    reader, writer = await asyncio.open_unix_connection(tmp_path / "signer.sock")
    head = f"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ")[1] in (b"400", b"413")
    assert b"MALFORMED_REQUEST" in answer
    await signer.sign(sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1)))


async def test_connection_carries_one_request(signer: SignerClient, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(tmp_path / "signer.sock")
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    answers = await reader.read()
    writer.close()
    assert answers.count(b"HTTP/1.1 200") == 1
