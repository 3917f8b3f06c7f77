"""A work, made: the notebook's functions, some seeds, measures, and a report.

Single dreams run through `dream2015.dream_steps`, which is the notebook to the letter; zooms
through `frames.write_zoom`, which goes on where it was interrupted. Pictures are saved in the grey
levels that the notebook saved (`measures.truncated`); only the frames in a zoom's folder are
rounded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from ..color_profiles import srgb_profile
from ..dreaming.dream2015 import deprocess, dream_steps, guide_features, input_blob
from ..dreaming.frames import last_frame, write_zoom
from ..dreaming.objectives.functions import Function, objective_guide, objective_L2
from ..errors import ImageError, ParameterError
from ..files import make_folder, replacing
from ..images import load_image, save_image
from ..jobs.connect import is_local, sees, whole
from ..jobs.job import Job, Maker
from ..jobs.run import run_jobs
from ..picture import Picture, to_uint8
from ..recipe import Recipe, build_recipe, describe_net, read_recipe, same_dream
from .measures import as_published, digits, explain, measure, spread, truncated, verdict
from .pictures import describe_files
from .works import Work

# The defaults of the notebook's functions.
DEFAULTS: Mapping[str, Any] = {
    "end": "inception_4c/output", "iter_n": 10, "octave_n": 4, "octave_scale": 1.4,
    "step_size": 1.5, "jitter": 32, "clip": True,
}  # fmt: skip
ZOOM_SCALE = 0.05

OnStep = Callable[[Any], Any]


@dataclass
class Made:
    """What `reproduce` made.

    Attributes
    ----------
    work : Work
    folder : Path
    recipe : str
        See `describe_recipe`.
    files : list of str
        See `describe_files`.
    pictures : dict of int to Path
        Seed to picture.
    measures : dict of int to mapping
        Seed to the measures of that picture; see `measures.measure`.
    published : Path or None
        A copy of the published picture.
    published_measures : mapping or None
    report : Path
        The page that puts all this side by side.
    """

    work: Work
    folder: Path
    recipe: str = ""
    files: list[str] = field(default_factory=list)
    pictures: dict[int, Path] = field(default_factory=dict)
    measures: dict[int, Mapping[str, float]] = field(default_factory=dict)
    published: Path | None = None
    published_measures: Mapping[str, float] | None = None
    report: Path = Path()


class Stopped(KeyboardInterrupt):
    """Ctrl-C while a work was made; the message says what was kept, and what comes next."""


@dataclass
class _Job:
    """What the dreams of a work share, and how far the one that runs has come."""

    work: Work
    net: Any
    img: Picture
    guide: Picture | None
    folder: Path
    on_step: OnStep
    on_picture: OnStep
    objective: Function = objective_L2
    seed: int | None = None
    reached: tuple[int, int, np.ndarray] | None = None  # octave, step, the net's input after it

    def picture_path(self, seed: int) -> Path:
        return self.folder / f"{self.work.name}_seed{seed}.png"

    def stopped_path(self, seed: int) -> Path:
        return self.folder / f"{self.work.name}_seed{seed}_stopped.png"

    def frames_folder(self, seed: int) -> Path:
        return self.folder / f"{self.work.name}_seed{seed}"


def make(
    work: Work,
    net: Any,
    files: Mapping[str, Path],
    folder: Path,
    *,
    seeds: list[int],
    published: Path | None = None,
    on_step: OnStep | None = None,
    on_picture: OnStep | None = None,
    cluster: Any = None,
    shared: str | None = None,
    shown: Any = None,
) -> Made:
    """Make a work, once for each seed, and measure it.

    Parameters
    ----------
    work : Work
    net : Net
        The work's network, with the work's mean.
    files : mapping
        ``weights``, ``picture`` and ``guide``, as `pictures.gather` returns them.
    folder : Path
        Made where it is missing. What it holds already is not made again.
    seeds : list of int
        Of the random offsets.
    published : Path, optional
        The published picture.
    on_step : callable, optional
        Gets the stand of each dream, as `deepdream.dream` gives it.
    on_picture : callable, optional
        Gets the number of dreams done, of ``len(seeds) * work.dreams``.
    cluster : str, PathLike or distributed.Client, optional
        Where to make the seeds side by side, see `jobs.run.check_cluster`; `shown` shows how far
        they are then. Zooms keep their frames in `folder`, which all machines have to see.
    shared : str, optional
        A folder that all machines of the cluster see under this name.

    Returns
    -------
    Made

    Raises
    ------
    Stopped
        Ctrl-C. Finished pictures stay, and the same call skips them. Of a dream that was under way
        the picture after its last finished step is saved as ``NAME_seedN_stopped.png``; the
        same call makes it anew, and goes on at the frame of a zoom.
    ParameterError
        The folder holds frames of another zoom.
    """
    make_folder(folder)
    guide = load_image(files["guide"]) if "guide" in files else None
    made = Made(work, folder, describe_recipe(work, net), describe_files(work, files))
    job = _Job(work, net, load_image(files["picture"]), guide, folder,
               on_step or _ignore, on_picture or _ignore)  # fmt: skip
    try:
        features = None if guide is None else guide_features(net, guide, work.end)
        if features is not None:
            job.objective = objective_guide(features)
        if cluster is not None:
            _make_elsewhere(job, seeds, cluster, shared, shown)
        for number, seed in enumerate(seeds):
            made.pictures[seed] = _make_one(job, seed, number * work.dreams)
            seen = as_published(load_image(made.pictures[seed]))
            made.measures[seed] = measure(seen, net, work.end, features)
        if published is not None:
            made.published = folder / f"{work.name}_published.jpg"
            with replacing(made.published) as part:
                part.write_bytes(published.read_bytes())
            seen = np.asarray(load_image(made.published))
            made.published_measures = measure(seen, net, work.end, features)
            _side_by_side(made)
    except KeyboardInterrupt:
        raise Stopped(_keep(job, made, len(seeds))) from None
    return made


def _ignore(_: Any) -> None:
    pass


def _make_one(job: _Job, seed: int, at: int) -> Path:
    """Return the path of a seed's picture, which is made where it is not there.

    `at` is the number of dreams done before.
    """
    path = job.picture_path(seed)
    if not _is_there(job, seed):
        job.seed = seed
        save_image((_zoom if job.work.frames > 1 else _dream)(job, seed, at), path)
        job.seed = job.reached = None
    with contextlib.suppress(OSError):
        job.stopped_path(seed).unlink()
    job.on_picture(at + job.work.dreams)
    return path


class SeedMaker(Maker):
    """Makes pictures of a work, one for each seed; see `jobs.job.Maker`.

    `shared` has the ``work`` and its pictures, ``img`` and ``guide``; a job has the ``seed``.
    """

    one_at_a_time = True  # NumPy's random stream is the process's, as in the notebook

    def picture(self, job: Job, on_step: OnStep | None) -> Picture:
        """Make the picture of a seed."""
        known, seed = self.shared, job.keywords["seed"]
        own = _Job(known["work"], self.net, known["img"], known["guide"], Path(known["folder"]),
                   on_step or _ignore, _ignore)  # fmt: skip
        if own.work.frames > 1:
            return self._zoomed(own, seed, on_step)
        if own.guide is not None:
            features = guide_features(self.net, own.guide, own.work.end)
            own.objective = objective_guide(features)
        return _dream(own, seed, 0)

    def _zoomed(self, own: _Job, seed: int, on_step: OnStep | None) -> Picture:
        """Make the frames into the folder that all see, and tell how far all of them are."""
        made = 0

        def on_picture(count: int) -> None:
            nonlocal made
            made = count

        def watch(step: Any) -> Any:
            assert on_step is not None
            return on_step(replace(step, done=(made + step.done) / own.work.frames))

        own.on_picture = on_picture
        own.on_step = _ignore if on_step is None else watch
        return _zoom(own, seed, 0)


def _make_elsewhere(
    job: _Job, seeds: list[int], cluster: Any, shared: str | None, shown: Any
) -> None:
    """Make the pictures that are missing on a cluster."""
    folder = whole(job.folder)
    if job.work.frames > 1 and not is_local(cluster) and not sees(shared, folder):
        raise ParameterError(
            f"the frames of {job.work.name} go on from each other, in '{folder}': name a folder "
            "above it that all machines see as shared (--shared), or make them on this machine "
            "(cluster local)"
        )
    missing = [seed for seed in seeds if not _is_there(job, seed)]
    maker = SeedMaker(job.net, {"work": job.work, "img": job.img, "guide": job.guide,
                                "folder": str(folder)})  # fmt: skip
    jobs = [Job(f"seed {seed}", {"seed": seed}, str(job.picture_path(seed))) for seed in missing]
    failed = ""
    for number, done in run_jobs(maker, jobs, cluster=cluster, shared=shared, shown=shown):
        if done.error:
            failed = failed or f"seed {missing[number]}: {done.error}"
        else:
            done.write(job.picture_path(missing[number]))
    if failed:
        raise ParameterError(failed)


def _recipe(job: _Job, seed: int, **more: Any) -> Recipe:
    zoom = (
        {"frame": job.work.frames - 1, "scale": ZOOM_SCALE, "middle": "as in 2015"}
        if job.work.frames > 1
        else {}
    )
    return build_recipe(
        job.net,
        {**DEFAULTS, **job.work.parameters, "objective": job.objective},
        command="zoom" if zoom else "deepdream",
        seed=seed,
        source=job.img.source,
        guide=None if job.guide is None else job.guide.source,
        **zoom,
        reproduces=job.work.name,
        stale=job.work.stale,
        rounding="down",
        **more,
    )


def _is_there(job: _Job, seed: int) -> bool:
    """Tell whether an earlier call has made this very picture."""
    try:
        before = read_recipe(job.picture_path(seed))
    except (ImageError, FileNotFoundError):
        return False
    return same_dream(_recipe(job, seed), before)


def _picture(job: _Job, seed: int, pixels: np.ndarray, **more: Any) -> Picture:
    levels = np.float32(truncated(pixels))
    return Picture(levels, recipe=_recipe(job, seed, **more), source=job.img.source)


def _dream(job: _Job, seed: int, at: int) -> Picture:
    net, work, base = job.net, job.work, np.float32(np.asarray(job.img))
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        _forget(net)
        if work.stale:  # what the notebook had run on this net before
            for octave, step in dream_steps(net, base):
                job.on_step(_stand(job, DEFAULTS, octave, step))
            job.on_picture(at + 1)
        parameters = {**DEFAULTS, **work.parameters}
        for octave, step in dream_steps(net, base, objective=job.objective, **work.parameters):
            job.reached = octave, step, np.array(input_blob(net).data[0])
            job.on_step(_stand(job, parameters, octave, step))
    finally:
        np.random.set_state(state)
    return _picture(job, seed, deprocess(net, input_blob(net).data[0]))


def _forget(net: Any) -> None:
    """Clear what earlier dreams left in the net: the next one is that of a fresh net."""
    for blob in net.blobs.values():
        blob.diff[...] = 0


def _stand(job: _Job, parameters: Mapping[str, Any], octave: int, step: int) -> SimpleNamespace:
    """Return where a dream stands, for a bar: what `dream.Step` has of it, by the same names."""
    iter_n, octave_n = int(parameters["iter_n"]), int(parameters["octave_n"])
    # Work goes by pixels.
    shares = [parameters["octave_scale"] ** (-2.0 * (octave_n - 1 - k)) for k in range(octave_n)]
    done = sum(shares[:octave]) + shares[octave] * (step + 1) / iter_n
    return SimpleNamespace(
        what="seed" if job.work.dreams == 1 else "dream", octave=octave, octave_n=octave_n,
        step=step, iter_n=iter_n, size=tuple(input_blob(job.net).data.shape[2:]),
        done=done / sum(shares),
    )  # fmt: skip


def _zoom(job: _Job, seed: int, at: int) -> Picture:
    """Make the frames into a folder of their own; return the last one."""
    work, frames = job.work, job.frames_folder(seed)
    job.on_picture(at + _frames_there(frames))
    params: dict[str, Any] = {"end": work.end, **work.parameters, "guide": job.guide}
    for path, _ in write_zoom(
        job.net, job.img, frames, frames=work.frames, scale=ZOOM_SCALE, seed=seed,
        on_step=job.on_step, progress=False, as_2015=True, **params,
    ):  # fmt: skip
        job.on_picture(at + int(path.stem) + 1)
    state = last_frame(frames)
    if state is None or state[0] != work.frames - 1:
        raise ParameterError(
            f"'{frames}' holds another zoom than one of {work.frames} frames: choose another "
            "folder (-o), or delete it to start anew"
        )
    return _picture(job, seed, state[1])


def _frames_there(frames: Path) -> int:
    state = last_frame(frames)
    return 0 if state is None else state[0] + 1


def _keep(job: _Job, made: Made, count: int) -> str:
    """Save what was under way when Ctrl-C came; return what there is to say of it."""
    seed, work = job.seed, job.work
    done = f"{len(made.pictures)} of {count}"
    if seed is None or _is_there(job, seed):
        if not made.pictures:
            return "stopped before the first step: there is nothing to keep"
        return f"stopped: finished pictures ({done}) stay, and the same command skips them"
    if work.frames > 1:
        frames = job.frames_folder(seed)
        return (
            f"stopped: {_frames_there(frames)} of {work.frames} frames are in {frames}, and the "
            "same command goes on there"
        )
    again = f"the same command makes the picture of seed {seed} anew"
    if made.pictures:
        again += f", and skips those that are finished ({done})"
    if job.reached is None:
        return f"stopped before the first step of this picture: {again}"
    octave, step, x = job.reached
    path = job.stopped_path(seed)
    kept = _picture(job, seed, deprocess(job.net, x), stopped=True, octave=octave, step=step)
    save_image(kept, path)
    parameters = {**DEFAULTS, **work.parameters}
    return (
        f"wrote {path}, the picture after octave {octave + 1}/{parameters['octave_n']}, "
        f"step {step + 1}/{parameters['iter_n']}\nstopped: {again}"
    )


def _side_by_side(made: Made) -> None:
    """Write the published picture and the first of ours beside each other."""
    assert made.published is not None
    theirs, ours = (
        Image.fromarray(to_uint8(load_image(path)))
        for path in (made.published, next(iter(made.pictures.values())))
    )
    gap = 12
    both = Image.new(
        "RGB", (theirs.width + gap + ours.width, max(theirs.height, ours.height)), "white"
    )
    both.paste(theirs, (0, 0))
    both.paste(ours, (theirs.width + gap, 0))
    with replacing(made.folder / f"{made.work.name}_side_by_side.jpg") as part:
        both.save(part, "JPEG", quality=90, icc_profile=srgb_profile(3))


def describe_recipe(work: Work, net: Any) -> str:
    """Return all parameters of a work on one line, the mean that the net subtracts included."""
    values = {**DEFAULTS, **work.parameters}
    mean = ", ".join(f"{value:g}" for value in describe_net(net).get("mean", ()))
    words = [f"{name} {value}" for name, value in values.items()]
    whose = "the notebook's" if work.mean == "2015" else "the network's own"
    words.append(f"mean {mean} (B, G, R; {whose})")
    if work.frames > 1:
        words.append(f"{work.frames} frames")
    if work.stale:
        words.append("after the notebook's first dream on the same net")
    return ", ".join(words)


def table(made: Made) -> list[tuple[str, str, str, str]]:
    """Return the measures as rows: name, published, ours, and how the two lie to each other.

    Of several seeds, ours is mean ± standard deviation; see `measures.verdict` for the last.
    """
    rows = []
    for name, ours in spread(list(made.measures.values())).items():
        theirs = None if made.published_measures is None else made.published_measures[name]
        shown = digits(ours.mean, ours.sd)
        if ours.count > 1:
            shown += f" ± {digits(ours.sd, ours.sd)}"
        if theirs is None:
            rows.append((name, "", shown, ""))
        else:
            rows.append((name, digits(theirs, ours.sd), shown, verdict(theirs, ours)))
    return rows


def explanation(made: Made) -> list[str]:
    """Return what there is to say of the table's columns; nothing, of a single number."""
    count = len(made.measures)
    compared = made.published_measures is not None
    return [explain(count, compared)] if compared or count > 1 else []


def write_report(made: Made) -> Path:
    """Write ``NAME.md``: pictures, measures, files, and what cannot match.

    Returns
    -------
    Path
    """
    work = made.work
    lines = [f"# {work.name}", "", f"{work.title}. Source: {work.source}.", ""]
    lines += [f"Recipe: {made.recipe}.", ""]
    if made.published is not None:
        lines += ["Left the published picture, right ours:", "",
                  f"![published and ours]({work.name}_side_by_side.jpg)", ""]  # fmt: skip
    for seed, path in made.pictures.items():
        lines += [f"![seed {seed}]({path.name})", ""]
    lines += ["| measure | published | ours | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in table(made)]
    lines += [
        "",
        "red, green, blue: mean grey levels. 1 px to 32 px: detail of that size in the luminance, "
        f"in grey levels. objective: how strongly `{work.end}` answers. All after JPEG of quality "
        "75.",
        "",
    ]
    for text in explanation(made):
        lines += [text, ""]
    if work.notes:
        lines += ["As it was then:", "", *(f"* {note}" for note in work.notes), ""]
    lines += ["What cannot match:", "", *(f"* {reason}" for reason in work.differs), ""]
    lines += ["Files:", "", *(f"* {line}" for line in made.files)]
    path = made.folder / f"{work.name}.md"
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.report = path
    return path
