"""The node attestor x509pop: what its settings allow, and what they make an agent's name of."""

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from attestors.node.x509pop import path_template, payload, verifier
from finial.spiffe.bundle import X509Authority
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import key_usage
from tests.doubles.clock import NOW
from tests.unit.attestors.conversation import hold
from tests.unit.attestors.x509pop_halves import CA, context, external, node, refusal, shown


def test_the_address_may_have_to_be_named(tmp_path: Path, bundle: str) -> None:
    """With `verify_client_ip` the connection's address is one of the certificate's (PN-03)."""
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.7"))])
    signed = node(extensions=[(key_usage("digital_signature"), True), (names, False)])
    judge = external(bundle, verify_client_ip=True)
    for good in ("192.0.2.7", "::ffff:192.0.2.7"):
        assert asyncio.run(
            hold(shown(tmp_path, signed), judge, NOW, address=ip_address(good))
        ).can_reattest
    for bad in (ip_address("192.0.2.8"), None):
        with pytest.raises(Refusal) as caught:
            asyncio.run(hold(shown(tmp_path, signed), judge, NOW, address=bad))
        assert caught.value.kind is Kind.DENIED


def spiffe(*authorities: X509Authority) -> verifier.X509popVerifier:
    return verifier.create(verifier.Settings(mode="spiffe"), context(*authorities))


def test_in_mode_spiffe_an_svid_becomes_an_agent(tmp_path: Path) -> None:
    """In mode spiffe the path after the prefix names the agent (PN-03)."""
    signed = CA.workload("/spire-exchange/rack/7")
    verdict = asyncio.run(hold(shown(tmp_path, signed), spiffe(X509Authority(CA.der)), NOW))
    assert verdict.agent_path == "/x509pop/rack/7"


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://example.org/web",
        "spiffe://example.org/spire-exchange",
        "spiffe://example.org/spire-exchanges/7",
        "spiffe://other.org/spire-exchange/7",
        "https://example.org/spire-exchange/7",
    ],
)
def test_in_mode_spiffe_other_svids_are_denied(uri: str) -> None:
    """An SVID outside the prefix or of another trust domain makes no agent."""
    document = payload.encode_certificates(CA.leaf([uri]).chain)
    asking = spiffe(X509Authority(CA.der)).verify(document, NOW)
    assert refusal(lambda: next(asking)).kind is Kind.DENIED


def test_in_mode_spiffe_a_tainted_authority_proves_nothing() -> None:
    """A tainted authority may have signed for anyone, so no agent stands on it."""
    document = payload.encode_certificates(CA.workload("/spire-exchange/7").chain)
    asking = spiffe(X509Authority(CA.der, tainted=True)).verify(document, NOW)
    assert refusal(lambda: next(asking)).kind is Kind.DENIED


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/x509pop/cn/{subject_cn}", "/x509pop/cn/node-1"),
        ("/x509pop/n-{serial_number}", "/x509pop/n-2a"),
        ("/x509pop/{san.rack}/x", "/x509pop/b7/x"),
    ],
)
def test_a_template_names_the_agent(tmp_path: Path, bundle: str, template: str, path: str) -> None:
    """`agent_path_template` fills in what the certificate says."""
    names = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("x509pop://example.org/rack/b7")]
    )
    signed = node(serial=42, extensions=[(key_usage("digital_signature"), True), (names, False)])
    judge = external(bundle, agent_path_template=template)
    assert asyncio.run(hold(shown(tmp_path, signed), judge, NOW)).agent_path == path


@pytest.mark.parametrize("common_name", ["a/b", ".", "..", "a b", "ä", "x\n", ""])
def test_what_does_not_fit_a_path_is_denied(tmp_path: Path, bundle: str, common_name: str) -> None:
    """A value never makes more of a path than one segment, and nothing outside its letters."""
    values = {"subject_cn": common_name}
    found = refusal(lambda: path_template.render("/x509pop/{subject_cn}", values))
    assert found.kind is Kind.DENIED


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mode": "spiffe", "ca_bundle_path": "x"},
        {"ca_bundle_path": "x", "ca_bundle_paths": ("y",)},
        {"ca_bundle_path": "x", "svid_prefix": "x"},
        {"ca_bundle_path": "x", "svid_prefix": "/x/"},
        {"ca_bundle_path": "x", "agent_path_template": "/join_token/{fingerprint}"},
        {"ca_bundle_path": "x", "agent_path_template": "/x509pop/{nothing}"},
        {"ca_bundle_path": "x", "agent_path_template": "/x509pop/all"},
        {"ca_bundle_path": "x", "agent_path_template": "/x509pop/{fingerprint} "},
    ],
)
def test_impossible_settings_are_said(settings: dict[str, Any]) -> None:
    """Settings that contradict each other are refused when they are read."""
    with pytest.raises(ValueError, match=r"\w"):
        verifier.Settings(**settings)


def test_a_missing_ca_bundle_is_a_precondition(tmp_path: Path) -> None:
    """A server whose CA bundle cannot be read does not start."""
    found = refusal(lambda: external(str(tmp_path / "none.pem")))
    assert found.kind is Kind.PRECONDITION
