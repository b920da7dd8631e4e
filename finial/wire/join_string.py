"""The join string: all that a new agent needs to join, in one word that survives a terminal."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Final, Self

from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal

PREFIX: Final = "finial-join-1."
MAX_BYTES: Final = 8192
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class JoinString:
    """Where the servers are (`host:port`, tried in turn), whose they are, and the join token.

    It is a secret until the token is spent, so it has no readable `repr`.
    """

    trust_domain: TrustDomain
    servers: tuple[str, ...]
    token: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a join string; white space around it does no harm.

        Raises: Refusal of kind INVALID, which never repeats the string.
        """
        word = text.strip()
        if not word.startswith(PREFIX):
            raise _invalid(f"a join string begins with {PREFIX}")
        if len(word) > MAX_BYTES:
            raise _invalid(f"a join string has at most {MAX_BYTES} characters")
        encoded = word[len(PREFIX) :]
        try:
            raw = base64.b64decode(
                encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True
            )
            document = json.loads(raw)
        except (binascii.Error, ValueError, RecursionError):
            raise _invalid("the join string is damaged or was cut short") from None
        return cls._of(document)

    @classmethod
    def _of(cls, document: object) -> Self:
        if not isinstance(document, dict):
            raise _invalid("the join string holds no object")
        servers, token = document.get("servers"), document.get("token")
        name = document.get("trust_domain")
        if not isinstance(name, str) or not isinstance(token, str) or not token:
            raise _invalid("the join string lacks its trust domain or its token")
        if not isinstance(servers, list) or not servers:
            raise _invalid("the join string names no server")
        for server in servers:
            split_address(server)
        return cls(TrustDomain.parse(name), tuple(servers), token)

    def render(self) -> str:
        """Write the join string, one word of letters, digits, `-`, `_` and `.`."""
        document = {
            "trust_domain": self.trust_domain.name,
            "servers": list(self.servers),
            "token": self.token,
        }
        encoded = base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode())
        return PREFIX + encoded.decode().rstrip("=")

    def __repr__(self) -> str:
        return f"JoinString({self.trust_domain}, {', '.join(self.servers)}, token withheld)"


def split_address(text: object) -> tuple[str, int]:
    """Split `host:port` (an IPv6 address in brackets) into both.

    Raises: Refusal of kind INVALID.
    """
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None or not 0 < int(found[2]) < 65536:
        raise Refusal(
            Kind.INVALID,
            "a server's address is host:port, such as ca.example.org:8081 or [2001:db8::1]:8081",
            field="servers",
            value=str(text)[:80],
        )
    return found[1].strip("[]"), int(found[2])


def _invalid(fault: str) -> Refusal:
    return Refusal(
        Kind.INVALID, fault, field="join_string", remedy="make a new one with: finial token create"
    )
