"""Compile deepdream/reading/caffe.proto.

    python scripts/compile_proto.py            write caffe.desc and caffe_pb2.pyi beside it
    python scripts/compile_proto.py --check    only say whether they are fresh (status 1 if not)

Needs grpcio-tools, which brings protoc as a Python package. Run it after every change of
caffe.proto and commit what it writes: the package needs no protoc, to install or to run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

FOLDER = Path(__file__).resolve().parents[1] / "deepdream" / "reading"
HEADER = """\
# Written by scripts/compile_proto.py from caffe.proto: change that file, not this one.
# ruff: noqa
# fmt: off

"""


def compile_proto(proto: Path) -> dict[str, bytes]:
    """Run protoc.

    Parameters
    ----------
    proto : Path
        The file to compile.

    Returns
    -------
    dict of str to bytes
        File name -> content: ``caffe.desc``, a serialized FileDescriptorProto without comments and
        positions, and ``caffe_pb2.pyi``, the types of the module for mypy and editors.

    Raises
    ------
    RuntimeError
        protoc refused the file; it has printed why.
    """
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={proto.parent}",
                f"--descriptor_set_out={folder}/caffe.set",
                f"--pyi_out={folder}",
                proto.name,
            ]
        )
        if status:
            raise RuntimeError(f"protoc ended with status {status}")
        files = descriptor_pb2.FileDescriptorSet.FromString(
            Path(folder, "caffe.set").read_bytes()
        ).file
        stub = Path(folder, "caffe_pb2.pyi").read_text()
    file = files[0]
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")  # newer compilers add it; nobody reads it
    return {
        "caffe.desc": file.SerializeToString(deterministic=True),
        "caffe_pb2.pyi": (HEADER + stub).encode(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the compiled files, or compare them with what is there."""
    parser = argparse.ArgumentParser(description="Compile deepdream/reading/caffe.proto.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare only")
    check = parser.parse_args(arguments).check

    status = 0
    for name, content in compile_proto(FOLDER / "caffe.proto").items():
        path = FOLDER / name
        fresh = path.exists() and path.read_bytes() == content
        if check and not fresh:
            print(f"{path.name} is not what caffe.proto says: run scripts/compile_proto.py")
            status = 1
        elif not check:
            path.write_bytes(content)
            print(f"{path.name}: {len(content)} bytes" + (" (unchanged)" if fresh else ""))
    return status


if __name__ == "__main__":
    sys.exit(main())
