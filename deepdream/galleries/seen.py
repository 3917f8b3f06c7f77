"""What several terms want to see, each in a picture: for sheets, made side by side on a cluster."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from ..dreaming.visualize import SIZE, STYLE, check_terms, start_for
from ..errors import ParameterError
from ..images import load_image
from ..jobs.job import Job, Maker
from ..jobs.run import run_jobs
from ..picture import Picture


def see_each(
    net: Any, terms: Sequence[str], *, cluster: Any, shared: str | None = None,
    size: int | tuple[int, int] = SIZE, seed: int = 0, style: Any = STYLE, shown: Any = None,
    **options: Any,
) -> Iterator[tuple[int, Picture]]:  # fmt: skip
    """Make a picture of what each term wants to see, those of `visualize` in grey levels.

    Parameters
    ----------
    net, size, seed, style, **options
        See `dreaming.visualize.visualize`; all pictures begin with the same noise, as there.
    terms : sequence of str
        As on the command line: ``"class:hen"``, ``"LAYER:13"``, ``"LAYER:13*-1"``.
    cluster : str, PathLike or distributed.Client
    shared : str, optional
        See `jobs.run.run_jobs`.
    shown : Bar or Preview, optional
        Shows how far they are.

    Yields
    ------
    (int, Picture)
        The number of a term and its picture, as soon as it is made.

    Raises
    ------
    ParameterError, ShapeError, UnknownLabelError, UnknownBlobError
        A term, or a value, makes no sense; a picture cannot be made, when the others are done.

    Warns
    -----
    UserWarning
        As `deepdream.dream`.
    """
    objectives = check_terms(net, terms, style, **options)
    common = {"img": start_for(size, seed), "style": style, "seed": seed, **options}
    maker = Maker(net, common)
    jobs = [Job(text, {"objective": objective}, f"{number}.png")
            for number, (text, objective) in enumerate(zip(terms, objectives))]  # fmt: skip
    failed = ""
    for number, made in run_jobs(maker, jobs, cluster=cluster, shared=shared, shown=shown):
        if made.error:
            failed = failed or f"{terms[number]}: {made.error}"
            continue
        for note in made.notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        assert made.data is not None
        yield number, load_image(io.BytesIO(made.data))
    if failed:
        raise ParameterError(failed)
