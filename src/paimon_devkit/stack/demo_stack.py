"""The whole house on embedded parts, over one data folder: PostgreSQL, Redis, chain, test fund, and every process.

A part whose URL is in the environment (PAIMON_DATABASE__URL with OWNER_URL, PAIMON_REDIS__URL, PAIMON_CHAIN__RPC_URL)
is used instead of being started; the processes are the same and do not know the difference.

    data/people            mnemonic of the demo's wallets        data/demo.env      settings of every process
    data/fund.json         where the test fund is                data/signer/       keystores, policy, socket
    data/postgres, redis, chain                                  data/logs/         one file a process
"""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from paimon.application.identity.users import seed_user
from paimon.composition import open_database, open_house, require_ready
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.cli.migrations import migrated
from paimon.infrastructure.blockchain.contracts import FundAddresses as ContractAddresses
from paimon.settings import Settings, load_settings
from paimon_devkit.stack.accounts import BACK_OFFICE, People
from paimon_devkit.stack.app_processes import HOUSE_PROCESSES, HouseProcesses, libpq_url
from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.data_folder_checks import require_books_of, require_pieces
from paimon_devkit.stack.embedded_chain import EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.errors import DemoError, PiecesApart
from paimon_devkit.stack.fund_deployment import CONTRACTS, FundAddresses, deploy_fund
from paimon_devkit.stack.ports import PortInUse, claim, free_port, is_free
from paimon_devkit.stack.postgres_leftovers import remove_cluster
from paimon_devkit.stack.secret_files import passwords, write_private
from paimon_devkit.stack.signer_files import write_signer_files
from paimon_devkit.stack.supervisor import Supervisor

LOCAL_CHAIN_ID: Final = 31337
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
    _claim: socket.socket | None = field(init=False, default=None)
    """Speaks for the API's port until the API has it, and after."""

    @property
    def env_file(self) -> Path:
        return self.data / "demo.env"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api.port}"

    def wipe(self) -> None:
        """Forget everything (`--fresh`). The supervisor must hold the data folder, so that nobody else uses it."""
        remove_cluster(self.data / "postgres")
        for name in ("redis", "chain", "signer", "logs"):
            shutil.rmtree(self.data / name, ignore_errors=True)
        for name in ("people", "fund.json", "demo.env", "secrets.json"):
            (self.data / name).unlink(missing_ok=True)

    def bring_up(self, supervisor: Supervisor) -> None:
        """Start everything in order, and return when the API answers.

        Raises:
            DemoError: a part cannot start; the message says which and why.
        """
        database, chain = self._database_server(), self._chain_server()
        require_pieces(
            self.data, database=database is None or database.exists, chain=isinstance(chain, ChainRpc) or chain.exists
        )
        variables = self._api_variables()
        self.people = People.load_or_create(self.data / "people")
        variables |= self._start_database(supervisor, database)
        variables |= self._start_redis(supervisor)
        variables |= self._start_chain(supervisor, chain)
        self._require_books_of_this_chain(variables)
        variables |= self._deploy_fund()
        variables |= self._prepare_signer(variables)
        self._write_settings(variables)
        self._prepare_database()
        self._start_house(supervisor)

    def _given(self, *names: str) -> dict[str, str]:
        return {name: self.environment[name] for name in names if self.environment.get(name)}

    def _given_together(self, *names: str) -> dict[str, str]:
        """All of them or none: what the others would be made of is not yours."""
        given = self._given(*names)
        if given and len(given) < len(names):
            missing = ", ".join(name for name in names if name not in given)
            raise DemoError(f"{' and '.join(given)} set without {missing}: set all of them, or none")
        return given

    def _tell(self, part: str, what: str) -> None:
        self.say(f"{part:<16}{what}")

    def _database_server(self) -> EmbeddedPostgres | None:
        """None when a database is given."""
        given = self._given_together("PAIMON_DATABASE__URL", "PAIMON_DATABASE__OWNER_URL")
        return None if given else EmbeddedPostgres(self.data, durable=not self.fast)

    def _start_database(self, supervisor: Supervisor, server: EmbeddedPostgres | None) -> dict[str, str]:
        if server is None:
            self._tell("PostgreSQL", "yours (PAIMON_DATABASE__URL)")
            return self._given("PAIMON_DATABASE__URL", "PAIMON_DATABASE__OWNER_URL")
        if server.notice:
            self._tell("PostgreSQL", server.notice)
        supervisor.start(server.spec())
        self._tell("PostgreSQL", f"{server.version} on port {server.port}")
        return {"PAIMON_DATABASE__URL": server.app_url, "PAIMON_DATABASE__OWNER_URL": server.owner_url}

    def _start_redis(self, supervisor: Supervisor) -> dict[str, str]:
        if given := self._given("PAIMON_REDIS__URL"):
            self._tell("Redis", "yours (PAIMON_REDIS__URL)")
            return given
        server = EmbeddedRedis(self.data)
        supervisor.start(server.spec())
        self._tell("Redis", f"Valkey on port {server.port}")
        return {"PAIMON_REDIS__URL": server.url}

    def _chain_server(self) -> EmbeddedChain | ChainRpc:
        """The node to start, or the one that is given."""
        if self._given("PAIMON_CHAIN__WS_URL"):
            self._given_together("PAIMON_CHAIN__WS_URL", "PAIMON_CHAIN__RPC_URL")
        if given := self._given("PAIMON_CHAIN__RPC_URL"):
            url = given["PAIMON_CHAIN__RPC_URL"]
            if not url.startswith(("http://", "https://")):
                raise DemoError("PAIMON_CHAIN__RPC_URL must be a URL that starts with https:// or http://")
            return ChainRpc(url)
        return EmbeddedChain(self.data, anvil=find_anvil(CONTRACTS))

    def _start_chain(self, supervisor: Supervisor, chain: EmbeddedChain | ChainRpc) -> dict[str, str]:
        if isinstance(chain, ChainRpc):
            self.chain_rpc = chain
            self._tell("chain", f"{self._chain_id()}, yours (PAIMON_CHAIN__RPC_URL)")
            given = self._given("PAIMON_CHAIN__RPC_URL", "PAIMON_CHAIN__WS_URL")
            return given | {"PAIMON_CHAIN__CHAIN_ID": str(self._chain_id())}
        resumed = chain.exists
        supervisor.start(chain.spec())
        self.chain_rpc = chain.rpc
        self._tell("chain", f"{LOCAL_CHAIN_ID} on port {chain.port} ({'resumed' if resumed else 'new'})")
        return {
            "PAIMON_CHAIN__CHAIN_ID": str(LOCAL_CHAIN_ID),
            "PAIMON_CHAIN__RPC_URL": chain.http_url,
            "PAIMON_CHAIN__WS_URL": chain.ws_url,
        }

    def _chain_id(self) -> int:
        try:
            return int(self.chain_rpc.call("eth_chainId"), 16)
        except (OSError, ValueError) as error:
            raise DemoError(f"no node answers at {self.chain_rpc.endpoint} (PAIMON_CHAIN__RPC_URL): {error}") from error

    def _require_books_of_this_chain(self, variables: Mapping[str, str]) -> None:
        known = (self.data / "fund.json").exists() or bool(self._given("PAIMON_FUND__VAULT"))
        try:
            require_books_of(self.chain_rpc, libpq_url(variables["PAIMON_DATABASE__OWNER_URL"]), fund_is_known=known)
        except psycopg.OperationalError as error:
            reason = str(error).splitlines()[0]
            raise DemoError(f"PostgreSQL does not answer (PAIMON_DATABASE__OWNER_URL): {reason}") from error
        except PiecesApart as error:
            if not self._given("PAIMON_DATABASE__URL"):
                raise
            raise DemoError(
                f"{error.what}. It is yours, so --fresh leaves it alone: empty it, or name another in PAIMON_DATABASE__URL"
            ) from error

    def _deploy_fund(self) -> dict[str, str]:
        names = ("VAULT", "REDEMPTION_MANAGER", "ASSET_CONTROLLER", "START_BLOCK")
        if given := self._given_together(*(f"PAIMON_FUND__{name}" for name in names)):
            self._tell("fund", "yours (PAIMON_FUND__…)")
            return given
        if self._chain_id() != LOCAL_CHAIN_ID:
            wanted = ", ".join(f"PAIMON_FUND__{name}" for name in names)
            raise DemoError(f"a test fund is deployed on chain {LOCAL_CHAIN_ID} only: set {wanted}")
        record = self.data / "fund.json"
        if record.exists():
            fund = FundAddresses.from_json(record.read_text())
            if self.chain_rpc.call("eth_getCode", fund.vault, "latest") == "0x":
                raise PiecesApart(f"{record} names a fund that this chain does not know")
            self._tell("test fund", "as it was")
        else:
            fund = deploy_fund(
                self.chain_rpc.url,
                people=self.people.fund_people(),
                artifacts=CONTRACTS / "artifacts",
                progress=lambda line: self._tell("test fund", line),
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
            accounts={name: self.people.account(name) for name in ("keeper", "approver", "hot")},
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
            "PAIMON_SENDING__HOT": self.people.address("hot"),
        }

    def _choose_api_port(self) -> int:
        wished = self.api_port or _PREFERRED_API_PORT
        self._claim = claim(wished) if is_free(wished) else None
        if self._claim is not None:
            return wished
        if self.api_port is not None:
            raise PortInUse(self.api_port)
        return free_port()

    def _api_variables(self) -> dict[str, str]:
        port = self._choose_api_port()
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
        self._tell("database", f"at migration {migrated(self.settings)}")
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
        """The processes together, once everything they will ask for at their start is known to be there."""
        asyncio.run(self._require_ready())
        house = HouseProcesses(self.settings, self.env_file, policy=self.data / "signer" / "policy.toml")
        self._tell("the house", f"starting {', '.join(HOUSE_PROCESSES)}")
        for name in supervisor.start_together(house.specs()):
            self._tell(name, "runs")

    async def _require_ready(self) -> None:
        async with open_house(self.settings, process="demo") as house:
            await require_ready(house)
