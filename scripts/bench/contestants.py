"""The contestants of `scripts/bench.py`: the notebook's step, as each one's users would write it.

They run in processes of `scripts/bench/worker.py`. ``caffe`` runs inside the environment of
`scripts/install_caffe.sh`, and ``baseline`` in that of another revision, so this file needs numpy
and the standard library only, and nothing newer than Python 3.9. Each class imports what it needs
when it is made, and nothing else: the imports count in the time of the first step.

Of ``deepdream`` they use what is public, so that any revision can take part. Where one looks
inside, it asks what is there first: blobs and plans may hold PyTorch's tensors or NumPy's arrays.
"""

from __future__ import annotations

import inspect
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from bench.arrays import as_numpy, like

# The notebook's parameters, by name: the defaults of a revision may be others.
NOTEBOOK = {"step_size": 1.5, "jitter": 32}


def peak_memory():
    """Return the largest resident size this program has had, in MiB."""
    try:
        # Unlike ru_maxrss it starts anew with the program, without what its parent had.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Contestant:
    """Something that can take the notebook's steps. `move` is left to those that have a step."""

    def __init__(self, job):
        self.job = job
        self.mean = np.float32(job["mean"]).reshape(3, 1, 1)
        self.imports(job["threads"])
        self.imported = time.time()
        self.load(job)

    def imports(self, threads):
        """Import what is called."""

    def load(self, job):
        """Make the net ready."""

    def facts(self):
        """Return what identifies it: versions, threads."""
        return {}

    def synchronize(self):
        """Wait for the device."""

    def reshape(self, h, w):
        """Make ready for pictures of this size."""

    def move(self, x, jitter, clip):
        """Return x, (3, h, w) in the contestant's own arrays, after one step."""
        raise NotImplementedError

    def to_own(self, x):
        """Return a numpy array as the contestant holds it."""
        return x

    def to_numpy(self, x):
        """Return what the contestant holds as a numpy array."""
        return x

    def preprocess(self, img):
        return np.float32(np.rollaxis(img, 2)[::-1]) - self.mean

    def steps(self, img, tick, jitter=32, clip=True):
        """Take steps until `tick`, called after each, returns False; return the picture."""
        x = self.to_own(self.preprocess(img))
        self.reshape(*img.shape[:2])
        while True:
            x = self.move(x, jitter, clip)
            if not tick():
                return self.deprocess(self.to_numpy(x))

    def deprocess(self, x):
        return np.dstack((x + self.mean)[::-1])

    def dream(self, img, tick, iter_n=10, octave_n=4, octave_scale=1.4):
        """The notebook's ``deepdream``; `tick` is called after each step, and False ends it."""
        import scipy.ndimage as nd

        octaves = [self.preprocess(img)]
        for _ in range(octave_n - 1):
            octaves.append(
                nd.zoom(octaves[-1], (1, 1.0 / octave_scale, 1.0 / octave_scale), order=1)
            )
        detail = np.zeros_like(octaves[-1])
        for octave, octave_base in enumerate(octaves[::-1]):
            h, w = octave_base.shape[-2:]
            if octave > 0:
                h1, w1 = detail.shape[-2:]
                detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)
            self.reshape(h, w)
            x = self.to_own(octave_base + detail)
            for _ in range(iter_n):
                x = self.move(x, 32, True)
                if tick() is False:
                    return None
            x = self.to_numpy(x)
            detail = x - octave_base
        return self.deprocess(x)


class Caffe(Contestant):
    """The real Caffe under the notebook's numpy."""

    def imports(self, threads):
        import caffe

        self.caffe = caffe

    def facts(self):
        return {"caffe": self.caffe.__version__}

    def load(self, job):
        lacking = sorted(set(job["types"]) - set(self.caffe.layer_type_list()))
        if lacking:
            raise NotImplementedError("it has no layer type " + ", ".join(lacking))
        if job["device"] != "cpu":
            raise NotImplementedError("the prebuilt Caffe is for CPUs")
        self.net = self.caffe.Net(job["prototxt"], job["caffemodel"], self.caffe.TEST)

    def reshape(self, h, w):
        self.net.blobs["data"].reshape(1, 3, h, w)

    def move(self, x, jitter, clip):
        src, dst = self.net.blobs["data"], self.net.blobs[self.job["end"]]
        if x is not src:
            src.data[0] = x
        ox, oy = np.random.randint(-jitter, jitter + 1, 2)
        src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)
        self.net.forward(end=self.job["end"])
        dst.diff[:] = dst.data
        self.net.backward(start=self.job["end"])
        g = src.diff[0]
        src.data[:] += 1.5 / np.abs(g).mean() * g
        src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)
        if clip:
            src.data[:] = np.clip(src.data, -self.mean, 255 - self.mean)
        return src  # the notebook's picture stays in the net

    def to_numpy(self, x):
        return x.data[0].copy()


class Ours(Contestant):
    """What the contestants with this package share."""

    def imports(self, threads):
        if self.job["path"]:
            sys.path.insert(0, self.job["path"])
        import deepdream

        if not deepdream.__file__.startswith(self.job["inside"]):
            raise ImportError(f"{deepdream.__file__} is not in {self.job['inside']}")
        # They are imported when they are asked for.
        self.deepdream, _ = deepdream, (deepdream.load_net, deepdream.dream)

    def facts(self):
        from importlib import metadata

        facts = {"python": sys.version.split()[0], "instructions": instructions()}
        for name in ("numpy", "numba", "torch"):
            try:
                facts[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        torch = sys.modules.get("torch")
        if torch is not None:
            facts["torch"] = torch.__version__  # which tells the build
        if self.job["device"] != "cpu":
            facts["gpu"] = torch.cuda.get_device_name()
            facts["cuda"] = torch.version.cuda
        return facts

    def load(self, job):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.net = self.deepdream.load_net(
                job["prototxt"], job["caffemodel"], mean=job["mean"], device=job["device"]
            )

    def synchronize(self):
        if self.job["device"] != "cpu":
            sys.modules["torch"].cuda.synchronize()


def instructions():
    """Return the widest vectors that are used, as PyTorch says, or else NumPy."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.backends.cpu.get_cpu_capability()
    core = getattr(np, "_core", None) or np.core
    features = core._multiarray_umath.__cpu_features__
    found = [name for name in ("AVX512F", "AVX2", "NEON") if features.get(name)]
    return found[0].replace("512F", "512") if found else "no known"


class Autograd(Ours):
    """A module of stock operators and autograd, see `scripts/bench/autograd.py`."""

    channels_last = False

    def imports(self, threads):
        import torch

        super().imports(threads)
        torch.set_num_threads(threads)
        self.torch = torch

    def load(self, job):
        from bench.autograd import AutogradNet

        super().load(job)
        module = AutogradNet(self.net, job["end"], self.channels_last)
        del self.net
        self.module = module.to(job["device"])
        self.low = self.torch.tensor(-self.mean, device=job["device"])
        self.high = self.low + 255

    def move(self, x, jitter, clip):
        torch = self.torch
        ox, oy = np.random.randint(-jitter, jitter + 1, 2).tolist()
        x = torch.roll(x, (oy, ox), (-2, -1)).requires_grad_()
        y = self.module(x[None])
        y.backward(y.detach())
        with torch.no_grad():
            x = x + 1.5 / x.grad.abs().mean() * x.grad
            x = torch.roll(x, (-oy, -ox), (-2, -1))
            return torch.clamp(x, self.low, self.high) if clip else x

    def to_own(self, x):
        return self.torch.from_numpy(np.ascontiguousarray(x)).to(self.job["device"])

    def to_numpy(self, x):
        return x.cpu().numpy()


class AutogradChannelsLast(Autograd):
    """The same with NHWC memory."""

    channels_last = True


class Dream(Ours):
    """What users call: `deepdream.dream`, on the plan."""

    planned = None  # how many times a plan ran; None where nobody counts

    def load(self, job):
        super().load(job)
        if job["task"] == "steps":
            self.count_plans()
        known = inspect.signature(self.deepdream.dream).parameters
        # Where there are styles, the one that does as the notebook does.
        self.notebook = {**NOTEBOOK, **({"style": "2015"} if "style" in known else {})}

    def count_plans(self):
        """Have a plan's passes counted, in revisions that have plans where we know them."""
        try:
            from deepdream.running.plan.planner import Plan
        except ImportError:
            return
        self.planned, passes = 0, Plan.forward

        def forward(plan):
            self.planned += 1
            passes(plan)

        Plan.forward = forward

    def face(self):
        return self.net

    def steps(self, img, tick, jitter=32, clip=True):
        return np.asarray(self.dream(img, tick, 10**6, 1, jitter=jitter, clip=clip))

    def dream(self, img, tick, iter_n=10, octave_n=4, octave_scale=1.4, **more):
        return self.deepdream.dream(
            self.face(), img, self.job["end"], iter_n=iter_n, octave_n=octave_n,
            octave_scale=octave_scale, on_step=lambda step: self.checked(tick()),
            **{**self.notebook, **self.job["dream"], **more},
        )  # fmt: skip

    def checked(self, go_on):
        if self.planned == 0:
            raise NotImplementedError("dream does not use the plan for this net")
        return go_on


class PlainNet:
    """A `Net` with no more of its attributes than pycaffe's has: dreams run it layer by layer."""

    def __init__(self, net):
        for name in ("blobs", "inputs", "top_names", "bottom_names", "forward", "backward",
                     "transformer"):  # fmt: skip
            setattr(self, name, getattr(net, name))


class DreamNet(Dream):
    """`deepdream.dream` on `Net`, without a plan."""

    def count_plans(self):
        pass

    def face(self):
        return PlainNet(self.net)


class Bare(Ours):
    """A plan's forward, L2 and backward alone: no roll, no normalising, no clip."""

    def load(self, job):
        from deepdream.running.plan.planner import Planner

        super().load(job)
        on = {} if job["device"] == "cpu" else {"device": job["device"]}
        self.planner = Planner(self.net, job["end"], **on)

    def steps(self, img, tick, jitter=32, clip=True):
        x = np.ascontiguousarray(self.preprocess(img))[None]
        plan, end = self.planner.plan(*img.shape[:2]), self.job["end"]
        picture = like(plan.data, x)
        while True:
            plan.data[:] = picture  # its memory was used for other things
            plan.forward()
            plan.target_diff[end][:] = plan.target_data[end]
            plan.backward()
            if not tick():
                g = as_numpy(plan.diff)[0]
                return self.deprocess(x[0] + 1.5 / np.abs(g).mean() * g)

    def dream(self, img, tick, iter_n=10, octave_n=4, octave_scale=1.4):
        raise NotImplementedError("it takes no whole dreams")


class Floor(Contestant):
    """A product of two 2048 x 2048 matrices, five times a turn; the median counts.

    PyTorch computes it, or NumPy where there is no PyTorch; `facts` says which.
    """

    SIDE = 2048

    def imports(self, threads):
        try:
            import torch
        except ImportError:
            torch = None
        else:
            torch.set_num_threads(threads)
        self.torch = torch

    def facts(self):
        return {"sgemm": "NumPy" if self.torch is None else "PyTorch"}

    def load(self, job):
        a, b = np.random.rand(2, self.SIDE, self.SIDE).astype(np.float32)
        if self.torch is None:
            self.a, self.b, self.c, self.mm = a, b, np.empty_like(a), np.matmul
            return
        self.torch.backends.cuda.matmul.allow_tf32 = False
        self.a, self.b = (self.torch.from_numpy(m).to(job["device"]) for m in (a, b))
        self.c, self.mm = self.torch.empty_like(self.a), self.torch.mm

    def product(self):
        self.mm(self.a, self.b, out=self.c)
        if self.job["device"] != "cpu":
            self.torch.cuda.synchronize()

    def steps(self, img, tick, jitter=32, clip=True):
        while True:
            took = []
            for _ in range(5):
                start = time.perf_counter()
                self.product()
                took.append(time.perf_counter() - start)
            if not tick(sorted(took)[2]):
                return


CONTESTANTS = {
    "caffe": Caffe,
    "autograd": Autograd,
    "autograd-cl": AutogradChannelsLast,
    "net": DreamNet,
    "baseline": Dream,
    "plan": Dream,
    "plan-bare": Bare,
    "floor": Floor,
}
