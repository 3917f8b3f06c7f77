"""What one class looks like to the whole net: a one-hot diff at the top, and a decaying picture.

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

end = "loss3/classifier"
rng = np.random.RandomState(1)
height, width = net.blobs["data"].data.shape[2:]
picture = rng.uniform(0.4, 0.6, (height, width, 3))
net.blobs["data"].reshape(1, 3, height, width)
net.blobs["data"].data[...] = transformer.preprocess("data", picture)

kept = {}
for step, wanted in enumerate(CLASSES):
    net.forward(end=end)
    scores = net.blobs[end].data.copy()
    one_hot = np.zeros_like(net.blobs[end].data)
    one_hot[0, wanted] = 1
    net.blobs[end].diff[...] = one_hot
    gradient = net.backward(start=end)["data"].copy()
    kept["scores %d" % step] = scores
    kept["gradient %d" % step] = gradient
    data = 0.99 * (net.blobs["data"].data + 400.0 * gradient / np.abs(gradient).max())
    kept["shown %d" % step] = transformer.deprocess("data", data)
# The same through the keywords of the whole net, where the diff is that of its softmax.
prob = net.forward(data=net.blobs["data"].data.copy())["prob"].copy()
one_hot = np.zeros_like(prob)
one_hot[0, prob[0].argmax()] = 1
kept["prob"] = prob
kept["gradient of prob"] = net.backward(prob=one_hot)["data"].copy()
np.savez(sys.argv[3], **kept)
