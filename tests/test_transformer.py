"""`deepdream.running.transformer`: the order of its steps, its means, and the resize of 2015."""

from __future__ import annotations

import numpy as np
import pytest

from deepdream.errors import ParameterError, ShapeError, UnknownBlobError
from deepdream.running.transformer import Transformer, resize_image

H, W = 5, 7


@pytest.fixture
def transformer() -> Transformer:
    """Return one for an input of 3 channels, nothing set but the axis order."""
    made = Transformer({"data": (2, 3, H, W)})
    made.set_transpose("data", (2, 0, 1))
    return made


def picture(dtype: type = np.float32, shape: tuple[int, ...] = (H, W, 3)) -> np.ndarray:
    """Return grey levels that are all different."""
    return (np.random.RandomState(3).permutation(np.prod(shape)).reshape(shape)).astype(dtype)


# -- preprocess and deprocess ---------------------------------------------------------------------


def test_preprocess_steps_come_in_caffes_order(transformer: Transformer) -> None:
    """Transpose, swap, raw_scale, mean, input_scale: any other order gives other numbers."""
    mean = np.float32([104, 117, 123])
    transformer.set_channel_swap("data", (2, 0, 1))
    transformer.set_raw_scale("data", 3.0)
    transformer.set_mean("data", mean)
    transformer.set_input_scale("data", 0.5)
    image = picture(np.uint8)

    result = transformer.preprocess("data", image)

    expected = np.empty((3, H, W))
    for channel, source in enumerate((2, 0, 1)):
        expected[channel] = (image[:, :, source] * 3.0 - mean[channel]) * 0.5
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def test_none_leaves_a_step_out(transformer: Transformer) -> None:
    """As in Caffe, also where it is written into the mean by hand, as scripts do."""
    transformer.set_mean("data", np.float32([104, 117, 123]))
    transformer.mean["data"] = None
    transformer.set_raw_scale("data", None)  # type: ignore[arg-type]
    transformer.set_input_scale("data", None)  # type: ignore[arg-type]
    image = picture(np.uint8)

    inside = transformer.preprocess("data", image)

    np.testing.assert_array_equal(inside, image.transpose(2, 0, 1))
    np.testing.assert_array_equal(transformer.deprocess("data", inside), image)


@pytest.mark.parametrize("axes", [(1, 3, H, W), (3, H, W)])
def test_deprocess_undoes_preprocess(transformer: Transformer, axes: tuple[int, ...]) -> None:
    """Whole grey levels come back exactly, from a blob of one picture or from its array."""
    transformer.set_channel_swap("data", (1, 2, 0))
    transformer.set_raw_scale("data", 4.0)
    transformer.set_mean("data", np.float32([104, 117, 123]))
    transformer.set_input_scale("data", 0.25)
    image = picture(np.uint8)
    inside = transformer.preprocess("data", image).reshape(axes)
    before = inside.copy()

    result = transformer.deprocess("data", inside)

    np.testing.assert_array_equal(result, image)
    np.testing.assert_array_equal(inside, before)


def test_preprocess_changes_a_float32_array_in_place(transformer: Transformer) -> None:
    """Without resize and swap the caller's own array is scaled, as in pycaffe."""
    transformer.set_raw_scale("data", 2.0)
    image = picture()
    before = image.copy()

    result = transformer.preprocess("data", image)

    assert np.shares_memory(result, image)
    np.testing.assert_array_equal(image, before * 2)


@pytest.mark.parametrize("change", ["dtype", "size", "swap"])
def test_preprocess_leaves_other_arrays_alone(transformer: Transformer, change: str) -> None:
    """Another dtype, a resize or a channel swap makes a copy on the way."""
    transformer.set_raw_scale("data", 2.0)
    image = picture(np.float64) if change == "dtype" else picture()
    if change == "size":
        image = picture(shape=(H + 1, W, 3))
    if change == "swap":
        transformer.set_channel_swap("data", (2, 1, 0))
    before = image.copy()

    transformer.preprocess("data", image)

    np.testing.assert_array_equal(image, before)


def test_preprocess_resizes_to_the_input(transformer: Transformer) -> None:
    """A picture of another size gets the height and width of the blob."""
    image = picture(shape=(11, 4, 3))

    result = transformer.preprocess("data", image)

    np.testing.assert_array_equal(result, resize_image(image, (H, W)).transpose(2, 0, 1))


def test_a_float64_mean_keeps_the_result_float32(transformer: Transformer) -> None:
    """Means from .npy files are float64; the net's input stays float32."""
    transformer.set_mean("data", np.array([104.5, 117.25, 123.0]))

    result = transformer.preprocess("data", picture())

    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[1], picture()[:, :, 1] - 117.25)


# -- means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_number_per_channel_becomes_c_1_1_of_its_dtype(
    transformer: Transformer, dtype: type
) -> None:
    """The notebook adds ``net.transformer.mean['data']`` to (3, h, w) arrays."""
    transformer.set_mean("data", np.array([104, 116, 122], dtype))

    assert transformer.mean["data"].shape == (3, 1, 1)
    assert transformer.mean["data"].dtype == dtype


def test_a_mean_of_the_inputs_size_is_kept_as_it_is(transformer: Transformer) -> None:
    """(c, h, w) of the blob's own size is not touched, not even its dtype."""
    mean = picture(np.float64, (3, H, W))
    transformer.set_mean("data", mean)

    assert transformer.mean["data"] is mean


def test_a_flat_mean_fits_an_input_of_one_channel() -> None:
    """(h, w) is kept for grey nets."""
    grey = Transformer({"data": (2, 1, H, W)})
    mean = picture(shape=(H, W))
    grey.set_mean("data", mean)

    assert grey.mean["data"] is mean


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mean_of_another_size_is_resized(transformer: Transformer, channels: int) -> None:
    """The whole mean is scaled to 0..1 by its own range, resized, and scaled back."""
    mean = picture(np.float64, (channels, 9, 4)) + 31.5
    transformer.set_mean("data", mean)

    kept = transformer.mean["data"]
    expected = resize_image(mean.transpose(1, 2, 0), (H, W)).transpose(2, 0, 1)
    assert kept.shape == (channels, H, W)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, expected, rtol=0, atol=1e-4)


def test_a_constant_mean_of_another_size_is_nan_with_a_warning(transformer: Transformer) -> None:
    """pycaffe divides by its range, 0; here a warning tells."""
    with pytest.warns(RuntimeWarning, match=r"one value only \(7\.0\).*NaN.*number per channel"):
        transformer.set_mean("data", np.full((3, 9, 4), 7.0))

    assert np.isnan(transformer.mean["data"]).all()
    assert transformer.mean["data"].shape == (3, H, W)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"Mean channels incompatible with input.*4 numbers.*3 channels"),
        ((1, 3, H, W), r"Mean shape invalid.*\(1, 3, 5, 7\).*take \[0\]"),
        ((H, W), r"Mean channels incompatible.*\(3, 5, 7\)"),
        ((4, H, W), r"Mean channels incompatible.*\(4, 5, 7\)"),
        ((4, 9, 8), r"Mean channels incompatible.*\(4, 9, 8\)"),
        ((), r"Mean shape invalid"),
    ],
)
def test_a_mean_that_does_not_fit_is_a_value_error(
    transformer: Transformer, shape: tuple[int, ...], message: str
) -> None:
    """The message begins with pycaffe's words and says what fits."""
    with pytest.raises(ShapeError, match=message):
        transformer.set_mean("data", np.zeros(shape))


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.preprocess("dota", picture()),
        lambda t: t.deprocess("dota", picture()),
        lambda t: t.set_mean("dota", np.zeros(3)),
        lambda t: t.set_transpose("dota", (2, 0, 1)),
        lambda t: t.set_channel_swap("dota", (2, 1, 0)),
        lambda t: t.set_raw_scale("dota", 1),
        lambda t: t.set_input_scale("dota", 1),
    ],
)
def test_an_unknown_input_is_named(transformer: Transformer, call) -> None:  # type: ignore[no-untyped-def]
    """Every method checks the name and offers the nearest."""
    with pytest.raises(UnknownBlobError, match="dota is not one of the net inputs.*mean 'data'"):
        call(transformer)


def test_orders_of_the_wrong_length_are_refused(transformer: Transformer) -> None:
    """pycaffe's words, and the order that is usually meant."""
    with pytest.raises(ParameterError, match=r"Transpose order.*3 for 'data', not 2.*\(2, 0, 1\)"):
        transformer.set_transpose("data", (1, 0))
    with pytest.raises(ParameterError, match=r"Channel swap.*3 for 'data', not 4.*\(2, 1, 0\)"):
        transformer.set_channel_swap("data", (3, 2, 1, 0))


@pytest.mark.parametrize("shape", [(H, W), (H + 1, W), (H, W, 1), (H, W, 2)])
def test_a_picture_that_does_not_fit_names_both_shapes(
    transformer: Transformer, shape: tuple[int, ...]
) -> None:
    """Grey pictures and two channels end in one message, whatever numpy stumbled over."""
    transformer.set_channel_swap("data", (2, 1, 0))

    with pytest.raises(ShapeError, match=r"input 'data' of shape \(2, 3, 5, 7\).*\n.*grey"):
        transformer.preprocess("data", np.zeros(shape, np.uint8))


def test_a_whole_batch_cannot_be_deprocessed(transformer: Transformer) -> None:
    """Two pictures at once do not fit the axis order of one."""
    with pytest.raises(ShapeError, match=r"\(2, 3, 5, 7\).*\n.*data\[0\]"):
        transformer.deprocess("data", np.zeros((2, 3, H, W), np.float32))


# -- the resize of 2015 ---------------------------------------------------------------------------


def slow_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return bilinear samples at pixel centres; beyond the border lies the image's minimum."""
    low = image.min()
    out = np.empty((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y = (i + 0.5) * image.shape[0] / height - 0.5
            x = (j + 0.5) * image.shape[1] / width - 0.5
            total = np.zeros(image.shape[2])
            for a in (int(np.floor(y)), int(np.floor(y)) + 1):
                for b in (int(np.floor(x)), int(np.floor(x)) + 1):
                    inside = 0 <= a < image.shape[0] and 0 <= b < image.shape[1]
                    value = image[a, b] if inside else low
                    total = total + (1 - abs(y - a)) * (1 - abs(x - b)) * value
            out[i, j] = total
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "dims"),
    [
        ((7, 5), (11, 13)),
        ((11, 13), (7, 5)),
        ((6, 4), (3, 17)),
        ((1, 9), (4, 2)),
        ((5, 7), (5, 7)),
        ((2, 3), (1, 1)),
    ],
)
def test_resize_matches_slow_loops(
    size: tuple[int, int], dims: tuple[int, int], channels: int
) -> None:
    """1 and 3 channels are sampled at pixel centres, without a low-pass when shrinking."""
    image = np.random.RandomState(5).uniform(-3, 9, (*size, channels)).astype(np.float32)

    result = resize_image(image, dims)

    assert result.dtype == np.float32
    np.testing.assert_allclose(result, slow_resize(image, *dims), rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_resize_of_a_constant_is_that_constant(channels: int) -> None:
    """No division by the range 0, and no dark border."""
    result = resize_image(np.full((4, 6, channels), 7.5), (9, 5))

    np.testing.assert_array_equal(result, np.full((9, 5, channels), 7.5, np.float32))


def test_resize_of_other_channel_counts_keeps_the_corner_pixels() -> None:
    """Two channels go through scipy's zoom: corners stay, the middle is linear in between."""
    image = np.zeros((2, 3, 2))
    image[1] = 8.0

    result = resize_image(image, (5, 3))

    np.testing.assert_allclose(result[:, 0, 1], [0, 2, 4, 6, 8], atol=1e-6)


def test_resize_does_not_change_its_input() -> None:
    """The picture is copied before it is scaled."""
    image = picture()
    resize_image(image, (3, 4))

    np.testing.assert_array_equal(image, picture())


@pytest.mark.parametrize(
    ("shape", "dims", "message"),
    [
        ((4, 6), (3, 3), r"shape \(4, 6\): give \(h, w, c\)"),
        ((0, 6, 3), (3, 3), r"shape \(0, 6, 3\).*with pixels"),
        ((4, 6, 3), (0, 3), r"resize to \(0, 3\)"),
        ((4, 6, 3), (3, 3, 3), r"resize to \(3, 3, 3\)"),
    ],
)
def test_resize_refuses(shape: tuple[int, ...], dims: tuple[int, ...], message: str) -> None:
    """Arrays that are no picture and sizes that are none end in a ShapeError."""
    with pytest.raises(ShapeError, match=message):
        resize_image(np.zeros(shape), dims)
