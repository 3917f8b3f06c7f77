"""Formats that Pillow needs another package for, and those that it cannot read: named, each."""

from __future__ import annotations

import base64
import io
import sys
import types

import numpy as np
import pytest
from PIL import Image, ImageFile

from deepdream import picture_files
from deepdream.cli import main
from deepdream.errors import ImageError
from deepdream.images import as_picture, load_image
from deepdream.recipe import read_recipe

H, W = 5, 7
# By cjxl, without loss: 32 rows of 48 pixels in Display P3, the first eight grey.
P3_JXL = (
    "/woHQQjPCwMS5gGwqaFJgPO8jq9vq4q4rOoJlV9LJIS5+Vh2d7GgIVPguSCJ9NPmc2XmGJ45QrTGaklrqAZbLT4R"
    "gK+4q6Yo/iIpU/GJohk3Ew2GM0fKEYH37C9571vIcJy8CzLmDZw8ctKcQUMvW5A6c8oFMSOnTBk2OWjX+vbodBvV"
    "fDLd9Pr373zLY9gJ2Bfi3797Q/7921cEp1wQGBcc+IXt/vz79++OEzhixgTlnqCbDGaEQisbRPEHxtZCyxwsWgwT"
    "PRBpDggCAQCMAEsYixUA1Bk/xvgx/wIhAAAQBwAEUMMBCMitAII0mud3ANQE"
)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
JXL = b"\xff\x0a"
JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"
PLUGINS = ("HEIF", "JXL", "AVIF")
AVIF = b"\0\0\0\x1cftypmif1\0\0\0\0avifmiafMA1B"


@pytest.fixture
def without_plugins(monkeypatch):
    """Let no plugin be installed, whatever is."""
    for name in ("pillow_heif", "pi_heif", "pillow_jxl", "pillow_avif"):
        monkeypatch.setitem(sys.modules, name, None)  # ImportError
    Image.init()
    others = {name: opener for name, opener in Image.OPEN.items() if name not in PLUGINS}
    monkeypatch.setattr(Image, "OPEN", others)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name not in PLUGINS])


@pytest.mark.parametrize(
    ("head", "what", "package"),
    [
        (HEIC, "a HEIC picture", "pip install pillow-heif"),
        (b"\0\0\0\x1cftypmsf1\0\0\0\0hevc", "a HEIC picture", "pip install pillow-heif"),
        (JXL, "a JPEG XL picture", "pip install pillow-jxl-plugin"),
        (JXL_BOX, "a JPEG XL picture", "pip install pillow-jxl-plugin"),
        (AVIF, "an AVIF picture", r'pip install "pillow>=11\.3"'),
    ],
    ids=["HEIC", "sequence", "codestream", "container", "AVIF"],
)
def test_what_needs_a_package_names_it(tmp_path, without_plugins, capsys, head, what, package):
    """The error says what the file is and what to install; so does the command."""
    path = tmp_path / "IMG_0001.jpg"  # phones' files are renamed: the ending tells nothing
    path.write_bytes(head + bytes(100))

    with pytest.raises(ImageError, match=rf"IMG_0001\.jpg' is {what}.*{package}"):
        load_image(path)
    with pytest.raises(ImageError, match=package):
        read_recipe(path)

    assert main(["dream", str(path), "-o", str(tmp_path / "a.png")]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3


class _Inside(ImageFile.ImageFile):
    """A PNG behind twenty-four bytes, as a plugin would read what it knows."""

    format = "HEIF"

    def _open(self):
        self.fp.seek(24)
        with Image.open(io.BytesIO(self.fp.read())) as image:
            image.load()
            self.inside = image.copy()
        self._size = self.inside.size
        newer = isinstance(getattr(Image.Image, "mode", None), property)  # Pillow 10.1
        setattr(self, "_mode" if newer else "mode", self.inside.mode)
        self.info = dict(self.inside.info)
        self.tile = []

    def load(self):
        self.im = self.inside.im
        return super().load()


def test_what_is_installed_is_used(tmp_path, without_plugins, monkeypatch):
    """The package is imported when such a file is opened, and not before."""
    module = types.ModuleType("pillow_heif")
    calls = []

    def register_heif_opener():
        calls.append(1)
        Image.register_open("HEIF", _Inside, lambda head: head[4:12] == b"ftypheic")

    module.register_heif_opener = register_heif_opener
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    pixels = np.random.RandomState(3).randint(0, 256, (H, W, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    load_image(io.BytesIO(file.getvalue()))
    assert not calls

    img = load_image(io.BytesIO(HEIC + file.getvalue()))

    np.testing.assert_array_equal(img, pixels)
    load_image(io.BytesIO(HEIC + file.getvalue()))
    assert len(calls) == 1


def test_a_damaged_file_of_an_installed_package(without_plugins, monkeypatch):
    """Who has the package is not told to install it."""
    module = types.ModuleType("pillow_heif")
    module.register_heif_opener = lambda: None
    monkeypatch.setitem(sys.modules, "pillow_heif", module)

    with pytest.raises(ImageError, match="looks like a HEIC picture.*damaged or unusual"):
        load_image(io.BytesIO(HEIC + bytes(50)))


@pytest.mark.parametrize("suffix", ["heic", "jxl", "avif"])
def test_the_packages_themselves(tmp_path, suffix):
    """Where they are installed, a picture comes back with its profile applied, upright."""
    import icc_profiles as icc

    plugin = {"heic": picture_files._HEIC, "jxl": picture_files._JXL, "avif": picture_files._AVIF}
    if not picture_files._register(plugin[suffix]):
        pytest.skip(f"nothing that reads .{suffix}")
    pixels = np.full((32, 48, 3), (234, 51, 35), np.uint8)
    pixels[:8] = (120, 130, 140)
    if suffix == "jxl":  # whose plugin writes no profile
        (tmp_path / "a.jxl").write_bytes(base64.b64decode(P3_JXL))
    else:
        profile = icc.rgb(icc.P3, icc.SRGB_CURVE)
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", icc_profile=profile, quality=95)

    img = load_image(tmp_path / f"a.{suffix}")

    assert img.shape == (32, 48, 3)
    np.testing.assert_allclose(img[24, 40], [255, 0, 0], atol=6)
    np.testing.assert_allclose(img[2, 3], [118, 130, 141], atol=6)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
        (b"#?RADIANCE\n", "a Radiance picture"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera's raw file"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "a film"),
        (b'<?xml version="1.0"?>\n<svg xmlns=', "a drawing"),
        (b"\x93NUMPY\1\0v\0{'descr'", "a NumPy array"),
        (b"gimp xcf v011", "GIMP's own file"),
        (b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\5\0\0\0\7\0\x20\0\3", "a Photoshop file"),
    ],
)
def test_what_cannot_be_read_has_a_name(head, words):
    """And the message says what to do."""
    with pytest.raises(ImageError, match=f"{words}.*(first|instead|frames|itself)"):
        load_image(io.BytesIO(head + bytes(3000)))


@pytest.mark.parametrize("depth", [12, 16])
def test_deep_jpeg_2000_is_refused(depth):
    """Pillow makes its white black: refused, as a file and as an image."""
    file = io.BytesIO()
    try:
        Image.new("RGB", (W, H), "white").save(file, "JPEG2000")
    except (OSError, ValueError):
        pytest.skip("this Pillow writes no JPEG 2000")
    data = bytearray(file.getvalue())
    begin = data.index(b"\xff\x4f\xff\x51")
    assert (load_image(io.BytesIO(data)) == 255).all()
    for c in range(3):
        data[begin + 42 + 3 * c] = depth - 1

    with pytest.raises(ImageError, match=f"JPEG 2000 picture of {depth} bits"):
        load_image(io.BytesIO(data))
    image = Image.open(io.BytesIO(data))
    with pytest.raises(ImageError, match="JPEG 2000 picture"):
        as_picture(image)
