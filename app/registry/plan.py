"""What is to be served: which versions of which models, and which of them answers whom."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """A version of a model, and by its `serial` one loading of it told from the next.

    A folder is not to change below its number: a worker that is replaced reads it again.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    serial: int


class Plan(BaseModel):
    """All that one process has to know to serve what every other one serves. Never changed, only followed.

    `current` is the version that answers where only a name is given, and `default` the name that answers
    where not even that is. `staged` is to be loaded and not to be served yet.
    """

    model_config = ConfigDict(frozen=True)

    generation: int
    entries: tuple[Entry, ...]
    current: dict[str, str]
    default: str
    staged: Entry | None = None

    @classmethod
    def first(cls, models: dict[str, str], default: str) -> Self:
        """One version of each of `models`, name to version."""
        entries = tuple(Entry(name=name, version=version, serial=0) for name, version in models.items())
        return cls(generation=0, entries=entries, current=models, default=default)

    def stage(self, name: str, version: str) -> Self:
        """Load this version, in a moment to take the place of any of the same name and version."""
        entry = Entry(name=name, version=version, serial=self.generation + 1)
        return self._next(staged=entry)

    def commit(self) -> Self:
        """Serve what is staged, and let it answer where only its name is given."""
        assert self.staged is not None, "something has to be staged first"
        name, version = self.staged.name, self.staged.version
        others = (entry for entry in self.entries if (entry.name, entry.version) != (name, version))
        return self._next(
            entries=(*others, self.staged), current={**self.current, name: version}, staged=None
        )

    def abandon(self) -> Self:
        """Forget what is staged."""
        return self._next(staged=None)

    def remove(self, name: str, version: str | None) -> Self:
        """Serve this version no more, or no version; the one loaded last among the others takes its place."""
        entries = tuple(
            entry for entry in self.entries if entry.name != name or version not in (None, entry.version)
        )
        current = {**self.current}
        left = [entry.version for entry in entries if entry.name == name]
        if current.get(name) not in left:
            del current[name]
            if left:
                current[name] = left[-1]
        return self._next(entries=entries, current=current, staged=None)

    def _next(self, **changes: object) -> Self:
        return self.model_copy(update={"generation": self.generation + 1, **changes})
