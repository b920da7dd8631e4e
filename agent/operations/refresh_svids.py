"""Having X.509-SVIDs signed ahead, renewed in time, and dropped when their entry is gone.

A batch that fails as a whole is halved, and doubled again after a success (SPIRE BS-04). An entry
whose SVID was refused alone waits before it is asked for again, so that one bad entry costs the
others nothing.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.cache.entitlement import Entitlement, Entitlements
from agent.cache.view import Holdings
from agent.cache.x509_svids import HeldSvid, next_instant, plan
from agent.events.happened import SigningFailed, SvidReceived
from agent.events.journal import Journal
from agent.operations.signing_request import is_of, signing_request
from agent.operations.subscriptions import Subscriptions
from agent.upstream.signing import Signing
from finial.keys.contract import KeyType, PrivateKey
from finial.keys.generate import generate_private_key, is_slow, pkcs8
from finial.runtime.backoff import Backoff
from finial.runtime.clock import LONGEST_SLEEP, Clock
from finial.runtime.entropy import Entropy
from finial.runtime.watch import Watch
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.validity import renew_at
from finial.spiffe.x509_svid import X509Svid

LARGEST_BATCH: Final = 500
_BETWEEN_YIELDS: Final = 8
_AGAIN: Final = Backoff(first=2.0, longest=60.0, jitter=0.5)
log = logging.getLogger("finial.agent.svids")


@dataclass(frozen=True, slots=True)
class _Refused:
    """An entry for which nothing was signed so many times in a row; when it is asked for again."""

    attempts: int
    again_at: float
    why: str


_NEVER: Final = _Refused(0, 0.0, "")


class SvidRefresh:
    """Keeps an SVID ready for each entry that needs one."""

    def __init__(
        self,
        *,
        holdings: Watch[Holdings],
        subscriptions: Subscriptions,
        signing: Signing,
        key_type: KeyType,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._holdings = holdings
        self._subscriptions = subscriptions
        self._signing = signing
        self._key_type = key_type
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._batch = LARGEST_BATCH
        self._refused: dict[str, _Refused] = {}

    @property
    def unsigned(self) -> Mapping[str, str]:
        """Why the server signed nothing for an entry, by entry id."""
        return {entry_id: refused.why for entry_id, refused in self._refused.items()}

    @property
    def subscribed(self) -> frozenset[str]:
        """The entries for which somebody has an open stream, by entry id."""
        return self._subscriptions.demand().subscribed

    async def run(self, *, can_sign: bool) -> float:
        """Do what is due; return in how many seconds to look again at the latest.

        Raises: Refusal if a whole batch failed.
        """
        while True:
            due = self._due()
            if not due or not can_sign:
                return self._until_next()
            await self._sign(due[: self._batch])

    def _due(self) -> tuple[str, ...]:
        holdings, now = self._holdings.value, self._clock.now()
        demand = self._subscriptions.demand()
        entitlements = holdings.entitlements if holdings.lockout is None else Entitlements()
        marked = tainted(holdings)
        found = plan(entitlements, holdings.svids, demand, marked, now, blocks=holdings.blocks)
        if found.drop:
            kept = {i: svid for i, svid in holdings.svids.items() if i not in found.drop}
            self._holdings.set(replace(holdings, svids=kept))
        for entry_id in self._refused.keys() - set(found.sign):
            del self._refused[entry_id]
        return tuple(i for i in found.sign if self._refused.get(i, _NEVER).again_at <= now)

    def _until_next(self) -> float:
        now = self._clock.now()
        instants = [each.again_at for each in self._refused.values() if each.again_at > now]
        at = next_instant(self._holdings.value.svids.values(), now)
        return min([*instants, *([] if at is None else [at]), now + LONGEST_SLEEP]) - now

    async def _sign(self, entry_ids: Sequence[str]) -> None:
        wanted = self._entitlements(entry_ids)
        keys = await self._keys(wanted)
        requests = {each.id: signing_request(keys[each.id], each.spiffe_id) for each in wanted}
        try:
            answers = await self._signing.new_x509_svids(requests)
        except Refusal:
            self._batch = max(self._batch // 2, 1)
            raise
        self._batch = min(self._batch * 2, LARGEST_BATCH)
        received = [self._receive(each, keys[each.id], answers[each.id]) for each in wanted]
        fresh = {svid.entry_id: svid for svid in received if svid is not None}
        holdings = self._holdings.value
        if fresh:
            self._holdings.set(replace(holdings, svids={**holdings.svids, **fresh}))

    def _entitlements(self, entry_ids: Sequence[str]) -> list[Entitlement]:
        known = self._holdings.value.entitlements
        return [each for each in map(known.get, entry_ids) if each is not None]

    async def _keys(self, wanted: Sequence[Entitlement]) -> dict[str, PrivateKey]:
        keys: dict[str, PrivateKey] = {}
        for number, each in enumerate(wanted):
            if is_slow(self._key_type):
                keys[each.id] = await asyncio.to_thread(generate_private_key, self._key_type)
            else:
                keys[each.id] = generate_private_key(self._key_type)
            if number % _BETWEEN_YIELDS == _BETWEEN_YIELDS - 1:
                await self._clock.sleep(0)
        return keys

    def _receive(
        self, entitlement: Entitlement, key: PrivateKey, answer: X509Svid | Refusal
    ) -> HeldSvid | None:
        try:
            if isinstance(answer, Refusal):
                raise answer
            return self._accept(entitlement, key, answer)
        except Refusal as refusal:
            self._postpone(entitlement.id, refusal)
            log.warning("no SVID for the entry %s: %s", entitlement.id, refusal)
            self._journal.record(SigningFailed(entitlement.id, refusal.detail))
            return None

    def _accept(self, entitlement: Entitlement, key: PrivateKey, svid: X509Svid) -> HeldSvid:
        now = self._clock.now()
        if svid.id != entitlement.spiffe_id:
            raise Refusal(Kind.INTERNAL, f"the server signed {svid.id}")
        if not is_of(key, x509_certificate.read(svid.chain[0])):
            raise Refusal(Kind.INTERNAL, "the server signed another key")
        if svid.not_after <= now:
            raise Refusal(Kind.INTERNAL, "the SVID has expired: are both clocks right?")
        self._journal.record(SvidReceived(svid.id, entitlement.id, svid.serial, svid.not_after))
        begins = max(svid.not_before, int(now))
        return HeldSvid(
            entry_id=entitlement.id,
            revision_number=entitlement.revision_number,
            spiffe_id=svid.id,
            chain=svid.chain,
            private_key=pkcs8(key),
            serial=svid.serial,
            authority_key_id=svid.authority_key_id,
            expires_at=svid.not_after,
            renew_at=renew_at(begins, svid.not_after, self._entropy.between(-1.0, 1.0)),
        )

    def _postpone(self, entry_id: str, refusal: Refusal) -> None:
        attempts = self._refused.get(entry_id, _NEVER).attempts
        delay = _AGAIN.delay(attempts, self._entropy.between(0.0, 1.0))
        again_at = self._clock.now() + delay
        self._refused[entry_id] = _Refused(attempts + 1, again_at, refusal.detail)


def tainted(holdings: Holdings) -> Collection[str]:
    """The key ids of our own trust domain's tainted authorities, in hex."""
    own = holdings.own_bundle
    authorities = () if own is None else own.x509_authorities
    return {each.subject_key_id for each in authorities if each.tainted}
