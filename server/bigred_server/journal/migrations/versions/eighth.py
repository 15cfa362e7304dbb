"""Index answers and armings by their time, by which they are looked up and tidied."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_answer_at", "answer", ["at"])
    op.create_index("ix_answer_box_at", "answer", ["box", "at"])
    op.create_index("ix_arming_box_made_at", "arming", ["box", "made_at"])
