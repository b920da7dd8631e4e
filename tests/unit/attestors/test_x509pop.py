"""The node attestor x509pop: a chain to a CA, and a signature with the leaf's key."""

import asyncio
import base64
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from attestors.contract import Challenge
from attestors.node.x509pop import evidence, payload
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import Signed, SmallCa, key_usage, name
from tests.doubles.clock import NOW
from tests.doubles.entropy import RepeatingEntropy
from tests.unit.attestors.conversation import hold
from tests.unit.attestors.x509pop_halves import CA, external, node, refusal, shown

SHA1 = hashes.SHA1()
RSA_KEY = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()), RSA_KEY],
    ids=["p256", "p384", "rsa"],
)
def test_a_node_that_holds_the_key_is_believed(tmp_path: Path, bundle: str, key: Any) -> None:
    """A node that shows a chain to the CA and signs with the leaf's key is named by it (PN-03)."""
    signed = node(key=key, serial=0x0ABC)
    verdict = asyncio.run(hold(shown(tmp_path, signed), external(bundle), NOW))
    fingerprint = signed.certificate.fingerprint(SHA1).hex()
    root = CA.certificate.fingerprint(SHA1).hex()
    assert verdict.agent_path == f"/x509pop/{fingerprint}"
    assert verdict.can_reattest
    assert [str(each) for each in verdict.selectors] == [
        "x509pop:subject:cn:node-1",
        f"x509pop:ca:fingerprint:{root}",
        "x509pop:serialnumber:0abc",
    ]


@pytest.mark.parametrize("common_name", ["node\n1", "node\x1b[2J", "node\u202e1"])
def test_a_name_that_is_no_line_is_no_selector(
    tmp_path: Path, bundle: str, common_name: str
) -> None:
    """A common name with control characters is not in the grammar, and is not given (PN-03)."""
    signed = node(subject=name(common_name))
    verdict = asyncio.run(hold(shown(tmp_path, signed), external(bundle), NOW))
    assert [each for each in verdict.selectors if each.value.startswith("subject:")] == []


def test_every_authority_of_the_chain_is_a_selector(tmp_path: Path, bundle: str) -> None:
    """Each certificate of the chain but the leaf gives a `ca:fingerprint` (PN-03)."""
    below = CA.intermediate()
    signed = below.sign(extensions=[(key_usage("digital_signature"), True)])
    verdict = asyncio.run(hold(shown(tmp_path, signed), external(bundle), NOW))
    expected = [each.certificate.fingerprint(SHA1).hex() for each in (below, CA)]
    found = [each.value for each in verdict.selectors if each.value.startswith("ca:")]
    assert found == [f"ca:fingerprint:{each}" for each in expected]


def test_intermediates_may_have_a_file_of_their_own(tmp_path: Path, bundle: str) -> None:
    """`intermediates_path` adds to the chain of `certificate_path` (QN-03)."""
    below = CA.intermediate()
    signed = replace(below.sign(extensions=[(key_usage("digital_signature"), True)]), above=())
    given = shown(tmp_path, signed)
    (tmp_path / "chain.pem").write_bytes(below.pem)
    settings = replace(given._settings, intermediates_path=str(tmp_path / "chain.pem"))
    verdict = asyncio.run(
        hold(evidence.X509popEvidence(settings, RepeatingEntropy()), external(bundle), NOW)
    )
    assert len(verdict.selectors) == 4


def test_sans_become_selectors(tmp_path: Path, bundle: str) -> None:
    """A URI `x509pop://<our trust domain>/<key>/<value>` is a selector, others are not (PN-03)."""
    uris = [
        "x509pop://example.org/rack/b/7",
        "x509pop://other.org/rack/9",
        "x509pop://example.org/x",
    ]
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(each) for each in uris])
    signed = node(extensions=[(key_usage("digital_signature"), True), (names, False)])
    verdict = asyncio.run(hold(shown(tmp_path, signed), external(bundle), NOW))
    assert [e.value for e in verdict.selectors if e.value.startswith("san:")] == ["san:rack:b/7"]


def test_the_wire_is_spires() -> None:
    """Payload, challenge and response are JSON with base64 and null, as SPIRE has them (BN-03)."""
    nonce = bytes(range(32))
    text = base64.b64encode(nonce).decode()
    assert json.loads(payload.encode_certificates((b"\x01\x02",))) == {"certificates": ["AQI="]}
    assert json.loads(payload.encode_question(payload.Question(payload.Scheme.RSA, nonce))) == {
        "rsa_signature": {"nonce": text},
        "ecdsa_signature": None,
    }
    assert json.loads(payload.encode_proof(payload.EcdsaProof(nonce, 0x0100, 0x80))) == {
        "rsa_signature": None,
        "ecdsa_signature": {"nonce": text, "r": "AQA=", "s": "gA=="},
    }


@pytest.mark.parametrize(
    "proof", [payload.RsaProof(b"n" * 32, b"sig"), payload.EcdsaProof(b"n" * 32, 5, 2**520)]
)
def test_what_is_written_is_read(proof: payload.Proof) -> None:
    """A response survives its encoding."""
    assert payload.decode_proof(payload.encode_proof(proof)) == proof


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"rsa_signature":null,"ecdsa_signature":null}',
        b'{"rsa_signature":{},"ecdsa_signature":{}}',
        b'{"rsa_signature":{"nonce":"AAAA"}}',
        b'{"rsa_signature":{"nonce":1}}',
        b'{"rsa_signature":"x"}',
        b'{"ecdsa_signature":{"nonce":"%s","r":"!","s":""}}' % base64.b64encode(b"0" * 32),
        b'{"rsa_signature":{"nonce":"%s","signature":"A"}}' % base64.b64encode(b"0" * 32),
    ],
)
def test_a_response_that_makes_no_sense_is_invalid(document: bytes) -> None:
    """What is not a response is refused as INVALID, in whatever way it is wrong."""
    assert refusal(lambda: payload.decode_proof(document)).kind is Kind.INVALID


def test_a_nonce_has_32_bytes() -> None:
    """A nonce of another length is refused on either side (wire facts, section 7)."""
    short = base64.b64encode(b"0" * 31).decode()
    document = json.dumps({"rsa_signature": {"nonce": short}, "ecdsa_signature": None}).encode()
    assert refusal(lambda: payload.decode_question(document)).kind is Kind.INVALID


def begun(bundle: str, signed: Signed, now: float = NOW, **changes: Any) -> Any:
    return next(external(bundle, **changes).verify(payload.encode_certificates(signed.chain), now))


def test_a_chain_to_another_ca_is_denied(bundle: str) -> None:
    """A certificate that leads to no CA of ours proves nothing."""
    stranger = SmallCa().sign(extensions=[(key_usage("digital_signature"), True)])
    assert refusal(lambda: begun(bundle, stranger)).kind is Kind.DENIED


@pytest.mark.parametrize("now", [NOW - 3_000, NOW + 4_000])
def test_a_certificate_out_of_its_time_is_denied(bundle: str, now: float) -> None:
    """A certificate counts only while it is valid."""
    assert refusal(lambda: begun(bundle, node(), now)).kind is Kind.DENIED


def test_a_leaf_not_for_signatures_is_denied(bundle: str) -> None:
    """The leaf must have digitalSignature (PN-03)."""
    for extensions in ([], [(key_usage("key_encipherment"), True)]):
        signed = node(extensions=extensions)
        assert refusal(partial(begun, bundle, signed)).kind is Kind.DENIED


def test_too_many_intermediates_are_invalid(bundle: str) -> None:
    """More intermediates than `max_intermediates` are refused before any is looked at."""
    signed = CA.intermediate().sign(extensions=[(key_usage("digital_signature"), True)])
    assert refusal(lambda: begun(bundle, signed, max_intermediates=0)).kind is Kind.INVALID


def test_an_rsa_key_over_the_limit_is_invalid(bundle: str) -> None:
    """An RSA key larger than `max_rsa_key_size` is refused before a signature is checked."""
    key = rsa.generate_private_key(65537, 3072)
    found = refusal(lambda: begun(bundle, node(key=key), max_rsa_key_size=2048))
    assert found.kind is Kind.INVALID


def test_a_payload_without_certificates_is_invalid(bundle: str) -> None:
    """No, too many and unreadable certificates are refused as INVALID."""
    for document in (
        b'{"certificates":[]}',
        b'{"certificates":null}',
        b'{"certificates":["AQI="]}',
        b'{"certificates":["AQ"]}',
        json.dumps({"certificates": ["AQI="] * 33}).encode(),
        b"{",
    ):
        asking = external(bundle).verify(document, NOW)
        assert refusal(partial(next, asking)).kind is Kind.INVALID


def test_another_kind_of_key_is_invalid(bundle: str) -> None:
    """A key that is neither RSA nor EC gets no challenge."""
    key: Any = ed25519.Ed25519PrivateKey.generate()
    assert refusal(lambda: begun(bundle, node(key=key))).kind is Kind.INVALID


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), RSA_KEY], ids=["ec", "rsa"]
)
def test_a_wrong_signature_is_denied(tmp_path: Path, bundle: str, key: Any) -> None:
    """Whoever signs with another key, or another nonce, is denied."""
    signed = node(key=key)
    thief = shown(tmp_path, replace(node(key=_other(key)), certificate=signed.certificate))
    thief._key = _other(key)
    asking = external(bundle).verify(payload.encode_certificates(signed.chain), NOW)
    question = next(asking)
    assert isinstance(question, Challenge)
    answer = asyncio.run(thief.respond(question.document))
    assert refusal(lambda: asking.send(answer)).kind is Kind.DENIED


def _other(key: Any) -> Any:
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(key.curve)


def test_a_response_to_another_challenge_is_denied(tmp_path: Path, bundle: str) -> None:
    """A response that was recorded in another conversation proves nothing."""
    given, judge = shown(tmp_path, node()), external(bundle)
    document = asyncio.run(given.payload())
    first, second = judge.verify(document, NOW), judge.verify(document, NOW)
    question = next(first)
    next(second)
    assert isinstance(question, Challenge)
    answer = asyncio.run(given.respond(question.document))
    assert refusal(lambda: second.send(answer)).kind is Kind.DENIED


def test_a_response_of_the_other_kind_is_denied(bundle: str) -> None:
    """An EC key is not proven by an RSA signature."""
    asking = external(bundle).verify(payload.encode_certificates(node().chain), NOW)
    next(asking)
    answer = payload.encode_proof(payload.RsaProof(b"n" * 32, b"signature"))
    assert refusal(lambda: asking.send(answer)).kind is Kind.DENIED


def test_evidence_says_which_file_is_wrong(tmp_path: Path) -> None:
    """A missing file, a wrong key and a key of another certificate are told apart."""
    given = shown(tmp_path, node())
    (tmp_path / "node.key").write_bytes(node().key_pem)
    with pytest.raises(Refusal, match="does not belong"):
        asyncio.run(given.payload())
    (tmp_path / "node.key").write_bytes(b"secret nonsense")
    with pytest.raises(Refusal, match="unencrypted private key") as caught:
        asyncio.run(given.payload())
    assert "nonsense" not in str(caught.value)
    (tmp_path / "node.crt").write_bytes(b"nothing")
    (tmp_path / "node.key").write_bytes(node().key_pem)
    with pytest.raises(Refusal, match="certificates in PEM"):
        asyncio.run(given.payload())
    (tmp_path / "node.crt").unlink()
    with pytest.raises(Refusal, match="cannot be read") as caught:
        asyncio.run(given.payload())
    assert caught.value.kind is Kind.PRECONDITION


def test_evidence_answers_only_for_its_own_kind_of_key(tmp_path: Path) -> None:
    """A challenge before the payload, or for another kind of key, is not signed."""
    given = shown(tmp_path, node())
    ecdsa = payload.encode_question(payload.Question(payload.Scheme.ECDSA, b"n" * 32))
    with pytest.raises(Refusal, match="before the payload"):
        asyncio.run(given.respond(ecdsa))
    asyncio.run(given.payload())
    rsa_question = payload.encode_question(payload.Question(payload.Scheme.RSA, b"n" * 32))
    with pytest.raises(Refusal, match="another kind"):
        asyncio.run(given.respond(rsa_question))
