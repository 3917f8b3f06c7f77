# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 2. Jitter and octaves
#
# What the random rolling does, how large the octaves are, what is carried from one to the next;
# and a dream with another layer for each octave. Time: an hour. Read the walkthrough to section 6
# before.

# %%
import numpy as np
import scipy.ndimage as nd

import deepdream

net = deepdream.load_net()
END = "block7/output"
img = deepdream.load_image("../../examples/clouds.jpg")[::4, ::4]
mean = net.transformer.mean["data"]
x = deepdream.preprocess(net, img)


# %%
def gradient(x, end=END):
    """Return what would make the layer's answer stronger, as in the walkthrough."""
    src, dst = net.blobs["data"], net.blobs[end]
    src.reshape(1, *x.shape)
    src.data[0] = x
    net.forward(end=end)
    dst.diff[...] = dst.data
    net.backward(start=end)
    return src.diff[0].copy()


# %% [markdown]
# ## 1. A gradient without a grid
#
# The notebook takes each step at another random place of the grid. One can also take several
# looks before a single step. Write `steady(x, n, jitter)`: the mean of `n` gradients, each of the
# picture rolled to another place, and each rolled back before it is added. Draw the two offsets
# of each look with one call, `np.random.randint(-jitter, jitter + 1, 2)`. By the first the picture
# moves to the right (along the last axis), by the second it moves down (along the last but one).


# %%
def steady(x, n, jitter=32):
    # BEGIN SOLUTION
    total = np.zeros_like(x)
    for _ in range(n):
        ox, oy = np.random.randint(-jitter, jitter + 1, 2)
        g = gradient(np.roll(x, (oy, ox), (-2, -1)))
        total += np.roll(g, (-oy, -ox), (-2, -1))
    return total / n
    # END SOLUTION


# %%
np.random.seed(3)
first = steady(x, 1)
second = steady(x, 1)
np.random.seed(3)
both = steady(x, 2)
assert np.allclose(steady(x, 1, 0), gradient(x)), "without jitter: the gradient"
assert np.allclose(both, (first + second) / 2, atol=1e-5), "the mean of all looks"
np.random.seed(3)
net.blobs["data"].reshape(1, *x.shape)
net.blobs["data"].data[0] = x
deepdream.make_step(net, end=END, clip=False)  # one look, and a step
moved = net.blobs["data"].data[0] - x
apart = first / np.abs(first).mean() - moved / np.abs(moved).mean()
assert np.abs(apart).mean() < 1e-3, "the order of draws, the axes, the way back"
print("Right.")

# %% [markdown]
# ## 2. The sizes
#
# Return the sizes (rows, columns) of all octaves of a picture of `h` rows and `w` columns, in the
# order in which a dream visits them, which is how the notebook counts: octave 0 is the smallest.
# Each is the next larger one divided by `octave_scale` and rounded to the nearest.


# %%
def sizes(h, w, octave_n=4, octave_scale=1.4):
    # BEGIN SOLUTION
    found = [(h, w)]
    for _ in range(octave_n - 1):
        h, w = round(h / octave_scale), round(w / octave_scale)
        found.append((h, w))
    return found[::-1]
    # END SOLUTION


# %%
found = [tuple(size) for size in sizes(575, 1024)]
assert found[-1] == (575, 1024), "the picture itself comes last"
assert found[0] == (210, 373), "each from the next larger one"
assert found[1:3] == [(294, 522), (411, 731)], found
assert tuple(sizes(90, 30, 2, 3)[0]) == (30, 10), "any scale, any number"
print("Right:", sizes(*img.shape[:2]))

# %% [markdown]
# ## 3. What is carried over
#
# An octave began as the small picture `base`, and the dream has made `dreamt` of it. `larger` is
# the same picture at the next larger size. Return what the next octave begins with: `larger`, and
# what was dreamt so far, enlarged with `nd.zoom(..., order=1)`. (Why not the enlarged `dreamt`?)


# %%
def carry(base, dreamt, larger):
    # BEGIN SOLUTION
    detail = dreamt - base
    factors = np.divide(larger.shape, detail.shape)
    return larger + nd.zoom(detail, factors, order=1)
    # END SOLUTION


# %%
draw = np.random.RandomState(0).randn
base, larger = np.float32(draw(3, 10, 14)), np.float32(draw(3, 21, 29))
assert np.allclose(carry(base, base, larger), larger), "nothing was dreamt"
assert np.allclose(carry(base, base + 7, larger), larger + 7), "brighter everywhere"
down, right = np.linspace(0, 9, 10)[:, None], np.linspace(0, 13, 14)
slant = np.linspace(0, 9, 21)[:, None] + np.linspace(0, 13, 29)  # and enlarged
found = carry(base, base + np.float32(down + right), larger) - larger
assert np.allclose(found, slant, atol=1e-4), "a slope stays a slope: order=1"
same = carry(base, base + base, base)
assert np.allclose(same, base + base, atol=1e-5), "of the same size: as it is"
print("Right.")

# %% [markdown]
# ## 4. A dream of several layers
#
# In the notebook every octave dreams at the same layer. Write `dream(x, ends)`, with an octave
# for each name in `ends`, the smallest first: so large animals (`block10/output`) can come to lie
# under fine strokes (`block4/output`). Shrink with `shrink`, each octave from the next larger
# one; take `iter_n` steps an octave with `step`; use your `sizes` and `carry`. Return the last
# picture, as the network reads it.

# %%
taken = []  # which layers, at which sizes


def shrink(x, size):
    """Return a picture at the size (rows, columns)."""
    return nd.zoom(x, (1, size[0] / x.shape[1], size[1] / x.shape[2]), order=1)


def step(x, end, step_size=1.5, jitter=32):
    """Take one step of the notebook, with jitter."""
    taken.append((end, x.shape[1:]))
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    g = gradient(np.roll(x, (oy, ox), (-2, -1)), end)
    g = np.roll(g, (-oy, -ox), (-2, -1))
    return np.clip(x + step_size / np.abs(g).mean() * g, -mean, 255 - mean)


# %%
def dream(x, ends, iter_n=2, octave_scale=1.4):
    # BEGIN SOLUTION
    bases = [x]
    for size in sizes(*x.shape[1:], len(ends), octave_scale)[-2::-1]:
        bases.append(shrink(bases[-1], size))
    bases = bases[::-1]
    now = bases[0]
    for i, end in enumerate(ends):
        if i > 0:
            now = carry(bases[i - 1], now, bases[i])
        for _ in range(iter_n):
            now = step(now, end)
    return now
    # END SOLUTION


# %%
taken.clear()
dream(x, ["block10/output", "block4/output"], iter_n=1)
assert [end for end, _ in taken] == ["block10/output", "block4/output"], taken
assert np.array_equal([size for _, size in taken], sizes(*x.shape[1:], 2)), taken
# Where rounding tips a ReLU, two right dreams part. stem/conv has no ReLU before it.
np.random.seed(4)
mine = deepdream.deprocess(net, dream(x, ["stem/conv"] * 3))
np.random.seed(4)
right = deepdream.deepdream(net, img, iter_n=2, octave_n=3, end="stem/conv")
apart = np.linalg.norm(mine - right) / np.linalg.norm(right - img)
assert apart < 1e-4, f"with one layer it is Google's dream: {apart:.1e} apart"
print("Right.")

# %% [markdown]
# See what it makes of a photograph: the Colosseum, by Bence Boros (CC0). This takes a while.

# %%
photo = deepdream.load_image("../../examples/photos/colosseum.jpg")[::2, ::2]
np.random.seed(0)
layers = ["block10/output", "block10/output", "block10/output", "block4/output"]
mixed = dream(deepdream.preprocess(net, photo), layers, 10)
mixed = deepdream.deprocess(net, mixed)
how = {"iter_n": 10, "octave_n": 4}
how |= {"style": "2015", "seed": 0, "progress": False}
plain = deepdream.dream(net, photo, end="block10/output", **how)
deepdream.show(plain, mixed, titles=["one layer", "a lower one at the end"])

# %% [markdown]
# ## 5. Questions
#
# * Ten octaves with a scale of 1.1, or two with a scale of 4: what do you expect? Try it.
# BEGIN ANSWER
#   *Answer.* Ten with 1.1 reach about as far down as four with 1.4, with more steps and with
#   every size between: the animals are large, strong and drawn at every size. Two with 4 have
#   nothing between broad, blurred shapes from the small picture and small animals of the full
#   size: the two do not join.
# END ANSWER
# * Enlarge the *picture* instead of the detail. Where has the sharpness gone?
# BEGIN ANSWER
#   *Answer.* Then the photograph itself has gone through the smallest size, and what is lost
#   there does not come back. With the detail, each octave begins with a fresh, sharp base, and
#   only the dream is blurred by enlarging; the next steps sharpen it.
# END ANSWER
# * How much of the gradient is the grid's? Compare `gradient(x)` with `steady(x, 16)`.
# BEGIN ANSWER
#   *Answer.* Most of it. Two single looks at different places have a cosine of 0.15, two means of
#   sixteen looks 0.8, and the plain gradient is more than twice as long as such a mean: what
#   depends on the place cancels out.
# END ANSWER
