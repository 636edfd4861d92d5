"""Colours as a file means them, to sRGB: by its ICC profile, or by a gamma and primaries."""

import io
import math
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4 << 20
"""A larger profile is passed over. Cameras' and displays' take some kilobytes, printers' up to 3 MB."""

_KEPT_PROFILE_BYTES = 64 << 10
"""The transforms of smaller profiles are kept: most pictures have one of a few."""

_FEW_PIXELS = 1 << 16
"""Of a picture for which a profile's tables are looked into as they are. LittleCMS takes 10 to 30 ms to bring
them into a form in which a pixel takes 0.04 µs, and 1 ms to leave them, at 0.3 µs a pixel. So a small picture
with a profile of its own does not cost as much as a large one."""

_INDISTINGUISHABLE = 1
"""Levels by which a profile may differ from sRGB and count as it: there are many that say sRGB."""

_MODES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
"""Colour space of an ICC profile, and Pillow's mode for its pixels."""

_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
"""Classes of ICC profiles that say what a picture's numbers mean."""

_TAGS = 128
"""Where the table of tags of an ICC profile begins: their number, and 12 bytes for each."""

_SRGB_CHROMATICITIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_D50 = np.array((0.9642, 1.0, 0.8249))
_BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))


class Colours(Protocol):
    """What the numbers of a picture's pixels mean."""

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """An image of mode RGB, in sRGB, of one of mode L, RGB or CMYK; it may be the same object."""

    def are_srgb(self, mode: str) -> bool:
        """Whether pixels of `mode`, L, RGB or CMYK, need no more than Pillow's own conversion to RGB."""


@dataclass(frozen=True)
class Srgb:
    """sRGB, as browsers take what is not said otherwise."""

    def to_srgb(self, image: Image.Image) -> Image.Image:
        return image if image.mode == "RGB" else image.convert("RGB")

    def are_srgb(self, mode: str) -> bool:  # noqa: ARG002
        return True


SRGB = Srgb()


@dataclass(frozen=True)
class ByProfile:
    """As an embedded ICC `profile` says; as sRGB where it cannot be used, as browsers do.

    `has_few_pixels` says whether the picture is so small that making a fast transform takes longer than a
    slow one takes in all.
    """

    profile: bytes
    has_few_pixels: bool = False

    def to_srgb(self, image: Image.Image) -> Image.Image:
        mode = self._mode_for(image.mode)
        if mode is None or self._transform is None:
            return SRGB.to_srgb(image)
        return self._transform.apply(image if image.mode == mode else image.convert(mode))

    def are_srgb(self, mode: str) -> bool:
        return self._mode_for(mode) is None or self._transform is None

    @cached_property
    def _transform(self) -> ImageCms.ImageCmsTransform | None:
        """Made once, and not for each strip of a picture: a printer's takes as long as seven strips."""
        return _transform_of(self.profile, _MODES[self.profile[16:20]], is_fast=not self.has_few_pixels)

    def _mode_for(self, mode: str) -> str | None:
        """The profile's mode, if pixels of `mode` can be brought to it; grey ones can be RGB as well."""
        wanted = _MODES.get(self.profile[16:20])
        return wanted if wanted == mode or (mode == "L" and wanted == "RGB") else None


@dataclass(frozen=True)
class ByCurve:
    """sRGB's primaries, but another curve: `levels` are those of sRGB for the 256 of a channel."""

    levels: tuple[int, ...]

    def to_srgb(self, image: Image.Image) -> Image.Image:
        if image.mode == "CMYK":
            return image.convert("RGB")
        return SRGB.to_srgb(image.point(self.levels * len(image.getbands())))

    def are_srgb(self, mode: str) -> bool:
        return mode == "CMYK" or self.levels == tuple(range(256))


def by_profile(profile: bytes | None, pixels: int) -> Colours:
    """What the embedded ICC profile of a picture of so many `pixels` says.

    `None`, and bytes that are no profile, are taken for sRGB.
    """
    if profile is None or not 128 < len(profile) <= MAX_PROFILE_BYTES:
        return SRGB
    sound = profile[36:40] == b"acsp" and profile[12:16] in _CLASSES and profile[16:20] in _MODES
    return ByProfile(profile, pixels <= _FEW_PIXELS and _has_tables(profile)) if sound else SRGB


def by_gamma(gamma: float | None, chromaticities: tuple[float, ...] | None) -> Colours:
    """What gAMA and cHRM of a PNG say.

    `gamma` is the exponent of the file, such as 0.45; `None` stands for sRGB's curve. `chromaticities` are x
    and y of white, red, green and blue; `None` stands for sRGB's. Values that no display could have are taken
    for sRGB.
    """
    if gamma is not None and not 0.01 <= gamma <= 10:
        gamma = None
    if chromaticities is not None and not np.allclose(chromaticities, _SRGB_CHROMATICITIES, atol=1e-3):
        profile = _written_profile(gamma, chromaticities)
        if profile is not None:
            return ByProfile(profile)
    return SRGB if gamma is None else ByCurve(_levels(gamma))


@lru_cache(maxsize=64)
def _levels(gamma: float) -> tuple[int, ...]:
    linear = (np.arange(256) / 255) ** (1 / gamma)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(int(level) for level in (255 * srgb).round().clip(0, 255))


def _transform_of(profile: bytes, mode: str, *, is_fast: bool) -> ImageCms.ImageCmsTransform | None:
    """`None` where the profile is sRGB, as nearly as can be seen, or cannot be used."""
    if len(profile) <= _KEPT_PROFILE_BYTES:
        return _kept_transform_of(profile, mode, is_fast)
    return _new_transform_of(profile, mode, is_fast)


def _new_transform_of(profile: bytes, mode: str, is_fast: bool) -> ImageCms.ImageCmsTransform | None:
    try:
        transform = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(_without_elements(profile))),
            _srgb_profile(),
            mode,
            "RGB",
            flags=ImageCms.Flags.NONE if is_fast else ImageCms.Flags.NOOPTIMIZE,
        )
        made = transform.apply(_probe().convert(mode) if mode != "RGB" else _probe())
    except (ImageCms.PyCMSError, OSError, ValueError, MemoryError):
        return None
    if mode == "CMYK":
        return transform
    expected = np.asarray(_probe().convert(mode).convert("RGB"), dtype=int)
    difference = np.abs(np.asarray(made, dtype=int) - expected).max()
    return transform if difference > _INDISTINGUISHABLE else None


def _without_elements(profile: bytes) -> bytes:
    """The profile with the tags D2B0 to D2B3 (ICC.1:2022, 9.2.29) under names that nobody looks for.

    Browsers pass them over, and LittleCMS prefers them. They list any number of elements, each of which may
    be named again and again, and all are looked through for each that is added: 80 kB of them took 9 s, and a
    megabyte would take half an hour.
    """
    renamed = bytearray(profile)
    for start in _tags(profile):
        if profile[start : start + 3] == b"D2B":
            renamed[start : start + 3] = b"d2b"
    return bytes(renamed)


def _has_tables(profile: bytes) -> bool:
    """Whether it may say by tables what colours are (A2B0 to A2B2), and not by primaries and curves."""
    return any(profile[start : start + 3] == b"A2B" for start in _tags(profile))


def _tags(profile: bytes) -> range:
    """Where the names of the tags stand."""
    count = int.from_bytes(profile[_TAGS : _TAGS + 4], "big")
    return range(_TAGS + 4, min(_TAGS + 4 + 12 * count, len(profile)), 12)


_kept_transform_of = lru_cache(maxsize=32)(_new_transform_of)


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=1)
def _probe() -> Image.Image:
    """Colours from all over RGB, and all greys."""
    levels = np.linspace(0, 255, 9).round()
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
    return Image.fromarray(np.concatenate((cube, greys)).astype(np.uint8)[None])


def _written_profile(gamma: float | None, chromaticities: tuple[float, ...]) -> bytes | None:
    """An ICC profile of three primaries and a curve (ICC.1:2001-04); `None` if they span no colours."""
    to_xyz = _to_xyz(chromaticities)
    if to_xyz is None:
        return None
    if gamma is None:
        curve = struct.pack(">4sIHH5i", b"para", 0, 3, 0, *map(_fixed, (2.4, *_SRGB_CURVE)))
    else:
        curve = struct.pack(">4sIHHi", b"para", 0, 0, 0, _fixed(1 / gamma))
    tags = {b"wtpt": _xyz(_D50)}
    for index, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = _xyz(to_xyz[:, index])
        tags[name + b"TRC"] = curve
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp")
    header = header.ljust(68, b"\0") + struct.pack(">3i", *map(_fixed, _D50))
    return header.ljust(128, b"\0") + table + body


_SRGB_CURVE = (1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Of IEC 61966-2-1: (a x + b) ** 2.4 from d on, c x below."""


def _to_xyz(chromaticities: tuple[float, ...]) -> NDArray[np.float64] | None:
    """(3, 3): the primaries' XYZ as columns, adapted to D50 by the Bradford transform."""
    points = np.array(chromaticities).reshape(4, 2)
    if points[0, 1] < 0.01:
        return None
    xyz = np.stack((points[:, 0], points[:, 1], 1 - points.sum(axis=1)))
    # How bright the primaries are, white tells: some have a y of 0, as wide spaces of the cinema do.
    white, primaries = xyz[:, 0] / points[0, 1], xyz[:, 1:]
    if abs(np.linalg.det(primaries)) < 1e-6:
        return None
    scaled = primaries * np.linalg.solve(primaries, white)
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ scaled
    return adapted if np.isfinite(adapted).all() and np.abs(adapted).max() < 100 else None


def _xyz(values: NDArray[np.float64]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *map(_fixed, values))


def _fixed(value: float) -> int:
    """As s15Fixed16Number."""
    return math.floor(value * 65536 + 0.5)
