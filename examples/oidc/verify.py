"""A service that knows no SPIFFE and checks JWT-SVIDs by OIDC discovery, with joserfc alone.

    python verify.py ISSUER AUDIENCE [--ca bundle.pem] < token

Prints the claims; exit status 1 and one line if the token is not to be trusted. `--ca` names the
authorities that vouch for the discovery endpoint's certificate: a server's `bundle.pem`, or nothing
for the system's.
"""

import argparse
import json
import ssl
import sys
import time

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


class Issuer:
    """One issuer's keys, fetched again when their cache ends or a key is new to us."""

    def __init__(self, issuer: str, ca: str | None) -> None:
        self._issuer = issuer
        self._tls = ssl.create_default_context(cafile=ca)
        self._client = httpx.Client(verify=self._tls, timeout=5)
        self._keys_uri = ""
        self._algorithms: list[str] = []
        self._keys = KeySet([])
        self._until = 0.0

    def accept(self, token: str, audience: str) -> dict:
        """Return the claims of a token for us; raises JoseError or ValueError for any other."""
        found = jwt.decode(token, self._known(token), algorithms=self._algorithms)
        wanted = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        wanted.validate(found.claims)
        return found.claims

    def _known(self, token: str) -> KeySet:
        named = _key_id(token)
        if time.monotonic() >= self._until or named not in {each.kid for each in self._keys}:
            self._fetch()
        return self._keys

    def _fetch(self) -> None:
        if not self._keys_uri:
            where = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = self._client.get(where).raise_for_status().json()
            if found["issuer"] != self._issuer:
                raise ValueError(f"{where} speaks for {found['issuer']}")
            self._keys_uri = found["jwks_uri"]
            self._algorithms = found["id_token_signing_alg_values_supported"]
        answer = self._client.get(self._keys_uri).raise_for_status()
        self._keys = KeySet.import_key_set(answer.json())
        self._until = time.monotonic() + _max_age(answer.headers.get("cache-control", ""))


def _key_id(token: str) -> object:
    from joserfc import jws

    return jws.extract_compact(token.encode()).headers().get("kid")


def _max_age(header: str) -> float:
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isdigit():
            return float(value)
    return 0.0


def main() -> int:
    """Check the token on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("issuer")
    parser.add_argument("audience")
    parser.add_argument("--ca")
    wishes = parser.parse_args()
    try:
        issuer = Issuer(wishes.issuer, wishes.ca)
        claims = issuer.accept(sys.stdin.read().strip(), wishes.audience)
    except (JoseError, ValueError, httpx.HTTPError) as fault:
        print(f"refused: {fault}", file=sys.stderr)
        return 1
    print(json.dumps(claims))
    return 0


if __name__ == "__main__":
    sys.exit(main())
