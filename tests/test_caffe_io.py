"""`deepdream.caffe.io`: pictures, crops and messages under pycaffe's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.caffe import io
from deepdream.caffe.proto import caffe_pb2
from deepdream.errors import CaffemodelError, ImageError, MissingFileError, ShapeError


def pictures(*shape: int, seed: int = 11) -> np.ndarray:
    """Return float32 grey levels 0..255 without structure."""
    return np.random.RandomState(seed).uniform(0, 255, shape).astype(np.float32)


# -- pictures --------------------------------------------------------------------------------------

RGB = np.uint8([[[0, 51, 255], [102, 153, 204]], [[1, 2, 3], [30, 20, 10]], [[7, 8, 9], [5, 5, 5]]])
GREY = np.uint8([[0, 51], [255, 102], [1, 3]])


def write(path: Path, kind: str) -> np.ndarray:
    """Write a picture of 3 x 2 pixels; return the RGB values it stands for, 0..1."""
    grey = np.repeat(GREY[:, :, None], 3, axis=2) / 255
    alpha = np.uint8(GREY[::-1])[:, :, None]
    if kind == "RGB":
        Image.fromarray(RGB).save(path)
        return RGB / 255
    if kind == "RGBA":
        Image.fromarray(np.dstack([RGB, alpha])).save(path)
        return RGB / 255
    if kind == "palette":
        Image.fromarray(RGB).convert("RGB").quantize(16).save(path, transparency=b"\0\7\200")
        return RGB / 255
    if kind == "L":
        Image.fromarray(GREY).save(path)
        return grey
    if kind == "LA":
        Image.fromarray(np.dstack([GREY, alpha])).save(path)
        return grey
    if kind == "1":
        Image.fromarray(GREY > 60).save(path)
        return np.repeat((GREY > 60)[:, :, None], 3, axis=2) * 1.0
    assert kind == "16 bit"
    Image.fromarray(GREY.astype(np.uint16) * 200).save(path)
    return np.repeat(GREY[:, :, None] * 200.0, 3, axis=2) / 65535


KINDS = ["RGB", "RGBA", "palette", "L", "LA", "1", "16 bit"]


@pytest.mark.parametrize("kind", KINDS)
def test_load_image_gives_rgb_from_0_to_1(kind: str, tmp_path: Path) -> None:
    """Grey is repeated, transparency dropped, 16 bits scaled by 65535."""
    expected = write(tmp_path / "picture.png", kind)

    result = io.load_image(str(tmp_path / "picture.png"))

    assert result.dtype == np.float32
    assert result.shape == (3, 2, 3)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_load_image_without_color_gives_luminance(kind: str, tmp_path: Path) -> None:
    """One channel of the Rec. 709 mixture; grey stays what it is."""
    expected = write(tmp_path / "picture.png", kind) @ [0.2125, 0.7154, 0.0721]

    result = io.load_image(tmp_path / "picture.png", color=False)

    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected[:, :, None], rtol=0, atol=1e-6)


def test_load_image_reads_cmyk_and_float(tmp_path: Path) -> None:
    """CMYK becomes RGB; floats are left as they are."""
    Image.fromarray(np.full((3, 2, 3), 51, np.uint8)).convert("CMYK").save(tmp_path / "c.tif")
    Image.fromarray(np.full((3, 2), 0.3, np.float32)).save(tmp_path / "f.tif")

    cmyk = io.load_image(tmp_path / "c.tif")
    np.testing.assert_allclose(cmyk, np.full((3, 2, 3), 0.2), atol=1e-6)
    floats = io.load_image(tmp_path / "f.tif")
    np.testing.assert_array_equal(floats, np.full((3, 2, 3), 0.3, np.float32))


def test_load_image_ignores_the_cameras_rotation(tmp_path: Path) -> None:
    """As pycaffe, which never looked at EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "picture.png", exif=exif)

    assert io.load_image(tmp_path / "picture.png").shape == (3, 2, 3)


def test_load_image_names_what_it_cannot_read(tmp_path: Path) -> None:
    """A missing file, a text file and a picture cut short are told apart."""
    with pytest.raises(MissingFileError, match="no picture at '.*nowhere.jpg'"):
        io.load_image(tmp_path / "nowhere.jpg")
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    with pytest.raises(ImageError, match=r"text.jpg' cannot be read as a picture"):
        io.load_image(tmp_path / "text.jpg")
    Image.fromarray(pictures(40, 50, 3).astype(np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"cut.png' cannot be read as a picture"):
        io.load_image(tmp_path / "cut.png")


def test_oversample_cuts_corners_centre_and_mirrors() -> None:
    """Ten crops per picture, in Caffe's order."""
    images = np.stack([pictures(9, 12, 2), pictures(9, 12, 2, seed=12)])

    crops = io.oversample(images, (4, 5))

    assert crops.shape == (20, 4, 5, 2)
    assert crops.dtype == np.float32
    for image, ten in zip(images, crops.reshape(2, 10, 4, 5, 2)):
        plain = [image[:4, :5], image[:4, 7:], image[5:, :5], image[5:, 7:], image[2:6, 3:8]]
        np.testing.assert_array_equal(ten[:5], plain)
        np.testing.assert_array_equal(ten[5:], np.array(plain)[:, :, ::-1])


def test_oversample_refuses_crops_that_are_too_large() -> None:
    """The message names both sizes."""
    with pytest.raises(ShapeError, match="crops of 4x13 do not fit into pictures of 9x12"):
        io.oversample([pictures(9, 12, 3)], (4, 13))


# -- messages --------------------------------------------------------------------------------------


def test_arrays_survive_a_blobproto() -> None:
    """Shape and float32 values come back, as float64 like pycaffe's; diff beside data."""
    arr, diff = pictures(2, 3, 5, 7), pictures(2, 3, 5, 7, seed=12)
    blob = io.array_to_blobproto(arr, diff)

    assert list(blob.shape.dim) == [2, 3, 5, 7]
    assert io.blobproto_to_array(blob).dtype == np.float64
    np.testing.assert_array_equal(io.blobproto_to_array(blob), arr)
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), diff)


def test_blobprotos_of_2014_keep_four_axes() -> None:
    """A mean file has num, channels, height and width; nothing is squeezed."""
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=2, width=5, data=range(30))

    assert io.blobproto_to_array(blob).shape == (1, 3, 2, 5)
    blob.width = 6
    with pytest.raises(CaffemodelError, match="30"):
        io.blobproto_to_array(blob)


def test_lists_of_arrays_survive_as_bytes() -> None:
    """Any shapes side by side."""
    arrays = [pictures(3, 5), pictures(7), pictures(1, 2, 3, 4)]
    text = io.arraylist_to_blobprotovector_str(arrays)

    assert isinstance(text, bytes)
    for back, array in zip(io.blobprotovector_str_to_arraylist(text), arrays):
        np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(("dtype", "back"), [(np.uint8, np.uint8), (np.float32, np.float64)])
def test_arrays_survive_a_datum(dtype: type, back: type) -> None:
    """uint8 as bytes, everything else as floats; the label is a field of its own."""
    array = pictures(3, 5, 7).astype(dtype)
    datum = io.array_to_datum(array, label=42)

    result = io.datum_to_array(datum)
    assert datum.label == 42
    assert result.dtype == back
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


def test_datums_that_do_not_fit_are_refused() -> None:
    """Two axes are no picture, and a compressed picture has not (c, h, w) values."""
    with pytest.raises(ShapeError, match=r"Incorrect array shape. It is \(5, 7\)"):
        io.array_to_datum(pictures(5, 7))
    datum = caffe_pb2.Datum(channels=3, height=5, width=7, data=b"JPEG", encoded=True)
    with pytest.raises(CaffemodelError, match=r"\(3, 5, 7\) holds 4 values, 105 .*compressed"):
        io.datum_to_array(datum)
