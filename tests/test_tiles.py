"""Tiles: the sum of their gradients is the gradient of the whole picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny import tiny_net

from deepdream.errors import OutOfMemoryError, ShapeError, UnknownLayerError
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.geometry import views
from deepdream.running.net import Net
from deepdream.running.tiles import ALIGN, choose_tiles, needed, reach

GOOGLENET = Path(__file__).parents[1] / "prototxt" / "googlenet" / "deploy.prototxt"
TEST = 1


# -- random nets ----------------------------------------------------------------------------------


class Writer:
    """Writes a prototxt whose blob `top` can be read on."""

    def __init__(self) -> None:
        self.text = (
            'layer { name: "data" type: "Input" top: "data" '
            "input_param { shape { dim: 1 dim: 3 dim: 160 dim: 170 } } }\n"
        )
        self.top = "data"
        self.count = 0

    def add(self, kind: str, body: str = "", *bottoms: str, in_place: bool = False) -> str:
        """Append a layer that reads `bottoms` (else `top`), and return its top."""
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        bottoms = bottoms or (self.top,)
        self.top = bottoms[0] if in_place else name
        reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        self.text += f'layer {{ name: "{name}" type: "{kind}" {reads} top: "{self.top}" {body} }}\n'
        self.last = name
        return self.top

    def conv(self, outputs: int, settings: str, *bottoms: str) -> str:
        """Append a convolution."""
        body = f"convolution_param {{ num_output: {outputs} {settings} }}"
        return self.add("Convolution", body, *bottoms)

    def pool(self, settings: str, *bottoms: str) -> str:
        """Append a pooling."""
        return self.add("Pooling", f"pooling_param {{ {settings} }}", *bottoms)


def kernel(draw, most: int = 5) -> str:
    """Draw kernel, stride and pad of a convolution; also pads wider than half the kernel."""
    sizes = [draw(st.integers(1, most)) for _ in "hw"]
    steps = [draw(st.sampled_from([1, 1, 2, 3])) for _ in "hw"]
    pads = [draw(st.integers(0, size)) for size in sizes]
    text = "".join(f" kernel_{axis}: {size}" for axis, size in zip("hw", sizes))
    text += "".join(f" stride_{axis}: {step}" for axis, step in zip("hw", steps))
    return text + "".join(f" pad_{axis}: {pad}" for axis, pad in zip("hw", pads))


def pooling(draw) -> str:
    """Draw a pooling: maximum or average, with and without pad, rounding up or down."""
    size = draw(st.integers(1, 4))
    return (
        f"pool: {draw(st.sampled_from(['MAX', 'AVE']))} kernel_size: {size} "
        f"stride: {draw(st.integers(1, 3))} pad: {draw(st.integers(0, size - 1))} "
        f"round_mode: {draw(st.sampled_from(['CEIL', 'CEIL', 'FLOOR']))}"
    )


def branches(net: Writer, draw) -> None:
    """Append branches of different reach, and join them."""
    begin = net.top
    parts = [net.conv(4, "kernel_size: 1", begin), net.conv(4, "kernel_size: 3 pad: 1", begin)]
    parts.append(net.conv(4, "kernel_size: 3 pad: 2 dilation: 2", begin))
    if draw(st.booleans()):
        net.pool("kernel_size: 3 stride: 1 pad: 1", begin)
        net.add("ReLU", in_place=True)
        parts.append(net.conv(4, "kernel_size: 1"))
    how = draw(st.sampled_from(["Concat", "SUM", "MAX", "PROD"]))
    if how == "Concat":
        net.add("Concat", "", *parts)
    else:
        net.add("Eltwise", f"eltwise_param {{ operation: {how} }}", *parts)


def reduction(net: Writer, draw) -> None:
    """Append two branches that halve the size, and join them."""
    begin = net.top
    left = net.conv(4, "kernel_size: 3 stride: 2 pad: 1", begin)
    right = net.pool("kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR", begin)
    net.add("Concat", "", left, right)


def residual(net: Writer, draw) -> None:
    """Append a convolution without padding, and add what lies in the middle of its bottom."""
    begin = net.top
    like = net.conv(5, "kernel_h: 5 kernel_w: 3", begin)
    same = net.conv(5, "kernel_size: 1", begin)
    cut = net.add("Crop", "crop_param { axis: 2 offset: 2 offset: 1 }", same, like)
    net.add("Eltwise", "", like, cut)


def one_layer(net: Writer, draw) -> None:
    """Append a convolution, a pooling, or something that keeps the size."""
    kind = draw(st.sampled_from(["conv", "conv", "pool", "across", "within", "scale", "elu"]))
    if kind == "conv":
        net.conv(draw(st.integers(3, 6)), kernel(draw))
        net.add("ReLU", in_place=True)
    elif kind == "pool":
        net.pool(pooling(draw))
    elif kind in ("across", "within"):
        region = "ACROSS_CHANNELS" if kind == "across" else "WITHIN_CHANNEL"
        net.add("LRN", f"lrn_param {{ local_size: 3 alpha: 0.9 norm_region: {region} }}")
    elif kind == "scale":
        net.add("Scale", "scale_param { bias_term: true }")
    else:
        net.add("ELU")


@st.composite
def nets(draw):
    """Draw a net of some layers and blocks, in float64, and its last layer."""
    net = Writer()
    net.conv(5, kernel(draw))
    blocks = st.sampled_from([one_layer, one_layer, one_layer, branches, reduction, residual])
    for _ in range(draw(st.integers(1, 4))):
        draw(blocks)(net, draw)
    built = Net(parse_prototxt(net.text), TEST, force_backward=True, dtype=np.float64)
    seed_weights(built, draw(st.integers(0, 99)))
    return built, net.last


def picture_size(draw, net, end: str) -> tuple[int, int]:
    """Draw a size of several tiles."""
    stride, before, after = reach(net, end, (160, 170))
    return tuple(
        before[axis] + after[axis] + ALIGN * stride[axis] * draw(st.integers(1, 3))
        + draw(st.integers(1, ALIGN * stride[axis]))
        for axis in (0, 1)
    )  # fmt: skip


# -- gradients ------------------------------------------------------------------------------------


def l2(dst) -> None:
    """Let grow what is there."""
    dst.diff[...] = dst.data


def guide(channels: int):
    """Return an objective like a guide: at each position the best match of some columns."""
    columns = np.random.RandomState(7).standard_normal((channels, 11))

    def objective(dst) -> None:
        x = dst.data[0].reshape(channels, -1)
        dst.diff[0].reshape(channels, -1)[:] = columns[:, x.T.dot(columns).argmax(1)]

    return objective


def run(net, end: str, picture: np.ndarray):
    """Run forward and return the target blob."""
    source = net.blobs["data"]
    source.reshape(*picture.shape)
    source.data[...] = picture
    net.forward(end=end)
    target = net.blobs[end if end in net.top_names[end] else net.top_names[end][0]]
    for blob in net.blobs.values():
        blob.diff[...] = 0
    return target


def whole_gradient(net, end: str, picture: np.ndarray, objective) -> np.ndarray:
    """Return the gradient of the objective in one piece."""
    objective(run(net, end, picture))
    net.backward(start=end)
    return net.blobs["data"].diff.copy()


def tiled_gradient(net, end: str, picture: np.ndarray, objective, tiles) -> np.ndarray:
    """Return the sum of the tiles' gradients, each of the objective at the tile's positions."""
    total = np.zeros_like(picture)
    for tile in tiles:
        target = run(net, end, tile.cut(picture))
        objective(target)
        tile.restrict(target.diff)
        net.backward(start=end)
        tile.cut(total)[...] += net.blobs["data"].diff
    return total


def area(height: int, width: int) -> int:
    """A memory that is the number of pixels."""
    return height * width


def random_picture(size: tuple[int, int], seed: int = 0, dtype=np.float64) -> np.ndarray:
    """Return a picture of noise."""
    return np.random.RandomState(seed).uniform(-120, 130, (1, 3, *size)).astype(dtype)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the relative L2 distance."""
    assert np.linalg.norm(b) > 0
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def smallest_tiles(net, end: str, size: tuple[int, int]):
    """Return the tiles with the smallest crops there are."""
    low, high = 0, area(*size)  # too little, enough
    while high - low > 1:
        middle = (low + high) // 2
        try:
            choose_tiles(net, end, size, area, middle)
            high = middle
        except OutOfMemoryError:
            low = middle
    return choose_tiles(net, end, size, area, high)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_nets(data):
    """Values, gradients of two objectives, and an objective that needs the whole target."""
    net, end = data.draw(nets())
    size = picture_size(data.draw, net, end)
    picture = random_picture(size)
    tiles = smallest_tiles(net, end, size)
    target = run(net, end, picture)
    values = target.data.copy()
    assume(np.abs(values).max() < 1e50)  # products of products, or windows without any pixel
    collected = np.full_like(values, np.nan)
    for tile in tiles:
        tile.gather(run(net, end, tile.cut(picture)).data, collected)
    np.testing.assert_allclose(collected, values, rtol=1e-9, atol=1e-9 * np.abs(values).max())

    for objective in (l2, guide(values.shape[1])):
        whole = whole_gradient(net, end, picture, objective)
        if whole.any():  # a random net may have died
            assert distance(tiled_gradient(net, end, picture, objective, tiles), whole) < 1e-10

    # any objective of the whole target: forward twice
    total, asked = np.zeros_like(picture), collected * collected.mean() + 1
    for tile in tiles:
        part = run(net, end, tile.cut(picture))
        tile.scatter(asked, part.diff)
        net.backward(start=end)
        tile.cut(total)[...] += net.blobs["data"].diff
    target = run(net, end, picture)
    target.diff[...] = asked
    net.backward(start=end)
    whole = net.blobs["data"].diff
    assert np.linalg.norm(total - whole) <= 1e-10 * np.linalg.norm(whole)


@pytest.mark.parametrize("objective", [l2, guide(256)], ids=["l2", "guide"])
def test_googlenet(objective):
    """An inception block of GoogLeNet, at sizes that no stride divides."""
    net = Net(GOOGLENET, TEST, force_backward=True, dtype=np.float64, param_diffs=False)
    seed_weights(net)
    end, size = "inception_3a/output", (187, 231)
    picture = random_picture(size)
    tiles = choose_tiles(net, end, size, area, 21_000)
    assert len({tile.crop[0].start for tile in tiles}) > 1
    assert len({tile.crop[1].start for tile in tiles}) > 1
    assert len({tile.size for tile in tiles}) == 1

    whole = whole_gradient(net, end, picture, objective)
    assert distance(tiled_gradient(net, end, picture, objective, tiles), whole) < 1e-10


@pytest.mark.parametrize("end", ["conv1", "norm1", "a/output", "pool2"])
def test_float32(end):
    """In float32 the sum is the whole to rounding."""
    net = tiny_net()
    size = (211, 263)
    picture = random_picture(size, dtype=np.float32)
    tiles = choose_tiles(net, end, size, area, area(*size) // 3)
    assert len(tiles) > 3

    whole = whole_gradient(net, end, picture, l2)
    assert distance(tiled_gradient(net, end, picture, l2, tiles), whole) < 1e-5


def test_a_reach_that_is_too_short_shows():
    """With one stride less of overlap the sum is another: the comparison can fail."""
    net = tiny_net(dtype=np.float64)
    size, end = (101, 117), "a/output"
    picture = random_picture(size)
    whole = whole_gradient(net, end, picture, l2)
    tiles = smallest_tiles(net, end, size)
    assert distance(tiled_gradient(net, end, picture, l2, tiles), whole) < 1e-10

    stride = reach(net, end, size).stride[0]
    short = []
    for tile in tiles:
        rows, columns = tile.crop
        if rows.stop < size[0]:
            rows = slice(rows.start, tile.own[0].stop * stride + 1)
        short.append(type(tile)((rows, columns), tile.own, tile.inner))
    assert distance(tiled_gradient(net, end, picture, l2, short), whole) > 1e-4


# -- geometry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(101, 117), (257, 94), (600, 801)])
@pytest.mark.parametrize("end", ["conv1", "pool1", "a/3x3", "a/output", "pool2"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_each_position_belongs_to_one_tile(end, size, share):
    """Crops of one size, inside the picture, at whole strides; positions are shared out."""
    net = tiny_net()
    shape = net.infer_shapes({"data": (1, 3, *size)}, end)[end]
    try:
        tiles = choose_tiles(net, end, size, area, int(share * area(*size)))
    except OutOfMemoryError:
        assert size == (101, 117) or share == 0.2 and min(size) < 100
        return
    assert len(tiles) > 1
    assert len({tile.size for tile in tiles}) == 1
    seen = np.zeros(shape[2:], int)
    stride = reach(net, end, size).stride
    for tile in tiles:
        seen[tile.own] += 1
        inner = net.infer_shapes({"data": (1, 3, *tile.size)}, end)[end][2:]
        needs = needed(net, end, size, *((own.start, own.stop) for own in tile.own))
        for axis in (0, 1):
            crop, own, here = tile.crop[axis], tile.own[axis], tile.inner[axis]
            assert 0 <= crop.start <= needs[axis].start < needs[axis].stop <= crop.stop
            assert crop.stop <= size[axis]
            assert crop.start % (ALIGN * stride[axis]) == 0
            assert own.start - crop.start // stride[axis] == here.start
            assert own.stop - own.start == here.stop - here.start > 0
            assert here.stop <= inner[axis]
    assert (seen == 1).all()


def test_reach_is_the_field():
    """Before and after a position lie as many pixels as its receptive field has."""
    net = tiny_net()
    for end in ("conv1", "pool1", "a/1x1", "a/3x3", "a/output", "pool2"):
        stride, before, after = reach(net, end, (101, 117))
        view = views(net)[end]
        assert stride == view.stride
        assert tuple(b + a + 1 for b, a in zip(before, after)) == view.field


def test_needed_by_hand():
    """conv1: 5x5, stride 2, pad 2; pool1: 3x3, stride 2; cut off at the picture's borders."""
    net = tiny_net()

    assert needed(net, "conv1", (101, 117), (10, 12), (0, 1)) == (slice(18, 25), slice(0, 3))
    assert needed(net, "pool1", (101, 117), (0, 1), (3, 7)) == (slice(0, 7), slice(10, 31))
    assert needed(net, "conv1", (101, 117), (50, 51), (58, 59)) == (slice(98, 101), slice(114, 117))


def test_pixels_outside_of_what_is_needed_do_not_matter():
    """Other pixels there leave the positions as they are; inside they do not."""
    net = tiny_net(dtype=np.float64)
    size, end, own = (101, 117), "a/output", (..., slice(7, 9), slice(3, 8))
    picture = random_picture(size)
    before = run(net, end, picture).data[own].copy()
    place = (..., *needed(net, end, size, (7, 9), (3, 8)))
    other = random_picture(size, seed=1)
    other[place] = picture[place]
    np.testing.assert_allclose(run(net, end, other).data[own], before, rtol=1e-12)

    for shrunk in (slice(1, None), slice(None, -1)):
        other = random_picture(size, seed=1)
        other[place][..., shrunk, :] = picture[place][..., shrunk, :]
        assert not np.allclose(run(net, end, other).data[own], before)


def test_restrict_keeps_own_positions():
    """Outside it is zero, inside as it was."""
    net = tiny_net()
    tiles = choose_tiles(net, "pool1", (211, 263), area, 9000)
    tile = tiles[len(tiles) // 2]
    shape = net.infer_shapes({"data": (1, 3, *tile.size)}, "pool1")["pool1"]
    diff = np.random.RandomState(0).uniform(1, 2, shape)
    kept, number = diff[(..., *tile.inner)].copy(), diff.size

    tile.restrict(diff)
    np.testing.assert_array_equal(diff[(..., *tile.inner)], kept)
    assert np.count_nonzero(diff) == kept.size < number


# -- choosing -------------------------------------------------------------------------------------


def test_a_picture_that_fits_is_one_tile():
    """The whole picture, also for ends that cannot be tiled."""
    (tile,) = choose_tiles(tiny_net(), "a/output", (29, 37), area, 29 * 37)
    assert (tile.crop, tile.size) == ((slice(0, 29), slice(0, 37)), (29, 37))
    assert tile.own == tile.inner == (slice(0, 7), slice(0, 9))

    (tile,) = choose_tiles(tiny_net(), "fc", (29, 37), area, 29 * 37)
    assert tile.size == (29, 37)


def test_crops_fit_and_more_memory_never_costs_more():
    """Every crop is within the limit; the sum of areas shrinks as the limit grows."""
    net, size = tiny_net(), (600, 801)
    costs = []
    for limit in (20_000, 40_000, 80_000, 160_000, 320_000, 480_600):
        tiles = choose_tiles(net, "pool2", size, area, limit)
        assert max(area(*tile.size) for tile in tiles) <= limit
        costs.append(sum(area(*tile.size) for tile in tiles))
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == area(*size)
    assert costs[0] < 1.6 * area(*size)


def test_few_calls():
    """For a large picture memory is asked for a few times, though there are many ways to cut."""
    net, size, calls = tiny_net(), (4608, 8192), []

    def memory_of(height: int, width: int) -> int:
        calls.append((height, width))
        return 50_000_000 + 420 * height * width

    limit = 1_000_000_000
    tiles = choose_tiles(net, "pool2", size, memory_of, limit)
    assert memory_of(*tiles[0].size) <= limit
    assert len(calls) < 12
    assert sum(area(*tile.size) for tile in tiles) < 1.05 * area(*size)


def test_the_same_tiles_by_trying_all():
    """No other crop size is cheaper."""
    net, size, limit = tiny_net(), (301, 413), 30_000
    found = choose_tiles(net, "a/output", size, area, limit)
    cost = len(found) * area(*found[0].size)
    stride, before, after = reach(net, "a/output", size)
    best = area(*size) * 100
    grain = ALIGN * stride[0]
    for h in range(size[0] % grain, size[0] + 1, grain):
        for w in range(size[1] % grain, size[1] + 1, grain):
            counts = []
            for axis, crop in ((0, h), (1, w)):
                inside = (crop - before[axis] - after[axis]) // grain
                room = (size[axis] - crop) // grain
                counts.append(1 if room == 0 else 1 - -room // inside if inside > 0 else 0)
            if 0 not in counts and h * w <= limit:
                best = min(best, counts[0] * counts[1] * h * w)
    assert cost <= best


def test_too_little_memory():
    """The message tells what the whole and the smallest part need."""
    net = tiny_net()
    with pytest.raises(OutOfMemoryError) as error:
        choose_tiles(net, "pool2", (600, 801), lambda h, w: 1000 * h * w, 2**20)
    message = str(error.value)
    assert "a 801 x 600 picture at 'pool2' needs 458 MiB of memory, 1.0 MiB may be used" in message
    assert "the smallest part of it needs" in message
    assert "max_memory" in message

    low, high = 2**20, 2**29
    while high - low > 1:
        middle = (low + high) // 2
        try:
            choose_tiles(net, "pool2", (600, 801), lambda h, w: 1000 * h * w, middle)
            high = middle
        except OutOfMemoryError:
            low = middle
    assert f"{high / 2**20:.1f} MiB" in message


# -- what cannot be tiled -------------------------------------------------------------------------

HEAD = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 24 dim: 36 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
"""


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ('type: "InnerProduct" inner_product_param { num_output: 5 }', "sees the whole picture"),
        ('type: "Pooling" pooling_param { pool: AVE global_pooling: true }', "sees the whole"),
        ('type: "MVN"', "sees the whole picture"),
        ('type: "Softmax" softmax_param { axis: 3 }', "sees the whole picture"),
        ('type: "Flatten"', "sees the whole picture"),
        ('type: "Concat" bottom: "conv" concat_param { axis: 2 }', "does not grow with"),
        ('type: "Slice" top: "b" slice_param { axis: 3 slice_point: 5 }', "does not grow with"),
        ('type: "Scale" scale_param { axis: 2 }', "one size only"),
    ],
)
def test_what_sees_the_whole_is_refused(layers, message):
    """The message names the layer and says what to do."""
    top = 'name: "last" bottom: "conv" top: "last"'
    net = Net(parse_prototxt(HEAD + f"layer {{ {top} {layers} }}"), TEST)

    with pytest.raises(ShapeError, match=message) as error:
        reach(net, "last", (24, 36))
    assert "layer 'last'" in str(error.value)
    assert "choose an end before" in str(error.value)
    with pytest.raises(OutOfMemoryError, match=r"36 x 24 (?s:.*)layer 'last'(?s:.*)max_memory"):
        choose_tiles(net, "last", (24, 36), area, 100)
    assert reach(net, "conv", (24, 36)).stride == (1, 1)


def test_unequal_strides_are_refused():
    """Branches that only happen to have one size cannot be cut alike."""
    text = (
        HEAD
        + """
layer { name: "fast" type: "Convolution" bottom: "conv" top: "fast"
  convolution_param { num_output: 4 kernel_size: 1 stride: 24 } }
layer { name: "slow" type: "Convolution" bottom: "conv" top: "slow"
  convolution_param { num_output: 4 kernel_h: 24 kernel_w: 35 } }
layer { name: "sum" type: "Eltwise" bottom: "fast" bottom: "slow" top: "sum" }
"""
    )
    net = Net(parse_prototxt(text), TEST)

    with pytest.raises(ShapeError, match=r"layer 'sum' \(Eltwise\) joins blobs of different strid"):
        reach(net, "sum", (24, 36))


def test_places_of_maxima_are_refused():
    """A pooling's second top counts from the corner of the picture; the first alone is fine."""
    text = (
        HEAD
        + """
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" top: "places"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "pool" bottom: "places" top: "sum" }
"""
    )
    net = Net(parse_prototxt(text), TEST)

    assert reach(net, "pool", (24, 36)).stride == (2, 2)
    with pytest.raises(ShapeError, match=r"layer 'pool' \(Pooling\) tells places"):
        reach(net, "sum", (24, 36))


def test_side_branches_do_not_count():
    """What the target does not depend on may see the whole picture and take one size only."""
    text = (
        HEAD
        + """
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "next" type: "Convolution" bottom: "conv" top: "next"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
"""
    )
    net = Net(parse_prototxt(text), TEST)

    assert reach(net, "next", (240, 361)) == ((2, 2), (1, 1), (3, 3))
    assert len(choose_tiles(net, "next", (240, 361), area, 9000)) > 9


def test_constants_may_join():
    """A scale from a blob that does not depend on the picture is the same in every crop."""
    text = (
        HEAD
        + """
layer { name: "one" type: "DummyData" top: "one"
  dummy_data_param { shape { dim: 1 dim: 4 } data_filler { type: "constant" value: 2 } } }
layer { name: "scaled" type: "Scale" bottom: "conv" bottom: "one" top: "scaled"
  scale_param { axis: 0 } }
"""
    )
    net = Net(parse_prototxt(text), TEST)

    assert reach(net, "scaled", (24, 36)) == ((1, 1), (1, 1), (1, 1))
    with pytest.raises(ShapeError, match="'one' does not depend on 'data'"):
        reach(net, "one", (24, 36))


def test_unknown_layers_are_named():
    """A name that is no layer is refused as everywhere."""
    with pytest.raises(UnknownLayerError, match="conv9"):
        reach(tiny_net(), "conv9", (101, 117))
