#!/usr/bin/env bash
# Installs the real Caffe 1.0 (CPU), the judge of every number in this project, and prints the
# path of the Python that can import it. Running it again is free.
#
#   scripts/install_caffe.sh [FOLDER]      default: ${XDG_CACHE_HOME:-~/.cache}/deepdream/caffe-1.0
#
# The package index holds one prebuilt Caffe that pip can install, `kendryte-caffe`: BVLC's sources
# with four extra layer types, for Linux on x86-64 and Python up to 3.9. It needs libraries of its
# time, hence a virtual environment of its own.
#
# Exit status: 0 installed, 2 no suitable Python (one line on stderr says which is missing),
# 1 the installation failed (pip's own words on stderr).
set -euo pipefail

packages=(
  kendryte-caffe==1.0.0.20210829
  numpy==1.23.5        # Caffe's Python side uses names that numpy 1.24 removed
  protobuf==3.20.3     # the last one that accepts its generated messages
  scipy==1.13.1
  scikit-image==0.24.0
  six==1.17.0
  pillow==11.3.0
)

folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/deepdream/caffe-1.0}
python=$folder/bin/python

has_caffe() {
  [ -x "$python" ] && GLOG_minloglevel=2 "$python" -c 'import caffe; caffe.Net' >/dev/null 2>&1
}

# An environment that was made by other means, but not filled.
is_in_use() {
  [ -x "$python" ]
}

# A pyenv shim is on PATH even where its version is not switched on, so every candidate is tried.
is_python39() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 9))' >/dev/null 2>&1
}

find_python39() {
  local candidate root beside
  for candidate in ${PYTHON39:-} python3.9 /usr/local/bin/python3.9 /usr/bin/python3.9; do
    is_python39 "$candidate" && { echo "$candidate"; return; }
  done
  # pyenv and uv keep their versions side by side; look next to them, newest patch level first.
  beside=$(python3 -c 'import os, sys; print(os.path.dirname(sys.base_prefix))' 2>/dev/null || true)
  for root in "${PYENV_ROOT:-$HOME/.pyenv}/versions" "$HOME/.pyenv/versions" "$beside" \
    "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python"; do
    [ -d "$root" ] || continue
    while IFS= read -r candidate; do
      is_python39 "$candidate" && { echo "$candidate"; return; }
    done < <(find "$root" -maxdepth 3 -path '*3.9*/bin/python3.9' 2>/dev/null | sort -rV)
  done
  return 1
}

if ! has_caffe; then
  if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "install_caffe.sh: the prebuilt Caffe runs on Linux x86-64 only, this is $(uname -sm)" >&2
    exit 2
  fi
  if ! is_in_use && ! base=$(find_python39); then
    echo "install_caffe.sh: no Python 3.9 with venv here (the prebuilt Caffe needs it);" \
      "install it, for example with 'pyenv install 3.9', or set PYTHON39 to its path" >&2
    exit 2
  fi
  is_in_use || "$base" -m venv "$folder" >&2
  "$python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2
  has_caffe || {
    echo "install_caffe.sh: installed, but 'import caffe' fails:" >&2
    "$python" -c 'import caffe' >&2 || true
    exit 1
  }
fi
echo "$python"
