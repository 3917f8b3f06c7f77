#!/usr/bin/env bash
# Installs deepdream and Jupyter into /opt/deepdream (Python 3.11), and makes the weights of the
# bundled network, so that the image works without internet.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
pip=(/opt/deepdream/bin/python -m pip install --no-cache-dir --disable-pip-version-check)

python3 -m venv /opt/deepdream
"${pip[@]}" -c "$source/constraints.txt" "${source}[studio]" jupytext nbformat
"${pip[@]}" "jupyterlab>=4.2,<5"

# Whoever runs the image may add weights: `docker run -u` can be any number.
mkdir -p "$DEEPDREAM_HOME" "$DEEPDREAM_KERNELS"
# The first dream writes the bundled weights. These dreams also compile the kernels, for this kind of
# processor; another kind compiles its own, once for each container.
tmp=$(mktemp -d)
quick=(dream "$source/examples/clouds.jpg" -o "$tmp/first.png" --iter-n 1 --octave-n 1)
/opt/deepdream/bin/deepdream "${quick[@]}"
for model in squeezenet_v1.1:fire9/concat googlenet:inception_4c/output; do
  /opt/deepdream/bin/python "$source/docker/seeded_net.py" "${model%:*}" "$tmp"
  /opt/deepdream/bin/deepdream "${quick[@]}" --model "$tmp/deploy.prototxt" \
    --weights "$tmp/seeded.caffemodel" --mean 104,117,123 --end "${model#*:}"
done
rm -r "$tmp"
chmod -R a+rwX "$DEEPDREAM_HOME" "$DEEPDREAM_KERNELS"
