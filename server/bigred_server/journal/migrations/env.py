"""Alembic's entry point: run the migrations on the connection that the journal passes."""

from alembic import context

from bigred_server.journal.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
