"""The feedback database: SQLite always, PostgreSQL where its server is installed."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from models.feedback import database as database_module
from models.feedback.database import FeedbackDatabase
from models.feedback.records import Bounds, Correction, FeedbackError, FeedbackFullError, Prediction
from models.feedback.tables import METADATA
from tests.support.postgresql import postgresql, program_folder

CAT = Prediction("cat", 0.75, "lenet", "1")
DOG = Prediction("dog", 0.5, "lenet", "2")
PLENTY = Bounds(1000, 1_000_000)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if program_folder() is None:
        pytest.skip("no PostgreSQL server is installed")
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'feedback.db'}"
    address: str = request.getfixturevalue("server")
    engine = FeedbackDatabase(address)._engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return address


@pytest.fixture
def database(url: str) -> Iterator[FeedbackDatabase]:
    database = FeedbackDatabase(url)
    database.prepare()
    yield database
    database.close()


def test_a_correction_is_kept_with_what_was_answered(database: FeedbackDatabase) -> None:
    first = database.add(10.0, Correction("request", 0, "dog", b"\x00\xff"), CAT, PLENTY)
    second = database.add(20.0, Correction("other", 3, "ship"), None, PLENTY)
    entries = database.entries()
    assert [entry.id for entry in entries] == [first, second]
    assert [(entry.created, entry.request_id, entry.item, entry.label) for entry in entries] == [
        (10.0, "request", 0, "dog"),
        (20.0, "other", 3, "ship"),
    ]
    assert [entry.prediction for entry in entries] == [CAT, None]
    assert [entry.image_bytes for entry in entries] == [2, 0]
    assert (database.image(first), database.image(second)) == (b"\x00\xff", None)


def test_what_is_deleted_is_gone_with_its_image(database: FeedbackDatabase) -> None:
    known = database.add(10.0, Correction("request", 0, "dog", b"image"), CAT, PLENTY)
    assert database.delete(known)
    assert database.entries() == []
    assert database.image(known) is None
    assert not database.delete(known)


def test_what_is_too_old_is_pruned(database: FeedbackDatabase) -> None:
    old = database.add(10.0, Correction("request", 0, "dog", b"image"), CAT, PLENTY)
    young = database.add(20.0, Correction("request", 0, "dog"), CAT, PLENTY)
    assert database.prune(20.0) == 1
    assert [entry.id for entry in database.entries()] == [young]
    assert database.image(old) is None


def test_what_is_forgotten_stands_in_no_file_of_sqlite_s(tmp_path: Path) -> None:
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.prepare()
    database.remember(1.0, [("a request", [CAT])])
    assert any(b"a request" in file.read_bytes() for file in tmp_path.iterdir())
    database.forget(2.0 + database_module.RECENT_SECONDS)
    assert not any(b"a request" in file.read_bytes() for file in tmp_path.iterdir())
    database.close()


@pytest.mark.parametrize("how", ["delete", "prune"])
def test_what_is_deleted_stands_in_no_file_of_sqlite_s(tmp_path: Path, how: str) -> None:
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.prepare()
    image = b"a face" * 10_000
    known = database.add(10.0, Correction("request", 0, "dog", image), CAT, PLENTY)
    assert any(b"a face" in file.read_bytes() for file in tmp_path.iterdir())
    assert database.delete(known) if how == "delete" else database.prune(20.0) == 1
    assert not any(b"a face" in file.read_bytes() for file in tmp_path.iterdir())
    database.close()


def test_no_more_is_kept_than_may_be(database: FeedbackDatabase) -> None:
    bounds = Bounds(3, 10)
    database.add(1.0, Correction("a", 0, "dog", b"x" * 6), CAT, bounds)
    with pytest.raises(FeedbackFullError, match="the image of 5 bytes does not fit: 6 of 10 are taken"):
        database.add(1.0, Correction("b", 0, "dog", b"x" * 5), CAT, bounds)
    database.add(1.0, Correction("b", 0, "dog", b"x" * 4), CAT, bounds)
    database.add(1.0, Correction("c", 0, "dog"), CAT, bounds)
    with pytest.raises(FeedbackFullError, match="3 corrections are kept, as many as may be"):
        database.add(1.0, Correction("d", 0, "dog"), CAT, bounds)
    assert len(database.entries()) == 3


def test_recent_predictions_are_recalled_by_request_and_item(database: FeedbackDatabase) -> None:
    database.remember(1.0, [("one", [CAT]), ("two", [CAT, DOG])])
    assert database.recall(2.0, "one", 0) == CAT
    assert [database.recall(2.0, "two", item) for item in range(3)] == [CAT, DOG, None]
    assert database.recall(2.0, "three", 0) is None


def test_of_the_same_request_the_last_answer_counts(database: FeedbackDatabase) -> None:
    database.remember(1.0, [("one", [CAT]), ("one", [DOG])])
    assert database.recall(2.0, "one", 0) == DOG


def test_recent_predictions_are_bounded_in_number_and_time(
    database: FeedbackDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "RECENT_ROWS", 3)
    database.remember(1.0, [(str(number), [CAT]) for number in range(5)])
    assert [database.recall(2.0, str(number), 0) for number in range(5)] == [None, None, CAT, CAT, CAT]
    late = 1.5 + database_module.RECENT_SECONDS
    database.remember(late, [("late", [DOG])])
    assert [database.recall(2.0, name, 0) for name in ("4", "late")] == [None, DOG]


def test_what_is_too_old_is_not_recalled_before_it_is_forgotten(database: FeedbackDatabase) -> None:
    database.remember(1.0, [("one", [CAT])])
    late = 1.0 + database_module.RECENT_SECONDS
    assert database.recall(late, "one", 0) == CAT
    assert database.recall(late + 0.5, "one", 0) is None
    assert database.recall(late, "one", 0) == CAT


def test_what_is_too_old_is_forgotten_without_anything_new(database: FeedbackDatabase) -> None:
    database.remember(1.0, [("old", [CAT])])
    database.remember(2.0, [("young", [DOG])])
    database.forget(1.5 + database_module.RECENT_SECONDS)
    assert [database.recall(2.0, name, 0) for name in ("old", "young")] == [None, DOG]


def test_more_predictions_are_remembered_than_32_bits_can_number(server: str) -> None:
    """By PostgreSQL, whose tables of the first release stopped there."""
    database = FeedbackDatabase(server)
    with database._engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        config = Config()
        config.set_main_option("script_location", str(database_module.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("SELECT setval('recent_predictions_number_seq', 2147483647)")
    database.prepare()
    database.remember(1.0, [("one", [CAT, DOG])])
    assert [database.recall(2.0, "one", item) for item in range(2)] == [CAT, DOG]
    database.close()


def test_migrations_make_the_tables_that_the_code_uses(database: FeedbackDatabase) -> None:
    with database._engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_several_processes_may_prepare_and_write_at_once(url: str) -> None:
    databases = [FeedbackDatabase(url) for _ in range(4)]

    def work(number: int) -> None:
        databases[number].prepare()
        for _ in range(10):
            with suppress(FeedbackFullError):
                databases[number].add(1.0, Correction(str(number), 0, "dog"), CAT, Bounds(25, 0))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert len(databases[0].entries()) == 25
    for each in databases:
        each.close()


def test_a_new_file_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """As by the workers of a service that starts: whoever came second was told that it is locked."""
    together = threading.Barrier(4, timeout=60)

    def work(_: int) -> None:
        for number in range(20):
            together.wait()
            database = FeedbackDatabase(f"sqlite:///{tmp_path / str(number)}.db")
            database.prepare()
            database.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


def test_migrations_that_cannot_be_read_are_an_error_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where too many files are open; else it would end the pruning for good."""

    def fail(_config: Config, _revision: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(command, "upgrade", fail)
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    with pytest.raises(FeedbackError, match="Too many open files"):
        database.prepare()
    database.close()


def test_a_locked_database_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "WAIT_SECONDS", 0.05)
    file = tmp_path / "feedback.db"
    database = FeedbackDatabase(f"sqlite:///{file}")
    database.prepare()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(FeedbackError, match=r"^database is locked$"):
        database.add(1.0, Correction("a", 0, "dog"), CAT, PLENTY)
    other.execute("ROLLBACK")
    other.close()
    database.add(1.0, Correction("a", 0, "dog"), CAT, PLENTY)
    database.close()


def test_a_full_database_is_an_error_and_stays_whole(tmp_path: Path) -> None:
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.prepare()
    kept = database.add(1.0, Correction("a", 0, "dog"), CAT, PLENTY)
    with database._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=20")  # the pool keeps this connection
    with pytest.raises(FeedbackError, match="full"):
        database.add(1.0, Correction("b", 0, "dog", bytes(500_000)), CAT, PLENTY)
    assert [entry.id for entry in database.entries()] == [kept]
    database.close()


def test_a_file_that_must_be_there_is_not_created(tmp_path: Path) -> None:
    file = tmp_path / "feedback.db"
    with pytest.raises(ValueError, match="there is no such file"):
        FeedbackDatabase(f"sqlite:///{file}", must_exist=True)
    assert not file.exists()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "feedback.db"
    file.write_bytes(b"no database" * 1000)
    database = FeedbackDatabase(f"sqlite:///{file}")
    with pytest.raises(FeedbackError, match="not a database"):
        database.prepare()
    database.close()


def test_the_tables_of_a_later_release_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "feedback.db"
    database = FeedbackDatabase(f"sqlite:///{file}")
    database.prepare()
    with database._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(FeedbackError, match="9999"):
        database.prepare()
    database.close()


def test_a_server_that_is_not_there_is_an_error_that_tells_no_password() -> None:
    database = FeedbackDatabase("postgresql://user:secret-word@127.0.0.1:9/none")
    with pytest.raises(FeedbackError) as error:
        database.prepare()
    assert "secret-word" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["", "feedback.db", "sqlite://", "sqlite:///:memory:", "mysql://host/database", "sqlite+aiosqlite:///a"],
)
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be such as sqlite:///feedback\.db or postgresql://"):
        FeedbackDatabase(url)
