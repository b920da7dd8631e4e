"""What the database holds, in types that SQLite and PostgreSQL share.

SPIFFE IDs are text, times are Unix seconds, lists are JSON text: whatever is looked for inside a
list is looked for in memory, where the registry's indexes are.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData()

# SQLite numbers rows by itself only in a column that is called INTEGER.
_NUMBERED = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


facts: Final = Table("facts", metadata, Column("name", Text, primary_key=True), _text("value"))

counters: Final = Table(
    "counters", metadata, Column("name", Text, primary_key=True), _number("value")
)

changes: Final = Table(
    "changes",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _text("topic"),
    _text("ids"),
    _number("at"),
)

bundles: Final = Table(
    "bundles",
    metadata,
    Column("trust_domain", Text, primary_key=True),
    _text("document"),
    _number("sequence"),
    _number("refresh_hint"),
)

entries: Final = Table(
    "entries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    _text("spiffe_id"),
    _text("parent_id"),
    _text("selectors"),
    _number("x509_svid_ttl"),
    _number("jwt_svid_ttl"),
    _flag("admin"),
    _flag("downstream"),
    _flag("store_svid"),
    _number("expires_at"),
    _text("dns_names"),
    _text("hint"),
    _flag("disable_x509_svid_prefetch"),
    _flag("jwt_svid_include_jti"),
    _text("attributes"),
    _number("revision_number"),
    _number("created_at"),
    Index("entries_by_parent", "parent_id"),
    Index("entries_by_expiry", "expires_at"),
)

federations: Final = Table(
    "entry_federations",
    metadata,
    Column("entry_id", ForeignKey("entries.id", ondelete="CASCADE"), primary_key=True),
    Column("trust_domain", ForeignKey("bundles.trust_domain"), primary_key=True),
    Index("entry_federations_by_trust_domain", "trust_domain"),
)

nodes: Final = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    _text("attestation_type"),
    _text("serial_number"),
    _number("expires_at"),
    _text("selectors"),
    _text("new_serial_number"),
    _number("new_expires_at"),
    _flag("can_reattest"),
    _flag("banned"),
    _text("agent_version"),
    _number("attested_at"),
    Index("nodes_by_expiry", "expires_at"),
)

join_tokens: Final = Table(
    "join_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("proof_key", LargeBinary, nullable=False),
    _number("expires_at"),
    _text("alias"),
    _text("spent_by"),
)

authorities: Final = Table(
    "authorities",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("use", Text, primary_key=True),
    Column("authority_id", Text, primary_key=True),
    _text("phase"),
    _text("key_id"),
    Column("document", LargeBinary, nullable=False),
    _number("not_before"),
    _number("not_after"),
    _text("chain"),
    _flag("tainted"),
    _number("last_expiry"),
)

api_tokens: Final = Table(
    "api_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    Column("token_hash", Text, nullable=False, unique=True),
    _text("scopes"),
    _number("created_at"),
    _number("expires_at"),
)

issued: Final = Table(
    "issued",
    metadata,
    Column("number", _NUMBERED, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("serial"),
    _text("spiffe_id"),
    _text("authority_id"),
    _number("issued_at"),
    _number("expires_at"),
    _text("entry_id"),
    _text("agent_id"),
    # No more indexes: each would dirty a page for almost every SVID that is signed, which costs
    # more than the signature, while the ledger is asked seldom and mostly for what is recent.
    Index("issued_by_expiry", "expires_at"),
)

blocks: Final = Table(
    "blocks",
    metadata,
    Column("id", Text, primary_key=True),
    _text("kind"),
    _text("subject"),
    _text("reason"),
    _number("since"),
    _number("until"),
    _text("who"),
    UniqueConstraint("kind", "subject"),
)

held_svids: Final = Table(
    "held_svids",
    metadata,
    _text("selector"),
    _text("kind"),
    _text("serial"),
    _number("expires_at"),
)

policies: Final = Table(
    "policies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("form"),
    _text("text"),
    _flag("enabled"),
    _number("revision"),
    _number("created_at"),
    _number("changed_at"),
    _text("changed_by"),
)

policy_versions: Final = Table(
    "policy_versions",
    metadata,
    Column("policy_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    _text("name"),
    _text("form"),
    _text("text"),
    _flag("enabled"),
    _flag("deleted"),
    _number("at"),
    _text("who"),
)

callee_modes: Final = Table(
    "callee_modes",
    metadata,
    Column("callee", Text, primary_key=True),
    _text("mode"),
    _text("audit"),
    _number("revision"),
    _number("changed_at"),
    _text("changed_by"),
)
