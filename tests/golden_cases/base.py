"""How a case is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from helpers import RTOL

Shape = Sequence[int]


class Case:
    """A job for both engines, and how closely they have to agree.

    Parameters
    ----------
    name : str
        ``AREA/NAME``; the golden files are called so.
    what : str
        One sentence: what the case is about.
    rtol : float
        Allowed relative L2 error; 0 where an engine only copies, selects or counts.
    aborts : bool
        The last step makes Caffe end its process; our engine has to raise an error there.
    """

    def __init__(self, name: str, what: str, rtol: float = RTOL, aborts: bool = False) -> None:
        self.name = name
        self.what = what
        self.rtol = rtol
        self.aborts = aborts
        self.steps: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray] = {}

    def step(self, do: str, **fields: Any) -> Case:
        """Add a step; arrays among the fields are stored, and None fields left out."""
        if "prototxt" in fields:
            fields["prototxt"] = fields["prototxt"].splitlines()
        fields = {key: self._stored(value) for key, value in fields.items() if value is not None}
        self.steps.append({"do": do, **fields})
        return self

    def steps_of(self, *steps: dict[str, Any]) -> Case:
        """Add steps that are already written as dicts."""
        for step in steps:
            self.step(**step)
        return self

    def _stored(self, value: Any) -> Any:
        if isinstance(value, bytes):
            value = np.frombuffer(value, np.uint8)
        if isinstance(value, np.ndarray):
            key = f"a{len(self.arrays)}"
            self.arrays[key] = value
            return key
        if isinstance(value, dict):
            return {key: self._stored(entry) for key, entry in value.items()}
        return list(value) if isinstance(value, tuple) else value  # as JSON returns it


_DRAWN = {"low": -2, "high": 2, "steps": 1024}  # what `draw` does when it is not told


def dims(shape: Shape) -> str:
    """Return a shape as the prototxt message BlobShape."""
    return "shape { " + " ".join(f"dim: {size}" for size in shape) + " }"


def input_layer(name: str, shape: Shape) -> str:
    """Return an Input layer whose top has the layer's name."""
    return (
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ {dims(shape)} }} }}\n'
    )


def layer(
    name: str, kind: str, bottoms: Sequence[str], tops: Sequence[str], parameters: str = ""
) -> str:
    """Return one layer of a prototxt."""
    wires = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in tops)
    return f'layer {{ name: "{name}" type: "{kind}"{wires} {parameters} }}\n'


def net(*layers: str, force_backward: bool = True, head: str = "") -> str:
    """Return the text of a net."""
    force = "force_backward: true\n" if force_backward else ""
    return f'name: "golden"\n{force}{head}' + "".join(layers)


def layer_case(
    name: str,
    what: str,
    kind: str,
    parameters: str = "",
    *bottoms: Any,
    tops: int = 1,
    in_place: bool = False,
    rtol: float = RTOL,
    backward: bool = True,
    params: int = 0,
    weights: Sequence[np.ndarray] = (),
    low: float = -2,
    high: float = 2,
    steps: int = 1024,
) -> Case:
    """Return a case of one layer: forward, and backward from random diffs of all tops.

    Parameters
    ----------
    name, what, rtol
        As for `Case`.
    kind, parameters : str
        Type of the layer, and what its prototxt says besides.
    bottoms : shape, or ndarray
        An array is written as it is; a shape is filled with multiples of ``1 / steps`` between
        `low` and `high`.
    tops : int
        Number of tops.
    in_place : bool
        The first top is the first bottom.
    backward : bool
        False where Caffe has no backward pass.
    params : int
        Number of parameter blobs; each is drawn, and its diff is read.
    weights : sequence of ndarray
        Parameter blobs to write instead.
    """
    case = Case(name, what, rtol)
    bottom_names = [f"x{i}" if i else "x" for i in range(len(bottoms))]
    top_names = [f"y{i}" if i else "y" for i in range(tops)]
    if in_place:
        top_names[0] = "x"
    arrays = [value if isinstance(value, np.ndarray) else None for value in bottoms]
    shapes = [shape if array is None else array.shape for shape, array in zip(bottoms, arrays)]
    inputs = [input_layer(blob, shape) for blob, shape in zip(bottom_names, shapes)]
    case.step("net", prototxt=net(*inputs, layer("L", kind, bottom_names, top_names, parameters)))
    for index, (blob, array) in enumerate(zip(bottom_names, arrays)):
        if array is None:
            given = {"low": low, "high": high, "steps": steps}
            given = {key: value for key, value in given.items() if value != _DRAWN[key]}
            case.step("draw", blob=blob, seed=1 + index, **given)
        else:
            case.step("write", blob=blob, array=array)
    if params:
        case.step("draw_params", seed=100)
    for index, array in enumerate(weights):
        case.step("write_param", layer="L", index=index, array=array)
    case.step("forward")
    for blob in top_names:
        case.step("read", blob=blob)
    if backward:
        for index, blob in enumerate(top_names):
            case.step("draw", blob=blob, part="diff", seed=11 + index)
        case.step("backward")
        for blob in bottom_names:
            case.step("read", blob=blob, part="diff")
        for index in range(params):
            case.step("read_param", layer="L", index=index, part="diff")
    return case
