# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 3. Objectives
#
# What grows is for you to say. An objective reads `dst.data` and writes `dst.diff`, both
# (1, channels, rows, columns). Time: an hour and a half. Read the walkthrough to section 10 before.

# %%
import numpy as np

import deepdream

net = deepdream.load_net()
END = "block9/output"
img = deepdream.load_image("../../examples/clouds.jpg")[::4, ::4]
how = {"end": END, "iter_n": 3, "octave_n": 2, "seed": 0, "progress": False}


# %%
class Blob:
    """As much of a blob as an objective needs."""

    def __init__(self, seed=0, channels=112, h=7, w=9):
        self.data = np.random.RandomState(seed).randn(1, channels, h, w).astype(np.float32)
        self.diff = np.full_like(self.data, 9)


# %% [markdown]
# ## 1. One channel
#
# Let only channel 13 grow: its diff is its data, all others are zero.


# %%
def channel_13(dst):
    # BEGIN SOLUTION
    dst.diff[...] = 0
    dst.diff[:, 13] = dst.data[:, 13]
    # END SOLUTION


# %%
mine, right = Blob(), Blob()
channel_13(mine)
deepdream.objective_channel(13)(right)
assert np.array_equal(mine.diff, right.diff), "the other channels' diffs have to be zero"
print("Right.")

# %% [markdown]
# ## 2. The loudest
#
# At each position, let only the channel with the largest value grow.


# %%
def loudest(dst):
    # BEGIN SOLUTION
    top = dst.data.max(1, keepdims=True)
    dst.diff[...] = np.where(dst.data == top, dst.data, 0)
    # END SOLUTION


# %%
mine = Blob()
loudest(mine)
assert ((mine.diff != 0).sum(1) == 1).all(), "one channel at each position"
assert np.allclose(mine.diff.max(1), mine.data.max(1)), "its diff is its data"
print("Right.")

# %% [markdown]
# ## 3. A guide
#
# At each position, the guide's column with the largest dot product becomes the diff.
# `features` is (channels, rows, columns).


# %%
def guided_by(features):
    def objective(dst):
        # BEGIN SOLUTION
        x = dst.data[0].reshape(len(features), -1)
        y = features.reshape(len(features), -1)
        best = (x.T @ y).argmax(1)
        dst.diff[0] = y[:, best].reshape(dst.data.shape[1:])
        # END SOLUTION

    return objective


# %%
features = Blob(seed=1, h=5, w=6).data[0]
mine, right = Blob(), Blob()
guided_by(features)(mine)
deepdream.objective_guide(features)(right)
assert np.allclose(mine.diff, right.diff), "a dot product for each pair of positions"
print("Right.")

# %% [markdown]
# ## 4. See them
#
# Dream with your objective: pass it as `objective=`, with `**how`.


# %%
def dream_with(objective):
    # BEGIN SOLUTION
    return deepdream.dream(net, img, objective=objective, **how)
    # END SOLUTION


# %%
pictures = [dream_with(channel_13), dream_with(loudest)]
assert all(picture.shape == img.shape for picture in pictures)
assert np.abs(pictures[0] - pictures[1]).mean() > 0.1, "two objectives, two dreams"
assert np.abs(pictures[0] - deepdream.dream(net, img, **how)).mean() > 0.1, "pass the objective"
print("Right.")
deepdream.show(*pictures, titles=["channel 13", "the loudest"])

# %% [markdown]
# ## 5. Questions
#
# * Write an objective that makes a layer *quiet*. What becomes of a photograph?
# * The gradient is divided by its mean. What does multiplying your objective by ten change?
