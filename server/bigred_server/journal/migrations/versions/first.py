"""Create the first tables of the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "release",
        sa.Column("app", sa.String(32), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(500), nullable=False),
        sa.Column("marker", sa.String(500), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("submitted_at", sa.Float, nullable=False),
        sa.Column("commit", sa.String(500), nullable=False),
        sa.Column("author", sa.String(500), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_index("uq_release_app_version", "release", ["app", "version"], unique=True)
    op.create_table(
        "deployment",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("app", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("nodes", sa.JSON, nullable=False),
        sa.Column("skipped", sa.JSON, nullable=False),
        sa.Column("rollback_asked", sa.Boolean, nullable=False),
        sa.Column("blames_build", sa.Boolean, nullable=False),
        sa.Column("takes_back", sa.String(64)),
        sa.Column("not_before", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("counters", sa.JSON),
        sa.Column("receipt", sa.JSON),
    )
    op.create_index(
        "uq_deployment_running",
        "deployment",
        ["app"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_deployment_started_at", "deployment", ["started_at"])
    op.create_table(
        "act",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("deployment", sa.String(32), sa.ForeignKey("deployment.id"), nullable=False),
        sa.Column("node", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("outcome", sa.String(16)),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("ix_act_deployment", "act", ["deployment"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("deployment", sa.String(32), sa.ForeignKey("deployment.id"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("node", sa.String(32)),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("ix_event_deployment", "event", ["deployment"])
    op.create_table(
        "arming",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("box", sa.String(32), nullable=False),
        sa.Column("app", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("server_run", sa.String(32), nullable=False),
        sa.Column("deadline_s", sa.Float, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
    )
    op.create_index("ix_arming_box", "arming", ["box"])
    op.create_table(
        "answer",
        sa.Column("box", sa.String(32), primary_key=True),
        sa.Column("event", sa.String(32), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
    )
