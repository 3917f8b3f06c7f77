#!/usr/bin/env bash
# Makes the virtual environment that `make` works in, with pinned versions. Safe to run again.
#
#   scripts/make_venv.sh FOLDER [EXTRA]
#
# Without EXTRA it gets what a dream needs; with one of setup.py's (docs, dev) that as well. What pip
# says is in FOLDER/pip.log; on a terminal one line tells where it is.
#
# Uses $PYTHON if set, else python3, else the newest Python from 3.9 to 3.14 on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
extra=${2:-}

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

if [ "$extra" = dev ] && [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null &&
  ! "$folder/bin/python" -c 'import torch' 2>/dev/null; then
  say "tests need PyTorch. Its usual build for Linux brings CUDA (gigabytes); without an NVIDIA GPU"
  say "its CPU build is enough: see CONTRIBUTING.md, 'Start'."
fi

# Shows the last of what pip does in a line that is written over; elsewhere than on a terminal nothing.
one_line() {
  local line width
  width=$(($(tput cols 2>/dev/null || echo 80) - 1))
  while IFS= read -r line; do
    case $line in
      *Collecting* | *Downloading* | *"Using cached"* | *Building* | *Installing*)
        [ ! -t 2 ] || printf '\r\033[K%.*s' "$width" "${line#"${line%%[! ]*}"}" >&2 ;;
    esac
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

install() {
  "$folder/bin/python" -m pip --disable-pip-version-check install --progress-bar off \
    --constraint constraints.txt "$@" 2>&1 | tee -a "$folder/pip.log" | one_line || {
    tail -n 20 "$folder/pip.log" >&2
    say "pip could not install this; all that it said is in $folder/pip.log"
    return 1
  }
}

say "installing ${extra:+the packages for $extra and }what a dream needs (once; some minutes)"
: > "$folder/pip.log"
install setuptools wheel
# Not in isolation: setuptools is pinned, too.
install --no-build-isolation --editable ".${extra:+[$extra]}"
