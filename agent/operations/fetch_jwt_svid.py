"""A JWT-SVID for a workload: one that is kept, or a new one from the server.

1. A kept token serves until half its life has passed; then a new one is asked for, and the kept
   one still serves if the server does not answer, but not if it says that the entry is gone.
2. Those who ask for the same at the same time share one call.
3. A token of an entry that wants every token unique (`jwt_svid_include_jti`) is never kept.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from agent.cache.entitlement import Entitlement
from agent.cache.jwt_svids import HeldToken, JwtSvids, TokenKey
from agent.events.happened import TokenReceived
from agent.events.journal import Journal
from agent.upstream.signing import Signing
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.spiffe.jwt_svid import JwtSvid
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.validity import renew_at

log = logging.getLogger("finial.agent.tokens")

TAKEN_AWAY: Final = frozenset({Kind.NOT_FOUND, Kind.DENIED})
"""How a server refuses what is no longer ours to hand out, also from memory."""


class FetchJwtSvid:
    """The tokens that are kept, and the way to new ones."""

    def __init__(
        self, kept: JwtSvids, signing: Signing, journal: Journal, clock: Clock, entropy: Entropy
    ) -> None:
        self._kept = kept
        self._signing = signing
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._under_way: dict[TokenKey, asyncio.Task[str]] = {}

    def kept(self, entitlement: Entitlement, key: TokenKey) -> str | None:
        """A token that may be handed out without asking the server."""
        if entitlement.jwt_svid_include_jti:
            return None
        now = self._clock.now()
        held = self._kept.find(key, now)
        return held.token if held is not None and now < held.renew_at else None

    async def fetch(self, entitlement: Entitlement, key: TokenKey) -> str:
        """A token for the entry and the audiences of the key.

        Raises: Refusal of kind UNAVAILABLE (no server, or it refused), UNIMPLEMENTED (the server
            makes no JWT-SVIDs).
        """
        kept = self.kept(entitlement, key)
        if kept is not None:
            return kept
        if entitlement.jwt_svid_include_jti:
            try:
                return (await self._sign(entitlement, key.audience)).token
            except Refusal as refusal:
                raise _told(refusal) from refusal
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(self._renew(entitlement, key))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # One caller that goes away must not take the token from the others.
        return await asyncio.shield(task)

    async def _renew(self, entitlement: Entitlement, key: TokenKey) -> str:
        try:
            svid = await self._sign(entitlement, key.audience)
        except Refusal as refusal:
            held = self._kept.find(key, self._clock.now())
            if held is None or refusal.kind in TAKEN_AWAY:
                raise _told(refusal) from refusal
            return held.token
        now = self._clock.now()
        begins = max(svid.issued_at, int(now))
        at = renew_at(begins, svid.expires_at, self._entropy.between(-1.0, 1.0))
        jti = str(svid.claims.get("jti", ""))
        self._kept.store(key, HeldToken(svid.token, svid.key_id, svid.expires_at, at, jti))
        return svid.token

    async def _sign(self, entitlement: Entitlement, audience: Sequence[str]) -> JwtSvid:
        token = await self._signing.new_jwt_svid(entitlement.id, audience)
        svid = JwtSvid.parse_unverified(token)
        if svid.id != entitlement.spiffe_id or set(svid.audience) != set(audience):
            raise Refusal(Kind.INTERNAL, "what it gave is for something else")
        self._journal.record(
            TokenReceived(svid.id, entitlement.id, svid.audience, svid.key_id, svid.expires_at)
        )
        return svid


def _told(refusal: Refusal) -> Refusal:
    """What a workload is told when there is no token for it."""
    if refusal.kind is Kind.UNIMPLEMENTED:
        return refusal
    if refusal.kind is Kind.DENIED:
        # Why, such as a block's reason, is for operators.
        log.warning("no JWT-SVID: %s", refusal)
        return Refusal(Kind.UNAVAILABLE, "the server denies it a JWT-SVID")
    return Refusal(Kind.UNAVAILABLE, f"the server gave no JWT-SVID: {refusal.detail}")
