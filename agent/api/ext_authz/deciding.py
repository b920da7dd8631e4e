"""What both forms of the question have in common: the proxy is attested, the request decided."""

from collections.abc import Awaitable
from dataclasses import dataclass

from agent.access.asked import Asked
from agent.api.eager import eagerly
from agent.operations.attest_proxy import Proxies
from agent.operations.decide_access import AccessDecisions
from agent.operations.record_decisions import Decided
from finial.runtime.peer import KernelPeer


@dataclass(frozen=True, slots=True)
class Deciding:
    """Answers proxies; `caller_header` carries the caller's SPIFFE ID to the callee.

    Whatever a caller sent in that header itself never gets there.
    """

    proxies: Proxies
    decisions: AccessDecisions
    caller_header: str

    def decide(self, peer: KernelPeer, asked: Asked) -> Decided | Awaitable[Decided]:
        """Decide, in place where the proxy is known already.

        Raises: Refusal of kind UNAVAILABLE, DENIED: nothing could be decided.
        """
        proxy = self.proxies.known(peer)
        if proxy is not None:
            return self.decisions.decide(proxy, asked)
        return eagerly(self._decide(peer, asked))

    async def _decide(self, peer: KernelPeer, asked: Asked) -> Decided:
        return self.decisions.decide(await self.proxies.attest(peer), asked)
