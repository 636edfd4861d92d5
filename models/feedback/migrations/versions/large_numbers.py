"""Recent predictions are numbered without end: at 500 a second, 32 bits last for 50 days."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite's numbers have 64 bits anyway
        op.alter_column("recent_predictions", "number", type_=sa.BigInteger)
        op.execute("ALTER SEQUENCE recent_predictions_number_seq AS bigint")


def downgrade() -> None:
    """Nothing: an earlier release can use the larger numbers."""
