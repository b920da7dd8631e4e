"""Entries, nodes, tokens, authorities, bundles and what changes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    """Make the first tables."""
    _create_changes()
    _create_bundles()
    _create_entries()
    _create_nodes()
    _create_tokens()


def _create_changes() -> None:
    op.create_table("facts", sa.Column("name", sa.Text, primary_key=True), _text("value"))
    counters = op.create_table(
        "counters", sa.Column("name", sa.Text, primary_key=True), _number("value")
    )
    op.bulk_insert(counters, [{"name": "changes", "value": 0}])
    op.create_table(
        "changes",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("topic"),
        _text("ids"),
        _number("at"),
    )


def _create_bundles() -> None:
    op.create_table(
        "bundles",
        sa.Column("trust_domain", sa.Text, primary_key=True),
        _text("document"),
        _number("sequence"),
        _number("refresh_hint"),
    )
    op.create_table(
        "authorities",
        sa.Column("server_id", sa.Text, primary_key=True),
        sa.Column("use", sa.Text, primary_key=True),
        sa.Column("authority_id", sa.Text, primary_key=True),
        _text("phase"),
        _text("key_id"),
        sa.Column("document", sa.LargeBinary, nullable=False),
        _number("not_before"),
        _number("not_after"),
        _text("chain"),
        _flag("tainted"),
        _number("last_expiry"),
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
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
    )
    op.create_index("entries_by_parent", "entries", ["parent_id"])
    op.create_index("entries_by_expiry", "entries", ["expires_at"])
    op.create_table(
        "entry_federations",
        sa.Column(
            "entry_id", sa.Text, sa.ForeignKey("entries.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("trust_domain", sa.Text, sa.ForeignKey("bundles.trust_domain"), primary_key=True),
    )
    op.create_index("entry_federations_by_trust_domain", "entry_federations", ["trust_domain"])


def _create_nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text, primary_key=True),
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
    )
    op.create_index("nodes_by_expiry", "nodes", ["expires_at"])


def _create_tokens() -> None:
    op.create_table(
        "join_tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("proof_key", sa.LargeBinary, nullable=False),
        _number("expires_at"),
        _text("alias"),
        _text("spent_by"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text, primary_key=True),
        _text("name"),
        sa.Column("token_hash", sa.Text, nullable=False, unique=True),
        _text("scopes"),
        _number("created_at"),
        _number("expires_at"),
    )
