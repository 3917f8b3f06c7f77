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
# In June 2015 Google published a notebook of forty lines that made a network show what it sees.
# This is that notebook, taken apart. Each part comes with the trick in words, a drawing where it
# helps, and the smallest code that does it. Then it is your turn: you write the piece, and a
# check compares it with the library.
#
# Everything runs on a laptop, with a network that comes along. For Google's own network change one
# line below.

# %%
import numpy as np

import deepdream

MODEL = None  # the bundled EfficientNet-Lite0; or "googlenet", the network of 2015

# %% [markdown]
# A few layers of each network that we will visit, from its first ones, which see strokes, to its
# later ones, which see animals and buildings.

# %%
LAYERS = {
    "efficientnet_lite0": {
        "low": "block4/output",
        "middle": "block7/output",
        "high": "block10/output",
        "inside": "block9/expand",
        "branch": "block4/expand",
    },
    "googlenet": {
        "low": "conv2/3x3",
        "middle": "inception_3b/output",
        "high": "inception_4c/output",
        "inside": "inception_4c/1x1",
        "branch": "inception_3b/5x5_reduce",
    },
}

# %% [markdown]
# A check says how far two arrays are apart, and stops you where that is too far. Two programs that
# add the same numbers in another order differ in the seventh digit; that is fine.


# %%
def check(mine, right, allowed=1e-4):
    mine, right = np.asarray(mine, np.float64), np.asarray(right, np.float64)
    assert mine.shape == right.shape, f"the shape is {mine.shape}, it should be {right.shape}"
    apart = np.linalg.norm(mine - right) / np.linalg.norm(right)
    assert apart <= allowed, f"{apart:.1e} apart: not yet"
    print(f"right, {apart:.0e} apart")


# %% [markdown]
# ## 1. A network
#
# Caffe keeps a network in two files. `deploy.prototxt` describes the layers in words, the
# `.caffemodel` holds the numbers that were learnt. `load_net` reads both.

# %%
net = deepdream.load_net(MODEL)
layer = LAYERS[net.model.name]
net

# %% [markdown]
# `net.params` are the numbers that were learnt: the weights and the bias of each layer. They stay
# as they are. We do not train a network; we change the picture.
#
# `net.blobs` are the numbers that pass through. Each layer reads blobs (its *bottoms*) and writes
# blobs (its *tops*). A blob of pictures is four-dimensional: (pictures, channels, rows, columns).

# %%
for name, blobs in list(net.params.items())[:3]:
    print(f"param {name:24}", *(blob.data.shape for blob in blobs))
for name, blob in list(net.blobs.items())[:6]:
    print(f"blob  {name:24}", blob.data.shape)

# %% [markdown]
# A blob holds two arrays of one shape. `data` is what was computed on the way forward. `diff` is
# the gradient on the way back: how much the goal would grow if this number grew a little. Half of
# DeepDream is to know which of the two one is looking at.

# %% [markdown]
# ## 2. A picture, as the network wants it
#
# The network was trained on pictures with the channels in the order blue, green, red (that is how
# OpenCV loaded them), and with the mean of all training pictures taken away, so that zero is an
# average grey. The channel axis comes first.

# %%
img = deepdream.load_image("../examples/clouds.jpg")[::2, ::2]
img.shape, img.min(), img.max()

# %%
mean = net.transformer.mean["data"]  # (3, 1, 1): blue, green, red
mean.ravel()


# %% [markdown]
# **Your turn.** Write `to_net(img)`: (rows, columns, RGB) in 0..255 becomes (BGR, rows, columns)
# minus the mean; and `to_picture(x)`, the way back.


# %%
def to_net(img):
    return np.float32(np.moveaxis(img, 2, 0)[::-1]) - mean


def to_picture(x):
    return np.moveaxis((x + mean)[::-1], 0, 2)


check(to_net(img), deepdream.preprocess(net, img))
check(to_picture(to_net(img)), img)

# %% [markdown]
# ## 3. Forward, to a layer
#
# `net.forward(end=name)` runs the layers up to that one, and leaves the rest alone. The input blob
# takes the size of our picture; every later blob follows.

# %%
src = net.blobs["data"]
src.reshape(1, 3, *img.shape[:2])
src.data[0] = to_net(img)
net.forward(end=layer["high"])
net.blobs[layer["high"]].data.shape

# %% [markdown]
# `end` names a *layer*, and the run stops right after it. A ReLU (or Clip) is a layer of its own
# that comes later, so its cut at zero has not happened yet: the target of 2015 holds negative
# numbers, and they count. Ports that took the values after the ReLU make other pictures.

# %%
net.forward(end=layer["inside"])
before = net.blobs[layer["inside"]].data
print(f"{layer['inside']}: {100 * (before < 0).mean():.0f} % of the values are negative")

# %% [markdown]
# ## 4. One step
#
# ![One step](drawings/step.svg)
#
# What shall grow? In 2015: the squared length of the target's data, so whatever the layer sees
# already. The gradient of half the squared length of `x` is `x` itself. So the whole objective is
# one assignment: copy `data` into `diff`. Then `backward` carries that to the picture.


# %%
def gradient(net, x, end):
    src, dst = net.blobs["data"], net.blobs[end]
    src.reshape(1, *x.shape)
    src.data[0] = x
    net.forward(end=end)
    dst.diff[...] = dst.data
    net.backward(start=end)
    return src.diff[0].copy()


x = to_net(img)
g = gradient(net, x, layer["high"])
g.shape, float(np.abs(g).mean())

# %% [markdown]
# **Why is it divided by its mean?** A gradient has no scale of its own. It depends on the layer,
# on the network, and on how strongly the layer answers to this very picture, so that it grows
# while one dreams. No step size would suit all that. Divided by its mean absolute value it moves
# each value by one grey level on average, and `step_size=1.5` means 1.5 grey levels everywhere.

# %%
for name in ("low", "middle", "high"):
    for what, seen in (("the picture", x), ("a paler one", x / 4)):
        size = np.abs(gradient(net, seen, layer[name])).mean()
        print(f"{layer[name]:22} {what}: mean gradient {size:.4f}")


# %% [markdown]
# **Your turn.** One step: add the scaled gradient, and keep the picture in 0..255 (mean taken away,
# that is `-mean` to `255 - mean`).


# %%
def step(net, x, end, step_size=1.5):
    g = gradient(net, x, end)
    x = x + step_size / np.abs(g).mean() * g
    return np.clip(x, -mean, 255 - mean)


src.reshape(1, *x.shape)
src.data[0] = x
deepdream.make_step(net, end=layer["high"], jitter=0)
right = src.data[0].copy()  # blobs are views: the next run writes into them
check(step(net, x, layer["high"]), right)

# %% [markdown]
# **Why `force_backward`?** Caffe computes a diff only where a parameter needs it. Nothing in
# front of the picture is learnt, so the last part of the way is left out, and `data.diff` stays
# zero. The notebook wrote a second prototxt with `force_backward: true`. `load_net` does that for
# you; under Caffe's own name, `deepdream.caffe.Net`, you see what happens without.

# %%
plain = deepdream.caffe.Net(str(net.prototxt_path), str(net.weights_path), deepdream.caffe.TEST)
plain.blobs["data"].reshape(1, *x.shape)
plain.blobs["data"].data[0] = x
plain.forward(end=layer["low"])
plain.blobs[layer["low"]].diff[...] = plain.blobs[layer["low"]].data
plain.backward(start=layer["low"])
print("without it:", np.abs(plain.blobs["data"].diff).max())
print("with it:   ", np.abs(gradient(net, x, layer["low"])).max())
del plain

# %% [markdown]
# ## 5. What a split is
#
# ![A split](drawings/split.svg)
#
# A blob that several layers read gets a Split layer, which Caffe adds by itself. Forward it hands
# out copies. Backward it adds up the diffs of all of them: what a number does to the goal is the
# sum of what it does on every way there. Forget one branch, and the gradient is wrong.

# %%
splits = [name for name in net._layer_names if "split" in name]
len(splits), splits[:3]

# %% [markdown]
# **The trap.** `backward(start=...)` writes the diffs of the layers that it runs, and touches no
# other. Take a target inside a branch: its Split also adds the diffs of the *other* branches,
# which nobody has written this time. They hold what an earlier target left there. The notebook's
# cell 14 dreamt that way, after cell 12, and nobody noticed.

# %%
clean = deepdream.load_net(MODEL)
fresh = gradient(clean, x, layer["branch"])
stale = gradient(net, x, layer["branch"])  # this net has seen other targets
apart = np.linalg.norm(stale - fresh) / np.linalg.norm(fresh)
print(f"{layer['branch']}: the two gradients are {apart:.2f} of their length apart")

# %%
for blob in net.blobs.values():
    blob.diff[...] = 0
check(gradient(net, x, layer["branch"]), fresh)

# %% [markdown]
# `deepdream.deepdream` keeps the trap, to the letter of 2015. `deepdream.dream` has a clean
# gradient.

# %% [markdown]
# ## 6. Jitter
#
# ![Jitter](drawings/jitter.svg)
#
# The network looks at the picture on a grid: a layer of stride 16 sees it in steps of sixteen
# pixels. Ten steps at one place would settle on that grid. So the picture is rolled by a random
# number of pixels before each step, and rolled back after it.


# %%
def jittered_step(net, x, end, step_size=1.5, jitter=32):
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    x = np.roll(np.roll(x, ox, -1), oy, -2)
    x = step(net, x, end, step_size)
    return np.roll(np.roll(x, -ox, -1), -oy, -2)


np.random.seed(0)
mine = jittered_step(net, x, layer["high"])
np.random.seed(0)
src.reshape(1, *x.shape)
src.data[0] = x
deepdream.make_step(net, end=layer["high"])
check(mine, src.data[0])

# %% [markdown]
# Twenty steps without and with it, and a part of the sky. On the left lines are short and tangled,
# with a fine grain. On the right they run on, and shapes become whole.

# %%
how = {"end": layer["high"], "iter_n": 20, "octave_n": 1, "seed": 0, "progress": False}
still = deepdream.dream(net, img, jitter=0, **how)
rolled = deepdream.dream(net, img, jitter=32, **how)
part = np.s_[60:200, :250]
deepdream.show(still[part], rolled[part], titles=["without jitter", "with jitter"])

# %% [markdown]
# ## 7. Octaves
#
# ![Octaves](drawings/octaves.svg)
#
# A layer knows things of one size. To find large ones, shrink the picture. So the dream begins
# with a small picture, takes ten steps, enlarges *what they have added*, adds that to the next
# larger picture, and so on. At the end there are large animals, with smaller ones in their fur.
#
# **Your turn.** `scipy.ndimage.zoom(x, (1, rows, columns), order=1)` shrinks and enlarges.

# %%
import scipy.ndimage as nd  # noqa: E402


def my_dream(net, img, end, iter_n=10, octave_n=4, octave_scale=1.4):
    octaves = [to_net(img)]
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], (1, 1 / octave_scale, 1 / octave_scale), order=1))
    detail = np.zeros_like(octaves[-1])
    for base in octaves[::-1]:
        (h, w), (h1, w1) = base.shape[-2:], detail.shape[-2:]
        if (h, w) != (h1, w1):
            detail = nd.zoom(detail, (1, h / h1, w / w1), order=1)
        x = base + detail
        for _ in range(iter_n):
            x = jittered_step(net, x, end)
        detail = x - base
    return to_picture(x)


# %% [markdown]
# Dreams amplify: a difference in the seventh digit grows with every step. So we compare after a
# few.

# %%
few = {"end": layer["middle"], "iter_n": 2, "octave_n": 3}
np.random.seed(1)
mine = my_dream(net, img, **few)
np.random.seed(1)
check(mine, deepdream.deepdream(net, img, **few), allowed=1e-3)

# %% [markdown]
# That was the whole of it. `deepdream.dream` is the same, faster, and without the known defects.

# %%
dream = deepdream.dream(net, img, end=layer["high"], seed=0, progress=False)
deepdream.show(img, dream, titles=["what there is", "what the network sees"])

# %% [markdown]
# ## 8. Other layers
#
# Low layers see edges and textures, later ones parts, then whole things. `deepdream gallery`
# makes a page with all of them.

# %%
seen = [
    deepdream.dream(net, img, end=layer[name], seed=0, progress=False) for name in ("low", "middle")
]
deepdream.show(*seen, titles=[layer["low"], layer["middle"]])

# %% [markdown]
# ## 9. The zoom
#
# Feed the dream to the dream: after each one, cut five per cent off the borders and enlarge the
# rest. A hundred times that is a flight into nowhere. Three frames show how it begins.

# %%
small = img[::2, ::2]
frames = list(deepdream.zoom(net, small, frames=3, end=layer["high"], seed=0, progress=False))
deepdream.show(*frames, titles=["frame 0", "frame 1", "frame 2"])

# %% [markdown]
# ## 10. Guided dreams
#
# Another objective, another dream. Take the features of a second picture, the guide, at the same
# layer. At each position of our picture, find the guide's feature that matches best (the largest
# dot product), and let that one grow.

# %%
guide = np.roll(img[::-1], 100, 1)[:112, :160]
features = deepdream.guide_features(net, guide, layer["high"])
features.shape


# %% [markdown]
# **Your turn.** `dst.data` and `dst.diff` are (1, channels, rows, columns).


# %%
def objective(dst):
    x = dst.data[0].reshape(len(features), -1)  # a column for each position
    y = features.reshape(len(features), -1)
    best = (x.T @ y).argmax(1)
    dst.diff[0] = y[:, best].reshape(dst.data.shape[1:])


class Target:  # as much of a blob as an objective needs
    data = net.blobs[layer["high"]].data.copy()
    diff = np.zeros_like(data)


mine, theirs = Target(), Target()
theirs.diff = np.zeros_like(Target.data)
objective(mine)
deepdream.objective_guide(features)(theirs)
check(mine.diff, theirs.diff)

# %%
guided = deepdream.dream(net, img, end=layer["high"], guide=guide, seed=0, progress=False)
deepdream.show(guide, guided, titles=["the guide", "the dream"])

# %% [markdown]
# ## 11. Places instead of things
#
# A network sees what it was taught. ImageNet has a thousand things, more than a hundred kinds of
# dogs among them: hence the dogs. The same GoogLeNet trained on places dreams of fountains, temples
# and windows. Same code, other weights, other dreams.

# %%
from deepdream.models.cache import find_model, find_weights  # noqa: E402

places = find_weights(find_model("googlenet_places205"))
if places is None:
    print("To see it: deepdream models fetch googlenet_places205 (some 50 MB), and run this again.")
else:
    of_places = deepdream.load_net("googlenet_places205")
    pictures = deepdream.dream(of_places, img, seed=0, progress=False)
    deepdream.show(dream, pictures, titles=["things", "places"])

# %% [markdown]
# ## Where to go from here
#
# * `deepdream gallery photo.jpg -o gallery` shows every layer of a network on your own picture.
# * `deepdream reproduce google-4c` makes Google's pictures again, and says what cannot match.
# * `docs/labs/` has four exercises that begin where this ends.
# * `docs/how-it-works.md` tells which file does what.
