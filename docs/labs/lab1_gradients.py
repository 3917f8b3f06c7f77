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
# You will change a picture where the network reads it, give the network another goal than that
# of 2015, and find out whether your gradient is right by asking the network itself. Time: an
# hour. Read the walkthrough to section 4 before.

# %%
import numpy as np

import deepdream

net = deepdream.load_net()
END = "block4/output"
img = deepdream.load_image("../../examples/clouds.jpg")[100:228:2, 200:392:2]
src, dst = net.blobs["data"], net.blobs[END]
x = deepdream.preprocess(net, img)

# %% [markdown]
# ## 1. A picture as the network reads it
#
# `x` is (BGR, rows, columns), minus `mean`, which is (3, 1, 1). Write `redder(x, mean, levels)`:
# the same picture with `levels` more of red, as the network would read it. Nothing may leave the
# 0..255 of a screen, and `x` itself stays as it is.


# %%
def redder(x, mean, levels):
    # BEGIN SOLUTION
    x = x.copy()
    x[2] += levels
    return np.clip(x, -mean, 255 - mean)
    # END SOLUTION


# %%
other = np.float32([104, 117, 123]).reshape(3, 1, 1)  # three that differ
noise = np.random.RandomState(0).uniform(0, 255, (5, 7, 3))  # all colours
seen = np.float32(np.moveaxis(noise, 2, 0)[::-1]) - other
kept = seen.copy()
mine = redder(seen, other, 90)
assert np.array_equal(seen, kept), "x has changed: work on a copy"
assert mine.shape == seen.shape, "channels come first"
back = np.moveaxis((mine + other)[::-1], 0, 2)  # as a picture again
assert np.allclose(back[..., 1:], noise[..., 1:], atol=0.01), "green and blue stay"
assert back.max() < 255.01, "brighter than white: where is 255 without the mean?"
wanted = np.minimum(noise[..., 0] + 90, 255)
assert np.allclose(back[..., 0], wanted, atol=0.01), "90 more of red"
print("Right.")

# %% [markdown]
# ## 2. What grows
#
# In 2015 the squares of the target's data were to grow. Now it shall be their fourth powers:
# `value(x)` is a quarter of the sum of `data ** 4`. Reshape the input blob, write the picture,
# run forward to `END`. Add up in float64, for these are large numbers.


# %%
def value(x):
    # BEGIN SOLUTION
    src.reshape(1, *x.shape)
    src.data[0] = x
    net.forward(end=END)
    return 0.25 * np.sum(np.float64(dst.data) ** 4)
    # END SOLUTION


# %%
src.reshape(1, *x.shape)
src.data[0] = x
net.forward(end=END)
right = np.linalg.norm(np.float64(dst.data) ** 2) ** 2 / 4
src.data[...] = 0  # writing the picture is up to you
assert np.isclose(value(x), right), "a quarter of the fourth powers, for x"
assert np.ndim(value(x[:, :48, :64])) == 0, "one number, for any size of picture"
print("Right.")

# %% [markdown]
# ## 3. Its gradient
#
# `value` leaves `dst.data` behind. What goes into `dst.diff`, if the fourth powers are to grow?
# Then run backward from `END` and return a *copy* of the input's diff.


# %%
def gradient(x):
    value(x)
    # BEGIN SOLUTION
    dst.diff[...] = dst.data**3
    net.backward(start=END)
    return src.diff[0].copy()
    # END SOLUTION


# %%
dst.diff[...] = 9  # whatever was there before is of no use
src.diff[...] = 9
g = gradient(x)
assert not np.all(dst.diff == 9), "nothing was written into dst.diff"
assert not np.all(g == 9), "the picture's diff was not written: run backward"
assert g.shape == x.shape
assert not np.shares_memory(g, src.diff), "a view: copy it"
wanted = {-2.0: -8.0, 1.0: 1.0, 3.0: 27.0}  # d/dy of y ** 4 / 4
for y, its_slope in wanted.items():
    found = dst.diff[np.abs(dst.data - y) < 0.01]
    assert np.allclose(found, its_slope, rtol=0.05), f"the diff where data is {y:g}"
net.backward(start=END)  # once more, from the diff that is there
assert np.allclose(g, src.diff[0], rtol=1e-4), "backward from END, for this picture"
print("Right.")

# %% [markdown]
# ## 4. Do not believe it: measure
#
# Move the picture a little along a direction `d`. A function `f` should change by the length of
# the step times the dot product of its gradient and `d`. Return what you measure, from both
# sides: `f` at `x + h d`, minus `f` at `x - h d`, for each unit of the way between.


# %%
def slope(f, x, d, h):
    # BEGIN SOLUTION
    return (f(x + h * d) - f(x - h * d)) / (2 * h)
    # END SOLUTION


# %%
g = gradient(x)
chance = np.random.RandomState(0).randn(*x.shape)
d = chance + g / np.abs(g).mean()
# Of a parabola the slope is known, and measured from both sides it is right for any h.
known = slope(lambda z: z * z, 3.0, 1.0, 0.5)
assert np.isclose(known, 6), "from both sides, per unit"
predicted = float(np.sum(g * d))
measured = slope(value, x, d, 0.001)
assert abs(measured / predicted - 1) < 0.02, f"{measured:.4g}, not {predicted:.4g}"
print(f"Right: measured {measured:.4g}, predicted {predicted:.4g}.")

# %% [markdown]
# ## 5. Questions
#
# * Take `h = 20`. Why is the prediction worse? And with `h = 0.0000001`?
# BEGIN ANSWER
#   *Answer.* With 20 the measured slope is a thousandth of the prediction: on so long a way most
#   ReLUs go on or off, and the function is no straight line any more. With 0.0000001 it is off by
#   a fifth, and below that it is noise: near 100, float32 numbers lie 0.000008 apart, so most of
#   the picture does not move at all, and the rest by too much.
# END ANSWER
# * Compare `np.abs(dst.data).max()` with its mean. What will a dream with fourth powers do more
#   of than one with squares?
# BEGIN ANSWER
#   *Answer.* 35 and 6. The largest hundredth of the values holds an eighth of the squares, and
#   more than a third of the fourth powers. So the few places that answer strongest grow almost
#   alone, and the rest of the picture stays as it is for longer.
# END ANSWER
# * Set `dst.diff` to zero but for one channel. What does the dream grow then?
# BEGIN ANSWER
#   *Answer.* The one pattern that this channel looks for, all over the picture, wherever there is
#   a trace of it: lab 3 begins so.
# END ANSWER
