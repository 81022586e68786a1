"""What a run's dialect has to remember of its request."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("options", sa.JSON(none_as_null=True)))
