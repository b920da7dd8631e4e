"""JWT-SVIDs kept for workloads that ask again.

A token is handed out again until half its life has passed; after that a new one is asked for, and
the old one serves only if the server is away (SPIRE BC-06, BC-07).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.cache.entitlement import Entitlement
from finial.blocks import Blocks
from finial.spiffe.identity import SpiffeId


class TokenKey(NamedTuple):
    """What a token was made for; the order of audiences does not matter."""

    spiffe_id: SpiffeId
    audience: tuple[str, ...]

    @classmethod
    def of(cls, spiffe_id: SpiffeId, audience: Iterable[str]) -> "TokenKey":
        """Bring the audiences into one order, each once."""
        return cls(spiffe_id, tuple(sorted(set(audience))))


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A JWT-SVID; `renew_at` was computed once, on receipt. Unix seconds."""

    token: str = field(repr=False)
    key_id: str
    expires_at: int
    renew_at: float
    jti: str = ""


class JwtSvids:
    """The tokens, at most `limit` of them; the longest unused goes first."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._held: OrderedDict[TokenKey, HeldToken] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: TokenKey, now: float) -> HeldToken | None:
        """The token, unless it has expired; finding it counts as use."""
        held = self._held.get(key)
        if held is None:
            return None
        if held.expires_at <= now:
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return held

    def store(self, key: TokenKey, token: HeldToken) -> None:
        """Keep a token in place of an earlier one for the same key."""
        self._held[key] = token
        self._held.move_to_end(key)
        while len(self._held) > self._limit:
            self._held.popitem(last=False)

    def drop_blocked(self, entitlements: Iterable[Entitlement], blocks: Blocks, now: float) -> None:
        """Forget the tokens that are blocked: of an identity, of an entry, or by their own id.

        A token does not say which of several entries of one SPIFFE ID it is of, so all go.
        """
        ids = {
            e.spiffe_id for e in entitlements if blocks.of_entry(e.id, e.spiffe_id, now) is not None
        }
        for key, held in tuple(self._held.items()):
            if key.spiffe_id in ids or blocks.of_jti(held.jti, now) is not None:
                del self._held[key]

    def clear(self) -> None:
        """Forget all tokens."""
        self._held.clear()

    def keep_only(self, ids: Collection[SpiffeId], key_ids: Collection[str]) -> None:
        """Forget the tokens of identities that are no longer ours, or signed by other keys."""
        lost = [
            key
            for key, held in self._held.items()
            if key.spiffe_id not in ids or held.key_id not in key_ids
        ]
        for key in lost:
            del self._held[key]
