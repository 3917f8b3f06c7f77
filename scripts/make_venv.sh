#!/usr/bin/env bash
# Makes the virtual environment that `make` works in, with pinned versions. Safe to run again.
#
#   scripts/make_venv.sh FOLDER
#
# Uses $PYTHON if set, else python3, else the newest Python from 3.9 to 3.14 on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1

say() { echo "make_venv.sh: $*" >&2; }

# A pyenv shim is on the PATH even where its version is not switched on, so every candidate is run.
fits() { "$1" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 \
    python3.9 python}; do
    if fits "$candidate"; then
      makes_venvs "$candidate" && { echo "$candidate"; return; }
      venvless=${venvless:-$candidate}
    fi
  done
  if [ -n "${venvless:-}" ]; then
    version=$("$venvless" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "Python $version is here, but without its venv module. Install that first:"
    say "  Debian, Ubuntu: sudo apt install python3-venv   (or python$version-venv)"
  elif [ -n "${PYTHON:-}" ]; then
    say "PYTHON=$PYTHON is no Python from 3.9 to 3.14."
  else
    say "no Python from 3.9 to 3.14 on the PATH. Install one (Debian, Ubuntu:" \
      "sudo apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3"
  fi
  return 1
}

if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
  python=$(find_python)
  say "making $folder with $("$python" --version)"
  "$python" -m venv --clear "$folder"
fi

if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null &&
  ! "$folder/bin/python" -c 'import torch' 2>/dev/null; then
  say "installing PyTorch. Its usual build for Linux brings CUDA (gigabytes); without an NVIDIA GPU"
  say "PyTorch's CPU build is enough: see README.md, 'Installing'."
fi

pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --constraint constraints.txt setuptools wheel
# Not in isolation: setuptools is pinned, too.
pip install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
