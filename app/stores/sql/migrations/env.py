"""Alembic's entry: a database that the caller names, or only the statements for an engine."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.stores.sql.tables import metadata

settings = context.config.attributes
if context.is_offline_mode():
    context.configure(dialect_name=settings["dialect"], target_metadata=metadata, as_sql=True)
    with context.begin_transaction():
        context.run_migrations()
elif "connection" in settings:  # in a transaction of its own, or in the caller's
    context.configure(connection=settings["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(settings["url"], poolclass=NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
