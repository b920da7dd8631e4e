"""How often one address may call (of IPv6: one network).

Whoever asks too fast waits, up to their deadline.

Spec: SPIRE RL-01 to RL-05; callers on the server's socket are exempt.
"""

from typing import Final

from ca.api.grpc.peer import Peer, RemotePeer
from ca.registry.rate import LONGEST_WAIT, RateLimit
from ca.settings import RateLimits
from finial.runtime.clock import Clock
from finial.wire.grpc.call import Call


class Gate:
    """The limit of one kind of call."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._limit = RateLimit(rate)
        self._clock = clock
        self._is_open = rate == 0

    def wait(self, call: Call[Peer], count: int = 1) -> float:
        """Take tokens for a call; return how many seconds it has to wait.

        Raises: Refusal of kind EXHAUSTED.
        """
        peer = call.peer
        if self._is_open or not isinstance(peer, RemotePeer):
            return 0.0
        now = self._clock.monotonic()
        longest = LONGEST_WAIT if call.deadline is None else call.deadline - now
        return self._limit.take(peer.network, count, now, longest)

    async def enter(self, call: Call[Peer], count: int = 1) -> None:
        """Take tokens for a call and wait for them.

        Raises: Refusal of kind EXHAUSTED.
        """
        if wait := self.wait(call, count):
            await self._clock.sleep(wait)


class Gates:
    """Every limit of the server."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self.attestation: Final = Gate(limits.attestation, clock)
        self.bootstrap: Final = Gate(limits.bootstrap, clock)
        self.x509_signing: Final = Gate(limits.signing, clock)
        self.jwt_signing: Final = Gate(limits.signing, clock)
        self.renewal: Final = Gate(limits.renewal, clock)
        self.status: Final = Gate(limits.status, clock)
