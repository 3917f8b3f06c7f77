"""One job on both engines: the real Caffe in its process, ours here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from caffe_client import Job, RealCaffe
from flips import Trace, assert_gradient
from helpers import assert_close, assert_same_facts, our_caffe, resolve, worker

Steps = list[dict[str, Any]]


class Twins:
    """The same net on both engines.

    Parameters
    ----------
    caffe : RealCaffe
        The other engine.
    folder : Path
        For files that the job writes.
    steps, arrays
        The job that builds the net, called ``net``, and writes its input.
    """

    def __init__(
        self, caffe: RealCaffe, folder: Path, steps: Steps, arrays: dict[str, np.ndarray]
    ) -> None:
        self._real = caffe
        self._steps = resolve(steps)
        self._arrays = arrays
        self._job = worker.Job(our_caffe(), arrays, folder)
        self._take(self._steps)
        self._traced: Trace = {}
        self.net = self._job.nets["net"]

    def _take(self, steps: Steps) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nets without weights
            for step in steps:
                self._job.take(step)

    def _caffe(self, steps: Steps) -> Any:
        (outcome,) = self._real.ask([Job([*self._steps, *steps], self._arrays)])
        assert outcome.facts is not None, outcome.error or outcome.aborted
        return outcome

    def dream_on(self, end: str) -> None:
        """Replace the array ``data`` by what two steps of the notebook on Caffe make of it.

        Smooth pictures have flat spots, where all values of a max window are equal but for
        rounding. They are gone after the first step.
        """
        steps = [{"do": "notebook_step", "end": end, "roll": roll} for roll in ([5, -7], [-12, 3])]
        results = self._caffe([*steps, {"do": "read", "blob": "data"}]).results
        self._arrays["data"] = results["data.data"]
        self.net.blobs["data"].data[...] = results["data.data"]

    def assert_same_structure(self) -> None:
        """Compare names, types, wiring and shapes."""
        self._take([{"do": "describe"}])
        facts = self._caffe([{"do": "describe"}]).facts
        assert_same_facts(self._job.facts["net"], facts["net"], self.net.inputs[0])

    def assert_same_dreams(self, ends: Sequence[str], objective: Steps | None = None) -> list[str]:
        """Run the notebook's gradient at several ends, one after the other, on both.

        Compares every blob up to each end, and the gradient at the data. Diffs are not cleared in
        between, so the order of the ends matters.

        Parameters
        ----------
        ends : sequence of str
            Layers with a top of their own name.
        objective : list of dict
            Steps that write the diff of an end instead (then there is one end).

        Returns
        -------
        list of str
            What was excused, see `flips.assert_gradient`.
        """
        plan = [self._gradient(end, objective) for end in ends]
        caffe = self._caffe([step for steps in plan for step in steps]).results
        excused = []
        for number, end in enumerate(ends):
            self._take(plan[number])
            ours = self._job.results
            prefix = f"{end}/"
            blobs = [name for name in caffe if name.startswith(prefix)]
            assert blobs == [name for name in ours if name.startswith(prefix)]
            for name in blobs:
                assert_close(ours[name], caffe[name], name=name)
                if len(blobs) > 1:
                    del ours[name]  # a deep net's blobs need not pile up
            source = self.net.inputs[0]
            excused += assert_gradient(
                self.net,
                end,
                caffe[f"gradient of {end}"],
                lambda: self._trace(ends),
                f"gradient of {end}",
                source=source,
            )
        return excused

    def _gradient(self, end: str, objective: Steps | None) -> Steps:
        return [
            {"do": "forward", "end": end},
            {"do": "read_all", "name": end, "end": end},
            *(objective or [{"do": "objective", "blob": end}]),
            {"do": "backward", "start": end},
            {
                "do": "read",
                "blob": self.net.inputs[0],
                "part": "diff",
                "name": f"gradient of {end}",
            },
        ]

    def _trace(self, ends: Sequence[str]) -> Trace:
        """Return Caffe's trace up to the deepest of some ends; asked for once."""
        if not self._traced:
            names = list(self.net._layer_names)
            deepest = max(ends, key=names.index)
            results = self._caffe([{"do": "trace", "name": "trace", "end": deepest}]).results
            self._traced = {
                layer: {top: results[f"trace/{layer}/{top}"] for top in self.net.top_names[layer]}
                for layer in names[: names.index(deepest) + 1]
            }
        return self._traced
