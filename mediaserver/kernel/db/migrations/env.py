"""Alembic's entry: runs the pending migrations on the connection that migrate.py hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=False,  # the caller holds the transaction
)
context.run_migrations()
