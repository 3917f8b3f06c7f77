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
from PIL import Image

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
ends = ("stem/conv", "block2/output", "block4/output", "block10/output")
found = [stride(end) for end in ends]
assert found == [2, 4, 8, 16], found
print("Right:", found)

# %% [markdown]
# ## 2. The receptive field
#
# Which pixels does one position of a blob see? Those with a gradient. Put a 1 into the middle
# position of *every* channel of the blob's diff (zero elsewhere), run backward, and count the
# columns of the picture with any diff that is not zero. Every channel, for one alone may be blind
# to this picture: where its ReLU is off, no diff gets through.


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
for blob in net.blobs.values():
    blob.diff[...] = 1  # as an earlier target may have left them
places = {"stem/conv": 64, "block1/depthwise": 64, "block2/output": 96}
found = [field(end, side) for end, side in places.items()]
written = net.blobs["block2/output"].diff[0]  # as it was left behind
assert np.count_nonzero(written) == len(written), "one position, every channel"
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
    h, w = img.shape[:2]
    # BEGIN SOLUTION
    box = (w * scale / 2, h * scale / 2, w * (1 - scale / 2), h * (1 - scale / 2))
    picture = Image.fromarray(np.uint8(np.clip(img, 0, 255)))
    return np.float32(picture.resize((w, h), Image.Resampling.BILINEAR, box=box))
    # END SOLUTION


# %%
down, right = np.linspace(0, 240, 100), np.linspace(0, 240, 200)
rows, columns = np.meshgrid(down, right, indexing="ij")
ramp = np.float32(np.stack([rows, columns, columns], axis=2))
near = closer(ramp, 0.5)
assert near.shape == ramp.shape, "as large as before"
found = near[[0, -1], [0, -1], :2]  # two corners, rows and columns
assert np.abs(found - [[60, 60], [180, 180]]).max() < 3, found
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
how = {"end": "block10/output", "iter_n": 3, "octave_n": 2}
how |= {"style": "2015", "seed": 0, "progress": False}
pictures = flight(img, 3, **how)
assert len(pictures) == 3
first = deepdream.dream(net, img, **how)
assert np.array_equal(pictures[0], first), "the first is a plain dream"
second = deepdream.dream(net, closer(np.asarray(first)), **how)
assert np.array_equal(pictures[1], second), "a dream of the last dream, seen closer"
print("Right.")

# %% [markdown]
# A longer one, over a sea of clouds (a photograph from Unsplash, public domain).

# %%
photo = deepdream.load_image("../../examples/photos/clouds.jpg")[::2, ::2]
how |= {"iter_n": 10, "octave_n": 3}
pictures = flight(photo, 8, **how)
deepdream.show(pictures[0], pictures[7], titles=["frame 0", "frame 7"])

# %% [markdown]
# ## 5. Questions
#
# * The table of `net` tells the fields without running anything. From what?
# BEGIN ANSWER
#   *Answer.* From kernels and strides: each layer adds its kernel less one, times the stride of
#   the blob it reads. 3 at first; a kernel of 3 at stride 2 makes it 3 + 2 * 2 = 7.
# END ANSWER
# * Does every pixel of the field count as much? Look at `np.abs(src.diff[0]).sum((0, 1))`.
# BEGIN ANSWER
#   *Answer.* No. The middle has many ways to the target, the border few. The middle third of
#   the columns holds three quarters of the sum at `block4/output`, nine tenths at
#   `block10/output`.
# END ANSWER
# * What happens in a hundred frames with `scale=0`?
# BEGIN ANSWER
#   *Answer.* The dream stays in its place and goes on: a picture of animals out of the same
#   clouds, ever harder and more colourful. It does not settle; each frame changes as much as the
#   one before.
# END ANSWER
