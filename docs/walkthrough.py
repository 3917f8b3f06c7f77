# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # DeepDream, line by line
#
# In June 2015 Google showed pictures of what a network sees; in July a notebook followed, with
# the forty lines that make them. This is that notebook, taken apart. Each part comes with the
# trick in words, a drawing where it helps, and the smallest code that does it. Then it is your
# turn: you write the piece, and a check tells whether it is right, or what is wrong with it.
# What comes after it uses what you wrote.
#
# Everything runs on a laptop, with a network that comes along. For Google's own network change
# one line below. Words that you do not know are in the [glossary](glossary.md).

# %%
import warnings

import numpy as np
import scipy.ndimage as nd

import deepdream

MODEL = None  # the bundled EfficientNet-Lite0; or "googlenet", the network of 2015

# %% [markdown]
# **This is what you will have built** by the end of section 6: a photograph, and what the network
# makes of it. Here the library does it; there it will be your own lines.
#
# (The photograph is Lake Sherburne in Montana, by Jacob W. Frank of the US National Park Service,
# in the public domain. Any other will do: put its name into the second line.)

# %%
net = deepdream.load_net(MODEL)
img = deepdream.load_image("../examples/photos/lake.jpg")[::2, ::2]
how = {"style": "2015", "iter_n": 20, "seed": 0, "progress": False}
dream = deepdream.dream(net, img, **how)
deepdream.show(img, dream, titles=["what there is", "what the network sees"])

# %% [markdown]
# A few layers of each network that we will visit, from its first ones, which see strokes, to its
# later ones, which see animals and buildings.

# %%
LAYERS = {
    "efficientnet_lite0": {
        "first": "stem/conv",
        "low": "block4/output",
        "middle": "block7/output",
        "high": "block10/output",
        "inside": "block9/expand",
        "branch": "block4/expand",
    },
    "googlenet": {
        "first": "conv1/7x7_s2",
        "low": "conv2/3x3",
        "middle": "inception_3b/output",
        "high": "inception_4c/output",
        "inside": "inception_4c/1x1",
        "branch": "inception_3b/5x5_reduce",
    },
}
layer = LAYERS[net.model.name]

# %% [markdown]
# The checks compare what you computed with what is right. Two programs that add the same numbers
# in another order differ in the seventh digit; that still counts as right. Where the difference
# is larger, and is one of the usual slips, the check names it.


# %%
def check(mine, right, slips=(), allowed=1e-4):
    """Print "Right.", or stop with what is wrong."""
    mine, right = np.asarray(mine, np.float64), np.asarray(right, np.float64)

    def is_like(other):
        if mine.shape != np.shape(other):
            return False
        return np.linalg.norm(mine - other) <= allowed * np.linalg.norm(other)

    if is_like(right):
        print("Right.")
        return
    for words, slip in dict(slips).items():
        assert not is_like(slip), words
    shapes = f"the shape is {mine.shape}, not {right.shape}"
    assert mine.shape == right.shape, shapes
    off = 100 * np.linalg.norm(mine - right) / np.linalg.norm(right)
    raise AssertionError(f"not yet: the numbers are {off:.2g} % off")


# %% [markdown]
# ## 1. A network
#
# Caffe keeps a network in two files. `deploy.prototxt` describes the layers in words, the
# `.caffemodel` holds the numbers that were learnt. `load_net` has read both.

# %%
net

# %% [markdown]
# `net.params` are the numbers that were learnt: the weights and the bias of each layer. They stay
# as they are. We do not train a network; we change the picture.
#
# `net.blobs` are the numbers that pass through. Each layer reads blobs (its *bottoms*) and writes
# blobs (its *tops*). A blob of pictures is four-dimensional: (pictures, channels, rows, columns).

# %%
for name, blobs in list(net.params.items())[:3]:
    print(f"param {name:24}", *(tuple(blob.shape) for blob in blobs))
for name, blob in list(net.blobs.items())[:6]:
    print(f"blob  {name:24}", tuple(blob.shape))

# %% [markdown]
# A blob holds two arrays of one shape. `data` is what was computed on the way forward. `diff` is
# the gradient on the way back: how much the goal would grow if this number grew a little. Half of
# DeepDream is to know which of the two one is looking at.

# %% [markdown]
# ## 2. A picture, as the network wants it
#
# ![A picture becomes three planes, blue first, with the mean taken away](drawings/bgr.svg)
#
# Caffe's networks were trained on pictures with the channels in the order blue, green, red (that
# is how OpenCV loaded them), and with the mean of all training pictures taken away, so that zero
# is an average grey. The channel axis comes first. The bundled network, which was not trained
# with Caffe, has been rewritten to take the same kind of picture. Its mean is 127 in each channel.

# %%
img.shape, img.min(), img.max()

# %%
mean = net.transformer.mean["data"]  # (3, 1, 1): blue, green, red
mean.ravel()


# %% [markdown]
# **Your turn.** Write `to_net(img, mean)`: (rows, columns, RGB) in 0..255 becomes (BGR, rows,
# columns) in float32, minus the mean.


# %%
def to_net(img, mean):
    # BEGIN SOLUTION
    return np.float32(np.moveaxis(img, 2, 0)[::-1]) - mean
    # END SOLUTION


# %%
other = np.float32([104, 117, 123]).reshape(3, 1, 1)  # GoogLeNet's: they differ
part = img[20:25, 30:37]  # 5 rows, 7 columns
red, green, blue = part[..., 0], part[..., 1], part[..., 2]
check(
    to_net(part, other),
    [blue - 104, green - 117, red - 123],
    {
        "still RGB: turn the channels round, blue comes first":
            [red - 104, green - 117, blue - 123],
        "take the mean away after turning the channels: it is B, G, R":
            [blue - 123, green - 117, red - 104],
        "the mean is not taken away": [blue, green, red],
        "with the mean that is handed in, not the network's": to_net(part, mean),
        "the channels come first: (BGR, rows, columns)": part[..., ::-1],
        "rows and columns are swapped": [blue.T - 104, green.T - 117, red.T - 123],
    },
)  # fmt: skip
check(to_net(img, mean), deepdream.preprocess(net, img))


# %% [markdown]
# **Your turn.** And `to_picture(x, mean)`, the way back.


# %%
def to_picture(x, mean):
    # BEGIN SOLUTION
    return np.moveaxis((x + mean)[::-1], 0, 2)
    # END SOLUTION


# %%
shift = np.float32([123 - 104, 0, 104 - 123])
slips = {
    "still BGR: turn the channels round": part[..., ::-1],
    "the mean is not added": part - [123, 117, 104],
    "add the mean before turning the channels: it is B, G, R": part - shift,
    "the channels come last: (rows, columns, RGB)": [red, green, blue],
}
check(to_picture(to_net(part, other), other), part, slips)

# %% [markdown]
# ## 3. Forward, to a layer
#
# `net.forward(end=name)` runs the layers up to that one, and leaves the rest alone. The input
# blob takes the size of our picture; every later blob follows.

# %%
x = to_net(img, mean)
src = net.blobs["data"]
src.reshape(1, *x.shape)
src.data[0] = x
net.forward(end=layer["high"])
net.blobs[layer["high"]].data.shape

# %% [markdown]
# The layer that `end` names is the *target*: its numbers are what the dream makes grow. Most
# layers only add up and multiply. A layer of another kind, a ReLU, comes after them and sets
# negative numbers to zero. Since the run stops right after `end`, a target that adds up and
# multiplies (a convolution) still has its negative numbers, and they count. Other programs take
# the numbers after the ReLU, under the same name, and get other pictures.

# %%
net.forward(end=layer["inside"])
negative = (net.blobs[layer["inside"]].data < 0).mean()
print(f"{layer['inside']}: {100 * negative:.0f} % of the values are negative")

# %% [markdown]
# ## 4. One step
#
# ![One step: forward to the target, backward to the picture](drawings/step.svg)
#
# What shall grow? In 2015: the squared length of the target's data, so whatever the layer sees
# already. The gradient of half the squared length of `x` is `x` itself. So the whole objective is
# one assignment: copy `data` into `diff`. Then `net.backward(start=name)` carries that to the
# picture.
#
# **Your turn.** Forward to `end`, the objective, backward from there. Return a *copy* of the
# picture's diff: blobs are views, and the next run writes into them.


# %%
def gradient(net, x, end):
    src, dst = net.blobs["data"], net.blobs[end]
    src.reshape(1, *x.shape)
    src.data[0] = x
    # BEGIN SOLUTION
    net.forward(end=end)
    dst.diff[...] = dst.data
    net.backward(start=end)
    return src.diff[0].copy()
    # END SOLUTION


# %%
dst = net.blobs[layer["high"]]
net.forward(end=layer["high"])
dst.diff[...] = 9  # whatever was there before is of no use
src.diff[...] = 9
g = gradient(net, x, layer["high"])
assert not np.all(dst.diff == 9), "nothing was written into dst.diff"
slips = {
    "ones? dst.diff is to be dst.data": np.ones_like(dst.data),
    "twice dst.data? half the square has the gradient dst.data": 2 * dst.data,
}
check(dst.diff, dst.data, slips)
assert np.shape(g) == x.shape, f"the picture's diff, {x.shape}, not {np.shape(g)}"
assert not np.all(g == 9), "the picture's diff was not written: net.backward(...)"
assert not np.shares_memory(g, src.diff), "a view: the next run changes it. Copy it"
src.data[0] = x
deepdream.make_step(net, end=layer["high"], jitter=0, clip=False)
moved = src.data[0] - x  # by a step of the library
check(g / np.linalg.norm(g), moved / np.linalg.norm(moved))

# %% [markdown]
# **Why is it divided by its mean?** A gradient has no scale of its own. It depends on the layer,
# on the network and on the picture: a paler one may give a gradient half as large, or twice as
# large. No step size would suit all that. Divided by its mean absolute value it moves each value
# by one grey level on average, and `step_size=1.5` means 1.5 grey levels everywhere.

# %%
for name in ("low", "middle", "high"):
    sizes = [np.abs(gradient(net, seen, layer[name])).mean() for seen in (x, x / 4)]
    print(f"{layer[name]:20} {sizes[0]:.4f}, of a paler picture {sizes[1]:.4f}")


# %% [markdown]
# **Your turn.** One step: add the scaled gradient, and keep the picture in 0..255 (mean taken
# away, that is `-mean` to `255 - mean`).


# %%
def step(net, x, end, step_size=1.5):
    g = gradient(net, x, end)
    # BEGIN SOLUTION
    x = x + step_size / np.abs(g).mean() * g
    return np.clip(x, -mean, 255 - mean)
    # END SOLUTION


# %%
for size in (60, 1.5):  # so large a step runs into the limits
    src.reshape(1, *x.shape)
    src.data[0] = x
    how = {"end": layer["high"], "jitter": 0, "step_size": size}
    deepdream.make_step(net, clip=False, **how)
    free = src.data[0].copy()
    right = np.clip(free, -mean, 255 - mean)

    def cut(size, free=free, mean=mean):  # the step as it would be at another size
        return np.clip(x + size * (free - x), -mean, 255 - mean)

    wrongly = {"largest value": np.abs(g).max(), "deviation": g.std()}
    wrongly["length"] = np.linalg.norm(g)
    slips = {
        "not clipped: values leave what a screen can show": free,
        "clipped to 0..255: without the mean that is -mean to 255 - mean":
            np.clip(free, 0, 255),
        "downhill: the gradient is added": cut(-1),
        "divide the gradient by its mean absolute value": cut(np.abs(g).mean()),
        "use step_size": cut(1.5 / size),
    }  # fmt: skip
    for words, length in wrongly.items():
        words = f"divided by the {words}, not by the mean absolute value"
        slips[words] = cut(np.abs(g).mean() / length)
    check(step(net, x, layer["high"], size), right, slips)

# %% [markdown]
# Twenty of your steps.

# %%
plain = x
for _ in range(20):
    plain = step(net, plain, layer["high"])
deepdream.show(to_picture(plain, mean))

# %% [markdown]
# ## 5. Jitter
#
# ![Jitter: rolled, a step, rolled back](drawings/jitter.svg)
#
# The network looks at the picture on a grid: a layer of stride 16 sees it in steps of sixteen
# pixels. Twenty steps at one place settle on that grid. So the picture is rolled by a random
# number of pixels before each step (what leaves it on one side comes in on the other), and rolled
# back after it.
#
# **Your turn.** Draw both numbers with one call, `np.random.randint(-jitter, jitter + 1, 2)`. By
# the first the picture moves to the right (along the last axis), by the second it moves down
# (along the last but one).


# %%
def jittered_step(net, x, end, step_size=1.5, jitter=32):
    # BEGIN SOLUTION
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    x = np.roll(np.roll(x, ox, -1), oy, -2)
    x = step(net, x, end, step_size)
    return np.roll(np.roll(x, -ox, -1), -oy, -2)
    # END SOLUTION


# %%
def tried(offsets, back):
    """Return the change by a step of the library on the picture rolled."""
    seen = np.roll(x, offsets, (1, 2))
    src.reshape(1, *x.shape)
    src.data[0] = seen
    deepdream.make_step(net, end=layer["high"], jitter=0)
    seen = src.data[0].copy()
    return (np.roll(seen, np.negative(offsets), (1, 2)) if back else seen) - x


for jitter in (32, 3):
    np.random.seed(1)
    mine = jittered_step(net, x, layer["high"], jitter=jitter)
    np.random.seed(1)
    src.reshape(1, *x.shape)
    src.data[0] = x
    deepdream.make_step(net, end=layer["high"], jitter=jitter)
    right = src.data[0] - x  # what the step did
    np.random.seed(1)
    right_first, down_second = np.random.randint(-jitter, jitter + 1, 2)
    np.random.seed(1)
    fewer = np.random.randint(-jitter, jitter, 2)
    slips = {
        "the two are swapped: the first moves it along the last axis":
            tried((right_first, down_second), True),
        "roll it back after the step": tried((down_second, right_first), False),
        "it has not been rolled": tried((0, 0), True),
        "-jitter to jitter, both included: randint(-jitter, jitter + 1, 2)":
            tried(fewer[::-1], True),
    }  # fmt: skip
    check(mine - x, right, slips, allowed=1e-3)

# %% [markdown]
# Twenty steps without and with it, and a part of the picture at twice its size. Without it lines
# are short and tangled, with a fine grain. With it they run on, and shapes become whole.

# %%
np.random.seed(0)
rolled = x
for _ in range(20):
    rolled = jittered_step(net, rolled, layer["high"])
pictures = [to_picture(seen, mean)[:140, :256] for seen in (plain, rolled)]
parts = [part.repeat(2, 0).repeat(2, 1) for part in pictures]
deepdream.show(*parts, titles=["without jitter", "with jitter"])

# %% [markdown]
# ## 6. Octaves
#
# ![Octaves: a base, and the enlarged detail of the octave before](drawings/octaves.svg)
#
# A layer knows things of one size. To find large ones, shrink the picture. So the dream begins
# with a small picture, takes ten steps, enlarges *what they have added*, adds that to the next
# larger picture, and so on. At the end there are large animals, with smaller ones in their fur.
# Three steps lead there.
#
# **Your turn: the sizes.** Return a list of `octave_n` pictures, the smallest first; the last one
# is `x` itself. Each is the next larger one, shrunk with `nd.zoom(larger, factors, order=1)`.
# There is a factor for each axis: the channels keep theirs, which is 1; the other two are
# `1 / octave_scale`.


# %%
def octaves_of(x, octave_n=4, octave_scale=1.4):
    # BEGIN SOLUTION
    octaves, factors = [x], (1, 1 / octave_scale, 1 / octave_scale)
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], factors, order=1))
    return octaves[::-1]
    # END SOLUTION


# %%
piece = x[:, :60, :63]
mine = octaves_of(piece, 3, 1.5)
assert len(mine) == 3, f"{len(mine)} pictures, where octave_n is 3"
assert mine[0].shape != piece.shape, "the smallest comes first, x itself last"
for found, shape in zip(mine, [(3, 27, 28), (3, 40, 42), (3, 60, 63)]):
    assert found.shape == shape, f"a size is {found.shape}, not {shape}"
check(mine[2], piece)
for smaller, larger in ((mine[1], mine[2]), (mine[0], mine[1])):
    factors = np.divide(smaller.shape, larger.shape)
    at_once = np.divide(smaller.shape, piece.shape)
    slips = {
        "shrink each from the next larger one": nd.zoom(piece, at_once, order=1),
        "order=1, not 3": nd.zoom(larger, factors, order=3),
        "order=1, not 0": nd.zoom(larger, factors, order=0),
    }
    check(smaller, nd.zoom(larger, factors, order=1), slips)


# %% [markdown]
# **Your turn: what is carried over.** `detail` is what the steps have added to one octave, `base`
# is the picture of the next. Return `detail` enlarged to the size of `base`, with `nd.zoom` and
# `order=1` again. The factors are now: 1, then the height of the base divided by the height of
# the detail, then the same for the widths.


# %%
def enlarged(detail, base):
    # BEGIN SOLUTION
    _, h, w = base.shape
    _, h1, w1 = detail.shape
    return nd.zoom(detail, (1, h / h1, w / w1), order=1)
    # END SOLUTION


# %%
def slope(h, w):
    return np.linspace(0, 2, 3)[:, None, None] + np.add.outer(
        np.linspace(0, 9, h), np.linspace(0, 5, w)
    )


base, detail = np.zeros((3, 21, 35)), slope(10, 14)
factors = np.array([1, 21 / 10, 35 / 14])
slips = {
    "enlarge the detail, not the base": base,
    "order=1: a slope becomes stairs": nd.zoom(detail, factors, order=0),
    "order=1, not 3": nd.zoom(detail, factors, order=3),
    "height and width are swapped": nd.zoom(detail, factors[[0, 2, 1]], order=1),
}
check(enlarged(detail, base), slope(21, 35), slips)  # a slope stays a slope
check(enlarged(slope(21, 35), base), slope(21, 35))


# %% [markdown]
# **Your turn: the dream.** `detail` begins as nothing. For each octave: enlarge the detail, add
# it to the base, take `iter_n` jittered steps, and keep what they have added, which is the
# picture after them minus the base.


# %%
def my_dream(net, img, end, iter_n=10, octave_n=4, octave_scale=1.4):
    octaves = octaves_of(to_net(img, mean), octave_n, octave_scale)
    detail = np.zeros_like(octaves[0])
    for base in octaves:
        # BEGIN SOLUTION
        x = base + enlarged(detail, base)
        for _ in range(iter_n):
            x = jittered_step(net, x, end)
        detail = x - base
        # END SOLUTION
    return to_picture(base + detail, mean)


# %% [markdown]
# Dreams amplify: a difference in the seventh digit tips a ReLU or a maximum somewhere, and grows
# with every step. Before the first convolution there are none of them. So that is where we compare,
# on a small picture: what was added to it. The check also notes each step that you take.


# %%
def watched(step, seen):
    def noted(net, x, *rest):
        seen.append(x.shape[1:])
        return step(net, x, *rest)

    return noted


small, seen, own = img[::2, ::2], [], jittered_step
few = {"end": layer["first"], "iter_n": 2, "octave_n": 3}
np.random.seed(1)
try:
    jittered_step = watched(own, seen)
    mine = my_dream(net, small, **few)
finally:
    jittered_step = own
assert seen, "no step was taken: use jittered_step"
sizes = [base.shape[1:] for base in octaves_of(to_net(small, mean), 3)]
each = [size for size in sizes for _ in range(2)]
assert seen == each, f"iter_n=2 steps at each of {sizes}, not at {seen}"
np.random.seed(1)
right = deepdream.deepdream(net, small, **few) - small
np.random.seed(1)
for base in octaves_of(to_net(small, mean), 3):  # no detail carried
    alone = base
    for _ in range(2):
        alone = jittered_step(net, alone, few["end"])
slips = {
    "nothing is carried over: begin with base + the enlarged detail":
        to_picture(alone, mean) - small,
}  # fmt: skip
check(mine - small, right, slips)

# %% [markdown]
# That was the whole of it. Here is your own dream, of the photograph from the beginning, with ten
# steps an octave where that had twenty.

# %%
np.random.seed(0)
mine = my_dream(net, img, layer["high"])
deepdream.show(mine)

# %% [markdown]
# `deepdream.dream` in the style of 2015 is the same, faster, and without the known defects. Other
# styles turn what you have built in other ways: more octaves, a smoothed gradient, the
# photograph's colours ([cookbook](cookbook.md)).

# %% [markdown]
# ## 7. Other layers
#
# Low layers see edges and textures, later ones parts, then whole things. `deepdream gallery`
# makes a page with all of them.

# %%
how = {"iter_n": 20, "style": "2015", "seed": 0, "progress": False}
low = deepdream.dream(net, img, end=layer["low"], **how)
middle = deepdream.dream(net, img, end=layer["middle"], **how)
deepdream.show(low, middle, titles=[layer["low"], layer["middle"]])

# %% [markdown]
# ## 8. The zoom
#
# ![The zoom: dream, cut the borders off, enlarge, dream again](drawings/zoom.svg)
#
# Feed the dream to the dream: after each one, cut five per cent off the borders and enlarge the
# rest. A hundred times that is a flight into nowhere. Eight frames show how it begins.

# %%
how = {"frames": 8, "end": layer["high"]}
how |= {"style": "2015", "seed": 0, "progress": False}
frames = list(deepdream.zoom(net, img, **how))
deepdream.show(*frames[::7], titles=["frame 0", "frame 7"])

# %% [markdown]
# ## 9. Guided dreams
#
# ![A guided dream: for each position the guide's best match](drawings/guide.svg)
#
# Another objective, another dream. Take the features of a second picture, the guide, at the same
# layer. At each position of our picture, find the guide's feature that matches best (the largest
# dot product), and let that one grow.

# %%
guide = deepdream.load_image("../examples/flowers.jpg")
features = deepdream.guide_features(net, guide, layer["high"])
features.shape


# %% [markdown]
# **Your turn.** `features` is (channels, rows, columns); `dst.data` and `dst.diff` are (1,
# channels, rows, columns), with rows and columns of their own. Write the objective: what belongs
# into `dst.diff`?


# %%
def objective(dst):
    # BEGIN SOLUTION
    x = dst.data[0].reshape(len(features), -1)  # a column for each position
    y = features.reshape(len(features), -1)
    best = (x.T @ y).argmax(1)
    dst.diff[0] = y[:, best].reshape(dst.data.shape[1:])
    # END SOLUTION


# %%
src.reshape(1, *x.shape)
src.data[0] = x
net.forward(end=layer["high"])
dst = net.blobs[layer["high"]]
dst.diff[...] = 9  # whatever was there before is of no use
objective(dst)
mine = dst.diff.copy()
deepdream.objective_guide(-features)(dst)
least = -dst.diff
deepdream.objective_guide(features)(dst)
slips = {
    "nothing was written into dst.diff": np.full_like(mine, 9),
    "that is the objective of section 4: the guide is not used": dst.data,
    "added to what was there: write with =": dst.diff + 9,
    "the least alike: the largest dot product is wanted": least,
    "the guide's features, not the picture's own": dst.data[:, ::-1],
}
check(mine, dst.diff, slips)

# %% [markdown]
# Look for petals around round heads, and for a dotted pattern like the sunflower's, where the
# plain dream has fur and eyes.

# %%
how = {"end": layer["high"], "iter_n": 20}
how |= {"style": "2015", "seed": 0, "progress": False}
guided = deepdream.dream(net, img, guide=guide, **how)
deepdream.show(guide, guided, titles=["the guide", "the dream"])

# %% [markdown]
# ## 10. Places instead of things
#
# A network sees what it was taught. ImageNet has a thousand things, more than a hundred kinds of
# dogs among them: hence the dogs. The same GoogLeNet trained on places dreams of other things
# with the same code. Compare two dreams of one photograph, and look for what is repeated. In a
# dream of *things* it is what animals have: eyes, snouts, fur, and heads where something has a
# round end. In a dream of *places* it is what is built: arches, windows in rows, roofs, columns,
# fountains.

# %%
PLACES = False  # True: its weights are fetched the first time, some 50 MB

if PLACES:
    of_places = deepdream.load_net("googlenet_places205")
    pictures = deepdream.dream(of_places, img, seed=0, progress=False)
    deepdream.show(dream, pictures, titles=["things", "places"])

# %% [markdown]
# ## Where to go from here
#
# * Five labs begin where this ends: [blobs and gradients](labs/lab1_gradients.ipynb),
#   [jitter and octaves](labs/lab2_octaves.ipynb), [objectives](labs/lab3_objectives.ipynb),
#   [what a layer sees](labs/lab4_layers.ipynb),
#   [objectives that add up](labs/lab5_objectives.ipynb).
# * `deepdream gallery photo.jpg -o gallery` shows every layer of a network on your own picture.
# * `deepdream reproduce google-4c` makes Google's pictures again, and says what cannot match.
# * [What do I do if](what-if.md) the dream is too weak, too slow, or grey.
# * [How it works](how-it-works.md) tells which file does what.
#
# Two boxes follow, about things that Caffe does and that you need not know to dream. They explain
# lines in Google's notebook which look odd.

# %% [markdown]
# ## Box A: why `force_backward`?
#
# <div class="alert alert-info">
#
# Google's notebook writes a second prototxt, with `force_backward: true` in it. Why? Caffe runs a
# layer backward only if the way leads from a loss to something that is to be learnt. A deploy net
# has no loss, so `backward` does nothing at all, and every diff but the one that we wrote stays
# zero. Even with a loss it would stop at the first layer's weights, for nobody learns the
# picture. The notebook would then divide by a mean of zero, and the picture would become NaN.
#
# `load_net` sets it for you. Under Caffe's own name, `deepdream.caffe.Net`, you see what happens
# without.
#
# </div>

# %%
files = str(net.prototxt_path), str(net.weights_path)
bare = deepdream.caffe.Net(*files, deepdream.caffe.TEST)
bare.blobs["data"].reshape(1, *x.shape)
bare.blobs["data"].data[0] = x
bare.forward(end=layer["low"])
bare.blobs[layer["low"]].diff[...] = bare.blobs[layer["low"]].data
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says so, and what to do
    bare.backward(start=layer["low"])
gradient(net, x, layer["low"])
for name in ("data", list(net.blobs)[1]):  # the picture, and a blob on the way
    for what, shown in (("without it", bare), ("with it", net)):
        size = np.abs(shown.blobs[name].diff).max()
        print(f"the largest diff of {name}, {what}: {size:.4f}")
del bare

# %% [markdown]
# ## Box B: the gradient of an earlier target
#
# ![A split hands out copies of data, and adds up diffs](drawings/split.svg)
#
# <div class="alert alert-info">
#
# A blob that several layers read gets a Split layer, which Caffe adds by itself. Forward it hands
# out copies. Backward it adds up the diffs of all of them: what a number does to the goal is the
# sum of what it does on every way there.
#
# Now the trap. `backward(start=...)` writes the diffs of the layers that it runs, and touches no
# other. Take a target inside a branch: its Split also adds the diffs of the *other* branches,
# which nobody has written this time. They hold what an earlier target left there: they are
# *stale*. The notebook dreams at `inception_3b/5x5_reduce` right after `inception_4c/output`, in
# one net: that is this trap.
#
# `deepdream.deepdream` keeps it, to the letter of 2015. `deepdream.dream` has a clean gradient. In
# your own lines, set the diffs to zero between two targets.
#
# </div>

# %%
another = deepdream.load_net(MODEL)
fresh = gradient(another, x, layer["branch"])
gradient(another, x, layer["high"])  # an earlier target
stale = gradient(another, x, layer["branch"])
off = 100 * np.linalg.norm(stale - fresh) / np.linalg.norm(fresh)
print(f"{layer['branch']}: the gradient is {off:.0f} % off")

# %%
for blob in another.blobs.values():
    blob.diff[...] = 0
check(gradient(another, x, layer["branch"]), fresh)
