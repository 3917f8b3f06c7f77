"""Style transfer as it was written for pycaffe: losses at many layers, their diffs written by hand.

python style_transfer.py deploy.prototxt x.caffemodel OUT.npz
"""

import sys

import caffe
import numpy as np

STYLE = {"conv1": 0.3, "fire2/concat": 1.0, "fire4/expand3x3": 1.0}
CONTENT = {"fire3/concat": 5.0}


def gram(features):
    flat = features[0].reshape(features.shape[1], -1)
    return np.dot(flat, flat.T) / flat.shape[1]


caffe.set_mode_cpu()
net = caffe.Net(sys.argv[1], caffe.TEST, weights=sys.argv[2])
wanted = [name for name in net._layer_names if name in STYLE or name in CONTENT]
rng = np.random.RandomState(8)
style, content = rng.uniform(-110, 110, (2, 1, 3, 58, 71)).astype(np.float32)
net.blobs["data"].reshape(1, 3, 58, 71)
net.reshape()


def features(image):
    net.blobs["data"].data[...] = image
    net.forward(end=wanted[-1])
    return {name: net.blobs[name].data.copy() for name in wanted}


grams = {name: gram(features(style)[name]) for name in STYLE}
goals = {name: features(content)[name] for name in CONTENT}

kept = {}
for step in range(2):
    picture = rng.uniform(-110, 110, (1, 3, 58, 71)).astype(np.float32)
    found = features(picture)
    loss = 0.0
    net.blobs[wanted[-1]].diff[...] = 0
    for number in range(len(wanted) - 1, -1, -1):
        name = wanted[number]
        diff = net.blobs[name].diff
        x = found[name]
        if name in STYLE:
            difference = gram(x) - grams[name]
            loss += STYLE[name] * (difference**2).sum() / 4
            flat = x[0].reshape(x.shape[1], -1)
            diff[0] += STYLE[name] * np.dot(difference, flat).reshape(x[0].shape) / flat.shape[1]
        if name in CONTENT:
            loss += CONTENT[name] * ((x - goals[name]) ** 2).sum() / 2
            diff[...] += CONTENT[name] * (x - goals[name])
        if number:
            net.backward(start=name, end=wanted[number - 1])
        else:
            net.backward(start=name)
    gradient = net.blobs["data"].diff.copy()
    kept["loss %d" % step] = np.float64(loss)
    kept["gradient %d" % step] = gradient
    kept["picture %d" % step] = picture - 4 * gradient / np.abs(gradient).mean()
kept["names"] = np.array(list(net.params.keys()))
np.savez(sys.argv[3], **kept)
