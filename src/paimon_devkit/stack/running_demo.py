"""A demo that runs in another terminal, found by its data folder."""

from pathlib import Path

from paimon.settings import load_settings
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.api_client import DemoApiClient
from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.errors import DemoError, DemoNotRunning
from paimon_devkit.stack.fund_deployment import ARTIFACTS, FundDeployment
from paimon_devkit.stack.scenario import ChainActions


class RunningDemo:
    """What acting on a running demo needs: its accounts, the API and the fund on chain."""

    def __init__(self, data: Path) -> None:
        """Connect to the demo over this data folder.

        Raises:
            DemoNotRunning; DemoError: the demo runs on a fund of the operator's own.
        """
        env_file, fund, mnemonic_file = data / "demo.env", data / "fund.json", data / "accounts"
        if not (env_file.exists() and mnemonic_file.exists()):
            raise DemoNotRunning(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
        if not fund.exists():
            raise DemoError("this demo runs on your own fund: act on it with your own wallets")
        settings = load_settings(env_file)
        rpc = ChainRpc(settings.chain.rpc_url.get_secret_value())
        try:
            rpc.head()
        except OSError as error:
            raise DemoNotRunning(
                f"the demo in {data} is not running (its chain at {rpc.endpoint} gives no answer): start it with `make demo`"
            ) from error
        self.logs = data / "logs"
        self.accounts = DemoAccounts.load_or_create(mnemonic_file)
        self.chain = ChainActions(rpc.url, ARTIFACTS, FundDeployment.from_json(fund.read_text()), self.accounts)
        self._api_url = f"http://127.0.0.1:{settings.api.port}"

    def api(self, name: str) -> DemoApiClient:
        """Return this account's session with the API, a context manager. Raises UnknownAccount."""
        return DemoApiClient(self._api_url, self.accounts.account(name))
