"""Dreams of every size in nets that take some sizes only."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tiny import write_tiny
from uneven import FIXED, RARE, SMOOTH, UNEVEN, branches, head, inner_product, smooth, uneven_net

import deepdream
from deepdream.cli import main
from deepdream.dreaming.ascent import plan_source
from deepdream.dreaming.ascent.plan_source import PlanSource, plan_for
from deepdream.dreaming.ascent.pulls import Pull
from deepdream.dreaming.objectives import objective_L2
from deepdream.dreaming.pictures.borders import Canvas
from deepdream.dreaming.pictures.fitting import SizeWarning
from deepdream.errors import ShapeError
from deepdream.galleries.make import write_gallery
from deepdream.galleries.page import PAGE
from deepdream.running.geometry import views


def picture(h, w, seed=0):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


def octaves_of(net, img, end, **options):
    """Dream, and return the octaves' sizes, the notes, and the dream."""
    seen = []
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        out = deepdream.dream(net, img, end, seed=1, on_step=lambda s: seen.append(s.size),
                              **{"iter_n": 1, **options})  # fmt: skip
    return list(dict.fromkeys(seen)), [str(note.message) for note in notes], out


# -- all octaves ----------------------------------------------------------------------------------

SIZES = {
    (256, 256): [(94, 94), (131, 131), (183, 183), (256, 256)],
    (180, 320): [(66, 117), (92, 164), (129, 229), (180, 320)],
    (225, 225): [(82, 82), (115, 115), (161, 161), (225, 225)],
    (575, 800): [(210, 291), (294, 408), (411, 571), (575, 800)],
}


@pytest.mark.parametrize("border", ["roll", "reflect", "edge"])
@pytest.mark.parametrize("size", SIZES)
def test_all_octaves_at_their_own_sizes(size, border):
    """Whatever the net takes, and with one note on those that go through it continued."""
    sizes, notes, out = octaves_of(uneven_net(), picture(*size), "cat1", border=border)

    assert sizes == SIZES[size]
    assert out.shape == (*size, 3)
    assert np.abs(out - picture(*size)).mean() > 1
    assert len(notes) == 1
    if border == "roll":
        odd = [s for s in sizes if s[0] % 2 or s[1] % 2]
        assert notes[0].startswith(f"'cat1' takes some sizes only: {len(odd)} of 4 octaves (")
        for h, w in odd:
            assert f"{w}x{h} as {w + w % 2}x{h + h % 2}" in notes[0]
        assert notes[0].endswith(" go through the net continued beyond the right and lower border")
    else:
        assert notes[0].endswith(" through the net with a wider margin on the right and below")
    # Before the branches meet every size fits.
    for end in ("a1", "p1"):
        before, notes, _ = octaves_of(uneven_net(), picture(*size), end, border=border)
        assert before == sizes
        assert notes == []


def test_rare_sizes_have_all_octaves_too():
    """Also where one side in 32 fits; sides of fewer pixels than that are no reason."""
    sizes, notes, _ = octaves_of(uneven_net(RARE), picture(97, 130), "cat5", octave_n=5)

    assert sizes == [(25, 34), (35, 47), (49, 66), (69, 93), (97, 130)]
    assert len(notes) == 1
    assert "34x25 as 64x32" in notes[0]
    assert "130x97 as 160x128" in notes[0]


def test_only_what_is_too_small_is_left_out():
    """The note says so, and the error tells the smallest side, which is dreamt at."""
    sizes, notes, _ = octaves_of(uneven_net(), picture(21, 12), "cat1", octave_n=9)
    assert sizes == [(4, 2), (6, 3), (8, 4), (11, 6), (15, 9), (21, 12)]
    assert "3 of 9 octaves are left out: 1x3 is too small for 'cat1'" in notes
    sizes, notes, _ = octaves_of(uneven_net(), picture(183, 183), "cat1", octave_n="all",
                                 octave_min=1)  # fmt: skip
    assert sizes[0] == (2, 2)
    assert len(notes) == 1
    assert "left out" not in notes[0]

    with pytest.raises(ShapeError, match=r"picture of 90x16 is too small for 'cat5': each side "
                       "needs 17 pixels or more"):  # fmt: skip
        deepdream.dream(uneven_net(RARE), picture(16, 90), "cat5")
    assert octaves_of(uneven_net(RARE), picture(17, 90), "cat5", octave_n=1)[0] == [(17, 90)]
    tall = head(64, 64) + branches(1, "data", "kernel_h: 9 kernel_w: 3", "kernel_h: 9 kernel_w: 3")
    with pytest.raises(ShapeError, match="too small for 'cat1': 3x9 pixels or more are needed"):
        deepdream.dream(uneven_net(tall), picture(8, 8), "cat1")


# -- what is done ---------------------------------------------------------------------------------


def slow_dream(net, img, end, seed, steps, size, jitter=32, step_size=1.5):
    """Dream at one octave with a net that takes `size`, in plain NumPy."""
    mean = np.float32([104, 117, 123])
    x, rng = img[..., ::-1] - mean, np.random.RandomState(seed)
    h, w = img.shape[:2]
    net.blobs["data"].reshape(1, 3, *size)
    for _ in range(steps):
        ox, oy = rng.randint(-jitter, jitter + 1, 2)
        rolled = np.roll(x, (oy, ox), (0, 1))
        around = ((0, size[0] - h), (0, size[1] - w), (0, 0))
        net.blobs["data"].data[0] = np.moveaxis(np.pad(rolled, around, "edge"), 2, 0)
        net.forward(end=end)
        net.blobs[end].diff[...] = net.blobs[end].data
        net.backward(start=end)
        g = np.moveaxis(net.blobs["data"].diff[0], 0, 2)[:h, :w]
        x += np.roll(step_size / np.abs(g).mean() * g, (-oy, -ox), (0, 1))
        x = np.clip(x, -mean, 255 - mean)
    return (x + mean)[..., ::-1]


def hooked(text):
    """Return a net that has to run layer by layer."""
    net = uneven_net(text)
    net.before_forward(lambda layer: None)
    return net


@pytest.mark.parametrize(("size", "fits"), [((37, 45), (40, 48)), ((40, 45), (40, 48)),
                                            ((39, 48), (40, 48))])  # fmt: skip
def test_a_step_is_that_of_the_picture_continued_after_the_roll(size, fits):
    """By the border's values below and to the right; the gradient there is not used."""
    img = picture(*size)
    expected = slow_dream(uneven_net(SMOOTH), img, "cat2", 3, 3, fits)
    for net in (uneven_net(SMOOTH), hooked(SMOOTH)):
        with pytest.warns(SizeWarning):
            out = deepdream.dream(net, img, "cat2", seed=3, iter_n=3, octave_n=1)
        np.testing.assert_allclose(out, expected, atol=2e-2)


LARGE, LARGE_FITS = (403, 462), (404, 464)


def tight(objective=objective_L2):
    """Return the bytes that one octave of the `LARGE` picture takes in smaller crops."""
    planner = plan_for(uneven_net(SMOOTH), "cat2", "float32")
    pulls = [Pull("cat2", objective)]
    whole = PlanSource(planner, [Canvas(LARGE, LARGE_FITS)], pulls, limit=2**40)
    return planner.memory(180, 192) + whole._pictures(0, tiled=True)


def test_a_plan_tiles_and_layer_by_layer_dream_the_same(caplog):
    """Each tile's own size fits, and so does that of the whole."""
    img, how = picture(*LARGE), {"end": "cat2", "seed": 4, "iter_n": 2, "octave_n": 1}
    made = []
    for net, memory in ((uneven_net(SMOOTH), None), (hooked(SMOOTH), None),
                        (uneven_net(SMOOTH), tight())):  # fmt: skip
        caplog.clear()
        with pytest.warns(SizeWarning, match="462x403 as 464x404"), caplog.at_level("INFO"):
            made.append(deepdream.dream(net, img, max_memory=memory, **how))
        assert ("tiles of" in caplog.text) == (memory is not None)

    np.testing.assert_allclose(made[1], made[0], atol=2e-2)
    np.testing.assert_allclose(made[2], made[0], atol=2e-2)


@pytest.mark.parametrize(
    "options",
    [
        {"rotate": 20.0, "rescale": 0.2, "flip": True},
        {"rotate": 20.0, "border": "reflect"},
        {"normalize": "laplacian", "smooth": 1.5},
        {"blur": 0.5, "tv": 0.2, "l2": 0.1},
        {"jitter": 0},
        {"width": 131, "compose": (67, 63)},
        {"keep_colors": True, "strength": 0.5},
    ],
)
def test_with_all_that_a_dream_may_do(options):
    """On the plan and layer by layer alike."""
    img, how = picture(123, 131), {"end": "cat2", "seed": 4, "iter_n": 2, "octave_n": 2}
    made = []
    for net in (uneven_net(SMOOTH), hooked(SMOOTH)):
        with pytest.warns(SizeWarning) as notes:
            made.append(deepdream.dream(net, img, **how, **options))
        assert len(notes) == 1
    out, by_layer = made

    assert out.shape == img.shape
    assert np.isfinite(out).all()
    np.testing.assert_allclose(by_layer, out, atol=2e-2)


def test_a_mask_holds_at_every_size():
    """Black stays the input's to the bit, white changes up to the last row and column."""
    img, mask = picture(73, 85), np.zeros((73, 85), np.float32)
    mask[40:, 50:] = 1
    with pytest.warns(SizeWarning):
        out = deepdream.dream(uneven_net(SMOOTH), img, "cat2", seed=1, iter_n=3, mask=mask)

    np.testing.assert_array_equal(out[mask == 0], img[mask == 0])
    changed = np.abs(out - img).max(2)
    assert (changed[40:, -1] > 0.1).mean() > 0.8
    assert (changed[-1, 50:] > 0.1).mean() > 0.8


def test_layers_beside_the_way_do_not_count_on_a_plan(caplog):
    """An auxiliary classifier takes one size: whole or in tiles the dream has its own.

    Layer by layer Caffe runs it, and so do we: there it counts.
    """
    aside = inner_product("cat1").replace("fc", "aside")
    text = head(64, 64) + smooth(1, "data") + aside + smooth(2, "cat1")
    img, how = picture(*LARGE), {"end": "cat2", "seed": 4, "iter_n": 2, "octave_n": 1}
    with pytest.warns(SizeWarning):
        expected = deepdream.dream(uneven_net(SMOOTH), img, **how)

    def middle(dst):
        dst.diff[...] = dst.data

    for memory, objective in ((None, None), (tight(), None), (tight(middle), middle)):
        net = uneven_net(text)
        for name, blobs in uneven_net(SMOOTH).params.items():
            for ours, blob in zip(net.params[name], blobs):
                ours.data[...] = blob.data
        caplog.clear()
        with pytest.warns(SizeWarning, match="462x403 as 464x404"), caplog.at_level("INFO"):
            out = deepdream.dream(net, img, max_memory=memory, objective=objective, **how)
        assert ("tiles of" in caplog.text) == (memory is not None)
        np.testing.assert_allclose(out, expected, atol=2e-2)
    with pytest.warns(SizeWarning, match="guide .31x30 as 32x32"):
        deepdream.dream(uneven_net(text), img, guide=picture(30, 31), **how)
    with pytest.raises(ShapeError, match="layer 'aside'(.|\n)*Pictures of 64x64 fit"):
        deepdream.dream(hooked(text), img, **how)
    with pytest.raises(ShapeError, match="layer 'cat1'(.|\n)*Pictures of 64x64 fit"):
        deepdream.deepdream(uneven_net(text), img, end="cat2", octave_n=1)


def test_steps_that_never_leave_a_device(monkeypatch):
    """They do the same, recorded."""
    img, how = picture(37, 45), {"end": "cat2", "seed": 3, "iter_n": 3, "octave_n": 2}
    with pytest.warns(SizeWarning):
        expected = deepdream.dream(uneven_net(SMOOTH), img, **how)
    recorded = []
    original = PlanSource.recorded
    monkeypatch.setattr(plan_source, "stays_on", lambda device: True)
    monkeypatch.setattr(
        PlanSource, "recorded", lambda *a: recorded.append(original(*a)) or recorded[-1]
    )
    net = uneven_net(SMOOTH)
    net.move("torch")
    with pytest.warns(SizeWarning):
        out = deepdream.dream(net, img, **how)

    assert None not in recorded
    assert len(recorded) == 2
    np.testing.assert_allclose(out, expected, atol=2e-2)


def test_what_ran_before_does_not_matter():
    """A shallow dream leaves blobs of a size that fits no further; strides are known."""
    img, how = picture(37, 45), {"seed": 3, "iter_n": 2, "octave_n": 2, "border": "reflect"}
    net = hooked(SMOOTH)
    with pytest.warns(SizeWarning):
        expected = deepdream.dream(net, img, "cat2", **how)
    deepdream.dream(net, img, "a1", **how)
    net.blobs["data"].reshape(1, 3, 37, 45)
    with pytest.warns(SizeWarning):
        out = deepdream.dream(net, img, "cat2", **how)
    np.testing.assert_array_equal(out, expected)
    net.blobs["data"].reshape(1, 3, 37, 45)
    assert [*views(net)] == [*net.blobs]


def test_an_objective_is_shown_the_continued_picture():
    """What looks at positions sees those of the size that fits, at once or in tiles."""
    shapes = set()

    def middle(dst):
        shapes.add(dst.data.shape)
        dst.diff[..., 3:9, 4:11] = dst.data[..., 3:9, 4:11]

    made = []
    for memory in (None, tight(middle)):
        with pytest.warns(SizeWarning, match="462x403 as 464x404"):
            made.append(
                deepdream.dream(uneven_net(SMOOTH), picture(*LARGE), "cat2", seed=1, iter_n=1,
                                octave_n=1, objective=middle, max_memory=memory)
            )  # fmt: skip
    assert shapes == {(1, 11, 101, 116)}
    np.testing.assert_allclose(made[1], made[0], atol=2e-2)


def test_the_same_texture_to_the_last_row_and_column():
    """The dream's own strength along the lower and right border is that of the inside."""
    img = np.full((117, 133, 3), 128, np.float32) + picture(117, 133) / 8
    with pytest.warns(SizeWarning):
        out = deepdream.dream(uneven_net(SMOOTH), img, "cat2", seed=1, iter_n=20)
    change = np.abs(out - img).mean(2)
    inside = change[20:-20, 20:-20].mean()

    for strip in (change[-1], change[:, -1], change[-3:], change[:, -3:]):
        assert 0.6 < strip.mean() / inside < 1.6


# -- guides ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [uneven_net, hooked])
def test_a_guide_of_any_size(make):
    """It has its own size; octaves are all there, and one note tells of both."""
    guide = picture(65, 65, 5)
    sizes, notes, out = octaves_of(make(UNEVEN), picture(256, 256), "cat1", guide=guide)
    assert sizes == SIZES[256, 256]
    assert len(notes) == 1
    assert notes[0].endswith(
        "2 of 4 octaves (131x131 as 132x132, 183x183 as 184x184) and the guide (65x65 as 66x66) go "
        "through the net continued beyond the right and lower border"
    )
    _, notes, _ = octaves_of(make(UNEVEN), picture(64, 64), "cat1", guide=guide, octave_n=1,
                             border="edge")  # fmt: skip
    assert (
        ") goes through the net with a wider margin on the right and below, the guide" in notes[0]
    )
    _, notes, _ = octaves_of(make(UNEVEN), picture(63, 64), "cat1", octave_n=1)
    assert "only: 1 of 1 octaves (64x63 as 64x64) goes through the net continued" in notes[0]
    _, notes, _ = octaves_of(make(UNEVEN), picture(64, 64), "cat1", guide=guide, octave_n=1)
    assert "only: the guide (65x65 as 66x66) goes through" in notes[0]
    with pytest.raises(ShapeError, match="guide of 2x1 is too small"):
        deepdream.dream(make(UNEVEN), picture(64, 64), "cat1", guide=picture(1, 2))


@pytest.mark.parametrize("make", [uneven_net, hooked])
def test_what_is_beyond_a_guide_is_not_among_its_features(make, monkeypatch):
    """Positions that begin beyond its border are left out, the others are there."""
    import deepdream.dreaming.prepared as module

    asked = []
    original = module.objective_guide
    monkeypatch.setattr(
        module, "objective_guide", lambda features: asked.append(features) or original(features)
    )
    guide = picture(33, 95, 5)
    with pytest.warns(SizeWarning, match="95x33 as 96x64"):
        deepdream.dream(make(RARE), picture(64, 64), "cat5", seed=1, iter_n=1, octave_n=1,
                        guide=guide)  # fmt: skip
    net = uneven_net(RARE)
    continued = np.pad(guide, ((0, 31), (0, 1), (0, 0)), "edge")
    expected = deepdream.guide_features(net, continued, "cat5")

    assert expected.shape == (23, 2, 3)
    np.testing.assert_allclose(asked[0], expected, rtol=1e-4, atol=1e-4)
    with pytest.warns(SizeWarning, match="guide"):
        deepdream.dream(make(RARE), picture(64, 64), "cat5", seed=1, iter_n=1, octave_n=1,
                        guide=picture(32, 97, 5))  # fmt: skip
    assert asked[1].shape == (23, 1, 4)


def test_a_guide_that_is_continued_by_far_keeps_its_own_positions(monkeypatch):
    """Where a branch beside the way takes one size in 32, and the target's positions are two apart.

    Layer by layer, where such branches count.
    """
    import deepdream.dreaming.prepared as module

    asked = []
    original = module.objective_guide
    monkeypatch.setattr(
        module, "objective_guide", lambda features: asked.append(features) or original(features)
    )
    text = RARE + (
        'layer { name: "out" type: "Convolution" bottom: "cat1" top: "out" '
        "convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }"
    )
    guide = picture(33, 62, 5)
    with pytest.warns(SizeWarning, match="guide .62x33 as 64x64"):
        deepdream.dream(hooked(text), picture(64, 64), "out", seed=1, iter_n=1, octave_n=1,
                        guide=guide)  # fmt: skip
    continued = np.pad(guide, ((0, 31), (0, 2), (0, 0)), "edge")
    expected = deepdream.guide_features(uneven_net(text), continued, "out")

    assert expected.shape == (5, 32, 32)
    np.testing.assert_allclose(asked[0], expected[:, :17, :31], rtol=1e-4, atol=1e-4)


# -- one size only --------------------------------------------------------------------------------


def test_behind_an_inner_product_smaller_pictures_are_continued_to_its_size():
    """Larger ones are refused, with the layer and the size that it takes."""
    sizes, notes, out = octaves_of(uneven_net(FIXED), picture(64, 48), "fc")
    assert sizes == [(24, 17), (33, 24), (46, 34), (64, 48)]
    assert len(notes) == 1
    assert "3 of 4 octaves (17x24 as 48x64, 24x33 as 48x64, 34x46 as 48x64)" in notes[0]
    assert octaves_of(uneven_net(FIXED), picture(31, 22), "fc")[2].shape == (31, 22, 3)

    for size in ((65, 48), (64, 49), (20, 50), (300, 200)):
        with pytest.raises(ShapeError) as caught:
            deepdream.dream(uneven_net(FIXED), picture(*size), "fc")
        said = str(caught.value)
        assert f"a picture of {size[1]}x{size[0]} does not get through the net to 'fc'" in said
        assert "Pictures of 48x64 fit" in said
        assert "too small" not in said
    with pytest.raises(ShapeError, match="guide of 49x64 does not get through"):
        deepdream.dream(uneven_net(FIXED), picture(64, 48), "fc", guide=picture(64, 49))


@pytest.mark.parametrize("make", [uneven_net, hooked])
def test_a_guide_behind_an_inner_product(make):
    """There is a single position; a smaller guide is continued as pictures are."""
    with pytest.warns(SizeWarning, match="guide .40x30 as 48x64"):
        out = deepdream.dream(make(FIXED), picture(64, 48), "fc", seed=1, iter_n=2,
                              guide=picture(30, 40, 3))  # fmt: skip
    with pytest.warns(SizeWarning):
        other = deepdream.dream(make(FIXED), picture(64, 48), "fc", seed=1, iter_n=2)
    assert np.abs(out - other).mean() > 0.1


def test_a_picture_too_large_for_the_net_is_not_called_too_small():
    """Where a blob would have more values than there can be."""
    from deepdream.dreaming.pictures.fitting import Fitting

    with pytest.raises(ShapeError, match="does not get through(.|\n)*more than 2147483647") as e:
        Fitting(uneven_net(), "cat1").shape((100_001, 100_001))
    assert "too small" not in str(e.value)


# -- the notebook's own ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sizes"),
    [
        (lambda net: deepdream.deepdream(net, picture(121, 60), end="cat1"), "30x60 and 32x62"),
        (lambda net: deepdream.deepdream(net, picture(122, 61), end="cat1", octave_n=1),
         "60x122 and 62x122"),
        (lambda net: deepdream.guide_features(net, picture(121, 60), "cat1"), "60x120 and 60x122"),
    ],
)  # fmt: skip
def test_the_notebooks_functions_name_the_nearest_sizes(call, sizes):
    """They do as Caffe does, which ends there; the sizes named are right."""
    with pytest.raises(ShapeError, match="layer 'cat1'") as caught:
        call(uneven_net())
    assert f"the nearest sizes that fit are {sizes}. deepdream.dream takes this" in str(
        caught.value
    )
    net = uneven_net()
    for size in sizes.split(" and "):
        w, h = map(int, size.split("x"))
        deepdream.deepdream(net, picture(h, w), end="cat1", octave_n=1, iter_n=1)


def test_make_step_names_the_nearest_sizes():
    """Also where one size fits only, and where the picture is too small."""
    net = uneven_net()
    net.blobs["data"].reshape(1, 3, 63, 64)
    with pytest.raises(ShapeError, match="sizes that fit are 64x62 and 64x64"):
        deepdream.make_step(net, end="cat1")
    net.blobs["data"].reshape(1, 3, 0, 64)
    with pytest.raises(ShapeError, match="too small for 'cat1': each side needs 2 pixels"):
        deepdream.make_step(net, end="cat1")
    net = uneven_net(FIXED)
    net.blobs["data"].reshape(1, 3, 300, 200)
    with pytest.raises(ShapeError, match="Pictures of 48x64 fit"):
        deepdream.make_step(net, end="fc")
    net.blobs["data"].reshape(1, 4, 64, 48)
    with pytest.raises(ShapeError, match="4 channels") as caught:  # no matter of the size
        deepdream.make_step(net, end="fc")
    assert "48x64" not in str(caught.value)


# -- zooms, galleries, the command line -----------------------------------------------------------


def test_a_zoom_tells_it_once():
    """All frames have the same sizes."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        frames = list(deepdream.zoom(uneven_net(), picture(61, 83), 3, end="cat1", seed=1,
                                     iter_n=1, octave_n=2))  # fmt: skip

    assert [frame.shape for frame in frames] == [(61, 83, 3)] * 3
    assert [str(note.message)[:35] for note in notes] == [
        "'cat1' takes some sizes only: 2 of 2"[:35]
    ]


def test_a_gallery_shows_every_layer(tmp_path):
    """With the shapes of what goes through the net, and a note on the pictures concerned."""
    net = uneven_net(RARE)
    made = {
        e.layer: e
        for e in write_gallery(net, picture(67, 90), tmp_path, layers="*", iter_n=1, octave_n=2)
    }

    assert len(made) == 15
    assert not any(entry.error for entry in made.values())
    assert made["a1"].notes == []
    assert all("takes some sizes only" in note for note in made["cat5"].notes)
    assert len(made["cat5"].notes) == 1
    page = (tmp_path / PAGE).read_text("utf-8")
    assert "7×34×45" in page
    assert "23×3×3" in page
    assert "not at this size" not in page


def test_layers_of_a_size_that_does_not_fit(tmp_path, capsys):
    """Every layer is listed, and a note says from where on the picture is continued."""
    path = tmp_path / "net.prototxt"
    path.write_text(FIXED)
    assert main(["layers", "--model", str(path), "--size", "47x63"]) == 0
    out, err = capsys.readouterr()
    assert "4x32x24" in out
    assert "fc " in out
    assert "note: 47x63 does not fit from 'cat1' on: it goes through the net continued, as 48x64" \
        in err  # fmt: skip
    assert main(["layers", "--model", str(path), "--size", "200x300"]) == 0
    out, err = capsys.readouterr()
    assert "fc " not in out
    assert "note: 200x300 does not get through the net to 'fc', which takes 48x64" in err
    assert main(["layers", "--model", str(path), "--size", "1x1"]) == 0
    assert "note: 1x1 is too small for 'cat1'" in capsys.readouterr().err
    assert main(["layers", "--model", str(path), "--size", "48x64"]) == 0
    assert capsys.readouterr().err == ""


def test_a_dream_on_the_command_line_and_its_rerun(tmp_path, capsys):
    """One note, and the same bytes again."""
    prototxt, weights = write_tiny(tmp_path, text=UNEVEN)
    deepdream.save_image(picture(61, 83), tmp_path / "in.png", recipe=None)
    net = ["--model", str(prototxt), "--weights", str(weights), "--mean", "104,117,123"]
    dream = ["dream", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--end", "cat1",
             "--iter-n", "2", "--octave-n", "3", "--seed", "3"]  # fmt: skip
    assert main([*dream, *net]) == 0
    err = capsys.readouterr().err
    assert err.count("note: ") == 1
    assert "83x61 as 84x62" in err
    assert main(["rerun", str(tmp_path / "out.png"), "-o", str(tmp_path / "again.png"), *net]) == 0
    first, again = (deepdream.load_image(tmp_path / name) for name in ("out.png", "again.png"))
    np.testing.assert_array_equal(first, again)
