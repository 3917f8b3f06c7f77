"""Matrix products in registers: what kernels multiply with.

The product of some rows of numbers with one panel of packed weights: sums stay in registers while
the rows are read, one number at a time, each multiplied with one or two vectors of weights. BLAS
does the same inside, but not on rows that lie in windows of a picture, not with an end of one's
own, and not with the same bytes for any number of threads: here every sum runs over its products in
their order, one fused multiplication and addition after another, whatever block it is a part of.

Rows may be cut into pieces, as the window of a convolution cuts a picture's rows: `outer` times
`inner` pieces of `length` numbers each.

Source: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): the
kernel in the middle of their section 4.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .processor import FEW, LANES, PANEL, ROWS


def _block(rows: int, vectors: int) -> Any:
    """Make ``multiply(a, at, step, pieces, b, b_at, y, y_at, y_step)`` for so many of both."""

    def typed(typingctx: Any, a: Any, at: Any, step: Any, pieces: Any, b: Any, b_at: Any,
              y: Any, y_at: Any, y_step: Any) -> Any:  # fmt: skip
        """Write the sums of a block, 16 * vectors for each row, to ``y[y_at + row * y_step]``.

        ``a[at + row * step + i * pieces[1] + j * pieces[3] + k]``, for i, j and k below
        ``pieces[0]``, ``pieces[2]`` and ``pieces[4]``, are a row's numbers.
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return _generate(context, builder, signature.args, values, rows, vectors)

        wanted = types.UniTuple(types.intp, 5)
        signature = (a, types.intp, types.intp, wanted, b, types.intp, y, types.intp, types.intp)
        return types.void(*signature), generate

    return intrinsic(typed)


def _generate(context: Any, builder: Any, of: Any, values: Any, rows: int, vectors: int) -> Any:
    floats, index = ir.FloatType(), context.get_value_type(types.intp)
    vector = ir.VectorType(floats, LANES)

    def number(value: int) -> Any:
        return ir.Constant(index, value)

    def data(which: int) -> Any:
        return make_array(of[which])(context, builder, values[which]).data

    a, weights = data(0), builder.gep(data(4), [values[5]])
    y = builder.gep(data(6), [values[7]])
    first = builder.gep(a, [values[1]])
    outer, outer_step, inner, inner_step, length = cgutils.unpack_tuple(builder, values[3])
    fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32"
    )
    sums = [cgutils.alloca_once(builder, vector) for _ in range(rows * vectors)]
    for place in sums:
        builder.store(ir.Constant(vector, [0.0] * LANES), place)
    behind = cgutils.alloca_once_value(builder, weights)  # where the next weights are
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    nothing = ir.Constant(vector, ir.Undefined)
    with cgutils.for_range(builder, outer) as i, cgutils.for_range(builder, inner) as j:
        piece = builder.gep(
            first,
            [builder.add(builder.mul(i.index, outer_step), builder.mul(j.index, inner_step))],
        )
        starts = [builder.gep(piece, [builder.mul(values[2], number(r))]) for r in range(rows)]
        with cgutils.for_range(builder, length) as k:
            here = builder.load(behind)
            loaded = []
            for v in range(vectors):
                place = builder.gep(here, [number(v * LANES)])
                loaded.append(builder.load(builder.bitcast(place, vector.as_pointer())))
                loaded[-1].align = 4
            for r in range(rows):
                one = builder.load(builder.gep(starts[r], [k.index]))
                one = builder.insert_element(nothing, one, ir.Constant(ir.IntType(32), 0))
                spread = builder.shuffle_vector(one, nothing, zeros)
                for v in range(vectors):
                    place = sums[r * vectors + v]
                    builder.store(
                        builder.call(fma, [spread, loaded[v], builder.load(place)]), place
                    )
            builder.store(builder.gep(here, [number(vectors * LANES)]), behind)
    for r in range(rows):
        row = builder.gep(y, [builder.mul(values[8], number(r))])
        for v in range(vectors):
            to = builder.bitcast(builder.gep(row, [number(v * LANES)]), vector.as_pointer())
            builder.store(builder.load(sums[r * vectors + v]), to).align = 4
    return context.get_dummy_value()


multiply: Any = _block(ROWS, PANEL // LANES)
multiply_few: Any = _block(FEW, PANEL // LANES)
multiply_one: Any = _block(1, PANEL // LANES)
# Of the last panel, where it is half as wide.
multiply_half: Any = _block(ROWS, 1)
multiply_few_half: Any = _block(FEW, 1)
multiply_one_half: Any = _block(1, 1)
