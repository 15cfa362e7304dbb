"""Add the tokens of the HTTP API, and the secret that links to pages are signed with."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `api_token` and `secret`."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("used_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
        sa.Column("revoked_by", sa.String(64), nullable=False),
    )
    op.create_index("uq_api_token_digest", "api_token", ["digest"], unique=True)
    secret = op.create_table(
        "secret",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.bulk_insert(secret, [{"name": "links", "value": secrets.token_hex(32)}])
