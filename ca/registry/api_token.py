"""An administrator's API token as the server remembers it: never the token itself."""

import enum
from dataclasses import dataclass, field


class Scope(enum.StrEnum):
    """What the holder of an API token may do; declared at each route."""

    ENTRIES_READ = "entries:read"
    ENTRIES_WRITE = "entries:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    ISSUED_READ = "issued:read"
    AUTHORITIES_READ = "authorities:read"
    MINT = "mint"
    BLOCKS_READ = "blocks:read"
    BLOCKS_WRITE = "blocks:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    IDENTITIES_READ = "identities:read"
    TRAFFIC_READ = "traffic:read"
    METRICS_READ = "metrics:read"
    DOCS_READ = "docs:read"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One API token; `token_hash` is the SHA-256 of its text, in hex; times are Unix seconds."""

    id: str
    name: str
    token_hash: str = field(repr=False)
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int = 0
