"""Commands, nodes set aside and mended, sessions and fencing tokens, leases."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change `deployment` and `act`, make `lease`."""
    with op.batch_alter_table("deployment") as deployment:
        deployment.add_column(sa.Column("command", sa.String(16)))
        deployment.add_column(
            sa.Column("commanded_by", sa.String(64), nullable=False, server_default="")
        )
        deployment.add_column(
            sa.Column("set_aside", sa.JSON, nullable=False, server_default=sa.text("'[]'"))
        )
        deployment.add_column(sa.Column("mends", sa.String(32)))
    op.execute(
        "UPDATE deployment SET command = 'rollback' WHERE rollback_asked AND ended_at IS NULL"
    )
    with op.batch_alter_table("deployment") as deployment:
        deployment.drop_column("rollback_asked")
    with op.batch_alter_table("act") as act:
        act.add_column(sa.Column("sessions", sa.Integer))
        act.add_column(sa.Column("token", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "lease",
        sa.Column("app", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
