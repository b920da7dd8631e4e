"""What travels: `{"cluster": ..., "token": ...}` in JSON, exactly as SPIRE's k8s_psat has it."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from finial.spiffe.json.strict_json import loads_object
from finial.spiffe.refusal import Kind, Refusal

NAME: Final = "k8s_psat"
MAX_BYTES: Final = 64 * 1024

# One segment of an agent's path.
_CLUSTER: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,128}", re.ASCII)
# What may stand in a header, and so in a bearer token: three parts of base64url.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Claim:
    """What an agent says of itself: the cluster's name, and a token that proves the rest."""

    cluster: str
    token: str = field(repr=False)


def fault_of_cluster(name: str) -> str | None:
    """Say why a cluster cannot have this name, or nothing."""
    if _CLUSTER.fullmatch(name):
        return None
    return f"{name[:80]!a} is no cluster's name: letters, digits, '.', '-' and '_', 128 at most"


def is_token(text: str) -> bool:
    """Whether a text can be a bearer token."""
    return _TOKEN.fullmatch(text) is not None


def encode(claim: Claim) -> bytes:
    """Write the payload."""
    document = {"cluster": claim.cluster, "token": claim.token}
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode(payload: bytes) -> Claim:
    """Read the payload; nothing in it is proven yet.

    Raises: Refusal of kind INVALID.
    """
    members = loads_object(payload, max_bytes=MAX_BYTES)
    cluster, token = _text(members, "cluster"), _text(members, "token")
    if fault := fault_of_cluster(cluster):
        raise _invalid(fault, "cluster")
    if not is_token(token):
        raise _invalid("the token is none", "token")
    return Claim(cluster, token)


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if isinstance(value, str) and value:
        return value
    raise _invalid(f"missing {name} in attestation data", name)


def _invalid(fault: str, field: str) -> Refusal:
    return Refusal(Kind.INVALID, f"{NAME}: {fault}", field=field)
