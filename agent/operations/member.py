"""The agent as a member of its trust domain: its own key and SVID, and how they survive.

What is written when, so that a crash at any point costs nothing:

1. a new key is on the disk before anything is asked with it, and an attestation that was cut
   short is tried again with the same key (a join token that was spent by it serves again);
2. an SVID is on the disk, with the name of its key, before it is used;
3. the former key goes last: until the server has seen the new SVID both are good (SPIRE BR-03).
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final

from agent.events.happened import StandingLost
from agent.events.journal import Journal
from agent.membership.standing import OwnSvid, Phase, Standing
from agent.operations.signing_request import is_of
from agent.storage.own_identity import OwnIdentityFile, StoredIdentity
from finial.keys.contract import KeyManager, KeyType, PrivateKey
from finial.keys.generate import pkcs8
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.runtime.watch import Watch
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.validity import renew_at
from finial.spiffe.well_known import is_agent
from finial.spiffe.x509_svid import X509Svid
from finial.wire.tls import TlsIdentity

KEY_IDS: Final = ("agent-svid-a", "agent-svid-b")
FRESH_SECONDS: Final = 2.0
"""How long after a replacement a call under the former SVID may still be under way."""

log = logging.getLogger("finial.agent.member")


class Member:
    """Our own identity. `standing` is the one thing that others watch."""

    def __init__(
        self,
        *,
        trust_domain: TrustDomain,
        servers: tuple[str, ...],
        keys: KeyManager,
        file: OwnIdentityFile,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._trust_domain = trust_domain
        self._servers = servers
        self._keys = keys
        self._file = file
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._identity: TlsIdentity | None = None
        self._replacing = False
        self._replaced_at = -FRESH_SECONDS
        self.id: SpiffeId | None = None
        self.standing = Watch(Standing(Phase.UNATTESTED))

    @property
    def identity(self) -> TlsIdentity | None:
        """What we present to servers."""
        return self._identity

    async def resume(self) -> None:
        """Go on as who we were before the restart, if what was stored is still good.

        Raises: Refusal of kind PRECONDITION (unsafe or damaged), UNAVAILABLE (the key).
        """
        stored = await asyncio.to_thread(self._file.load)
        if stored is None or stored.trust_domain != self._trust_domain:
            return
        self.id = stored.svid.id
        key = await self._keys.find(stored.svid.key_id)
        if key is None or not is_of(key, x509_certificate.read(stored.svid.chain[0])):
            log.info("the key of the stored SVID is not there any more, so the node attests anew")
            return
        if stored.svid.expires_at <= self._clock.now():
            log.info("the stored SVID has expired, so the node attests anew")
            await asyncio.to_thread(self._file.forget)
            await self.forget_keys()
            return
        await self.forget_keys(but=stored.svid.key_id)
        self._take_on(stored.svid, key)

    async def next_key(self) -> tuple[str, PrivateKey]:
        """The key for the next SVID, and its name; one that is waiting already is taken again."""
        svid = self.standing.value.svid
        name = KEY_IDS[1] if svid is not None and svid.key_id == KEY_IDS[0] else KEY_IDS[0]
        key = await self._keys.find(name)
        return name, key or await self._keys.generate(name, KeyType.EC_P256)

    async def adopt(
        self, svid: X509Svid, key_id: str, key: PrivateKey, *, reattestable: bool
    ) -> OwnSvid:
        """Become the holder of an SVID that a server gave us.

        Raises: Refusal of kind INTERNAL (it is not for us), UNAVAILABLE (it cannot be stored).
        """
        self._judge(svid, key)
        now = self._clock.now()
        jitter = self._entropy.between(-1.0, 1.0)
        at = renew_at(max(svid.not_before, int(now)), svid.not_after, jitter)
        own = OwnSvid(svid.id, svid.chain, key_id, svid.serial, svid.not_after, at, reattestable)
        stored = StoredIdentity(self._trust_domain, self._servers, own)
        try:
            await asyncio.to_thread(self._file.store, stored)
        except OSError as error:
            raise Refusal(Kind.UNAVAILABLE, f"our own SVID cannot be stored: {error}") from error
        if self._identity is not None:
            self._replaced_at = self._clock.monotonic()
        self._take_on(own, key)
        await self.forget_keys(but=key_id)
        return own

    async def forget_keys(self, but: str = "") -> None:
        """Delete our keys: they belong to an SVID that is worth nothing any more."""
        for key_id in KEY_IDS:
            if key_id != but:
                await self._keys.delete(key_id)

    @contextlib.contextmanager
    def replacing(self) -> Iterator[None]:
        """Attest anew: from here on a denial may be meant for the SVID that is being replaced."""
        self._replacing = self._identity is not None
        try:
            yield
        finally:
            self._replacing = False

    def heed(self, refusal: Refusal) -> bool:
        """Look for a reason in what a server refused, and draw the consequences (SPIRE BR-05).

        Returns whether it was meant for the SVID that is being replaced, so that nothing is wrong.
        """
        return refusal.reason is not None and self._denied(refusal.reason, refusal.detail)

    def told(self, reason: Reason) -> None:
        """The server said by its stream what became of us."""
        self._denied(reason, reason.name.lower().replace("_", " "))

    def _denied(self, reason: Reason, detail: str) -> bool:
        fresh = self._clock.monotonic() - self._replaced_at < FRESH_SECONDS
        if (self._replacing or fresh) and reason is not Reason.AGENT_BANNED:
            # A call or stream under the former SVID was cut off by the new one. If it is the new
            # one that is denied, the next call says so again.
            log.debug("%s: meant for the SVID that was replaced", detail)
            return True
        self._become(self.standing.value.denied(reason), detail)
        return False

    def pass_time(self) -> None:
        """See what the passing of time has made of our SVID."""
        self._become(self.standing.value.at(self._clock.now()), "our own SVID has expired")

    def renew_soon(self) -> None:
        """Have our SVID replaced at once."""
        self.standing.set(self.standing.value.due_now())

    def _become(self, standing: Standing, reason: str) -> None:
        if standing == self.standing.value:
            return
        log.warning("%s: this agent now %s", reason, standing.phase.words)
        self._identity = None
        # This happens to us whether or not it can be written down.
        with contextlib.suppress(Refusal):
            self._journal.record(StandingLost(self.id, reason))
        try:
            self._file.forget()
        except OSError:
            log.exception("the SVID that is worth nothing any more cannot be removed")
        self.standing.set(standing)

    def _take_on(self, svid: OwnSvid, key: PrivateKey) -> None:
        self.id = svid.id
        self._identity = TlsIdentity(svid.chain, pkcs8(key))
        self.standing.set(self.standing.value.attested(svid))

    def _judge(self, svid: X509Svid, key: PrivateKey) -> None:
        if svid.id.trust_domain != self._trust_domain or not is_agent(svid.id):
            fault = f"an SVID for {svid.id}, which is no agent of {self._trust_domain}"
        elif not is_of(key, x509_certificate.read(svid.chain[0])):
            fault = "an SVID for another key"
        elif svid.not_after <= self._clock.now():
            fault = "an SVID that has expired: are both clocks right?"
        else:
            return
        raise Refusal(Kind.INTERNAL, f"the server gave us {fault}")
