"""Documents to inspect, and what the inspection of one cites."""

from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import spki
from finial.spiffe.lint import Inspection, Severity
from tests.doubles.ca import SmallCa

CA = SmallCa()
KEY = ec.generate_private_key(ec.SECP256R1())
EXAMPLE = TrustDomain.parse("example.org")
BUNDLE = Bundle(
    EXAMPLE,
    (X509Authority(CA.der),),
    (JwtAuthority("k1", spki(KEY.public_key())),),
    sequence=3,
    refresh_hint=300,
)


def ids(found: Inspection, severity: Severity | None = None) -> set[str]:
    """The checklist rows that the findings cite."""
    return {
        finding.clause.rsplit("(", 1)[1].rstrip(")")
        for _, finding in found.all_findings()
        if severity in (None, finding.severity)
    }
