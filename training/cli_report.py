"""What `report` and `curves` do, given their arguments."""

import argparse

from rich.console import Console

from training.loop.checkpoint import CheckpointError, load_checkpoint
from training.output_folder import require_writable, write_file


def report_command(arguments: argparse.Namespace) -> None:
    from training.report.files import write_report

    require_writable(arguments.out)
    written = write_report(arguments.artifact, arguments.out)
    Console().print("\n".join(str(path) for path in written), markup=False, soft_wrap=True)


def curves_command(arguments: argparse.Namespace) -> None:
    from training.report.curves import curves_figure, describe_gap
    from training.report.plots import render

    kind = arguments.out.suffix.removeprefix(".")
    if kind not in ("png", "svg"):
        raise ValueError(f"--out: must end in .png or .svg, got {arguments.out}")
    require_writable(arguments.out.parent)
    runs = [load_checkpoint(folder) for folder in arguments.runs]
    for folder, run in zip(arguments.runs, runs, strict=True):
        if not run.history:
            raise CheckpointError(f"{folder} has not finished an epoch yet")
    (content,) = render(curves_figure(runs), arguments.out.stem, [kind]).values()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_file(arguments.out, content)
    Console().print("\n".join(map(describe_gap, runs)), markup=False, soft_wrap=True)
