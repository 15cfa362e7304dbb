"""Add deployments that are runs of a Jenkins job."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter `deployment`."""
    op.add_column("deployment", sa.Column("trail", sa.JSON))
