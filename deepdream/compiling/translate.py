"""From a kernel's Python to machine code, by Numba.

    python -m deepdream.compiling.translate FOLDER CLAIMS MODULE:NAME ...

compiles kernels and writes each into two files of FOLDER: ``MODULE.NAME.o``, the object code, and
``MODULE.NAME.json``, its symbol, its parameters and a check of the code. Several processes may be
given the same list: each takes a kernel that no other one has begun, which files in CLAIMS tell.

The compiled function takes one pointer to its arguments, eight bytes each: arrays as address and
length, tuples as their numbers.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numba
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from . import lanes as lanes
from .decorators import FAST
from .machine_code import keep


def parameters(function: Any) -> list[str]:
    """Return the kinds of a kernel's parameters: ``"float32"`` of arrays, ``"2"`` of pairs.

    Raises
    ------
    TypeError
        A parameter has no annotation of `kinds`.
    """
    hints = get_type_hints(function, include_extras=True)
    code, found = function.__code__, []
    for name in code.co_varnames[: code.co_argcount]:
        hint: Any = hints.get(name)
        if hint in (int, float, bool):
            found.append(hint.__name__)
        elif hasattr(hint, "__metadata__"):
            found.append(str(hint.__metadata__[0]))
        else:
            raise TypeError(f"parameter '{name}' of {function.__qualname__} is {hint}, no kind")
    return found


def _array_of(element: Any) -> Any:
    """Make a function of an address and a length: the flat array that lies there."""
    of = types.Array(element, 1, "C")

    def typed(typingctx: Any, address: Any, length: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            array = make_array(of)(context, builder)
            size = context.get_constant(types.intp, of.dtype.bitwidth // 8)
            place = array.data.type
            populate_array(
                array, data=builder.inttoptr(values[0], place), shape=[values[1]], strides=[size],
                itemsize=size, meminfo=None,
            )  # fmt: skip
            return array._getvalue()

        return of(types.int64, types.int64), generate

    return intrinsic(typed)


# Makers of arrays, by the names that `kinds` gives them.
ARRAYS = {
    name: _array_of(getattr(types, name)) for name in ("float32", "float64", "uint8", "int64")
}


def entry(kernel: Any, kinds: Sequence[str]) -> Any:
    """Return the compiled form of a function that takes pointers to the arguments of a kernel."""
    lines, arguments, place = ["def entry(whole, real):"], [], 0
    for i, kind in enumerate(kinds):
        if kind in ARRAYS:
            lines.append(f"    a{i} = {kind}(whole[{place}], whole[{place + 1}])")
            arguments.append(f"a{i}")
            place += 2
        elif kind.isdigit():
            numbers = ", ".join(f"whole[{place + j}]" for j in range(int(kind)))
            arguments.append(f"({numbers})")
            place += int(kind)
        else:
            what = {"int": "whole[{}]", "float": "real[{}]", "bool": "whole[{}] != 0"}[kind]
            arguments.append(what.format(place))
            place += 1
    lines.append(f"    kernel({', '.join(arguments)})")
    names: dict[str, Any] = {"kernel": kernel, **ARRAYS}
    exec("\n".join(lines), names)
    # Python does not call it: no wrappers, which need parts of Numba to run.
    bare = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiler: Any = numba.njit
    made = compiler(nogil=True, error_model="numpy", fastmath=FAST, **bare)(names["entry"])
    signature = types.CPointer(types.int64), types.CPointer(types.float64)
    made.compile(signature)
    return made.overloads[signature]


def translate(module: str, name: str) -> tuple[dict[str, Any], bytes]:
    """Compile a kernel; return what its ``.json`` says, and its object code."""
    kernel = getattr(importlib.import_module(module), name)
    kinds = parameters(kernel.py_func)
    compiled = entry(kernel, kinds)
    _, _, (code, _) = compiled.library.serialize_using_object_code()
    described = {
        "symbol": compiled.fndesc.llvm_func_name,
        "parameters": kinds,
        "sha256": hashlib.sha256(code).hexdigest(),
    }
    return described, code


def main(arguments: Sequence[str]) -> None:
    """Compile what no other process has begun, in the order of the list."""
    folder, *kernels = arguments
    claims, *kernels = kernels
    for kernel in kernels:
        module, name = kernel.split(":")
        try:
            (Path(claims) / f"{module}.{name}").touch(exist_ok=False)
        except FileExistsError:
            continue
        keep(Path(folder), module, name, *translate(module, name))


if __name__ == "__main__":
    main(sys.argv[1:])
