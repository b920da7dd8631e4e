"""The two documents, each written once for as long as nothing in it changes."""

import hashlib
from dataclasses import dataclass
from typing import Final

from ca.operations.rotate_authority import TIMETABLE
from ca.operations.world import World
from finial.spiffe.bundle import JwtAuthority
from finial.spiffe.jwt_svid import MAX_LEEWAY
from finial.spiffe.oidc import OidcIssuer, render_discovery, render_verifier_keys

DISCOVERY_SECONDS: Final = 300
"""For how long a verifier may keep the discovery document, which changes by configuration only."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its entity tag; `seconds` is for how long it may be kept without asking."""

    content: bytes
    tag: str
    seconds: int

    @classmethod
    def of(cls, content: bytes, seconds: int) -> "Document":
        """Name a content by what it is, so that equal ones have one tag on every server."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, f'"{digest[:32]}"', seconds)


class Documents:
    """What this server publishes for one issuer."""

    def __init__(self, world: World, issuer: OidcIssuer) -> None:
        self._world = world
        self.issuer: Final = issuer
        self._written: tuple[tuple[JwtAuthority, ...], Document] | None = None
        self.discovery: Final = Document.of(render_discovery(issuer), DISCOVERY_SECONDS)

    def keys(self) -> Document | None:
        """The keys by which something can be verified now; None when there is none."""
        now = self._world.clock.now()
        authorities = tuple(
            each
            for each in self._world.known.bundle.value.jwt_authorities
            if not each.expires_at or now <= each.expires_at + MAX_LEEWAY
        )
        if not authorities:
            return None
        if self._written is None or self._written[0] != authorities:
            document = Document.of(render_verifier_keys(authorities), self._seconds())
            self._written = (authorities, document)
        return self._written[1]

    def _seconds(self) -> int:
        # A new key is published for a while before it signs. Half of that is left to the caches,
        # the rest to the other servers of the trust domain, which hear of it a little later.
        return max(int(TIMETABLE.settling(self._world.profiles.ca_ttl) / 2), 1)
