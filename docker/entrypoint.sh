#!/usr/bin/env bash
# What a container runs: `notebook` is Jupyter with the walkthrough on port 8888, `studio` the page to
# dream on, on port 8000, open to whom the container's ports are published to; any other word is a
# command of deepdream, or a program of the image (python, bash). With `--engine caffe` the command
# runs in Caffe's environment, $CAFFE_HOME. Its exit status is the container's.
set -euo pipefail

# `docker run -u` may name a user without a home.
if [ ! -w "${HOME:-/}" ]; then
  export HOME=/tmp/home
  mkdir -p "$HOME"
fi

uses_caffe() {
  local before=
  for word in "$@"; do
    [ "$before $word" = "--engine caffe" ] || [ "$word" = "--engine=caffe" ] && return 0
    before=$word
  done
  return 1
}

case "${1:-notebook}" in
  notebook)
    [ $# -eq 0 ] || shift
    notebooks=/home/dreamer
    [ -w "$notebooks" ] || { cp -r "$notebooks" "$HOME/notebooks"; notebooks=$HOME/notebooks; }
    exec jupyter lab --ip=0.0.0.0 --port=8888 --no-browser \
      --ServerApp.root_dir="$notebooks" "$@" ;;
  batch | dream | film | gallery | labels | layers | models | reproduce | rerun | show | studio | \
    styles | visualize | zoom | -*)
    if [ "$1" = studio ]; then
      shift
      set -- studio --host 0.0.0.0 --allow local --no-browser "$@"
    fi
    deepdream=deepdream
    caffes=${CAFFE_HOME:-/opt/caffe}/bin/deepdream
    # Without one, deepdream itself says what is missing.
    if uses_caffe "$@" && [ -x "$caffes" ]; then
      deepdream=$caffes
    fi
    exec "$deepdream" "$@" ;;
  *)
    exec "$@" ;;
esac
