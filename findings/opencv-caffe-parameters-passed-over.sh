#!/usr/bin/env bash
# OpenCV's reader of Caffe's nets passes over some parameters of some layers, silently: the net runs,
# and computes what the prototxt would say without them.
#
# Packages: opencv-python-headless 4.14.0.94 (the last 4.x; 5.0 has no readNetFromCaffe), numpy 2.4.6
# (CPython 3.11, Linux x86-64).
#
# Behaviour seen, each layer alone, against the formula of caffe.proto in numpy:
#   * LRN: k is taken for 1 (VGG_CNN_S and others say k: 2); local_size, alpha and beta count.
#   * Log: base, scale and shift are passed over: log(x), with NaN where only the shift makes the
#     argument positive. Those of Exp and of Power count.
#   * Swish: beta is taken for 1.
#
# Output seen: the lines below "EXPECTED".
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==4.14.0.94 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee "$folder/seen"
import warnings

import cv2
import numpy as np

warnings.simplefilter("ignore")
x = np.random.RandomState(5).standard_normal((2, 6, 5, 7)).astype(np.float32)


def run(layer):
    """Return what OpenCV computes for a net of one layer."""
    text = (
        'input: "x" input_dim: 2 input_dim: 6 input_dim: 5 input_dim: 7\n'
        f'layer {{ name: "y" bottom: "x" top: "y" {layer} }}\n'
    )
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8))
    net.setInput(x)
    return net.forward("y")


def lrn(size, alpha, beta, k):
    """y = x * (k + alpha / n * (sum of x^2 over the n nearest channels))^-beta."""
    scale = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2) : c + size // 2 + 1]
        scale[:, c] = k + alpha / size * (near * near).sum(1)
    return x * scale**-beta


def report(name, layer, **formulas):
    made = run(layer)
    alike = [
        told for told, values in formulas.items()
        if np.allclose(made, values, rtol=1e-4, atol=1e-5, equal_nan=True)
    ]
    print(f"{name}: {' and '.join(alike) or 'something else'}")


report("LRN, k 2", 'type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 k: 2 }',
       as_said=lrn(3, 0.5, 0.75, 2), as_if_k_were_1=lrn(3, 0.5, 0.75, 1))
report("LRN, k 1", 'type: "LRN" lrn_param { local_size: 5 alpha: 0.2 beta: 0.5 }',
       as_said=lrn(5, 0.2, 0.5, 1))
report("Log", 'type: "Log" log_param { base: 2 scale: 0.5 shift: 7 }',
       as_said=np.log2(7 + 0.5 * x), as_log_of_x=np.log(x))
report("Exp", 'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 1 }', as_said=2 ** (1 + 0.5 * x))
report("Power", 'type: "Power" power_param { power: 2 scale: 0.5 shift: 1 }',
       as_said=(1 + 0.5 * x) ** 2)
report("Swish", 'type: "Swish" swish_param { beta: 2 }', as_said=x / (1 + np.exp(-2 * x)),
       as_if_beta_were_1=x / (1 + np.exp(-x)))
PYTHON
diff - "$folder/seen" <<'EXPECTED'
LRN, k 2: as_if_k_were_1
LRN, k 1: as_said
Log: as_log_of_x
Exp: as_said
Power: as_said
Swish: as_if_beta_were_1
EXPECTED
