"""The whole system over one data folder: embedded PostgreSQL, Redis, chain and test fund, and every process.

A service whose URL is in the environment (PAIMON_DATABASE__URL with OWNER_URL, PAIMON_REDIS__URL, PAIMON_CHAIN__RPC_URL) is
used instead of an embedded one. The processes are the same in both cases.

    data/accounts          mnemonic of the demo's accounts       data/demo.env      settings of a person's commands
    data/settings/         a settings file for each process, with the password of its own database role
    data/fund.json         addresses of the test fund            data/signer/       keystores, policy, socket
    data/safes.json        addresses of its people's Safes       data/planner/      the planner's keystore
    data/logs/             one file a process
    data/postgres, redis, chain
"""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import psycopg

from paimon.composition import open_app_context, open_database, require_ready, signing_rules
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.cli.migrations import run_migrations
from paimon.gateway.cli.resources import opened_owner_engine
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.version import DatabaseTooOld
from paimon.settings import Settings, load_settings
from paimon_devkit.stack.accounts import ADMIN, PLANNER, PLANNERS, DemoAccounts
from paimon_devkit.stack.app_processes import APP_PROCESSES, AppProcesses, libpq_url
from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.child import READY_SECONDS_MAX, ChildSpec
from paimon_devkit.stack.data_folder_checks import require_complete_data, require_matching_database
from paimon_devkit.stack.demo_users import grant_users, name_first_super_admin
from paimon_devkit.stack.embedded_chain import LASTING_PACE, EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.errors import DemoError, InconsistentDataFolder
from paimon_devkit.stack.fund_deployment import ARTIFACTS, CONTRACTS, FundDeployment, deploy_fund
from paimon_devkit.stack.ports import PortInUse, free_port, is_free, reserve_port
from paimon_devkit.stack.postgres_leftovers import remove_cluster
from paimon_devkit.stack.safe_deployment import SafeDeployment, deploy_safes
from paimon_devkit.stack.secret_files import load_or_create_passwords, write_private_file
from paimon_devkit.stack.signer_files import write_keystore, write_signer_files
from paimon_devkit.stack.supervisor import Supervisor

LOCAL_CHAIN_ID: Final = 31337
_PREFERRED_API_PORT: Final = 8000
_POSTGRES_FOLDER: Final = "PAIMON_DEMO_POSTGRES"
"""Names the folder with the programs of PostgreSQL to run, instead of the wheel's."""
_LOOPBACK_HOST: Final = "127.0.0.1"

_ROLES: Final = {
    "listener": DatabaseRole.LISTENER,
    "worker": DatabaseRole.WORKER,
    "scheduler": DatabaseRole.SCHEDULER,
    "auditor": DatabaseRole.AUDITOR,
    "planner": DatabaseRole.PLANNER,
    "api": DatabaseRole.API,
}
_DATABASE_VARIABLES: Final = ("PAIMON_DATABASE__URL", "PAIMON_DATABASE__OWNER_URL")

_SCHEDULE_PREFIX: Final = "PAIMON_SCHEDULE__"
_SCHEDULE: Final = {
    "PAIMON_SCHEDULE__SETTLE_DUE_SECONDS": "2",
    "PAIMON_SCHEDULE__DRIVE_WALLETS_SECONDS": "1",
    "PAIMON_SCHEDULE__CHECK_SIGNER_SECONDS": "2",
    "PAIMON_SCHEDULE__SNAPSHOT_SECONDS": "15",
    "PAIMON_SCHEDULE__FORECAST_SECONDS": "60",
    "PAIMON_SCHEDULE__RECONCILE_SECONDS": "60",
}
"""A demo is watched, so jobs that run by the minute or hour in production run by the second or minute. The environment may
name other intervals."""

PrintLine = Callable[[str], None]


@dataclass(slots=True)
class DemoStack:
    """A demo's services and processes. `start` starts them under a supervisor, which stops them."""

    data: Path
    print_line: PrintLine
    fast: bool = False
    api_port: int | None = None
    ready_seconds_max: float = READY_SECONDS_MAX
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    accounts: DemoAccounts = field(init=False)
    fund: FundDeployment | None = field(init=False, default=None)
    chain_rpc: ChainRpc = field(init=False)
    settings: Settings = field(init=False)
    _process_variables: dict[str, dict[str, str]] = field(init=False, default_factory=dict)
    """By process, the variables of its own database role; empty where the environment names one database for all."""

    _port_reservation: socket.socket | None = field(init=False, default=None)
    """Keeps other demos from the API's port, before the API listens and while it restarts."""

    @property
    def env_file(self) -> Path:
        return self.data / "demo.env"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api.port}"

    def delete_data(self) -> None:
        """Delete everything (`--fresh`). The supervisor must hold the data folder's lock, so that no other demo uses it."""
        remove_cluster(self.data / "postgres")
        for name in ("redis", "chain", "signer", "planner", "logs", "settings"):
            shutil.rmtree(self.data / name, ignore_errors=True)
        for name in ("accounts", "fund.json", "safes.json", "demo.env", "secrets.json"):
            (self.data / name).unlink(missing_ok=True)

    def start(self, supervisor: Supervisor) -> None:
        """Start everything in order and return when the API answers.

        Raises:
            DemoError: a service or process cannot start; the message says which and why.
        """
        self._require_loopback_api()
        database, chain = self._database_server(), self._chain_server()
        require_complete_data(
            self.data, database=database is None or database.exists, chain=isinstance(chain, ChainRpc) or chain.exists
        )
        variables = self._api_variables()
        self.accounts = DemoAccounts.load_or_create(self.data / "accounts")
        variables |= self._start_database(supervisor, database)
        variables |= self._start_redis(supervisor)
        variables |= self._start_chain(supervisor, chain)
        self._require_matching_database(variables)
        variables |= self._deploy_fund()
        safes = self._deploy_safes()
        variables |= self._prepare_signer(variables, safes)
        variables |= self._prepare_planner()
        variables |= self._write_demo_accounts(variables)
        variables |= self._environment_values("PAIMON_NOTIFICATIONS__FILE")
        self._write_settings(variables)
        self._prepare_database()
        self._start_app_processes(supervisor)

    def _environment_values(self, *names: str) -> dict[str, str]:
        return {name: self.environment[name] for name in names if self.environment.get(name)}

    def _all_or_none(self, *names: str) -> dict[str, str]:
        """Return these variables if all are set, nothing if none is. Raises DemoError for a part of them."""
        provided = self._environment_values(*names)
        if provided and len(provided) < len(names):
            missing = ", ".join(name for name in names if name not in provided)
            raise DemoError(f"{' and '.join(provided)} set without {missing}: set all of them, or none")
        return provided

    def _report_progress(self, part: str, progress: str) -> None:
        self.print_line(f"{part:<16}{progress}")

    def _start_service(self, supervisor: Supervisor, spec: ChildSpec) -> None:
        supervisor.start(replace(spec, ready_seconds_max=self.ready_seconds_max))

    def _database_server(self) -> EmbeddedPostgres | None:
        """Return the server to start; None when the environment names a database."""
        provided = self._all_or_none("PAIMON_DATABASE__URL", "PAIMON_DATABASE__OWNER_URL")
        if provided:
            return None
        folder = self._environment_values(_POSTGRES_FOLDER).get(_POSTGRES_FOLDER)
        return EmbeddedPostgres(self.data, bin_dir=Path(folder) if folder else None, durable=not self.fast)

    def _start_database(self, supervisor: Supervisor, server: EmbeddedPostgres | None) -> dict[str, str]:
        if server is None:
            self._report_progress("PostgreSQL", "your own (PAIMON_DATABASE__URL)")
            return self._environment_values(*_DATABASE_VARIABLES)
        if server.notice:
            self._report_progress("PostgreSQL", server.notice)
        self._start_service(supervisor, server.spec())
        server.create_missing_roles()
        self._report_progress("PostgreSQL", f"{server.version} on port {server.port}")
        self._process_variables = {name: {"PAIMON_DATABASE__URL": server.process_url(role)} for name, role in _ROLES.items()}
        self._process_variables["worker"]["PAIMON_DATABASE__RETENTION_URL"] = server.process_url(DatabaseRole.RETENTION)
        return {
            "PAIMON_DATABASE__URL": server.process_url(DatabaseRole.CLI),
            "PAIMON_DATABASE__OWNER_URL": server.owner_url,
        }

    def _start_redis(self, supervisor: Supervisor) -> dict[str, str]:
        if provided := self._environment_values("PAIMON_REDIS__URL"):
            self._report_progress("Redis", "your own (PAIMON_REDIS__URL)")
            return provided
        server = EmbeddedRedis(self.data)
        self._start_service(supervisor, server.spec())
        self._report_progress("Redis", f"Valkey on port {server.port}")
        return {"PAIMON_REDIS__URL": server.url}

    def _chain_server(self) -> EmbeddedChain | ChainRpc:
        """Return the chain to start, or the node that the environment names."""
        if self._environment_values("PAIMON_CHAIN__WS_URL"):
            self._all_or_none("PAIMON_CHAIN__WS_URL", "PAIMON_CHAIN__RPC_URL")
        if provided := self._environment_values("PAIMON_CHAIN__RPC_URL"):
            url = provided["PAIMON_CHAIN__RPC_URL"]
            if not url.startswith(("http://", "https://")):
                raise DemoError("PAIMON_CHAIN__RPC_URL must be a URL that starts with https:// or http://")
            return ChainRpc(url)
        return EmbeddedChain(
            self.data,
            anvil=find_anvil(CONTRACTS),
            pace=None if self.fast else LASTING_PACE,
            notify=lambda line: self.print_line(f"!  {line}"),
        )

    def _start_chain(self, supervisor: Supervisor, chain: EmbeddedChain | ChainRpc) -> dict[str, str]:
        if isinstance(chain, ChainRpc):
            self.chain_rpc = chain
            self._report_progress("chain", f"{self._chain_id()}, your own (PAIMON_CHAIN__RPC_URL)")
            provided = self._environment_values("PAIMON_CHAIN__RPC_URL", "PAIMON_CHAIN__WS_URL")
            return provided | {"PAIMON_CHAIN__CHAIN_ID": str(self._chain_id())}
        resumed = chain.exists
        self._start_service(supervisor, chain.spec())
        self.chain_rpc = chain.rpc
        self._report_progress("chain", f"{LOCAL_CHAIN_ID} on port {chain.port} ({'resumed' if resumed else 'new'})")
        return {
            "PAIMON_CHAIN__CHAIN_ID": str(LOCAL_CHAIN_ID),
            "PAIMON_CHAIN__RPC_URL": chain.http_url,
            "PAIMON_CHAIN__WS_URL": chain.ws_url,
            # The idle chain makes a block each five minutes: a subscription is not dead before it missed two.
            "PAIMON_CHAIN__NEW_HEADS_SILENCE_SECONDS": str(2 * LASTING_PACE.idle_seconds),
        }

    def _chain_id(self) -> int:
        try:
            return int(self.chain_rpc.call("eth_chainId"), 16)
        except (OSError, ValueError) as error:
            raise DemoError(f"no node answers at {self.chain_rpc.endpoint} (PAIMON_CHAIN__RPC_URL): {error}") from error

    def _require_matching_database(self, variables: Mapping[str, str]) -> None:
        has_fund = (self.data / "fund.json").exists() or bool(self._environment_values("PAIMON_FUND__VAULT"))
        try:
            require_matching_database(self.chain_rpc, libpq_url(variables["PAIMON_DATABASE__OWNER_URL"]), has_fund=has_fund)
        except psycopg.OperationalError as error:
            reason = str(error).splitlines()[0]
            raise DemoError(f"PostgreSQL does not answer (PAIMON_DATABASE__OWNER_URL): {reason}") from error
        except InconsistentDataFolder as error:
            raise self._unusable_database(error.what) from error

    def _unusable_database(self, problem: str) -> DemoError:
        """Return the error for a database that does not fit, with the way to another one."""
        if not self._environment_values("PAIMON_DATABASE__URL"):
            return InconsistentDataFolder(problem)
        return DemoError(
            f"{problem}. This database is your own, so --fresh does not delete it: empty it, or name another in"
            " PAIMON_DATABASE__URL"
        )

    def _deploy_fund(self) -> dict[str, str]:
        names = ("VAULT", "REDEMPTION_MANAGER", "ASSET_CONTROLLER", "START_BLOCK")
        if provided := self._all_or_none(*(f"PAIMON_FUND__{name}" for name in names)):
            self._report_progress("fund", "your own (PAIMON_FUND__…)")
            return provided
        if self._chain_id() != LOCAL_CHAIN_ID:
            variables = ", ".join(f"PAIMON_FUND__{name}" for name in names)
            raise DemoError(f"a test fund is deployed on chain {LOCAL_CHAIN_ID} only: set {variables}")
        record = self.data / "fund.json"
        if record.exists():
            fund = FundDeployment.from_json(record.read_text())
            if self.chain_rpc.call("eth_getCode", fund.vault, "latest") == "0x":
                raise InconsistentDataFolder(f"{record} names a fund that is not on this chain")
            self._report_progress("test fund", "as before")
        else:
            fund = deploy_fund(
                self.chain_rpc.url,
                accounts=self.accounts.fund_accounts(),
                artifacts=CONTRACTS / "artifacts",
                progress=lambda line: self._report_progress("test fund", line),
            )
            write_private_file(record, fund.to_json())
        self.fund = fund
        return {
            "PAIMON_FUND__VAULT": fund.vault,
            "PAIMON_FUND__REDEMPTION_MANAGER": fund.redemption_manager,
            "PAIMON_FUND__ASSET_CONTROLLER": fund.asset_controller,
            "PAIMON_FUND__START_BLOCK": str(fund.start_block),
        }

    def _deploy_safes(self) -> SafeDeployment | None:
        """Return the Safes of the demo's people; a fund of one's own gets none."""
        if self.fund is None:
            return None
        record = self.data / "safes.json"
        if record.exists():
            return SafeDeployment.from_json(record.read_text())
        safes = deploy_safes(
            self.chain_rpc.url,
            deployer=self.accounts.account(ADMIN),
            owners=self.accounts.safe_owners(),
            asset_controller=self.fund.asset_controller,
            artifacts=ARTIFACTS,
        )
        write_private_file(record, safes.to_json())
        self._report_progress("Safes", "warm needs 2 of 3 owners, cold 3 of 5")
        return safes

    def _prepare_signer(self, variables: Mapping[str, str], safes: SafeDeployment | None) -> dict[str, str]:
        socket_path = write_signer_files(
            self.data / "signer",
            accounts={name: self.accounts.account(name) for name in ("keeper", "approver", "hot")},
            plan_signers={name: self.accounts.address(name) for name in PLANNERS},
            planner=self.accounts.address(PLANNER),
            chain_id=int(variables["PAIMON_CHAIN__CHAIN_ID"]),
            rpc_url=variables["PAIMON_CHAIN__RPC_URL"],
            fund=FundAddresses(
                parse_address(variables["PAIMON_FUND__VAULT"]),
                parse_address(variables["PAIMON_FUND__REDEMPTION_MANAGER"]),
                parse_address(variables["PAIMON_FUND__ASSET_CONTROLLER"]),
            ),
            safes=safes,
        )
        return {
            "PAIMON_SIGNER__SOCKET": str(socket_path),
            "PAIMON_SENDING__KEEPER": self.accounts.address("keeper"),
            "PAIMON_SENDING__APPROVER": self.accounts.address("approver"),
            "PAIMON_SENDING__HOT": self.accounts.address("hot"),
            "PAIMON_SENDING__PLANNER": self.accounts.address(PLANNER),
        } | ({} if safes is None else {"PAIMON_SENDING__WARM": safes.warm, "PAIMON_SENDING__COLD": safes.cold})

    def _prepare_planner(self) -> dict[str, str]:
        """Write the planner's keystore, and return where it is and when it plans."""
        keystore, password_file = write_keystore(self.data / "planner", PLANNER, self.accounts.account(PLANNER))
        return {
            "PAIMON_PLANNER__KEYSTORE": str(keystore),
            "PAIMON_PLANNER__PASSWORD_FILE": str(password_file),
            # A demo is watched: the planner looks often, and refills L1 for a payout that a fund would not notice.
            "PAIMON_PLANNER__CHECK_SECONDS": "3",
            "PAIMON_PLANNER__REFILL_BELOW_BPS": "1000",
        } | self._environment_values("PAIMON_PLANNER__REFILL_BELOW_BPS")

    def _write_demo_accounts(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Write the keys that the console's demo wallet signs with, where the chain is one that lives on this machine."""
        if variables["PAIMON_CHAIN__CHAIN_ID"] != str(LOCAL_CHAIN_ID):
            return {}
        path = self.data / "settings" / "demo-accounts.json"
        write_private_file(path, self.accounts.wallet_json(LOCAL_CHAIN_ID))
        return {"PAIMON_CONSOLE__DEMO_ACCOUNTS": str(path)}

    def _require_loopback_api(self) -> None:
        host = self.environment.get("PAIMON_API__HOST", _LOOPBACK_HOST)
        if host != _LOOPBACK_HOST:
            raise DemoError(
                f"the demo's API listens on {_LOOPBACK_HOST} only, because its accounts' keys are on this machine: unset"
                f" PAIMON_API__HOST ({host})"
            )

    def _choose_api_port(self) -> int:
        preferred_port = self.api_port or _PREFERRED_API_PORT
        self._port_reservation = reserve_port(preferred_port) if is_free(preferred_port) else None
        if self._port_reservation is not None:
            return preferred_port
        if self.api_port is not None:
            raise PortInUse(self.api_port)
        return free_port()

    def _api_variables(self) -> dict[str, str]:
        port = self._choose_api_port()
        names = ["token_secret", "personal_data_secret", "redis_integrity_key"]
        secrets = load_or_create_passwords(self.data / "secrets.json", names)
        return {
            "PAIMON_API__HOST": _LOOPBACK_HOST,
            "PAIMON_API__PORT": str(port),
            "PAIMON_AUTH__TOKEN_SECRET": secrets["token_secret"] * 2,
            "PAIMON_AUTH__PERSONAL_DATA_SECRET": secrets["personal_data_secret"] * 2,
            "PAIMON_REDIS__INTEGRITY_KEY": secrets["redis_integrity_key"] * 2,
            "PAIMON_AUTH__DOMAIN": f"127.0.0.1:{port}",
            "PAIMON_AUTH__URI": f"http://127.0.0.1:{port}",
            # Every command of `paimon demo` signs in anew, and all of them come from this address.
            "PAIMON_API__SIGN_INS_PER_MINUTE_PER_ADDRESS": "600",
            "PAIMON_API__SIGN_INS_BURST_PER_ADDRESS": "600",
            # The demo's prices are set once, and its time moves by days at a word.
            "PAIMON_PRICES__HEARTBEAT_SECONDS": "315360000",
            "PAIMON_QUEUE__REPUBLISH_SECONDS": "5",
            "PAIMON_SENDING__RECHECK_SECONDS": "2",
            "PAIMON_LEASE__TTL_SECONDS": "3",
            "PAIMON_LEASE__RENEW_SECONDS": "1",
            "PAIMON_STORAGE__URL": f"file://{self.data.resolve()}/objects",
            "PAIMON_REPORTS__STORAGE_URL": f"file://{self.data.resolve()}/reports",
            **_SCHEDULE,
            **{name: value for name, value in self.environment.items() if name.startswith(_SCHEDULE_PREFIX)},
        }

    def _write_settings(self, variables: Mapping[str, str]) -> None:
        """Write the settings of a person's commands, and of each process: these have the URLs of their own role only."""
        _write_variables(self.env_file, variables)
        self.settings = load_settings(self.env_file)
        common = {name: value for name, value in variables.items() if name not in _DATABASE_VARIABLES}
        for process, own in self._process_variables.items():
            _write_variables(self._env_file_of(process), common | own)

    def _env_file_of(self, process: str) -> Path:
        return self.data / "settings" / f"{process}.env" if process in self._process_variables else self.env_file

    def _prepare_database(self) -> None:
        try:
            self._report_progress("database", f"at migration {run_migrations(self.settings)}")
        except DatabaseTooOld as error:
            raise self._unusable_database(error.what) from error
        asyncio.run(self._seed_users())

    async def _seed_users(self) -> None:
        async with opened_owner_engine(self.settings, process="demo") as engine:
            await name_first_super_admin(Database(engine), self.accounts)
        database = open_database(self.settings, process="demo")
        try:
            await grant_users(database, self.accounts, signing_rules(self.settings))
        finally:
            await database.close()

    def _start_app_processes(self, supervisor: Supervisor) -> None:
        """Start the processes together, once every service they check at their start answers."""
        asyncio.run(self._require_ready())
        env_files = {name: self._env_file_of(name) for name in _ROLES}
        settings = {name: load_settings(env_file) for name, env_file in env_files.items()}
        processes = AppProcesses(settings, env_files, policy=self.data / "signer" / "policy.toml")
        self._report_progress("application", f"starting {', '.join(APP_PROCESSES)}")
        specs = [replace(spec, ready_seconds_max=self.ready_seconds_max) for spec in processes.specs()]
        for name in supervisor.start_together(specs):
            self._report_progress(name, "running")

    async def _require_ready(self) -> None:
        async with open_app_context(self.settings, process="demo") as app_context:
            await require_ready(app_context)


def _write_variables(path: Path, variables: Mapping[str, str]) -> None:
    lines = [f"{name}={value}" for name, value in sorted(variables.items())]
    write_private_file(path, "\n".join(["# Written by `paimon demo` at every start.", *lines, ""]))
