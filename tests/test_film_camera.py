"""The camera in front of a still picture."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd

from deepdream.errors import ParameterError
from deepdream.films.camera import Camera, Move, check_ease, check_move, eased, motion_of
from deepdream.films.flow import moved

pytest.importorskip("cv2")

SIZE = (48, 70)


def picture(h: int = SIZE[0], w: int = SIZE[1]) -> np.ndarray:
    """Return (h, w, 3) float32, smooth enough to be sampled between its pixels."""
    noise = np.random.RandomState(0).standard_normal((h, w, 3))
    smooth = nd.gaussian_filter(noise, (3, 3, 0), mode="reflect")
    return (128 + 25 * smooth / np.abs(smooth).max()).astype(np.float32)


@pytest.mark.parametrize(
    "move",
    [
        Move(zoom=0.05),
        Move(zoom=-0.04),
        Move(turn=3),
        Move(shift=(2.5, -1)),
        Move(0.02, -2, (1, 3)),
    ],
    ids=str,
)
def test_views_follow_their_motion(move: Move) -> None:
    """Each view carried along the next one's motion is that view, where it was seen."""
    views = list(Camera(picture(), SIZE, 4, lambda number: move).views())

    assert [view.motion is None for view in views] == [True, False, False, False]
    for before, now in zip(views, views[1:]):
        assert now.motion is not None
        seen = now.motion.kept == 1
        seen[:3], seen[-3:], seen[:, :3], seen[:, -3:] = False, False, False, False
        carried = moved(before.pixels, now.motion.back)
        apart, unmoved = (np.abs(p - now.pixels)[seen].mean() for p in (carried, before.pixels))
        assert apart < 0.15 * unmoved
        assert seen.mean() > 0.5


def test_the_first_view_is_the_picture() -> None:
    """At its own size it has the picture's values."""
    first = next(Camera(picture(), SIZE, 2, lambda number: Move(0.1)).views())

    np.testing.assert_allclose(first.pixels, picture(), atol=1e-3)


def test_coming_nearer_keeps_the_middle() -> None:
    """As `deepdream.zoom` does: a share of both sides is cut off, evenly."""
    place = Move(zoom=0.1).map(SIZE)

    middle = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2, 1])
    np.testing.assert_allclose(place @ middle, middle, atol=1e-9)
    np.testing.assert_allclose(place[:2, :2], 0.9 * np.eye(2), atol=1e-9)


def test_going_right_uncovers_the_right_edge() -> None:
    """What is seen now lay further right; the last columns were not seen."""
    motion = motion_of(Move(shift=(3, 0)).map(SIZE), SIZE)

    assert motion.back is not None
    np.testing.assert_allclose(motion.back[..., 0], 3, atol=1e-6)
    np.testing.assert_allclose(motion.back[..., 1], 0, atol=1e-6)
    assert motion.kept[:, -3:].max() == 0
    assert motion.kept[:, :-3].min() == 1


def test_a_turn_is_clockwise() -> None:
    """The camera turns clockwise: what was right of the middle goes up."""
    place = Move(turn=90).map((49, 49))

    np.testing.assert_allclose(place @ [24, 4, 1], [44, 24, 1], atol=1e-9)


def test_a_larger_picture_is_seen_sharp_and_without_moire() -> None:
    """Of a picture three times as large each view is what its pixels average to."""
    large = picture(3 * SIZE[0], 3 * SIZE[1])
    striped = large.copy()
    striped[:, ::2] += 30  # finer than the frame can show
    plain, stripes = (
        next(Camera(each, SIZE, 1, lambda number: Move()).views()).pixels
        for each in (large, striped)
    )

    mean = large.reshape(SIZE[0], 3, SIZE[1], 3, 3).mean((1, 3))
    np.testing.assert_allclose(plain, mean, atol=2)
    np.testing.assert_allclose(stripes - plain, 15, atol=3)


def test_going_on_from_a_frame_is_the_same() -> None:
    """Views from the third on are those that the whole film has there."""
    camera = Camera(picture(), SIZE, 5, lambda number: Move(0.03, number, (1, 0)), 0.3)

    whole, rest = list(camera.views()), list(camera.views(2))

    assert (len(whole), len(rest)) == (5, 3)
    for one, other in zip(whole[2:], rest):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_the_way_from_the_end_undoes_nothing_twice() -> None:
    """Where the film would go on, the last frame but one is two moves away."""
    camera = Camera(picture(), SIZE, 6, lambda number: Move(0.1))

    for number, moves in ((5, 1), (4, 2), (0, 6)):
        np.testing.assert_allclose(camera.from_end(number)[0, 0], 0.9**-moves)


def test_ease_gets_going_and_comes_to_rest() -> None:
    """Slow at both ends, full speed between, the same both ways."""
    speeds = [eased(number, 41, 0.25) for number in range(1, 41)]

    assert speeds[0] < 0.02
    assert max(speeds) == 1
    assert speeds[:10] == sorted(speeds[:10])
    np.testing.assert_allclose(speeds, speeds[::-1], atol=1e-12)
    assert {eased(number, 41, 0) for number in range(1, 41)} == {1.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0.7, 0, (0, 0)), "zoom is 0.7"),
        (("x", 0, (0, 0)), "zoom is 'x'"),
        ((0, None, (0, 0)), "turn is None"),
        ((0, 0, 3), "shift is 3"),
        ((0, 0, (1, 2, 3)), "shift is"),
        ((0, 0, (1, float("inf"))), "shift is"),
    ],
)
def test_moves_that_make_no_sense_are_named(given: tuple, said: str) -> None:
    """The message tells what is expected."""
    with pytest.raises(ParameterError, match=said):
        check_move(*given)


@pytest.mark.parametrize("ease", [-0.1, 0.6, "0.1", True])
def test_ease_is_a_share(ease: object) -> None:
    """At most half of the film is for getting going."""
    with pytest.raises(ParameterError, match="ease is"):
        check_ease(ease)
