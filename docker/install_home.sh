#!/usr/bin/env bash
# Makes the user `dreamer` and, in its home, the walkthrough and the labs as notebooks: `student`, in
# which tasks are open, and `instructor`, with their solutions.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)

useradd --create-home --uid 1000 dreamer
home=/home/dreamer
/opt/deepdream/bin/python "$source/scripts/make_labs.py" --out "$home"
chown -R dreamer:dreamer "$home"
chmod 755 "$home"
mkdir -p /work
chmod 1777 /work
