"""The video scripts' loop: the prototxt patched by protobuf, modes set, octaves, guide, jitter.

python gpu_loop.py deploy.prototxt x.caffemodel OUT.npz
"""

import os
import sys
import tempfile

import caffe
import numpy as np
from google.protobuf import text_format

if "--gpu" in sys.argv:
    caffe.set_mode_gpu()
    caffe.set_device(0)

model = caffe.io.caffe_pb2.NetParameter()
with open(sys.argv[1]) as file:
    text_format.Merge(file.read(), model)
model.force_backward = True
patched = os.path.join(tempfile.mkdtemp(), "tmp.prototxt")
with open(patched, "w") as file:
    file.write(str(model))
net = caffe.Classifier(
    patched, sys.argv[2], mean=np.float32([104.0, 116.0, 122.0]), channel_swap=(2, 1, 0)
)


def preprocess(net, img):
    return np.float32(np.rollaxis(img, 2)[::-1]) - net.transformer.mean["data"]


def objective_guide(dst):
    x = dst.data[0].copy()
    y = guide_features
    ch = x.shape[0]
    x = x.reshape(ch, -1)
    y = y.reshape(ch, -1)
    matches = x.T.dot(y)
    dst.diff[0].reshape(ch, -1)[:] = y[:, matches.argmax(1)]


rng = np.random.RandomState(4)
guide = rng.uniform(0, 255, (50, 61, 3))
end = "fire3/concat"
src, dst = net.blobs["data"], net.blobs[end]
h, w = guide.shape[:2]
src.reshape(1, 3, h, w)
src.data[0] = preprocess(net, guide)
net.forward(end=end)
guide_features = dst.data[0].copy()

kept = {"guide": guide_features}
picture = preprocess(net, rng.uniform(0, 255, (72, 93, 3)))
for number, (height, width) in enumerate(((51, 66), (72, 93))):
    src.reshape(1, 3, height, width)
    src.data[0] = picture[:, :height, :width]
    ox, oy = rng.randint(-8, 9, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)
    net.forward(end=end)
    objective_guide(dst)
    net.backward(start=end)
    kept["objective %d" % number] = dst.diff.copy()
    kept["gradient %d" % number] = src.diff.copy()
np.savez(sys.argv[3], **kept)
