"""A join token as the server remembers it: never the token itself."""

from dataclasses import dataclass, field

from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class JoinToken:
    """One join token; its `id` and `proof_key` are derived from the token, one way.

    `alias` is the SPIFFE ID under which the node's workloads may be registered, if one was asked
    for. `spent_by` is the SHA-256 of the public key that spent it, empty while it is unspent: an
    agent that was killed before it stored its SVID may come again with the same key.
    """

    id: str
    proof_key: bytes = field(repr=False)
    expires_at: int
    alias: SpiffeId | None = None
    spent_by: str = ""
