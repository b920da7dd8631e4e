"""The CA kept in the folder of `finial up`, by which its agent can always join again (x509pop)."""

import datetime as dt
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from finial.runtime.entropy import Entropy
from finial.runtime.files import read_private, write_private, write_public

# "No well-defined expiration" and a beginning that no clock is behind (RFC 5280, 4.1.2.5).
_FOREVER: Final = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_ALWAYS: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_PEM: Final = serialization.Encoding.PEM


def prepare(folder: Path, entropy: Entropy) -> None:
    """Make `ca.key` and `ca.pem` if they are not there, and `node.key` and `node.pem` anew.

    The node's name, and with it the agent's SPIFFE ID, follows from the CA, so that it stays.
    """
    key, authority = _authority(folder, entropy)
    name = authority.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name, as in SPIRE's IDs
    node_key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, authority.subject, node_key.public_key(), entropy)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "node.key", _pkcs8(node_key))
    write_public(folder / "node.pem", certificate.public_bytes(_PEM))


def _authority(
    folder: Path, entropy: Entropy
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    stored = read_private(folder / "ca.key")
    if stored is not None and (folder / "ca.pem").exists():
        found = serialization.load_pem_private_key(stored, None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found, x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "finial up: nodes")])
    certificate = (
        _builder("finial up: nodes", name, key.public_key(), entropy)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", _pkcs8(key))
    write_public(folder / "ca.pem", certificate.public_bytes(_PEM))
    return key, certificate


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, entropy: Entropy
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key,
        serial_number=entropy.serial_number(),
        not_valid_before=_ALWAYS,
        not_valid_after=_FOREVER,
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
