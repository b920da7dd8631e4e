"""A node with a certificate of an external PKI, and the two halves of x509pop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attestors.contract import VerifierContext
from attestors.node.x509pop import evidence, verifier
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import Signed, SmallCa, key_usage, name
from tests.doubles.entropy import RepeatingEntropy

TD = TrustDomain("example.org")
CA = SmallCa()


def context(*authorities: X509Authority) -> VerifierContext:
    return VerifierContext(TD, lambda: Bundle(TD, authorities), RepeatingEntropy("server"))


def node(**changes: Any) -> Signed:
    """A certificate as an external PKI makes one for a node."""
    usage = [(key_usage("digital_signature"), True)]
    return CA.sign(**{"extensions": usage, "subject": name("node-1"), **changes})


def shown(folder: Path, signed: Signed) -> evidence.X509popEvidence:
    (folder / "node.key").write_bytes(signed.key_pem)
    (folder / "node.crt").write_bytes(signed.chain_pem)
    settings = evidence.Settings(str(folder / "node.key"), str(folder / "node.crt"))
    return evidence.X509popEvidence(settings, RepeatingEntropy("agent"))


def external(bundle: str, **changes: Any) -> verifier.X509popVerifier:
    return verifier.create(verifier.Settings(ca_bundle_path=bundle, **changes), context())


def refusal(act: Callable[[], Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value
