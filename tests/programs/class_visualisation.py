"""What one class looks like to the whole net: a one-hot diff at its top, and a decaying picture.

python class_visualisation.py deploy.prototxt x.caffemodel OUT.npz
"""

import sys

import caffe
import numpy as np

CLASSES = 13, 281
net = caffe.Net(sys.argv[1], sys.argv[2], caffe.TEST)
transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
transformer.set_transpose("data", (2, 0, 1))
transformer.set_channel_swap("data", (2, 1, 0))
transformer.set_mean("data", np.float32([104, 117, 123]))
transformer.set_raw_scale("data", 255)

end = net.outputs[0]
rng = np.random.RandomState(1)
height, width = net.blobs["data"].data.shape[2:]
picture = rng.uniform(0.4, 0.6, (height, width, 3))
net.blobs["data"].reshape(1, 3, height, width)
net.blobs["data"].data[...] = transformer.preprocess("data", picture)

kept = {}
for step, wanted in enumerate(CLASSES):
    scores = net.forward()[end].copy()
    one_hot = np.zeros_like(net.blobs[end].diff)
    one_hot[0].reshape(len(one_hot[0]), -1)[wanted] = 1
    gradient = net.backward(**{end: one_hot})["data"].copy()
    kept["scores %d" % step] = scores
    kept["gradient %d" % step] = gradient
    data = 0.99 * (net.blobs["data"].data + 400.0 * gradient / np.abs(gradient).max())
    kept["shown %d" % step] = transformer.deprocess("data", data)
np.savez(sys.argv[3], **kept)
