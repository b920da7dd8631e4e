"""What blocks of selectors hit when it was issued, whatever becomes of its entries."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of SVIDs that a selector's block hits."""
    op.create_table(
        "held_svids",
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
