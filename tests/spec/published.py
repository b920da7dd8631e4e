"""Two bundles as their trust domains publish them, one of them amid a rotation."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import spki
from tests.doubles.ca import SmallCa

EXAMPLE = TrustDomain.parse("example.org")
CA = SmallCa()
NEW = SmallCa()
KEY = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
BUNDLE = Bundle(
    EXAMPLE,
    (X509Authority(CA.der), X509Authority(NEW.der)),
    (JwtAuthority("k1", spki(KEY.public_key())), JwtAuthority("k2", spki(RSA.public_key()))),
    sequence=7,
    refresh_hint=300,
)
OTHER = Bundle(TrustDomain.parse("b.test"), (X509Authority(SmallCa("b.test").der),))
