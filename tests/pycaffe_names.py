"""Print, as JSON, what `dir()` shows of pycaffe's modules and objects; run by either Python.

python tests/pycaffe_names.py deepdream     (or `caffe`, by the real Caffe's Python)
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import types
from pathlib import Path

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 7] } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 } }
"""
SUBMODULES = ["_caffe", "classifier", "coord_map", "io", "net_spec", "proto", "pycaffe"]


def names(caffe: types.ModuleType) -> dict[str, list[str]]:
    """Return, by module or object, the names that are not every object's."""
    found: dict[str, set[str]] = {"caffe": set(dir(caffe))}
    for module in SUBMODULES:
        found[f"caffe.{module}"] = set(dir(importlib.import_module(f"{caffe.__name__}.{module}")))
    with tempfile.TemporaryDirectory() as folder:
        prototxt, weights = Path(folder) / "net.prototxt", Path(folder) / "net.caffemodel"
        prototxt.write_text(NET)
        net = caffe.Net(str(prototxt), caffe.TEST)
        net.save(str(weights))
        classifier = caffe.Classifier(str(prototxt), str(weights))
    spec = caffe.NetSpec()
    spec.data = caffe.layers.Input()
    for name, thing in {
        "Net": net, "Classifier": classifier, "Blob": net.blobs["data"], "BlobVec": net.params["c"],
        "LayerVec": net.layers, "Layer": net.layers[0], "StringVec": net._layer_names,
        "IntVec": net.blobs["data"].shape, "DtypeVec": net._blob_loss_weights,
        "Transformer": classifier.transformer, "NetSpec": spec, "Top": spec.data,
        "Function": spec.data.fn,
    }.items():  # fmt: skip
        found[name] = set(dir(thing))
    every = set(dir(object)) | set(dir(types)) | {"__dict__", "__weakref__", "__instance_size__"}
    every |= {"__builtins__", "__path__", "__module__"}
    return {name: sorted(there - every) for name, there in found.items()}


if __name__ == "__main__":
    if sys.argv[1] == "deepdream":
        import deepdream.caffe as caffe
    else:
        import caffe
    sys.stdout.write(json.dumps(names(caffe), indent=1) + "\n")
