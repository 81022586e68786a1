"""Alembic's entry: one SQLite file, named by the caller."""

from alembic import context
from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from app.stores.sql.tables import metadata

engine = create_engine(
    URL.create("sqlite", database=context.config.attributes["path"]), poolclass=NullPool
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
