"""The loop of 2015 on the real Caffe, one dream at a time; runs in Caffe's own environment.

    caffe_loop.py PROTOTXT CAFFEMODEL END ITER_N OCTAVE_N OCTAVE_SCALE

Reads names of ``.npy`` files from its standard input, (h, w, 3) float32 RGB; writes the dream
beside each, ``NAME.out.npy``, and to its standard output the seconds that it took. As in Google's
dream.ipynb; only numpy, scipy and Caffe are used.
"""

import sys
import time

import caffe
import numpy as np
import scipy.ndimage as nd

MEAN = np.float32([104, 116, 122])[:, None, None]


def make_step(net, end, step_size=1.5, jitter=32):
    src, dst = net.blobs["data"], net.blobs[end]
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)
    net.forward(end=end)
    dst.diff[:] = dst.data
    net.backward(start=end)
    g = src.diff[0]
    src.data[:] += step_size / np.abs(g).mean() * g
    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)
    src.data[:] = np.clip(src.data, -MEAN, 255 - MEAN)


def dream(net, img, end, iter_n, octave_n, octave_scale):
    octaves = [np.float32(np.rollaxis(img, 2)[::-1]) - MEAN]
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], (1, 1.0 / octave_scale, 1.0 / octave_scale), order=1))
    src = net.blobs["data"]
    detail = np.zeros_like(octaves[-1])
    for octave, base in enumerate(octaves[::-1]):
        h, w = base.shape[-2:]
        if octave > 0:
            h1, w1 = detail.shape[-2:]
            detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)
        src.reshape(1, 3, h, w)
        src.data[0] = base + detail
        for _ in range(iter_n):
            make_step(net, end)
        detail = src.data[0] - base
    return np.dstack((src.data[0] + MEAN)[::-1])


def main(prototxt, caffemodel, end, iter_n, octave_n, octave_scale):
    net = caffe.Net(prototxt, caffemodel, caffe.TEST)
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        img = np.load(name)
        began = time.perf_counter()
        made = dream(net, img, end, int(iter_n), int(octave_n), float(octave_scale))
        taken = time.perf_counter() - began
        np.save(name + ".out.npy", np.float32(made))
        print(taken, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
