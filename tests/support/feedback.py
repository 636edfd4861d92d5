"""The service with feedback, and what its database holds."""

from pathlib import Path

from app.settings import Settings
from models.feedback.database import FeedbackDatabase
from models.feedback.records import Entry


def with_feedback(settings: Settings, file: Path, **others: object) -> Settings:
    """`settings` of a service that keeps corrections and their images in `file`."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    wanted = {"feedback": True, "feedback_images": True, "feedback_database": f"sqlite:///{file}"}
    return Settings(**{**given, **wanted, **others})


def entries_of(file: Path) -> list[Entry]:
    database = FeedbackDatabase(f"sqlite:///{file}")
    database.prepare()
    entries = database.entries()
    database.close()
    return entries
