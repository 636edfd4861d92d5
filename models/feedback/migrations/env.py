"""Alembic runs this: the migrations, on the connection that `FeedbackDatabase.prepare` hands over."""

from alembic import context

from models.feedback.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
