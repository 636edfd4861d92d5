import resource
import tempfile
from pathlib import Path

import pytest

from training.output_folder import OutputError, require_place_for_artifact, require_writable, write_file


@pytest.mark.parametrize("require", [require_writable, require_place_for_artifact])
def test_what_can_be_written_is_left_as_it_was(tmp_path: Path, require: object) -> None:
    assert callable(require)
    require(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("require", [require_writable, require_place_for_artifact])
def test_a_file_is_no_folder(tmp_path: Path, require: object) -> None:
    (tmp_path / "out").touch()
    assert callable(require)
    with pytest.raises(OutputError, match=r"--out: .*out is a file, and must be a folder"):
        require(tmp_path / "out")


@pytest.mark.parametrize("require", [require_writable, require_place_for_artifact])
def test_a_place_below_a_file_is_none(tmp_path: Path, require: object) -> None:
    (tmp_path / "file").touch()
    assert callable(require)
    with pytest.raises(OutputError, match=r"--out: \S+/file is a file, and must be a folder"):
        require(tmp_path / "file" / "a" / "b")


def test_other_files_are_not_written_into_an_artifact(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(OutputError, match=r"--out: \S+ holds an artifact, whose files would be overwritten"):
        require_writable(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Beyond this size the kernel refuses to write, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        write_file(tmp_path / "small", bytes(1000))
        with pytest.raises(OSError, match=r"File too large: '\S+/large'"):
            write_file(tmp_path / "large", bytes(1001))
        with pytest.raises(OSError, match=r"File too large: '\S+/small'"):
            write_file(tmp_path / "small", bytes(1001))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    assert (tmp_path / "small").read_bytes() == bytes(1000)


def test_of_a_link_the_place_that_it_leads_to_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("models/1")
    tried: list[Path] = []
    temporary_file = tempfile.TemporaryFile

    def note(*, dir: Path) -> object:  # noqa: A002
        tried.append(dir)
        return temporary_file(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", note)
    require_place_for_artifact(tmp_path / "current")
    assert tried == [tmp_path / "current", tmp_path / "models"]


def test_a_file_system_that_takes_no_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"--out: .* cannot be written: Read-only file system"):
        require_writable(tmp_path)


def test_an_artifact_takes_the_place_of_an_artifact_only(tmp_path: Path) -> None:
    require_place_for_artifact(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    require_place_for_artifact(tmp_path / "old")
    (tmp_path / "old" / "thesis.txt").touch()
    with pytest.raises(OutputError, match="holds other files than an artifact, which would be removed"):
        require_place_for_artifact(tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").touch()
    require_place_for_artifact(tmp_path / "old")
