"""`resnet-serve capacity`: how many replicas a rate needs, what they cost, and what breaks first."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from app.capacity.fleet import Fleet, Surroundings, plan
from app.capacity.measurement import measure
from app.capacity.profile import MEASURED, Profile, load_profile, write_profile
from app.commands.client import API_KEY
from app.commands.output import complain, show

SAMPLE = Path(__file__).parents[1] / "static" / "samples" / "cat.png"


def capacity(arguments: Sequence[str]) -> int:
    """Plan for a rate; returns 1 if no number of replicas is fast enough, else 0.

    Raises `StartError` for a wrong profile and for a service that cannot be measured, and `OSError`.
    """
    parser = argparse.ArgumentParser(
        prog="resnet-serve capacity",
        description="Plan how many replicas a rate of images needs, from the measurements of one replica.",
        epilog="What stands in front of the replicas is not measured: its defaults are assumptions.",
    )
    parser.add_argument("--rate", type=_positive, required=True, help="images per second, one per request")
    parser.add_argument(
        "--p99", type=_seconds, required=True, help="99th percentile of the latency, such as 50ms or 1s"
    )
    parser.add_argument(
        "--spare", type=_whole, default=1, help="number of replicas that may fail (default: %(default)s)"
    )
    parser.add_argument(
        "--profile", type=Path, default=MEASURED, help="file of a measured replica (default: %(default)s)"
    )
    parser.add_argument("--measure", metavar="URL", help="measure the service there, which must be idle")
    parser.add_argument(
        "--image", type=Path, default=SAMPLE, help="the image to measure with (default: %(default)s)"
    )
    parser.add_argument(
        "--cores", type=_whole_positive, help="cores of the measured service (default: those usable here)"
    )
    parser.add_argument("--save", type=Path, help="write the measurements to this file, for --profile")
    for field in fields(Surroundings):
        name = f"--{field.name.replace('_', '-')}"
        kind = _whole_positive if isinstance(field.default, int) else _positive
        help_text = f"{field.metadata['help']} (default: %(default)s)"
        parser.add_argument(name, type=kind, default=field.default, help=help_text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    for name in ("cores", "save"):
        if getattr(options, name) is not None and not options.measure:
            parser.error(f"--{name} is of what --measure measures; a profile has its own")
    if options.measure:
        api_key = os.environ.get(API_KEY) or None
        profile = measure(options.measure, options.image, api_key=api_key, cores=options.cores)
        if options.save:
            write_profile(profile, options.save)
    else:
        profile = load_profile(options.profile)
    around = Surroundings(**{field.name: getattr(options, field.name) for field in fields(Surroundings)})
    fleet = plan(profile, options.rate, options.p99, options.spare, around)
    if fleet is None:
        complain(f"no number of replicas reaches a p99 of {options.p99:g} s on {profile.machine}")
        return 1
    show(json.dumps(asdict(fleet), indent=1) if options.json else _described(fleet, profile))
    return 0


def _described(fleet: Fleet, profile: Profile) -> str:
    first = fleet.parts[0]
    lines = [
        f"{fleet.rate:,.0f} images/s of {profile.model} on {profile.cores} cores of {profile.machine} each:",
        f"  replicas    {fleet.replicas:,}, of up to {fleet.rate_of_a_replica:,.0f} images/s each",
        f"  cores       {fleet.cores:,}",
        f"  cost        {fleet.cores:,} core-hours an hour,"
        f" {fleet.core_hours_per_million:.2f} for a million images",
        f"  p99         {1000 * fleet.p99_seconds:.1f} ms, simulated",
        f"  first full  {first.name}, at {first.full_at:,.0f} images/s",
    ]
    lines += [f"  {part.used:>9.0%}   {part.name}" for part in fleet.parts]
    return "\n".join(lines)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is not 0, 1, 2, ...")
    return int(text)


def _whole_positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not 1, 2, 3, ...")
    return int(text)


def _seconds(text: str) -> float:
    given = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|s)", text)
    if given is None:
        raise argparse.ArgumentTypeError(f"{text} is not a time such as 50ms or 1s")
    return _positive(given[1]) / (1000 if given[2] == "ms" else 1)
