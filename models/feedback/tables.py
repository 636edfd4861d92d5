"""The tables of the feedback database. A change here needs a migration beside the others."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

METADATA = MetaData()

CORRECTIONS = Table(
    "corrections",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("created", Double, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("item", Integer, nullable=False),
    Column("label", String(200), nullable=False),
    Column("predicted", String(200)),
    Column("probability", Double),
    Column("model", String(100)),
    Column("version", String(100)),
    Column("image_bytes", Integer, nullable=False),
    Index("corrections_by_created", "created"),
)

# Apart, so that counting the rows above does not read through the images.
IMAGES = Table(
    "correction_images",
    METADATA,
    Column("correction_id", ForeignKey("corrections.id", ondelete="CASCADE"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

RECENT = Table(
    "recent_predictions",
    METADATA,
    # Of SQLite's types only this one numbers rows by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("created", Double, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("item", Integer, nullable=False),
    Column("label", String(200), nullable=False),
    Column("probability", Double, nullable=False),
    Column("model", String(100), nullable=False),
    Column("version", String(100), nullable=False),
    Index("recent_predictions_by_request", "request_id", "item"),
    Index("recent_predictions_by_created", "created"),
)
