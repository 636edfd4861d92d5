"""Colours come out as browsers show them: converted to sRGB from what the file says they are."""

from time import thread_time

import numpy as np
import pytest
from PIL import Image, ImageCms

from models.preprocessing import colours
from models.preprocessing.colours import MAX_PROFILE_BYTES, SRGB, by_gamma, by_profile
from models.preprocessing.decode import decode
from tests.support.colour_profiles import (
    P3_CHROMATICITIES,
    P3_COLUMNS,
    SRGB_CHROMATICITIES,
    SRGB_COLUMNS,
    grey_profile,
    in_srgb,
    rgb_profile,
    table_profile,
)
from tests.support.image_files import saved

COLOURS = [(200, 30, 40), (30, 160, 60), (40, 60, 190), (230, 200, 40), (90, 90, 90)]
TOLERANCE = 3


def shown(image: Image.Image, file_format: str = "PNG", **options: object) -> list[int]:
    pixels = np.asarray(decode(saved(image, file_format, **options), 1 << 22).image)
    return [int(level) for level in pixels[8, 8]]


def close(levels: list[int], expected: list[int]) -> bool:
    return max(abs(a - b) for a, b in zip(levels, expected, strict=True)) <= TOLERANCE


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {}), ("JPEG", {"quality": 100, "subsampling": 0}), ("WEBP", {"lossless": True})],
)
def test_an_embedded_profile_is_converted_to_srgb(
    colour: tuple[int, int, int], file_format: str, options: dict[str, object]
) -> None:
    image = Image.new("RGB", (16, 16), colour)
    levels = shown(image, file_format, icc_profile=rgb_profile(), **options)
    assert close(levels, in_srgb(colour))
    assert not close(levels, list(colour)) or colour == (90, 90, 90)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_alpha_and_palettes_are_converted_too(mode: str) -> None:
    image = Image.new("RGB", (16, 16), COLOURS[0])
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    assert close(shown(image, icc_profile=rgb_profile()), in_srgb(COLOURS[0]))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_grey_is_converted_by_a_profile_of_grey_or_of_rgb(file_format: str) -> None:
    for profile in (grey_profile(1.0), rgb_profile(SRGB_COLUMNS, 1.0)):
        levels = shown(Image.new("L", (16, 16), 60), file_format, icc_profile=profile)
        assert close(levels, in_srgb((60, 60, 60), SRGB_COLUMNS, 1.0))


@pytest.mark.parametrize("profile", [grey_profile(1.0), rgb_profile(SRGB_COLUMNS, 1.0)])
def test_grey_with_transparency_is_converted_as_grey_without(profile: bytes) -> None:
    opaque, clear = Image.new("LA", (16, 16), (60, 255)), Image.new("LA", (16, 16), (60, 0))
    assert close(shown(opaque, icc_profile=profile), in_srgb((60, 60, 60), SRGB_COLUMNS, 1.0))
    assert shown(clear, icc_profile=profile) == [255, 255, 255]


def test_a_profile_of_other_pixels_is_passed_over() -> None:
    assert shown(Image.new("RGB", (16, 16), COLOURS[0]), icc_profile=grey_profile(1.0)) == list(COLOURS[0])


def test_srgb_is_recognised_and_pixels_stay_bit_for_bit() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert by_profile(profile, 1).are_srgb("RGB")
    noise = Image.effect_noise((16, 16), 90).convert("RGB")
    decoded = decode(saved(noise, "PNG", icc_profile=profile), 10_000).image
    assert decoded.tobytes() == noise.tobytes()


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile",
        bytes(500),
        rgb_profile()[:200],
        rgb_profile()[:128] + b"\xff" * 300,
        rgb_profile(((0, 0, 0),) * 3),
        rgb_profile().replace(b"mntr", b"link"),
        rgb_profile().replace(b"para", b"oops"),
        rgb_profile(padding=MAX_PROFILE_BYTES),
    ],
    ids=["text", "zeros", "cut off", "mad tags", "black", "device link", "unknown curve", "huge"],
)
def test_a_profile_that_cannot_be_used_leaves_the_pixels_as_srgb(profile: bytes) -> None:
    image = Image.new("RGB", (16, 16), COLOURS[0])
    assert shown(image, icc_profile=profile) in (list(COLOURS[0]), [0, 0, 0])
    assert shown(image, "WEBP", lossless=True, icc_profile=profile) in (list(COLOURS[0]), [0, 0, 0])


def test_a_sound_profile_of_more_than_a_megabyte_is_used() -> None:
    """Pillow alone calls such a PNG damaged."""
    profile = rgb_profile(padding=1_300_000)
    assert close(shown(Image.new("RGB", (16, 16), COLOURS[0]), icc_profile=profile), in_srgb(COLOURS[0]))


def test_the_transform_of_a_profile_is_made_once() -> None:
    colours._kept_transform_of.cache_clear()
    for _ in range(3):
        shown(Image.new("RGB", (16, 16)), icc_profile=rgb_profile(gamma=1.9))
    assert colours._kept_transform_of.cache_info().misses == 1


def test_the_transform_of_a_large_profile_is_made_once_for_all_strips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, plainly = [], colours._new_transform_of

    def counted(profile: bytes, mode: str, is_fast: bool) -> ImageCms.ImageCmsTransform | None:
        made.append(mode)
        return plainly(profile, mode, is_fast)

    monkeypatch.setattr(colours, "_new_transform_of", counted)
    image = Image.new("RGB", (1024, 2048), COLOURS[0])
    assert close(shown(image, icc_profile=rgb_profile(padding=100_000)), in_srgb(COLOURS[0]))
    assert made == ["RGB"]


def test_profiles_of_tables_take_little_time_for_small_pictures() -> None:
    """As many transforms made as for large pictures would take 0.5 s."""
    small = Image.new("CMYK", (8, 8), (90, 20, 200, 10))
    contents = [saved(small, "JPEG", icc_profile=table_profile(b"CMYK", number)) for number in range(20)]
    started = thread_time()
    for content in contents:
        decode(content, 1000)
    assert thread_time() - started < 0.2


def test_tables_give_small_pictures_the_colours_of_large_ones() -> None:
    generator = np.random.default_rng(0)
    for space, channels in ((b"CMYK", 4), (b"RGB ", 3)):
        profile = table_profile(space, 0)
        pixels = generator.integers(0, 256, (300, 300, channels), dtype=np.uint8)
        large = Image.fromarray(pixels, "CMYK" if channels == 4 else "RGB")
        small = large.crop((0, 0, 60, 60))
        converted = np.asarray(by_profile(profile, 90_000).to_srgb(large)).astype(int)[:60, :60]
        slowly = np.asarray(by_profile(profile, 3_600).to_srgb(small)).astype(int)
        # In near black the fast way errs by several levels.
        assert np.abs(converted - slowly).mean() < 1
        assert np.abs(slowly - np.asarray(small.convert("RGB"))).max() > 20


def test_every_random_damage_of_a_profile_gives_an_image() -> None:
    chance = np.random.default_rng(0)
    for _ in range(300):
        profile = bytearray(rgb_profile())
        for place in chance.integers(0, len(profile), 4):
            profile[place] = chance.integers(256)
        converted = by_profile(bytes(profile), 4).to_srgb(Image.new("RGB", (2, 2)))
        assert converted.mode == "RGB"


@pytest.mark.parametrize("elements", [1, 400_000])
def test_elements_count_for_nothing_as_in_browsers_and_take_no_time(elements: int) -> None:
    """By them the colours would stay; read one after the other, so many would take days."""
    image = Image.new("RGB", (16, 16), COLOURS[0])
    assert close(shown(image, icc_profile=rgb_profile(elements=elements)), in_srgb(COLOURS[0]))


def test_gamma_and_primaries_agree_with_the_profile_of_the_same() -> None:
    image = Image.new("RGB", (16, 16), COLOURS[1])
    for chromaticities, columns in ((P3_CHROMATICITIES, P3_COLUMNS), (SRGB_CHROMATICITIES, SRGB_COLUMNS)):
        for gamma in (1.0, 2.2):
            levels = list(by_gamma(1 / gamma, chromaticities).to_srgb(image).tobytes()[:3])
            assert close(levels, in_srgb(COLOURS[1], columns, gamma))


def test_primaries_without_a_gamma_have_the_curve_of_srgb() -> None:
    grey = Image.new("RGB", (1, 1), (90, 90, 90))
    assert by_gamma(None, P3_CHROMATICITIES).to_srgb(grey).getpixel((0, 0)) == (90, 90, 90)


@pytest.mark.parametrize(
    "chromaticities", [(0.0,) * 8, (0.3127, 0.3290, *(0.3, 0.3) * 3), (0.3127, 1e-9, *P3_CHROMATICITIES[2:])]
)
def test_primaries_that_span_no_colours_are_taken_for_srgb(chromaticities: tuple[float, ...]) -> None:
    assert by_gamma(None, chromaticities) == SRGB


@pytest.mark.parametrize("blue", [(0.0366, 0.0001), (0.0001, -0.077)])
def test_primaries_may_be_as_dark_as_those_of_wide_spaces(blue: tuple[float, float]) -> None:
    """ProPhoto's and ACES's: a picture's green is greener than sRGB's can be."""
    chromaticities = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, *blue)
    converted = by_gamma(1 / 1.8, chromaticities).to_srgb(Image.new("RGB", (1, 1), (90, 200, 90)))
    assert converted.tobytes()[0] == 0


@pytest.mark.parametrize("gamma", [0.0, 0.001, 40_000.0])
def test_a_gamma_that_no_display_has_is_taken_for_srgb(gamma: float) -> None:
    assert by_gamma(gamma, None) == SRGB


def test_a_profile_of_no_device_is_passed_over() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert by_profile(profile, 1) == SRGB
