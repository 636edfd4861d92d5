"""Colours by their code points (ITU-T H.273), as AVIF, HEIC and PNG can state them."""

from models.preprocessing.colours import Colours, by_gamma

_D65 = (0.3127, 0.3290)
_CHROMATICITIES = {
    1: (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),
    4: (0.310, 0.316, 0.670, 0.330, 0.210, 0.710, 0.140, 0.080),
    5: (*_D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""H.273, table 2: x and y of white, red, green and blue. 1 is sRGB, 9 BT.2020, 12 Display P3."""

_GAMMAS = {
    **dict.fromkeys((1, 6, 7, 13, 14, 15)),
    4: 1 / 2.2,
    5: 1 / 2.8,
    8: 1.0,
}
"""H.273, table 3: the exponent of the file's numbers; `None` for sRGB's curve, which pictures on displays
mean where they name one of television's (1, 6, 14, 15). Chromium takes it so in AVIF, and in PNG the curve of
television itself, by which dark colours become a little darker."""

_UNSPECIFIED = 2
_DISPLAYS_PRIMARIES, _DISPLAYS_TRANSFER = 1, 13


def by_code_points(primaries: int, transfer: int) -> Colours | None:
    """`None` where one of them is not known, or is of a picture of high dynamic range (PQ, HLG)."""
    if transfer not in _GAMMAS or primaries not in _CHROMATICITIES:
        return None
    return by_gamma(_GAMMAS[transfer], _CHROMATICITIES[primaries])


def by_code_points_in_part(primaries: int, transfer: int) -> Colours | None:
    """The same where sRGB's stand for the one of the two that is unspecified; `None` where both are.

    So do browsers in AVIF. In PNG they pass over both.
    """
    if primaries == transfer == _UNSPECIFIED:
        return None
    return by_code_points(
        _DISPLAYS_PRIMARIES if primaries == _UNSPECIFIED else primaries,
        _DISPLAYS_TRANSFER if transfer == _UNSPECIFIED else transfer,
    )
