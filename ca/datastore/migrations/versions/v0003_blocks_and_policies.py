"""What is blocked, and who may call whom."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    """Make the tables of blocks, policies with all their versions, and modes of callees."""
    op.create_table(
        "blocks",
        sa.Column("id", sa.Text, primary_key=True),
        _text("kind"),
        _text("subject"),
        _text("reason"),
        _number("since"),
        _number("until"),
        _text("who"),
        sa.UniqueConstraint("kind", "subject"),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        _text("form"),
        _text("text"),
        _flag("enabled"),
        _number("revision"),
        _number("created_at"),
        _number("changed_at"),
        _text("changed_by"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("policy_id", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("name"),
        _text("form"),
        _text("text"),
        _flag("enabled"),
        _flag("deleted"),
        _number("at"),
        _text("who"),
    )
    op.create_table(
        "callee_modes",
        sa.Column("callee", sa.Text, primary_key=True),
        _text("mode"),
        _text("audit"),
        _number("revision"),
        _number("changed_at"),
        _text("changed_by"),
    )
