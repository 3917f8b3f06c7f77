"""Jobs, given out one by one: what is made comes back as soon as it is done.

Here they are made one after the other; `cluster` does the same on other machines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..dreaming.steps import OnStep, Step
from ..errors import ParameterError
from .job import Job, Listed, Made, Maker


@dataclass(frozen=True)
class PictureStep(Step):
    """Where many pictures stand, for `on_step`: a dream's `Step` and what it is about.

    Attributes
    ----------
    what : str
        The picture, or in a gallery the layer, and the channel if it is only one.
    picture_number, picture_n : int
        Which picture this is, from 0, and how many this call makes.
    all_done : float
        Share of all its work that is done, 0..1.
    """

    what: str = ""
    picture_number: int = 0
    picture_n: int = 1
    all_done: float = 0.0


def run_jobs(
    maker: Maker,
    jobs: Sequence[Job],
    *,
    work: Sequence[float] | None = None,
    shown: Any = None,
    on_step: OnStep | None = None,
    cluster: Any = None,
    shared: str | None = None,
) -> Iterator[tuple[int, Made]]:
    """Make jobs.

    Parameters
    ----------
    maker : Maker
        The net, and what all jobs share.
    jobs : sequence of Job
    work : sequence of float, optional
        How much each is, for the time left; in any unit.
    shown : Bar or Preview, optional
        Shows how far they are.
    on_step : callable, optional
        Called after each step with a `PictureStep`. Where it returns False, the jobs end, and that
        one is dropped. Not on a cluster.
    cluster : str, PathLike or distributed.Client, optional
        Where to make them, see `check_cluster`; without it here, one after the other.
    shared : str, optional
        A folder that all machines of the cluster see under this name.

    Yields
    ------
    (int, Made)
        The number of a job, and what came of it.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C. The pictures that were being made are dropped.
    EngineError, MissingFileError, ParameterError
        No such cluster, or it has gone; see `cluster.run_on_cluster`.
    """
    progress = Progress(jobs, work, shown, on_step)
    if cluster is not None and jobs:
        from .cluster import run_on_cluster

        # The largest first, so that no machine begins one when the others are done.
        order = sorted(range(len(jobs)), key=lambda number: -progress.work[number])
        tell = None if shown is None else progress.tell
        supply = Listed(jobs, order)
        for number, made in run_on_cluster(maker, supply, cluster, shared=shared, tell=tell):
            progress.finished(number)
            if shown is not None:
                progress.show()
            yield number, made
        return
    for number, job in enumerate(jobs):
        made = maker.make(job, progress.watch(number))
        if made.stopped:
            if progress.enough:
                return
            raise KeyboardInterrupt
        progress.finished(number)
        yield number, made


def check_cluster(cluster: Any, on_step: Any, shared: str | None = None) -> None:
    """Refuse what does not go with a cluster, before anything is done.

    Parameters
    ----------
    cluster : str, PathLike or distributed.Client, optional
        ``"local"``: the processors of this machine; ``"local:4"``: four dreams at a time on it;
        ``"tcp://HOST:PORT"``: a scheduler of Dask's; or the file that one has written.
    on_step : callable, optional
    shared : str, optional

    Raises
    ------
    ParameterError
        An `on_step` that would have to be called on other machines; a folder without a cluster.
    """
    if cluster is not None and on_step is not None:
        raise ParameterError(
            "on_step and cluster both given: on_step is called where a dream is made, here"
        )
    if shared is not None and cluster is None:
        raise ParameterError("shared is given without cluster: it is for other machines")


class Progress:
    """How far jobs are: tells what shows it, and the user's `on_step`.

    Attributes
    ----------
    enough : bool
        Whether `on_step` has returned False.
    work : list of float
        How much each job is.
    """

    def __init__(
        self, jobs: Sequence[Job], work: Sequence[float] | None, shown: Any, on_step: OnStep | None
    ) -> None:
        self._jobs, self._shown, self._on_step = jobs, shown, on_step
        self.work = [1.0] * len(jobs) if work is None else [*work]
        self._total, self._done, self._count = sum(self.work) or 1.0, 0.0, 0
        self._shares: dict[int, float] = {}  # of jobs that are made elsewhere
        self._made: set[int] = set()
        self.enough = False

    def watch(self, number: int) -> OnStep | None:
        """Return the `on_step` of a job, or None where nobody looks."""
        if self._shown is None and self._on_step is None:
            return None
        return lambda step: self._step(number, step)

    def _step(self, number: int, step: Step) -> bool:
        done = (self._done + self.work[number] * step.done) / self._total
        n = len(self._jobs)
        values = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
        told = PictureStep(**values, what=self._jobs[number].name, picture_number=number,
                           picture_n=n, all_done=done)  # fmt: skip
        if self._shown is not None:
            # What shows it takes all dreams for equally long.
            self._shown.step(dataclasses.replace(told, done=done * n - self._count))
        if self._on_step is not None:
            self.enough = self._on_step(told) is False
        return not self.enough

    def tell(self, number: int, done: float) -> None:
        """Note how far a job is that is made elsewhere, and show how far all are."""
        if number not in self._made:  # what is told may come after what is made
            self._shares[number] = done
            self.show()

    def finished(self, number: int) -> None:
        """Note that a job is done."""
        self._made.add(number)
        self._shares.pop(number, None)
        self._done += self.work[number]
        self._count += 1
        if self._shown is not None:
            self._shown.frame(self._count)

    def show(self) -> None:
        """Show how far all jobs are."""
        begun = sum(self.work[number] * share for number, share in [*self._shares.items()])
        n = len(self._jobs)
        at_work = f", {len(self._shares)} being made" if self._shares else ""
        self._shown.share((self._done + begun) / self._total, f"picture {self._count}/{n}{at_work}")
