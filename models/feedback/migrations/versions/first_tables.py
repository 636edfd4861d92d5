"""The tables as they first were."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("predicted", sa.String(200)),
        sa.Column("probability", sa.Double),
        sa.Column("model", sa.String(100)),
        sa.Column("version", sa.String(100)),
        sa.Column("image_bytes", sa.Integer, nullable=False),
    )
    op.create_index("corrections_by_created", "corrections", ["created"])
    op.create_table(
        "correction_images",
        sa.Column(
            "correction_id",
            sa.String(32),
            sa.ForeignKey("corrections.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "recent_predictions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
    )
    op.create_index("recent_predictions_by_request", "recent_predictions", ["request_id", "item"])
    op.create_index("recent_predictions_by_created", "recent_predictions", ["created"])


def downgrade() -> None:
    for table in ("recent_predictions", "correction_images", "corrections"):
        op.drop_table(table)
