import numpy as np
import pytest
from images import GREEN, RED, two_colours
from PIL import Image, ImageCms
from profiles import gamma_profile, matrix_profile

from schemas.colour import from_code_points, from_gamma, from_icc

BT709, P3, BT2020 = 1, 12, 9
SRGB, LINEAR, PQ, HLG = 13, 8, 16, 18


def one(*channels, mode="RGB"):
    return Image.new(mode, (4, 4), channels if len(channels) > 1 else channels[0])


def pixel(image):
    return np.array(image.getpixel((1, 1)))


def linear(image):
    value = np.asarray(image) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return Image.fromarray(np.round(light * 255).astype(np.uint8))


@pytest.mark.parametrize("transfer", [SRGB, 1, 2, 6, 14, 15])
@pytest.mark.parametrize("primaries", [BT709, 2])
def test_what_browsers_show_unchanged_is_the_same_image(primaries, transfer):
    image = two_colours()
    assert from_code_points(image, primaries, transfer) is image


def test_display_p3():
    """Values of CSS Color 4's conversions, rounded."""
    np.testing.assert_allclose(pixel(from_code_points(one(180, 60, 30), P3, SRGB)), (196, 47, 5), atol=1)
    np.testing.assert_allclose(pixel(from_code_points(one(128, 128, 128), P3, SRGB)), (128, 128, 128), atol=1)


def test_linear_light():
    found = np.asarray(from_code_points(linear(two_colours((8, 8))), BT709, LINEAR)).astype(int)
    np.testing.assert_allclose(found, np.asarray(two_colours((8, 8))), atol=4)


@pytest.mark.parametrize(
    ("transfer", "white"),
    [(PQ, 0.5806888), (HLG, 0.75)],
)
def test_hdr_keeps_paper_white_bright_and_greys_grey(transfer, white):
    """BT.2408: white paper is at 203 cd/m2, 58 % of PQ and 75 % of HLG; a grey card of 18 % is mid-grey."""
    shown = pixel(from_code_points(one(*3 * (round(white * 255),)), BT2020, transfer))
    assert shown.min() >= 225
    assert np.ptp(shown) <= 1
    brightest = pixel(from_code_points(one(255, 255, 255), BT2020, transfer))
    assert brightest.min() > shown.max()
    black = pixel(from_code_points(one(0, 0, 0), BT2020, transfer))
    assert black.max() == 0


def test_a_grey_card_in_pq_is_mid_grey():
    nits = 0.18 * 203 / 10000
    root = nits**0.1593017578125
    stored = ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375
    shown = pixel(from_code_points(one(*3 * (round(stored * 255),)), BT2020, PQ))
    np.testing.assert_allclose(shown, (118, 118, 118), atol=4)


def test_hdr_is_monotonous():
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2))
    for transfer in (PQ, HLG):
        shown = np.asarray(from_code_points(ramp, BT2020, transfer))[0, :, 1].astype(int)
        assert (np.diff(shown) >= 0).all()


def test_transparency_is_kept():
    image = one(180, 60, 30, 77, mode="RGBA")
    for made in (
        from_code_points(image, P3, SRGB),
        from_gamma(image, 1.0, None),
        from_icc(image, matrix_profile(gamma=1.0)),
    ):
        assert made.mode == "RGBA"
        assert made.getpixel((0, 0))[3] == 77
        assert made.getpixel((0, 0))[:3] != (180, 60, 30)


def test_gamma():
    np.testing.assert_allclose(
        pixel(from_gamma(one(128, 128, 128), 1.0, None)), pixel(from_code_points(one(128, 128, 128), BT709, LINEAR))
    )
    image = two_colours()
    assert from_gamma(image, 0.45455, None) is image
    srgb = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
    np.testing.assert_allclose(np.asarray(from_gamma(image, 0.45455, srgb)), np.asarray(image), atol=1)
    p3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
    np.testing.assert_allclose(pixel(from_gamma(one(*RED), 0.45455, p3)), (196, 47, 5), atol=1)


@pytest.mark.parametrize("gamma", [0, 0.0001, 21474.83648])
def test_an_impossible_gamma_changes_nothing(gamma):
    image = two_colours()
    assert from_gamma(image, gamma, None) is image


@pytest.mark.parametrize("primaries", [(0.1,) * 8, (1e-5, 1e-5) * 4, (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3127, 0.329)])
def test_impossible_chromaticities_change_nothing(primaries):
    image = two_colours()
    assert from_gamma(image, 0.45455, primaries).size == image.size


@pytest.mark.parametrize(
    "name", ["Linear ramp", "GIMP built-in Linear sRGB", "sRGB-elle-V2-g10.icc", "sRGB IEC61966-2.1"]
)
def test_a_profile_counts_not_its_name(name):
    image = linear(two_colours((8, 8)))
    found = np.asarray(from_icc(image, matrix_profile(name=name, gamma=1.0)))
    np.testing.assert_allclose(found.astype(int), np.asarray(two_colours((8, 8))), atol=4)


def test_an_srgb_profile_changes_next_to_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = np.asarray(from_icc(two_colours(), profile)).astype(int)
    np.testing.assert_allclose(found, np.asarray(two_colours()), atol=1)


def test_wide_profiles_of_telephones_and_cameras():
    p3 = matrix_profile(
        name="Display P3", xyz=((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
    )
    np.testing.assert_allclose(pixel(from_icc(one(*RED), p3)), (196, 47, 5), atol=6)
    adobe = matrix_profile(
        name="Adobe RGB (1998)",
        gamma=2.19921875,
        xyz=((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    )
    green = pixel(from_icc(one(*GREEN), adobe))
    assert green[0] < GREEN[0]
    assert green[1] >= GREEN[1]


def test_grey_profiles():
    lighter = from_icc(one(128, mode="L"), gamma_profile(1.0))
    np.testing.assert_allclose(pixel(lighter.convert("RGB")), (188, 188, 188), atol=2)
    with_alpha = from_icc(one(128, 50, mode="LA"), gamma_profile(1.0)).convert("RGBA")
    np.testing.assert_allclose(pixel(with_alpha), (188, 188, 188, 50), atol=2)
    by_colours = from_icc(one(128, mode="L"), matrix_profile(gamma=1.0))
    np.testing.assert_allclose(pixel(by_colours.convert("RGB")), (188, 188, 188), atol=2)


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"x" * 300,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        gamma_profile(1.0),
        matrix_profile()[:200],
    ],
)
def test_a_broken_or_strange_profile_changes_nothing(profile):
    image = two_colours()
    assert from_icc(image, profile).tobytes() == image.tobytes()
    cmyk = image.convert("CMYK")
    assert from_icc(cmyk, matrix_profile()) is cmyk


def test_an_hdr_profile_is_tone_mapped():
    profile = matrix_profile(name="Rec2100 PQ", cicp=(BT2020, PQ, 0, 1))
    np.testing.assert_array_equal(
        np.asarray(from_icc(two_colours((8, 8)), profile)),
        np.asarray(from_code_points(two_colours((8, 8)), BT2020, PQ)),
    )
