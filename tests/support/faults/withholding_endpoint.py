"""An endpoint that answers a transaction's hash, shows the transaction as pending, and passes it on to no one."""

from dataclasses import dataclass, field

from tests.support.faults.faulty_endpoint import Answers, Call, Faults, FaultyEndpoint

from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.proof.keccak import keccak256


@dataclass
class WithholdingEndpoint(FaultyEndpoint):
    taken: list[str] = field(default_factory=list)
    """Hashes of the transactions that it keeps, as often as they were sent."""

    def faults_of(self, calls: list[Call]) -> Faults:
        raise AssertionError("it has no fault but that it keeps transactions")

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        answers = await self.post([sent if sent["method"] != "eth_sendRawTransaction" else _harmless(sent) for sent in calls])
        return [answer | self._own_result(sent, answer) for sent, answer in zip(calls, answers, strict=True)]

    def _own_result(self, sent: Call, answer: dict[str, object]) -> dict[str, object]:
        if sent["method"] == "eth_sendRawTransaction":
            self.taken.append(hex0x(keccak256(bytes.fromhex(sent["params"][0][2:]))))
            return {"result": self.taken[-1]}
        if sent["method"] == "eth_getTransactionByHash" and answer.get("result") is None and sent["params"][0] in self.taken:
            return {"result": {"hash": sent["params"][0], "blockNumber": None, "blockHash": None}}
        return {}


def _harmless(sent: Call) -> Call:
    return sent | {"method": "eth_chainId", "params": []}
