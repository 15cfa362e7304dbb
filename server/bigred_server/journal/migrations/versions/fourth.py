"""Add what JVMs used at each age, to which any server can compare the next release."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `span`."""
    op.create_table(
        "span",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
    )
    op.create_index("ix_span_app", "span", ["app"])
