"""The server's half: a chain to a CA we trust, then a signature with the leaf's key.

1. The payload is read, and bounded: how many intermediates, how large an RSA key.
2. The chain must lead to a CA of `ca_bundle_path` (mode external_pki) or to our own bundle (mode
   spiffe), and the leaf must be meant for digital signatures.
3. The node signs a digest of our nonce and its own with the leaf's key.
4. Only then anything the certificate says is believed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from attestors.contract import Address, Challenge, Conversation, Verdict, VerifierContext
from attestors.node.x509pop import leaf as the_leaf
from attestors.node.x509pop import path_template
from attestors.node.x509pop import payload as wire
from attestors.node.x509pop.grammar import GRAMMAR
from finial.runtime.entropy import Entropy
from finial.runtime.settings import at_least, setting
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.path_validation import validate_path
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import judge_leaf

__all__ = ["GRAMMAR", "Settings", "X509popVerifier", "create"]

_PREHASHED: Final = Prehashed(hashes.SHA256())
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
_EXTERNAL: Final = "/x509pop/{fingerprint}"
_SPIFFE: Final = "/x509pop/{svid_path}"

Certificates = tuple[x509.Certificate, ...]
Anchors = Callable[[], Sequence[x509.Certificate]]


@dataclass(frozen=True, slots=True)
class Settings:
    """Which nodes are believed, named as in SPIRE.

    In mode `external_pki` the CAs stand in PEM files, read once at the start. In mode `spiffe` the
    node shows an X509-SVID of our own trust domain whose path begins with `svid_prefix`.
    `agent_path_template` is described in `path_template`. `verify_client_ip` asks for the
    connection's address among the certificate's names.
    """

    mode: Literal["external_pki", "spiffe"] = "external_pki"
    svid_prefix: str = "/spire-exchange"
    ca_bundle_path: str = ""
    ca_bundle_paths: tuple[str, ...] = ()
    agent_path_template: str = ""
    max_intermediates: int = setting(4, check=at_least(0))
    max_rsa_key_size: int = setting(8192, check=at_least(2048))
    verify_client_ip: bool = False

    def __post_init__(self) -> None:
        if bool(self.bundle_paths) == (self.mode == "spiffe"):
            raise ValueError(
                "ca_bundle_path or ca_bundle_paths is needed in mode external_pki, and only there"
            )
        if self.ca_bundle_path and self.ca_bundle_paths:
            raise ValueError("ca_bundle_path and ca_bundle_paths are both given")
        if not self.svid_prefix.startswith("/") or self.svid_prefix.endswith("/"):
            raise ValueError("svid_prefix begins with a slash and does not end with one")
        if fault := path_template.fault_of(self.template):
            raise ValueError(f"agent_path_template is wrong: {fault}")

    @property
    def bundle_paths(self) -> tuple[str, ...]:
        """All files of CA certificates."""
        return self.ca_bundle_paths or tuple(filter(None, (self.ca_bundle_path,)))

    @property
    def template(self) -> str:
        """The template of an agent's path that applies."""
        return self.agent_path_template or (_SPIFFE if self.mode == "spiffe" else _EXTERNAL)


class X509popVerifier:
    """Believes a node that holds the key of a certificate from a CA we trust."""

    name = wire.NAME

    def __init__(self, settings: Settings, context: VerifierContext, anchors: Anchors) -> None:
        self._settings = settings
        self._context = context
        self._anchors = anchors

    def verify(self, payload: bytes, now: float, address: Address | None = None) -> Conversation:
        """Judge the chain, then ask for a signature.

        Raises: Refusal of kind INVALID (what was sent makes no sense), DENIED (it proves nothing).
        """
        presented = self._presented(payload)
        leaf = presented[0]
        path = self._validated(presented, now)
        if not the_leaf.may_sign(leaf):
            raise _denied("the certificate is not meant for digital signatures")
        self._judge_address(leaf, address)
        values = self._values(leaf)
        question = _question(leaf, self._context.entropy)
        response = yield Challenge(wire.encode_question(question))
        _judge_proof(leaf, question, wire.decode_proof(response))
        return Verdict(
            path_template.render(self._settings.template, values),
            the_leaf.selectors(path, self._context.trust_domain),
            can_reattest=True,
        )

    def _presented(self, payload: bytes) -> Certificates:
        chain = wire.decode_certificates(payload)
        most = self._settings.max_intermediates
        if len(chain) - 1 > most:
            raise _invalid(f"there are {len(chain) - 1} intermediates, and {most} are allowed")
        presented = tuple(map(x509_certificate.read, chain))
        for each in presented:
            self._judge_size(each)
        return presented

    def _judge_size(self, certificate: x509.Certificate) -> None:
        # Before any signature is checked: a huge key makes that dear.
        key = certificate.public_key()
        most = self._settings.max_rsa_key_size
        if isinstance(key, rsa.RSAPublicKey) and key.key_size > most:
            raise _invalid(f"an RSA key has {key.key_size} bits, and {most} are allowed")

    def _validated(self, presented: Certificates, now: float) -> Certificates:
        try:
            return validate_path(presented[0], presented[1:], self._anchors(), now)
        except Refusal as refusal:
            raise _denied(f"certificate verification failed: {refusal.detail}") from refusal

    def _judge_address(self, leaf: x509.Certificate, address: Address | None) -> None:
        if not self._settings.verify_client_ip:
            return
        if address is None or not the_leaf.has_address(leaf, address):
            raise _denied(f"the certificate does not name the address {address or 'of a socket'}")

    def _values(self, leaf: x509.Certificate) -> dict[str, str]:
        values = {
            "fingerprint": the_leaf.fingerprint(leaf),
            "serial_number": the_leaf.serial_number(leaf),
            "subject_cn": the_leaf.subject_cn(leaf),
        }
        for key, value in the_leaf.sans(leaf, self._context.trust_domain):
            # Two values leave open which one is meant; none fits a path then.
            values[f"san.{key}"] = "" if f"san.{key}" in values else value
        if self._settings.mode == "spiffe":
            values["svid_path"] = self._svid_path(leaf)
        return values

    def _svid_path(self, leaf: x509.Certificate) -> str:
        try:
            spiffe_id = judge_leaf(leaf)
        except Refusal as refusal:
            raise _denied(f"the certificate is no X509-SVID: {refusal.detail}") from refusal
        prefix = self._settings.svid_prefix + "/"
        if spiffe_id.trust_domain != self._context.trust_domain:
            raise _denied(f"{spiffe_id} is not of the trust domain {self._context.trust_domain}")
        if not spiffe_id.path.startswith(prefix):
            raise _denied(f"the path of {spiffe_id} does not begin with {prefix}")
        return spiffe_id.path.removeprefix(prefix)


def create(settings: Settings, context: VerifierContext) -> X509popVerifier:
    """Make the verifier; the files of CA certificates are read now.

    Raises: Refusal of kind PRECONDITION.
    """
    if settings.mode == "spiffe":
        return X509popVerifier(settings, context, lambda: _own(context))
    anchors = [each for path in settings.bundle_paths for each in _read(path)]
    return X509popVerifier(settings, context, lambda: anchors)


def _own(context: VerifierContext) -> list[x509.Certificate]:
    # A tainted authority is one that may have signed for someone else.
    authorities = context.bundle().x509_authorities
    return [each.certificate for each in authorities if not each.tainted]


def _read(path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"x509pop: the CA certificates in {path} cannot be read ({error})",
            field="ca_bundle_path",
            value=path,
        ) from error


def _question(leaf: x509.Certificate, entropy: Entropy) -> wire.Question:
    nonce = entropy.bytes(wire.NONCE_BYTES)
    match leaf.public_key():
        case rsa.RSAPublicKey():
            return wire.Question(wire.Scheme.RSA, nonce)
        case ec.EllipticCurvePublicKey():
            return wire.Question(wire.Scheme.ECDSA, nonce)
    raise _invalid("the certificate's key is neither RSA nor EC")


def _judge_proof(leaf: x509.Certificate, question: wire.Question, proof: wire.Proof) -> None:
    digest = wire.digest(question.nonce, proof.nonce)
    try:
        match leaf.public_key(), proof:
            case rsa.RSAPublicKey() as key, wire.RsaProof(signature=signature):
                key.verify(signature, digest, _PSS, _PREHASHED)
            case ec.EllipticCurvePublicKey() as key, wire.EcdsaProof(r=r, s=s):
                key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(_PREHASHED))
            case _:
                raise _denied("the response is for another kind of key than the challenge")
    except InvalidSignature:
        raise _denied("challenge response verification failed: wrong signature") from None


def _invalid(fault: str) -> Refusal:
    return Refusal(Kind.INVALID, f"x509pop: {fault}", field="payload")


def _denied(fault: str) -> Refusal:
    return Refusal(Kind.DENIED, f"x509pop: {fault}")
