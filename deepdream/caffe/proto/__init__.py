"""``caffe.proto``: the message classes, under the name that notebooks import."""

from __future__ import annotations

import sys

from deepdream.reading import caffe_pb2 as caffe_pb2

# `import caffe.proto.caffe_pb2` looks the name up here: the same module, not a second copy.
sys.modules[__name__ + ".caffe_pb2"] = caffe_pb2
