"""Colours by their code points (ITU-T H.273), as AVIF, HEIC and PNG can state them."""

from models.preprocessing.colours import Colours, by_gamma

_CHROMATICITIES = {
    1: (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""Of sRGB, BT.2020 and Display P3: x and y of white, red, green and blue."""

_SDR_TRANSFERS = (1, 6, 13, 14, 15)
"""Those of sRGB and of television, which pictures on displays mean as sRGB's."""


def by_code_points(primaries: int, transfer: int) -> Colours | None:
    """`None` where one of them is not known, or is of a picture of high dynamic range (PQ, HLG)."""
    if transfer not in _SDR_TRANSFERS or primaries not in _CHROMATICITIES:
        return None
    return by_gamma(None, _CHROMATICITIES[primaries])
