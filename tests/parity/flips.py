"""When two engines' gradients differ: is it the flip of a switch by rounding, or a mistake?

A ReLU passes a gradient or not, and a max window passes it to one pixel or to another. Where the
input of a ReLU is within rounding of zero, or two values of a window within rounding of each other,
engines that round differently may switch differently, and the gradient jumps although no data do.
Caffe with one thread and Caffe with two disagree in the same way.

`assert_gradient` excuses a difference only if it proves this. It needs what the reference computed
after every layer (a *trace*: layer name -> top name -> array), and shows that

1. at least one switch differs, and every one that differs lies within rounding of its edge;
2. run layer by layer on the reference's own data, so that all switches are the reference's, our
   engine computes the reference's gradient.

A wrong derivative fails the second test, wrong data fail the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from helpers import RTOL, assert_close, relative_error

LARGEST = 1e-2  # relative L2 error that a few switches can cause
EDGE = 1e-5  # distance from the edge of a switch, as a share of the largest value of the blob

Trace = dict[str, dict[str, np.ndarray]]


def assert_gradient(
    net: Any,
    end: str,
    desired: np.ndarray,
    trace: Callable[[], Trace],
    name: str,
    rtol: float = RTOL,
    source: str = "data",
) -> list[str]:
    """Fail unless our gradient is the reference's, but for switches that rounding flipped.

    Parameters
    ----------
    net : Net
        Our engine, after ``forward(end=end)`` and ``backward(start=end)``.
    end : str
        The layer where backward started, from a diff that is still there.
    desired : ndarray
        The reference's gradient at the blob `source`.
    trace : callable
        Returns the reference's trace up to `end`; called only if the gradients differ.
    name : str
        What is compared, for the message.
    rtol : float
        Relative L2 error that needs no excuse.

    Returns
    -------
    list of str
        The switches that had to be excused, in words; mostly there are none.
    """
    actual = net.blobs[source].diff.copy()
    error = relative_error(actual, desired)
    if error <= rtol and actual.shape == desired.shape:
        return []
    if error > LARGEST:
        assert_close(actual, desired, rtol, name)
    reference = trace()
    tops = {top: net.blobs[top].diff.copy() for top in net.top_names[end]}
    flipped = switches(net, own_trace(net, end), reference, end)
    assert flipped, f"{name}: relative L2 error {error:.3g}, and no switch differs that explains it"
    far = [words for words, distance in flipped if distance > EDGE]
    assert not far, f"{name}: relative L2 error {error:.3g}; not by rounding: {far[0]}"
    force(net, reference, end)
    for top, diff in tops.items():
        net.blobs[top].diff[...] = diff
    net.backward(start=end)
    forced = f"{name}, on the reference's data (relative L2 error {error:.3g} before)"
    assert_close(net.blobs[source].diff, desired, rtol, forced)
    return [f"{name}, {error:.1e}: {words}" for words, _ in flipped]


def own_trace(net: Any, end: str) -> Trace:
    """Run a net forward layer by layer and return copies of what each layer made."""
    trace: Trace = {}
    for layer in _layers(net, end):
        net.forward(start=layer, end=layer)
        trace[layer] = {top: net.blobs[top].data.copy() for top in net.top_names[layer]}
    return trace


def force(net: Any, reference: Trace, end: str) -> None:
    """Run a net forward, replacing what each layer made by what the reference made there."""
    for layer in _layers(net, end):
        net.forward(start=layer, end=layer)
        for top, value in reference[layer].items():
            net.blobs[top].data[...] = value


def switches(net: Any, ours: Trace, reference: Trace, end: str) -> list[tuple[str, float]]:
    """Return the switches that differ, in words, each with its distance from the edge.

    Looks at ReLU and at MAX pooling, the only ones in the nets that people dream with.
    """
    found = []
    now: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # blob -> its data in both, at this layer
    for layer in _layers(net, end):
        object_ = net.layers[list(net._layer_names).index(layer)]
        bottoms, tops = net.bottom_names[layer], net.top_names[layer]
        made = {top: (ours[layer][top], reference[layer][top]) for top in tops}
        if object_.type == "ReLU":
            places = _relu_switches(*made[tops[0]])
        elif object_.type == "Pooling" and object_.method == object_.MAX:
            places = _max_switches(now[bottoms[0]], made[tops[0]][0].shape, object_.window())
        else:
            places = []
        found += [(f"{layer} at {index}: {words}", far) for index, words, far in places]
        now.update(made)
    return found


def _layers(net: Any, end: str) -> list[str]:
    names = list(net._layer_names)
    return names[: names.index(end) + 1]


def _relu_switches(a: np.ndarray, b: np.ndarray) -> list[tuple[Any, str, float]]:
    scale = float(np.abs(b).max(initial=0)) or 1.0
    return [
        (tuple(map(int, index)), f"{a[tuple(index)]:g}, reference {b[tuple(index)]:g}",
         float(max(abs(a[tuple(index)]), abs(b[tuple(index)]))) / scale)
        for index in np.argwhere((a > 0) != (b > 0))
    ]  # fmt: skip


def _max_switches(
    bottoms: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...], window: Any
) -> list[tuple[Any, str, float]]:
    if window is None:  # one window over the whole picture
        window = (bottoms[0].shape[2:], (1, 1), (0, 0))
    ours, reference = (_windows(bottom, shape, *window) for bottom in bottoms)
    scale = float(np.abs(bottoms[1]).max(initial=0)) or 1.0
    places = []
    winners = ours.argmax(0), reference.argmax(0)  # the first of equal ones, as in Caffe
    for index in np.argwhere(winners[0] != winners[1]):
        place = tuple(map(int, index))
        mine, theirs = (winner[place] for winner in winners)
        values = reference[(slice(None), *place)]
        ahead = values[theirs] - values[mine]
        words = f"the reference's winner is {ahead:g} ahead of ours"
        places.append((place, words, float(ahead) / scale))
    return places


def _windows(bottom: np.ndarray, shape: Any, kernel: Any, stride: Any, pad: Any) -> np.ndarray:
    """Return all windows, the pixels of a window along the first axis, row by row."""
    rows, columns = shape[2:]
    size = [(n - 1) * s + k for n, s, k in zip((rows, columns), stride, kernel)]
    room = [max(0, n - p - m) for n, p, m in zip(size, pad, bottom.shape[2:])]
    padded = np.pad(
        bottom,
        ((0, 0), (0, 0), (pad[0], room[0]), (pad[1], room[1])),
        constant_values=-np.inf,
    )
    return np.stack(
        [
            padded[:, :, y : y + size[0] - kernel[0] + 1 : stride[0],
                   x : x + size[1] - kernel[1] + 1 : stride[1]]
            for y in range(kernel[0])
            for x in range(kernel[1])
        ]
    )  # fmt: skip
