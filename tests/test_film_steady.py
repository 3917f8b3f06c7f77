"""What is carried from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from deepdream.errors import ParameterError
from deepdream.films.flow import Motion
from deepdream.films.steady import Steady, check_carry

H, W = 9, 13


def pixels(seed: int, low: float = 60, high: float = 200) -> np.ndarray:
    """Return (h, w, 3) float32."""
    return np.random.RandomState(seed).uniform(low, high, (H, W, 3)).astype(np.float32)


def still(kept: float = 1.0, cut: bool = False) -> Motion:
    """Return a motion that moves nothing."""
    return Motion(None, np.full((H, W), kept, np.float32), cut)


def carried(steady: Steady, motion: Motion | None, carry: float = 0.5) -> tuple[np.ndarray, bool]:
    """Return what is added to a frame, and whether it is a first one."""
    frame = pixels(7)
    begun = steady.begin(frame, motion, carry)
    return begun.pixels - frame, begun.first


def test_the_first_frame_and_one_after_a_cut_begin_with_themselves() -> None:
    """Nothing is carried into them."""
    steady = Steady()

    added, first = carried(steady, None)
    assert first
    assert not added.any()
    steady.keep(pixels(1), pixels(2))
    added, first = carried(steady, still(cut=True))
    assert first
    assert not added.any()


def test_so_much_of_the_detail_is_carried() -> None:
    """Half of it, and its mean colour as it was in the first dream."""
    frame, detail = pixels(1), np.random.RandomState(2).uniform(-20, 30, (H, W, 3))
    steady = Steady()
    steady.keep(frame, frame + detail.astype(np.float32))

    added, first = carried(steady, still())

    assert not first
    mean = detail.mean((0, 1))
    np.testing.assert_allclose(added, mean + 0.5 * (detail - mean), atol=0.05)


def test_what_is_uncovered_gets_nothing() -> None:
    """Where `kept` is 0 the frame is as it came, to the bit."""
    frame = pixels(1)
    steady = Steady()
    steady.keep(frame, frame + 25)
    kept = np.ones((H, W), np.float32)
    kept[2:5, 3:9] = 0

    begun = steady.begin(pixels(7), Motion(None, kept, False), 0.8)

    np.testing.assert_array_equal(begun.pixels[2:5, 3:9], pixels(7)[2:5, 3:9])
    assert (np.abs(begun.pixels - pixels(7))[kept == 1] > 10).all()


def test_the_mean_colour_is_held() -> None:
    """Steps that tint every frame tint the film no more than one of them."""
    tint = np.array([2, -1, 3], np.float32)
    steady, frame = Steady(), pixels(3)
    steady.keep(frame, frame + np.float32([5, 5, -5]))
    for _ in range(40):
        begun = steady.begin(frame, still(), 0.9)
        dreamt = begun.pixels + tint
        steady.keep(frame, dreamt)

    np.testing.assert_allclose(
        (dreamt - frame).mean((0, 1)), np.float32([5, 5, -5]) + tint, atol=0.1
    )


def test_a_mask_keeps_its_black_part() -> None:
    """Where frames must not change nothing is added, also not by what holds the colour."""
    mask = np.zeros((H, W), np.float32)
    mask[:, :6] = 1
    steady, frame = Steady(mask), pixels(3)
    steady.keep(frame, frame + 12 * mask[..., None] * pixels(4) / 100)
    steady.keep(frame, frame + 30 * mask[..., None] * pixels(5) / 100)

    added, _ = carried(steady, still())

    assert not added[:, 6:].any()
    assert added[:, :6].all()


def test_values_stay_within_black_and_white() -> None:
    """What would leave 0..255 is cut off."""
    frame = pixels(1, 230, 255)
    steady = Steady()
    steady.keep(frame, np.full_like(frame, 255))

    begun = steady.begin(frame, still(), 1.0)

    assert begun.pixels.max() <= 255


def test_the_state_goes_on_where_it_was() -> None:
    """A new one with the state of another carries the same, to the bit."""
    one, other = Steady(), Steady()
    assert one.state == {}
    for seed in (1, 2):
        one.keep(pixels(seed), pixels(seed + 10))

    other.state = {name: array.copy() for name, array in one.state.items()}

    np.testing.assert_array_equal(carried(other, still())[0], carried(one, still())[0])


@pytest.mark.parametrize("carry", [-0.1, 1.1, "0.9", None, True, float("nan")])
def test_carry_is_a_share(carry: object) -> None:
    """Anything else is refused, by name."""
    with pytest.raises(ParameterError, match="carry is"):
        check_carry(carry)
