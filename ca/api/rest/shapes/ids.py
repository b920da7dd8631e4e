"""SPIFFE IDs as parts of a request's path."""

from finial.spiffe.identity import TrustDomain


def whole_id(trust_domain: TrustDomain, text: str) -> str:
    """Return a SPIFFE ID as it came, or one of this trust domain by its path alone.

    Proxies make one slash of two, which is mended.
    """
    if text.startswith("spiffe:/"):
        return "spiffe://" + text.removeprefix("spiffe:").lstrip("/")
    return f"{trust_domain.id}/{text}"
