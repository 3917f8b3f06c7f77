#!/usr/bin/env bash
# Looks whether an image works, from inside: dreams a picture with each engine that is there, asks for
# an exit status, and starts Jupyter. Prints a line for each.
set -euo pipefail
run=$(dirname "$0")/entrypoint.sh
source=$(dirname "$0")/..
work=$(mktemp -d)
cd "$work"

[ "$(id -u)" -ne 0 ] || { echo "smoke_test.sh: this must not run as root" >&2; exit 1; }
echo "user: $(id -u)"

"$run" dream "$source/examples/clouds.jpg" -o ours.png --iter-n 2 --octave-n 2 --seed 1
"$run" show ours.png > /dev/null
echo "our engine: ok"

status=0
"$run" dream nothing.jpg -o x.png 2> error.txt || status=$?
[ "$status" -eq 2 ] || { echo "exit status $status of a missing picture, 2 expected" >&2; exit 1; }
echo "exit status: ok"

if [ -x /opt/caffe/bin/python ]; then
  # A small net with seeded weights; Caffe 1.0 has no Clip, which the bundled one needs. Where rounding
  # tips a ReLU, the next step amplifies it: after one step per octave 0.003 to 0.014 % of the values
  # differ, on processors with different instructions; after two 0.3 to 0.6 %.
  python "$source/docker/seeded_net.py" squeezenet_v1.1 .
  for engine in auto caffe; do
    "$run" dream "$source/examples/clouds.jpg" -o "by_$engine.png" --engine "$engine" --seed 1 \
      --model deploy.prototxt --weights seeded.caffemodel --mean 104,117,123 \
      --end fire4/concat --iter-n 1 --octave-n 2
  done
  python - <<'PY'
import numpy as np
from PIL import Image
clouds, ours, caffes = (np.float32(Image.open(name)) for name in
                        ("/opt/build/examples/clouds.jpg", "by_auto.png", "by_caffe.png"))
apart, moved = np.abs(ours - caffes), np.abs(ours - clouds)
print(f"both engines: {(apart > 1).mean():.3%} of the values differ by more than rounding, "
      f"a dream moved them by {moved.mean():.1f} grey levels")
assert moved.mean() > 1 and (apart > 1).mean() < 0.001
PY

  python - <<'PY'
import nbformat
from nbclient import NotebookClient
load = "deepdream.load_net('deploy.prototxt', 'seeded.caffemodel', mean=(104, 117, 123), engine='caffe')"
code = f"import caffe, deepdream\nassert isinstance({load}, caffe.Net)"
cells = [nbformat.v4.new_code_cell(code)]
NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="caffe", timeout=120).execute()
print("the real Caffe in a notebook: ok")
PY
fi

"$run" notebook --ServerApp.token=t > jupyter.txt 2>&1 &
jupyter=$!
trap 'kill $jupyter 2>/dev/null || true' EXIT
for _ in $(seq 60); do
  python - <<'PY' && break
import json, sys, urllib.request
try:
    url = "http://127.0.0.1:8888/api/contents?token=t"
    names = [item["name"] for item in json.load(urllib.request.urlopen(url))["content"]]
except OSError:
    sys.exit(1)
assert {"student", "instructor"} <= set(names), names
print("Jupyter:", ", ".join(sorted(names)))
PY
  sleep 1
done
cp -r /home/dreamer/instructor .
jupyter execute --timeout=300 instructor/docs/walkthrough.ipynb 2> walkthrough.txt ||
  { cat walkthrough.txt >&2; exit 1; }
echo "walkthrough: ok"
kill -0 $jupyter || { cat jupyter.txt >&2; exit 1; }
grep -q "8888" jupyter.txt
echo "all is well"
