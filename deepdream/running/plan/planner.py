"""From a net and its targets to a plan for each size."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compiling.machine_code import Kernel, make_ready
from ...errors import OutOfMemoryError
from .allocate import Storage, joint_life, pack, place
from .arrays import Array, Flags, Shape, flags, is_map, new_block, saved_array
from .by_layer import ByLayer
from .fold import fold
from .fuse import fuse
from .kernels import wait_while
from .merge import merge
from .operation import Activated, Operation, Site
from .program import Node, Program, Unplannable, Value
from .prune import prune
from .schedule import Schedule, backward_bottoms, schedule, with_gradient
from .workers import Workers, thread_count, workers

PRECISIONS = ("float32", "tf32", "bfloat16")


class Planner:
    """The fast way through a net for given targets, at any size.

    Parameters
    ----------
    net : Net
        Its parameters are read now; a planner does not notice later changes. Where it is, plans
        are: on ``"cpu"`` in NumPy's memory, with compiled kernels; on ``"cuda"`` in PyTorch's, with
        its operators; on ``"torch"`` with the same on the CPU, for tests.
    ends : str or sequence of str
        Layers with a blob of their own name: the targets.
    precision : str
        Of the products: ``"float32"``, ``"tf32"`` (a GPU's 10-bit factors) or ``"bfloat16"``.

    Raises
    ------
    Unplannable
        The net does something that only `Net` does.
    """

    def __init__(
        self,
        net: Any,
        ends: str | Sequence[str],
        *,
        precision: str = "float32",
    ) -> None:
        self.net = net
        self.ends = (ends,) if isinstance(ends, str) else tuple(ends)
        self.device = str(net.device)
        self.precision = precision
        self.input = "data" if "data" in net.blobs else str(net.inputs[0])
        self.program = prepare(net, self.ends, self.input)
        self.native = self.device == "cpu"
        self._classes = classes(self.device)
        self._prepared: dict[tuple[Node, type[Operation]], Any] = {}
        self._layouts: dict[tuple[int, int], Layout] = {}

    @property
    def notes(self) -> list[str]:
        """What is worth telling with ``--verbose``: the kernels, and layers without any."""
        kind = f"{thread_count()} threads" if self.native else f"PyTorch on {self.device}"
        found = [f"plan: {len(self.program.nodes)} steps, {kind}"]
        _, _, *size = self.net.blobs[self.input].shape
        shapes = self.net.infer_shapes({self.input: (1, 3, *size)}, strict=False)
        slow = [
            f"{'+'.join(node.names)} ({node.type})"
            for node in self.program.nodes
            if all(value.blob in shapes for value in node.bottoms)
            and self._class_of(node, [tuple(shapes[v.blob]) for v in node.bottoms]) is ByLayer
        ]
        if slow:
            found.append(f"layer by layer: {', '.join(slow)}")
        return found

    def memory(self, h: int, w: int) -> int:
        """Return how many bytes a plan for pictures of this size takes, beyond the net."""
        layout = self._layout(h, w)
        return 4 * (layout.floats + layout.scratch * self._threads()) + layout.blobs

    def kernels(self, h: int, w: int) -> list[Kernel]:
        """Return the compiled kernels that a plan for pictures of this size calls."""
        used = [kernel for kind in self._layout(h, w).kinds.values() for kernel in kind.kernels]
        return [*dict.fromkeys(used), wait_while] if self.native else []

    def plan(self, h: int, w: int) -> Plan:
        """Return a plan for pictures of h rows and w columns, with its memory.

        Raises
        ------
        ShapeError
            A layer cannot take a picture of this size.
        OutOfMemoryError
            There is no memory for it.
        """
        return Plan(self, self._layout(h, w))

    def _threads(self) -> int:
        return thread_count() if self.native else 0

    def _class_of(self, node: Node, bottoms: Sequence[Shape]) -> type[Operation]:
        for cls in self._classes.get(node.type, ()):
            if cls.suits(node, bottoms):
                return cls
        if node.layer is None or len(node.names) > 1 or node.activation:
            shapes = ", ".join(map(str, bottoms))
            raise Unplannable(f"{'+'.join(node.names)} ({node.type}) on {shapes}")
        return ByLayer

    def prepared(self, node: Node, cls: type[Operation]) -> Any:
        """Return the node's weights in the form that an operation needs, made once."""
        if (node, cls) not in self._prepared:
            self._prepared[node, cls] = cls.prepare(node, self.device, self.precision)
        return self._prepared[node, cls]

    def _layout(self, h: int, w: int) -> Layout:
        if (h, w) not in self._layouts:
            last = max(self.ends, key=self.net.layer_index)
            # A layer that no target depends on need not take this size.
            size = {self.input: (1, 3, h, w)}
            inferred = self.net.infer_shapes(size, last, strict=False)
            if any(value.blob not in inferred for value in self.program.values()):
                self.net.infer_shapes(size, last)
            self._layouts[h, w] = lay_out(self.program, inferred, self._class_of)
        return self._layouts[h, w]


def prepare(net: Any, ends: Sequence[str], picture: str) -> Program:
    """Run the passes that know no size."""
    program = prune(net, ends, picture)
    fold(program)
    fuse(program)
    merge(program)
    return program


def classes(device: str) -> dict[str, tuple[type[Operation], ...]]:
    """Return the operations to choose from, by node type."""
    if device == "cpu":
        from .native import NATIVE

        return NATIVE
    from .tensors import TORCH

    return TORCH


@dataclass
class Layout:
    """What a plan for one size is built from; nothing is allocated yet.

    ``floats`` is the size of the block, ``scratch`` what each thread needs besides (both in
    floats), and ``blobs`` the bytes of layers that run by their own class.
    """

    program: Program
    shapes: dict[Value, Shape]
    kinds: dict[Node, type[Operation]]
    schedule: Schedule
    moving: set[Value]
    early: dict[Value, tuple[Node, int]]  # who masks their diffs: who writes them last
    masked: set[Node]  # that keep a mask
    masks: dict[Value, tuple[int, int, int, int]]  # place, pixels, step, start
    data: dict[Value, tuple[int, int]]  # start, step
    diff: dict[Value, tuple[int, int]]
    saved: dict[Node, list[tuple[int, Shape, str]]]
    floats: int
    scratch: int
    blobs: int


def lay_out(program: Program, inferred: Any, class_of: Any) -> Layout:
    """Run the passes that depend on the size: schedule and allocate."""
    shapes = {value: tuple(inferred[value.blob]) for value in program.values()}
    kinds = {node: class_of(node, [shapes[v] for v in node.bottoms]) for node in program.nodes}
    moving = with_gradient(program)
    order = schedule(program, lambda node: kinds[node].reads_back(node))

    masked = {
        node for node, kind in kinds.items()
        if node in order.saved and issubclass(kind, Activated) and kind.keeps_mask(node)
    }  # fmt: skip

    def joinable(node: Node, value: Value) -> bool:
        return kinds[node] is not ByLayer and value.maker is not None

    def joinable_diff(node: Node, value: Value) -> bool:
        i = node.bottoms.index(value)
        sole = value.readers == [node] and node.bottoms.count(value) == 1
        target = value in program.targets.values()
        return joinable(node, value) and sole and node.flows[i] and not target

    channels = {v: s[1] if is_map(s) else math.prod(s) for v, s in shapes.items()}
    sizes: list[int] = []
    lives: list[tuple[int, int]] = []
    found: list[list[tuple[Value, int, int, int]]] = []
    data_storages = place(program, channels, list(order.data), joinable)
    diff_storages = place(program, channels, list(order.diff), joinable_diff)
    for storages, used in ((data_storages, order.data), (diff_storages, order.diff)):
        entries = []
        for storage in dict.fromkeys(storages.values()):
            some = next(value for value in storage.members if value in used)
            pixels = math.prod(shapes[some][2:]) if is_map(shapes[some]) else 1
            entries += [
                (value, len(sizes), at, storage.width)
                for value, at in storage.members.items()
                if value in used
            ]
            sizes.append(pixels * storage.width)
            lives.append(joint_life(storage, used))
        found.append(entries)
    # Masks lie as the data do, so that those of a Concat's bottoms are one of its top.
    marked: dict[Value, tuple[int, tuple[int, int, int]]] = {}
    for storage in dict.fromkeys(data_storages.values()):
        kept_for = {
            value: order.saved[value.maker] for value in storage.members
            if value.maker is not None and value.maker in masked
        }  # fmt: skip
        if kept_for:
            pixels = math.prod(shapes[next(iter(kept_for))][2:])
            for value, start in storage.members.items():
                marked[value] = len(sizes), (pixels, storage.width, start)
            sizes.append(-(-pixels * storage.width // 4))
            lives.append(joint_life(storage, kept_for))
    early = _masked_early(program, order, moving, kinds, masked, channels, data_storages)
    kept: dict[Node, list[tuple[int, Shape, str]]] = {}
    for node, life in order.saved.items():
        bottoms, tops = [shapes[v] for v in node.bottoms], [shapes[v] for v in node.tops]
        kept[node] = []
        for shape, dtype in kinds[node].saves(node, bottoms, tops):
            size = np.dtype(dtype).itemsize
            kept[node].append((len(sizes), shape, dtype))
            sizes.append(-(-math.prod(shape) * size // 4))
            lives.append(life)
    places, floats = pack(sizes, lives)
    data, diff = (
        {value: (places[i] + at, width) for value, i, at, width in entries} for entries in found
    )
    saved = {node: [(places[i], s, t) for i, s, t in entries] for node, entries in kept.items()}
    masks = {value: (places[i], *where) for value, (i, where) in marked.items()}
    scratch = blobs = 0
    for node, kind in kinds.items():
        bottoms, tops = [shapes[v] for v in node.bottoms], [shapes[v] for v in node.tops]
        scratch = max(scratch, kind.scratch(node, bottoms, tops))
        if issubclass(kind, ByLayer):
            blobs += kind.memory(node, bottoms, tops)
    return Layout(
        program,
        shapes,
        kinds,
        order,
        moving,
        early,
        masked,
        masks,
        data,
        diff,
        saved,
        floats,
        scratch,
        blobs,
    )


def _masked_early(
    program: Program, order: Schedule, moving: set[Value], kinds: dict[Node, type[Operation]],
    masked: set[Node], channels: dict[Value, int], storages: dict[Value, Storage],
) -> dict[Value, tuple[Node, int]]:  # fmt: skip
    """Return whose activations are gone through as soon as their diffs are written, and by whom.

    A Concat's bottoms are where all of them are, and lie in the top: whoever writes the top's diff
    last goes through the activations of all.
    """
    targets = set(program.targets.values())

    def ready(value: Value) -> bool:
        return value.maker in masked and value in order.diff and value not in targets

    def joined(value: Value) -> bool:
        """Tell whether a value is made of activated ones, side by side."""
        maker = value.maker
        if maker is None or maker.type != "Concat" or value in targets:
            return False
        own, at = storages[value], storages[value].members[value]
        for bottom in maker.bottoms:
            inside = storages[bottom] is own and own.members[bottom] == at
            if not inside or bottom.readers != [maker] or not ready(bottom):
                return False
            at += channels[bottom]
        return True

    last: dict[Value, tuple[Node, int]] = {}
    for node in order.backward:
        for i in backward_bottoms(node, moving):
            last[node.bottoms[i]] = node, i  # the last one stays
    early = {}
    for value, (node, i) in last.items():
        if not kinds[node].masks:
            continue
        if ready(value):
            early[value] = node, i
        elif joined(value):
            assert value.maker is not None
            early.update(dict.fromkeys([value, *value.maker.bottoms], (node, i)))
    return early


class Plan:
    """A net's way to its targets and back, at one size.

    Use it in this order: write the picture to `data`, run `forward`, read `target_data` and write
    `target_diff`, run `backward`, read `diff`. All arrays are parts of one block of memory and are
    used for other things in between.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels.
    data, diff : ndarray or Tensor
        (1, 3, h, w) float32, the picture and the gradient with respect to it; channels last.
    ends : tuple of str
    target_data, target_diff : dict of str to ndarray or Tensor
        (1, c, th, tw) float32 by layer; the whole of each diff has to be written.
    workers : Workers or None
        The threads of native kernels.
    """

    def __init__(self, planner: Planner, layout: Layout) -> None:
        program, order = layout.program, layout.schedule
        make_ready(planner.kernels(*layout.shapes[program.picture][2:]))
        self.ends = planner.ends
        self.precision = planner.precision
        self.size = layout.shapes[program.picture][2:]
        self.native = planner.native
        self.workers: Workers | None = workers(thread_count()) if self.native else None
        count = self.workers.count if self.workers else 0
        with _memory(layout.floats):
            block = new_block(layout.floats, planner.device)
            scratch = [new_block(layout.scratch, planner.device) for _ in range(count)]
        data = {v: Array(block, *at, layout.shapes[v]) for v, at in layout.data.items()}
        diff = {v: Array(block, *at, layout.shapes[v]) for v, at in layout.diff.items()}
        self._constants = [
            (data[value].image, planner.net.blobs[name])
            for name, value in program.inputs.items()
            if value is not program.picture
        ]

        def mask_of(values: Sequence[Value]) -> Flags:
            c = sum(data[value].c for value in values)
            return flags(block, *layout.masks[values[0]], c)

        operations: dict[Node, Operation] = {}
        for node in program.nodes:
            back = set(backward_bottoms(node, layout.moving))
            site = Site(
                node,
                [data[value] for value in node.bottoms],
                [data[value] for value in node.tops],
                [diff[v] if i in back else None for i, v in enumerate(node.bottoms)],
                [diff.get(value) for value in node.tops],
                [(node, i) in order.adds for i in range(len(node.bottoms))],
                planner.prepared(node, layout.kinds[node]),
                [saved_array(block, *entry) for entry in layout.saved.get(node, [])],
                self.workers,
                scratch,
                mask_of(node.tops) if node in layout.masked else None,
                [
                    mask_of([value]) if layout.early.get(value) == (node, i) else None
                    for i, value in enumerate(node.bottoms)
                ],
                [value in layout.early for value in node.tops],
            )
            operations[node] = layout.kinds[node](site)
        self._forward = [operations[node] for node in order.forward]
        self._backward = [operations[node] for node in order.backward]
        self._zeroed = [diff[value].image for value in order.zeroed]
        self.data = data[program.picture].image
        if program.picture in diff:
            self.diff = diff[program.picture].image
        else:  # no gradient arrives
            self.diff = self.data * 0
        self.target_data = {end: data[value].image for end, value in program.targets.items()}
        self.target_diff = {
            end: diff[value].image if value in diff else data[value].image * 0
            for end, value in program.targets.items()
        }

    def forward(self) -> None:
        """Compute `target_data` from `data`."""
        with self.threads():
            for image, blob in self._constants:
                image[...] = blob.data if self.native else blob.get_data()
            for operation in self._forward:
                operation.forward()

    def backward(self) -> None:
        """Compute `diff` from `target_diff`."""
        with self.threads():
            for image in self._zeroed:
                image[...] = 0
            for operation in self._backward:
                operation.backward()

    def threads(self) -> contextlib.AbstractContextManager[None]:
        """Set PyTorch up as the plan needs it, where it is PyTorch that computes."""
        if self.native:
            return contextlib.nullcontext()
        from ..arrays.torch_ops import computing

        context: contextlib.AbstractContextManager[None] = computing(self.precision != "float32")
        return context


@contextlib.contextmanager
def _memory(floats: int) -> Iterator[None]:
    """Say what was needed where there is not enough memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise OutOfMemoryError(
            f"no memory for a plan of {4 * floats / 2**20:.0f} MiB: pass max_memory= "
            "(--max-memory) to dream in tiles, or use a smaller picture"
        ) from error
