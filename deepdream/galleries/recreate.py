"""The command that makes one picture of a gallery again, byte for byte on the same machine.

What it needs besides are the files it names.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from typing import Any

from ..dreaming.dream import dream
from ..models.registry import ALIASES, DEFAULT_MODEL, plain
from .targets import Target

_DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(dream).parameters.items()
}


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
    if getattr(net, "engine", "torch") == "caffe":
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
    files = [about["input"]]
    if "--model" in given and plain(given["--model"]) not in ALIASES:
        files.append(given["--model"])
    files += [given["--weights"]] if "--weights" in given else []
    files += [about["guide"]] if about.get("guide") else []
    return list(dict.fromkeys(map(str, files)))


def command_for(
    settings: Mapping[str, Any], about: Mapping[str, Any], target: Target, octave_n: int, file: str
) -> str:
    """Return a command line for a shell.

    Parameters
    ----------
    settings, about
        See `manifest.Manifest`.
    target : Target
    octave_n : int
    file : str
        Of the picture, below the gallery's folder.

    Returns
    -------
    str
        Empty where no command can do it: the objective is a function of the user's.
    """
    parameters = {**settings["parameters"], "octave_n": octave_n}
    if parameters.pop("objective", None) is not None:
        return ""
    if target.channel is None:
        words = ["deepdream", "dream", about["input"], "-o", file.rpartition("/")[2]]
        words += [*about["model_flags"], *_flag("--end", target.layer)]
    else:
        words = ["deepdream", "gallery", about["input"], "-o", "channel"]
        words += [*about["model_flags"], *_flag("--layers", target.layer)]
        words += ["--channels", str(target.channel)]
    if about.get("guide"):
        words += ["--guide", about["guide"]]
    for name, value in parameters.items():
        if name == "clip":
            words += [] if value else ["--no-clip"]
        elif value != _DEFAULTS[name]:
            words += _flag(f"--{name.replace('_', '-')}", value)
    words += ["--seed", str(settings["seed"])]
    return " ".join(map(shlex.quote, words))


def _flag(flag: str, value: Any) -> list[str]:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
