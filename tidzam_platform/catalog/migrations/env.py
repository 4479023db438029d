"""Alembic's entry: runs the migrations on the connection that Catalog.open hands over."""

from alembic import context

from tidzam_platform.catalog.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite alters tables only by copying them
)
with context.begin_transaction():
    context.run_migrations()
