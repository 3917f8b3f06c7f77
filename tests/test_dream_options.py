"""What a dream can do besides the notebook's: styles, masks, colours, sizes, schedules, noise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import FakeNet
from helpers import assert_close
from PIL import Image
from test_dreaming import net_with_mean, picture

from deepdream.dreaming.dream import dream
from deepdream.dreaming.pictures import colors
from deepdream.dreaming.pictures.compiled import keep_colors
from deepdream.dreaming.pictures.masks import as_mask
from deepdream.dreaming.pictures.noise import noise
from deepdream.dreaming.styles import NOTEBOOK, STYLES, Style, end_of, style_of, styles
from deepdream.errors import ImageError, ParameterError
from deepdream.images import load_image, save_image
from deepdream.models.registry import MODELS
from deepdream.picture import Picture, resized
from deepdream.recipe import recipe_text

ONE = {"end": "a/output", "iter_n": 1, "octave_n": 1, "seed": 3}


def dreamt(img=None, net=None, **options):
    return dream(net or net_with_mean(), picture() if img is None else img, **{**ONE, **options})


# -- styles ---------------------------------------------------------------------------------------


def test_networks_of_2015_use_the_notebooks_numbers():
    """By default; the bundled network, which is of 2020, has a style of its own."""
    chosen = {name: entry.style for name, entry in MODELS.items()}

    assert chosen.pop("efficientnet_lite0") != "2015"
    assert set(chosen.values()) == {"2015"}
    assert style_of(FakeNet()).name == "2015"


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].style == "2015"])
def test_a_default_dream_of_2015_is_that_of_its_numbers_byte_for_byte(name):
    """Nothing said, and the notebook's numbers written out, as its recipe has them, too."""
    written = {"iter_n": 10, "octave_n": 4, "octave_scale": 1.4, "step_size": 1.5, "jitter": 32,
               "clip": True}  # fmt: skip

    def net():
        made = net_with_mean()
        made.model = MODELS[name]
        return made

    img = picture(97, 121)
    one = dream(net(), img, "a/output", seed=5)
    other = dream(net(), img, "a/output", seed=5, **written)

    np.testing.assert_array_equal(one, other)
    assert one.recipe["parameters"] == {"end": "a/output", **written, "objective": "objective_L2"}
    assert one.recipe["style"] == "2015"
    again = dream(net(), img, "a/output", seed=5, style="2015")
    np.testing.assert_array_equal(one, again)


def test_a_keyword_wins_over_the_style():
    """The recipe has the values that were used."""
    style = Style("mine", "for a test", {"iter_n": (3, 1), "smooth": 1.0, "border": "edge"})
    out = dream(net_with_mean(), picture(), "a/output", style=style, smooth=0.5, octave_n=2, seed=1)

    found = out.recipe["parameters"]
    assert found["iter_n"] == [3, 1]
    assert found["smooth"] == 0.5
    assert found["border"] == "edge"
    assert found["octave_n"] == 2
    assert out.recipe["style"] == "mine"
    json.loads(recipe_text(out.recipe))


def test_every_style_can_be_read_and_used():
    """Each has a look, parameters that dream knows, layers of networks that are known."""
    assert [*styles()][0] == "2015"
    assert len(styles()) >= 9
    for name, style in STYLES.items():
        assert style.name == name
        assert len(style.look) > 10
        assert set(style.parameters) <= set(NOTEBOOK)
        assert set(style.ends) <= set(MODELS)
        made = dreamt(style=style, iter_n=1, octave_n=1)
        assert np.isfinite(made).all()
        assert made.recipe["style"] == name


def test_a_style_of_a_layer_needs_a_network_that_has_it():
    """Where it knows none, the error says which networks it knows, and what to do."""
    known = next(style for style in STYLES.values() if style.ends)
    net = FakeNet()
    with pytest.raises(ParameterError, match=f"'{known.name}' is known on .*end="):
        end_of(net, known)
    net.model = MODELS[next(iter(known.ends))]

    assert end_of(net, known) == known.ends[net.model.name]
    assert end_of(FakeNet(), STYLES["2015"]) is None


# -- priors ---------------------------------------------------------------------------------------


def test_priors_are_taken_from_the_direction():
    """A step of a net that only scales: by hand, in its own arithmetic."""
    img = picture(31, 43)
    net = FakeNet()
    plain = dream(net, img, "top", iter_n=1, octave_n=1, seed=1, clip=False)
    step = np.asarray(plain) - img
    both = dream(net, img, "top", iter_n=1, octave_n=1, seed=1, clip=False, tv=0.5)
    from deepdream.dreaming.pictures.operations import Operations

    assert_close(np.asarray(both) - img, step - 1.5 * 0.5 * Operations().tv_gradient(img), 1e-4)


def test_l2_pulls_back_and_tv_smooths_and_blur_blurs():
    """The dream stays nearer to the picture, or has smaller differences between neighbours."""
    many = {"iter_n": 6, "octave_n": 1}
    plain = np.asarray(dreamt(**many))
    near = np.asarray(dreamt(l2=0.05, **many))
    assert np.abs(near - picture()).mean() < 0.9 * np.abs(plain - picture()).mean()

    def roughness(x):
        return np.abs(np.diff(x, axis=1)).mean()

    assert roughness(np.asarray(dreamt(tv=0.5, **many))) < 0.98 * roughness(plain)
    assert roughness(np.asarray(dreamt(blur=1.0, **many))) < 0.5 * roughness(plain)


@pytest.mark.parametrize("option", [{"rotate": 9}, {"rescale": 0.2}, {"flip": True}, {"blur": 0.5}])
def test_random_transforms_are_the_seeds(option):
    """The same seed repeats them, another one does not; without them fewer numbers are drawn."""
    many = {"iter_n": 3, "octave_n": 2, **option}
    one = dreamt(**many)

    np.testing.assert_array_equal(one, dreamt(**many))
    assert np.abs(one - dreamt(iter_n=3, octave_n=2)).mean() > 0.1
    assert np.abs(one - dreamt(**{**many, "seed": 4})).mean() > 0.1


def test_a_pair_goes_from_the_first_octave_to_the_last():
    """Steps are counted, and the largest octave's strength is the last of the pair."""
    steps = []
    dreamt(iter_n=(5, 1), octave_n=3, on_step=lambda step: steps.append(step.octave))
    assert [steps.count(octave) for octave in range(3)] == [5, 3, 1]

    last = dreamt(iter_n=(0, 1), octave_n=2, step_size=(9.0, 1.5))
    np.testing.assert_array_equal(last, dreamt(iter_n=(0, 1), octave_n=2))


def test_a_function_of_octave_and_step_is_written_out_in_the_recipe():
    """What it returned is a table, and the table makes the same dream."""
    asked = []

    def size(octave, step):
        asked.append((octave, step))
        return 1.0 + octave + 0.5 * step

    out = dreamt(iter_n=lambda octave, step: 2 + octave, octave_n=2, step_size=size)
    table = out.recipe["parameters"]["step_size"]

    assert table == {"octaves": [[1.0, 1.5], [2.0, 2.5, 3.0]]}
    assert out.recipe["parameters"]["iter_n"] == {"octaves": [2, 3]}
    assert set(asked) == {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)}
    again = dreamt(iter_n={"octaves": [2, 3]}, octave_n=2, step_size=table)
    np.testing.assert_array_equal(again, out)


# -- borders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["reflect", "edge"])
def test_a_continued_border_does_not_see_the_other_side(border):
    """A change at the right border alters nothing at the left one, which it does where rolled."""
    img = picture(60, 150)
    other = img.copy()
    other[:, -4:] = 255 - other[:, -4:]

    def apart(border):
        return np.abs(dreamt(other, border=border, end="conv1", smooth=0.0) -
                      dreamt(img, border=border, end="conv1"))[:, :20]  # fmt: skip

    scale = apart(border).mean()  # through the mean of the gradient alone
    assert scale < 0.02
    assert apart("roll").max() > 20 * apart(border).max()


# -- masks ----------------------------------------------------------------------------------------


def test_outside_a_mask_the_input_keeps_its_bytes(tmp_path):
    """Exactly, in every octave's wake, with a soft edge between, in 8 bits and in 32."""
    img = Picture(np.rint(picture(61, 83)))
    mask = np.zeros((61, 83), np.float32)
    mask[:, 40:] = np.linspace(0, 1, 43)
    out = dreamt(img, iter_n=3, octave_n=3, mask=mask, keep_colors=0.5, strength=1.3, smooth=1.0,
                 blur=0.3, tv=0.1)  # fmt: skip

    np.testing.assert_array_equal(out[mask == 0], img[mask == 0])
    changed = np.abs(out - img).mean((0, 2))
    assert changed[75:].mean() > 1
    assert changed[42:48].mean() < 0.5 * changed[75:].mean()
    save_image(out, tmp_path / "out.png")
    saved = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(saved[:, :41], np.uint8(img)[:, :41])


def test_a_white_mask_is_no_mask():
    """To rounding."""
    assert_close(dreamt(mask=np.ones((53, 71))) - picture(), dreamt() - picture(), 1e-5)


@pytest.mark.parametrize(
    "made",
    [
        lambda m: m,
        lambda m: m > 0.5,
        lambda m: np.uint8(m),
        lambda m: np.uint8(255 * m),
        lambda m: np.repeat(255.0 * m[..., None], 3, 2),
        lambda m: Image.fromarray(np.uint8(255 * m)),
        lambda m: Image.fromarray(np.dstack([np.full((12, 16, 3), 255), 255 * m]).astype(np.uint8)),
    ],
    ids=["float", "bool", "0 and 1", "0 to 255", "RGB", "PIL", "alpha"],
)
def test_masks_come_in_many_kinds(made):
    """All of these are one mask."""
    m = np.zeros((12, 16), np.float32)
    m[3:9, 5:] = 1

    np.testing.assert_allclose(as_mask(made(m), (12, 16)), m, atol=1e-6)


def test_a_mask_of_the_same_shape_is_brought_to_the_size():
    """Half as large, it is enlarged with soft edges; of another shape it is refused."""
    m = np.zeros((12, 16), np.float32)
    m[:, 8:] = 1
    large = as_mask(m, (24, 32))

    assert large.shape == (24, 32)
    assert large[:, :12].max() < 0.05
    assert large[:, 20:].min() > 0.95
    with pytest.raises(ParameterError, match="mask is 16x12, the picture 40x20"):
        as_mask(m, (20, 40))
    with pytest.raises(ImageError, match="mask: "):
        as_mask("mask.png", (20, 40))


# -- colours and strength -------------------------------------------------------------------------


def test_kept_colors_are_the_pictures():
    """In Oklab: lightness of the dream, a and b of the picture, where sRGB has such a colour."""
    rng = np.random.RandomState(0)
    start = rng.uniform(90, 160, (23, 31, 3)).astype(np.float32)
    dreamy = rng.uniform(90, 160, (23, 31, 3)).astype(np.float32)
    kept = colors.keep_colors(dreamy, start)

    found, wanted = colors.oklab(kept), colors.oklab(dreamy)
    np.testing.assert_allclose(found[..., 0], wanted[..., 0], atol=2e-4)
    np.testing.assert_allclose(found[..., 1:], colors.oklab(start)[..., 1:], atol=2e-4)
    half = colors.oklab(colors.keep_colors(dreamy, start, 0.5))
    middle = (colors.oklab(start) + wanted)[..., 1:] / 2
    np.testing.assert_allclose(half[..., 1:], middle, atol=2e-4)
    np.testing.assert_allclose(colors.keep_colors(start, start), start, atol=1e-2)


def test_oklab_of_known_colours():
    """White, and the three primaries, as published with the space (to three digits)."""
    known = {(255, 255, 255): (1.000, 0.000, 0.000), (255, 0, 0): (0.628, 0.225, 0.126),
             (0, 255, 0): (0.866, -0.234, 0.179), (0, 0, 255): (0.452, -0.032, -0.312)}  # fmt: skip
    for rgb, lab in known.items():
        np.testing.assert_allclose(colors.oklab(np.float64(rgb)), lab, atol=1e-3)


def test_colours_beyond_the_gamut_keep_their_hue():
    """Too light or too dark to be so saturated, they are paler, not another colour."""
    rng = np.random.RandomState(1)
    start = rng.choice([20.0, 235.0], (23, 31, 3)).astype(np.float32)
    dreamy = rng.choice([5.0, 128.0, 250.0], (23, 31, 1)) * np.ones(3, np.float32)
    kept = colors.keep_colors(dreamy, start)
    found, wanted = colors.oklab(kept), colors.oklab(start)

    np.testing.assert_allclose(found[..., 0], colors.oklab(dreamy)[..., 0], atol=3e-3)
    chroma, before = (np.hypot(x[..., 1], x[..., 2]) for x in (found, wanted))
    assert (chroma <= before + 1e-3).all()
    assert (chroma < 0.9 * before).any()
    turned = (found[..., 1] * wanted[..., 2] - found[..., 2] * wanted[..., 1])[chroma > 0.01]
    np.testing.assert_allclose(turned, 0, atol=2e-4)


@pytest.mark.parametrize("share", [1.0, 0.6, 0.0])
def test_compiled_colours_are_the_formulas(share):
    """Tables instead of powers: within a fifth of a grey level everywhere, 1e-4 on average."""
    rng = np.random.RandomState(2)
    for low, high in ((0, 255), (-40, 300), (60, 200)):
        start, dreamy = rng.uniform(low, high, (2, 61, 83, 3)).astype(np.float32)
        fast, slow = (f(dreamy, start, share) for f in (keep_colors, colors.keep_colors))
        apart = np.abs(fast - slow)
        assert np.quantile(apart, 0.999) < 0.2
        assert apart.mean() < 2e-3
        assert fast.min() >= 0
        assert fast.max() <= 255


def test_strength_goes_from_the_picture_to_beyond_the_dream():
    """0 is the input itself, 1 the dream; half is between, 2 exaggerates within 0..255."""
    img, dream_ = picture(), dreamt()
    np.testing.assert_array_equal(dreamt(strength=0), img)
    np.testing.assert_array_equal(dreamt(strength=1), dream_)
    assert_close(dreamt(strength=0.5), (img + dream_) / 2, 1e-6)
    expected = np.clip(img + 2 * (np.asarray(dream_) - img), 0, 255)
    assert_close(dreamt(strength=2), expected, 1e-5)


def test_what_is_watched_is_what_comes_out():
    """The last step's picture has the kept colours and the strength of the result."""
    seen = []
    out = dreamt(keep_colors=True, strength=0.7, octave_n=2, on_step=seen.append)

    np.testing.assert_allclose(seen[-1].picture, out, atol=0.02)  # of tables, in rounded places
    assert seen[0].picture.shape == (38, 51, 3)


# -- sizes ----------------------------------------------------------------------------------------


def test_width_and_height_bring_the_picture_to_a_size():
    """One of them keeps the shape; the recipe has what was asked for."""
    small = dreamt(width=60)
    assert small.shape == (45, 60, 3)
    assert small.recipe["parameters"]["width"] == 60
    assert dreamt(height=80).shape == (80, 107, 3)
    assert dreamt(width=50, height=90).shape == (90, 50, 3)
    np.testing.assert_array_equal(small, dreamt(resized(Picture(picture()), (45, 60))))


def test_a_composed_dream_goes_on_from_the_smaller_one():
    """Its first octaves are those of the smaller dream, step by step, to the byte."""
    img = picture(106, 142)
    seen, small_seen = [], []
    small = {"iter_n": (3, 1), "octave_n": 2, "step_size": (2.0, 1.0)}
    dreamt(img, width=71, on_step=lambda s: small_seen.append(s.picture.copy()), **small)
    large = dreamt(img, compose=(71, 53), on_step=lambda s: seen.append(s.picture.copy()), **small)

    assert large.shape == (106, 142, 3)
    for one, other in zip(small_seen, seen):
        np.testing.assert_array_equal(one, other)
    sizes = [x.shape[:2] for x in seen[len(small_seen) :]]
    assert sizes[-1] == (106, 142)
    assert len(sizes) >= 2
    assert large.recipe["parameters"]["compose"] == [71, 53]


# -- noise ----------------------------------------------------------------------------------------


def test_noise_is_the_seeds_and_has_all_sizes():
    """Around grey, of one strength, with as much in each octave band."""
    one = noise(96, 128, 5)

    np.testing.assert_array_equal(one, noise(96, 128, 5))
    assert np.abs(one - noise(96, 128, 6)).mean() > 5
    assert one.mean() == pytest.approx(128, abs=1)
    assert one.std() == pytest.approx(16, rel=0.1)
    assert one.source == {"noise": 5, "size": [128, 96]}
    import scipy.ndimage as nd

    blurred = [nd.gaussian_filter(np.asarray(one), (s, s, 0)) for s in (1, 2, 4, 8)]
    bands = [np.std(a - b) for a, b in zip(blurred, blurred[1:])]
    assert max(bands) < 2 * min(bands)
    assert dreamt(one).recipe["input"] == {"noise": 5, "size": [128, 96]}
    for wrong in ({"h": 0}, {"w": 2.5}, {"seed": -1}, {"seed": 2**32}):
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} is"):
            noise(**{"h": 8, "w": 9, **wrong})


def test_a_transparent_picture_keeps_its_alpha_at_another_size(tmp_path):
    """It is resized with the picture."""
    alpha = np.zeros((53, 71), np.uint8)
    alpha[:, 35:] = 255
    save_image(Picture(picture(), alpha), tmp_path / "in.png")
    out = dreamt(load_image(tmp_path / "in.png"), width=140)

    assert out.alpha.shape == out.shape[:2]
    assert out.alpha[:, :60].max() == 0
    assert out.alpha[:, 80:].min() == 255
