"""Motion between frames, against motion that is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd

from deepdream.errors import ParameterError
from deepdream.films.flow import Motion, grey, motion_between, moved

pytest.importorskip("cv2")

H, W = 64, 88


def texture(h: int, w: int, seed: int = 0) -> np.ndarray:
    """Return (h, w, 3) float32 of structures of a few pixels, 0..255."""
    noise = np.random.RandomState(seed).standard_normal((h, w, 3))
    rough = nd.gaussian_filter(noise, (2, 2, 0)) + 0.15 * nd.gaussian_filter(noise, (0.7, 0.7, 0))
    return np.clip(128 + 60 * rough / rough.std(), 0, 255).astype(np.float32)


def pair(dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two frames: in the second everything is so far to the right, and down."""
    whole = texture(H + 40, W + 40)
    return whole[20 : 20 + H, 20 : 20 + W], whole[20 - dy : 20 - dy + H, 20 - dx : 20 - dx + W]


@pytest.mark.parametrize("flow", ["dis", "farneback"])
@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-4, 3)])
def test_what_moved_right_lay_further_left(flow: str, dx: int, dy: int) -> None:
    """`back` points to where a pixel was, and carrying the first frame along gives the second."""
    before, now = pair(dx, dy)

    motion = motion_between(grey(before), grey(now), flow)

    middle = np.s_[14:-14, 14:-14]
    assert motion.back is not None
    np.testing.assert_allclose(np.median(motion.back[middle], (0, 1)), (-dx, -dy), atol=0.15)
    carried = moved(before, motion.back)
    still = np.abs(before - now)[middle].mean()
    assert np.abs(carried - now)[middle].mean() < 0.15 * still
    assert not motion.cut


def test_a_moving_thing_uncovers_what_was_behind_it() -> None:
    """What the thing has left is not kept, the thing and the rest are."""
    behind, thing = texture(110, 150, 1), texture(60, 52, 2)
    frames = []
    for x in (40, 45):
        frame = behind.copy()
        frame[25:85, x : x + 52] = thing
        frames.append(frame)

    motion = motion_between(grey(frames[0]), grey(frames[1]))

    uncovered = np.zeros((110, 150), bool)
    uncovered[25:85, 40:45] = True
    assert motion.kept[uncovered].mean() < 0.35
    assert motion.kept[32:78, 54:90].mean() > 0.9  # the thing
    elsewhere = np.ones((110, 150), bool)
    elsewhere[15:95, 30:107] = False
    assert motion.kept[elsewhere].mean() > 0.97


def test_what_comes_in_at_the_edge_is_not_kept() -> None:
    """Behind the edge nothing was seen."""
    before, now = pair(6, 0)

    kept = motion_between(grey(before), grey(now)).kept

    assert kept[:, :4].mean() < 0.2
    assert kept[8:-8, 16:-8].mean() > 0.95


@pytest.mark.parametrize("flow", ["dis", "farneback", "none"])
def test_another_scene_is_a_cut(flow: str) -> None:
    """Two unlike pictures are a cut; the same one, brighter, is none."""
    one, other = grey(texture(H, W, 1)), grey(texture(H, W, 2))

    assert motion_between(one, other, flow).cut
    brighter = np.clip(one.astype(np.int32) // 2 + 100, 0, 255).astype(np.uint8)
    darker = np.clip(one.astype(np.int32) // 2 + 20, 0, 255).astype(np.uint8)
    assert not motion_between(darker, brighter, flow).cut
    assert not motion_between(one, one, flow).cut


def test_nothing_moves_without_flow() -> None:
    """``none`` needs no flow: what stays is kept in its place, what changes is not."""
    before = texture(H, W, 1)
    now = before.copy()
    now[10:30, 50:80] = texture(20, 30, 3)

    motion = motion_between(grey(before), grey(now), "none")

    assert motion.back is None
    assert motion.kept[36:, :].min() > 0.999
    assert motion.kept[12:28, 52:78].mean() < 0.6
    np.testing.assert_array_equal(moved(before, None), before)


@pytest.mark.parametrize("shape", [(5, 33), (40, 7), (1, 1), (16, 16)])
def test_small_frames_have_motion(shape: tuple[int, int]) -> None:
    """Frames below the flow's own smallest size work."""
    frame = grey(texture(*shape, seed=4))

    motion = motion_between(frame, frame)

    assert isinstance(motion, Motion)
    assert motion.kept.shape == shape
    assert motion.back is not None
    assert motion.back.shape == (*shape, 2)


def test_an_unknown_flow_is_named() -> None:
    """The message lists what there is."""
    frame = grey(texture(20, 24))

    with pytest.raises(ParameterError, match="flow is 'raft': one of dis, farneback, none"):
        motion_between(frame, frame, "raft")


def test_grey_weighs_colours() -> None:
    """Green counts most, and values beyond the range are cut off."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [300, 300, 300]]], np.float32)

    assert grey(colours).tolist() == [[76, 150, 29, 255]]
