"""Vectors of sixteen numbers: what kernels compute with.

Numba turns plain loops into vector instructions where it can prove that no array overlaps another
and that trip counts are long. Kernels over the channels of one pixel offer neither, and came out
five times slower than written this way. LLVM makes one instruction of each operation where the
processor has registers of 512 bits, and two or four where they are shorter.

`load` and `store` take the number of values that are there: of the last few channels of a pixel,
the rest of the vector is 0 when read, and not written.

Operators: ``+ - * /`` of vectors, and of a float32 and a vector; ``> >= <=`` of vectors of floats
and ``==`` of vectors of bytes, which give truths, one for each number; ``&`` of truths.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numba.np.arrayobj import make_array

from .processor import LANES as LANES

# As the kernels' own arithmetic: see `compiled.FAST`.
_FLAGS = ("contract", "nsz")


class Vector(types.Type):
    """Sixteen numbers of one kind."""

    def __init__(self, name: str, element: ir.Type) -> None:
        super().__init__(name)
        self.llvm = ir.VectorType(element, LANES)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Vector) -> None:
        super().__init__(manager, of, of.llvm)


FLOATS = Vector("floats", ir.FloatType())
BYTES = Vector("bytes", ir.IntType(8))
TRUTHS = Vector("truths", ir.IntType(1))


def _unary(of: types.Type, result: Vector, build: Callable[..., Any]) -> Any:
    """Make a function of one value, which `build(builder, value)` computes."""

    def typed(typingctx: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return build(builder, *values)

        return (result(of), generate) if value == of else None

    return intrinsic(typed)


def _binary(of: Vector, result: Vector, build: Callable[..., Any]) -> Any:
    """Make a function of two vectors, which `build(builder, a, b)` computes."""

    def typed(typingctx: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return build(builder, *values)

        return (result(of, of), generate) if a == b == of else None

    return intrinsic(typed)


def _splat(builder: Any, value: Any) -> Any:
    """Return the LLVM vector that holds a value sixteen times."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, nothing, zeros)


def _square_root(builder: Any, value: Any) -> Any:
    of = ir.FunctionType(value.type, [value.type])
    name = f"llvm.sqrt.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, of, name), [value])


def _not_zero(builder: Any, value: Any) -> Any:
    return builder.icmp_unsigned("!=", value, ir.Constant(BYTES.llvm, [0] * LANES))


# The same number sixteen times.
spread = _unary(types.float32, FLOATS, _splat)
spread_byte = _unary(types.uint8, BYTES, _splat)

square_root = _unary(FLOATS, FLOATS, _square_root)

# Truths as bytes 1 and 0, and back.
to_bytes = _unary(TRUTHS, BYTES, lambda builder, value: builder.zext(value, BYTES.llvm))
to_truths = _unary(BYTES, TRUTHS, _not_zero)


def _overload(sign: Any, function: Any, of: Vector) -> None:
    """Let `sign` between two vectors, or a float32 and a vector of floats, be `function`."""

    # Numba wants the parameters of both to look the same: no annotations.
    def operation(a, b):  # type: ignore[no-untyped-def]
        if a == b == of:
            return lambda a, b: function(a, b)
        if of == FLOATS == b and a == types.float32:
            return lambda a, b: function(spread(a), b)
        if of == FLOATS == a and b == types.float32:
            return lambda a, b: function(a, spread(b))
        return None

    overload(sign)(operation)


def _arithmetic(name: str) -> Any:
    return _binary(FLOATS, FLOATS, lambda builder, a, b: getattr(builder, name)(a, b, flags=_FLAGS))


def _compared(sign: str) -> Any:
    return _binary(FLOATS, TRUTHS, lambda builder, a, b: builder.fcmp_ordered(sign, a, b))


_overload(operator.add, _arithmetic("fadd"), FLOATS)
_overload(operator.sub, _arithmetic("fsub"), FLOATS)
_overload(operator.mul, _arithmetic("fmul"), FLOATS)
_overload(operator.truediv, _arithmetic("fdiv"), FLOATS)
_overload(operator.gt, _compared(">"), FLOATS)
_overload(operator.ge, _compared(">="), FLOATS)
_overload(operator.le, _compared("<="), FLOATS)
_overload(
    operator.eq,
    _binary(BYTES, TRUTHS, lambda builder, a, b: builder.icmp_unsigned("==", a, b)),
    BYTES,
)
_overload(operator.and_, _binary(TRUTHS, TRUTHS, lambda builder, a, b: builder.and_(a, b)), TRUTHS)


def _choose(typingctx: Any, truths: Any, a: Any, b: Any) -> Any:
    """Return the numbers of `a` where `truths` are true, and of `b` elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(*values)

    known = truths == TRUTHS and a == b and a in (FLOATS, BYTES)
    return (a(truths, a, b), generate) if known else None


def _kind(array: Any) -> Vector:
    return {types.float32: FLOATS, types.uint8: BYTES}[array.dtype]


def _place(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """Return a pointer to the vector at ``array[index]``."""
    of, array, index = signature.args[0], values[0], values[1]
    data = make_array(of)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _kind(of).llvm.as_pointer())


def _masked(builder: Any, action: str, result: Any, pointer: Any, count: Any, value: Any) -> Any:
    """Load or store the first `count` numbers of a vector; `value` is stored, or is the rest."""
    indices = ir.Constant(ir.VectorType(count.type, LANES), list(range(LANES)))
    there = builder.icmp_signed("<", indices, _splat(builder, count))
    align = ir.Constant(ir.IntType(32), 1)
    arguments = [pointer, align, there, value]
    if action == "store":
        arguments = [value, pointer, align, there]
    kind = "i8" if value.type.element == ir.IntType(8) else "f32"
    # Up to version 14, LLVM's pointers have a type, which is a part of the function's name.
    to = "p0" if str(pointer.type) == "ptr" else f"p0v{LANES}{kind}"
    of = ir.FunctionType(result, [argument.type for argument in arguments])
    name = f"llvm.masked.{action}.v{LANES}{kind}.{to}"
    return builder.call(cgutils.get_or_insert_function(builder.module, of, name), arguments)


def _load(typingctx: Any, array: Any, index: Any, count: Any) -> Any:
    """Return ``array[index : index + 16]``, with 0 instead of what is beyond `count` numbers."""
    vector = _kind(array)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _place(context, builder, signature, values)
        count = values[2]
        whole = builder.icmp_signed(">=", count, ir.Constant(count.type, LANES))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                everything = builder.load(pointer)
                everything.align = 1
                then_block = builder.block
            with otherwise:
                zeros = ir.Constant(vector.llvm, [0] * LANES)
                some = _masked(builder, "load", vector.llvm, pointer, count, zeros)
                otherwise_block = builder.block
        result = builder.phi(vector.llvm)
        result.add_incoming(everything, then_block)
        result.add_incoming(some, otherwise_block)
        return result

    return vector(array, types.intp, types.intp), generate


def _store(typingctx: Any, array: Any, index: Any, value: Any, count: Any) -> Any:
    """Set the first `count` numbers, 16 at most, of ``array[index : index + 16]``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _place(context, builder, signature, values)
        value, count = values[2:]
        whole = builder.icmp_signed(">=", count, ir.Constant(count.type, LANES))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                builder.store(value, pointer).align = 1
            with otherwise:
                _masked(builder, "store", ir.VoidType(), pointer, count, value)
        return context.get_dummy_value()

    return types.void(array, types.intp, _kind(array), types.intp), generate


where: Any = intrinsic(_choose)
load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
