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


def table_profile(space: bytes, number: int) -> bytes:
    """A device's profile of `space`, RGB or CMYK, that says by a table what its colours are in Lab.

    It has two points for each ink or light, and others for each `number`.
    """
    channels = 4 if space == b"CMYK" else 3
    lights = np.indices((2,) * channels).reshape(channels, -1).T
    rgb = (1 - lights[:, :3]) * (1 - lights[:, 3:]) if channels == 4 else lights
    lightness = 10 + 80 * rgb @ (0.3, 0.6, 0.1)
    a, b = 40 * (rgb[:, 0] - rgb[:, 1]), 40 * (rgb[:, 1] - rgb[:, 2])
    lab = np.stack((lightness * 652.8, (a + 128) * 256, (b + 128) * 256), axis=-1)
    lab[:, 1] += number
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).reshape(-1))
    table = b"mft2" + bytes(4) + bytes([channels, 3, 2, 0]) + identity + struct.pack(">HH", 2, 2)
    ramp = struct.pack(">HH", 0, 0xFFFF)
    table += ramp * channels + lab.round().astype(">u2").tobytes() + ramp * 3
    return _profile(space, {b"wtpt": _xyz(D50), b"A2B0": table}, b"Lab ")


def in_srgb(colour: tuple[int, int, int], columns: Columns = P3_COLUMNS, gamma: float = 2.2) -> list[int]:
    """`colour` of such a profile, 0..255, in sRGB."""
    linear = (np.array(colour) / 255) ** gamma
    mixed = np.linalg.inv(np.array(SRGB_COLUMNS).T) @ np.array(columns).T @ linear
    mixed = mixed.clip(0, 1)
    encoded = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
    return [round(float(level)) for level in 255 * encoded]


def _xyz(values: tuple[float, ...]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", space, connection, b"", b"acsp"
    )
    return header.ljust(68, b"\0")[:68] + _xyz(D50)[8:] + bytes(48) + table + body
