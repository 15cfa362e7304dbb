"""Add the judge's verdict and evidence, why a deployment is held, and what a person tolerates."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter `deployment`; create `series_bin`."""
    for column in (
        sa.Column("held_for", sa.String(16)),
        sa.Column("tolerates", sa.String(16)),
        sa.Column("evidence", sa.JSON),
        sa.Column("judgement", sa.JSON),
    ):
        op.add_column("deployment", column)
    op.create_table(
        "series_bin",
        sa.Column("app", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("seen", sa.Float, nullable=False),
    )
