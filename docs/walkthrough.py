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
# turn: you write the piece, and a check compares it with the library. What comes after it uses
# what you wrote.
#
# Everything runs on a laptop, with a network that comes along. For Google's own network change
# one line below.

# %%
import numpy as np
import scipy.ndimage as nd

import deepdream

MODEL = None  # the bundled EfficientNet-Lite0; or "googlenet", the network of 2015

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

# %% [markdown]
# A check says how far two arrays are apart, and stops you where that is too far. Two programs
# that add the same numbers in another order differ in the seventh digit; that is fine.


# %%
def check(mine, right, allowed=1e-4):
    mine, right = np.asarray(mine, np.float64), np.asarray(right, np.float64)
    assert mine.shape == right.shape, f"shape {mine.shape}, should be {right.shape}"
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
# ![A picture becomes three planes, blue first, with the mean taken away](drawings/bgr.svg)
#
# Caffe's networks were trained on pictures with the channels in the order blue, green, red (that
# is how OpenCV loaded them), and with the mean of all training pictures taken away, so that zero
# is an average grey. The channel axis comes first. The bundled network learnt RGB and another
# scale; both are folded into its first convolution, so that it takes the same kind of input.

# %%
img = deepdream.load_image("../examples/clouds.jpg")[::2, ::2]
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
red = np.float32([[[255, 0, 0]]])  # a picture of one pixel
check(to_net(red, other).ravel(), [0 - 104, 0 - 117, 255 - 123])
check(to_net(img, mean), deepdream.preprocess(net, img))


# %% [markdown]
# **Your turn.** And `to_picture(x, mean)`, the way back.


# %%
def to_picture(x, mean):
    # BEGIN SOLUTION
    return np.moveaxis((x + mean)[::-1], 0, 2)
    # END SOLUTION


# %%
check(to_picture(to_net(img, other), other), img)

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
# `end` names a *layer*, and the run stops right after it. A ReLU (or Clip) is a layer of its own
# that comes later. So a target that is a convolution, as the notebook's
# `inception_3b/5x5_reduce`, holds the values before the cut: negative ones too, and they count.
# In `inception_4c/output` the branches have been cut already: it joins what comes out of their
# ReLUs. Ports that took a convolution's values after the ReLU make other pictures.

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
g = gradient(net, x, layer["high"])
check(net.blobs[layer["high"]].diff, net.blobs[layer["high"]].data)
assert not np.shares_memory(g, src.diff), "a view: copy it"
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
for size in (1.5, 60):  # so large a step runs into the limits
    src.reshape(1, *x.shape)
    src.data[0] = x
    deepdream.make_step(net, end=layer["high"], jitter=0, step_size=size)
    right = src.data[0].copy()
    check(step(net, x, layer["high"], size), right)

# %% [markdown]
# **Why `force_backward`?** Caffe runs a layer backward only if the way leads from a loss to
# something that is learnt. A deploy net has no loss, so `backward` does nothing at all, and every
# diff but the one that we wrote stays zero. Even with a loss it would stop at the first layer's
# weights, for nobody learns the picture. The notebook would then divide by a mean of zero, and
# the picture become NaN. So it wrote a second prototxt, with `force_backward: true`. `load_net`
# does that for you; under Caffe's own name, `deepdream.caffe.Net`, you see what happens without.

# %%
files = str(net.prototxt_path), str(net.weights_path)
plain = deepdream.caffe.Net(*files, deepdream.caffe.TEST)
plain.blobs["data"].reshape(1, *x.shape)
plain.blobs["data"].data[0] = x
plain.forward(end=layer["low"])
plain.blobs[layer["low"]].diff[...] = plain.blobs[layer["low"]].data
plain.backward(start=layer["low"])
gradient(net, x, layer["low"])
for name in ("data", list(net.blobs)[1]):  # the picture, and a blob on the way
    for what, tried in (("without it", plain), ("with it", net)):
        size = np.abs(tried.blobs[name].diff).max()
        print(f"the largest diff of {name}, {what}: {size:.4f}")
del plain

# %% [markdown]
# ## 5. What a split is
#
# ![A split hands out copies of data, and adds up diffs](drawings/split.svg)
#
# A blob that several layers read gets a Split layer, which Caffe adds by itself. Forward it hands
# out copies. Backward it adds up the diffs of all of them: what a number does to the goal is the
# sum of what it does on every way there. Forget one branch, and the gradient is wrong.

# %%
splits = [name for name in net._layer_names if "split" in name]  # pycaffe's name
len(splits), splits[:3]

# %% [markdown]
# **The trap.** `backward(start=...)` writes the diffs of the layers that it runs, and touches no
# other. Take a target inside a branch: its Split also adds the diffs of the *other* branches,
# which nobody has written this time. They hold what an earlier target left there. The notebook
# dreams at `inception_3b/5x5_reduce` right after `inception_4c/output`, in one net: that is this
# trap.

# %%
clean = deepdream.load_net(MODEL)
fresh = gradient(clean, x, layer["branch"])
gradient(net, x, layer["high"])  # an earlier target
stale = gradient(net, x, layer["branch"])
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
# ![Jitter: rolled, a step, rolled back](drawings/jitter.svg)
#
# The network looks at the picture on a grid: a layer of stride 16 sees it in steps of sixteen
# pixels. Ten steps at one place would settle on that grid. So the picture is rolled by a random
# number of pixels before each step, and rolled back after it.
#
# **Your turn.** Draw both offsets with one call, `np.random.randint(-jitter, jitter + 1, 2)`: the
# first rolls columns, the second rows.


# %%
def jittered_step(net, x, end, step_size=1.5, jitter=32):
    # BEGIN SOLUTION
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    x = np.roll(np.roll(x, ox, -1), oy, -2)
    x = step(net, x, end, step_size)
    return np.roll(np.roll(x, -ox, -1), -oy, -2)
    # END SOLUTION


# %%
for jitter in (32, 3):
    np.random.seed(1)
    mine = jittered_step(net, x, layer["high"], jitter=jitter)
    np.random.seed(1)
    src.reshape(1, *x.shape)
    src.data[0] = x
    deepdream.make_step(net, end=layer["high"], jitter=jitter)
    check(mine - x, src.data[0] - x, allowed=1e-3)  # what the step did

# %% [markdown]
# Twenty steps without and with it, and a part of the sky at twice its size. On the left lines are
# short and tangled, with a fine grain. On the right they run on, and shapes become whole.

# %%
how = {"iter_n": 20, "octave_n": 1}
how |= {"style": "2015", "seed": 0, "progress": False}
still = deepdream.dream(net, img, end=layer["high"], jitter=0, **how)
rolled = deepdream.dream(net, img, end=layer["high"], jitter=32, **how)
parts = [p[60:200, :250].repeat(2, 0).repeat(2, 1) for p in (still, rolled)]
deepdream.show(*parts, titles=["without jitter", "with jitter"])

# %% [markdown]
# ## 7. Octaves
#
# ![Octaves: a base, and the enlarged detail of the octave before](drawings/octaves.svg)
#
# A layer knows things of one size. To find large ones, shrink the picture. So the dream begins
# with a small picture, takes ten steps, enlarges *what they have added*, adds that to the next
# larger picture, and so on. At the end there are large animals, with smaller ones in their fur.
#
# **Your turn.** The octaves: each is the one before, shrunk by `octave_scale`, with
# `nd.zoom(x, (1, rows, columns), order=1)`, where rows and columns are factors. Then from the
# smallest to the largest: enlarge the detail to the size of the base (`nd.zoom` again), add it,
# take `iter_n` steps, and keep what they have added as the new detail.


# %%
def my_dream(net, img, end, iter_n=10, octave_n=4, octave_scale=1.4):
    octaves = [to_net(img, mean)]
    # BEGIN SOLUTION
    shrink = (1, 1 / octave_scale, 1 / octave_scale)
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], shrink, order=1))
    detail = np.zeros_like(octaves[-1])
    for base in octaves[::-1]:
        (h, w), (h1, w1) = base.shape[-2:], detail.shape[-2:]
        if (h, w) != (h1, w1):
            detail = nd.zoom(detail, (1, h / h1, w / w1), order=1)
        x = base + detail
        for _ in range(iter_n):
            x = jittered_step(net, x, end)
        detail = x - base
    # END SOLUTION
    return to_picture(x, mean)


# %% [markdown]
# Dreams amplify: a difference in the seventh digit tips a ReLU or a maximum somewhere, and grows
# with every step. Before the first convolution there are none of them. So that is where we compare,
# on a small picture: what was added to it.

# %%
small = img[::2, ::2]
few = {"end": layer["first"], "iter_n": 2, "octave_n": 3}
np.random.seed(1)
mine = my_dream(net, small, **few)
np.random.seed(1)
right = deepdream.deepdream(net, small, **few)
check(mine - small, right - small)

# %% [markdown]
# That was the whole of it. `deepdream.dream` in the style of 2015 is the same, faster, and without
# the known defects. Other styles turn what you have built in other ways: more octaves, a smoothed
# gradient, the photograph's colours ([cookbook](cookbook.md)).

# %%
how = {"style": "2015", "seed": 0, "progress": False}
dream = deepdream.dream(net, img, end=layer["high"], **how)
deepdream.show(img, dream, titles=["what there is", "what the network sees"])

# %% [markdown]
# ## 8. Other layers
#
# Low layers see edges and textures, later ones parts, then whole things. `deepdream gallery`
# makes a page with all of them.

# %%
low = deepdream.dream(net, img, end=layer["low"], **how)
middle = deepdream.dream(net, img, end=layer["middle"], **how)
deepdream.show(low, middle, titles=[layer["low"], layer["middle"]])

# %% [markdown]
# ## 9. The zoom
#
# ![The zoom: dream, cut the borders off, enlarge, dream again](drawings/zoom.svg)
#
# Feed the dream to the dream: after each one, cut five per cent off the borders and enlarge the
# rest. A hundred times that is a flight into nowhere. Three frames show how it begins.

# %%
how = {"frames": 3, "end": layer["high"]}
how |= {"style": "2015", "seed": 0, "progress": False}
frames = list(deepdream.zoom(net, small, **how))
deepdream.show(*frames, titles=["frame 0", "frame 1", "frame 2"])

# %% [markdown]
# ## 10. Guided dreams
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
objective(dst)
mine = dst.diff.copy()
deepdream.objective_guide(features)(dst)
check(mine, dst.diff)

# %% [markdown]
# Look for petals around round heads, and for a dotted pattern like the sunflower's, where the
# plain dream of section 7 has fur and eyes.

# %%
how = {"end": layer["high"]}
how |= {"style": "2015", "seed": 0, "progress": False}
guided = deepdream.dream(net, img, guide=guide, **how)
deepdream.show(guide, guided, titles=["the guide", "the dream"])

# %% [markdown]
# ## 11. Places instead of things
#
# A network sees what it was taught. ImageNet has a thousand things, more than a hundred kinds of
# dogs among them: hence the dogs. The same GoogLeNet trained on places dreams of other things
# with the same code. Compare two dreams of one sky, and look for what is repeated. In a dream of
# *things* it is what animals have: eyes, snouts, fur, and heads where clouds have a round end. In
# a dream of *places* it is what is built: arches, windows in rows, roofs, columns, fountains.

# %%
PLACES = False  # True: its weights are fetched the first time, some 50 MB

if PLACES:
    of_places = deepdream.load_net("googlenet_places205")
    pictures = deepdream.dream(of_places, img, seed=0, progress=False)
    deepdream.show(dream, pictures, titles=["things", "places"])

# %% [markdown]
# ## Where to go from here
#
# * Four labs begin where this ends: [blobs and gradients](labs/lab1_gradients.ipynb),
#   [jitter and octaves](labs/lab2_octaves.ipynb), [objectives](labs/lab3_objectives.ipynb),
#   [what a layer sees](labs/lab4_layers.ipynb).
# * `deepdream gallery photo.jpg -o gallery` shows every layer of a network on your own picture.
# * `deepdream reproduce google-4c` makes Google's pictures again, and says what cannot match.
# * [How it works](how-it-works.md) tells which file does what.
