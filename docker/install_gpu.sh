#!/usr/bin/env bash
# Installs PyTorch, which computes on GPUs, beside deepdream in /opt/deepdream.
#
#   install_gpu.sh [TORCH_INDEX]     where its wheels are, besides the package index
set -euo pipefail
index=${1:-}
source=$(cd "$(dirname "$0")/.." && pwd)

/opt/deepdream/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
  ${index:+--extra-index-url "$index"} -c "$source/constraints.txt" "${source}[gpu]"
