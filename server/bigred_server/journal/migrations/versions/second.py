"""Add commands, nodes set aside and repaired, sessions, tokens and leases; lift text limits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter `release`, `deployment` and `act`; create `lease`."""
    with op.batch_alter_table("release") as release:
        # PostgreSQL, unlike SQLite, enforces the length.
        for name in ("commit", "author", "marker"):
            release.alter_column(name, type_=sa.Text)
    # Not as a batch: on SQLite, a batch drops and recreates the table, which the foreign key of
    # `act` forbids.
    for column in (
        sa.Column("command", sa.String(16)),
        sa.Column("commanded_by", sa.String(64), nullable=False, server_default=""),
        sa.Column("set_aside", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("mends", sa.String(32)),
    ):
        op.add_column("deployment", column)
    op.execute(
        "UPDATE deployment SET command = 'rollback' WHERE rollback_asked AND ended_at IS NULL"
    )
    op.drop_column("deployment", "rollback_asked")
    op.add_column("act", sa.Column("sessions", sa.Integer))
    op.add_column("act", sa.Column("token", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "lease",
        sa.Column("app", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
