"""The command that makes one picture of a gallery again, byte for byte on the same machine.

What it needs besides are the files it names.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..dreaming.schedules import as_flag
from ..dreaming.styles import NOTEBOOK, STYLES
from ..models.registry import ALIASES, DEFAULT_MODEL, MODELS, plain
from .targets import Target

PICTURE = "PICTURE"  # stands for a picture that was no file


def model_flags(net: Any, network: Mapping[str, Any]) -> list[str]:
    """Return the flags that load a net again.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`.
    network : mapping
        What `recipe.describe_net` says of it.

    Returns
    -------
    list of str
        Files by their names, without folders. Nothing for the bundled network.
    """
    entry = getattr(net, "model", None)
    prototxt, weights = getattr(net, "prototxt_path", None), getattr(net, "weights_path", None)
    flags: list[str] = []
    if entry is None:
        if prototxt is not None and weights is not None:
            flags += ["--model", prototxt.name, "--weights", weights.name]
    else:
        if entry.name != DEFAULT_MODEL:
            flags += ["--model", entry.name]
        if weights is not None and weights.name != entry.weights_file and not entry.bundled:
            flags += ["--weights", weights.name]
    mean = network.get("mean")
    if mean is not None and (entry is None or [*map(float, entry.mean)] != mean):
        flags += ["--mean", ",".join(f"{value:g}" for value in mean)]
    if getattr(net, "engine", "deepdream") == "caffe":
        flags += ["--engine", "caffe"]
    return flags


def files_for(about: Mapping[str, Any]) -> list[str]:
    """Return the files that the commands of a gallery name: the picture, the model's, the guide.

    Parameters
    ----------
    about : mapping
        See `manifest.Manifest`.
    """
    flags = about["model_flags"]
    given = dict(zip(flags[::2], flags[1::2]))
    files = [] if about["input"].startswith("noise:") else [about["input"] or PICTURE]
    if "--model" in given and plain(given["--model"]) not in ALIASES:
        files.append(given["--model"])
    files += [given["--weights"]] if "--weights" in given else []
    files += [file for name in ("guide", "mask") for file in _files(about.get(name))]
    return list(dict.fromkeys(map(str, files)))


def command_for(
    settings: Mapping[str, Any], about: Mapping[str, Any], target: Target, octave_n: Any, file: str
) -> str:
    """Return a command line for a shell.

    Parameters
    ----------
    settings, about
        See `manifest.Manifest`.
    target : Target
    octave_n : int or "all"
    file : str
        Of the picture, below the gallery's folder.

    Returns
    -------
    str
        Empty where no command can do it: the objective, or a parameter, is a function of the
        user's, or a guide or a mask is no file's picture.
    """
    parameters = {**settings["parameters"], "octave_n": octave_n}
    if parameters.pop("objective", None) is not None:
        return ""
    picture = about["input"] or PICTURE
    if target.channel is None:
        stem = "noise" if picture.startswith("noise:") else PurePath(picture).stem
        out = f"{stem}_{file.rpartition('/')[2]}"  # no file of the gallery's own is written over
        words = ["deepdream", "dream", picture, "-o", out]
        words += [*about["model_flags"], *_flag("--end", target.layer)]
    else:
        words = ["deepdream", "gallery", picture, "-o", "channel"]
        words += [*about["model_flags"], *_flag("--layers", target.layer)]
        words += ["--channels", str(target.channel)]
    for name in ("guide", "mask"):
        files = _files(about.get(name))
        if parameters.pop(name, None) is not None and not files:
            return ""  # an array
        for file in files:
            words += [f"--{name}", file]
    if parameters.pop("precision", "float32") != "float32":
        words += ["--precision", settings["parameters"]["precision"]]
    network = MODELS.get(str(settings["network"].get("name")))
    flags = style_flags(
        parameters, about.get("style", "2015"), network.style if network else "2015"
    )
    if flags is None:
        return ""
    words += flags
    if about.get("width"):
        words += ["--width", str(about["width"])]
    words += ["--seed", str(settings["seed"])]
    return " ".join(map(shlex.quote, words))


def style_flags(parameters: Mapping[str, Any], style: str, usual: str) -> list[str] | None:
    """Return the flags that give a dream its parameters.

    Parameters
    ----------
    parameters : mapping
        As in a recipe: what is not there is as in the notebook.
    style : str
        The style that most of them come from.
    usual : str
        The style that is used where none is named.

    Returns
    -------
    list of str or None
        None where a parameter is a function, which no flag can be.
    """
    known = STYLES.get(style)
    flags = [] if known is None or style == usual else ["--style", style]
    base = {**NOTEBOOK, **(known or STYLES[usual]).parameters}
    for name, value in {**NOTEBOOK, **parameters}.items():
        if _same(value, base.get(name)):
            continue
        text, flag = as_flag(value), f"--{name.replace('_', '-')}"
        if text is None:
            return None
        if isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        else:
            flags += _flag(flag, text)
    return flags


def _files(named: Any) -> list[str]:
    """Return the files of guides, or of a mask."""
    return list(named) if isinstance(named, (list, tuple)) else [named] if named else []


def _same(one: Any, other: Any) -> bool:
    pair = (list, tuple)
    if isinstance(one, pair) and isinstance(other, pair):
        return [*one] == [*other]
    return bool(one == other)


def _flag(flag: str, text: str) -> list[str]:
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
