"""Nets written in Python: ``caffe.NetSpec``, ``layers as L``, ``params as P``.

Each call of ``L.Type(bottoms, parameters)`` notes a layer and returns its top; a `NetSpec` names
tops, and `to_proto` makes the ``NetParameter`` of all that the named tops need::

    from deepdream.caffe import NetSpec, layers as L, params as P

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))
    n.conv1 = L.Convolution(n.data, num_output=64, kernel_size=7, stride=2)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    Path("net.prototxt").write_text(str(n.to_proto()))

Source: what ``python/caffe/net_spec.py`` of BVLC/caffe 1.0 makes of the same calls.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from ..errors import NetSpecError, nearest
from ..reading import caffe_pb2

# Message name without "Parameter" -> field name without "_param": InnerProduct -> inner_product.
_PARAM_FIELDS = {
    field.message_type.name[: -len("Parameter")]: field.name
    for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields
    if field.name.endswith("_param") and field.message_type is not None
}


class Top:
    """One output of a layer.

    Attributes
    ----------
    fn : Function
        The layer.
    n : int
        Which of its tops.
    """

    def __init__(self, fn: Function, n: int) -> None:
        self.fn, self.n = fn, n

    def to_proto(self) -> Any:
        """Return the NetParameter of the layers that this top needs; names are made up."""
        return to_proto(self)


Tops = Union[Top, tuple[Top, ...]]


class Function:
    """A layer that was noted: its type, bottoms and parameters.

    Parameters
    ----------
    type_name : str
        Caffe's type string.
    inputs : sequence of Top
        Its bottoms.
    params : mapping
        ``ntop`` (how many tops, default 1), ``in_place`` (the tops are the bottoms), and fields
        of the prototxt: of the layer's own parameter message, or of the layer.

    Raises
    ------
    NetSpecError
        A bottom is something else than a top; a TypeError, as in Caffe.
    """

    def __init__(self, type_name: str, inputs: Sequence[Any], params: Mapping[str, Any]) -> None:
        for index, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise NetSpecError(
                    f"bottom {index} of {type_name} is {bottom!r}: a top of another layer is "
                    "expected. Take layers with several tops apart: n.a, n.b = L.Slice(..., ntop=2)"
                )
        self.type_name = type_name
        self.inputs = tuple(inputs)
        self.params = dict(params)
        self.ntop: int = self.params.pop("ntop", 1)
        self.in_place: bool = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def to_layer(self, name: str, bottoms: Iterable[str], tops: Iterable[str]) -> Any:
        """Return the layer as a LayerParameter with these names.

        Raises
        ------
        NetSpecError
            A parameter is no field, or has a value that the field cannot take.
        """
        layer = caffe_pb2.LayerParameter()
        layer.name, layer.type = name, self.type_name
        layer.bottom.extend(bottoms)
        layer.top.extend(tops)
        where = f"{self.type_name} ('{name}')"
        own = getattr(layer, _PARAM_FIELDS.get(self.type_name, ""), None)
        own_fields = [] if own is None else list(own.DESCRIPTOR.fields_by_name)
        for key, value in self.params.items():
            # ``convolution_param=dict(...)`` and ``param=[...]`` are the layer's; so is all that
            # its own message does not have, such as loss_weight.
            if key in own_fields and not key.endswith("param"):
                _assign(own, key, value, where)
            else:
                _assign(layer, key, value, where, also=own_fields)
        return layer


class NetSpec:
    """A net in the making: tops by name, ``n.conv1 = L.Convolution(...)`` or ``n["a/1x1"] = ...``.

    Attributes
    ----------
    tops : OrderedDict of str to Top
        In the order of naming.
    """

    tops: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copy and pickle look for
            raise AttributeError(name)
        return self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        try:
            return self.tops[name]
        except KeyError:
            raise NetSpecError(
                f"this NetSpec has no top '{name}' yet.{nearest(name, self.tops)}"
            ) from None

    def to_proto(self) -> Any:
        """Return the NetParameter of the named tops and of all that they need.

        Raises
        ------
        NetSpecError
            See `Function.to_layer`.
        """
        return _build(self.tops.values(), {top: name for name, top in self.tops.items()})


class Layers:
    """``L``: ``L.Type(*bottoms, **parameters)`` notes a layer of any type."""

    def __getattr__(self, type_name: str) -> Any:
        if type_name.startswith("__"):
            raise AttributeError(type_name)

        def note(*bottoms: Top, **params: Any) -> Function | Tops:
            """Note a layer; return its top, a tuple of its tops, or itself where it has none."""
            fn = Function(type_name, bottoms, params)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        note.__name__ = type_name
        return note


class Parameters:
    """``P``: the enums of the parameter messages, ``P.Pooling.MAX``, ``P.Eltwise.SUM``."""

    def __getattr__(self, name: str) -> Any:
        message = getattr(caffe_pb2, f"{name}Parameter", None)
        if message is None:
            names = [known[:-9] for known in vars(caffe_pb2) if known.endswith("Parameter")]
            raise NetSpecError(f"no parameters are called '{name}'.{nearest(name, names)}")
        return message


def param_name_dict() -> dict[str, str]:
    """Return layer type to the name of its parameter field: ``InnerProduct`` to
    ``inner_product``.
    """
    return {kind: field[: -len("_param")] for kind, field in _PARAM_FIELDS.items()}


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Put a Python value into the field `name` of a message: dicts are messages, lists repeated.

    Raises
    ------
    NetSpecError
        There is no such field, or it cannot take the value.
    """
    _assign(proto, name, val, proto.DESCRIPTOR.name)


def to_proto(*tops: Top) -> Any:
    """Return the NetParameter of all layers that some tops need.

    Tops are called after their layer's type and a number, as in Caffe: ``Convolution1``.
    """
    return _build(tops, {})


def _build(tops: Iterable[Any], names: dict[Any, str]) -> Any:
    """Return the net that makes these tops; `names` has those that were given."""
    numbers: Counter[str] = Counter()
    layers: OrderedDict[Function, Any] = OrderedDict()

    def name_of(key: Any, type_name: str) -> str:
        if key not in names:
            numbers[type_name] += 1
            names[key] = f"{type_name}{numbers[type_name]}"
        return names[key]

    def add(wanted: Function) -> None:
        # Depth first, on a stack of our own: nets are deeper than Python's recursion.
        stack = [(wanted, iter(wanted.inputs))]
        while stack:
            fn, rest = stack[-1]
            bottom = next((top for top in rest if top.fn not in layers), None)
            if bottom is not None:
                stack.append((bottom.fn, iter(bottom.fn.inputs)))
                continue
            stack.pop()
            if fn in layers:
                continue
            bottoms = [layers[top.fn].top[top.n] for top in fn.inputs]
            made = bottoms if fn.in_place else [name_of(t, fn.type_name) for t in fn.tops]
            name = name_of(fn.tops[0] if fn.tops else fn, fn.type_name)
            layers[fn] = fn.to_layer(name, bottoms, made)

    for top in tops:
        if not isinstance(top, (Top, Function)):
            name = next((name for known, name in names.items() if known is top), "a top")
            raise NetSpecError(f"{name} is {top!r}: the top of a layer is expected")
        add(top if isinstance(top, Function) else top.fn)
    net = caffe_pb2.NetParameter()
    net.layer.extend(layers.values())
    return net


def _assign(message: Any, field: str, value: Any, where: str, also: Sequence[str] = ()) -> None:
    """Put a Python value into a field: dicts are messages, lists repeated fields.

    A single value for a repeated field counts as a list of one, as in ``kernel_size=3``. Names in
    `also` are offered, too, where a field is unknown.
    """
    fields = message.DESCRIPTOR.fields_by_name
    if field not in fields:
        hint = nearest(field, [*also, *fields])
        raise NetSpecError(f"{where} has no parameter '{field}'.{hint}")
    target = getattr(message, field)
    try:
        if hasattr(target, "extend"):
            values = value if isinstance(value, (list, tuple)) else [value]
            if not any(isinstance(entry, Mapping) for entry in values):
                target.extend(values)
                return
            for entry in values:
                added = target.add()
                for key, inner in entry.items():
                    _assign(added, key, inner, f"{where}, {field}")
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                _assign(target, key, inner, f"{where}, {field}")
        elif fields[field].message_type is not None:
            target.CopyFrom(value)
        else:
            setattr(message, field, value)
    except (TypeError, ValueError) as error:
        if isinstance(error, NetSpecError):
            raise
        raise NetSpecError(f"{where}: {field} = {value!r}: {error}") from None


layers = Layers()
params = Parameters()
