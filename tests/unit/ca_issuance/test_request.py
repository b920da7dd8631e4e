"""What a signing request asks for, and which of it counts."""

from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.issuance.public_key import judge_public_key
from ca.issuance.request import MAX_CSR_BYTES, judge_csr, judge_mint_csr
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entries import DOMAIN, sid
from tests.doubles.issuing import EMPTY, KEY_TYPES, csr, private_key, uri

WEB = uri("spiffe://example.org/web")


def _refused(der: bytes, *, mint: bool = False) -> Refusal:
    with pytest.raises(Refusal) as caught:
        judge_mint_csr(der, DOMAIN) if mint else judge_csr(der)
    assert caught.value.kind is Kind.INVALID
    return caught.value


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_request_gives_its_key_and_nothing_else(kind: str) -> None:
    """BL-04, BL-05: the key counts once its possession is proven; subject and names do not."""
    parts = judge_csr(csr(private_key(kind), names=[WEB, x509.DNSName("x.test")]))
    assert parts.public_key == private_key(kind).public_key()
    assert (parts.id, parts.dns_names, parts.subject) == (None, (), None)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_request_may_be_signed_over_any_current_digest(digest: hashes.HashAlgorithm) -> None:
    """BL-04: what signs the request is the requester's choice."""
    assert judge_csr(csr(digest=digest)).public_key
    assert judge_csr(csr(private_key("rsa-2048"), digest=digest)).public_key


def test_an_ed25519_key_is_certified() -> None:
    """The standard leaves the leaf's key open, and TLS 1.3 knows Ed25519."""
    key = ed25519.Ed25519PrivateKey.generate()
    assert judge_csr(csr(key)).public_key == key.public_key()


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_request_whose_signature_is_wrong_is_refused(kind: str) -> None:
    """BL-04, spire-wire 4.4: `invalid CSR signature`."""
    der = bytearray(csr(private_key(kind)))
    der[-1] ^= 1
    assert _refused(bytes(der)).detail in ("invalid CSR signature", "malformed CSR")
    other = csr(private_key(kind), names=[WEB])
    assert _refused(other.replace(b"example.org/web", b"example.org/wev")).detail == (
        "invalid CSR signature"
    )


def test_a_key_does_not_pass_under_the_algorithm_of_another() -> None:
    """BL-04: an EC key under an RSA algorithm, or the other way round, proves nothing."""
    ecdsa = bytes.fromhex("06082a8648ce3d040302")
    rsa_sha256 = bytes.fromhex("06092a864886f70d01010b0500")
    swapped = csr(private_key("rsa-2048")).replace(rsa_sha256, ecdsa + b"\x05\x00\x00")
    assert _refused(swapped).detail in ("invalid CSR signature", "malformed CSR")
    short = csr().replace(ecdsa, bytes.fromhex("06082a8648ce3d040102"))
    assert _refused(short).detail in ("invalid CSR signature", "malformed CSR")


def test_an_rsa_key_under_an_ecdsa_algorithm_proves_nothing() -> None:
    """BL-04: the algorithm has to suit the key."""
    der = csr(private_key("rsa-2048"))
    algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")
    assert der.count(algorithm) == 1
    # ecdsa-with-SHA256 with a NULL and one more, so that every length stays as it was.
    other = bytes.fromhex("300d06082a8648ce3d0403020500")[:14] + b"\x00"
    assert _refused(der.replace(algorithm, other)).kind is Kind.INVALID


def test_what_is_no_request_is_refused() -> None:
    """spire-wire 4.4: `missing CSR` and `malformed CSR`."""
    assert _refused(b"").detail == "missing CSR"
    for bad in (b"x", csr()[:-1], csr() + b"\x00", b"\x30" * 100, b"\x30" * (MAX_CSR_BYTES + 1)):
        assert _refused(bad).detail == "malformed CSR"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_bytes_are_a_request_or_refused(changes: list[tuple[int, int]]) -> None:
    """Whatever is broken in a request, the answer is a value or a refusal."""
    der = bytearray(csr(names=[WEB, x509.DNSName("x.test")]))
    for place, value in changes:
        der[place % len(der)] = value
    for judge in (judge_csr, lambda der: judge_mint_csr(der, DOMAIN)):
        with suppress(Refusal):
            assert judge(bytes(der)).public_key


def test_weak_and_strange_keys_are_refused() -> None:
    """No SVID for keys that are weak, or that no verifier of ours can use."""
    weak = rsa.RSAPublicNumbers
    modulus = private_key("rsa-2048").public_key().public_numbers().n  # type: ignore[union-attr]
    for key in (
        ec.generate_private_key(ec.SECP224R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        rsa.generate_private_key(65537, 1024).public_key(),
        weak(3, modulus).public_key(),
        weak(65539 + 2**256 * 2, modulus).public_key(),
        dsa.generate_private_key(1024).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        None,
    ):
        with pytest.raises(Refusal) as caught:
            judge_public_key(key)
        assert caught.value.field == "csr"
        assert caught.value.remedy


def test_a_huge_key_is_refused_before_its_signature_is_verified() -> None:
    """A request does not choose how long we work for it."""
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8192) + 1)
    with pytest.raises(Refusal):
        judge_public_key(numbers.public_key())


def test_a_weak_key_in_a_request_is_refused() -> None:
    """A request for a curve that TLS does not know is refused by its key."""
    key = ec.generate_private_key(ec.SECP256K1())
    assert "secp256k1" in _refused(csr(key)).detail


def test_minting_uses_id_names_and_subject() -> None:
    """BL-02, X509-01, X509-03: one URI SAN, DNS names, and a subject when there is one."""
    parts = judge_mint_csr(csr(names=[WEB, x509.DNSName("b.test"), x509.DNSName("a.test")]), DOMAIN)
    assert parts.id == sid("/web")
    assert parts.dns_names == ("b.test", "a.test")
    assert parts.subject is not None
    assert judge_mint_csr(csr(names=[WEB], subject=EMPTY), DOMAIN).subject is None


@pytest.mark.parametrize(
    "names",
    [
        None,
        [],
        [x509.DNSName("a.test")],
        [WEB, WEB],
        [WEB, uri("https://example.org/")],
        [uri("https://example.org/web")],
        [uri("spiffe://example.org")],
        [uri("spiffe://example.org/")],
        [uri("spiffe://other.test/web")],
        [uri("spiffe://example.org/spire/server")],
        [uri("spiffe://example.org/spire/agent/x509pop/a")],
        [WEB, x509.DNSName("A.test")],
        [WEB, x509.DNSName("a.test"), x509.DNSName("*.test")],
    ],
)
def test_minting_for_anything_but_one_workload_is_refused(
    names: list[x509.GeneralName] | None,
) -> None:
    """X509-01, X509-05, ID-28: exactly one URI SAN, a workload's ID of ours, and good DNS names."""
    _refused(csr(names=names), mint=True)


def test_broken_extensions_matter_only_where_they_are_used() -> None:
    """BL-05: a request whose extensions cannot be read still proves its key."""
    key = private_key()
    builder = x509.CertificateSigningRequestBuilder().subject_name(EMPTY)
    unreadable = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\x30\x03\x01")
    der = builder.add_extension(unreadable, False).sign(key, hashes.SHA256())
    encoded = der.public_bytes(serialization.Encoding.DER)
    assert judge_csr(encoded).public_key == key.public_key()
    assert _refused(encoded, mint=True).detail == "malformed CSR"


def test_other_extensions_are_ignored() -> None:
    """BL-05: a request cannot ask to become a CA."""
    key = private_key()
    builder = x509.CertificateSigningRequestBuilder().subject_name(EMPTY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    builder = builder.add_extension(x509.SubjectAlternativeName([WEB]), False)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert judge_mint_csr(der, DOMAIN).id == sid("/web")
