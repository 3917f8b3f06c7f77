"""Colour profiles: applied on the way in, and written on the way out."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import icc_profiles as icc
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from deepdream.color_profiles import coded_shaper, parse_shaper, png_shaper, srgb_profile
from deepdream.images import as_picture, load_image, save_image

H, W = 5, 7
P3 = icc.rgb(icc.P3, icc.SRGB_CURVE)
ADOBE = icc.rgb(
    ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    icc.gamma(563 / 256),
)
# The red of sRGB as a phone stores it.
RED = (234, 51, 35)


def noise(*shape, seed=1701):
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def flat(color, mode="RGB"):
    return Image.new(mode, (W, H), color)


def by_littlecms(image, profile, flags=0, intent=0):
    """Return what Pillow's LittleCMS makes of an image, as floats; by default perceptually."""
    srgb = ImageCms.createProfile("sRGB")
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(image, opened, srgb, intent, "RGB", flags=flags)
    return np.asarray(made).astype(np.float32)


def png_with(pixels, *chunks):
    """Return a PNG with chunks before its pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    put = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:33] + put + data[33:]


def opened(data):
    return load_image(io.BytesIO(data))


# -- on the way in --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_a_phones_red_is_red(tmp_path, suffix):
    """Display P3's name for sRGB's red comes out as 255, 0, 0, from each format."""
    options = {"quality": 100} if suffix in ("jpg", "webp") else {}
    path = tmp_path / f"a.{suffix}"
    flat(RED).save(path, icc_profile=P3, **options)

    np.testing.assert_allclose(load_image(path)[2, 3], [255, 0, 0], atol=3)
    with Image.open(path) as image:  # a PIL image goes the same way
        np.testing.assert_allclose(as_picture(image)[2, 3], [255, 0, 0], atol=3)


@pytest.mark.parametrize("profile", [P3, ADOBE], ids=["P3", "Adobe RGB"])
def test_eight_bits_go_through_littlecms(tmp_path, profile):
    """The numbers are LittleCMS's, level by level."""
    image = Image.fromarray(noise(40, 50, 3))
    image.save(tmp_path / "a.png", icc_profile=profile)

    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), by_littlecms(image, profile))


@pytest.mark.parametrize("profile", [P3, ADOBE], ids=["P3", "Adobe RGB"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_go_through_a_profile(tmp_path, profile, suffix):
    """A ramp of 2000 steps has 2000 levels after it, within one of LittleCMS's eight bits."""
    path = tmp_path / f"a.{suffix}"
    whole = noise(40, 50, 3)
    save_image(whole, path, depth=16)
    expected = by_littlecms(Image.fromarray(whole), profile)
    np.testing.assert_allclose(load_image(with_profile(path, profile)), expected, atol=0.8)

    ramp = np.linspace(0, 255, 2000)
    grey = icc.rgb(icc.P3, icc.gamma(1.8))
    save_image(ramp[np.newaxis, :, np.newaxis].repeat(3, axis=2), path, depth=16)
    img = load_image(with_profile(path, grey))
    assert len(np.unique(np.asarray(img)[..., 1])) == 2000
    linear = (np.rint(ramp * 257) / 65535) ** (round(1.8 * 256) / 256)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(img[0, :, 1], 255 * encoded, atol=0.02)


def with_profile(path, profile):
    """Put another profile into a file that `save_image` has written."""
    data = path.read_bytes()
    ours = srgb_profile(3)
    if path.suffix == ".tif":
        at = data.index(ours)
        end = struct.pack("<I", len(data) + len(data) % 2)
        place = data.index(struct.pack("<HHII", 34675, 7, len(ours), at))
        entry = struct.pack("<HHI", 34675, 7, len(profile)) + end
        data = data[:place] + entry + data[place + 12 :] + b"\0" * (len(data) % 2) + profile
    else:
        at = data.index(b"iCCP") - 4
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = b"ICC Profile\0\0" + zlib.compress(profile)
        put = struct.pack(">I", len(body)) + b"iCCP" + body
        put += struct.pack(">I", zlib.crc32(b"iCCP" + body))
        data = data[:at] + put + data[at + 12 + length :]
    path.write_bytes(data)
    return path


def test_alpha_is_not_touched(tmp_path):
    """Alpha is what was stored, the colours are those of the picture without it."""
    rgba = noise(H, W, 4)
    Image.fromarray(rgba).save(tmp_path / "a.png", icc_profile=P3)

    img = load_image(tmp_path / "a.png")

    np.testing.assert_array_equal(img.alpha, rgba[..., 3])
    plain = Image.fromarray(rgba[..., :3].copy())
    np.testing.assert_array_equal(img, by_littlecms(plain, P3))


def test_palettes_have_profiles(tmp_path):
    """A palette's colours are the profile's, transparent ones too."""
    image = Image.fromarray(noise(H, W) % 4).convert("P")
    image.putpalette([*RED, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    image.save(tmp_path / "a.png", icc_profile=P3, transparency=1)

    img = load_image(tmp_path / "a.png")

    index = np.asarray(image)
    np.testing.assert_allclose(img[index == 0], [[255, 0, 0]] * (index == 0).sum(), atol=1)
    np.testing.assert_array_equal(img.alpha, np.where(index == 1, 0, 255))


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("curve", [icc.gamma(1.0), icc.gamma(1.8)], ids=["linear", "1.8"])
def test_grey_profiles(tmp_path, mode, curve):
    """Grey of another curve is right to half a level; the optimisation of LittleCMS is off by 9."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(grey)
    if mode == "LA":
        image.putalpha(Image.fromarray(noise(16, 16)))
    image.save(tmp_path / "a.png", icc_profile=icc.grey(curve))

    img = load_image(tmp_path / "a.png")

    exponent = struct.unpack(">H", curve[12:14])[0] / 256
    linear = (grey / 255.0) ** exponent
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(img[..., 0], 255 * encoded, atol=0.51)
    assert (np.ptp(np.asarray(img), axis=2) == 0).all()
    if mode == "LA":
        np.testing.assert_array_equal(img.alpha, noise(16, 16))


def test_grey_of_sixteen_bits_has_a_profile(tmp_path):
    """All its levels go through the curve."""
    ramp = np.linspace(0, 65535, 2000).astype(np.uint16)[np.newaxis]
    Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=icc.grey(icc.gamma(1.0)))

    img = load_image(tmp_path / "a.png")

    linear = ramp[0] / 65535
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(img[0, :, 2], 255 * encoded, atol=1e-3)


def test_a_grey_picture_with_a_profile_of_rgb(tmp_path):
    """Cameras and scanners write that: its greys are greys of this space."""
    Image.fromarray(noise(H, W)).save(tmp_path / "a.jpg", icc_profile=ADOBE, quality=100)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = by_littlecms(image.convert("RGB"), ADOBE)

    np.testing.assert_array_equal(load_image(tmp_path / "a.jpg"), expected)


def lab8(light, a, b):
    return round(light * 2.55), round(a + 128), round(b + 128)


def test_cmyk_profiles(tmp_path):
    """Ink is what its profile says, not what arithmetic does: this press prints cyan as orange."""
    papers = [lab8(95, 0, 0)] * 16
    papers[8] = lab8(70, 30, 60)  # cyan alone: the first channel varies slowest
    profile = icc.cmyk(papers)
    flat((255, 0, 0, 0), "CMYK").save(tmp_path / "a.jpg", quality=100, icc_profile=profile)
    flat((255, 0, 0, 0), "CMYK").save(tmp_path / "a.tif", icc_profile=profile)

    for name in ("a.jpg", "a.tif"):
        r, g, b = load_image(tmp_path / name)[1, 2]
        assert r > 200 > g > 120 > b, (r, g, b)


def test_cmyk_is_not_rounded_by_tables_of_tables(tmp_path):
    """Colours between the steps are LittleCMS's own, without its optimisation."""
    rng = np.random.RandomState(4)
    papers = [lab8(*lab) for lab in zip(rng.uniform(10, 95, 16), *rng.uniform(-60, 60, (2, 16)))]
    profile = icc.cmyk(papers)
    image = Image.frombytes("CMYK", (W, H), noise(H, W, 4).tobytes())
    image.save(tmp_path / "a.tif", icc_profile=profile)

    np.testing.assert_array_equal(
        load_image(tmp_path / "a.tif"), by_littlecms(image, profile, flags=0x0100)
    )


@pytest.mark.parametrize(
    "profile",
    [
        icc.rgb(icc.SRGB, icc.SRGB_CURVE),
        icc.rgb(
            icc.SRGB,
            icc.table(
                [
                    round(65535 * (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4))
                    for x in np.linspace(0, 1, 1024)
                ]
            ),
        ),
    ],
    ids=["parameters", "table"],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_srgb_changes_nothing(tmp_path, profile, depth):
    """Pictures that say sRGB come back as they are stored, to the last bit."""
    values = np.random.RandomState(2).uniform(0, 255, (H, W, 3))
    save_image(values, tmp_path / "a.png", depth=depth)
    plain = load_image(tmp_path / "a.png")
    img = load_image(with_profile(tmp_path / "a.png", profile))

    scale = 257 if depth == 16 else 1
    np.testing.assert_array_equal(np.rint(img * scale), np.rint(values * scale))
    np.testing.assert_array_equal(img, plain)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (b"no profile at all", "no ICC profile"),
        (P3[:200], "cut short"),
        (P3[:140] + b"\xff" * (len(P3) - 140), "cannot be used"),
        (icc.cmyk([lab8(50, 0, 0)] * 16), "for CMYK, the picture is RGB"),
        (icc.grey(icc.gamma(1.0)), "for GRAY, the picture is RGB"),
        (P3[:12] + b"link" + P3[16:], "class 'link'"),
    ],
    ids=["text", "cut", "damaged", "CMYK", "grey", "link"],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_a_profile_that_does_not_fit_is_a_note(tmp_path, profile, words, depth):
    """The picture loads with its colours as stored, and a warning says what was wrong."""
    values = np.rint(np.random.RandomState(2).uniform(0, 255, (H, W, 3)))
    save_image(values, tmp_path / "a.png", depth=depth)
    path = with_profile(tmp_path / "a.png", profile)

    with pytest.warns(UserWarning, match=rf"colour profile of .*a\.png.*{words}"):
        img = load_image(path)

    np.testing.assert_allclose(img, values, atol=1e-3)


def test_sixteen_bits_through_a_table_are_rounded_and_said(tmp_path):
    """LittleCMS in Pillow takes eight bits: a warning says that the others are lost."""
    corners = [lab8(10 + 12 * n, 0, 0) for n in range(8)]
    profile = icc.rgb_table(corners)
    values = np.linspace(0, 255, 2000)[np.newaxis, :, np.newaxis].repeat(3, axis=2)
    save_image(values, tmp_path / "a.png", depth=16)
    path = with_profile(tmp_path / "a.png", profile)

    with pytest.warns(UserWarning, match="8 bits only"):
        img = load_image(path)

    whole = Image.fromarray(np.rint(values).astype(np.uint8))
    np.testing.assert_array_equal(img, by_littlecms(whole, profile, flags=0x0100))


def test_a_picture_turns_after_its_profile(tmp_path):
    """EXIF's turn and the profile are both there."""
    pixels = np.zeros((H, W, 3), np.uint8)
    pixels[0, 0] = RED
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=P3, exif=exif)

    img = load_image(tmp_path / "a.png")

    assert img.shape == (W, H, 3)
    np.testing.assert_allclose(img[0, -1], [255, 0, 0], atol=1)
    assert img.sum() == pytest.approx(255, abs=2)


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_parametric_curves(kind):
    """Each of ICC's five forms is what LittleCMS makes of it, to half a level."""
    numbers = {
        0: (1.9,),
        1: (2.1, 0.95, 0.05),
        2: (2.1, 0.9, 0.05, 0.02),
        3: (2.4, 0.948, 0.052, 0.077, 0.04),
        4: (2.2, 0.9, 0.06, 0.1, 0.05, 0.03, 0.01),
    }[kind]
    profile = icc.rgb(icc.SRGB, icc.parametric(kind, *numbers))
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)

    made = parse_shaper(profile).to_srgb(pixels)

    # Colorimetrically: perceptually, LittleCMS moves a black that is none.
    expected = by_littlecms(Image.fromarray(pixels), profile, flags=0x0100, intent=1)
    np.testing.assert_allclose(made, expected, atol=0.6)


def test_lab_is_exact():
    """L*a*b* is what LittleCMS makes of it without its optimisation, to half a level."""
    values = noise(40, 50, 3).view(np.int8) // 3
    values[..., 0] = noise(40, 50, seed=3).view(np.int8)
    image = Image.frombytes("LAB", (50, 40), values.tobytes())
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB", flags=0x0100)

    np.testing.assert_allclose(as_picture(image), np.asarray(made), atol=0.6)


# -- other ways to say it -------------------------------------------------------------------------

GAMA = b"gAMA"
SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHRM = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize(
    "chunks",
    [
        [(GAMA, struct.pack(">I", 45455))],
        [(GAMA, struct.pack(">I", 45455)), (b"cHRM", SRGB_CHRM)],
        [(b"sRGB", b"\0"), (GAMA, struct.pack(">I", 100000))],
        [(b"cHRM", P3_CHRM)],
        [(b"cICP", b"\x01\x0d\0\x01"), (GAMA, struct.pack(">I", 100000))],
        [(b"cICP", b"\x02\x02\0\x01")],
    ],
    ids=[
        "gamma",
        "gamma and sRGB's primaries",
        "sRGB wins",
        "primaries alone",
        "cICP wins",
        "nothing",
    ],
)
def test_png_chunks_that_say_srgb(chunks):
    """They leave the numbers alone, in the order that the specification gives them."""
    pixels = noise(H, W, 3)

    np.testing.assert_array_equal(opened(png_with(pixels, *chunks)), pixels)


def test_png_gamma():
    """A PNG of linear light, as renderers write it, gets sRGB's curve."""
    pixels = np.full((H, W, 3), 128, np.uint8)

    img = opened(png_with(pixels, (GAMA, struct.pack(">I", 100000))))

    np.testing.assert_allclose(img, 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055), atol=1e-3)


def test_png_primaries():
    """gAMA and cHRM of P3's primaries: the green of the file is beyond sRGB, white is white."""
    pixels = noise(H, W, 3)
    pixels[0, :2] = [[0, 255, 0], [255, 255, 255]]

    img = opened(png_with(pixels, (GAMA, struct.pack(">I", 45455)), (b"cHRM", P3_CHRM)))

    expected = by_littlecms(Image.fromarray(pixels), icc.rgb(icc.P3, icc.gamma(2.2)))
    np.testing.assert_allclose(img, expected, atol=2)
    np.testing.assert_allclose(img[0, :2], [[0, 255, 0], [255, 255, 255]], atol=0.1)


def test_png_code_points():
    """cICP that says Display P3 is Display P3, and counts before an ICC profile."""
    pixels = np.full((H, W, 3), RED, np.uint8)
    profile = b"ICC Profile\0\0" + zlib.compress(icc.rgb(icc.SRGB, icc.SRGB_CURVE))

    img = opened(png_with(pixels, (b"cICP", b"\x0c\x0d\0\x01"), (b"iCCP", profile)))

    np.testing.assert_allclose(img[0, 0], [255, 0, 0], atol=1)


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        ((b"cICP", b"\x09\x10\0\x01"), "high dynamic range .PQ"),
        ((b"cICP", b"\x63\x0d\0\x01"), "primaries 99"),
        ((GAMA, struct.pack(">I", 1)), "a gamma of 1e-05"),
    ],
    ids=["PQ", "unknown", "gamma"],
)
def test_what_is_not_understood_is_a_note(chunk, words):
    """The colours are as stored, and the warning says why."""
    pixels = noise(H, W, 3)

    with pytest.warns(UserWarning, match=words):
        img = opened(png_with(pixels, chunk))

    np.testing.assert_array_equal(img, pixels)


def test_avif_says_it_in_a_box():
    """nclx of an AVIF without a profile counts, though Pillow passes it over."""
    file = io.BytesIO()
    try:
        flat(RED).save(file, "AVIF", quality=100, subsampling="4:4:4")
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    data = file.getvalue()
    at = data.index(b"colrnclx") + 8
    plain = opened(data)
    np.testing.assert_allclose(plain[0, 0], RED, atol=3)

    img = opened(data[:at] + b"\0\x0c\0\x0d" + data[at + 4 :])

    np.testing.assert_allclose(img[0, 0], [255, 0, 0], atol=4)


def test_cameras_say_adobe_rgb_in_exif(tmp_path):
    """Interoperability R03 without a profile is Adobe RGB."""
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 65535, 0xA005: {1: "R03"}}
    pixels = noise(16, 16, 3)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100, exif=exif, subsampling=0)
    with Image.open(tmp_path / "a.jpg") as image:
        if image.getexif().get_ifd(0xA005).get(1) is None:
            pytest.skip("this Pillow does not write such EXIF")
        expected = by_littlecms(image.convert("RGB"), ADOBE)

    np.testing.assert_allclose(load_image(tmp_path / "a.jpg"), expected, atol=2)


def test_codes_of_films():
    """BT.2020's primaries are wider than P3's; unspecified codes say nothing."""
    assert coded_shaper(1, 13) is None
    assert coded_shaper(2, 2) is None
    green = np.array([[[100.0, 120, 100]]])
    wide, wider = (coded_shaper(code, 13).to_srgb(green)[0, 0, 0] for code in (12, 9))
    assert 0 < wider < wide < 100
    assert coded_shaper(1, 8).to_srgb(green)[0, 0, 1] > 150


def test_chromaticities_that_are_none():
    """Numbers that make no colours are refused, not divided by."""
    with pytest.raises(ValueError, match="line"):
        png_shaper(0.45455, (0.3, 0.3, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4))
    with pytest.raises(ValueError, match="brightness"):
        png_shaper(0.45455, (0.3, 0.3, 0.2, 0.0, 0.3, 0.3, 0.4, 0.4))


# -- on the way out -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_our_profile_is_srgb_for_littlecms(channels):
    """LittleCMS reads it, calls it sRGB, and changes nothing by it."""
    profile = srgb_profile(channels)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    image = Image.fromarray(noise(40, 50, *[3] * (channels == 3)))

    assert "sRGB" in ImageCms.getProfileDescription(opened)
    assert opened.profile.xcolor_space.strip() == ("GRAY" if channels == 1 else "RGB")
    assert opened.profile.version == pytest.approx(4.4)
    assert struct.unpack(">I", profile[:4])[0] == len(profile) <= 520
    made = by_littlecms(image, profile, flags=0x0100)
    np.testing.assert_array_equal(made, np.asarray(image.convert("RGB")))
    assert parse_shaper(profile).is_srgb()


def test_white_is_white():
    """The columns of the profile add up to D50 to the last bit, so that greys stay grey."""
    data = srgb_profile(3)
    sums = np.zeros(3, int)
    for name in (b"rXYZ", b"gXYZ", b"bXYZ"):
        at = struct.unpack(">I", data[data.index(name) + 4 :][:4])[0]
        sums += struct.unpack(">3i", data[at + 8 : at + 20])
    assert tuple(sums) == (0xF6D6, 0x10000, 0xD32D)


@pytest.mark.parametrize(
    ("suffix", "depth"),
    [(".png", 8), (".png", 16), (".jpg", 8), (".webp", 8), (".tif", 8), (".tif", 16)],
)
@pytest.mark.parametrize("shape", [(H, W), (H, W, 3), (H, W, 4)])
def test_what_is_saved_says_srgb(tmp_path, suffix, shape, depth):
    """Every file has sRGB's profile, one of grey where it is grey; and loads as it was."""
    path = tmp_path / f"a{suffix}"
    save_image(np.full(shape, 130, np.uint8), path, depth=depth)

    with Image.open(path) as image:
        profile = image.info["icc_profile"]
        grey = image.mode in ("L", "LA", "I;16", "I")
    assert profile == srgb_profile(1 if grey else 3)
    assert grey == (len(shape) == 2 and suffix != ".webp")
    np.testing.assert_allclose(load_image(path), 130, atol=2)


def test_files_made_twice_are_equal(tmp_path, monkeypatch):
    """The profile holds no date of today: rerun promises the same bytes."""
    save_image(noise(H, W, 3), tmp_path / "a.png")
    monkeypatch.setattr("time.time", lambda: 0.0)
    save_image(noise(H, W, 3), tmp_path / "b.png")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_recipe_is_beside_the_profile(tmp_path):
    """Both are in the file."""
    from deepdream.recipe import read_recipe

    for suffix in (".png", ".jpg", ".webp", ".tif"):
        save_image(noise(H, W, 3), tmp_path / f"a{suffix}", recipe={"deepdream": "0", "seed": 3})
        assert read_recipe(tmp_path / f"a{suffix}")["seed"] == 3


def test_png_text_of_others_does_no_harm(tmp_path):
    """A profile, text and transparency in one file."""
    info = PngInfo()
    info.add_text("Comment", "hello")
    Image.fromarray(noise(H, W, 4)).save(tmp_path / "a.png", icc_profile=P3, pnginfo=info)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(tmp_path / "a.png").alpha is not None
