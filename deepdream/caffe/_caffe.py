"""``caffe._caffe``: the compiled part of pycaffe, whose names programs import too.

Source: ``python/caffe/_caffe.cpp`` in BVLC/caffe 1.0.
"""

from __future__ import annotations

from typing import Any

from ..running.blob import Blob as Blob
from ..running.layers import BlobVec as BlobVec
from ..running.layers import LayerVec as LayerVec
from ..running.vectors import BoolVec as BoolVec
from ..running.vectors import DtypeVec as DtypeVec
from ..running.vectors import IntVec as IntVec
from ..running.vectors import StringVec as StringVec
from . import __getattr__ as _of_caffe
from . import __version__ as __version__
from . import layer_type_list as layer_type_list
from . import set_random_seed as set_random_seed
from .layer import Layer as Layer
from .mode import set_device as set_device
from .mode import set_mode_cpu as set_mode_cpu
from .mode import set_mode_gpu as set_mode_gpu
from .proto import caffe_pb2
from .pycaffe import Net as Net

LayerParameter = caffe_pb2.LayerParameter
SolverParameter = caffe_pb2.SolverParameter
RawBlobVec = BlobVec  # what layers in Python get as bottom and top


def __getattr__(name: str) -> Any:
    return _of_caffe(name)
