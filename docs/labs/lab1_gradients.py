# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 1. Blobs and gradients
#
# You will take one step of a dream by hand, and find out whether the gradient is right by asking
# the network itself. Time: an hour. Read the walkthrough to section 4 before.

# %%
import numpy as np

import deepdream

net = deepdream.load_net()
END = "block4/output"
img = deepdream.load_image("../../examples/clouds.jpg")[100:228:2, 200:392:2]
src, dst = net.blobs["data"], net.blobs[END]

# %% [markdown]
# ## 1. The picture as the network reads it
#
# BGR, channels first, mean subtracted; `net.transformer.mean["data"]` is the mean.


# %%
def to_net(img):
    # BEGIN SOLUTION
    mean = net.transformer.mean["data"]
    return np.float32(np.moveaxis(img, 2, 0)[::-1]) - mean
    # END SOLUTION


# %%
x = to_net(img)
assert x.shape == (3, *img.shape[:2]), "channels come first"
assert np.allclose(x, deepdream.preprocess(net, img)), "look at the order of channels, and the mean"
print("Right.")

# %% [markdown]
# ## 2. What grows
#
# `value(x)`: half the sum of the squares of the target's data. Reshape the input blob, write the
# picture, run forward to `END`.


# %%
def value(x):
    # BEGIN SOLUTION
    src.reshape(1, *x.shape)
    src.data[0] = x
    net.forward(end=END)
    return 0.5 * np.sum(np.float64(dst.data) ** 2)
    # END SOLUTION


# %%
assert value(x) > 0
assert np.isclose(value(x), 0.5 * np.linalg.norm(np.float64(dst.data)) ** 2), "half the squares"
print("Right.")

# %% [markdown]
# ## 3. Its gradient
#
# What goes into `dst.diff`? Then run backward from `END` and return a *copy* of the input's diff.


# %%
def gradient(x):
    value(x)
    # BEGIN SOLUTION
    dst.diff[...] = dst.data
    net.backward(start=END)
    return src.diff[0].copy()
    # END SOLUTION


# %%
src.reshape(1, *x.shape)
src.data[0] = x
net.forward(end=END)
dst.diff[...] = dst.data
net.backward(start=END)
expected = src.diff[0].copy()
assert np.allclose(gradient(x), expected), "the gradient of half the square of x is x"
assert not np.shares_memory(gradient(x), src.diff), "a view changes with the next run: copy it"
print("Right.")

# %% [markdown]
# ## 4. Do not believe it: measure
#
# Move the picture a little along a direction `d`. The value should change by the length of the step
# times the dot product of gradient and direction. Return what you measure, from both sides:
# `(value(x + h d) - value(x - h d)) / (2 h)`.


# %%
def slope(x, d, h):
    # BEGIN SOLUTION
    return (value(x + h * d) - value(x - h * d)) / (2 * h)
    # END SOLUTION


# %%
d = np.random.RandomState(0).randn(*x.shape).astype(np.float32)
predicted = float(np.sum(np.float64(gradient(x)) * d))
measured = slope(x, d, 0.02)
assert abs(measured / predicted - 1) < 0.05, f"measured {measured:.4g}, predicted {predicted:.4g}"
print(f"Right: measured {measured:.4g}, predicted {predicted:.4g}.")

# %% [markdown]
# ## 5. Questions
#
# * Take `h = 20`. Why is the prediction worse? And with `h = 0.00001`?
# * Set `dst.diff` to zero but for one channel. What does the dream grow then?
