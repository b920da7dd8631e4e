"""JWT-SVIDs kept for workloads that ask again.

A token is handed out again until half its life has passed; after that a new one is asked for, and
the old one serves only if the server is away (SPIRE BC-06, BC-07).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

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

    def keep_only(self, ids: Collection[SpiffeId], key_ids: Collection[str]) -> None:
        """Forget the tokens of identities that are no longer ours, or signed by other keys."""
        lost = [
            key
            for key, held in self._held.items()
            if key.spiffe_id not in ids or held.key_id not in key_ids
        ]
        for key in lost:
            del self._held[key]
