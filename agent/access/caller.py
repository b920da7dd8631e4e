"""Who calls, by the strongest thing that proves it.

1. The principal of mutual TLS, as the proxy that asks saw it. Nothing in the request overrides it.
2. Where the principal is a proxy that the operator names, what that one says of its own client,
   in the header `x-forwarded-client-cert`; and so on, from the nearest proxy to the farthest.
3. In the form of the question that has no place for a principal: the same header, where the
   operator names the proxy that asks, since only then is it known who wrote it.
4. Without these: a JWT-SVID in `authorization`, for the callee as audience. A bearer token that is
   no JWT-SVID is somebody else's matter.

What is there and cannot be believed never makes room for something weaker.
"""

import enum
from collections.abc import Collection, Mapping

import msgspec

from agent.access.asked import Asked
from agent.access.callees import Callee
from agent.access.certificate import Certificates
from agent.access.forwarded import Element, read_forwarded
from agent.access.reasons import Obstacle
from agent.access.tokens import Tokens
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal


class Means(enum.StrEnum):
    """What proves who calls."""

    MTLS = "mtls"
    FORWARDED = "forwarded"
    JWT = "jwt"
    NONE = "none"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who calls, if somebody proved it; `fault` is why what was offered proves nothing.

    `through` are the named proxies between, the nearest first; `serials` those of certificates that
    were seen, `jti` the token's id. `detail` says of a token what is wrong with it.
    """

    id: SpiffeId | None
    means: Means
    fault: Obstacle | None = None
    through: tuple[SpiffeId, ...] = ()
    serials: tuple[int, ...] = ()
    jti: str = ""
    detail: str = ""


NOBODY = Caller(None, Means.NONE)


class Callers:
    """Finds out who calls.

    `proxies` are identities of clients whose header about their own client is believed, `askers`
    those of proxies that ask and write the header themselves.
    """

    def __init__(
        self, proxies: Collection[SpiffeId] = (), askers: Collection[SpiffeId] = ()
    ) -> None:
        self._proxies = frozenset(proxies)
        self._askers = frozenset(askers)
        self._certificates = Certificates()
        self._tokens = Tokens()
        self._known: dict[str, SpiffeId] = {}

    def find(self, asked: Asked, callee: Callee, now: float) -> Caller:
        """Who calls this callee."""
        # A certificate that names nobody is no reason to believe something weaker.
        if asked.principal or asked.certificate:
            return self._by_mtls(asked, callee.bundles)
        if asked.forwarded and not asked.tells_principal and callee.id in self._askers:
            elements = read_forwarded(asked.forwarded)
            if elements is None:
                return _fault(Means.FORWARDED, Obstacle.FORWARDED_MALFORMED)
            return self._forwarded(elements, (), (), callee.bundles)
        if asked.authorization:
            return self._by_token(asked.authorization, callee, now)
        return NOBODY

    def _by_mtls(self, asked: Asked, domains: Mapping[TrustDomain, object]) -> Caller:
        found = self._judge(Means.MTLS, asked.principal, asked.certificate, domains)
        if found.id is None or found.id not in self._proxies or not asked.forwarded:
            return found
        elements = read_forwarded(asked.forwarded)
        if elements is None:
            return _fault(Means.FORWARDED, Obstacle.FORWARDED_MALFORMED)
        if elements[-1].uris == (str(found.id),):
            # The asking proxy added what it has told us already.
            elements = elements[:-1]
        if not elements:
            return found
        return self._forwarded(elements, (found.id,), found.serials, domains)

    def _forwarded(
        self,
        elements: tuple[Element, ...],
        through: tuple[SpiffeId, ...],
        serials: tuple[int, ...],
        domains: Mapping[TrustDomain, object],
    ) -> Caller:
        """Go from the nearest element back to the first that is about no named proxy."""
        for element in reversed(elements):
            if not element.uris:
                return Caller(None, Means.FORWARDED, None, through, serials)
            uri = element.uris[0] if len(element.uris) == 1 else ""
            found = self._judge(Means.FORWARDED, uri, element.certificate, domains)
            serials = (*serials, *found.serials)
            if found.id is None:
                return _fault(Means.FORWARDED, found.fault, through, serials)
            if found.id not in self._proxies:
                return Caller(found.id, Means.FORWARDED, None, through, serials)
            through = (*through, found.id)
        # All of them are named proxies, and the farthest says of nobody that it was its client.
        return Caller(through[-1], Means.FORWARDED, None, through[:-1], serials)

    def _judge(
        self, means: Means, principal: str, certificate: str, domains: Mapping[TrustDomain, object]
    ) -> Caller:
        """What one proxy says of one certificate."""
        try:
            id_ = self._parse(principal)
        except Refusal:
            return _fault(means, Obstacle.PRINCIPAL_MALFORMED)
        serials: tuple[int, ...] = ()
        if certificate:
            seen = self._certificates.read(certificate)
            if seen is None or seen.uris != (principal,):
                return _fault(means, Obstacle.PRINCIPAL_DOUBTED)
            serials = (seen.serial,)
        if id_.trust_domain not in domains:
            return _fault(means, Obstacle.FOREIGN_TRUST_DOMAIN, (), serials)
        return Caller(id_, means, None, (), serials)

    def _by_token(self, authorization: str, callee: Callee, now: float) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return NOBODY
        try:
            svid = self._tokens.verify(token.strip(" "), str(callee.id), callee.bundles, now)
        except Refusal as refusal:
            return Caller(None, Means.JWT, Obstacle.TOKEN_REFUSED, detail=refusal.detail)
        if svid is None:
            return NOBODY
        jti = svid.claims.get("jti", "")
        return Caller(svid.id, Means.JWT, jti=jti if isinstance(jti, str) else "")

    def _parse(self, text: str) -> SpiffeId:
        known = self._known.get(text)
        if known is None:
            known = SpiffeId.parse(text)
            if len(self._known) >= 4096:
                self._known.clear()
            self._known[text] = known
        return known


def _fault(
    means: Means,
    obstacle: Obstacle | None,
    through: tuple[SpiffeId, ...] = (),
    serials: tuple[int, ...] = (),
) -> Caller:
    return Caller(None, means, obstacle, through, serials)
