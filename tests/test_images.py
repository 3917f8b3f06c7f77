"""Pictures: what load_image makes of every kind of file, and what save_image writes."""

from __future__ import annotations

import copy
import errno
import io
import pickle
import struct
import warnings
import zlib

import numpy as np
import pytest
from fakes import FakeNet
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

import deepdream
from deepdream.dreaming.pictures.masks import as_mask
from deepdream.errors import DeepDreamError, ImageError, MissingFileError, WriteError
from deepdream.images import (
    Picture,
    as_picture,
    check_writable,
    load_image,
    save_image,
    to_uint8,
)

H, W = 5, 7


def noise(*shape, seed=1701):
    """Return uint8 noise of a shape."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


# -- loading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_lossless_files_give_their_own_numbers(tmp_path, suffix):
    """RGB bytes come back as float32 of the same values, C-contiguous."""
    rgb = noise(H, W, 3)
    Image.fromarray(rgb).save(tmp_path / f"a.{suffix}")

    img = load_image(tmp_path / f"a.{suffix}")

    assert (img.dtype, img.shape) == (np.float32, (H, W, 3))
    assert img.flags.c_contiguous
    assert img.alpha is None
    np.testing.assert_array_equal(img, rgb)


def test_same_numbers_as_the_notebook(shared):
    """The notebook's np.float32(PIL.Image.open(...)) and load_image agree on its own picture."""
    path = shared / "data" / "notebook" / "sky1024px.jpg"

    np.testing.assert_array_equal(load_image(path), np.float32(Image.open(path)))


def test_grey_is_repeated(tmp_path):
    """A grey file has three equal channels."""
    grey = noise(H, W)
    Image.fromarray(grey).save(tmp_path / "a.png")

    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), np.dstack([grey] * 3))


def test_one_bit_is_black_and_white(tmp_path):
    """A 1-bit file has the values 0 and 255."""
    bits = noise(H, W) > 127
    Image.fromarray(bits).save(tmp_path / "a.png")

    np.testing.assert_array_equal(load_image(tmp_path / "a.png")[..., 1], bits * 255)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_without_rounding(tmp_path, suffix):
    """65535 becomes 255, 128 * 257 becomes 128, and what lies between keeps its fraction."""
    deep = np.random.RandomState(0).randint(0, 65536, (H, W)).astype(np.uint16)
    deep[0, :3] = 65535, 128 * 257, 100
    if suffix == "pgm":  # older Pillows read it, but do not write it
        (tmp_path / "a.pgm").write_bytes(b"P5 7 5 65535\n" + deep.astype(">u2").tobytes())
    else:
        Image.fromarray(deep).save(tmp_path / f"a.{suffix}")

    img = load_image(tmp_path / f"a.{suffix}")

    np.testing.assert_allclose(img[..., 2], deep / 257, rtol=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 255.0), (200.0, 1.0)])
def test_floating_point_files_are_scaled_from_one(tmp_path, caplog, scale, expected):
    """A float TIFF inside 0..1 is multiplied by 255, and it is said; another is taken as it is."""
    values = np.random.RandomState(0).rand(H, W).astype(np.float32) * np.float32(scale)
    Image.fromarray(values).save(tmp_path / "a.tif")

    img = load_image(tmp_path / "a.tif")

    np.testing.assert_allclose(img[..., 0], values * expected, rtol=1e-6)
    assert [r.getMessage() for r in caplog.records if "in 0..1" in r.getMessage()] == (
        [f"'{tmp_path / 'a.tif'}' has floating point values in 0..1: 0 is black, 1 is white"]
        if scale == 1
        else []
    )
    np.testing.assert_allclose(as_picture(Image.fromarray(values)), img, rtol=1e-6)


def test_a_float_file_with_nan_is_refused(tmp_path):
    """NaN in a file is an error and not a black dream."""
    values = np.full((H, W), 9.5, np.float32)
    values[1, 2] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")

    with pytest.raises(ImageError, match="not finite"):
        load_image(tmp_path / "a.tif")


def test_a_32_bit_file_of_unknown_scale_is_refused(tmp_path):
    """Whole numbers above 65535 have no known scale, and the message tells their range."""
    Image.fromarray(np.full((H, W), 70000, np.int32)).save(tmp_path / "a.tif")

    with pytest.raises(ImageError, match="70000"):
        load_image(tmp_path / "a.tif")


def test_cmyk_becomes_rgb(tmp_path):
    """A CMYK JPEG of pure ink is the complementary colour."""
    Image.new("CMYK", (W, H), (255, 0, 0, 0)).save(tmp_path / "a.jpg", quality=100)

    img = load_image(tmp_path / "a.jpg")

    assert img.shape == (H, W, 3)
    np.testing.assert_allclose(img.mean((0, 1)), [0, 255, 255], atol=3)


def test_lab_becomes_rgb():
    """Middle grey in CIELAB is grey in RGB."""
    lab = Image.new("LAB", (W, H), (137, 128, 128))

    img = as_picture(lab)

    assert np.ptp(img[0, 0]) <= 2
    assert 100 < img.mean() < 160


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_kept_beside_the_colours(tmp_path, mode):
    """The alpha channel of a file is .alpha, and its colours are those under it."""
    alpha = noise(H, W, seed=2)
    colour = Image.fromarray(np.dstack([noise(H, W)] * 3)).convert(mode.replace("A", "") or "L")
    image = colour.convert(mode)
    image.putalpha(Image.fromarray(alpha))
    img = as_picture(image)

    np.testing.assert_array_equal(img.alpha, alpha)
    assert img.alpha.dtype == np.uint8
    np.testing.assert_array_equal(img, np.asarray(image.convert("RGBA"))[..., :3])


def test_palette_with_a_transparent_colour(tmp_path):
    """A GIF's transparent colour gives alpha 0 there and 255 elsewhere."""
    index = noise(H, W) % 4
    image = Image.fromarray(index)
    image = image.convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    index = np.asarray(image)
    image.save(tmp_path / "a.png", transparency=2)

    img = load_image(tmp_path / "a.png")

    np.testing.assert_array_equal(img.alpha, np.where(index == 2, 0, 255))
    np.testing.assert_array_equal(img[index == 1], [[40, 50, 60]] * (index == 1).sum())


def test_opaque_palette_has_no_alpha(tmp_path):
    """A palette without transparency gives colours and no alpha."""
    Image.fromarray(noise(H, W, 3)).quantize(8).save(tmp_path / "a.png")

    assert load_image(tmp_path / "a.png").alpha is None


def test_first_frame_of_an_animation(tmp_path):
    """Of an animated GIF the first frame counts."""
    frames = [Image.new("RGB", (W, H), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    np.testing.assert_array_equal(load_image(tmp_path / "a.gif")[0, 0], [255, 0, 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_camera_rotation_is_applied(tmp_path, orientation, suffix):
    """All eight EXIF orientations come out as Pillow's own exif_transpose turns them."""
    image = Image.fromarray(noise(H, W, 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    image.save(tmp_path / f"a.{suffix}", exif=exif)

    img = load_image(tmp_path / f"a.{suffix}")

    # Pillow turns a TIFF itself while loading it, so that exif_transpose is right for PNG only.
    with Image.open(tmp_path / "a.png") as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    assert img.shape == ((W, H, 3) if orientation > 4 else (H, W, 3))
    np.testing.assert_array_equal(img, upright[..., :3])
    np.testing.assert_array_equal(img.alpha, upright[..., 3])


def test_rotation_of_sixteen_bit_grey(tmp_path):
    """Deep grey is turned too, though older Pillows cannot turn it."""
    deep = np.arange(H * W, dtype=np.uint16).reshape(H, W) * 257
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(deep).save(tmp_path / "a.png", exif=exif)

    np.testing.assert_array_equal(
        load_image(tmp_path / "a.png")[..., 0], np.rot90(np.arange(H * W).reshape(H, W), -1)
    )


def test_damaged_exif_does_not_spoil_the_picture(tmp_path):
    """A picture whose EXIF block is cut short loads, turned or not."""
    exif = Image.Exif()
    exif[0x0112] = 6
    damaged = exif.tobytes()[:-9] + b"\xff" * 5
    Image.fromarray(noise(H, W, 3)).save(tmp_path / "a.jpg", exif=damaged)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        img = load_image(tmp_path / "a.jpg")

    assert sorted(img.shape) == sorted((H, W, 3))


def test_source_names_the_file(tmp_path):
    """The source has the file's name without its folder, its sha256, and width before height."""
    path = tmp_path / "sky.png"
    Image.fromarray(noise(H, W, 3)).save(path)
    source = load_image(path).source

    assert source["file"] == "sky.png"
    assert source["size"] == [W, H]
    assert len(bytes.fromhex(source["sha256"])) == 32


def test_one_pixel(tmp_path):
    """The smallest picture is a picture."""
    Image.fromarray(noise(1, 1, 3)).save(tmp_path / "a.png")

    assert load_image(tmp_path / "a.png").shape == (1, 1, 3)


# -- more than eight bits -------------------------------------------------------------------------


def deep_png(levels, interlaced=False, transparent=None):
    """Return a PNG of sixteen bits with these levels (h, w, channels), by the specification."""
    h, w, channels = levels.shape
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                  (1, 0, 2, 2), (0, 1, 1, 2)]  # fmt: skip
    raw = b""
    for x, y, dx, dy in passes:
        part = levels[y::dy, x::dx]
        if part.size:
            raw += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", w, h, 16, color, 0, 0, int(interlaced))
    clear = b"" if transparent is None else chunk(b"tRNS", np.array(transparent, ">u2").tobytes())
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), clear, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_keeps_its_sixteen_bits(channels, interlaced):
    """Grey, RGB, each with alpha: every level comes in; a PIL image of it goes the same way."""
    levels = np.random.RandomState(2).randint(0, 65536, (13, 11, channels)).astype(np.uint16)
    data = deep_png(levels, interlaced)
    with Image.open(io.BytesIO(data)) as image:
        pictures = [load_image(io.BytesIO(data)), as_picture(image)]

    for img in pictures:
        colours = levels[..., :-1] if channels in (2, 4) else levels
        np.testing.assert_allclose(img, np.broadcast_to(colours / 257, img.shape), rtol=1e-6)
        if channels in (2, 4):
            np.testing.assert_array_equal(img.alpha, np.rint(levels[..., -1] / 257))
        else:
            assert img.alpha is None


def test_a_ramp_keeps_its_steps(tmp_path):
    """2000 steps between two levels of 8 bits are 2000 values."""
    ramp = np.linspace(100, 108, 2000)[np.newaxis, :, np.newaxis].repeat(3, axis=2)
    for suffix in (".png", ".tif"):
        save_image(ramp, tmp_path / f"a{suffix}", depth=16)
        img = load_image(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(img, np.rint(ramp * 257) / 257, rtol=1e-6)
        assert len(np.unique(img[..., 0])) > 1900  # 8 levels hold 2057 of 65536


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_sixteen_bits(channels):
    """Only what equals it in all bits is transparent."""
    levels = np.full((H, W, channels), 0x1234, np.uint16)
    levels[0] = 0x1235
    data = deep_png(levels, transparent=[0x1234] * channels)

    img = load_image(io.BytesIO(data))

    np.testing.assert_array_equal(img.alpha[:2], [[255] * W, [0] * W])
    np.testing.assert_allclose(img[..., 0], levels[..., 0] / 257, rtol=1e-6)


@pytest.mark.parametrize("largest", [255, 1023, 65535])
@pytest.mark.parametrize("kind", [b"P3", b"P6", b"P2", b"P5"])
def test_ppm_keeps_its_bits(kind, largest):
    """As text and as bytes, grey and RGB, scaled from their own largest number."""
    channels = 3 if kind in (b"P3", b"P6") else 1
    levels = np.random.RandomState(2).randint(0, largest + 1, (H, W, channels))
    body = b" ".join(b"%d" % v for v in levels.ravel())
    if kind in (b"P5", b"P6"):
        body = levels.astype(">u2" if largest > 255 else np.uint8).tobytes()
    data = b"%s\n# a comment\n%d %d\n%d\n" % (kind, W, H, largest) + body

    expected = np.broadcast_to(levels * 255 / largest, (H, W, 3))
    np.testing.assert_allclose(load_image(io.BytesIO(data)), expected, atol=2e-3)


# -- what a picture is read from ------------------------------------------------------------------


def test_files_that_are_open_are_read(tmp_path):
    """What has read() is read; its name is in the source where it has one."""
    pixels = noise(H, W, 3)
    Image.fromarray(pixels).save(tmp_path / "sky.png")
    with (tmp_path / "sky.png").open("rb") as file:
        img = load_image(file)
    np.testing.assert_array_equal(img, pixels)
    assert img.source == load_image(tmp_path / "sky.png").source
    data = (tmp_path / "sky.png").read_bytes()
    unnamed = load_image(io.BytesIO(data))
    np.testing.assert_array_equal(unnamed, pixels)
    assert unnamed.source["sha256"] == img.source["sha256"]


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (np.zeros((H, W, 3)), "of the type ndarray there is nothing to load"),
        (Image.new("RGB", (W, H)), "Image there is nothing to load"),
        (None, "takes the name of a file"),
        (b"\x89PNG\r\n\x1a\n\0\0", r"load_image\(io.BytesIO\(data\)\)"),
        (io.StringIO("P3"), "open it with 'rb'"),
    ],
    ids=["array", "image", "None", "bytes", "text"],
)
def test_what_is_no_file_is_told(thing, words):
    """The message says what to hand over instead."""
    with pytest.raises(ImageError, match=words):
        load_image(thing)


# -- files that are none --------------------------------------------------------------------------


def test_missing_file_names_it(tmp_path):
    """A wrong name is a FileNotFoundError that offers the similar one beside it."""
    Image.fromarray(noise(H, W, 3)).save(tmp_path / "clouds.png")

    with pytest.raises(MissingFileError, match=r"cloud\.png.*'clouds\.png'"):
        load_image(tmp_path / "cloud.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><title>404 Not Found</title>", "web page titled '404 Not Found'"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 12\n", "Git LFS pointer"),
        (b"%PDF-1.7 and so on", "a PDF document"),
        (b"just some words", "no picture that can be read"),
    ],
    ids=["empty", "html", "lfs", "pdf", "text"],
)
def test_what_is_no_picture_is_named(tmp_path, content, words):
    """Files that people mistake for pictures are named for what they are."""
    (tmp_path / "a.jpg").write_bytes(content)

    with pytest.raises(ImageError, match=words):
        load_image(tmp_path / "a.jpg")


def test_folder_is_no_picture(tmp_path):
    """A folder is refused with a word on what to give."""
    with pytest.raises(ImageError, match="is a folder"):
        load_image(tmp_path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_damage_is_an_image_error_or_a_picture(format, tmp_path):
    """Cut anywhere or with bytes changed, a file loads or raises ImageError, nothing else."""
    buffer = io.BytesIO()
    Image.fromarray(noise(23, 31, 3)).save(buffer, format)
    good = buffer.getvalue()
    rng = np.random.RandomState(0)
    path = tmp_path / "a"
    refused = []
    for trial in range(60):
        data = bytearray(good)
        if trial % 2:
            del data[rng.randint(len(data)) :]
        for _ in range(trial % 3 if data else 0):
            data[rng.randint(len(data))] ^= 1 << rng.randint(8)
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                img = load_image(path)
        except ImageError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(img).all()
    assert len(refused) > 10
    assert max(len(message.splitlines()) for message in refused) <= 3


def test_truncated_picture_says_so(tmp_path):
    """A JPEG cut in half is damaged, and the message says what to do."""
    buffer = io.BytesIO()
    Image.fromarray(noise(40, 60, 3)).save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])

    with pytest.raises(ImageError, match="damaged picture .*get it again"):
        load_image(tmp_path / "a.jpg")


def test_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """A tiny PNG that claims 40000x40000 pixels is refused by its header."""
    buffer = io.BytesIO()
    Image.fromarray(noise(H, W)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = struct.pack(">II", 40000, 40000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "a.png").write_bytes(data)

    with pytest.raises(ImageError, match="MAX_IMAGE_PIXELS"):
        load_image(tmp_path / "a.png")


# -- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float16, np.float32, float])
def test_as_picture_takes_any_number(dtype):
    """Every real dtype becomes float32 of the same values."""
    values = noise(H, W, 3).astype(dtype)
    img = as_picture(values)

    assert isinstance(img, Picture)
    assert img.dtype == np.float32
    np.testing.assert_array_equal(img, values.astype(np.float32))


def test_as_picture_leaves_a_picture_alone():
    """A float32 Picture comes back as the same object; an array is not written to."""
    img = Picture(noise(H, W, 3).astype(np.float32))

    assert as_picture(img) is img


def test_as_picture_makes_a_view_contiguous():
    """A reversed view becomes C-contiguous with the values of the view."""
    values = noise(H, W, 3).astype(np.float32)[:, ::-1]
    img = as_picture(values)

    assert img.flags.c_contiguous
    np.testing.assert_array_equal(img, values)


@pytest.mark.parametrize("shape", [(H, W), (H, W, 1)])
def test_as_picture_repeats_grey(shape):
    """Grey arrays get three channels."""
    grey = noise(*shape)
    img = as_picture(grey)

    assert img.shape == (H, W, 3)
    np.testing.assert_array_equal(img[..., 2], grey.reshape(H, W))


def test_as_picture_takes_alpha_from_the_fourth_channel():
    """The last of four channels is the alpha."""
    rgba = noise(H, W, 4)
    img = as_picture(rgba.astype(np.float64))

    np.testing.assert_array_equal(img, rgba[..., :3])
    np.testing.assert_array_equal(img.alpha, rgba[..., 3])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((3, H, W)), "Channels come last"),
        (np.zeros((H, W, 2)), r"shape \(5, 7, 2\)"),
        (np.zeros((2, H, W, 3)), "One picture at a time"),
        (np.zeros(W), r"shape \(7,\)"),
        (np.zeros((0, W, 3)), "no pixels"),
        (np.full((H, W, 3), np.nan), "NaN or infinity in 105 of 105"),
        (np.full((H, W, 3), np.inf), "infinity"),
        (np.zeros((H, W, 3), bool), "bool"),
        (np.zeros((H, W, 3), complex), "complex"),
        (np.full((H, W, 3), 65535, np.uint16), "Divide 16-bit values by 257"),
        (np.full((H, W, 3), -1, np.int8), "from -1 to -1"),
        (None, "None is no picture"),
        ("sky.jpg", "use load_image first"),
        ([[1, 2], [3]], "list cannot become an array|object is no picture"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else value[:12],
)
def test_as_picture_says_what_is_wrong(value, words):
    """What is no picture is refused in a sentence that tells what was found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 1.23 warns of ragged lists before we refuse them
        with pytest.raises(ImageError, match=words):
            as_picture(value)


def test_as_picture_finds_the_first_nan():
    """The message tells where the first NaN is."""
    values = np.zeros((H, W, 3), np.float32)
    values[3, 4, 1] = np.nan

    with pytest.raises(ImageError, match=r"in 1 of 105 values, first at .* \(3, 4\)"):
        as_picture(values)


def test_as_picture_warns_of_the_scale_of_other_libraries():
    """Fractions inside 0..1 are most likely meant as 0..255."""
    with pytest.warns(UserWarning, match="Multiply by 255"):
        as_picture(np.linspace(0, 1, H * W * 3).reshape(H, W, 3))


WAYS_IN = {
    "dream": lambda net, img: deepdream.dream(net, img, end="top", iter_n=1, octave_n=1, seed=3),
    "guide": lambda net, img: deepdream.dream(
        net, 255 * np.asarray(img), end="top", iter_n=1, octave_n=1, seed=3, guide=img
    ),
    "zoom": lambda net, img: list(
        deepdream.zoom(net, img, frames=2, end="top", iter_n=1, octave_n=1, seed=3)
    ),
    "zoom's guide": lambda net, img: list(
        deepdream.zoom(
            net, 255 * np.asarray(img), frames=2, guide=img, end="top", iter_n=1, octave_n=1, seed=3
        )
    ),
    "2015": lambda net, img: deepdream.deepdream(net, img, end="top", iter_n=1, octave_n=1),
    "preprocess": deepdream.preprocess,
    "guide_features": lambda net, img: deepdream.guide_features(net, img, "top"),
    "save_image": lambda net, img: save_image(img, "a.png"),
    "as_picture": lambda net, img: as_picture(img),
}


@pytest.mark.parametrize("kind", ["float64", "float32", "Picture", "view", "resized"])
@pytest.mark.parametrize("way", WAYS_IN)
def test_pictures_of_another_scale_are_noticed(tmp_path, monkeypatch, way, kind):
    """0..1, the scale of skimage and of caffe.io: told once, with what to write, and left alone."""
    monkeypatch.chdir(tmp_path)
    img = np.random.RandomState(3).rand(31, 43, 3)
    img = {
        "float64": img,
        "float32": img.astype(np.float32),
        "Picture": Picture((255 * img).astype(np.float32)) / np.float32(255),
        "view": img[::-1, :, ::-1],
        "resized": 1.1 * img - 0.05,  # a cubic filter throws values beyond
    }[kind]
    before = img.copy()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        WAYS_IN[way](FakeNet(), img)

    told = [str(warning.message) for warning in told if "0..1" in str(warning.message)]
    assert len(told) == 1
    assert "Multiply by 255: img * 255" in told[0]
    np.testing.assert_array_equal(img, before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WAYS_IN[way](FakeNet(), np.clip(255 * img, 0, 255))


def test_the_caller_is_named():
    """The warning is about the line that passed the picture."""
    with pytest.warns(UserWarning, match="0..1") as told:
        WAYS_IN["dream"](FakeNet(), np.random.RandomState(3).rand(31, 43, 3))
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="0..1") as told:
        WAYS_IN["guide_features"](FakeNet(), np.random.RandomState(3).rand(31, 43, 3))


def test_black_and_white_in_floating_point_is_noticed():
    """Zeros and ones, too; levels 0 and 1 that a file holds are what they are."""
    img = (np.random.RandomState(3).rand(H, W, 3) > 0.5).astype(np.float32)
    with pytest.warns(UserWarning, match="0..1"):
        as_picture(img)
    as_picture(Picture(img))
    as_picture(img.astype(np.uint8))


def test_a_mask_may_have_any_scale():
    """0..1 is a scale of masks: no warning, the same mask; a filter may have thrown it beyond 1."""
    mask = np.random.RandomState(3).rand(31, 43).astype(np.float32)
    np.testing.assert_allclose(as_mask(mask, (31, 43)), mask, atol=1e-6)
    np.testing.assert_allclose(
        as_mask(1.04 * mask, (31, 43)), np.minimum(1.04 * mask, 1), atol=1e-6
    )
    np.testing.assert_allclose(as_mask(255 * mask, (31, 43)), mask, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_as_picture_accepts_black_silently(value):
    """All black, and all of the darkest grey, give no warning (warnings are errors here)."""
    assert as_picture(np.full((H, W, 3), value)).max() == value


def test_to_uint8_rounds_to_the_nearest():
    """Fractions go to the nearest level where the notebook cuts them off; beyond is clipped."""
    values = np.array([[-3.0, 0.4, 0.6, 1.5, 2.5, 254.6, 300.0]])

    np.testing.assert_array_equal(to_uint8(values), [[0, 0, 1, 2, 2, 255, 255]])
    np.testing.assert_array_equal(np.uint8(np.clip(values, 0, 255))[0, 1:3], [0, 0])


# -- Picture --------------------------------------------------------------------------------------


@pytest.fixture
def img():
    """A picture with everything that belongs to one."""
    return Picture(
        noise(H, W, 3).astype(np.float32), noise(H, W, seed=3), {"seed": 7}, {"file": "sky.jpg"}
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a * 0.5 + 3,
        lambda a: np.clip(a, 10, 200),
        lambda a: 255 - a,
        lambda a: a.copy(),
        lambda a: a.astype(np.float64),
        lambda a: np.array(a, subok=True),
        lambda a: a[...],
        lambda a: a[..., ::-1],
        lambda a: a[:],
        copy.copy,
        copy.deepcopy,
        lambda a: pickle.loads(pickle.dumps(a)),
        lambda a: pickle.loads(pickle.dumps(a, protocol=5)),
    ],
)
def test_alpha_and_recipe_follow(img, change):
    """Arithmetic, copies and pickles of a picture keep alpha, recipe and source."""
    other = change(img)

    assert isinstance(other, Picture)
    np.testing.assert_array_equal(other.alpha, img.alpha)
    assert (other.recipe, other.source) == ({"seed": 7}, {"file": "sky.jpg"})


def test_in_place_arithmetic_keeps_them(img):
    """``img += 1`` leaves the same object with its attributes."""
    before, alpha = img, img.alpha
    img += 1

    assert img is before
    assert img.alpha is alpha


@pytest.mark.parametrize(
    "window",
    [
        (slice(1, 4), slice(2, 6)),
        (slice(None), slice(None, None, -1)),
        (slice(None, None, -1),),
        (slice(0, 5, 2), slice(None), slice(None)),
    ],
    ids=["crop", "mirror", "flip", "every second row"],
)
def test_slices_cut_alpha_too(img, window):
    """A crop or flip by slicing crops or flips alpha."""
    part = img[window]

    np.testing.assert_array_equal(part.alpha, img.alpha[window[:2]])
    assert part.recipe == {"seed": 7}


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[0],
        lambda a: a[:, 2],
        lambda a: a[a > 9],
        lambda a: a[[1, 2, 3]],
        lambda a: a.mean(axis=0),
        lambda a: a.mean(axis=(0, 1)),
        lambda a: a.sum(axis=1),
        np.asarray,
    ],
)
def test_what_is_no_picture_any_more_is_a_plain_array(img, change):
    """Rows, masks and means are arrays without attributes."""
    assert type(change(img)) is np.ndarray


@pytest.mark.parametrize("reduce", [np.mean, np.max, np.std, lambda a: a.sum()])
def test_reductions_are_numbers(img, reduce):
    """The mean of a picture is a number, in every numpy."""
    assert isinstance(reduce(img), np.float32)


def test_resized_pictures_lose_alpha(img):
    """A reshaped copy has no alpha of another size."""
    assert img.repeat(2, axis=0).alpha is None


def test_alpha_of_another_size_is_refused(img):
    """An alpha that does not fit is an error at once, not when the picture is saved."""
    with pytest.raises(ImageError, match=r"\(4, 4\)"):
        img.alpha = np.zeros((4, 4), np.uint8)
    with pytest.raises(ImageError, match=r"\(7, 5\).*\(5, 7\)"):
        Picture(np.zeros((H, W, 3)), alpha=np.zeros((W, H), np.uint8))


def test_a_picture_shows_itself_in_a_notebook():
    """As a PNG of its pixels, rounded; what cannot be drawn is left to its repr."""
    pixels = np.random.RandomState(4).uniform(-9, 270, (H, W, 3))
    shown = Image.open(io.BytesIO(Picture(pixels)._repr_png_()))
    assert np.array_equal(np.asarray(shown), np.rint(np.clip(pixels, 0, 255)))
    for other in (pixels[..., :2], np.full((H, W, 3), np.nan), np.zeros((0, W, 3))):
        assert Picture(other)._repr_png_() is None


# -- saving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_lossless_round_trip(tmp_path, img, suffix):
    """What is saved without loss loads as the same numbers and alpha."""
    save_image(img, tmp_path / f"a{suffix}")
    back = load_image(tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(back, img)
    np.testing.assert_array_equal(back.alpha, img.alpha)


def test_webp_keeps_alpha(tmp_path, img):
    """WebP is lossy in the colours, not in alpha."""
    save_image(img, tmp_path / "a.webp")

    np.testing.assert_array_equal(load_image(tmp_path / "a.webp").alpha, img.alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_jpeg_drops_alpha(tmp_path, img, suffix):
    """A format without alpha takes the colours alone."""
    save_image(img, tmp_path / f"a{suffix}")
    back = load_image(tmp_path / f"a{suffix}")

    assert back.alpha is None
    assert np.abs(back - img).mean() < 12


def test_jpeg_keeps_colour_at_full_resolution(tmp_path):
    """Red and blue columns one pixel wide stay red and blue: no chroma subsampling."""
    stripes = np.zeros((16, 24, 3))
    stripes[:, ::2, 0] = 255
    stripes[:, 1::2, 2] = 255
    save_image(stripes, tmp_path / "a.jpg")

    assert np.abs(load_image(tmp_path / "a.jpg") - stripes).mean() < 6


def test_quality_changes_the_size(tmp_path):
    """A lower quality makes a smaller JPEG."""
    values = noise(64, 48, 3)
    save_image(values, tmp_path / "a.jpg", quality=95)
    save_image(values, tmp_path / "b.jpg", quality=30)

    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size / 2


@pytest.mark.parametrize("quality", [0, 101, 9.5, "high"])
def test_quality_out_of_range_is_refused(tmp_path, quality):
    """Quality is a whole number from 1 to 100."""
    with pytest.raises(ImageError, match="from 1 to 100"):
        save_image(noise(H, W, 3), tmp_path / "a.jpg", quality=quality)


@pytest.mark.parametrize("shape", [(H, W), (H, W, 1), (H, W, 3), (H, W, 4)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_every_shape_goes_into_every_format(tmp_path, shape, suffix):
    """Grey, colour and colour with alpha can be written in each format."""
    save_image(noise(*shape), tmp_path / f"a{suffix}")

    assert load_image(tmp_path / f"a{suffix}").shape == (H, W, 3)


def test_saving_rounds(tmp_path):
    """Grey 99.6 is written as 100."""
    save_image(np.full((H, W, 3), 99.6), tmp_path / "a.png")

    assert (load_image(tmp_path / "a.png") == 100).all()


def test_nan_is_not_saved(tmp_path):
    """NaN is an error and leaves no file."""
    with pytest.raises(ImageError, match="NaN"):
        save_image(np.full((H, W, 3), np.nan), tmp_path / "a.png")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "words"), [("a.xyz", "'.xyz'"), ("a", "no ending")])
def test_unknown_ending_lists_the_formats(tmp_path, name, words):
    """The message lists what can be written."""
    with pytest.raises(ImageError, match=rf"{words}.*\.png, \.jpg"):
        save_image(noise(H, W, 3), tmp_path / name)


def test_too_large_for_the_format(tmp_path):
    """JPEG holds 65535 pixels a side; the message offers a format that holds more."""
    with pytest.raises(ImageError, match="70000x1 .*PNG and TIFF"):
        save_image(np.zeros((1, 70000), np.uint8), tmp_path / "a.jpg")

    assert not list(tmp_path.iterdir())


def test_missing_folder(tmp_path):
    """A folder that does not exist is named."""
    with pytest.raises(WriteError, match=r"there is no folder .*dreams"):
        save_image(noise(H, W, 3), tmp_path / "dreams" / "a.png")


def test_full_disk_leaves_the_old_picture(tmp_path, monkeypatch):
    """When the disk fills up, what was there stays and nothing half-written is left."""
    path = tmp_path / "a.png"
    save_image(np.full((H, W, 3), 9), path)

    def write_bytes(self, data):
        with self.open("wb") as file:
            file.write(bytes(data)[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_bytes)
    with pytest.raises(WriteError, match="No space left on device"):
        save_image(noise(H, W, 3), path)

    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert (load_image(path) == 9).all()


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("a.doc", ImageError, "'.doc'"),
        ("nowhere/a.png", WriteError, "there is no folder"),
        ("folder.png", WriteError, "is a folder"),
    ],
)
def test_check_writable_finds_it_before_the_dream(tmp_path, name, error, words):
    """What save_image would refuse is found before an hour of dreaming."""
    (tmp_path / "folder.png").mkdir()

    with pytest.raises(error, match=words):
        check_writable(tmp_path / name)


def test_check_writable_writes_nothing(tmp_path):
    """The check leaves the folder as it is."""
    check_writable(tmp_path / "a.png")

    assert not list(tmp_path.iterdir())


def test_text_chunks_of_other_programs_do_no_harm(tmp_path):
    """A PNG with foreign text loads."""
    info = PngInfo()
    info.add_text("deepdream", "not json")
    Image.fromarray(noise(H, W, 3)).save(tmp_path / "a.png", pnginfo=info)

    assert load_image(tmp_path / "a.png").recipe is None


def test_errors_are_deepdream_errors():
    """One except clause catches whatever is wrong with a picture."""
    assert issubclass(ImageError, DeepDreamError)
    assert issubclass(WriteError, DeepDreamError)
    assert issubclass(ImageError, ValueError)
