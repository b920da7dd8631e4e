"""OIDC discovery as a value: issuers, the discovery document, keys for stock verifiers."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from finial.spiffe.bundle import JwtAuthority
from finial.spiffe.json import jwk
from finial.spiffe.oidc import (
    OidcIssuer,
    is_address,
    is_host,
    render_discovery,
    render_verifier_keys,
)
from finial.spiffe.refusal import Kind, Refusal


@pytest.mark.parametrize(
    ("text", "host", "path", "keys"),
    [
        ("https://oidc.example.org", "oidc.example.org", "", "https://oidc.example.org/keys"),
        ("https://a.test/", "a.test", "", "https://a.test/keys"),
        ("https://a.test:8443/td/one", "a.test", "/td/one", "https://a.test:8443/td/one/keys"),
        ("https://a.test/td.v1/", "a.test", "/td.v1", "https://a.test/td.v1/keys"),
        ("https://192.0.2.1", "192.0.2.1", "", "https://192.0.2.1/keys"),
        ("https://[2001:db8::1]:1", "2001:db8::1", "", "https://[2001:db8::1]:1/keys"),
        ("https://localhost", "localhost", "", "https://localhost/keys"),
    ],
)
def test_an_issuer_is_an_https_url(text: str, host: str, path: str, keys: str) -> None:
    """Its spelling is kept, and the documents stand below it (Discovery section 4)."""
    issuer = OidcIssuer.parse(text)
    assert (issuer.text, issuer.host, issuer.path, issuer.keys_uri) == (text, host, path, keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "https://",
        "http://a.test",
        "HTTPS://a.test",
        " https://a.test",
        "https://a.test ",
        "https://a.test\n",
        "https://ä.test",
        "https://A.test",
        "https://a..test",
        "https://-a.test",
        "https://a_b.test",
        "https://" + ".".join(["a" * 60] * 5),
        "https://a.test:",
        "https://a.test:0",
        "https://a.test:65536",
        "https://a.test:x",
        "https://[::1",
        "https://user@a.test",
        "https://a.test?x=1",
        "https://a.test?",
        "https://a.test#x",
        "https://a.test/#",
        "https://a.test//b",
        "https://a.test/../b",
        "https://a.test/./b",
        "https://a.test/b/..",
        "https://a.test/%2e",
        "https://a.test/a b",
        "https://a.test/" + "a" * 1024,
    ],
)
def test_what_could_be_read_in_two_ways_is_no_issuer(text: str) -> None:
    """Verifiers compare letters and fetch URLs: one issuer has one spelling."""
    with pytest.raises(Refusal) as caught:
        OidcIssuer.parse(text)
    assert (caught.value.kind, caught.value.field) == (Kind.INVALID, "issuer")
    assert caught.value.value == text[:80]


def test_hosts_are_names_or_addresses() -> None:
    """A name is in lower case; an address has no brackets."""
    assert [is_host(each) for each in ("a.test", "::1", "10.0.0.1")] == [True] * 3
    assert [is_host(each) for each in ("", "a.test:1", "[::1]", "A")] == [False] * 4
    assert [is_address(each) for each in ("a.test", "::1")] == [False, True]


def test_the_discovery_document_has_the_members_that_are_required() -> None:
    """SPIRE's members and values (LO-04); RS256 is among the algorithms (Discovery section 3)."""
    assert json.loads(render_discovery(OidcIssuer.parse("https://a.test/td"))) == {
        "issuer": "https://a.test/td",
        "jwks_uri": "https://a.test/td/keys",
        "authorization_endpoint": "",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "ES384"],
    }


@pytest.mark.parametrize(
    ("key", "alg", "kty"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256", "EC"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384", "EC"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512", "EC"),
        (rsa.generate_private_key(65537, 2048), "RS256", "RSA"),
    ],
    ids=["p256", "p384", "p521", "rsa"],
)
def test_a_key_says_what_it_is_for(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, alg: str, kty: str
) -> None:
    """Each is for signatures, by the one algorithm that fits, and is public only."""
    authority = JwtAuthority("k1", jwk.spki(key.public_key()))
    [written] = json.loads(render_verifier_keys([authority]))["keys"]
    assert (written["kid"], written["use"], written["alg"]) == ("k1", "sig", alg)
    assert written["kty"] == kty
    assert not {"d", "p", "q", "x5c"} & set(written)
    assert jwk.read_public_key(written) == key.public_key()
