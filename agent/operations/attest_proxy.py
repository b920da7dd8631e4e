"""Which proxy asks: attested once a connection, and looked at again from time to time.

A proxy keeps its connection for as long as it lives and asks on it for every request that it
serves. What its process is does not change meanwhile; what the agent holds for it may, and is
looked up anew whenever it did.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from agent.access.callees import Asker
from agent.attestation.attempt import Caller as Process
from agent.cache.view import Holdings
from agent.operations.attest_caller import CallerAttestation, Findings, check
from agent.operations.processes import caller_of
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal

MOST_KNOWN: Final = 4096
LOOKS_AFTER: Final = 300.0
"""Seconds after which a proxy is attested anew; sooner where an attestor failed."""
LOOKS_AFTER_FAILURE: Final = 5.0
CHECKS_AFTER: Final = 1.0
"""Seconds after which it is made sure again that the process still lives."""


@dataclass(slots=True)
class Proxy:
    """A proxy's process on one connection, and for whom it may ask."""

    peer: KernelPeer
    process: Process
    findings: Findings
    holdings: Holdings
    asker: Asker
    attested_at: float
    checked_at: float


class Proxies:
    """Attests proxies; times are of the monotonic clock."""

    def __init__(
        self, attestation: CallerAttestation, holdings: Watch[Holdings], clock: Clock
    ) -> None:
        self._attestation = attestation
        self._holdings = holdings
        self._clock = clock
        self._known: OrderedDict[int, Proxy] = OrderedDict()

    def known(self, peer: KernelPeer) -> Proxy | None:
        """The proxy of this very connection, if it need not be attested now.

        Raises: Unserved of kind UNAVAILABLE (it has ended).
        """
        # A peer that is kept here has a number of its own; one that is gone may have left it.
        found = self._known.get(id(peer))
        if found is None or found.peer is not peer:
            return None
        now = self._clock.monotonic()
        limit = LOOKS_AFTER_FAILURE if found.findings.failures else LOOKS_AFTER
        if now - found.attested_at >= limit:
            return None
        if now - found.checked_at >= CHECKS_AFTER:
            check(peer, found.findings.said)
            found.checked_at = now
        holdings = self._holdings.value
        if holdings is not found.holdings:
            found.holdings = holdings
            found.asker = Asker.of(holdings, found.findings.selectors)
        return found

    async def attest(self, peer: KernelPeer) -> Proxy:
        """Find out who the proxy is.

        Raises: Refusal of kind UNAVAILABLE (the entries are not known; the process has ended or
        cannot be attested), DENIED (it is not who connected).
        """
        if not self._holdings.value.synced:
            fault = "the agent has not yet learned its entries from the server"
            raise Refusal(Kind.UNAVAILABLE, fault)
        findings = await self._attestation.attest(peer)
        holdings, now = self._holdings.value, self._clock.monotonic()
        asker = Asker.of(holdings, findings.selectors)
        if not asker.callees and findings.failures:
            raise findings.no_identity()
        proxy = Proxy(peer, caller_of(peer), findings, holdings, asker, now, now)
        self._known[id(peer)] = proxy
        self._known.move_to_end(id(peer))
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return proxy

    def forget(self, peer: KernelPeer) -> None:
        """Let go of a connection that has ended."""
        self._known.pop(id(peer), None)
