"""The whole house on embedded parts, over one data folder: PostgreSQL, Redis, chain, test fund, and every process.

A part whose URL is in the environment (PAIMON_DATABASE__URL, PAIMON_REDIS__URL, PAIMON_CHAIN__RPC_URL) is used instead
of being started; the processes are the same and do not know the difference.

    data/people            mnemonic of the demo's wallets        data/demo.env      settings of every process
    data/fund.json         where the test fund is                data/signer/       keystores, policy, socket
    data/postgres, redis, chain                                  data/logs/         one file a process
"""

import asyncio
import os
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from sqlalchemy.engine import make_url

from paimon.application.accounts.users import seed_user
from paimon.composition import open_database
from paimon.domain.chain import parse_address
from paimon.gateway.cli.demo.anvil import EmbeddedChain, find_anvil
from paimon.gateway.cli.demo.chain_rpc import ChainRpc
from paimon.gateway.cli.demo.child import ChildSpec
from paimon.gateway.cli.demo.errors import DemoError
from paimon.gateway.cli.demo.fund import FundAddresses, deploy_fund
from paimon.gateway.cli.demo.people import BACK_OFFICE, People
from paimon.gateway.cli.demo.ports import free_port, is_free, require_free
from paimon.gateway.cli.demo.postgres import EmbeddedPostgres
from paimon.gateway.cli.demo.redis import EmbeddedRedis
from paimon.gateway.cli.demo.secretfile import passwords, write_private
from paimon.gateway.cli.demo.signer_files import write_signer_files
from paimon.gateway.cli.demo.supervisor import Supervisor
from paimon.infrastructure.blockchain.contracts import FundAddresses as ContractAddresses
from paimon.infrastructure.database import migrate
from paimon.settings import Settings, load_settings

CONTRACTS: Final = Path(__file__).parents[5] / "contracts"
LOCAL_CHAIN_ID: Final = 31337
HOUSE_PROCESSES: Final = ("signer", "listener", "worker", "scheduler", "api")
_PREFERRED_API_PORT: Final = 8000

Say = Callable[[str], None]


@dataclass(slots=True)
class Stack:
    """The running demo. `bring_up` fills it; the supervisor it is given takes it down."""

    data: Path
    say: Say
    fast: bool = False
    api_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    people: People = field(init=False)
    fund: FundAddresses | None = field(init=False, default=None)
    chain_rpc: ChainRpc = field(init=False)
    settings: Settings = field(init=False)

    @property
    def env_file(self) -> Path:
        return self.data / "demo.env"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api.port}"

    def wipe(self) -> None:
        """Forget everything (`--fresh`). The supervisor must hold the data folder, so that nobody else uses it."""
        EmbeddedPostgres(self.data).remove()
        for name in ("redis", "chain", "signer", "logs"):
            shutil.rmtree(self.data / name, ignore_errors=True)
        for name in ("people", "fund.json", "demo.env", "secrets.json"):
            (self.data / name).unlink(missing_ok=True)

    def bring_up(self, supervisor: Supervisor) -> None:
        """Start everything in order, and return when the API answers.

        Raises:
            DemoError: a part cannot start; the message says which and why.
        """
        self.people = People.load_or_create(self.data / "people")
        variables = self._start_database(supervisor)
        variables |= self._start_redis(supervisor)
        variables |= self._start_chain(supervisor)
        variables |= self._deploy_fund()
        variables |= self._prepare_signer(variables)
        variables |= self._api_variables()
        self._write_settings(variables)
        self._prepare_database()
        self._start_house(supervisor)

    def _given(self, *names: str) -> dict[str, str]:
        return {name: self.environment[name] for name in names if self.environment.get(name)}

    def _start_database(self, supervisor: Supervisor) -> dict[str, str]:
        given = self._given("PAIMON_DATABASE__URL", "PAIMON_DATABASE__OWNER_URL")
        if "PAIMON_DATABASE__URL" in given:
            if "PAIMON_DATABASE__OWNER_URL" not in given:
                raise DemoError("PAIMON_DATABASE__URL is set; set PAIMON_DATABASE__OWNER_URL too, for the migrations")
            self.say("PostgreSQL      yours (PAIMON_DATABASE__URL)")
            return given
        server = EmbeddedPostgres(self.data, durable=not self.fast)
        if server.notice:
            self.say(server.notice)
        supervisor.start(server.spec())
        self.say(f"PostgreSQL {server.version:<5} on port {server.port}")
        return {"PAIMON_DATABASE__URL": server.app_url, "PAIMON_DATABASE__OWNER_URL": server.owner_url}

    def _start_redis(self, supervisor: Supervisor) -> dict[str, str]:
        if given := self._given("PAIMON_REDIS__URL"):
            self.say("Redis           yours (PAIMON_REDIS__URL)")
            return given
        server = EmbeddedRedis(self.data)
        supervisor.start(server.spec())
        self.say(f"Redis protocol   on port {server.port} (Valkey)")
        return {"PAIMON_REDIS__URL": server.url}

    def _start_chain(self, supervisor: Supervisor) -> dict[str, str]:
        given = self._given("PAIMON_CHAIN__RPC_URL", "PAIMON_CHAIN__WS_URL")
        if "PAIMON_CHAIN__RPC_URL" in given:
            self.chain_rpc = ChainRpc(given["PAIMON_CHAIN__RPC_URL"])
            chain_id = int(self.chain_rpc.call("eth_chainId"), 16)
            self.say(f"chain {chain_id}     yours (PAIMON_CHAIN__RPC_URL)")
            return given | {"PAIMON_CHAIN__CHAIN_ID": str(chain_id)}
        chain = EmbeddedChain(self.data, anvil=find_anvil(CONTRACTS))
        resumed = chain.exists
        supervisor.start(chain.spec())
        self.chain_rpc = chain.rpc
        self.say(f"chain {LOCAL_CHAIN_ID}      on port {chain.port} ({'resumed' if resumed else 'new'})")
        return {
            "PAIMON_CHAIN__CHAIN_ID": str(LOCAL_CHAIN_ID),
            "PAIMON_CHAIN__RPC_URL": chain.http_url,
            "PAIMON_CHAIN__WS_URL": chain.ws_url,
        }

    def _deploy_fund(self) -> dict[str, str]:
        names = ("VAULT", "REDEMPTION_MANAGER", "ASSET_CONTROLLER", "START_BLOCK")
        given = self._given(*(f"PAIMON_FUND__{name}" for name in names))
        if len(given) == len(names):
            return given
        if int(self.chain_rpc.call("eth_chainId"), 16) != LOCAL_CHAIN_ID:
            wanted = ", ".join(f"PAIMON_FUND__{name}" for name in names)
            raise DemoError(f"a test fund is deployed on chain {LOCAL_CHAIN_ID} only: set {wanted}")
        record = self.data / "fund.json"
        if record.exists():
            fund = FundAddresses.from_json(record.read_text())
            if self.chain_rpc.call("eth_getCode", fund.vault, "latest") == "0x":
                raise DemoError("the data folder has books of a fund that this chain does not know: start over with --fresh")
            self.say("test fund       as it was")
        else:
            fund = deploy_fund(
                self.chain_rpc.url,
                people=self.people.fund_people(),
                artifacts=CONTRACTS / "artifacts",
                progress=lambda line: self.say(f"test fund       {line}"),
            )
            write_private(record, fund.to_json())
        self.fund = fund
        return {
            "PAIMON_FUND__VAULT": fund.vault,
            "PAIMON_FUND__REDEMPTION_MANAGER": fund.redemption_manager,
            "PAIMON_FUND__ASSET_CONTROLLER": fund.asset_controller,
            "PAIMON_FUND__START_BLOCK": str(fund.start_block),
        }

    def _prepare_signer(self, variables: Mapping[str, str]) -> dict[str, str]:
        socket_path = write_signer_files(
            self.data / "signer",
            keeper=self.people.account("keeper"),
            approver=self.people.account("approver"),
            chain_id=int(variables["PAIMON_CHAIN__CHAIN_ID"]),
            rpc_url=variables["PAIMON_CHAIN__RPC_URL"],
            fund=ContractAddresses(
                parse_address(variables["PAIMON_FUND__VAULT"]),
                parse_address(variables["PAIMON_FUND__REDEMPTION_MANAGER"]),
                parse_address(variables["PAIMON_FUND__ASSET_CONTROLLER"]),
            ),
        )
        return {
            "PAIMON_SIGNER__SOCKET": str(socket_path),
            "PAIMON_SENDING__KEEPER": self.people.address("keeper"),
            "PAIMON_SENDING__APPROVER": self.people.address("approver"),
        }

    def _api_variables(self) -> dict[str, str]:
        if self.api_port is not None:
            port = require_free(self.api_port)
        else:
            port = _PREFERRED_API_PORT if is_free(_PREFERRED_API_PORT) else free_port()
        secret = passwords(self.data / "secrets.json", ["token_secret"])["token_secret"] * 2
        return {
            "PAIMON_API__PORT": str(port),
            "PAIMON_AUTH__TOKEN_SECRET": secret,
            "PAIMON_AUTH__DOMAIN": f"127.0.0.1:{port}",
            "PAIMON_AUTH__URI": f"http://127.0.0.1:{port}",
            # A demo is watched: what production does by the minute happens by the second here.
            "PAIMON_SCHEDULE__SETTLE_DUE_SECONDS": "2",
            "PAIMON_SCHEDULE__DRIVE_WALLETS_SECONDS": "1",
            "PAIMON_SCHEDULE__SNAPSHOT_SECONDS": "15",
            "PAIMON_SCHEDULE__RECONCILE_SECONDS": "60",
            "PAIMON_QUEUE__REPUBLISH_SECONDS": "5",
            "PAIMON_SENDING__RECHECK_SECONDS": "2",
            "PAIMON_LEASE__TTL_SECONDS": "3",
            "PAIMON_LEASE__RENEW_SECONDS": "1",
        }

    def _write_settings(self, variables: Mapping[str, str]) -> None:
        lines = [f"{name}={value}" for name, value in sorted(variables.items())]
        write_private(self.env_file, "\n".join(["# Written by `paimon demo`; every start writes it anew.", *lines, ""]))
        self.settings = load_settings(self.env_file)

    def _prepare_database(self) -> None:
        options = self.settings.database
        if options.owner_url is None:
            raise DemoError("PAIMON_DATABASE__OWNER_URL is not set")
        reached = migrate.upgrade(
            options.owner_url.get_secret_value(), app_role=make_url(options.url.get_secret_value()).username
        )
        self.say(f"database        at migration {reached}")
        asyncio.run(self._seed_users())

    async def _seed_users(self) -> None:
        database = open_database(self.settings, process="demo")
        try:
            async with database.write() as session:
                for name, role in BACK_OFFICE.items():
                    await seed_user(session, parse_address(self.people.address(name)), role, name)
        finally:
            await database.close()

    def _start_house(self, supervisor: Supervisor) -> None:
        probes: dict[str, Callable[[], bool]] = {
            "signer": self._signer_answers,
            "listener": self._listener_leads,
            "worker": self._worker_relays,
            "api": self._api_answers,
        }
        for name in HOUSE_PROCESSES:
            arguments = ["signer", "--policy", str(self.data / "signer" / "policy.toml")] if name == "signer" else [name]
            supervisor.start(
                ChildSpec(
                    name=name,
                    argv=[sys.executable, "-m", "paimon", "--env-file", str(self.env_file), *arguments],
                    ready=probes.get(name),
                    ready_seconds_max=60,
                )
            )
            self.say(f"{name:<15} runs")

    def _signer_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(str(self.settings.signer.socket))
        return True

    def _listener_leads(self) -> bool:
        return self._finds("SELECT 1 FROM owned.leases, derived.cursor WHERE name = 'listener' AND expires_at > now()")

    def _worker_relays(self) -> bool:
        return self._finds("SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN paimon_outbox'")

    def _finds(self, query: LiteralString) -> bool:
        dsn = make_url(self.settings.database.url.get_secret_value()).set(drivername="postgresql")
        with psycopg.connect(dsn.render_as_string(hide_password=False), connect_timeout=2) as connection:
            return connection.execute(query).fetchone() is not None

    def _api_answers(self) -> bool:
        with urllib.request.urlopen(f"{self.api_url}/health/ready", timeout=1) as answer:  # noqa: S310 — our own URL
            return bool(answer.status == 200)
