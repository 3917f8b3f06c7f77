"""Ask the real Caffe how it reads a net: which text it accepts, and what its upgrade makes of it.

    CAFFE_PYTHON scripts/caffe_formats.py FOLDER

CAFFE_PYTHON is the Python of `scripts/install_caffe.sh`. FOLDER holds nets, ``NAME.prototxt`` as
text or ``NAME.caffemodel`` as bytes. For each, Caffe's own ``ReadProtoFromTextFile`` or
``ReadProtoFromBinaryFile`` reads it, and ``UpgradeNetAsNeeded`` upgrades it. What comes out is
written as ``NAME.parsed`` and ``NAME.upgraded``, serialized messages, and ``results.json`` tells
for each NAME how far it came: "refused" by the parser, "aborted" in the upgrade, "upgraded", or
"upgraded with problems".

pycaffe does not export these functions, so they are called by their C++ names through ctypes. Each
net has a process of its own, because Caffe ends the process on an error.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

_STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_MESSAGE = "N6google8protobuf7MessageE"

# Larger than sizeof(caffe::NetParameter), whatever the build.
_ROOM = 1 << 16


def functions():
    """Return Caffe's constructor, two readers, upgrade and writer as Python functions."""
    import caffe

    (library,) = Path(caffe.__file__).parent.glob("_caffe*.so")
    found = []
    for name in (
        "_ZN5caffe12NetParameterC1EPN6google8protobuf5ArenaE",
        f"_ZN5caffe21ReadProtoFromTextFileEPKcP{_MESSAGE}",
        f"_ZN5caffe23ReadProtoFromBinaryFileEPKcP{_MESSAGE}",
        f"_ZN5caffe18UpgradeNetAsNeededERK{_STRING}PNS_12NetParameterE",
        f"_ZN5caffe22WriteProtoToBinaryFileERK{_MESSAGE}PKc",
    ):
        function = getattr(ctypes.CDLL(str(library)), name)
        function.restype = ctypes.c_bool
        found.append(function)
    return found


def run(path: Path) -> int:
    """Read and upgrade one net; return an exit status that says how far it came."""
    construct, read_text, read_binary, upgrade, write = functions()
    net = ctypes.create_string_buffer(_ROOM)
    construct(net, None)
    read = read_text if path.suffix == ".prototxt" else read_binary
    if not read(bytes(path), net):
        return 1
    write(net, bytes(path.with_suffix(".parsed")))
    # A std::string of libstdc++: pointer, length, and room for a short text or the capacity.
    text = ctypes.create_string_buffer(b"net")
    string = (ctypes.c_uint64 * 4)(ctypes.addressof(text), 3, 3, 0)
    compatible = upgrade(ctypes.byref(string), net)
    write(net, bytes(path.with_suffix(".upgraded")))
    return 0 if compatible else 2


def main() -> None:
    """Judge every net of the folder."""
    words = {0: "upgraded", 1: "refused", 2: "upgraded with problems"}
    results = {}
    folder = Path(sys.argv[1]).resolve()
    os.environ.setdefault("GLOG_minloglevel", "3")
    functions()  # imported once, before the processes part
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".prototxt", ".caffemodel"):
            continue
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os._exit(run(path))
        status = os.waitpid(child, 0)[1]
        results[path.stem] = words.get(os.waitstatus_to_exitcode(status), "aborted")
    (folder / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
