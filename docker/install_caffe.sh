#!/usr/bin/env bash
# Makes an environment of Python 3.9 with the real Caffe 1.0 and deepdream beside it: Caffe computes.
#
#   install_caffe.sh [FOLDER [JUPYTER]]
#
# FOLDER is /opt/caffe by default. The Jupyter in the environment JUPYTER then offers Caffe's Python
# as a kernel, too. PYTHON39 names the Python, if it is not on PATH.
set -euo pipefail
folder=${1:-/opt/caffe}
jupyter=${2:-}
source=$(cd "$(dirname "$0")/.." && pwd)
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1

# virtualenv brings pip along; Debian's Python 3.9 comes without ensurepip.
maker=$(mktemp -d)
trap 'rm -r "$maker"' EXIT
python3 -m venv "$maker"
"$maker/bin/pip" install "virtualenv<20.27"
"$maker/bin/virtualenv" --quiet --no-download --python "${PYTHON39:-python3.9}" "$folder"

"$source/scripts/install_caffe.sh" "$folder"
"$folder/bin/pip" install "setuptools==80.10.2" wheel -r "$source/docker/beside_caffe.txt"
"$folder/bin/pip" install --no-deps --no-build-isolation "$source"

if [ -n "$jupyter" ]; then
  "$folder/bin/pip" install ipykernel==6.31.0
  JUPYTER_PATH=$jupyter/share/jupyter "$folder/bin/python" -m ipykernel install --prefix "$jupyter" \
    --name caffe --display-name "Caffe 1.0 (Python 3.9)" > /dev/null
fi
