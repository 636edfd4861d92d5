"""Run one target under atheris: `python -m tests.fuzz decoding -max_total_time=600`.

What follows the target's name are options of libFuzzer, and folders of further inputs. An input that raises
what it must not is written to the folder that it was started in, as `crash-...`; naming that file runs it
again.
"""

import sys
import tempfile
from pathlib import Path

import atheris

# Their branches are what guides the mutations.
with atheris.instrument_imports(include=["app.http.multipart", "app.v2.codec", "models.preprocessing"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, *options = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(f"name one of the targets {', '.join(TARGETS)}")
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds()):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        # libFuzzer writes what it finds new to the first folder, and never comes back from `Fuzz`.
        arguments = [sys.argv[0], *options]
        if not any(Path(option).is_file() for option in options):
            arguments.append(folder)
        atheris.Setup(arguments, target.run)
        atheris.Fuzz()


main()
