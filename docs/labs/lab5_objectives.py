# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 5. Objectives that add up
#
# A dream can grow several things at once: a layer and a class, one thing more and another less.
# Here you write the gradient of such a sum, first with one backward pass for each term, then with
# one for both, and compare a step with the library's. At the end you see what classes look like.
# Time: an hour and a half. Read the walkthrough to section 9 before, and lab 1.

# %%
import numpy as np

import deepdream
from deepdream import objectives as o

net = deepdream.load_net()
img = deepdream.load_image("../../examples/clouds.jpg")[::6, ::6]
SHALLOW, DEEP = "block7/output", "classifier"
HEN = 8  # one of ImageNet's thousand classes: deepdream labels hen
print(img.shape)


# %%
def look(end):
    """Show the picture to the net, up to a layer; all diffs are zero then."""
    x = deepdream.preprocess(net, img)
    net.blobs["data"].reshape(1, *x.shape)
    net.blobs["data"].data[0] = x
    net.forward(end=end)
    for blob in net.blobs.values():
        blob.diff[...] = 0
    return net.blobs[end]


# %% [markdown]
# ## 1. A class
#
# The layer `classifier` gives one number for each class. Behind a layer that is a convolution there
# would be one for each class *at each place*: (1, classes, rows, columns). Let the **mean over
# the places** of class `c` grow: write its gradient. It should do for both shapes,
# (1, 1000) and (1, 1000, rows, columns).


# %%
def grow_class(dst, c):
    # BEGIN SOLUTION
    dst.diff[...] = 0
    places = dst.data[0, c].size
    dst.diff[0, c] = 1 / places
    # END SOLUTION


# %%
class Blob:
    """As much of a blob as an objective needs."""

    def __init__(self, *shape):
        self.data = np.random.RandomState(0).randn(*shape).astype(np.float32)
        self.diff = np.full_like(self.data, 9)


for shape in ((1, 11), (1, 11, 3, 4)):
    blob = Blob(*shape)
    grow_class(blob, 5)
    others = np.delete(blob.diff, 5, axis=1)
    assert (others == 0).all(), "other classes do not count"
    moved = blob.data + 0.5 * np.sign(blob.diff)
    grown = moved[0, 5].mean() - blob.data[0, 5].mean()
    told = (blob.diff * (moved - blob.data)).sum()
    assert np.isclose(grown, 0.5, atol=1e-5), "all places of the class grow"
    assert np.isclose(told, grown, atol=1e-5), f"no gradient of a mean: {shape}"
print("Right.")

# %% [markdown]
# ## 2. How strong it is
#
# The numbers of two layers have nothing to do with each other: one may be a thousand times as large
# as another. What counts for a picture is how strongly a term pulls at *its pixels*. Return the
# gradient at the picture, (3, rows, columns), that an objective gives at a layer; `write(dst)`
# writes the diff there. How strong it is is its mean absolute value.


# %%
def gradient(end, write):
    dst = look(end)
    # BEGIN SOLUTION
    write(dst)
    net.backward(start=end)
    return net.blobs["data"].diff[0].copy()
    # END SOLUTION


# %%
def hen(dst):
    grow_class(dst, HEN)


def layer(dst):
    dst.diff[...] = dst.data


def strength(g):
    return np.abs(g).mean()


# %%
a, b = gradient(SHALLOW, layer), gradient(DEEP, hen)
assert a.shape == b.shape == (3, *img.shape[:2]), "the gradient at the picture"
assert not np.array_equal(a, b), "copy what the next pass overwrites"
assert a.any(), "nothing arrives at the picture"
assert b.any(), "nothing arrives at the picture"
blob, h = look(DEEP), 1e-2
before = float(blob.data[0, HEN])
net.blobs["data"].data[0] += h * np.sign(b)
net.forward(end=DEEP)
grown = (float(net.blobs[DEEP].data[0, HEN]) - before) / h
assert np.isclose(grown, np.abs(b).sum(), rtol=0.2), "not where the class grows"
print(f"Right. The layer pulls {strength(a) / strength(b):.0f} times as strongly.")

# %% [markdown]
# ## 3. A sum whose weights mean something
#
# Added as they are, the stronger term would be all one sees. Divide each gradient by its strength
# first, then weights are shares of the picture: 1 and 1 change it equally.
# `terms` is a list of `(weight, end, write)`.


# %%
def sum_of(terms):
    # BEGIN SOLUTION
    total = 0
    for weight, end, write in terms:
        g = gradient(end, write)
        total = total + weight / strength(g) * g
    return total
    # END SOLUTION


# %%
theirs = deepdream.load_net()  # a dream empties the blobs of the net that it runs


def step_of_the_library(objective):
    """One step of 1 grey level on average, without an offset."""
    how = {"style": "2015", "octave_n": 1, "iter_n": 1, "jitter": 0, "clip": False}
    how |= {"step_size": 1, "progress": False}
    out = deepdream.dream(theirs, img, objective=objective, **how)
    return deepdream.preprocess(net, np.asarray(out) - img + np.float32(127))


def alike(mine, right):
    return np.linalg.norm(mine / strength(mine) - right) / np.linalg.norm(right)


both = sum_of([(1, SHALLOW, layer), (-0.5, DEEP, hen)])
right = step_of_the_library(o.layer(SHALLOW) - 0.5 * o.label("hen"))
one = step_of_the_library(o.label("hen"))
assert alike(sum_of([(2, DEEP, hen)]), one) < 1e-3, "one term"
assert alike(both, right) < 1e-3, f"off by {alike(both, right):.0%} of the step"
print("Right.")

# %% [markdown]
# ## 4. One way back
#
# Each term took a pass of its own, and the layers below the shallow one were run backward twice.
# A sum's gradient needs one pass: go back from the deep layer to the shallow one, **add** the
# shallow term's diff to what has arrived there, and go on to the picture.
# `factors` is what each term is multiplied by. `net.backward(start=A, end=B)` runs the layers from
# A down to B, both included; `behind` is the layer that runs right after the shallow one, and what
# it gives back lies in the shallow one's diff.


# %%
names = list(net._layer_names)
behind = names[names.index(SHALLOW) + 1]
print(behind)


def one_way_back(factors):
    look(DEEP)
    shallow, deep = net.blobs[SHALLOW], net.blobs[DEEP]
    # BEGIN SOLUTION
    hen(deep)
    deep.diff[...] *= factors[1]
    net.backward(start=DEEP, end=behind)
    shallow.diff[...] += factors[0] * shallow.data
    net.backward(start=SHALLOW)
    return net.blobs["data"].diff[0].copy()
    # END SOLUTION


# %%
factors = 1 / strength(a), -0.5 / strength(b)
once = one_way_back(factors)
deep_alone = one_way_back((0, factors[1]))
assert alike(deep_alone, -b / strength(b)) < 1e-3, "the deep term alone"
assert alike(once, both / strength(both)) < 1e-3, "not what two passes gave"
assert alike(once, right) < 1e-3, "not the library's step"
print("Right.")

# %% [markdown]
# ## What classes look like
#
# With noise in place of a picture, and with steps that let whole shapes grow as fast as grain, one
# sees what the network has learnt of a class. These are made with your own `grow_class`.


# %%
def seen(*numbers):
    def mine(dst):
        grow_class(dst, numbers[0])
        for c in numbers[1:]:
            dst.diff[0, c] = dst.diff[0, numbers[0]]

    how = {"size": 128, "iter_n": 60, "progress": False}
    return deepdream.visualize(theirs, o.function(DEEP, mine), **how)


VOLCANO, JELLYFISH = 980, 107
deepdream.show(
    seen(HEN), seen(VOLCANO), seen(JELLYFISH), seen(VOLCANO, JELLYFISH),
    titles=["hen", "volcano", "jellyfish", "volcano and jellyfish"],
)  # fmt: skip

# %% [markdown]
# Larger ones, with all the steps that they need: `deepdream visualize --end class:hen`.
#
# ## 5. Questions
#
# * Why is the gradient before the softmax taken, and not that of the probability?
# BEGIN ANSWER
#   *Answer.* A probability grows, too, when all other classes become less likely: gradients then
#   make the picture unlike a thousand things, which is not to look like one. And where it is nearly
#   0 or 1, its gradient vanishes.
# END ANSWER
# * What do the weights 1 and -1 of the same term give? And 1 and 1?
# BEGIN ANSWER
#   *Answer.* The sum is zero everywhere, so there is no direction to go: the library says that
#   nothing is to grow. 1 and 1 are 2, and a step does not depend on a gradient's length: the same
#   as the term alone.
# END ANSWER
# * One pass or two: what does it save, for a layer half way up?
# BEGIN ANSWER
#   *Answer.* A third, if a way back is as long as the way there: with a layer half way up, two
#   passes go through 2 + 4 halves of the network, one goes through 4.
# END ANSWER
