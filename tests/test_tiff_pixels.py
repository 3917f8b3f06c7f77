"""TIFF: every layout comes out as the numbers that were put in, or is refused by name."""

from __future__ import annotations

import io
import struct

import icc_profiles as icc
import numpy as np
import pytest
from PIL import Image
from tiff_files import CMYK, GREY, LAB, RGB, tiff

from deepdream.errors import ImageError
from deepdream.images import as_picture, load_image, save_image

H, W = 13, 11


def samples(dtype, channels, seed=5):
    """Return values of a dtype, (H, W, channels): of all of it, or of 0..1."""
    rng = np.random.RandomState(seed)
    if np.dtype(dtype).kind == "f":
        return rng.rand(H, W, channels).astype(dtype)
    return rng.randint(0, np.iinfo(dtype).max + 1, (H, W, channels)).astype(dtype)


def levels(pixels):
    """Return samples as levels of 0..255, by the definition of each kind."""
    scale = {"u1": 1, "u2": 1 / 257, "f2": 255, "f4": 255, "f8": 255}[pixels.dtype.str[1:]]
    return pixels.astype(np.float64) * scale


def loaded(data):
    return load_image(io.BytesIO(data))


LAYOUTS = [
    {},
    {"order": ">"},
    {"planar": True},
    {"planar": True, "order": ">", "rows": 13},
    {"tile": (16, 16), "compression": 8},
    {"tile": (16, 16), "planar": True, "order": ">"},
    {"big": True, "compression": 5},
    {"big": True, "order": ">", "planar": True, "compression": 32773},
    {"compression": 5, "predictor": 2},
    {"compression": 8, "predictor": 2, "planar": True, "order": ">"},
    {"compression": 8, "predictor": 2, "tile": (16, 16)},
    {"compression": 5, "planar": True, "rows": 1},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: ",".join(map(str, layout.values())))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_layout_gives_its_own_numbers(layout, dtype, channels):
    """Grey and RGB of each depth, in strips, tiles and planes, in both byte orders."""
    if layout.get("predictor") == 2 and np.dtype(dtype).kind == "f":
        layout = {**layout, "predictor": 3}
    pixels = samples(dtype, channels)

    img = loaded(tiff(pixels, RGB if channels == 3 else GREY, **layout))

    expected = np.broadcast_to(levels(pixels), (H, W, 3))
    np.testing.assert_allclose(img, expected, rtol=1e-6, atol=1e-5)
    assert img.alpha is None
    assert img.flags.c_contiguous


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_a_tiff(planar, dtype, channels):
    """The channel that says so is the alpha; it is not in the colours."""
    pixels = samples(dtype, channels + 1)

    img = loaded(tiff(pixels, RGB if channels == 3 else GREY, planar=planar, extra=(2,)))

    expected = np.broadcast_to(levels(pixels[..., :-1]), (H, W, 3))
    np.testing.assert_allclose(img, expected, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(img.alpha, np.rint(levels(pixels[..., -1])))


def test_a_channel_of_no_meaning_is_left_out():
    """An extra channel that is no alpha is passed over, also before one that is."""
    pixels = samples(np.uint16, 5)

    img = loaded(tiff(pixels, RGB, extra=(0, 2)))

    np.testing.assert_allclose(img, levels(pixels[..., :3]), rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(img.alpha, np.rint(levels(pixels[..., 4])))
    assert loaded(tiff(pixels[..., :4], RGB, extra=(0,))).alpha is None


def test_colours_multiplied_by_alpha_are_divided():
    """Associated alpha: half of full red under half of alpha is full red; nothing under none."""
    pixels = np.zeros((H, W, 4), np.uint16)
    pixels[0] = (32768, 0, 16384, 32768)

    img = loaded(tiff(pixels, RGB, extra=(1,)))

    np.testing.assert_allclose(img[0, 0], [255, 0, 127.5], atol=1e-3)
    assert (img[1:] == 0).all()
    np.testing.assert_array_equal(img.alpha[:2, 0], [128, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero(dtype, order):
    """MinIsWhite is turned round, whatever the depth."""
    pixels = samples(dtype, 1)

    img = loaded(tiff(pixels, 0, order=order, compression=5))

    np.testing.assert_allclose(img[..., 1], 255 - levels(pixels)[..., 0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", [False, True])
def test_cmyk_of_a_tiff(dtype, planar):
    """Ink without a profile is arithmetic: what each ink leaves, times what black leaves."""
    pixels = samples(dtype, 4)

    img = loaded(tiff(pixels, CMYK, planar=planar))

    rest = 1 - levels(pixels) / 255
    np.testing.assert_allclose(img, 255 * rest[..., :3] * rest[..., 3:], atol=1.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lab_of_a_tiff(dtype):
    """L* 0..100, a* and b* signed, in eight and sixteen bits: the sRGB colours that they name."""
    unit = 1 if dtype is np.uint8 else 256
    top = np.iinfo(dtype).max
    named = [(53.24, 80.09, 67.2), (87.73, -86.18, 83.18), (100, 0, 0), (0, 0, 0), (53.585, 0, 0)]
    lab = np.array(
        [[(round(L / 100 * top), round(a * unit), round(b * unit)) for L, a, b in named]]
    )

    img = loaded(tiff(lab.astype(f"i{np.dtype(dtype).itemsize}").view(dtype)
                      if lab.max() <= top // 2 else lab.astype(dtype), LAB))  # fmt: skip

    # CIE L*a*b* under D65 of pure red and green, for which D50 is near enough here.
    expected = [[255, 0, 0], [0, 255, 0], [255, 255, 255], [0, 0, 0], [128, 128, 128]]
    np.testing.assert_allclose(img[0, 2:], expected[2:], atol=1.5)
    assert (np.argmax(img[0, :2], axis=1) == [0, 1]).all()


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_depths_between(bits):
    """Samples packed without gaps are scaled by their own largest number."""
    values = np.random.RandomState(3).randint(0, 2**bits, (H, W))
    rows = []
    for row in values:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(list(int(text, 2).to_bytes(len(text) // 8, "big")))
    packed = np.array(rows, np.uint8)[..., np.newaxis]
    data = tiff(packed, GREY, more={256: short(W), 258: short(bits)})

    np.testing.assert_allclose(loaded(data)[..., 0], values * 255 / (2**bits - 1), rtol=1e-6)


def short(*values):
    return 3, len(values), struct.pack(f"<{len(values)}H", *values)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned(tmp_path, orientation):
    """Sixteen bits are turned as eight are, by Pillow's own hand."""
    pixels = samples(np.uint8, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)

    img = loaded(tiff(pixels.astype(np.uint16) * 257, RGB, more={274: short(orientation)}))

    np.testing.assert_array_equal(img, load_image(tmp_path / "a.png"))


def test_a_profile_of_linear_light():
    """Floating point with a linear profile, as Photoshop writes it, gets sRGB's curve."""
    profile = icc.rgb(icc.SRGB, icc.gamma(1.0))
    pixels = samples(np.float32, 3)

    img = loaded(tiff(pixels, RGB, more={34675: (7, len(profile), profile)}))

    encoded = np.where(pixels <= 0.0031308, 12.92 * pixels, 1.055 * pixels ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(img, 255 * encoded, atol=0.3)  # primaries of 5 digits


@pytest.mark.parametrize(
    ("dtype", "top", "scale"),
    [
        (np.int16, 200, 1),
        (np.int16, 30000, 1 / 257),
        (np.uint32, 200, 1),
        (np.uint32, 60000, 1 / 257),
        (np.uint32, 4294967295, 255 / 4294967295),
    ],
)
def test_whole_numbers_with_room(dtype, top, scale):
    """0..255 where they lie within, else 0..65535, or all of 32 bits."""
    pixels = np.linspace(0, top, H * W * 3).reshape(H, W, 3).astype(dtype)
    pixels[-1, -1] = top

    img = loaded(tiff(pixels, RGB))

    np.testing.assert_allclose(img, pixels * scale, rtol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.full((H, W, 3), 70000, np.uint32), "from 70000 to 70000"),
        (np.full((H, W, 3), -3, np.int16), "from -3 to -3"),
        (np.full((H, W, 3), np.nan, np.float32), "not finite"),
    ],
)
def test_numbers_of_no_known_scale(pixels, words):
    """They are refused with what was found."""
    with pytest.raises(ImageError, match=words):
        loaded(tiff(pixels, RGB))


def test_floating_point_nearly_in_unit_range_is_said():
    """A few highlights above 1 make it 0..255, black: a warning tells."""
    pixels = samples(np.float32, 3)
    pixels[0, 0] = 3.5

    with pytest.warns(UserWarning, match=r"to 3\.5, nearly all of them within 0\.\.1"):
        img = loaded(tiff(pixels, RGB))

    np.testing.assert_array_equal(img, pixels)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({259: (3, 1, struct.pack("<H", 34712))}, "compression .34712. is not known for 16 bits"),
        ({266: (3, 1, struct.pack("<H", 2))}, "FillOrder 2"),
        ({258: (3, 3, struct.pack("<3H", 16, 16, 8))}, "differ in depth"),
        ({339: (3, 3, struct.pack("<3H", 6, 6, 6))}, "unusual kind"),
        ({258: (3, 1, struct.pack("<H", 24))}, "whole numbers of 24 bits"),
        ({262: (3, 1, struct.pack("<H", 5))}, "only 3 channels"),
        ({262: (3, 1, struct.pack("<H", 32803))}, "camera's raw file"),
        ({254: (4, 1, struct.pack("<I", 1)), 330: (4, 1, struct.pack("<I", 8))}, "raw file"),
    ],
)
def test_what_cannot_be_read_is_refused(more, words):
    """By name, with what to do; never as noise."""
    with pytest.raises(ImageError, match=words):
        loaded(tiff(samples(np.uint16, 3), RGB, more=more))


def test_a_bomb_is_refused_before_it_is_unpacked():
    """A few bytes that claim 40000x40000 pixels."""
    more = {256: short(40000), 257: short(40000), 278: short(40000)}
    with pytest.raises(ImageError, match="MAX_IMAGE_PIXELS"):
        loaded(tiff(samples(np.uint16, 3), RGB, more=more, rows=H))


def test_bytes_are_not_counted_as_pixels(monkeypatch):
    """Pillow's limit is one of pixels: six bytes each do not make six times as many."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", H * W)

    for layout in ({}, {"compression": 5}, {"compression": 5, "rows": 1}):
        pixels = samples(np.uint16, 3)
        img = loaded(tiff(pixels, RGB, **layout))
        np.testing.assert_allclose(img, levels(pixels), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"planar": True, "big": True}])
def test_a_damaged_tiff_is_an_error_or_a_picture(layout):
    """Cut anywhere or with bits changed, nothing but ImageError comes."""
    good = tiff(samples(np.uint16, 3), RGB, compression=8, **layout)
    rng = np.random.RandomState(0)
    refused = []
    for trial in range(150):
        data = bytearray(good)
        if trial % 2:
            del data[rng.randint(len(data)) :]
        for _ in range(trial % 3 if data else 0):
            data[rng.randint(len(data))] ^= 1 << rng.randint(8)
        try:
            img = loaded(bytes(data))
        except ImageError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(img).all()
    assert len(refused) > 50
    assert max(len(message.splitlines()) for message in refused) <= 3


def test_images_of_pillows_are_read_from_their_file(tmp_path):
    """A PIL image whose pixels are not read yet keeps sixteen bits, and planes are right."""
    pixels = samples(np.uint16, 3)
    (tmp_path / "a.tif").write_bytes(tiff(pixels, RGB, planar=True))

    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_allclose(as_picture(image), levels(pixels), rtol=1e-6, atol=1e-5)
        image.load()
        with pytest.raises(ImageError, match="give the name of the file to load_image"):
            as_picture(image)


def test_white_is_zero_in_an_image_that_pillow_has_read(tmp_path):
    """Pillow leaves it as it is stored; it is turned round here."""
    pixels = samples(np.uint16, 1)
    (tmp_path / "a.tif").write_bytes(tiff(pixels, 0))
    with Image.open(tmp_path / "a.tif") as image:
        image.load()
        np.testing.assert_allclose(
            as_picture(image)[..., 0], 255 - levels(pixels)[..., 0], atol=1e-4
        )


@pytest.mark.parametrize("kind", ["1", "P", "L", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
def test_tiffs_of_pillows_come_back(tmp_path, kind, compression):
    """What Pillow writes is read as Pillow reads it, with its alpha."""
    if compression == "jpeg" and kind not in ("L", "RGB"):
        compression = "tiff_lzw"
    image = Image.fromarray(samples(np.uint8, 4)).convert(kind)
    image.save(tmp_path / "a.tif", compression=compression)
    with Image.open(tmp_path / "a.tif") as stored:
        expected = np.asarray(stored.convert("RGBA"))

    img = load_image(tmp_path / "a.tif")

    np.testing.assert_array_equal(img, expected[..., :3])
    if kind in ("RGBA", "LA"):
        np.testing.assert_array_equal(img.alpha, expected[..., 3])


@pytest.mark.parametrize("shape", [(H, W), (H, W, 3), (H, W, 4)])
def test_our_own_sixteen_bits_come_back(tmp_path, shape):
    """What save_image writes with sixteen bits is read to the last of them, alpha beside."""
    values = np.random.RandomState(4).uniform(0, 255, shape)
    for suffix in (".tif", ".png"):
        save_image(values, tmp_path / f"a{suffix}", depth=16)
        img = load_image(tmp_path / f"a{suffix}")
        colours = values[..., :3] if len(shape) == 3 else values[..., np.newaxis]
        expected = np.broadcast_to(np.rint(colours * 257) / 257, img.shape)
        np.testing.assert_allclose(img, expected, rtol=1e-6)
        if shape[-1] == 4:
            np.testing.assert_array_equal(img.alpha, np.rint(np.rint(values[..., 3] * 257) / 257))
