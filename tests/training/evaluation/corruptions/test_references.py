"""Corruptions against what other libraries, or a formula, say of them."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image
from torch import from_numpy
from torchvision.transforms.v2 import functional as vision

from training.evaluation.corruptions.brightness import ADDED, brightness
from training.evaluation.corruptions.contrast import KEPT, contrast
from training.evaluation.corruptions.defocus_blur import DISKS, defocus_blur, kernel
from training.evaluation.corruptions.eight_bits import from_image, to_bytes, to_image
from training.evaluation.corruptions.elastic_transform import elastic_transform
from training.evaluation.corruptions.fog import FOGS, fog, plasma
from training.evaluation.corruptions.frost import frost_texture
from training.evaluation.corruptions.gaussian_noise import SCALE, gaussian_noise
from training.evaluation.corruptions.glass_blur import glass_blur
from training.evaluation.corruptions.impulse_noise import SHARE, impulse_noise
from training.evaluation.corruptions.jpeg_compression import QUALITY, jpeg_compression
from training.evaluation.corruptions.motion_blur import motion_blur
from training.evaluation.corruptions.picture import Picture, blurred, moved, smeared, zoomed
from training.evaluation.corruptions.pixelate import pixelate
from training.evaluation.corruptions.shot_noise import PHOTONS, shot_noise
from training.evaluation.corruptions.snow import SNOW, snow
from training.evaluation.corruptions.zoom_blur import zoom_blur

SEVERITIES = range(1, 6)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(size: int = 32) -> Picture:
    return chance(7).random((size, size, 3))


def plain(value: float, size: int = 128) -> Picture:
    return np.full((size, size, 3), value)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noises_have_the_moments_of_their_distributions(severity: int) -> None:
    count = plain(0.5).size
    added = gaussian_noise(plain(0.5), severity, chance()) - 0.5
    assert abs(added.mean()) < 5 * SCALE[severity - 1] / count**0.5
    assert added.std() == pytest.approx(SCALE[severity - 1], rel=0.02)

    shots = shot_noise(plain(0.5), severity, chance())
    photons = PHOTONS[severity - 1]
    assert shots.mean() == pytest.approx(0.5, abs=5 * (0.5 / photons / count) ** 0.5)
    assert shots.var() == pytest.approx(0.5 / photons, rel=0.05)

    struck = impulse_noise(plain(0.5), severity, chance())
    share = SHARE[severity - 1]
    for value in (0.0, 1.0):
        assert (struck == value).mean() == pytest.approx(share / 2, abs=5 * (share / 2 / count) ** 0.5)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_that_of_the_standard_librarys_hsv(severity: int) -> None:
    picture = noise(8)
    picture[0, 0] = 0
    expected = np.empty_like(picture)
    for place in np.ndindex(8, 8):
        hue, saturation, value = colorsys.rgb_to_hsv(*picture[place])
        expected[place] = colorsys.hsv_to_rgb(hue, saturation, min(1, value + ADDED[severity - 1]))
    np.testing.assert_allclose(brightness(picture, severity, chance()), expected, atol=1e-12)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_keeps_the_mean_and_a_share_of_the_spread(severity: int) -> None:
    less = contrast(noise(), severity, chance())
    np.testing.assert_allclose(less.mean((0, 1)), noise().mean((0, 1)))
    np.testing.assert_allclose(less.std((0, 1)), KEPT[severity - 1] * noise().std((0, 1)))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_and_pixelate_are_pillows(severity: int) -> None:
    picture = from_image(Image.fromarray(to_bytes(noise())))
    file = io.BytesIO()
    to_image(picture).save(file, "JPEG", quality=QUALITY[severity - 1])
    expected = np.asarray(Image.open(file))
    assert (to_bytes(jpeg_compression(picture, severity, chance())) == expected).all()

    side = (30, 28, 27, 24, 20)[severity - 1]
    image = Image.fromarray(to_bytes(picture))
    box = Image.Resampling.BOX
    expected = np.asarray(image.resize((side, side), box).resize((32, 32), box))
    assert (to_bytes(pixelate(picture, severity, chance())) == expected).all()


def test_what_came_from_eight_bits_goes_back_to_the_same() -> None:
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert (to_bytes(from_image(Image.fromarray(every))) == every).all()
    assert to_bytes(np.array([[[-0.5, 1.5, 0.9999]]])).tolist() == [[[0, 255, 254]]]


@pytest.mark.parametrize("sigma", [0.25, 0.4, 1.0])
def test_the_blur_is_torchvisions(sigma: float) -> None:
    size = 2 * int(4 * sigma + 0.5) + 1
    image = from_numpy(noise()).permute(2, 0, 1)
    expected = vision.gaussian_blur(image, [size, size], [sigma, sigma]).permute(1, 2, 0).numpy()
    middle = slice(5, -5)  # at edges the one reflects and the other repeats
    np.testing.assert_allclose(blurred(noise(), sigma)[middle, middle], expected[middle, middle], atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_spreads_a_point_over_the_softened_disk(severity: int) -> None:
    point = np.zeros((33, 33, 3))
    point[16, 16] = 1
    spread = defocus_blur(point, severity, chance())
    weights = kernel(*DISKS[severity - 1])
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(spread[8:25, 8:25, 0], weights, atol=1e-12)
    radius, softness = DISKS[severity - 1]
    rows, columns = np.nonzero(weights > 1e-9)
    reach = int(radius) + (softness > 0.15)  # a softness of 0.1 pixels reaches no neighbour
    assert max(abs(rows - 8)) == reach == max(abs(columns - 8))


def test_glass_shows_pixels_of_the_neighbourhood_only() -> None:
    places = np.moveaxis(np.mgrid[:32, :32], 0, -1) / 31
    picture = np.concatenate([places, np.zeros((32, 32, 1))], -1)
    shown = glass_blur(picture, 1, chance())
    away = np.abs(shown[..., :2] - picture[..., :2])
    assert away.max() < 6 / 31
    assert (away > 0.5 / 31).mean() > 0.3


def test_a_smear_moves_along_its_angle_and_keeps_the_light() -> None:
    point = np.zeros((33, 33, 1))
    point[16, 16] = 1
    level = smeared(point, 5, 2.0, 0)
    assert level.sum() == pytest.approx(1)
    assert np.nonzero(level)[0].tolist() == [16] * 11
    expected = np.exp(-(np.arange(11) ** 2) / 8)
    np.testing.assert_allclose(level[16, 16:27, 0], expected / expected.sum())
    upright = smeared(point, 5, 2.0, 90)
    np.testing.assert_allclose(upright[16:27, 16, 0], expected / expected.sum())
    assert (moved(point, 3, -2)[19, 14] == 1).all()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("corruption", [motion_blur, zoom_blur, defocus_blur, glass_blur, elastic_transform])
def test_what_moves_light_alone_leaves_a_plain_picture_plain(corruption: object, severity: int) -> None:
    assert callable(corruption)
    value = 100 / 255
    np.testing.assert_allclose(corruption(plain(value, 32), severity, chance()), value, atol=1e-6)


def test_zooming_keeps_the_middle_and_the_shape() -> None:
    ramp = np.tile(np.linspace(0, 1, 32)[None, :, None], (32, 1, 1))
    closer = zoomed(ramp, 1.25)
    assert closer.shape == ramp.shape
    assert closer.mean() == pytest.approx(0.5, abs=0.02)
    assert np.ptp(closer) == pytest.approx(1 / 1.25, abs=0.05)
    np.testing.assert_allclose(zoomed(ramp, 1.0), ramp)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_is_brightest_where_the_cloud_is_thickest(severity: int) -> None:
    thickness, decay = FOGS[severity - 1]
    cloud = plasma(32, decay, chance())
    assert (cloud.min(), cloud.max()) == (0, 1)
    foggy = fog(plain(0.5, 32), severity, chance())
    np.testing.assert_allclose(foggy[..., 0], (0.5 + thickness * cloud) * 0.5 / (0.5 + thickness))
    assert foggy.max() == pytest.approx(0.5)


def test_a_cloud_is_smoother_the_faster_its_roughness_falls() -> None:
    steps = [np.abs(np.diff(plasma(64, decay, chance()), axis=0)).mean() for decay in (1.5, 2, 3)]
    assert steps == sorted(steps, reverse=True)


def test_frost_is_bluish_uneven_and_never_the_same() -> None:
    textures = [frost_texture(32, chance(seed)) for seed in range(8)]
    for texture in textures:
        assert texture.shape == (32, 32, 3)
        assert 0 <= texture.min() < texture.max() <= 1
        assert texture[..., 2].mean() > texture[..., 0].mean()
        assert texture.std((0, 1)).min() > 0.05
    assert len({texture.tobytes() for texture in textures}) == 8


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_only_adds_light(severity: int) -> None:
    snowed = snow(noise(), severity, chance())
    assert (snowed >= noise() - 1e-9).all()
    black = snow(plain(0, 32), severity, chance())
    assert black.min() == pytest.approx((1 - SNOW[severity - 1].kept) * 0.5, abs=0.2)


def test_elastic_is_affine_at_first_and_bends_more_with_every_severity() -> None:
    """On a ramp an affine map leaves all second differences at 0; what is pulled elsewhere bends it."""
    ramp = np.tile(np.linspace(0.25, 0.75, 32)[None, :, None], (32, 1, 3))

    def bend(severity: int, seed: int) -> float:
        middle = elastic_transform(ramp, severity, chance(seed))[10:22, 10:22]
        return float(np.abs(np.diff(middle, 2, axis=1)).mean())

    bends = [np.mean([bend(severity, seed) for seed in range(8)]) for severity in SEVERITIES]
    assert bends[0] < 1e-9
    assert bends == sorted(bends)
