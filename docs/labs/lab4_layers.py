# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 4. What a layer sees
#
# Strides, receptive fields, and the zoom. Time: an hour and a half. Read the walkthrough before.

# %%
import numpy as np

import deepdream

net = deepdream.load_net()
img = deepdream.load_image("../../examples/clouds.jpg")[::4, ::4]
src = net.blobs["data"]

# %% [markdown]
# ## 1. Stride
#
# How many pixels of the picture lie between two neighbours of a blob? Run a picture of `side`
# pixels forward and compare sizes.


# %%
def stride(end, side=256):
    # BEGIN SOLUTION
    src.reshape(1, 3, side, side)
    net.forward(end=end)
    return side // net.blobs[end].data.shape[-1]
    # END SOLUTION


# %%
found = [stride(end) for end in ("stem/conv", "block2/output", "block4/output", "block10/output")]
assert found == [2, 4, 8, 16], found
print("Right:", found)

# %% [markdown]
# ## 2. The receptive field
#
# Which pixels does one number of a blob see? Those with a gradient. Put a single 1 into the middle
# of the blob's diff (zero elsewhere), run backward, and count the columns with any diff that is not
# zero. The picture should be noise: why not a flat one?


# %%
def field(end, side):
    src.reshape(1, 3, side, side)
    src.data[0] = np.random.RandomState(0).uniform(-100, 100, (3, side, side))
    dst = net.blobs[end]
    net.forward(end=end)
    # BEGIN SOLUTION
    dst.diff[...] = 0
    h, w = dst.data.shape[-2:]
    dst.diff[0, :, h // 2, w // 2] = 1
    net.backward(start=end)
    return int(np.any(src.diff[0] != 0, axis=(0, 1)).sum())
    # END SOLUTION


# %%
found = [field("stem/conv", 64), field("block1/depthwise", 64), field("block2/output", 96)]
assert found[0] == 3, "the first convolution is 3 pixels wide"
assert found[1] == 11, found
assert 11 < found[2] <= 19, found
print("Right:", found)

# %% [markdown]
# ## 3. The zoom
#
# The next picture of a zoom: cut `scale / 2` of height and width off each border, and enlarge the
# rest to the old size. Use `PIL.Image.Image.resize` with `box=(left, top, right, bottom)`.


# %%
def closer(img, scale=0.05):
    from PIL import Image

    h, w = img.shape[:2]
    # BEGIN SOLUTION
    box = (w * scale / 2, h * scale / 2, w * (1 - scale / 2), h * (1 - scale / 2))
    picture = Image.fromarray(np.uint8(np.clip(img, 0, 255)))
    return np.float32(picture.resize((w, h), Image.Resampling.BILINEAR, box=box))
    # END SOLUTION


# %%
ramp = np.float32(np.broadcast_to(np.linspace(0, 240, 200)[None, :, None], (100, 200, 3)))
near = closer(ramp, 0.5)
assert near.shape == ramp.shape
assert abs(near[50, 0, 0] - 60) < 2 and abs(near[50, -1, 0] - 180) < 2, near[50, [0, -1], 0]
print("Right.")

# %% [markdown]
# ## 4. A flight
#
# `frames` dreams, each of the last one seen closer. Return the list of pictures.


# %%
def flight(img, frames, **how):
    # BEGIN SOLUTION
    found = []
    for _ in range(frames):
        img = deepdream.dream(net, img, **how)
        found.append(img)
        img = closer(np.asarray(img))
    return found
    # END SOLUTION


# %%
how = {"end": "block10/output", "iter_n": 3, "octave_n": 2, "seed": 0, "progress": False}
pictures = flight(img, 3, **how)
assert len(pictures) == 3
assert np.array_equal(pictures[0], deepdream.dream(net, img, **how)), "the first is a plain dream"
assert np.abs(pictures[2] - pictures[1]).mean() > 1
print("Right.")
deepdream.show(*pictures, titles=["frame 0", "frame 1", "frame 2"])

# %% [markdown]
# ## 5. Questions
#
# * The field that you measured is often smaller than the table of `net` says. Why?
# * What happens in a hundred frames with `scale=0`?
