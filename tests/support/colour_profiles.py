"""ICC profiles for tests, and what a browser makes of colours in them, by the textbook."""

import struct

import numpy as np

P3_COLUMNS = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
"""Display P3's red, green and blue in XYZ, adapted to D50 (SMPTE EG 432-1)."""

P3_CHROMATICITIES = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_CHROMATICITIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
SRGB_COLUMNS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
D50 = (0.9642, 1.0, 0.8249)

Columns = tuple[tuple[float, float, float], ...]


def rgb_profile(
    columns: Columns = P3_COLUMNS, gamma: float = 2.2, padding: int = 0, elements: int = 0
) -> bytes:
    """A display's profile; `padding` bytes make it larger.

    With `elements`, its tag D2B0 names the same matrix so many times, which leaves the colours as they are.
    """
    curve = struct.pack(">4sIHHi", b"para", 0, 0, 0, round(gamma * 65536))
    tags = {b"wtpt": _xyz(D50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    if elements:
        matrix = struct.pack(">4sIHH12f", b"matf", 0, 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
        places = struct.pack(">II", 16 + 8 * elements, len(matrix)) * elements
        tags[b"D2B0"] = struct.pack(">4sIHHI", b"mpet", 0, 3, 3, elements) + places + matrix
    if padding:
        tags[b"zzzz"] = b"text" + bytes(4 + padding)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    curve = struct.pack(">4sIHHi", b"para", 0, 0, 0, round(gamma * 65536))
    return _profile(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": curve})


def in_srgb(colour: tuple[int, int, int], columns: Columns = P3_COLUMNS, gamma: float = 2.2) -> list[int]:
    """`colour` of such a profile, 0..255, in sRGB."""
    linear = (np.array(colour) / 255) ** gamma
    mixed = np.linalg.inv(np.array(SRGB_COLUMNS).T) @ np.array(columns).T @ linear
    mixed = mixed.clip(0, 1)
    encoded = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
    return [round(float(level)) for level in 255 * encoded]


def _xyz(values: tuple[float, ...]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", space, b"XYZ ", b"", b"acsp"
    )
    return header.ljust(68, b"\0")[:68] + _xyz(D50)[8:] + bytes(48) + table + body
