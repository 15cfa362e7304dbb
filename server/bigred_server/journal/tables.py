"""The tables. Every change here needs a migration in `migrations/versions`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# All times are in seconds of Unix time, except an arming's `deadline_s`, which is monotonic.

release = Table(
    "release",
    metadata,
    Column("app", String(32), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("version", String(500), nullable=False),
    Column("marker", Text, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("submitted_at", Float, nullable=False),
    Column("commit", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("size", Integer, nullable=False),
    # The commits since the release that was live when it was built.
    Column("changes", JSON),
    # How the running app is asked which release it is.
    Column("proof", JSON(none_as_null=True)),
    Index("uq_release_app_version", "app", "version", unique=True),
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("app", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64)),
    Column("who", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("nodes", JSON, nullable=False),
    Column("skipped", JSON, nullable=False),
    Column("command", String(16)),
    Column("commanded_by", String(64), nullable=False),
    Column("set_aside", JSON, nullable=False),
    # The node that this deployment repairs; NULL for a deployment of the whole app.
    Column("mends", String(32)),
    Column("blames_build", Boolean, nullable=False),
    Column("takes_back", String(64)),
    Column("not_before", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    # Why it is held, and the worst verdict despite which a person continued it.
    Column("held_for", String(16)),
    Column("tolerates", String(16)),
    Column("counters", JSON),
    # What the judge has seen, and its latest verdict.
    Column("evidence", JSON),
    Column("judgement", JSON),
    Column("receipt", JSON),
    # The record of the Jenkins run; NULL if Bigred deploys it itself.
    Column("trail", JSON(none_as_null=True)),
    # At most one running deployment per app, even with several servers. On PostgreSQL, the index
    # has the same WHERE, by its migration: named here, it would load that dialect in every command.
    Index(
        "uq_deployment_running",
        "app",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
    ),
    Index("ix_deployment_started_at", "started_at"),
)

action = Table(
    "act",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment", String(32), ForeignKey("deployment.id"), nullable=False, index=True),
    Column("node", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("begun_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String(16)),
    Column("evidence", Text, nullable=False),
    # How many sessions the node held when the act began.
    Column("sessions", Integer),
    # The fencing token of the server that performed it.
    Column("token", Integer, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment", String(32), ForeignKey("deployment.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("node", String(32)),
    Column("text", Text, nullable=False),
)

# A commit on its way to a release.
build = Table(
    "build",
    metadata,
    Column("id", String(32), primary_key=True),
    # Counts an app's builds in the order of their submission.
    Column("number", Integer, nullable=False),
    Column("app", String(32), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("branch", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("stage", String(16), nullable=False),
    # The test stage that it is at, or ended at.
    Column("test", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("version", String(100), nullable=False),
    Column("digest", String(64)),
    Column("handed_in_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Index("uq_build_app_number", "app", "number", unique=True),
    Index("ix_build_app_stage", "app", "stage"),
)

# The values of an app's business metrics, in bins of equal length.
series_bin = Table(
    "series_bin",
    metadata,
    Column("app", String(32), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("seen", Float, nullable=False),
)

# What a JVM used in a span of seconds, with the release that it ran.
span = Table(
    "span",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("app", String(32), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("told", JSON, nullable=False),
)

# The server that leads an app, and until when. The token grows with every change of the leader. A
# server's name is leased, too, as "server:NAME".
lease = Table(
    "lease",
    metadata,
    Column("app", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("token", Integer, nullable=False),
    Column("until", Float, nullable=False),
)

arming = Table(
    "arming",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("box", String(32), nullable=False, index=True),
    Column("app", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("server_run", String(32), nullable=False),
    Column("deadline_s", Float, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("used_at", Float),
    Index("ix_arming_box_made_at", "box", "made_at"),
)

answer = Table(
    "answer",
    metadata,
    Column("box", String(32), primary_key=True),
    Column("event", String(32), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("reply", Text, nullable=False),
    Index("ix_answer_box_at", "box", "at"),
)

# The tokens of the HTTP API; only the SHA-256 of a secret is stored.
api_token = Table(
    "api_token",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("name", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float),
    Column("revoked_at", Float),
    Column("revoked_by", String(64), nullable=False),
    Index("uq_api_token_digest", "digest", unique=True),
)

# What the server signs with, by its purpose.
secret = Table(
    "secret",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)
