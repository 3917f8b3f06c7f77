"""Caffe's messages as Python classes: ``NetParameter``, ``LayerParameter``, ``BlobProto``, ...

Use it like the module of the same name in the real Caffe: every message and nested type, the enums
and their values (``TEST``, ``V1LayerParameter.LayerType.Name(4)``) are here, and
``google.protobuf.text_format`` works on the messages.

One thing differs. A module written by protoc registers its messages in a pool that the whole
process shares, and the pool refuses a second file that defines the same names; then whoever
imports this package could not import the real Caffe any more. So these classes live in a pool
of their own. They are built from ``caffe.desc``, which scripts/compile_proto.py made from
``caffe.proto``; the types for mypy and editors are in ``caffe_pb2.pyi``.
"""

from __future__ import annotations

import pkgutil
from typing import Any

from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf import message_factory as _message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper as _EnumTypeWrapper

_POOL = _descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(pkgutil.get_data(__package__, "caffe.desc"))

DESCRIPTOR = _POOL.FindFileByName("caffe.proto")

if hasattr(_message_factory, "GetMessageClass"):  # protobuf 4.22 and later
    _message_class = _message_factory.GetMessageClass
else:
    _message_class = _message_factory.MessageFactory(_POOL).GetPrototype


def _build(descriptor: Any, prefix: str = "") -> Any:
    """Return the class of a message, with the classes of its nested types as attributes."""
    cls = _message_class(descriptor)
    cls.__module__ = __name__  # where pickle and copy look for it
    cls.__qualname__ = prefix + descriptor.name
    for nested in descriptor.nested_types:
        setattr(cls, nested.name, _build(nested, f"{cls.__qualname__}."))
    return cls


for _enum in DESCRIPTOR.enum_types_by_name.values():
    globals()[_enum.name] = _EnumTypeWrapper(_enum)
    globals().update((value.name, value.number) for value in _enum.values)

for _message in DESCRIPTOR.message_types_by_name.values():
    globals()[_message.name] = _build(_message)
