"""X509-SVID: what a verifier asks of a leaf, of signing certificates, and of the path between."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import spki
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import (
    MAX_CHAIN,
    X509Svid,
    judge_authority,
    judge_leaf,
    split_der,
    verify,
)
from tests.doubles.ca import SmallCa, key_usage, name
from tests.doubles.clock import NOW
from tests.spec.forge import forge_leaf
from tests.spec.trust import bundle_of
from tests.spec.vectors import title, vectors

CA = SmallCa()
LEAF = CA.workload()
EXAMPLE = TrustDomain.parse("example.org")
AUTHORITY = (x509.BasicConstraints(ca=True, path_length=None), True)
MAY_SIGN = (key_usage("key_cert_sign"), True)


def uris(*texts: str) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(t) for t in texts]), False


@pytest.mark.parametrize("vector", vectors("x509_leaf"), ids=title)
def test_every_leaf_gets_its_verdict(vector: dict[str, Any]) -> None:
    """X509-02, X509-03, X509-04, X509-12, X509-27, X509-28, X509-29, X509-30, X509-31: each leaf, signed by the right authority, is taken or refused for the reason that stands beside it."""
    chain = forge_leaf(CA, vector).chain
    if vector["verdict"] == "accepted":
        found = X509Svid.parse(chain)
        assert str(verify(found, bundle_of(CA), NOW)) == "spiffe://example.org/web"
    else:
        with pytest.raises(Refusal) as refused:
            X509Svid.parse(chain)
        assert refused.value.kind is Kind.INVALID
        assert vector["reason"] in refused.value.detail


def test_a_judged_chain_tells_what_is_in_it() -> None:
    """X509-01: a chain yields its one SPIFFE ID, its serial number, its times and its issuer's key."""
    below = CA.intermediate()
    leaf = below.workload("/db", serial=77)
    found = X509Svid.parse(leaf.chain)
    assert (str(found.id), found.serial) == ("spiffe://example.org/db", 77)
    assert (found.not_before, found.not_after) == (int(NOW) - 10, int(NOW) + 3600)
    assert found.authority_key_id == X509Authority(below.der).subject_key_id
    assert found.chain == (leaf.der, below.der)


@pytest.mark.parametrize("count", [0, MAX_CHAIN + 1])
def test_a_chain_is_neither_empty_nor_endless(count: int) -> None:
    """X509-26: a chain has a leaf and at most seven certificates above it."""
    with pytest.raises(Refusal, match="a chain holds"):
        X509Svid.parse([LEAF.der] * count)


def test_a_leaf_does_not_sign() -> None:
    """X509-07, X509-13, X509-17: what stands above the leaf has cA true and keyCertSign."""
    with pytest.raises(Refusal, match="is not a CA certificate"):
        X509Svid.parse([LEAF.der, LEAF.der])
    for extensions, reason in (
        ([MAY_SIGN], "is not a CA"),
        ([AUTHORITY], "lacks keyCertSign"),
        ([AUTHORITY, (key_usage("digital_signature"), True)], "lacks keyCertSign"),
    ):
        with pytest.raises(Refusal, match=reason):
            judge_authority(CA.sign(extensions=extensions).certificate)


@pytest.mark.parametrize(
    "found", ["spiffe://example.org", "spiffe://example.org/", "https://example.org/ca", None]
)
def test_a_signing_certificate_needs_no_path_and_no_id(found: str | None) -> None:
    """X509-08, X509-09, X509-10: a signing certificate without path or SPIFFE ID is good, also with the slash of the standard's examples."""
    names = [uris(found)] if found else []
    judge_authority(CA.sign(extensions=[AUTHORITY, MAY_SIGN, *names]).certificate)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (["spiffe://example.org/ca"], "has a path"),
        (["spiffe://example.org//"], "slash at its end"),
        (["spiffe://Example.org"], "holds only"),
        (["spiffe://example.org", "spiffe://b.test"], "more than one URI SAN"),
    ],
)
def test_a_signing_certificate_with_a_path_is_refused(found: list[str], reason: str) -> None:
    """X509-09: the SPIFFE ID of a signing certificate has no path."""
    with pytest.raises(Refusal, match=reason):
        judge_authority(CA.sign(extensions=[AUTHORITY, MAY_SIGN, uris(*found)]).certificate)


def test_an_upstream_authority_may_set_digital_signature() -> None:
    """X509-19: digitalSignature on a foreign or upstream signing certificate is let pass."""
    both = (key_usage("key_cert_sign", "crl_sign", "digital_signature"), True)
    judge_authority(CA.sign(extensions=[AUTHORITY, both]).certificate)


def test_a_chain_of_authorities_verifies() -> None:
    """X509-11, X509-26: root, two intermediates and a leaf make a valid path, in either order above the leaf."""
    upper = CA.intermediate()
    lower = upper.intermediate(subject=name("lower"))
    leaf = lower.workload()
    for chain in (leaf.chain, (leaf.chain[0], leaf.chain[2], leaf.chain[1])):
        assert verify(X509Svid.parse(chain), bundle_of(CA), NOW).path == "/web"


def test_a_path_may_end_at_any_certificate_of_the_bundle() -> None:
    """X509-26: an intermediate in the bundle is enough, the root need not be there."""
    below = CA.intermediate()
    svid = X509Svid.parse([below.workload().der])
    assert verify(svid, bundle_of(below), NOW) == svid.id


def test_both_roots_of_a_rotation_verify() -> None:
    """X509-39: the X.509 bundle is the union of its authorities, tainted ones included."""
    new = SmallCa()
    bundle = Bundle(EXAMPLE, (X509Authority(CA.der, tainted=True), X509Authority(new.der)))
    for ca in (CA, new):
        assert verify(X509Svid.parse(ca.workload().chain), {EXAMPLE: bundle}, NOW)


@pytest.mark.parametrize("now", [NOW - 11, NOW + 3601], ids=["not yet valid", "expired"])
def test_a_leaf_is_valid_only_in_its_time(now: float) -> None:
    """X509-26: a leaf that is not yet valid or has expired is refused."""
    with pytest.raises(Refusal, match="not valid at validation time"):
        verify(X509Svid.parse(LEAF.chain), bundle_of(CA), now)


def test_every_authority_on_the_path_is_valid_in_its_time() -> None:
    """X509-26: an expired intermediate and an expired root break the path."""
    expired = CA.intermediate(not_after=NOW - 1)
    old = SmallCa(lifetime=10)
    for ca, svid in ((CA, expired.workload()), (old, old.workload())):
        with pytest.raises(Refusal, match="no valid path"):
            verify(X509Svid.parse(svid.chain), bundle_of(ca), NOW + 20)


def test_a_missing_intermediate_breaks_the_path() -> None:
    """X509-26: without the certificate between leaf and root there is no path."""
    with pytest.raises(Refusal, match="no valid path"):
        verify(X509Svid.parse([CA.intermediate().workload().der]), bundle_of(CA), NOW)


def test_a_wrong_signature_breaks_the_path() -> None:
    """X509-26, SPF-02: an authority of the same name with another key signed nothing of ours."""
    with pytest.raises(Refusal, match="no valid path"):
        verify(X509Svid.parse(SmallCa().workload().chain), bundle_of(CA), NOW)


def test_a_path_length_is_kept() -> None:
    """X509-14, X509-26: below pathLen 0 a leaf verifies, and a further authority's leaf does not."""
    extensions = [(x509.BasicConstraints(ca=True, path_length=0), True), MAY_SIGN]
    last = CA.intermediate(extensions=extensions)
    assert verify(X509Svid.parse(last.workload().chain), bundle_of(CA), NOW)
    beyond = last.intermediate(subject=name("beyond")).workload()
    with pytest.raises(Refusal, match="path length"):
        verify(X509Svid.parse(beyond.chain), bundle_of(CA), NOW)


def test_a_root_is_held_to_what_it_says_of_itself() -> None:
    """X509-26: a root with cA false or without keyCertSign signs nothing, one that says nothing of its usage does."""
    for usage, good in (([(key_usage("crl_sign"), True)], False), ([], True)):
        root = CA.intermediate(extensions=[AUTHORITY, *usage])
        svid = X509Svid.parse([root.workload().der])
        if good:
            assert verify(svid, bundle_of(root), NOW)
        else:
            with pytest.raises(Refusal, match="no valid path"):
                verify(svid, bundle_of(root), NOW)
    no_ca = CA.intermediate(extensions=[(x509.BasicConstraints(False, None), True), MAY_SIGN])
    with pytest.raises(Refusal, match="no valid path"):
        verify(X509Svid.parse([no_ca.workload().der]), bundle_of(no_ca), NOW)


def test_a_leaf_in_the_bundle_vouches_for_nobody() -> None:
    """X509-26: a leaf that somebody put into the bundle is not valid by being there."""
    bundle = Bundle(EXAMPLE, (X509Authority(LEAF.der),))
    with pytest.raises(Refusal, match="signed by no authority"):
        verify(X509Svid.parse(LEAF.chain), {EXAMPLE: bundle}, NOW)


def test_an_unknown_critical_extension_breaks_the_path() -> None:
    """X509-26: a critical extension that nobody understood is not passed over, a non-critical one is."""
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    for critical in (True, False):
        leaf = CA.leaf()
        extensions = [
            uris("spiffe://example.org/web"),
            (x509.BasicConstraints(False, None), True),
            (key_usage("digital_signature"), True),
            (unknown, critical),
        ]
        leaf = CA.sign(extensions=extensions)
        if critical:
            with pytest.raises(Refusal, match="critical extensions"):
                verify(X509Svid.parse(leaf.chain), bundle_of(CA), NOW)
        else:
            assert verify(X509Svid.parse(leaf.chain), bundle_of(CA), NOW)


def test_name_constraints_of_a_kind_we_cannot_judge_fail_closed() -> None:
    """X509-15: URI name constraints are not understood yet, so nothing below them is accepted."""
    constraint = x509.NameConstraints([x509.UniformResourceIdentifier("example.org")], None)
    below = CA.intermediate(extensions=[AUTHORITY, MAY_SIGN, (constraint, True)])
    with pytest.raises(Refusal, match="name constraint"):
        verify(X509Svid.parse(below.workload().chain), bundle_of(CA), NOW)


def test_no_purpose_of_an_authority_narrows_the_path() -> None:
    """X509-25: an extKeyUsage on a signing certificate does not keep a leaf from being valid."""
    purpose = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
    below = CA.intermediate(extensions=[AUTHORITY, MAY_SIGN, purpose])
    assert verify(X509Svid.parse(below.workload().chain), bundle_of(CA), NOW)


def test_the_bundle_of_the_own_trust_domain_decides() -> None:
    """X509-31, TDB-04, WAPI-17: a leaf of a.test signed by the authority of b.test is refused although both bundles are loaded."""
    ours, theirs = SmallCa("a.test"), SmallCa("b.test")
    svid = X509Svid.parse(theirs.leaf(["spiffe://a.test/x"]).chain)
    for bundles in (bundle_of(ours, theirs), bundle_of(theirs)):
        with pytest.raises(Refusal):
            verify(svid, bundles, NOW)


def test_a_trust_domain_without_x509_authorities_has_no_x509_svids() -> None:
    """X509-39, TDB-15: with JWT keys only, or with no keys at all, every X509-SVID of the domain is refused."""
    jwt_only = Bundle(EXAMPLE, (), (JwtAuthority("k", spki(CA.root.key.public_key())),))
    for bundle in (jwt_only, Bundle(EXAMPLE)):
        with pytest.raises(Refusal, match=r"no X\.509 authority"):
            verify(X509Svid.parse(LEAF.chain), {EXAMPLE: bundle}, NOW)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "RSA"],
)
def test_other_keys_than_p256_verify(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """X509-26: RSA and P-384 authorities and leaves verify just as P-256 ones do."""
    ca = SmallCa(key=key)
    assert verify(X509Svid.parse(ca.workload(key=key).chain), bundle_of(ca), NOW)


def test_a_weak_key_breaks_the_path() -> None:
    """X509-26: an RSA key of 1024 bits is not taken for a signer."""
    ca = SmallCa(key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(Refusal, match="no valid path"):
        verify(X509Svid.parse(ca.workload().chain), bundle_of(ca), NOW)


def test_a_refusal_does_not_repeat_the_presenters_names() -> None:
    """X509-26: the sentence that refuses a path holds no text out of the certificate."""
    leaf = CA.workload(subject=name("evil\x1b[2J"), not_after=NOW - 1)
    with pytest.raises(Refusal) as refused:
        verify(X509Svid.parse(leaf.chain), bundle_of(CA), NOW)
    assert "evil" not in str(refused.value)


def test_concatenated_certificates_are_cut_apart() -> None:
    """WAPI-21, WAPI-23: certificates that follow one another in DER are cut at their lengths."""
    assert split_der(b"") == ()
    assert split_der(LEAF.der + CA.der) == (LEAF.der, CA.der)
    assert split_der(b"\x30\x00\x30\x01\x00") == (b"\x30\x00", b"\x30\x01\x00")
    for length in (b"\x81\x80", b"\x82\x01\x00", b"\x83\x01\x00\x00"):
        content = bytes(int.from_bytes(length[1:], "big"))
        assert split_der(b"\x30" + length + content + b"\x30\x00")[1:] == (b"\x30\x00",)


@pytest.mark.parametrize(
    "bytes_",
    [b"\x31\x00", b"\x30", b"\x30\x80\x00", b"\x30\x81\x05hello", b"\x30\x82\x00\xff" + b"a" * 255,
     b"\x30\x85\x00\x00\x00\x00\x01", b"\x30\x82\x01", b"\x30\x02a", b"\x30\x80" + bytes(128),
     b"\x30\x84\x01\x00\x00\x00" + bytes(2**24), b"-----BEGIN CERTIFICATE-----"],
    ids=range(11),
)  # fmt: skip
def test_what_is_not_der_is_not_cut(bytes_: bytes) -> None:
    """WAPI-21: a wrong tag, an indefinite, padded, endless or cut length and PEM are refused."""
    with pytest.raises(Refusal):
        split_der(bytes_)


def test_an_ed25519_leaf_is_judged_by_the_same_rules() -> None:
    """X509-27: the rules of the leaf do not depend on the type of its key."""
    key: Any = ed25519.Ed25519PrivateKey.generate()
    assert judge_leaf(CA.workload(key=key).certificate).path == "/web"


def test_a_leaf_that_was_loaded_elsewhere_is_refused_in_no_other_way() -> None:
    """X509-02: two SAN extensions in a certificate that a TLS library handed over are refused as well."""
    first, second = (
        x509.UnrecognizedExtension(ObjectIdentifier(f"2.5.29.{n}"), b"\x30\x00") for n in (97, 98)
    )
    der = CA.sign(extensions=[(first, False), (second, False)]).der
    for oid in (b"\x55\x1d\x61", b"\x55\x1d\x62"):
        assert oid in der
        der = der.replace(oid, b"\x55\x1d\x11")
    for judge in (judge_leaf, judge_authority):
        with pytest.raises(Refusal, match="cannot be read"):
            judge(x509.load_der_x509_certificate(der))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_chain_or_refused(noise: bytes) -> None:
    """X509-26: whatever is given as a certificate, the outcome is a value or a refusal."""
    for attempt in (lambda: X509Svid.parse([noise]), lambda: split_der(noise)):
        try:
            attempt()
        except Refusal as refusal:
            assert refusal.kind is Kind.INVALID  # noqa: PT017


@given(st.integers(0, len(LEAF.der) - 1), st.integers(1, 255))
def test_a_damaged_certificate_is_never_accepted(place: int, change: int) -> None:
    """X509-26, ID-25: a certificate with any one byte changed is refused, and in no other way."""
    damaged = bytearray(LEAF.der)
    damaged[place] ^= change
    with pytest.raises(Refusal):
        verify(X509Svid.parse([bytes(damaged)]), bundle_of(CA), NOW)


@given(st.integers(0, len(CA.der) - 1), st.integers(1, 255))
def test_a_damaged_authority_never_fails_in_another_way(place: int, change: int) -> None:
    """X509-26: a bundle with a damaged certificate verifies or refuses, and nothing else."""
    damaged = bytearray(CA.der)
    damaged[place] ^= change
    bundle = Bundle(EXAMPLE, (X509Authority(bytes(damaged)),))
    try:
        verify(X509Svid.parse(LEAF.chain), {EXAMPLE: bundle}, NOW)
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID  # noqa: PT017
