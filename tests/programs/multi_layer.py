"""A dream of 2015 that pulls on several layers at once, by backward passes in segments.

python multi_layer.py deploy.prototxt x.caffemodel OUT.npz
"""

import sys

import caffe
import numpy as np

WEIGHTS = {"fire2/concat": 1.0, "fire3/squeeze1x1": 0.5, "fire4/concat": 2.0}

caffe.set_mode_cpu()
caffe.set_random_seed(0)
net = caffe.Classifier(
    sys.argv[1],
    sys.argv[2],
    mean=np.float32([104.0, 117.0, 123.0]),
    channel_swap=(2, 1, 0),
    raw_scale=255,
)

layers = [name for name in net._layer_names if name in WEIGHTS]
assert len(layers) == len(WEIGHTS), layers

rng = np.random.RandomState(5)
src = net.blobs["data"]
src.reshape(1, 3, 67, 85)

kept = {}
for step in range(2):
    # Each step from a picture of its own: rounding cannot grow from step to step.
    src.data[0] = rng.uniform(-120, 120, (3, 67, 85))
    net.forward(end=layers[-1])
    # Deepest first. Each layer's objective is added to what arrives from above.
    net.blobs[layers[-1]].diff[...] = WEIGHTS[layers[-1]] * net.blobs[layers[-1]].data
    for above, here in zip(layers[:0:-1], layers[-2::-1]):
        net.backward(start=above, end=here)
        net.blobs[here].diff[...] += WEIGHTS[here] * net.blobs[here].data
    net.backward(start=layers[0])
    gradient = src.diff[0].copy()
    src.data[0] += 1.5 / np.abs(gradient).mean() * gradient
    kept["gradient %d" % step] = gradient
    kept["picture %d" % step] = src.data.copy()
np.savez(sys.argv[3], **kept)
