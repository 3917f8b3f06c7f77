"""Nets for people to look at: boxes, tables, diagrams."""

from __future__ import annotations

import itertools
import random
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from random_graphs import random_graph
from tiny import TINY, tiny_net

import deepdream
from deepdream.drawing import raster
from deepdream.drawing.boxes import boxes
from deepdream.drawing.diagram import _Sheet, draw
from deepdream.drawing.layout import Branches, Graph, name_groups, take_apart
from deepdream.drawing.table import table
from deepdream.errors import DeepDreamError, ParameterError, UnknownLayerError
from deepdream.models.load import load_graph
from deepdream.reading.proto import parse_prototxt
from deepdream.running.net import Net

MODELS = ["googlenet", "squeezenet_v1.1", "resnet50", "efficientnet_lite0", "vgg16"]

SVG = "{http://www.w3.org/2000/svg}"


def sheet(net, target=""):
    return _Sheet(net, boxes(net, fold_pointwise=True), target)


def corners(drawn):
    """Return left, upper, right and lower edge of every box."""
    return [
        (x - drawn.width / 2, y, x + drawn.width / 2, y + drawn.heights[number])
        for number, (x, y) in sorted(drawn.placed.at.items())
    ]


def overlaps(drawn):
    """Return pairs of boxes that overlap."""
    return [
        (a, b)
        for (a, p), (b, q) in itertools.combinations(enumerate(corners(drawn)), 2)
        if p[0] < q[2] and q[0] < p[2] and p[1] < q[3] and q[1] < p[3]
    ]


def crossings(drawn):
    """Return (line, box) where a line runs through a box that it does not belong to."""
    found = []
    for v, above in enumerate(drawn.graph.above):
        for u in above:
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", drawn._route(u, v))]
            points = list(zip(numbers[::2], numbers[1::2]))
            for (x1, y1), (x2, y2) in zip(points, points[1:]):
                left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
                found += [
                    ((u, v), number)
                    for number, box in enumerate(corners(drawn))
                    if box[0] < right and left < box[2] and box[1] < bottom and top < box[3]
                ]
    return found


# -- boxes ----------------------------------------------------------------------------------------


def test_boxes_fold_what_works_in_place_and_leave_splits_out():
    """A ReLU in place stands in its producer's box; a split is no box but a line."""
    net = tiny_net()
    made = boxes(net)
    names = [box.name for box in made]

    assert "a/relu_3x3" not in names
    assert not any(box.type == "Split" for box in made)
    conv = made[names.index("a/3x3")]
    assert [(layer.name, layer.type) for layer in conv.folded] == [("a/relu_3x3", "ReLU")]
    assert [names[n] for n in conv.reads] == ["a/3x3_reduce"]
    joined = made[names.index("a/output")]
    assert [names[n] for n in joined.reads] == ["a/1x1", "a/3x3", "a/pool"]
    assert conv.targets == ["a/3x3"]


def test_boxes_tell_what_layers_do():
    """Kernel, stride and padding in words; shape, stride and receptive field of the blob."""
    made = {box.name: box for box in boxes(tiny_net(), {"data": (1, 3, 61, 77)})}

    assert made["conv1"].words == "Convolution 5×5, stride 2"
    assert made["conv1"].pad == "pad 2"
    assert made["conv1"].shape == "6×31×39"
    assert made["pool1"].words == "Max pooling 3×3, stride 2"
    assert made["pool2"].words == "Average pooling 3×3, stride 2"
    assert (made["a/3x3"].stride, made["a/3x3"].field_of_view) == ("4", "17")
    assert made["fc"].shape == ""  # it cannot take this size
    assert {box.name: box for box in boxes(tiny_net())}["fc"].field_of_view == "all"


def test_pointwise_layers_fold_where_nothing_else_reads_between():
    """A Clip with a blob of its own joins its convolution's box; one that is shared does not."""
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "a" type: "Convolution" bottom: "x" top: "a"
      convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "b" type: "ReLU" bottom: "a" top: "b" }
    layer { name: "c" type: "Convolution" bottom: "b" top: "c"
      convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "d" type: "ReLU" bottom: "c" top: "d" }
    layer { name: "e" type: "Eltwise" bottom: "c" bottom: "d" top: "e" }"""
    made = boxes(Net(parse_prototxt(text), 1), fold_pointwise=True)

    assert [box.name for box in made] == ["x", "a", "c", "d", "e"]
    assert made[1].targets == ["a", "b"]
    assert [made[n].name for n in made[4].reads] == ["c", "d"]


def test_what_is_in_place_on_a_split_is_a_box_of_its_own():
    """It changes the blob for one reader only."""
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "a" type: "Convolution" bottom: "x" top: "a"
      convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "s" type: "Split" bottom: "a" top: "s1" top: "s2" }
    layer { name: "r" type: "ReLU" bottom: "s1" top: "s1" }
    layer { name: "e" type: "Eltwise" bottom: "s1" bottom: "s2" top: "e" }"""
    made = boxes(Net(parse_prototxt(text), 1))

    assert [box.name for box in made] == ["x", "a", "r", "e"]
    assert [made[n].name for n in made[3].reads] == ["a", "r"]


def test_another_kind_of_net_is_refused():
    """What is no net of ours has nothing that could be drawn."""
    with pytest.raises(ParameterError, match="load_net"):
        draw(object())


# -- layout ---------------------------------------------------------------------------------------


def test_a_net_is_taken_apart_into_columns_and_branches():
    """A knot, three branches of one or two boxes, a line past a column, and a knot."""
    #      0 -> 1 -> 3 -> 4 -> (5 -> 6 | direct) -> 7
    #        -> 2 ------>
    column = take_apart(Graph([[], [0], [0], [1], [2, 3], [4], [5], [4, 6]]))

    kinds = [part if isinstance(part, int) else type(part).__name__ for part in column.parts]
    assert kinds == [0, "Branches", 4, "Branches", 7]
    first, second = column.parts[1], column.parts[3]
    assert isinstance(first, Branches)
    assert isinstance(second, Branches)
    assert [inner.parts for inner in first.columns] == [[1, 3], [2]]
    assert not first.through
    assert [inner.parts for inner in second.columns] == [[5, 6]]
    assert second.through


def test_blocks_are_named_by_slashes_or_by_what_names_begin_with():
    """GoogLeNet's way and ResNet's way."""
    graph = Graph([[], [0], [0], [1, 2], [3], [4, 3]])
    slashes = ["data", "a/1x1", "a/3x3", "a/output", "fc", "sum"]
    letters = ["data", "res2a_branch1", "res2a_branch2", "res2a", "fc", "prob"]

    assert name_groups(take_apart(graph), slashes) == ["", "a", "a", "a", "", ""]
    assert name_groups(take_apart(graph), letters) == ["", "res2a", "res2a", "res2a", "", ""]


@pytest.mark.parametrize("model", MODELS)
def test_boxes_do_not_overlap_and_lines_run_between_them(model):
    """In the nets of the registry no line touches a box but its own two."""
    drawn = sheet(load_graph(model))

    assert sorted(drawn.placed.at) == list(range(len(drawn.boxes)))
    assert not drawn.placed.loose
    assert overlaps(drawn) == []
    assert crossings(drawn) == []


def test_inception_branches_stand_side_by_side():
    """Four columns: their last boxes on one level, the concat below, in the middle."""
    drawn = sheet(load_graph("googlenet"))
    at = {box.name: drawn.placed.at[n] for n, box in enumerate(drawn.boxes)}
    last = [at[f"inception_3a/{name}"] for name in ("1x1", "3x3", "5x5", "pool_proj")]
    output = at["inception_3a/output"]

    assert len({x for x, _ in last}) == 4
    assert [x for x, _ in last] == sorted(x for x, _ in last)
    assert len({y for _, y in last}) == 1
    assert output[1] > last[0][1]
    assert output[0] == pytest.approx(sum(x for x, _ in last) / 4)
    assert at["inception_3a/3x3_reduce"][0] == at["inception_3a/3x3"][0]


@pytest.mark.parametrize("seed", range(25))
def test_any_net_can_be_drawn(seed):
    """Random nets: every box has its place, nothing overlaps, lines go down, the SVG is sound."""
    net = Net(parse_prototxt(random_graph(random.Random(seed)).text), 1)
    drawn = sheet(net)

    assert sorted(drawn.placed.at) == list(range(len(drawn.boxes)))
    assert overlaps(drawn) == []
    for v, above in enumerate(drawn.graph.above):
        assert all(drawn.bottom(u)[1] < drawn.top(v)[1] for u in above)
    ElementTree.fromstring(draw(net).svg)


# -- diagram --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_is_in_the_drawing_once(model):
    """Names, or types of what is folded; one box each, and everything inside the canvas."""
    net = load_graph(model)
    drawing = draw(net)
    root = ElementTree.fromstring(drawing.svg)
    texts = list(root.iter(f"{SVG}text"))
    names = [text.text for text in texts if "monospace" in text.get("font-family", "")]

    assert names == [box.name for box in boxes(net, fold_pointwise=True)]
    assert sum(text.text == "target" for text in texts) == 1
    assert (root.get("width"), root.get("height")) == (str(drawing.width), str(drawing.height))
    drawn = sheet(net)
    half = drawing.width / 2
    assert all(-half < left and right < half for left, _, right, _ in corners(drawn))


def test_the_target_is_marked_and_what_does_not_lead_to_it_is_pale():
    """The boxes after the target, and the branches beside it, are pale; those before are not."""
    drawn = sheet(tiny_net(), "a/3x3")
    leads = {drawn.boxes[n].name for n in drawn.leads}

    assert leads == {"data", "conv1", "pool1", "norm1", "a/3x3_reduce", "a/3x3"}
    svg = draw(tiny_net(), "a/3x3").svg
    assert "target: a/3x3; pale layers do not lead to it" in svg
    assert ">target<" not in draw(tiny_net()).svg  # nothing is recommended for a net of one's own


@pytest.mark.parametrize(
    ("end", "message"), [("a/3x4", "Did you mean 'a/3x3'"), ("a/relu_3x3", "end='a/3x3'")]
)
def test_a_target_must_be_a_blob(end, message):
    """A misspelt name and a layer in place are answered with what to use."""
    with pytest.raises(UnknownLayerError, match=message):
        draw(tiny_net(), end)


def test_a_drawing_is_the_same_each_time_and_runs_nothing(tmp_path):
    """Two drawings are equal bytes, without scripts, styles for the page, or things to load."""
    first, second = draw(load_graph("squeezenet")), draw(load_graph("squeezenet"))
    path = tmp_path / "net.svg"
    first.save(path)

    assert first.svg == second.svg
    assert first.svg in path.read_text("utf-8")
    assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"
    assert not re.search(r"<script|<style|\bon\w+=|href|url\(|<image", first.svg)
    with pytest.raises(DeepDreamError, match=r"name the file \.svg or \.png"):
        first.save(tmp_path / "net.pdf")


@pytest.mark.parametrize("fonts", ["the system's", "none"])
def test_a_drawing_as_pixels(tmp_path, monkeypatch, fonts):
    """draw(net).save("x.png"): twice as large, each box in its colour with words inside."""
    if fonts == "none":  # then Pillow's own is used
        monkeypatch.setattr(raster, "_FONTS", dict.fromkeys(raster._FONTS, ("no such.ttf",)))
    path = tmp_path / "x.png"
    net = load_graph("googlenet")
    drawing = draw(net, "inception_3b/output")
    drawing.save(path)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)

    assert pixels.shape == (2 * drawing.height, 2 * drawing.width, 3)
    root = ElementTree.fromstring(drawing.svg)
    moved = next(g for g in root.iter(f"{SVG}g") if "transform" in g.attrib)
    dx, dy = (float(n) for n in re.findall(r"[-\d.]+", moved.get("transform")))
    groups = [g for g in moved.iter(f"{SVG}g") if g is not moved]
    assert len(groups) == len(boxes(net, fold_pointwise=True))
    for group in groups:
        box = next(group.iter(f"{SVG}rect"))
        x, y, w, h = (2 * float(box.get(name)) for name in ("x", "y", "width", "height"))
        left, top = round(x + 2 * dx), round(y + 2 * dy)
        inside = pixels[top + 6 : top + round(h) - 6, left + 6 : left + round(w) - 6]
        fill = [int(box.get("fill")[i : i + 2], 16) for i in (1, 3, 5)]
        assert (inside[:, :4] == fill).all(-1).mean() > 0.9
        lines = inside.sum(-1).min(1) < sum(fill) - 150  # rows of pixels that cross a word
        starts = (lines[1:] & ~lines[:-1]).sum() + lines[0]
        assert starts >= sum(1 for _ in group.iter(f"{SVG}text")) - (box.get("stroke-width") == "3")


@pytest.mark.parametrize(
    ("path", "points"),
    [
        ("M1 2L3 -4.5H7", [(1, 2), (3, -4.5), (7, -4.5)]),
        ("M0 0Q4 0 4 8", [(4 * (1 - (1 - t) ** 2), 8 * t**2) for t in np.arange(9) / 8]),
        ("M1 0C1 5 3 5 3 9", [((1 - t) ** 3 + 3 * t * (1 - t) ** 2 + 9 * t**2 * (1 - t) + 3 * t**3,
                               15 * t * (1 - t) + 9 * t**3) for t in np.arange(9) / 8]),
    ],
)  # fmt: skip
def test_paths_as_points(path, points):
    """Straight lines by their ends, curves by Bernstein's polynomials."""
    np.testing.assert_allclose(list(raster._points(path)), points, atol=1e-9)


def test_names_are_escaped():
    """A layer's name is text, whatever is in it, in diagrams and in tables."""
    rude = TINY.replace("a/3x3_reduce", "<script>alert(1)</script>&")
    net = Net(parse_prototxt(rude), 1)

    ElementTree.fromstring(draw(net).svg)
    for page in (draw(net).svg, table(net)):
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in page


def test_draw_is_public():
    """deepdream.draw is this function."""
    assert deepdream.draw is draw


# -- table ----------------------------------------------------------------------------------------


def test_a_net_shows_itself_as_a_table():
    """A row for each box, with its numbers; no script, and colours of the page."""
    net = tiny_net()
    page = net._repr_html_()
    rows = re.findall(r"<tr.*?</tr>", page)

    assert len(rows) == 1 + len(boxes(net))
    row = next(row for row in rows if ">a/3x3<" in row)
    assert "Convolution 3×3" in row
    assert "+ ReLU" in row
    assert ">7×7×9<" in row
    assert ">4<" in row
    assert ">17<" in row
    assert page.count("<details") == 1
    assert "<script" not in page
    assert not re.search(r"(?<!-)\bcolor:\s*#", page)


def test_the_recommended_layer_is_marked_in_the_table():
    """One row, with what it looks like."""
    page = table(load_graph())

    assert page.count('class="target"') == 1
    marked = re.search(r'<tr class="target" style="background.*?</tr>', page)
    assert marked is not None
    assert "block10/output" in marked.group()
    assert "★" in marked.group() or "&#9733;" in marked.group()


@pytest.mark.parametrize(("name", "header"), [("mine", None), ("inception_4c/output", " ")])
def test_nothing_is_told_of_what_a_net_of_one_s_own_looks_like(name, header):
    """No column without words; where a layer is recommended by its name, a star is all."""
    page = table(Net(parse_prototxt(TINY.replace("a/3x3_reduce", name)), 1))
    rows = re.findall(r"<tr.*?</tr>", page)

    assert "looks like" not in page
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {5 if header is None else 6}
    assert ("&#9733;" in page) == (header is not None)
    assert "looks like" in table(load_graph())
