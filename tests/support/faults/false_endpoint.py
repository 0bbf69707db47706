"""An endpoint that answers like its node, except where a test gives it false results."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.chain.stub_node import rpc_endpoint
from tests.support.faults.faulty_endpoint import Answers, Call, Faults, FaultyEndpoint, node_session

FalseResult = Callable[[Call, Any], Any]
"""The false result of a call, made from the call and its true result."""


@dataclass
class FalseEndpoint(FaultyEndpoint):
    """Answers falsely by method. Without false results it is an honest endpoint under another name."""

    false_results: dict[str, FalseResult] = field(default_factory=dict)

    def faults_of(self, calls: list[Call]) -> Faults:
        raise AssertionError("it has no fault but its false results")

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        answers = await self.post([call | {"id": number} for number, call in enumerate(calls)])
        return [self._answer(call, answer | {"id": call["id"]}) for call, answer in zip(calls, answers, strict=True)]

    def _answer(self, call: Call, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the node's answer, or in its place the false result, also where the node answers with an error."""
        false_result = self.false_results.get(call["method"])
        if false_result is None:
            return answer
        truth = answer.pop("result", None)
        answer.pop("error", None)
        return answer | {"result": false_result(call, truth)}


@asynccontextmanager
async def false_endpoints(upstream: str, count: int) -> AsyncIterator[list[FalseEndpoint]]:
    """Run this many endpoints before one node. All are honest until a test gives them false results."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        endpoints = [FalseEndpoint(upstream, session) for _ in range(count)]
        for endpoint in endpoints:
            endpoint.url = await stack.enter_async_context(rpc_endpoint(endpoint.handle))
        yield endpoints
