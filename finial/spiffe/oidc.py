"""OpenID Connect discovery: how verifiers that know no SPIFFE find the keys of JWT-SVIDs."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from finial.spiffe.bundle import JwtAuthority
from finial.spiffe.json import jwk
from finial.spiffe.refusal import Kind, Refusal

WELL_KNOWN: Final = "/.well-known/openid-configuration"
KEYS: Final = "/keys"
MAX_ISSUER_BYTES: Final = 1024
SIGNING_ALGORITHMS: Final = ("RS256", "ES256", "ES384")
"""What our authorities sign by; RS256 has to be among them (Discovery section 3)."""

_BY_CURVE: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?", re.ASCII)
_SAID: Final = "an issuer is an https URL such as https://oidc.example.org"


@dataclass(frozen=True, slots=True)
class OidcIssuer:
    """The claim `iss` as a URL; `text` is its spelling, which verifiers compare exactly."""

    text: str
    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an issuer.

        Raises: Refusal of kind INVALID for what is no https URL, names a user, has a query or a
            fragment, or could be spelled in another way.
        Spec: OpenID Connect Discovery 1.0 sections 3 and 4.
        """
        split = _split(text)
        host, path = split.hostname or "", split.path
        if text != f"https://{split.netloc}{path}" or "@" in split.netloc:
            raise _invalid(text, f"{_SAID}, without user, query and fragment")
        if split.netloc != split.netloc.lower() or not is_host(host):
            raise _invalid(text, f"{_SAID}; its host is a name in lower case or an address")
        if not _PATH.fullmatch(path):
            raise _invalid(text, f"{_SAID}; its path has plain segments")
        return cls(text, host, path.rstrip("/"))

    @property
    def keys_uri(self) -> str:
        """Where the discovery document sends them for the keys."""
        return self.text.rstrip("/") + KEYS


def render_discovery(issuer: OidcIssuer) -> bytes:
    """Write the discovery document, with SPIRE's members.

    `authorization_endpoint` is required and empty: nobody logs in here.

    Spec: OpenID Connect Discovery 1.0 section 3; SPIRE LO-04.
    """
    return _dump(
        {
            "issuer": issuer.text,
            "jwks_uri": issuer.keys_uri,
            "authorization_endpoint": "",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        }
    )


def render_verifier_keys(authorities: Iterable[JwtAuthority]) -> bytes:
    """Write JWT keys as stock verifiers want them: each for signatures, by one algorithm.

    Raises: Refusal of kind INVALID when a key has no form as JWK.
    Spec: RFC 7517 sections 4.2, 4.4 and 4.5.
    """
    return _dump({"keys": [_describe(each) for each in authorities]})


def _describe(authority: JwtAuthority) -> dict[str, str]:
    key = authority.key
    members = jwk.write_public_key(key)
    alg = "RS256" if isinstance(key, rsa.RSAPublicKey) else _BY_CURVE[key.curve.name]
    return {"kid": authority.key_id, "use": "sig", "alg": alg, **members}


def _split(text: str) -> SplitResult:
    if not text.isascii() or not text.isprintable() or not 0 < len(text) <= MAX_ISSUER_BYTES:
        raise _invalid(text, _SAID)
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError as error:
        raise _invalid(text, _SAID) from error
    if port == 0 or split.netloc.endswith(":"):
        raise _invalid(text, f"{_SAID}; a port is 1 to 65535")
    return split


def is_host(host: str) -> bool:
    """Whether it is a DNS name in lower case, or an address without brackets."""
    return is_address(host) or (len(host) <= 253 and _HOST.fullmatch(host) is not None)


def is_address(host: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _invalid(text: str, fault: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="issuer", value=text[:80])
