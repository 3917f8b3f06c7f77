"""From a net and its targets to a plan for each size."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import OutOfMemoryError
from .allocate import joint_life, pack, place
from .arrays import Array, Shape, is_map, new_block, saved_array
from .fold import fold
from .fuse import fuse
from .merge import merge
from .ops import TORCH, ByLayer, Operation, Site
from .program import Node, Program, Unplannable, Value
from .prune import prune
from .schedule import Schedule, backward_bottoms, schedule, with_gradient
from .workers import Workers, workers

PRECISIONS = ("float32", "tf32", "bfloat16")


class Planner:
    """The fast way through a net for given targets, at any size.

    Parameters
    ----------
    net : Net
        Its parameters are read now; a planner does not notice later changes.
    ends : str or sequence of str
        Layers with a blob of their own name: the targets.
    device : str, optional
        ``"cpu"`` or ``"cuda"``; by default the net's.
    precision : str
        Of the products: ``"float32"``, ``"tf32"`` (a GPU's 10-bit factors) or ``"bfloat16"``.
    kernels : str
        ``"native"``: Numba's and matrix products, on a CPU; ``"torch"``: PyTorch's operators;
        ``"auto"``: native where Numba is installed.

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
        device: str | None = None,
        precision: str = "float32",
        kernels: str = "auto",
    ) -> None:
        self.net = net
        self.ends = (ends,) if isinstance(ends, str) else tuple(ends)
        self.device = torch.device((device or net.device).replace("torch", "cpu"))
        self.precision = precision
        self.input = "data" if "data" in net.blobs else str(net.inputs[0])
        self.program = prepare(net, self.ends, self.input)
        self._classes = classes(kernels, self.device, precision)
        self.native = self._classes is not TORCH
        self._prepared: dict[tuple[Node, type[Operation]], Any] = {}
        self._layouts: dict[tuple[int, int], Layout] = {}

    @property
    def notes(self) -> list[str]:
        """What is worth telling with ``--verbose``: the kernels, and layers without any."""
        kind = "native kernels" if self.native else f"PyTorch's operators on {self.device}"
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
        return torch.get_num_threads() if self.native else 0

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


def classes(
    kernels: str, device: torch.device, precision: str
) -> dict[str, tuple[type[Operation], ...]]:
    """Return the operations to choose from, by node type."""
    if kernels == "torch" or device.type != "cpu" or precision == "bfloat16":
        return TORCH
    try:
        from .native import NATIVE
    except ImportError:
        if kernels == "native":
            raise
        return TORCH
    # What no kernel suits is left to PyTorch's operators.
    return {type: (*NATIVE[type], *TORCH.get(type, ())) for type in NATIVE}  # noqa: A001


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
    early: set[Value]  # their diffs are masked by the reader that writes them
    data: dict[Value, tuple[int, int]]  # start, step
    diff: dict[Value, tuple[int, int]]
    saved: dict[Node, list[tuple[int, Shape, torch.dtype]]]
    floats: int
    scratch: int
    blobs: int


def lay_out(program: Program, inferred: Any, class_of: Any) -> Layout:
    """Run the passes that depend on the size: schedule and allocate."""
    shapes = {value: tuple(inferred[value.blob]) for value in program.values()}
    kinds = {node: class_of(node, [shapes[v] for v in node.bottoms]) for node in program.nodes}
    moving = with_gradient(program)
    order = schedule(program, lambda node: kinds[node].reads_back(node))

    early = {
        value
        for value in order.diff
        if value.maker is not None
        and order.saved.get(value.maker)
        and value.maker.activation is not None
        and not value.maker.activation.everywhere
        and len(value.maker.tops) == 1
        and len(value.readers) == 1
        and value not in program.targets.values()
        and kinds[value.readers[0]].masks
    }

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
    for joins, used in ((joinable, order.data), (joinable_diff, order.diff)):
        storages = place(program, channels, list(used), joins)
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
    kept: dict[Node, list[tuple[int, Shape, torch.dtype]]] = {}
    for node, life in order.saved.items():
        bottoms, tops = [shapes[v] for v in node.bottoms], [shapes[v] for v in node.tops]
        kept[node] = []
        for shape, dtype in kinds[node].saves(node, bottoms, tops):
            size = torch.empty((), dtype=dtype).element_size()
            kept[node].append((len(sizes), shape, dtype))
            sizes.append(-(-math.prod(shape) * size // 4))
            lives.append(life)
    places, floats = pack(sizes, lives)
    data, diff = (
        {value: (places[i] + at, width) for value, i, at, width in entries} for entries in found
    )
    saved = {node: [(places[i], s, t) for i, s, t in entries] for node, entries in kept.items()}
    scratch = blobs = 0
    for node, kind in kinds.items():
        bottoms, tops = [shapes[v] for v in node.bottoms], [shapes[v] for v in node.tops]
        scratch = max(scratch, kind.scratch(node, bottoms, tops))
        if issubclass(kind, ByLayer):
            blobs += kind.memory(node, bottoms, tops)
    return Layout(
        program, shapes, kinds, order, moving, early, data, diff, saved, floats, scratch, blobs
    )


class Plan:
    """A net's way to its targets and back, at one size.

    Use it in this order: write the picture to `data`, run `forward`, read `target_data` and write
    `target_diff`, run `backward`, read `diff`. All arrays are parts of one block of memory and are
    used for other things in between.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels.
    data, diff : Tensor
        (1, 3, h, w) float32, the picture and the gradient with respect to it; channels last.
    ends : tuple of str
    target_data, target_diff : dict of str to Tensor
        (1, c, th, tw) float32 by layer; the whole of each diff has to be written.
    workers : Workers or None
        The threads of native kernels.
    """

    def __init__(self, planner: Planner, layout: Layout) -> None:
        program, order = layout.program, layout.schedule
        self.ends = planner.ends
        self.precision = planner.precision
        self.size = layout.shapes[program.picture][2:]
        self.workers: Workers | None = workers(torch.get_num_threads()) if planner.native else None
        with _memory(layout.floats):
            block = new_block(layout.floats, planner.device)
            scratch = [new_block(layout.scratch, planner.device) for _ in range(planner._threads())]
        data = {v: Array(block, *at, layout.shapes[v]) for v, at in layout.data.items()}
        diff = {v: Array(block, *at, layout.shapes[v]) for v, at in layout.diff.items()}
        self._constants = [
            (data[value].image, torch.as_tensor(planner.net.blobs[name].get_data()))
            for name, value in program.inputs.items()
            if value is not program.picture
        ]
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
                self._mask_below(node, layout, operations),
                node.tops[0] in layout.early,
            )
            operations[node] = layout.kinds[node](site)
        self._forward = [operations[node] for node in order.forward]
        self._backward = [operations[node] for node in order.backward]
        self._zeroed = [diff[value].image for value in order.zeroed]
        self.data = data[program.picture].image
        if program.picture in diff:
            self.diff = diff[program.picture].image
        else:  # no gradient arrives
            self.diff = torch.zeros_like(self.data)
        self.target_data = {end: data[value].image for end, value in program.targets.items()}
        self.target_diff = {
            end: diff[value].image if value in diff else torch.empty_like(data[value].image)
            for end, value in program.targets.items()
        }

    @staticmethod
    def _mask_below(
        node: Node, layout: Layout, operations: dict[Node, Operation]
    ) -> torch.Tensor | None:
        """Return the mask that a node applies for the one before it."""
        for value in node.bottoms:
            if value in layout.early and value.maker is not None:
                mask: torch.Tensor = operations[value.maker].saved[0]
                return mask
        return None

    def forward(self) -> None:
        """Compute `target_data` from `data`."""
        with self.threads():
            for image, value in self._constants:
                image.copy_(value)
            for operation in self._forward:
                operation.forward()

    def backward(self) -> None:
        """Compute `diff` from `target_diff`."""
        with self.threads():
            for image in self._zeroed:
                image.zero_()
            for operation in self._backward:
                operation.backward()

    @contextlib.contextmanager
    def threads(self) -> Iterator[None]:
        """Set PyTorch up as the plan needs it: threads, exactness, no autograd."""
        engaged = self.workers.engaged() if self.workers else contextlib.nullcontext()
        with torch.no_grad(), _products(self.precision), engaged:
            yield


@contextlib.contextmanager
def _products(precision: str) -> Iterator[None]:
    """Let a GPU round the factors of products to TF32 only where that was asked for."""
    if not torch.cuda.is_available():
        yield
        return
    tf32 = precision != "float32"
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32
    ):
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before


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
