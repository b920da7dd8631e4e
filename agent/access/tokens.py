"""JWT-SVIDs that come with requests, each verified once for as long as nothing about it changes."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json import jwk, strict_json
from finial.spiffe.jwt_svid import MAX_LEEWAY, MAX_TOKEN_BYTES, JwtSvid, verify_jwt
from finial.spiffe.refusal import Kind, Refusal

MAX_REMEMBERED: Final = 1024

Bundles = Mapping[TrustDomain, Bundle]


class Tokens:
    """Verifies tokens and remembers those that were good; a bad one is looked at again.

    A token counts as remembered only beside the very bundle that it was verified with.
    """

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._good: OrderedDict[tuple[str, str], tuple[Bundle | None, JwtSvid]] = OrderedDict()

    def verify(self, token: str, audience: str, bundles: Bundles, now: float) -> JwtSvid | None:
        """The JWT-SVID, or None for a token that does not claim to be one.

        Raises: Refusal of kind INVALID for one that claims it and is not valid.
        """
        key = (token, audience)
        known = self._good.get(key)
        if known is not None and bundles.get(known[1].id.trust_domain) is known[0]:
            if now >= known[1].expires_at + MAX_LEEWAY:
                del self._good[key]
                raise Refusal(Kind.INVALID, "the token has expired", field="token")
            self._good.move_to_end(key)
            return known[1]
        if not claims_to_be_svid(token):
            return None
        svid = verify_jwt(token, audience, bundles, now)
        self._good[key] = bundles.get(svid.id.trust_domain), svid
        self._good.move_to_end(key)
        if len(self._good) > self._most:
            self._good.popitem(last=False)
        return svid


def claims_to_be_svid(token: str) -> bool:
    """Whether a token is a JWT whose subject is a SPIFFE ID, or wants to look like one.

    Opaque tokens, and JWTs about users, are nobody's identity here and no fault either.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN_BYTES:
        return False
    try:
        claims = strict_json.loads_object(jwk.decode(parts[1]))
    except (ValueError, Refusal):
        return False
    subject = claims.get("sub")
    return isinstance(subject, str) and subject.strip().lower().startswith("spiffe:")
