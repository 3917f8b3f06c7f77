"""Pictures of sixteen bits: every level is there, for every reader, and the recipe says so."""

from __future__ import annotations

import errno
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import write_tiny

from deepdream import sixteen_bits
from deepdream.cli import main
from deepdream.commands.show import lines
from deepdream.errors import ImageError, ParameterError, WriteError
from deepdream.images import Picture, check_writable, load_image, save_image
from deepdream.recipe import read_recipe
from deepdream.repeat import rerun
from deepdream.sixteen_bits import write_deep

H, W = 13, 11


def uniform(*shape, seed=5):
    """Return levels with fractions, some of them beyond 0..255."""
    return np.random.RandomState(seed).uniform(-9, 264, shape).astype(np.float32)


def expected(values):
    """Return the levels of sixteen bits nearest to 0..255, one by one."""
    return np.array([round(min(max(float(v), 0), 255) * 257) for v in np.ravel(values)]).reshape(
        np.shape(values)
    )


def high_and_low(path):
    """Return what Pillow's decoders find in an RGB or RGBA file, low bytes included.

    Pillow keeps the first of two bytes where it is told "big endian", and the second where it is
    told "little endian": so it is told one, then the other.
    """
    halves = []
    for swapped in (False, True):
        with Image.open(path) as image:
            if swapped:
                image.tile = [told_otherwise(tile) for tile in image.tile]
            halves.append(np.asarray(image).astype(int))
    return halves[0] * 256 + halves[1]


def told_otherwise(tile):
    arguments = tile[3]
    raw, *rest = arguments if isinstance(arguments, tuple) else (arguments,)
    order = raw[-1].replace("N", "L" if np.little_endian else "B")  # N: this machine's
    raw = raw[:-1] + {"L": "B", "B": "L"}[order]
    arguments = (raw, *rest) if isinstance(arguments, tuple) else raw
    # A plain tuple in older Pillows.
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)


def png_by_hand(data):
    """Return the samples of a PNG of sixteen bits, by its specification, byte after byte."""
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length :][:4])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            w, h, depth, color, *zeros = struct.unpack(">IIBBBBB", body)
            assert (depth, zeros) == (16, [0, 0, 0])
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    assert kind == b"IEND"
    pixel = 2 * {0: 1, 2: 3, 6: 4}[color]
    raw = zlib.decompress(packed)
    above, rows = bytearray(w * pixel), []
    for y in range(h):
        filter, *line = raw[y * (1 + w * pixel) : (y + 1) * (1 + w * pixel)]
        assert filter == 3
        row = bytearray()
        for x, byte in enumerate(line):
            left = row[x - pixel] if x >= pixel else 0
            row.append((byte + (left + above[x]) // 2) % 256)
        rows.append(row)
        above = row
    return np.frombuffer(b"".join(rows), ">u2").reshape(h, w, pixel // 2)


# -- levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(H, W, 3), (H, W, 4)])
@pytest.mark.parametrize("band", [1, 200, 1 << 20])
def test_every_level_is_in_the_file(tmp_path, monkeypatch, suffix, shape, band):
    """Rounded to the nearest of 65536, clipped; whether written row by row or at once."""
    monkeypatch.setattr(sixteen_bits, "_BAND", band)
    values = uniform(*shape)
    save_image(values, tmp_path / f"a{suffix}", depth=16)

    np.testing.assert_array_equal(high_and_low(tmp_path / f"a{suffix}"), expected(values))


@pytest.mark.parametrize("shape", [(H, W), (H, W, 1), (H, W, 3), (H, W, 4)])
def test_a_png_is_what_the_specification_says(tmp_path, monkeypatch, shape):
    """Signature, checksums, one filter: a decoder written from the text reads the levels."""
    monkeypatch.setattr(sixteen_bits, "_BAND", 3 * W * 2)
    values = uniform(*shape)
    save_image(values, tmp_path / "a.png", depth=16)

    data = (tmp_path / "a.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    levels = png_by_hand(data)
    np.testing.assert_array_equal(levels, expected(values).reshape(levels.shape))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_eight_bit_levels_are_levels_of_sixteen(tmp_path, suffix, dtype):
    """Level n of 255 is level 257 n of 65535, of every dtype: readers of 8 bits see n."""
    levels = np.arange(256).reshape(16, 16)
    save_image(levels.astype(dtype), tmp_path / f"grey{suffix}", depth=16)
    save_image(np.dstack([levels.astype(dtype)] * 3), tmp_path / f"rgb{suffix}", depth=16)

    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"grey{suffix}")), levels * 257)
    with Image.open(tmp_path / f"rgb{suffix}") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 1], levels)
    assert (high_and_low(tmp_path / f"rgb{suffix}")[..., 2] == levels * 257).all()
    np.testing.assert_array_equal(load_image(tmp_path / f"grey{suffix}")[..., 0], levels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_kept(tmp_path, suffix):
    """Of a picture, of four channels, and beside grey, which becomes RGB; load_image finds it."""
    alpha = np.random.RandomState(1).randint(0, 256, (H, W)).astype(np.uint8)
    colours = uniform(H, W, 3)
    path = tmp_path / f"a{suffix}"

    save_image(Picture(colours, alpha), path, depth=16)
    np.testing.assert_array_equal(high_and_low(path)[..., 3], alpha.astype(int) * 257)
    np.testing.assert_array_equal(high_and_low(path)[..., :3], expected(colours))
    np.testing.assert_array_equal(load_image(path).alpha, alpha)

    with path.open("wb") as file:
        write_deep(file, {".png": "PNG", ".tif": "TIFF"}[suffix], colours[..., 0], alpha)
    np.testing.assert_array_equal(high_and_low(path)[..., 3], alpha.astype(int) * 257)
    for channel in range(3):
        np.testing.assert_array_equal(high_and_low(path)[..., channel], expected(colours[..., 0]))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(H, W), (H, W, 1), (H, W, 3), (H, W, 4)])
def test_load_image_reads_what_was_written(tmp_path, suffix, shape):
    """To one grey level at most."""
    values = uniform(*shape)
    save_image(values, tmp_path / f"a{suffix}", depth=16)

    back = load_image(tmp_path / f"a{suffix}")
    clipped = np.clip(values.reshape(H, W, -1)[..., :3], 0, 255)
    assert np.abs(np.asarray(back) - clipped).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_files_are_compressed(tmp_path, suffix):
    """A smooth picture takes a small part of the bytes that its levels have."""
    x, y = np.meshgrid(np.linspace(0, 255, 300), np.linspace(0, 255, 200))
    save_image(np.dstack([x, y, (x + y) / 2]), tmp_path / f"a{suffix}", depth=16)

    assert (tmp_path / f"a{suffix}").stat().st_size < 300 * 200 * 6 / 4


@pytest.mark.slow
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_little_memory_is_taken_beside_the_picture(format):
    """Of 3 megapixels less than 20 MB, where the levels alone have 18, and a copy in floats 72."""
    import tracemalloc

    values = np.random.RandomState(0).rand(1000, 3000, 3).astype(np.float32) * 255

    class Sink(io.RawIOBase):
        def write(self, data):
            return len(data)

        def seek(self, *_):
            return 0

    tracemalloc.start()
    write_deep(Sink(), format, values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("length", range(1, 9))
def test_a_tiff_directory_holds_texts_of_any_length(tmp_path, length):
    """Up to three letters lie in the entry, longer ones behind; the directory's place is even."""
    file = io.BytesIO()
    text = "abcdefgh"[:length]
    write_deep(file, "TIFF", uniform(H, W, 3, seed=length), options={"tiffinfo": {0x010E: text}})

    assert struct.unpack("<2sHI", file.getvalue()[:8])[2] % 2 == 0
    with Image.open(file) as image:
        assert image.getexif()[0x010E] == text


# -- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_formats_of_eight_bits_are_refused(tmp_path, suffix):
    """Before any work, by check_writable, and when saving; the message tells which formats can."""
    path = tmp_path / f"a{suffix}"
    for refused in (
        lambda: check_writable(path, 16),
        lambda: save_image(uniform(H, W, 3), path, depth=16),
    ):
        with pytest.raises(ImageError, match=r"8 bits per channel: 16 .* \.png, \.tif, \.tiff"):
            refused()
    check_writable(path, 8)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("depth", [0, 12, 32, "16"])
def test_other_depths_are_refused(tmp_path, depth):
    """8 and 16 are the depths there are."""
    with pytest.raises(ImageError, match="8 or 16"):
        save_image(uniform(H, W, 3), tmp_path / "a.png", depth=depth)


def test_a_tiff_file_has_an_end(tmp_path):
    """4 GiB, the message says what has not, and nothing is left behind."""
    huge = np.broadcast_to(np.float32(7), (30_000, 24_000, 3))
    with pytest.raises(ImageError, match="24000x30000 .* 4 GiB .*PNG"):
        write_deep(io.BytesIO(), "TIFF", huge)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_whole_or_not_at_all(tmp_path, monkeypatch, suffix):
    """A disk that fills up on the way leaves the file that was there, and no other."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"before")

    def full(self, data):
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="Free some space"):
        save_image(uniform(H, W, 3), path, depth=16)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


# -- recipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_recipe_is_in_the_file_and_tells_the_depth(tmp_path, suffix):
    """Where eight-bit files have it; a file of 8 bits never claims to have 16."""
    recipe = {"deepdream": "0.1.0", "command": "dream", "seed": 7, "depth": 12345}
    path = tmp_path / f"a{suffix}"
    save_image(uniform(H, W, 3), path, recipe=recipe, depth=16)

    assert read_recipe(path) == {**recipe, "depth": 16}
    with Image.open(path) as image:
        assert (image.info.get("Software") or image.getexif()[0x0131]) == "deepdream 0.1.0"
    assert ("depth", "16") in [*lines(read_recipe(path))]

    save_image(uniform(H, W, 3), path, recipe={**recipe, "depth": 16}, depth=8)
    assert "depth" not in read_recipe(path)


def test_a_picture_is_saved_as_its_recipe_says(tmp_path):
    """Where nobody says otherwise and the format can: so rerun's result is the same file again."""
    img = Picture(uniform(H, W, 3), recipe={"deepdream": "0.1.0", "depth": 16})
    save_image(img, tmp_path / "a.png")
    save_image(img, tmp_path / "b.png", depth=16)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    save_image(img, tmp_path / "a.jpg")
    assert "depth" not in read_recipe(tmp_path / "a.jpg")


# -- commands -------------------------------------------------------------------------------------

HOW = ["--end", "a/output", "--iter-n", "2", "--octave-n", "2", "--seed", "3", "--device", "cpu"]


@pytest.fixture
def model(tmp_path):
    """The small net's flags."""
    prototxt, caffemodel = write_tiny(tmp_path)
    return ["--model", str(prototxt), "--weights", str(caffemodel), "--mean", "104,117,123"]


@pytest.fixture
def sky(tmp_path):
    path = tmp_path / "sky.png"
    save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_dream_of_sixteen_bits_can_be_made_again(tmp_path, model, sky, capsys, suffix):
    """The same bytes, by the command and by the function; --depth 8 makes the common file."""
    deep, again, common = (tmp_path / f"{name}{suffix}" for name in ("deep", "again", "common"))
    assert main(["dream", str(sky), "-o", str(deep), "--depth", "16", *model, *HOW]) == 0
    assert main(["dream", str(sky), "-o", str(common), *model, *HOW]) == 0
    levels = high_and_low(deep)
    assert len(np.unique(levels % 257)) > 200

    capsys.readouterr()
    assert main(["rerun", str(deep), "-o", str(again), *model]) == 0
    assert again.read_bytes() == deep.read_bytes()
    assert "byte for byte" in capsys.readouterr().out

    assert main(["rerun", str(deep), "-o", str(again), "--depth", "8", *model]) == 0
    assert again.read_bytes() == common.read_bytes()
    assert "16 and 8 bits round differently" in capsys.readouterr().out
    np.testing.assert_array_equal(np.rint(levels / 257), load_image(common))

    assert main(["rerun", str(common), "-o", str(again), "--depth", "16", *model]) == 0
    assert again.read_bytes() == deep.read_bytes()

    assert main(["rerun", str(deep), "-o", str(again), "--iter-n", "3", *model]) == 0
    assert again.read_bytes() != deep.read_bytes()
    assert read_recipe(again)["depth"] == 16


def test_rerun_of_sixteen_bits_in_python(tmp_path, model, sky):
    """The picture that rerun returns is saved as the one it was made from."""
    from deepdream.models.load import load_net

    deep, again = tmp_path / "deep.png", tmp_path / "again.png"
    assert main(["dream", str(sky), "-o", str(deep), "--depth", "16", *model, *HOW]) == 0
    net = load_net(model[1], model[3], mean=(104, 117, 123), device="cpu")

    save_image(rerun(deep, net=net), again)
    assert again.read_bytes() == deep.read_bytes()


def test_rerun_into_a_format_of_eight_bits(tmp_path, model, sky, capsys):
    """What the file's depth cannot be is 8 bits, unless 16 are asked for, an error at once."""
    deep, jpeg = tmp_path / "deep.png", tmp_path / "again.jpg"
    assert main(["dream", str(sky), "-o", str(deep), "--depth", "16", *model, *HOW]) == 0
    assert main(["rerun", str(deep), "-o", str(jpeg), *model]) == 0
    assert "depth" not in read_recipe(jpeg)

    capsys.readouterr()
    assert main(["rerun", str(deep), "-o", str(jpeg), "--depth", "16", *model]) == 2
    assert "8 bits per channel" in capsys.readouterr().err


def test_depth_is_checked_before_anything_is_loaded(sky, capsys):
    """A JPEG with 16 bits is refused, even if there is no such model."""
    arguments = ["dream", str(sky), "-o", "dream.jpg", "--depth", "16", "--model", "none"]
    assert main(arguments) == 2
    assert "JPEG file, which has 8 bits" in capsys.readouterr().err


def test_a_zoom_of_sixteen_bits(tmp_path, model, sky, capsys):
    """Its frames have the depth, the folder is not gone on with in another, JPEG is refused."""
    folder = tmp_path / "frames"
    command = ["zoom", str(sky), "-o", str(folder), *model, *HOW]
    assert main([*command, "--frames", "2", "--depth", "16"]) == 0
    assert len(np.unique(high_and_low(folder / "0001.png") % 257)) > 200
    assert read_recipe(folder / "0001.png")["depth"] == 16

    again = tmp_path / "again.png"
    assert main(["rerun", str(folder / "0001.png"), "-o", str(again), *model]) == 0
    assert again.read_bytes() == (folder / "0001.png").read_bytes()

    capsys.readouterr()
    assert main([*command, "--frames", "3"]) == 2
    assert "made with depth 16, not 8" in capsys.readouterr().err
    other = ["zoom", str(sky), "-o", str(tmp_path / "jpg"), *model, *HOW, "--format", "jpg"]
    assert main([*other, "--frames", "1", "--depth", "16"]) == 2
    assert "8 bits per channel" in capsys.readouterr().err
    assert not (tmp_path / "jpg").exists()


def test_a_folder_of_before_there_were_depths_goes_on(tmp_path):
    """Its zoom.npz names none, which is 8."""
    from fakes import FakeNet

    from deepdream.dreaming import frames

    class Named(FakeNet):
        name = "fake"

    few = {"end": "top", "iter_n": 1, "octave_n": 1}
    list(frames.write_zoom(Named(), uniform(31, 43, 3) % 255, tmp_path, frames=1, seed=6, **few))
    state = frames._read_state(tmp_path / "zoom.npz")
    del state.asked["depth"]
    frames._write_state(tmp_path / "zoom.npz", state)

    with pytest.raises(ParameterError, match="made with depth 8, not 16"):
        list(
            frames.write_zoom(
                Named(), uniform(31, 43, 3) % 255, tmp_path, frames=2, depth=16, **few
            )
        )
    assert (
        len(list(frames.write_zoom(Named(), uniform(31, 43, 3) % 255, tmp_path, frames=2, **few)))
        == 1
    )
