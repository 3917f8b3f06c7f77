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
# From one step to a dream. Time: an hour. Read the walkthrough to section 7 before.

# %%
import numpy as np
import scipy.ndimage as nd

import deepdream

net = deepdream.load_net()
END = "block7/output"
img = deepdream.load_image("../../examples/clouds.jpg")[::4, ::4]
mean = net.transformer.mean["data"]
src, dst = net.blobs["data"], net.blobs[END]


# %%
def step(x, step_size=1.5):
    """One step without jitter, as in the walkthrough."""
    src.reshape(1, *x.shape)
    src.data[0] = x
    net.forward(end=END)
    dst.diff[...] = dst.data
    net.backward(start=END)
    g = src.diff[0]
    return np.clip(x + step_size / np.abs(g).mean() * g, -mean, 255 - mean)


# %% [markdown]
# ## 1. Jitter
#
# Draw `ox, oy` with one call, `np.random.randint(-jitter, jitter + 1, 2)`; roll the picture by `ox`
# columns and `oy` rows; take a step; roll back.


# %%
def jittered(x, jitter=32):
    # BEGIN SOLUTION
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    x = np.roll(np.roll(x, ox, -1), oy, -2)
    x = step(x)
    return np.roll(np.roll(x, -ox, -1), -oy, -2)
    # END SOLUTION


# %%
x = deepdream.preprocess(net, img)
np.random.seed(3)
mine = jittered(x)
np.random.seed(3)
src.reshape(1, *x.shape)
src.data[0] = x
deepdream.make_step(net, end=END)
assert np.allclose(mine, src.data[0], atol=1e-2), "the order of draws, the axes, the way back"
print("Right.")

# %% [markdown]
# ## 2. The sizes
#
# Return the octaves of a picture, the largest first: each is the one before, shrunk by
# `octave_scale` with `nd.zoom(x, (1, 1 / octave_scale, 1 / octave_scale), order=1)`.


# %%
def octaves(x, octave_n=3, octave_scale=1.4):
    # BEGIN SOLUTION
    found = [x]
    for _ in range(octave_n - 1):
        found.append(nd.zoom(found[-1], (1, 1 / octave_scale, 1 / octave_scale), order=1))
    return found
    # END SOLUTION


# %%
sizes = [part.shape for part in octaves(x)]
assert len(sizes) == 3 and sizes[0] == x.shape, "the picture itself comes first"
assert sizes[1][1:] == (round(x.shape[1] / 1.4), round(x.shape[2] / 1.4)), sizes
print("Right:", sizes)

# %% [markdown]
# ## 3. Detail
#
# What has been dreamt so far is `detail`. Enlarge it to the size of `base`. (Why not the picture?)


# %%
def enlarge(detail, base):
    # BEGIN SOLUTION
    (h, w), (h1, w1) = base.shape[-2:], detail.shape[-2:]
    return nd.zoom(detail, (1, h / h1, w / w1), order=1) if (h, w) != (h1, w1) else detail
    # END SOLUTION


# %%
small, large = np.ones((3, 10, 14), np.float32), np.zeros((3, 21, 29), np.float32)
assert enlarge(small, large).shape == large.shape
print("Right.")

# %% [markdown]
# ## 4. The dream
#
# From the smallest octave to the largest: add the enlarged detail, take `iter_n` steps, keep what
# they have added. Return the last picture, as the network reads it.


# %%
def dream(x, iter_n=2):
    # BEGIN SOLUTION
    bases = octaves(x)
    detail = np.zeros_like(bases[-1])
    for base in bases[::-1]:
        detail = enlarge(detail, base)
        now = base + detail
        for _ in range(iter_n):
            now = jittered(now)
        detail = now - base
    return now
    # END SOLUTION


# %%
np.random.seed(4)
mine = deepdream.deprocess(net, dream(x))
np.random.seed(4)
right = deepdream.deepdream(net, img, iter_n=2, octave_n=3, end=END)
apart = np.linalg.norm(mine - right) / np.linalg.norm(right)
assert apart < 1e-3, f"{apart:.1e} apart"
print("Right.")

# %% [markdown]
# ## 5. Questions
#
# * Ten octaves with a scale of 1.1, or two with a scale of 4: what do you expect? Try it.
# * Add the enlarged *picture* instead of the detail. Where has the sharpness gone?
