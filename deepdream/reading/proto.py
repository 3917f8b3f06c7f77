"""Caffe's files: nets as text, and (from `caffemodel` and `hdf5`) weights.

A prototxt is the text form of a ``NetParameter``. What is here knows the syntax and nothing else:
a net comes out as it was written, in whatever format of whatever year. `upgrade` makes
a current one of it, and `deepdream.running.net` asks whether it makes sense.

The text is parsed by protobuf, which agrees with the parser in Caffe (docs/known-differences.md
lists the exceptions). What is added is what its errors do not say: the line itself, the names that
would have been right (`prototxt_errors`), and what a file is that is no prototxt at all.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from google.protobuf import text_format

from ..errors import PrototxtError
from ..files import HEAD, FileName, is_text, open_view, recognise
from ..quiet import quiet
from .blobproto import array_to_blobproto as array_to_blobproto
from .blobproto import blobproto_to_array as blobproto_to_array
from .caffe_pb2 import NetParameter
from .caffemodel import Weights as Weights
from .caffemodel import read_caffemodel as read_caffemodel
from .caffemodel import write_caffemodel as write_caffemodel
from .hdf5 import write_hdf5 as write_hdf5
from .means import read_mean as read_mean
from .prototxt_errors import explain
from .unknown import Aside, set_aside

# The largest prototxts known (ResNet-152 and its like) have about 100 kB.
MAX_SIZE = 1 << 25


def read_prototxt(path: FileName) -> NetParameter:
    """Read a net from a prototxt file.

    Parameters
    ----------
    path : str, bytes or PathLike
        A text file in UTF-8; a byte order mark is allowed, and comments may be in any encoding.

    Returns
    -------
    NetParameter
        The net as written: not upgraded.

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    PrototxtError
        The file is no prototxt of a net (the message says what it is), or it has an error (the
        message says in which line).

    Examples
    --------
    >>> net = read_prototxt("deploy.prototxt")  # doctest: +SKIP
    >>> len(net.layer)  # doctest: +SKIP
    143
    """
    name = os.fsdecode(path)
    data = open_view(path, PrototxtError)
    _refuse_foreign(name, bytes(data[:HEAD]))
    if len(data) > MAX_SIZE:
        raise PrototxtError(
            f"'{name}' has {len(data):,} bytes, far more than a prototxt: weights are passed as "
            "caffemodel."
        )
    net = parse_prototxt(_decode(name, bytes(data)), name)
    if not net.ListFields():
        raise PrototxtError(f"'{name}' is empty: there is no net in it. Get the file again.")
    return net


def parse_prototxt(text: str, source: str = "<string>") -> NetParameter:
    """Make a net of the text of a prototxt.

    Parameters
    ----------
    text : str
        What a prototxt file holds.
    source : str
        Where the text comes from, for messages.

    Returns
    -------
    NetParameter
        The net as written: not upgraded.

    Raises
    ------
    PrototxtError
        With source, line and column, the line itself, and the nearest names where one is unknown.

    Warns
    -----
    UserWarning
        Fields of a variant of Caffe that mean nothing here are passed over.

    Notes
    -----
    Fields of a variant that may mean something are named in the layer's ``not_understood``. The
    layer cannot be built; the net before it can.
    """
    net = NetParameter()
    text = text[1:] if text.startswith("\ufeff") else text
    asides: list[Aside] = []
    try:
        # Python's codec warns of an escape that it does not know, and keeps it.
        with quiet(DeprecationWarning):
            try:
                text_format.Parse(text, net)
            except text_format.ParseError:
                rest, asides = set_aside(text)
                if not asides:
                    raise
                net.Clear()
                text_format.Parse(rest, net)
    except text_format.ParseError as error:
        raise PrototxtError(explain(error, text, source)) from None
    except (ValueError, RecursionError) as error:
        # Values that the tokenizer lets through and Python cannot convert.
        raise PrototxtError(f"'{source}' cannot be parsed: {error}.") from error
    _note(net, asides, source)
    for layer in net.layer:
        # The only fields of all that must be given.
        if not layer.clip_param.IsInitialized() and layer.HasField("clip_param"):
            raise PrototxtError(
                f"'{source}': clip_param of layer {layer.name[:100]!r} needs min and max."
            )
    return net


def _note(net: NetParameter, asides: Sequence[Aside], source: str) -> None:
    """Write into the layers what was not understood of them, and warn of what is passed over."""
    layers = net.layers or net.layer  # together they are refused later
    for aside in asides:
        if not aside.harmless and 0 <= aside.layer < len(layers):
            layers[aside.layer].not_understood.append(aside.what)
    passed = list(dict.fromkeys(aside.what for aside in asides if aside.harmless))
    if passed:
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        warnings.warn(
            f"'{source}': of a variant of Caffe, and passed over, for a dream does not need it: "
            f"{'; '.join(passed[:3])}{more}.",
            stacklevel=3,
        )


def print_prototxt(net: NetParameter) -> str:
    """Return a net as the text of a prototxt; `parse_prototxt` makes an equal net of it."""
    return str(text_format.MessageToString(net, as_utf8=True))


def _refuse_foreign(name: str, head: bytes) -> None:
    """Raise PrototxtError for a file whose first bytes tell that it is something else."""
    if not head:
        raise PrototxtError(f"'{name}' is empty: there is no net in it. Get the file again.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise PrototxtError(f"'{name}' is text in UTF-16: save it as UTF-8.")
    kind = recognise(head)
    if kind is not None:
        raise PrototxtError(f"'{name}' is {kind.what}, not a prototxt. {kind.advice}")
    if not is_text(head):
        raise PrototxtError(
            f"'{name}' is a binary file, not a prototxt. Weights are passed second: "
            "load_net('deploy.prototxt', 'x.caffemodel')."
        )


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    # Comments in Latin-1 or GBK are common, and Caffe does not look into comments.
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.partition(b"#")[0].decode("utf-8")
        except UnicodeDecodeError as error:
            raise PrototxtError(
                f"'{name}', line {number}: byte {error.object[error.start]:#04x} is no UTF-8. "
                "Save the file as UTF-8."
            ) from None
    return data.decode("utf-8", "replace")
