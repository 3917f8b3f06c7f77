"""Run a job on a Caffe: the real one in a process of its own, or any module that looks like it.

A *job* is a list of steps in JSON ("build this net", "write this blob", "run backward from here",
"read that blob") and the arrays that the steps name. `run_job(caffe, steps, arrays)` carries it
out and returns what was read: arrays, and facts (names, shapes, kinds of exception) as JSON. The
same function runs a job on the real Caffe and on `deepdream.caffe`, so a case is written once and
whatever differs is a difference of the engines.

Run as a program it is the far side of `tests/caffe_client.py`: it reads the names of folders from
its standard input, a line each, and writes a line when it has done what lies there. A folder holds
``jobs.json``, a list of ``{"id": number, "steps": [...]}``, and ``<id>.in.npz``. Each job leaves
``<id>.out.npz`` and ``<id>.json``, and what it said on stderr in ``<id>.err``. Caffe ends the
process on an error, so every job runs in a process of its own, and one without ``<id>.json`` is
one that made Caffe die.

Only numpy and the standard library are used, and nothing newer than Python 3.9, because this file
runs inside the environment of `scripts/install_caffe.sh`. It knows nothing of our package.

Steps (``do``: the method of `Job` that carries it out; every key but `net` as listed there)::

    {"do": "net", "prototxt": "layer {...}", "phase": "TEST"}
    {"do": "write", "blob": "data", "array": "x"}
    {"do": "forward", "end": "conv1"}
    {"do": "read", "blob": "conv1", "name": "y"}
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

SAMPLES = 64  # values that `digest` picks from a blob


def natural_image(shape, seed):
    """Return a picture that looks like a photograph to a net: noise of every scale at once.

    Whole numbers and sums of exact fractions only, so that every machine draws the same picture.

    Parameters
    ----------
    shape : (int, int, int)
        Channels, height, width.
    seed : int
        Of the `numpy.random.RandomState` that draws it.

    Returns
    -------
    ndarray
        float32 of that shape, whole grey levels 0..255. No two neighbouring regions are flat.
    """
    channels, height, width = shape
    rng = np.random.RandomState(seed)
    total = np.zeros(shape)
    for octave in range(6, -1, -1):
        cell = 2**octave
        rows, columns = height // cell + 2, width // cell + 2
        # One part shared by the channels: real pictures are greyer than noise is.
        shared = rng.randint(-128, 129, (1, rows, columns))
        lattice = 2 * shared + rng.randint(-128, 129, (channels, rows, columns))
        y, fy = np.divmod(np.arange(height), cell)
        x, fx = np.divmod(np.arange(width), cell)
        fy, fx = (fy / cell)[:, None], fx / cell
        top = lattice[:, y][:, :, x] * (1 - fx) + lattice[:, y][:, :, x + 1] * fx
        bottom = lattice[:, y + 1][:, :, x] * (1 - fx) + lattice[:, y + 1][:, :, x + 1] * fx
        total += (top * (1 - fy) + bottom * fy) * (octave + 1) / 16
    return np.clip(np.floor(total / 2) + 128, 0, 255).astype(np.float32)


def drawn(shape, seed, low=-2, high=2, steps=1024):
    """Return random multiples of ``1 / steps`` between `low` and `high`, float32.

    Only whole numbers are drawn, so every machine gets the same values to the bit.
    """
    numbers = np.random.RandomState(seed).randint(
        round(low * steps), round(high * steps) + 1, shape
    )
    return np.float32(numbers / float(steps))


def digest(array, name):
    """Return what fingerprints a large blob: mean, std, min, max and 64 of its values.

    The positions depend on `name` and on the size only, so both engines pick the same ones.
    """
    flat = np.asarray(array).reshape(-1)
    if flat.size == 0:
        return np.zeros(0, np.float32)
    where = np.random.RandomState(zlib.crc32(name.encode())).randint(0, flat.size, SAMPLES)
    statistics = flat.mean(dtype=np.float64), flat.std(dtype=np.float64), flat.min(), flat.max()
    return np.concatenate([np.float32(statistics), flat[where]])


def seeded_blobs(name, kind, shapes, seed, reads_image=False):
    """Return the parameter blobs that seed `seed` gives to the layer `name`.

    The rule is the one of `deepdream.running.fillers.seed_weights`, written again so that the
    real Caffe can have the same weights: the layer's own random stream, started from the checksum
    of its name and the seed, draws its blobs in order.

    Parameters
    ----------
    name, kind : str
        Name and type of the layer.
    shapes : list of tuple of int
        Of its parameter blobs.
    seed : int
        Non-negative.
    reads_image : bool
        The layer is the first convolution of the net's input: weights are 60 times smaller,
        because pixels are about that much larger than features.

    Returns
    -------
    list of ndarray
        float32, one per shape.
    """
    rng = np.random.RandomState(zlib.crc32(name.encode()) ^ seed)

    def one(index, shape):
        if kind in ("Convolution", "InnerProduct", "Deconvolution"):
            if index == 1:
                return 0.1 * rng.standard_normal(shape)
            fan_in = shape[0] if kind == "Deconvolution" else int(np.prod(shape[1:]))
            scale = np.sqrt(2.0 / fan_in) / (60.0 if reads_image else 1.0)
            return rng.standard_normal(shape) * scale
        if kind == "BatchNorm":
            if index == 0:
                return 0.2 * rng.standard_normal(shape)
            return rng.uniform(0.5, 1.5, shape) if index == 1 else np.ones(shape)
        if kind == "Scale" and index == 0:
            return rng.uniform(0.6, 1.4, shape)
        if kind == "PReLU":
            return rng.uniform(0.1, 0.4, shape)
        return 0.1 * rng.standard_normal(shape)

    return [np.asarray(one(i, tuple(shape)), np.float32) for i, shape in enumerate(shapes)]


class Job:
    """One job in progress: its nets, its files, and what it has read so far.

    Every public method is a step. Steps act on the net ``net`` (default ``"net"``).

    Attributes
    ----------
    nets : dict
        Net name -> net.
    results, facts : dict
        What was read, see `run_job`.
    """

    def __init__(self, caffe, arrays, folder):
        self._caffe = caffe
        self._arrays = arrays
        self._folder = folder
        self.nets = {}
        self._held = {}
        self.results = {}
        self.facts = {}

    def _blob_part(self, net, blob, part):
        return getattr(self.nets[net].blobs[blob], part)

    def _file(self, content, suffix):
        path = self._folder / f"{len(list(self._folder.iterdir()))}{suffix}"
        path.write_bytes(content)
        return str(path)

    def _prototxt_file(self, text):
        text = text if isinstance(text, str) else "\n".join(text)  # lines read better in JSON
        return self._file(text.encode(), ".prototxt")

    def _weights_file(self, key):
        """Path of the weights stored in the array `key` of bytes, or saved as ``saved:NAME``."""
        if key is None:
            return None
        if key.startswith("saved:"):
            return str(self._folder / key[len("saved:") :])
        return self._file(self._arrays[key].tobytes(), ".caffemodel")

    def _layers(self, net, end):
        """Return name and layer of all layers, or of those up to `end`."""
        target = self.nets[net]
        names = list(target._layer_names)
        names = names[: names.index(end) + 1] if end else names
        return list(zip(names, target.layers))

    def _made(self, net, end):
        """Return the blobs that the layers up to `end` make, without the copies of splits."""
        target = self.nets[net]
        made = {top for layer, _ in self._layers(net, end) for top in target.top_names[layer]}
        return [blob for blob in target.blobs if blob in made and "_split_" not in blob]

    def _keep(self, name, array):
        if name in self.results:
            raise ValueError(f"two results are called {name!r}")
        self.results[name] = np.array(array)  # a copy: blobs are views of live memory

    # Building

    def net(self, prototxt, net="net", phase="TEST", weights=None, level=0, stages=None):
        """Build a net from prototxt text (a string, or a list of lines)."""
        path = self._prototxt_file(prototxt)
        number = getattr(self._caffe, phase)
        extra = {}
        if weights is not None:
            extra["weights"] = self._weights_file(weights)
        if level or stages:
            extra.update(level=level, stages=stages or [])
        self.nets[net] = self._caffe.Net(path, number, **extra)

    def legacy_net(self, prototxt, weights, net="net", phase="TEST"):
        """Build a net the way of 2014: prototxt, caffemodel, phase, all by position."""
        path = self._prototxt_file(prototxt)
        number = getattr(self._caffe, phase)
        self.nets[net] = self._caffe.Net(path, self._weights_file(weights), number)

    def delete(self, net="net"):
        """Forget a net; what is held of it stays."""
        del self.nets[net]
        gc.collect()

    def seed(self, seed, end=None, net="net"):
        """Give the parameters of all layers, or of those up to `end`, their `seeded_blobs`."""
        target = self.nets[net]
        images = set(target.inputs)
        for name, layer in self._layers(net, end):
            shapes = [tuple(blob.shape) for blob in layer.blobs]
            if not shapes:
                continue
            first = layer.type == "Convolution" and images & set(target.bottom_names[name])
            for blob, value in zip(
                layer.blobs, seeded_blobs(name, layer.type, shapes, seed, bool(first))
            ):
                blob.data[...] = value
            if first:
                images = set()

    def copy_from(self, weights, net="net"):
        """Load weights into a net that exists."""
        self.nets[net].copy_from(self._weights_file(weights))

    def share_with(self, other, net="net"):
        """Let `net` use the weights of `other`."""
        self.nets[net].share_with(self.nets[other])

    def save(self, name, net="net", hdf5=False, keep=False):
        """Save the weights; later steps may name them ``saved:NAME``.

        With `keep` the bytes are a result too, ``file/NAME``. Two engines may write the same
        weights in different bytes.
        """
        path = self._folder / name
        (self.nets[net].save_hdf5 if hdf5 else self.nets[net].save)(str(path))
        if keep:
            self._keep(f"file/{name}", np.frombuffer(path.read_bytes(), np.uint8))

    # Writing

    def reshape(self, blob=None, shape=None, net="net"):
        """Reshape one blob, or without `blob` the whole net."""
        if blob is None:
            self.nets[net].reshape()
        else:
            self.nets[net].blobs[blob].reshape(*shape)

    def write(self, blob, array=None, value=None, part="data", net="net"):
        """Write an array, or one value everywhere, into a blob."""
        view = self._blob_part(net, blob, part)
        view[...] = value if array is None else self._arrays[array]

    def draw(self, blob, seed, low=-2, high=2, steps=1024, part="data", net="net"):
        """Fill a blob with `drawn` values."""
        view = self._blob_part(net, blob, part)
        view[...] = drawn(view.shape, seed, low, high, steps)

    def draw_params(self, seed, layer=None, low=-1, high=1, steps=1024, net="net"):
        """Fill the parameters of one layer (default: of all) with `drawn` values."""
        params = self.nets[net].params
        for name in [layer] if layer else list(params):
            for index, blob in enumerate(params[name]):
                blob.data[...] = drawn(blob.data.shape, seed + index, low, high, steps)
            seed += 10

    def write_image(self, blob, seed, net="net"):
        """Write a `natural_image`, less 120 grey levels, into a blob."""
        view = self._blob_part(net, blob, "data")
        for index in range(len(view)):
            view[index] = natural_image(view.shape[1:], seed + index) - 120

    def write_param(self, layer, index, array=None, value=None, part="data", net="net"):
        """Write one parameter blob of a layer."""
        view = getattr(self.nets[net].params[layer][index], part)
        view[...] = value if array is None else self._arrays[array]

    def objective(self, blob, net="net"):
        """Make the blob grow: its diff becomes its data."""
        target = self.nets[net].blobs[blob]
        target.diff[...] = target.data

    def notebook_step(self, end, roll, net="net", step_size=1.5, mean=120):
        """Do what the cell ``make_step`` of Google's notebook does, with a given jitter."""
        target = self.nets[net]
        src, dst = target.blobs["data"], target.blobs[end]
        src.data[0] = np.roll(src.data[0], tuple(roll), (-1, -2))
        target.forward(end=end)
        dst.diff[:] = dst.data
        target.backward(start=end)
        gradient = src.diff[0]
        src.data[:] += np.float32(step_size / np.abs(gradient).mean()) * gradient
        src.data[0] = np.roll(src.data[0], (-roll[0], -roll[1]), (-1, -2))
        src.data[:] = np.clip(src.data, -mean, 255 - mean)

    def clear_diffs(self, net="net", blobs=None):
        """Zero the diffs of some blobs (default all)."""
        for name in blobs or list(self.nets[net].blobs):
            self._blob_part(net, name, "diff")[...] = 0

    def clear_param_diffs(self, net="net"):
        """Call the net's method of that name."""
        self.nets[net].clear_param_diffs()

    def set_input_arrays(self, data, labels, net="net"):
        """Call the net's method of that name."""
        self.nets[net].set_input_arrays(self._arrays[data], self._arrays[labels])

    # Running

    def forward(self, start=None, end=None, blobs=None, inputs=None, name=None, net="net"):
        """Run forward; with `name`, keep what the call returns as ``name/BLOB``."""
        extra = {blob: self._arrays[key] for blob, key in (inputs or {}).items()}
        got = self.nets[net].forward(blobs=blobs, start=start, end=end, **extra)
        self._keep_returned(name, got)

    def backward(self, start=None, end=None, diffs=None, tops=None, name=None, net="net"):
        """Run backward; with `name`, keep what the call returns as ``name/BLOB``."""
        extra = {blob: self._arrays[key] for blob, key in (tops or {}).items()}
        got = self.nets[net].backward(diffs=diffs, start=start, end=end, **extra)
        self._keep_returned(name, got)

    def forward_all(self, name, inputs, blobs=None, net="net"):
        """Run batches; keep what the call returns as ``name/BLOB``."""
        extra = {blob: self._arrays[key] for blob, key in inputs.items()}
        self._keep_returned(name, self.nets[net].forward_all(blobs=blobs, **extra))

    def forward_backward_all(self, name, inputs, tops, blobs=None, diffs=None, net="net"):
        """Run batches both ways; keep both dicts as ``name/forward/...``, ``name/backward/...``."""
        extra = {blob: self._arrays[key] for blob, key in {**inputs, **tops}.items()}
        both = self.nets[net].forward_backward_all(blobs=blobs, diffs=diffs, **extra)
        for kind, got in zip(("forward", "backward"), both):
            self._keep_returned(f"{name}/{kind}", got)

    def run_layers(self, first, last, name, backward=False, net="net"):
        """Run layers by number with the low-level calls; keep the loss as a fact."""
        call = self.nets[net]._backward if backward else self.nets[net]._forward
        loss = call(first, last)
        self.facts[name] = None if loss is None else float(np.float32(loss))

    def _keep_returned(self, name, got):
        if name is not None:
            self.facts[name] = sorted(got)
            for blob, value in got.items():
                self._keep(f"{name}/{blob}", value)

    def hooks(self, name, net="net"):
        """Note the layer numbers that the four hooks see, in order, as the fact `name`."""
        seen = self.facts[name] = []
        for kind in ("before_forward", "after_forward", "before_backward", "after_backward"):
            getattr(self.nets[net], kind)(
                lambda number, kind=kind: seen.append([kind, int(number)])
            )

    def attempt(self, step, name):
        """Run a step that should raise; keep the exception's classes as the fact `name`."""
        try:
            self.take(step)
        except Exception as error:
            classes = [kind.__name__ for kind in type(error).__mro__]
            self.facts[name] = {"raises": classes[: classes.index("Exception") + 1]}
        else:
            self.facts[name] = {"raises": []}

    # Reading

    def read(self, blob, name=None, part="data", net="net"):
        """Keep a blob as `name` (default ``BLOB.PART``)."""
        self._keep(name or f"{blob}.{part}", self._blob_part(net, blob, part))

    def read_all(self, name, part="data", end=None, net="net"):
        """Keep every blob, or those that the layers up to `end` make, as ``name/BLOB``."""
        for blob in self._made(net, end) if end else self.nets[net].blobs:
            self._keep(f"{name}/{blob}", self._blob_part(net, blob, part))

    def trace(self, name, end, net="net"):
        """Run forward layer by layer and keep what each makes as ``name/LAYER/TOP``.

        In contrast to `read_all` this shows blobs before and after a layer works in place.
        """
        target = self.nets[net]
        for layer, _ in self._layers(net, end):
            target.forward(start=layer, end=layer)
            for top in target.top_names[layer]:
                self._keep(f"{name}/{layer}/{top}", target.blobs[top].data)

    def read_param(self, layer, index, name=None, part="data", net="net"):
        """Keep a parameter blob as `name` (default ``LAYER[INDEX].PART``)."""
        view = getattr(self.nets[net].params[layer][index], part)
        self._keep(name or f"{layer}[{index}].{part}", view)

    def digest(self, name, part="data", blobs=None, end=None, net="net"):
        """Keep the `digest` of blobs (default: all that the layers up to `end` make) together.

        The rows of the result follow the fact ``NAME``, a list of [blob, shape].
        """
        if blobs is None:
            blobs = self._made(net, end)
        views = [self._blob_part(net, blob, part) for blob in blobs]
        self.facts[name] = [[blob, list(view.shape)] for blob, view in zip(blobs, views)]
        self._keep(name, np.stack([digest(view, blob) for view, blob in zip(views, blobs)]))

    def hold(self, blob, name, part="data", net="net"):
        """Hold on to a live view of a blob."""
        self._held[name] = self._blob_part(net, blob, part)

    def read_held(self, held, name):
        """Keep what a held view shows by now."""
        self._keep(name, self._held[held])

    def write_held(self, held, array=None, value=None):
        """Write through a held view."""
        self._held[held][...] = value if array is None else self._arrays[array]

    def describe(self, name="net", net="net"):
        """Keep names, types, wiring and shapes as the fact `name`."""
        target = self.nets[net]
        self.facts[name] = {
            "layer_names": list(target._layer_names),
            "layer_types": [layer.type for layer in target.layers],
            "blobs": [[blob, list(value.shape)] for blob, value in target.blobs.items()],
            "params": [
                [layer, [list(blob.shape) for blob in blobs]]
                for layer, blobs in target.params.items()
            ],
            "inputs": list(target.inputs),
            "outputs": list(target.outputs),
            "top_names": [[layer, list(names)] for layer, names in target.top_names.items()],
            "bottom_names": [[layer, list(names)] for layer, names in target.bottom_names.items()],
            "loss_weights": [float(weight) for weight in target.blob_loss_weights.values()],
        }

    def shapes(self, name, net="net"):
        """Keep the shape of every blob as the fact `name`."""
        blobs = self.nets[net].blobs
        self.facts[name] = [[blob, list(value.shape)] for blob, value in blobs.items()]

    def legacy_shape(self, blob, name, net="net"):
        """Keep num, channels, height, width and count of a blob as the fact `name`."""
        target = self.nets[net].blobs[blob]
        parts = ("num", "channels", "height", "width", "count")
        self.facts[name] = [int(getattr(target, part)) for part in parts]

    def take(self, step):
        """Carry out one step that is written as a dict."""
        fields = dict(step)
        getattr(self, fields.pop("do"))(**fields)


def run_job(caffe, steps, arrays):
    """Carry out the steps of one job.

    Parameters
    ----------
    caffe : module
        The real `caffe`, or anything with the same `Net`, `TEST` and `TRAIN`.
    steps : list of dict
        See `Job`.
    arrays : dict of str to ndarray
        The arrays that the steps name.

    Returns
    -------
    results : dict of str to ndarray
        Copies of what was read.
    facts : dict
        What was noted, of JSON types only.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = Job(caffe, arrays, Path(folder))
        for number, step in enumerate(steps):
            try:
                job.take(step)
            except Exception as error:
                error.failed_step = f"step {number} of {len(steps)}: {step['do']}"
                raise
        return job.results, json.loads(json.dumps(job.facts))


def answer(caffe, folder, job):
    """Run one job of `main`; its results are complete once ``<id>.json`` is there."""
    number = job["id"]
    with np.load(folder / f"{number}.in.npz", allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    said = {}
    try:
        results, said["facts"] = run_job(caffe, job["steps"], arrays)
        np.savez(folder / f"{number}.out.npz", **results)
    except Exception as error:
        where = getattr(error, "failed_step", "")
        said["error"] = f"{type(error).__name__}: {error} ({where})"
    part = folder / f"{number}.json.part"
    part.write_text(json.dumps(said))
    part.replace(folder / f"{number}.json")


def main(folders):
    import caffe

    for line in folders:
        folder = Path(line.rstrip("\n"))
        for job in json.loads((folder / "jobs.json").read_text()):
            # A child for each job: importing Caffe again would cost a second.
            child = os.fork()
            if child == 0:
                with (folder / f"{job['id']}.err").open("w") as errors:
                    os.dup2(errors.fileno(), 2)
                answer(caffe, folder, job)
                os._exit(0)
            os.waitpid(child, 0)
        print("done", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.stdin)
