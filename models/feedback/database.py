"""The feedback database, SQLite or PostgreSQL: corrections, their images, and recent predictions."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Row,
    create_engine,
    delete,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from models.feedback.records import Bounds, Correction, Entry, FeedbackError, FeedbackFullError, Prediction
from models.feedback.tables import CORRECTIONS, IMAGES, RECENT

MIGRATIONS = Path(__file__).parent / "migrations"

WAIT_SECONDS = 2
"""How long a transaction waits for another one, of whichever process."""

PRIMARY_CODE = 0xFF
"""The bits of an error's number that say of what kind it is."""

RETRY_SECONDS = 0.01

LOCK = 0x52455346
"""The number of the lock that PostgreSQL's transactions take here, any that others there do not use."""

RECENT_ROWS = 10_000
RECENT_SECONDS = 3600
"""So many of the latest predictions are remembered, and for so long."""


class FeedbackDatabase:
    """One database, for any number of processes; each method is one short transaction of the caller's thread.

    `url` is such as sqlite:///folder/feedback.db or postgresql://user:password@host/database. Raises
    `ValueError` for another one, and with `must_exist` for a file of SQLite's that is not there. All methods
    raise `FeedbackError` where the database does not do its part: locked for more than `WAIT_SECONDS`, on a
    full disk, away.
    """

    def __init__(self, url: str, *, must_exist: bool = False) -> None:
        parsed = _parsed(url)
        if must_exist and parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
            raise ValueError(f"{parsed.database}: there is no such file")
        self._engine = _engine(parsed)

    def prepare(self) -> None:
        """Create the tables, or bring those of an earlier release up to date; several may do so at once."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self._transaction() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def remember(self, created: float, answered: Sequence[tuple[str, Sequence[Prediction]]]) -> None:
        """Keep what was answered to requests, by their ids, and forget what is too old or too many."""
        rows = [
            {"created": created, "request_id": request_id, "item": item, **vars(prediction)}
            for request_id, predictions in answered
            for item, prediction in enumerate(predictions)
        ]
        with self._transaction() as connection:
            if rows:
                connection.execute(insert(RECENT), rows)
            newest = connection.scalar(select(func.max(RECENT.c.number))) or 0
            too_many = RECENT.c.number <= newest - RECENT_ROWS
            connection.execute(delete(RECENT).where(too_many | _too_old(created)))

    def forget(self, now: float) -> None:
        """Forget what is too old at a Unix time, also where nothing more comes to be remembered."""
        with self._transaction() as connection:
            connection.execute(delete(RECENT).where(_too_old(now)))
        self._empty_log()

    def recall(self, now: float, request_id: str, item: int) -> Prediction | None:
        """What was answered for an image of a request; None where it is not remembered, or not any more."""
        found = select(RECENT.c.label, RECENT.c.probability, RECENT.c.model, RECENT.c.version)
        asked = (RECENT.c.request_id == request_id) & (RECENT.c.item == item) & ~_too_old(now)
        with self._transaction() as connection:
            row = connection.execute(found.where(asked).order_by(RECENT.c.number.desc()).limit(1)).first()
        return None if row is None else Prediction(*row)

    def add(
        self, created: float, correction: Correction, prediction: Prediction | None, bounds: Bounds
    ) -> str:
        """Keep a correction; returns its id, 32 hexadecimal digits. Raises `FeedbackFullError`."""
        known = uuid4().hex
        size = len(correction.image or b"")
        with self._transaction() as connection:
            _require_room(connection, size, bounds)
            connection.execute(
                insert(CORRECTIONS).values(
                    id=known,
                    created=created,
                    request_id=correction.request_id,
                    item=correction.item,
                    label=correction.label,
                    predicted=prediction and prediction.label,
                    probability=prediction and prediction.probability,
                    model=prediction and prediction.model,
                    version=prediction and prediction.version,
                    image_bytes=size,
                )
            )
            if correction.image is not None:
                connection.execute(insert(IMAGES).values(correction_id=known, content=correction.image))
        return known

    def delete(self, known: str) -> bool:
        """Delete a correction and its image by its id; whether there was one."""
        with self._transaction() as connection:
            found = connection.execute(delete(CORRECTIONS).where(CORRECTIONS.c.id == known)).rowcount
        self._empty_log()
        return found > 0

    def prune(self, before: float) -> int:
        """Delete all corrections from before a Unix time, with their images; returns how many there were."""
        with self._transaction() as connection:
            found = connection.execute(delete(CORRECTIONS).where(CORRECTIONS.c.created < before)).rowcount
        self._empty_log()
        return found

    def entries(self) -> list[Entry]:
        """All corrections, the oldest first."""
        with self._transaction() as connection:
            rows = connection.execute(select(CORRECTIONS).order_by(CORRECTIONS.c.created, CORRECTIONS.c.id))
            return [_entry(row) for row in rows]

    def image(self, known: str) -> bytes | None:
        """The image of a correction; None where it has none, or is deleted."""
        with self._transaction() as connection:
            content: bytes | None = connection.scalar(
                select(IMAGES.c.content).where(IMAGES.c.correction_id == known)
            )
            return content

    def close(self) -> None:
        self._engine.dispose()

    def _empty_log(self) -> None:
        """Have SQLite take over the changes from the log beside its file, where what is deleted still stands.

        While others use the database it may not come to that; the next call does it then.
        """
        if self._engine.dialect.name != "sqlite":
            return
        # Past SQLAlchemy, which would begin a transaction.
        with suppress(sqlite3.OperationalError), closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, CommandError, OSError) as error:
            # The last where a migration cannot be read, as a process may have no more open files.
            # The driver's own words: SQLAlchemy's come with the statement and its values.
            cause = getattr(error, "orig", None) or error
            raise FeedbackError(" ".join(str(cause).split())) from error


def _too_old(now: float) -> ColumnElement[bool]:
    return RECENT.c.created < now - RECENT_SECONDS


def _require_room(connection: Connection, size: int, bounds: Bounds) -> None:
    held = select(func.count(), func.coalesce(func.sum(CORRECTIONS.c.image_bytes), 0))
    rows, image_bytes = connection.execute(held.select_from(CORRECTIONS)).one()
    if rows >= bounds.rows:
        raise FeedbackFullError(f"{rows} corrections are kept, as many as may be")
    if image_bytes + size > bounds.image_bytes and size:
        raise FeedbackFullError(
            f"the image of {size} bytes does not fit: {image_bytes} of {bounds.image_bytes} are taken"
        )


def _entry(row: Row[Any]) -> Entry:
    known = row.predicted is not None
    return Entry(
        id=row.id,
        created=row.created,
        request_id=row.request_id,
        item=row.item,
        label=row.label,
        prediction=Prediction(row.predicted, row.probability, row.model, row.version) if known else None,
        image_bytes=row.image_bytes,
    )


def _parsed(url: str) -> URL:
    right = "must be such as sqlite:///feedback.db or postgresql://user:password@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(right) from None
    match parsed.drivername:
        case "sqlite" if parsed.database not in (None, "", ":memory:"):
            return parsed
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(right)


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    milliseconds = WAIT_SECONDS * 1000
    options = f"-c lock_timeout={milliseconds} -c statement_timeout={2 * milliseconds}"
    engine = create_engine(
        url,
        pool_size=1,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": WAIT_SECONDS,
            "options": options,
            # A host that is lost without a word ends no connection: the first is for what is sent to it and
            # never acknowledged, the others are for an answer that never comes.
            "tcp_user_timeout": milliseconds,
            "keepalives": 1,
            "keepalives_idle": 1,
            "keepalives_interval": 1,
            "keepalives_count": WAIT_SECONDS,
        },
    )
    event.listen(
        engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})"),
    )
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own
    # Transactions begin where SQLAlchemy says so, and not where the driver thinks that one is needed: a
    # transaction that first reads and then writes would fail where another has written in between.
    connection.isolation_level = None
    for pragma in ("foreign_keys=ON", "secure_delete=ON", "journal_mode=WAL", "synchronous=NORMAL"):
        _execute_when_free(connection, f"PRAGMA {pragma}")


def _execute_when_free(connection: sqlite3.Connection, statement: str) -> None:
    """Of several that change the journal of a new database at once, SQLite refuses all but one at once."""
    deadline = monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute(statement).close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY or monotonic() >= deadline:
                raise
            sleep(RETRY_SECONDS)
        else:
            return
