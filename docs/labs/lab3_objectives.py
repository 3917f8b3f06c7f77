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
# (1, channels, rows, columns). Time: an hour and a half. Read the walkthrough to section 9 before.

# %%
import numpy as np

import deepdream

net = deepdream.load_net()
END = "block9/output"
img = deepdream.load_image("../../examples/clouds.jpg")[::4, ::4]
how = {"end": END, "iter_n": 3, "octave_n": 2}
how |= {"style": "2015", "seed": 0, "progress": False}


# %%
class Blob:
    """As much of a blob as an objective needs."""

    def __init__(self, seed=0, channels=112, h=7, w=9):
        noise = np.random.RandomState(seed).randn(1, channels, h, w)
        self.data = noise.astype(np.float32)
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
assert np.array_equal(mine.diff, right.diff), "all other channels are zero"
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
assert np.array_equal(mine.diff.argmax(1), mine.data.argmax(1)), "the largest value"
assert np.allclose(mine.diff.max(1), mine.data.max(1)), "its diff is its data"
print("Right.")

# %% [markdown]
# ## 3. A guide that does not shout
#
# The notebook's guide takes, at each position, the guide's column with the largest dot product.
# So a loud column of the guide, one with large numbers, wins at most positions, and grows there
# with all its loudness. Compare directions instead: take the column with the largest *cosine*
# (the dot product of two columns, divided by the lengths of both). And let it be as loud as the
# picture is at this position: scale it to the length of the picture's own column.
# `features` is (channels, rows, columns).


# %%
def quiet_guide(features):
    def objective(dst):
        # BEGIN SOLUTION
        x = dst.data[0].reshape(len(features), -1)  # a column for each position
        y = features.reshape(len(features), -1)
        y = y / np.linalg.norm(y, axis=0)
        best = y[:, (x.T @ y).argmax(1)]
        dst.diff[0] = (best * np.linalg.norm(x, axis=0)).reshape(dst.data.shape[1:])
        # END SOLUTION

    return objective


# %%
features = Blob(seed=1, h=5, w=6).data[0]
features *= np.linspace(1, 9, 30, dtype=np.float32).reshape(5, 6)  # some are louder
mine = Blob()
quiet_guide(features)(mine)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


for row, column in ((0, 0), (2, 7), (3, 3), (6, 8)):
    own, grown = mine.data[0, :, row, column], mine.diff[0, :, row, column]
    every = [features[:, i, j] for i in range(5) for j in range(6)]
    best = max(every, key=lambda other: cosine(own, other))
    assert np.isclose(cosine(grown, best), 1, atol=1e-4), "not the largest cosine"
    lengths = np.linalg.norm(grown), np.linalg.norm(own)
    assert np.isclose(*lengths, rtol=1e-4), "as loud as the picture's own column"
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
channels = []


def counting(dst):
    channels.append(dst.data.shape[1])
    channel_13(dst)


again = dream_with(counting)
steps = how["iter_n"] * how["octave_n"]
assert channels == [112] * steps, f"{steps} steps at {END}, each with the objective"
guide = deepdream.load_image("../../examples/flowers.jpg")
quiet = quiet_guide(deepdream.guide_features(net, guide, END))
pictures = [dream_with(objective) for objective in (channel_13, loudest, quiet)]
assert np.array_equal(pictures[0], again), "the same seed, the same picture"
assert all(picture.shape == img.shape for picture in pictures)
assert np.abs(pictures[0] - pictures[1]).mean() > 0.1, "two objectives, two dreams"
print("Right.")

# %% [markdown]
# The same with a photograph (Lake Sherburne, by Jacob W. Frank, US National Park Service; public
# domain), and with as many steps as it takes to see them.

# %%
img = deepdream.load_image("../../examples/photos/lake.jpg")[::2, ::2]
how |= {"iter_n": 20, "octave_n": 4}
pictures = [dream_with(objective) for objective in (channel_13, loudest, quiet)]
deepdream.show(*pictures, titles=["channel 13", "the loudest", "a quiet guide"])

# %% [markdown]
# ## 5. Questions
#
# * Write an objective that makes a layer *quiet*. What becomes of a photograph?
# BEGIN ANSWER
#   *Answer.* `dst.diff[...] = -dst.data`. No thing grows: a fine, coloured grain covers the
#   clouds, which takes away what the layer would answer to. At `block9/output` the mean of the
#   data falls from 4.0 to 2.7 in a dream of four octaves.
# END ANSWER
# * The gradient is divided by its mean. What does multiplying your objective by ten change?
# BEGIN ANSWER
#   *Answer.* Nothing but rounding, for the mean is ten times as large, too. What counts is how
#   the values of a diff compare with each other.
# END ANSWER
# * Why does the quiet guide compare directions, but not the notebook's?
# BEGIN ANSWER
#   *Answer.* The gradient of the dot product with `y` is `y`: what is written into the diff
#   makes just what was compared grow, and no division is needed. A loud feature of the guide then
#   wins often. The cosine finds what is most alike, and the guide's faint features appear, too.
# END ANSWER
