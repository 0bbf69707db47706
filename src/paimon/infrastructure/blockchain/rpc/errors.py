"""Errors of requests to nodes."""

from typing import Any

from paimon.infrastructure.blockchain.rpc.read_answers import Answer


class RpcUnavailable(Exception):
    """No node gave a usable answer within the bounded tries, or none has reached the required height."""


class BlockNotReached(RpcUnavailable):
    """Every eligible node answers, and none has reached the required block."""


class RpcError(Exception):
    """The node answered with an error object."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data

    @property
    def revert_data(self) -> bytes | None:
        """The bytes that a reverted call returned, where the node returns them."""
        data = self.data.get("data") if isinstance(self.data, dict) else self.data
        try:
            return bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else None
        except ValueError:  # text of the node, not bytes
            return None

    @property
    def is_revert(self) -> bool:
        return self.code == 3 or "revert" in self.message.lower()


class StatePruned(RpcError):
    """No RPC endpoint keeps the state of that block: an operator must configure one with the use archive."""

    def __init__(self, error: RpcError, height: int) -> None:
        super().__init__(error.method, error.code, error.message, error.data)
        self.args = (
            f"no endpoint keeps the state of block {height} (it says: {error.message}):"
            " add one that does, with the use archive (PAIMON_CHAIN__EXTRA_RPC_URLS=read,archive=https://…)",
        )


def unavailable_error(method: str, reasons: dict[str, str], *, attempts: int) -> RpcUnavailable:
    """Build the error, with the reason of each node by its host."""
    if len(reasons) == 1:
        ((name, reason),) = reasons.items()
        return RpcUnavailable(f"node {name} gave no usable answer to {method} after {attempts} tries: {reason}")
    details = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return RpcUnavailable(f"no node gave a usable answer to {method} after {attempts} tries: {details}")


def parse_result(method: str, answer: Answer) -> Any:
    """Return the answer's result. Raises RpcError where the answer is an error."""
    error = answer.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        raise RpcError(method, code if isinstance(code, int) else 0, str(error.get("message") or ""), error.get("data"))
    if error is not None:
        raise RpcError(method, 0, str(error))
    if "result" not in answer:
        raise RpcError(method, 0, "the answer has neither result nor error")
    return answer["result"]
