"""Add how each release proves itself, which a later configuration may ask otherwise."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter `release`."""
    op.add_column("release", sa.Column("proof", sa.JSON))
