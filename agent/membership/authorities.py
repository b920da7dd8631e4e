"""Which authorities of a server may be taken on beside those that are known."""

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.bundle import Bundle, X509Authority


def newer_authorities(known: Bundle, vouched: Bundle) -> tuple[X509Authority, ...]:
    """Those that are vouched for and began after every one that is known.

    An older one may have been taken out of the bundle for a reason, and is not taken back.
    """
    newest = max(map(_begins, known.x509_authorities), default=0)
    return tuple(each for each in vouched.x509_authorities if _begins(each) > newest)


def _begins(authority: X509Authority) -> int:
    return x509_certificate.not_before(authority.certificate)
