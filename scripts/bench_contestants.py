"""The contestants of `scripts/bench.py`: the notebook's step, as each one's users would write it.

They run in processes of `scripts/bench_worker.py`. ``caffe`` runs inside the environment of
`scripts/install_caffe.sh`, so this file needs numpy and the standard library only, and nothing
newer than Python 3.9. Each class imports what it needs when it is made.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


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
        self.memory_before = peak_memory()
        self.load(job)

    def imports(self, threads):
        """Import what the net needs; what that takes counts as the program, not as the net."""

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
        """The notebook's ``deepdream``; `tick` is called after each step."""
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
                tick()
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
    """What the contestants on PyTorch share."""

    channels_last = False

    def imports(self, threads):
        sys.path.insert(0, str(ROOT))
        import torch

        import deepdream
        import deepdream.dreaming.dream
        import deepdream.models.load
        import deepdream.running.net  # noqa: F401

        torch.set_num_threads(threads)
        self.torch, self.deepdream = torch, deepdream

    def facts(self):
        facts = {
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "torch": self.torch.__version__,
            "instructions": self.torch.backends.cpu.get_cpu_capability(),
        }
        with contextlib.suppress(metadata.PackageNotFoundError):
            facts["numba"] = metadata.version("numba")
        if self.job["device"] != "cpu":
            facts["gpu"] = self.torch.cuda.get_device_name()
            facts["cuda"] = self.torch.version.cuda
        return facts

    def load(self, job):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.net = self.deepdream.load_net(
                job["prototxt"], job["caffemodel"], mean=job["mean"], device=job["device"]
            )

    def synchronize(self):
        if self.job["device"] != "cpu":
            self.torch.cuda.synchronize()


class Autograd(Ours):
    """A module of stock operators and autograd, see `scripts/bench_autograd.py`."""

    def load(self, job):
        from bench_autograd import AutogradNet

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

    def load(self, job):
        from deepdream.running.plan import planner

        super().load(job)
        self.planned = 0
        wrapped = planner.Plan.forward

        def forward(plan):
            self.planned += 1
            wrapped(plan)

        planner.Plan.forward = forward

    def face(self):
        return self.net

    def steps(self, img, tick, jitter=32, clip=True):
        taken = self.dream(img, tick, 10**6, 1, jitter=jitter, clip=clip)
        return np.asarray(taken)

    def dream(self, img, tick, iter_n=10, octave_n=4, octave_scale=1.4, **more):
        return self.deepdream.dream(
            self.face(), img, self.job["end"], iter_n=iter_n, octave_n=octave_n,
            octave_scale=octave_scale, on_step=lambda step: self.checked(tick()),
            **self.job["dream"], **more,
        )  # fmt: skip

    def checked(self, go_on):
        if not self.planned:
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

    def load(self, job):
        Ours.load(self, job)

    def face(self):
        return PlainNet(self.net)

    def checked(self, go_on):
        return go_on


class Bare(Ours):
    """A plan's forward, L2 and backward alone: no roll, no normalising, no clip."""

    def load(self, job):
        from deepdream.running.plan.planner import Planner

        super().load(job)
        self.planner = Planner(self.net, job["end"], device=job["device"])

    def steps(self, img, tick, jitter=32, clip=True):
        x = self.preprocess(img)
        plan, end = self.planner.plan(*img.shape[:2]), self.job["end"]
        picture = self.torch.from_numpy(np.ascontiguousarray(x))[None].to(self.job["device"])
        while True:
            plan.data.copy_(picture)  # its memory was used for other things
            plan.forward()
            plan.target_diff[end].copy_(plan.target_data[end])
            plan.backward()
            if not tick():
                g = plan.diff[0].cpu().numpy()
                return self.deprocess(x + 1.5 / np.abs(g).mean() * g)

    def dream(self, img, tick, iter_n=10, octave_n=4, octave_scale=1.4):
        raise NotImplementedError("it takes no whole dreams")


class Floor(Ours):
    """A product of two 2048 x 2048 matrices, five times a turn; the median counts."""

    SIDE = 2048
    FLOP = 2 * SIDE**3

    def load(self, job):
        torch = self.torch
        if job["device"] != "cpu":
            torch.backends.cuda.matmul.allow_tf32 = False
        self.a, self.b = torch.rand(2, self.SIDE, self.SIDE, device=job["device"])
        self.c = torch.empty_like(self.a)

    def product(self):
        self.torch.mm(self.a, self.b, out=self.c)
        self.synchronize()

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
    "plan": Dream,
    "plan-bare": Bare,
    "floor": Floor,
}
