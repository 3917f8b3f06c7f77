"""Google's DeepDream notebook of 2015, its code cells in Python 3, as a program.

It runs under the real Caffe (``import caffe``, Python 3.9) and under ``deepdream.caffe``, so that
the two can be compared. The functions keep the notebook's names, steps and draws from `np.random`;
`Recorder` stands beside them and writes down what went into and came out of the net.

    python notebook_2015.py deploy.prototxt x.caffemodel sky.png flowers.png OUT [--install] ...

writes OUT/seed_S.npz for each seed, without pickles:

``blob_names``
    ``net.blobs.keys()``.
``step_K_*``, K = 0, 1, ...
    The first step of dream K, all dreams' first steps one after another in one net, so that each
    finds the stale diffs of those before it but none of their chaos. ``input``, ``objective``
    (the diff that the objective wrote), ``gradient``, ``output`` (the picture after the step) and
    ``blob_N``, the data of blob number N.
``dream_K_*``
    The notebook as it is, cell after cell: ``input`` and ``gradient`` of the first step, and
    ``final``, the picture that the cell shows.

Source: google/deepdream, dream.ipynb. Nothing of the deepdream package is needed but for --install.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import PIL.Image
import scipy.ndimage as nd
from google.protobuf import text_format

SCALE = 0.05  # of the zoom loop


def showarray(a):
    """The notebook displays the picture here; the conversion is all that is left of it."""
    return np.uint8(np.clip(a, 0, 255))


def load_net(caffe, prototxt, weights, folder):
    """Load a net for gradients: the prototxt is copied with ``force_backward: true``."""
    model = caffe.io.caffe_pb2.NetParameter()
    text_format.Merge(Path(prototxt).read_text(), model)
    model.force_backward = True
    patched = Path(folder) / "tmp.prototxt"
    patched.write_text(str(model))
    return caffe.Classifier(
        str(patched),
        str(weights),
        mean=np.float32([104.0, 116.0, 122.0]),
        channel_swap=(2, 1, 0),
    )


def preprocess(net, img):
    return np.float32(np.rollaxis(img, 2)[::-1]) - net.transformer.mean["data"]


def deprocess(net, img):
    return np.dstack((img + net.transformer.mean["data"])[::-1])


def objective_L2(dst):
    dst.diff[:] = dst.data


def make_step(
    net, step_size=1.5, end="inception_4c/output", jitter=32, clip=True, objective=objective_L2
):
    """One step uphill, in place."""
    src = net.blobs["data"]
    dst = net.blobs[end]

    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)

    net.forward(end=end)
    objective(dst)
    net.backward(start=end)
    g = src.diff[0]
    src.data[:] += step_size / np.abs(g).mean() * g

    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)

    if clip:
        bias = net.transformer.mean["data"]
        src.data[:] = np.clip(src.data, -bias, 255 - bias)


def octaves(net, img, octave_n, octave_scale):
    """The picture and its smaller copies, largest first."""
    bases = [preprocess(net, img)]
    for _ in range(octave_n - 1):
        bases.append(nd.zoom(bases[-1], (1, 1.0 / octave_scale, 1.0 / octave_scale), order=1))
    return bases


def deepdream(
    net,
    base_img,
    iter_n=10,
    octave_n=4,
    octave_scale=1.4,
    end="inception_4c/output",
    clip=True,
    **step_params,
):
    """Dream through the octaves, smallest first."""
    bases = octaves(net, base_img, octave_n, octave_scale)
    src = net.blobs["data"]
    detail = np.zeros_like(bases[-1])
    for octave, octave_base in enumerate(bases[::-1]):
        h, w = octave_base.shape[-2:]
        if octave > 0:
            h1, w1 = detail.shape[-2:]
            detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)
        src.reshape(1, 3, h, w)
        src.data[0] = octave_base + detail
        for _ in range(iter_n):
            make_step(net, end=end, clip=clip, **step_params)
            vis = deprocess(net, src.data[0])
            if not clip:
                vis = vis * (255.0 / np.percentile(vis, 99.98))
            showarray(vis)
        detail = src.data[0] - octave_base
    return deprocess(net, src.data[0])


def guided_objective(net, guide, end="inception_3b/output"):
    """The cells that show the net a guide picture and define the objective that follows it."""
    h, w = guide.shape[:2]
    src, dst = net.blobs["data"], net.blobs[end]
    src.reshape(1, 3, h, w)
    src.data[0] = preprocess(net, guide)
    net.forward(end=end)
    guide_features = dst.data[0].copy()

    def objective_guide(dst):
        x = dst.data[0].copy()
        y = guide_features
        ch = x.shape[0]
        x = x.reshape(ch, -1)
        y = y.reshape(ch, -1)
        A = x.T.dot(y)
        dst.diff[0].reshape(ch, -1)[:] = y[:, A.argmax(1)]

    return objective_guide


class Recorder:
    """Writes down the first backward pass after each call of `expect`."""

    def __init__(self, net, arrays):
        self.net, self.arrays, self.prefix = net, arrays, None
        self.backward = net.backward
        net.backward = self.recording_backward

    def expect(self, prefix, blobs=False):
        self.prefix, self.blobs = prefix, blobs

    def recording_backward(self, start):
        prefix, self.prefix = self.prefix, None
        src = self.net.blobs["data"]
        if prefix:
            self.arrays[prefix + "input"] = src.data.copy()
            self.arrays[prefix + "objective"] = self.net.blobs[start].diff.copy()
            if self.blobs:
                last = list(self.net._layer_names).index(start)
                # Blobs beyond `start` keep an older shape, and content from before.
                made = {top for name in list(self.net._layer_names)[: last + 1]
                        for top in self.net.top_names[name]}  # fmt: skip
                for number, (name, blob) in enumerate(self.net.blobs.items()):
                    if name in made:
                        self.arrays[f"{prefix}blob_{number}"] = blob.data.copy()
        self.backward(start=start)
        if prefix:
            self.arrays[prefix + "gradient"] = src.diff.copy()


def first_steps(net, recorder, img, guide, octave_n, octave_scale=1.4):
    """The first step of each dream, from the picture's smallest octave, in one net."""
    base = octaves(net, img, octave_n, octave_scale)[-1]
    src = net.blobs["data"]
    for k, params in enumerate(
        (
            {},
            {"end": "inception_3b/5x5_reduce"},
            {"end": "inception_3b/output", "objective": guide},
        )
    ):
        params = dict(params)
        if "objective" in params:
            params["objective"] = guided_objective(net, guide, params["end"])
        src.reshape(1, *base.shape)
        src.data[0] = base
        recorder.expect(f"step_{k}_", blobs=True)
        make_step(net, **params)
        recorder.arrays[f"step_{k}_output"] = src.data.copy()


def dreams(net, recorder, img, guide, folder, frame_n, **params):
    """The notebook from the first dream on, cell after cell in one net."""
    k = 0

    def show(picture):
        nonlocal k
        recorder.arrays[f"dream_{k}_final"] = np.float32(picture)
        k += 1
        recorder.expect(f"dream_{k}_")

    recorder.expect("dream_0_")
    show(deepdream(net, img, **params))

    show(deepdream(net, img, end="inception_3b/5x5_reduce", **params))

    frames = Path(folder) / "frames"
    frames.mkdir(exist_ok=True)
    frame = img
    h, w = frame.shape[:2]
    s = SCALE
    for frame_i in range(frame_n):
        frame = deepdream(net, frame, **params)
        PIL.Image.fromarray(np.uint8(frame)).save(str(frames / f"{frame_i:04d}.jpg"))
        show(frame)
        frame = nd.affine_transform(frame, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)

    end = "inception_3b/output"
    objective_guide = guided_objective(net, guide, end)
    show(deepdream(net, img, end=end, objective=objective_guide, **params))


def run(caffe, prototxt, weights, sky, flowers, folder, seed=0, noise=0.0, frame_n=2, **params):
    """Run the notebook once and return what `Recorder` wrote.

    `params` go to `deepdream`: iter_n, octave_n, octave_scale. `noise` is the standard deviation,
    in grey levels, of what is added to the picture to see how much a rounding grows.
    """
    arrays = {}
    img = np.float32(PIL.Image.open(str(sky)))
    guide = np.float32(PIL.Image.open(str(flowers)))
    if noise:
        img += np.float32(noise * np.random.RandomState(seed).standard_normal(img.shape))

    net = load_net(caffe, prototxt, weights, folder)
    arrays["blob_names"] = np.array(list(net.blobs.keys()))
    np.random.seed(seed)
    first_steps(net, Recorder(net, arrays), img, guide, params.get("octave_n", 4))

    net = load_net(caffe, prototxt, weights, folder)
    np.random.seed(seed)
    dreams(net, Recorder(net, arrays), img, guide, folder, frame_n, **params)
    return arrays


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("prototxt", "weights", "sky", "flowers", "out"):
        parser.add_argument(name)
    parser.add_argument("--install", action="store_true", help="use deepdream.caffe as caffe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--frame-n", type=int, default=2)
    parser.add_argument("--iter-n", type=int, default=10)
    parser.add_argument("--octave-n", type=int, default=4)
    args = parser.parse_args()
    os.environ.setdefault("GLOG_minloglevel", "2")
    if args.install:
        import deepdream.caffe

        deepdream.caffe.install()
    import caffe

    caffe.set_mode_cpu()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        arrays = run(
            caffe, args.prototxt, args.weights, args.sky, args.flowers, out,
            seed=seed, noise=args.noise, frame_n=args.frame_n,
            iter_n=args.iter_n, octave_n=args.octave_n,
        )  # fmt: skip
        np.savez(str(out / f"seed_{seed}.npz"), **arrays)


if __name__ == "__main__":
    main()
