"""Prototxts of Caffe's variants: fields and values that no message here has.

Protobuf refuses a text at the first field that it does not know. A dream reads a part of a net,
so what it cannot understand of the rest may stay. `set_aside` takes such fields out of the text,
by blanks, so that lines and columns stay as they are, and tells where they were:

* in messages that only training reads, and fields that only say how to compute (``engine``), they
  mean nothing here: `Aside.harmless`;
* of pooling windows with a length for each axis, as for volumes, the first length stays, and the
  others are harmless where they are the same;
* anywhere else in a layer they belong to the layer, which then cannot be built, see
  `deepdream.running.wiring`.

What looks like a slip of the keyboard, and what is unknown outside of layers, stays in the text:
the error that protobuf raises then helps more.
"""

from __future__ import annotations

import bisect
import difflib
import re
from typing import Any, NamedTuple

from .caffe_pb2 import DESCRIPTOR

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_][\w.]*|[-+]?[.\d][\w.+-]*|.""",
    re.DOTALL,
)

# Messages of which nothing is read where a net is run.
_TRAINING = {
    "AccuracyParameter", "AnnotatedDataParameter", "DataParameter", "DenseImageDataParameter",
    "DetectionEvaluateParameter", "DetectionOutputParameter", "FillerParameter",
    "HDF5DataParameter", "HDF5OutputParameter", "ImageDataParameter", "InfogainLossParameter",
    "LossParameter", "MemoryDataParameter", "MultiBoxLossParameter", "ParamSpec",
    "PriorBoxParameter", "ResizeParameter", "SaveOutputParameter", "TransformationParameter",
    "VideoDataParameter", "WindowDataParameter",
}  # fmt: skip

# Fields that say how, where or how exactly to compute, never what.
_HOW = {
    "backward_math", "backward_type", "conv_algos_override", "cudnn_convolution_algo_seeker",
    "cudnn_math_override", "default_backward_math", "default_backward_type",
    "default_conv_algos_override", "default_cudnn_math_override", "default_forward_math",
    "default_forward_type", "engine", "forward_math", "forward_type", "global_grad_scale",
    "global_grad_scale_adaptive", "global_grad_scale_param", "mn_activation_param",
    "mn_grad_compress_param", "multinode", "quantize", "reduce_buckets", "weights_sharing",
    "compile_net_state", "bn_stats_batch_size", "debug", "optimize_mem",
}  # fmt: skip

# Fields of PoolingParameter that variants repeat, one value for each axis.
_PER_AXIS = {"kernel_size", "pad", "stride"}

_LAYERS = {"layer": "LayerParameter", "layers": "V1LayerParameter"}


class Aside(NamedTuple):
    """A field that was taken out of a text.

    Attributes
    ----------
    layer : int
        Which ``layer`` or ``layers`` of the net it was in, counted from 0; -1: in none.
    what : str
        For example ``"line 3: field 'lanes' of ConvolutionParameter"``.
    harmless : bool
        A net runs as well without it.
    """

    layer: int
    what: str
    harmless: bool


class _StrangeError(Exception):
    """The text is not what a prototxt can be, or what is unknown is better told by protobuf."""


def set_aside(text: str) -> tuple[str, list[Aside]]:
    """Take out of a net's text what no message has a field or a value for.

    Parameters
    ----------
    text : str
        That protobuf refuses.

    Returns
    -------
    (str, list of Aside)
        The text with blanks in these places, and what they held; the text as it was and an empty
        list where that would not help.
    """
    try:
        reader = _Reader(text)
        reader.message(DESCRIPTOR.message_types_by_name["NetParameter"], "", -1)
    except (_StrangeError, RecursionError):
        return text, []
    parts, end = [], 0
    for start, stop in reader.blanks:
        parts += [text[end:start], re.sub(r"[^\n]", " ", text[start:stop])]
        end = stop
    return "".join((*parts, text[end:])), reader.found


class _Reader:
    """Walks through a text, message by message."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            match
            for match in _TOKEN.finditer(text)
            if not match[0].isspace() and not match[0].startswith("#")
        ]
        self.line_ends = [match.start() for match in re.finditer("\n", text)]
        self.at = 0
        self.layers = 0
        self.found: list[Aside] = []
        self.blanks: list[tuple[int, int]] = []

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> re.Match[str]:
        if self.at == len(self.tokens):
            raise _StrangeError
        self.at += 1
        return self.tokens[self.at - 1]

    def message(self, descriptor: Any, end: str, layer: int) -> None:
        """Read fields up to `end`, of the layer number `layer`."""
        first: dict[str, str] = {}  # fields of a pooling window, with their first values
        while self.peek() != end:
            if self.peek() in (",", ";"):
                self.take()
                continue
            name = self.take()
            if not re.match(r"[A-Za-z_]", name[0]):
                raise _StrangeError
            field = descriptor.fields_by_name.get(name[0])
            if field is None:
                harmless = _judge(descriptor, name[0], layer)
                self.value()
                what = f"field '{name[0]}' of {descriptor.name}"
                self.set_aside(name, what, layer, harmless)
            elif field.message_type is not None:
                self.inner(field, layer)
            elif field.enum_type is not None:
                self.enum(descriptor, field, name, layer)
            else:
                start = self.at
                self.value()
                if descriptor.name == "PoolingParameter" and name[0] in _PER_AXIS:
                    value = "".join(token[0] for token in self.tokens[start : self.at])
                    if name[0] in first:
                        what = f"another '{name[0]}' of PoolingParameter"
                        self.set_aside(name, what, layer, value == first[name[0]])
                    first.setdefault(name[0], value)
        if end:
            self.take()

    def inner(self, field: Any, layer: int) -> None:
        """Read a field that is a message, or a list of them."""
        if self.peek() == ":":
            self.take()
        if self.peek() == "[":
            self.nested("[")
            return
        opening = self.take()[0]
        if opening not in ("{", "<"):
            raise _StrangeError
        if layer < 0 and field.name in _LAYERS:
            layer, self.layers = self.layers, self.layers + 1
        self.message(field.message_type, "}" if opening == "{" else ">", layer)

    def enum(self, descriptor: Any, field: Any, name: re.Match[str], layer: int) -> None:
        """Read a field that has names as values."""
        start = self.at
        self.value()
        words = [token[0] for token in self.tokens[start : self.at]]
        known = field.enum_type.values_by_name
        unknown = [
            word for word in words if re.match(r"[A-Za-z_]", word) and word not in known
        ]  # fmt: skip
        if not unknown:
            return
        harmless = descriptor.name in _TRAINING or field.name in _HOW
        types = descriptor.name == "V1LayerParameter" and field.name == "type"
        if layer < 0 or not (harmless or types) or any(_like(w, known, 0.9) for w in unknown):
            raise _StrangeError
        what = f"{field.name} '{unknown[0]}' of {descriptor.name}"
        self.set_aside(name, what, layer, harmless)

    def value(self) -> None:
        """Pass over a value, of whatever kind."""
        if self.peek() == ":":
            self.take()
        first = self.take()[0]
        if first in ("{", "<", "["):
            self.at -= 1
            self.nested(first)
        elif first[0] in "\"'":
            while self.peek()[:1] in ("'", '"') and self.peek():
                self.take()
        elif first == "-":
            self.take()
        elif not re.match(r"[\w.+-]", first):
            raise _StrangeError

    def nested(self, opening: str) -> None:
        """Pass over brackets and what is in them."""
        closing = []
        while True:
            token = self.take()[0]
            if token in ("{", "<", "["):
                closing.append({"{": "}", "<": ">", "[": "]"}[token])
            elif token in ("}", ">", "]"):
                if token != closing.pop():
                    raise _StrangeError
                if not closing:
                    return

    def set_aside(self, name: re.Match[str], what: str, layer: int, harmless: bool) -> None:
        if self.peek() in (",", ";"):
            self.take()
        line = bisect.bisect_left(self.line_ends, name.start()) + 1
        self.found.append(Aside(layer, f"line {line}: {what}", harmless))
        self.blanks.append((name.start(), self.tokens[self.at - 1].end()))


def _judge(descriptor: Any, name: str, layer: int) -> bool:
    """Return whether an unknown field is harmless.

    Raises
    ------
    _StrangeError
        It is a slip, or stands in the wrong place: protobuf's error has to tell it.
    """
    if name in _HOW:
        return True
    messages = DESCRIPTOR.message_types_by_name
    if name in _LAYERS or _like(name, descriptor.fields_by_name, 0.75):
        raise _StrangeError
    if descriptor.name == "NetParameter":
        # A "}" too many before it, or the file of a solver.
        owners = ("LayerParameter", "V1LayerParameter", "SolverParameter")
        if any(name in messages[owner].fields_by_name for owner in owners):
            raise _StrangeError
        return True
    if layer < 0 or descriptor.name in ("NetState", "NetStateRule"):
        raise _StrangeError
    if descriptor.name in _LAYERS.values() and any(
        name in message.fields_by_name
        for message in messages.values()
        if message.name.endswith("Parameter") and message.name not in ("SolverParameter",)
    ):  # a "}" too many, or one missing
        raise _StrangeError
    return descriptor.name in _TRAINING


def _like(name: str, known: Any, cutoff: float) -> bool:
    """Tell whether `name` looks like one of the known names, written wrong."""
    if re.fullmatch(r"\w+_[a-z]", name):  # pad_l beside pad_h, kernel_d beside kernel_w
        return False
    plain = {_stem(other) for other in known}
    wanted = _stem(name)
    close = difflib.get_close_matches(wanted, plain, 1, cutoff)
    # What has a known name in it, as yolov3_detection_output has, was meant to be another.
    if wanted in plain or (
        close and close[0] not in wanted and abs(len(close[0]) - len(wanted)) < 3
    ):
        return True
    return len(name) > 3 and any(f"_{name}" in f"_{other}" for other in known)


def _stem(name: str) -> str:
    """Return what tells a name from others."""
    return re.sub("_?params?$", "", name.lower()).replace("_", "")
