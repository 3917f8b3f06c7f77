"""A work, made: the notebook's functions, some seeds, measures, and a report.

Single dreams run through `dream2015.deepdream`, which is the notebook to the letter; zooms through
`frames.write_zoom`, which goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from ..dreaming.dream2015 import deepdream, deprocess, guide_features, input_blob
from ..dreaming.frames import write_zoom
from ..dreaming.objectives import Objective, objective_guide, objective_L2
from ..errors import ImageError
from ..files import file_hash, make_folder, replacing
from ..images import load_image, save_image
from ..picture import Picture, to_uint8
from ..recipe import Recipe, build_recipe, read_recipe
from .measures import as_published, measure, spread
from .works import Work

ITER_N, OCTAVE_N, OCTAVE_SCALE = 10, 4, 1.4  # the notebook's defaults
OnStep = Callable[[Any], Any]


@dataclass
class Made:
    """What `reproduce` made.

    Attributes
    ----------
    work : Work
    folder : Path
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
    pictures: dict[int, Path] = field(default_factory=dict)
    measures: dict[int, Mapping[str, float]] = field(default_factory=dict)
    published: Path | None = None
    published_measures: Mapping[str, float] | None = None
    report: Path = Path()


def make(
    work: Work,
    net: Any,
    files: Mapping[str, Path],
    folder: Path,
    *,
    seeds: list[int],
    published: Path | None = None,
    on_step: OnStep | None = None,
    on_picture: Callable[[int], Any] | None = None,
) -> Made:
    """Make a work, once for each seed, and measure it.

    Parameters
    ----------
    work : Work
    net : Net
        The work's network.
    files : mapping
        ``picture`` and ``guide``, as `pictures.gather` returns them.
    folder : Path
        Made where it is missing. What it holds already is not made again.
    seeds : list of int
        Of the random offsets.
    published : Path, optional
        The published picture.
    on_step : callable, optional
        Gets the stand of each dream, as `deepdream.dream` gives it.
    on_picture : callable, optional
        Gets the number of dreams done, after each; every frame of a zoom is one.

    Returns
    -------
    Made

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C. Pictures that were finished stay, and the same call goes on after them.
    """
    make_folder(folder)
    made = Made(work, folder)
    img = load_image(files["picture"])
    guide = load_image(files["guide"]) if "guide" in files else None
    features = None if guide is None else guide_features(net, guide, work.end)
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if on_picture is not None:
            on_picture(done)

    for seed in seeds:
        path = folder / f"{work.name}_seed{seed}.png"
        if not _is_there(path, work, net, seed, img):
            if work.frames > 1:
                picture = _zoom(work, net, img, guide, folder, seed, on_step, tell)
            else:
                picture = _dream(work, net, img, guide, features, seed, on_step)
                tell()
            save_image(picture, path)
        made.pictures[seed] = path
        seen = as_published(load_image(path))
        made.measures[seed] = measure(seen, net, work.end, features)
    if published is not None:
        made.published = folder / f"{work.name}_published.jpg"
        with replacing(made.published) as part:
            part.write_bytes(published.read_bytes())
        seen = np.asarray(load_image(made.published))
        made.published_measures = measure(seen, net, work.end, features)
        _side_by_side(made)
    return made


def _recipe(work: Work, net: Any, seed: int, img: Picture, guide: Picture | None) -> Recipe:
    return build_recipe(
        net,
        {"end": work.end, "iter_n": ITER_N, "octave_n": OCTAVE_N, "octave_scale": OCTAVE_SCALE,
         **work.parameters},
        command="deepdream",
        seed=seed,
        source=img.source,
        guide=None if guide is None else guide.source,
        reproduces=work.name,
    )  # fmt: skip


def _is_there(path: Path, work: Work, net: Any, seed: int, img: Picture) -> bool:
    """Tell whether an earlier call has made this very picture."""
    try:
        before = read_recipe(path)
    except (ImageError, FileNotFoundError):
        return False
    wanted = _recipe(work, net, seed, img, None)
    same = ["model", "seed", "input", *(["parameters"] if work.frames == 1 else [])]
    return not before.get("stopped") and all(before.get(key) == wanted[key] for key in same)


def _dream(
    work: Work,
    net: Any,
    img: Picture,
    guide: Picture | None,
    features: np.ndarray | None,
    seed: int,
    on_step: OnStep | None,
) -> Picture:
    base = np.float32(np.asarray(img))
    objective = objective_L2 if features is None else objective_guide(features)
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        if work.stale:  # what the notebook had run on this net before
            deepdream(net, base, objective=_watched(net, objective_L2, {}, img, on_step))
        else:
            _forget(net)
        counted = _watched(net, objective, work.parameters, img, on_step)
        pixels = deepdream(net, base, objective=counted, **work.parameters)
    finally:
        np.random.set_state(state)
    recipe = _recipe(work, net, seed, img, guide)
    return Picture(np.float32(pixels), recipe=recipe, source=img.source)


def _forget(net: Any) -> None:
    """Clear what earlier dreams left in the net: the next one is that of a fresh net."""
    for blob in net.blobs.values():
        blob.diff[...] = 0


def _watched(
    net: Any, objective: Objective, parameters: Mapping[str, Any], img: Picture,
    on_step: OnStep | None,
) -> Objective:  # fmt: skip
    """Return an objective that also counts steps: the notebook calls it once in each."""
    if on_step is None:
        return objective
    iter_n = int(parameters.get("iter_n", ITER_N))
    octave_n = int(parameters.get("octave_n", OCTAVE_N))
    scale = float(parameters.get("octave_scale", OCTAVE_SCALE))
    shares = [scale ** (-2.0 * (octave_n - 1 - k)) for k in range(octave_n)]
    calls = 0

    def counted(dst: Any) -> None:
        nonlocal calls
        objective(dst)
        octave, step = min(calls // iter_n, octave_n - 1), calls % iter_n
        done = sum(shares[:octave]) + shares[octave] * (step + 1) / iter_n
        size = tuple(input_blob(net).data.shape[2:])
        on_step(
            SimpleNamespace(octave=octave, octave_n=octave_n, step=step, iter_n=iter_n,
                            size=size, done=done / sum(shares))
        )  # fmt: skip
        calls += 1

    return counted


def _zoom(
    work: Work, net: Any, img: Picture, guide: Picture | None, folder: Path, seed: int,
    on_step: OnStep | None, tell: Callable[[], None],
) -> Picture:  # fmt: skip
    """Make the frames into a folder of their own; return the last one."""
    frames = folder / f"{work.name}_seed{seed}"
    params: dict[str, Any] = {"end": work.end, **work.parameters, "guide": guide}
    for _ in write_zoom(
        net, img, frames, frames=work.frames, scale=0.05, seed=seed, on_step=on_step,
        progress=False, **params,
    ):  # fmt: skip
        tell()
    last = frames / f"{work.frames - 1:04d}.png"
    recipe = {**read_recipe(last), "reproduces": work.name}
    return Picture(np.asarray(load_image(last)), recipe=recipe, source=img.source)


def _side_by_side(made: Made) -> None:
    """Write the published picture and the first of ours beside each other."""
    assert made.published is not None
    theirs = Image.open(made.published).convert("RGB")
    ours = Image.fromarray(to_uint8(load_image(next(iter(made.pictures.values())))))
    gap = 12
    both = Image.new(
        "RGB", (theirs.width + gap + ours.width, max(theirs.height, ours.height)), "white"
    )
    both.paste(theirs, (0, 0))
    both.paste(ours, (theirs.width + gap, 0))
    with replacing(made.folder / f"{made.work.name}_side_by_side.jpg") as part:
        both.save(part, "JPEG", quality=90)


def table(made: Made) -> list[tuple[str, str, str, str]]:
    """Return the measures as rows: name, published, ours, and what to think of them.

    Of several seeds, ours is the range, and the last column tells whether the published value lies
    in it.
    """
    ranges = spread(list(made.measures.values()))
    rows = []
    for name, (low, high) in ranges.items():
        theirs = None if made.published_measures is None else made.published_measures[name]
        ours = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        verdict = ""
        if theirs is not None:
            if len(made.measures) > 1:
                verdict = "inside" if low <= theirs <= high else "outside"
            elif low:
                verdict = f"{theirs / low:.2f} of ours"
        rows.append((name, "" if theirs is None else f"{theirs:.4g}", ours, verdict))
    return rows


def write_report(made: Made) -> Path:
    """Write ``NAME.md``: pictures, measures, and what cannot match.

    Returns
    -------
    Path
    """
    work = made.work
    lines = [f"# {work.name}", "", f"{work.title}. Source: {work.source}.", ""]
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
        "What cannot match:",
        "",
        *(f"* {reason}" for reason in work.differs),
        "",
        f"Picture: {work.picture.licence} (sha256 {work.picture.sha256[:12]}...).",
    ]
    path = made.folder / f"{work.name}.md"
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.report = path
    return path


def stopped_picture(work: Work, net: Any, folder: Path, seed: int) -> Path:
    """Save what a dream had come to when it was stopped.

    Returns
    -------
    Path
    """
    pixels = deprocess(net, input_blob(net).data[0])
    recipe = {
        **build_recipe(net, dict(work.parameters), command="deepdream", seed=seed),
        "reproduces": work.name, "stopped": True,
    }  # fmt: skip
    path = folder / f"{work.name}_seed{seed}_stopped.png"
    save_image(Picture(np.float32(pixels), recipe=recipe), path)
    return path


def describe_files(files: Mapping[str, Path]) -> str:
    """Return names and hashes of files, for the log."""
    return ", ".join(f"{path.name} ({file_hash(path)[:12]})" for path in files.values())
